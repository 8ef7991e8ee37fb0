"""What went wrong as one readable sentence, with the line of the chart that it is about."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from synth import ROOT, DefinitionError, ToolError

DEFINITION = ("charts", "facts")
PACKAGES = (".venv", "imports")
FORMS = "synth.forms"
CALLED = r"([\w.]+?)(?:\.__init__)?"
"""How Python names what is called in an error: a class, a function, or `Class.method`."""


def explained(error: BaseException, root: Path = ROOT) -> DefinitionError | ToolError | None:
    """One readable sentence for an error that a person can put right; None where it is a fault of this project.

    A person's are the errors that come out of a chart or a fact below `root`, and files that cannot be read or written:
    those that a chart names are the definition's fault, others the machine's.
    """
    if isinstance(error, DefinitionError | ToolError):
        return error
    place = _place_in_charts(error, root)
    if isinstance(error, OSError):
        said = f"{error.filename or 'a file'}: {error.strerror or error}"
        return DefinitionError(f"{said} ({place})") if place else ToolError(said)
    return DefinitionError(f"{_first_sentence(error, root)} ({place})") if place else None


def _place_in_charts(error: BaseException, root: Path) -> str | None:
    """`charts/graphwiki.py line 12, in charts/web_app.py line 90`: the app's line, and the one that failed.

    None where the line that failed is this project's but no chart's.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return (
            _shown(error.filename, error.lineno, root) if error.filename.startswith(_below(root, DEFINITION)) else None
        )
    lines = _own_lines(error, root)
    if not lines or not _is_chart(lines[-1], root):
        return None
    # A module that imports another has no part in what is wrong there, nor has the check of a value in its class.
    imported = max((index for index, line in enumerate(lines) if _function(line) == "<module>"), default=0)
    charts = [line for line in lines[imported:] if _is_chart(line, root) and _function(line) != "__post_init__"]
    places = [(line.tb_frame.f_code.co_filename, line.tb_lineno) for line in charts]
    first, last = places[0], places[-1]
    return _shown(*last, root) if first[0] == last[0] else f"{_shown(*first, root)}, in {_shown(*last, root)}"


def _own_lines(error: BaseException, root: Path) -> list[TracebackType]:
    """The lines of this project that the error came through, the outermost first; packages and bindings left out."""
    packages = _below(root, PACKAGES)
    lines = []
    trace = error.__traceback__
    while trace:
        file = trace.tb_frame.f_code.co_filename
        # What compares a value with its form has no part in what is wrong with it.
        compares = trace.tb_frame.f_globals.get("__name__") == FORMS
        if file.startswith(f"{root}{os.sep}") and not file.startswith(packages) and not compares:
            lines.append(trace)
        trace = trace.tb_next
    return lines


def _below(root: Path, folders: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{root / folder}{os.sep}" for folder in folders)


def _function(line: TracebackType) -> str:
    return line.tb_frame.f_code.co_name


def _is_chart(line: TracebackType, root: Path) -> bool:
    """Whether a line is of a chart, not of what puts the charts together."""
    file = line.tb_frame.f_code.co_filename
    return file.startswith(_below(root, DEFINITION)) and not file.endswith("/compose.py")


def _shown(file: str, line: int | None, root: Path) -> str:
    return f"{Path(file).relative_to(root).as_posix()} line {line}"


def first_line(error: BaseException) -> str:
    """What an error says, without the JavaScript stack that a JSIIError carries in its lines after the first."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _first_sentence(error: BaseException, root: Path) -> str:
    if isinstance(error, SyntaxError):
        return error.msg
    text = first_line(error)
    if isinstance(error, SystemExit):
        return f"sys.exit({error.code!r}) would end the compile here: raise an error that says what is wrong"
    if isinstance(error, KeyError):
        return f"there is no {text} among the keys"
    if isinstance(error, AttributeError) and error.name:
        return _about_attributes(error, error.name)
    return _about_arguments(text, error, root) or _about_types(text) or text


def _about_arguments(text: str, error: BaseException, root: Path) -> str | None:
    """What Python says of a call with too little, too much or something unknown, as a sentence about what is called."""
    if missing := re.fullmatch(rf"{CALLED}\(\) missing \d+ required .*arguments?: (.+)", text):
        return f"{missing[1]} needs {missing[2].replace(chr(39), '')}: write that as well"
    if many := re.match(rf"{CALLED}\(\) takes (?:from \d+ to )?(\d+) positional arguments? but", text):
        count = int(many[2]) - ("." in text.partition("(")[0])
        values = f"{count or 'no'} value{'s' * (count != 1)}"
        return f"{many[1]} takes {values} without a name: write the others as name=value"
    unknown = re.search(rf"{CALLED}\(\) got an unexpected keyword argument '(\w+)'", text)
    if unknown is None:
        return None
    name, field = unknown.groups()
    fields = _fields(name, error, root)
    listed = f": it has {', '.join(fields)}" if fields else ""
    return f"{name} has no field {field}{_meant(field, fields) or listed}"


def _about_attributes(error: AttributeError, name: str) -> str:
    """What Python says of a name that a thing does not have, without its words for classes and objects."""
    thing = error.obj
    called = getattr(thing, "__name__", None) or ("None" if thing is None else type(thing).__name__)
    return f"{called} has no {name}{_meant(name, [known for known in dir(thing) if known[0] != '_'])}"


def _meant(name: str, known: Sequence[str]) -> str:
    """The end of a sentence about a name that is not among those that there are, where one of them is like it."""
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {near[0]}?" if near else ""


def _about_types(text: str) -> str | None:
    """What the bindings say of values of a wrong type and of names that are there already, in the words of a person."""
    if wrong := re.fullmatch(r"type of argument (\S+) must be (?:one of )?(.+); got (.+) instead", text):
        wanted = re.sub(r"[()]|, NoneType", "", wrong[2])
        return f"{wrong[1]} must be {WORDS.get(wanted, wanted)}, and is {WORDS.get(wrong[3], wrong[3])}"
    if twice := re.fullmatch(r"There is already a Construct with name '(.*)' in (.+)", text):
        return f"two things are called {twice[1]} in {twice[2]}: give one of them another name"
    return None


WORDS = {"str": "text in quotes", "int": "a whole number", "int, float": "a number", "bool": "True or False"}


def _fields(class_name: str, error: BaseException, root: Path) -> list[str]:
    """The fields of a typed class, looked up where the failing line of the chart would look."""
    import inspect

    scope = _own_lines(error, root)[-1].tb_frame.f_globals
    modules = [value for value in scope.values() if inspect.ismodule(value)]
    for candidate in (scope.get(class_name), *(getattr(module, class_name, None) for module in modules)):
        if inspect.isclass(candidate):
            parameters = inspect.signature(candidate.__init__).parameters
            return [field for field in parameters if field not in ("self", "scope", "id", "id_")]
    return []
