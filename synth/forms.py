"""The form of a value: its type, and what its text or number must look like, with the sentence for what is not so.

A parameter is annotated with its form, `port: PodPort`, and given as a plain value. `@formed` compares all that a class
is given with its annotations before it does anything with it, so that a wrong value is told by its name, where it is
written, instead of by the error that it would cause later.
"""

import inspect
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import wraps
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from synth.names import (
    DATA_KEY,
    DURATION,
    KEY,
    LABEL,
    LABEL_LENGTH,
    LABEL_VALUE,
    SERVICE_LABEL,
    SERVICE_NAME,
    SUBDOMAIN,
    SUBDOMAIN_LENGTH,
    VARIABLE,
)
from synth.quantity import quantity

T = TypeVar("T")


@dataclass(frozen=True)
class Form:
    """What a value must look like: `problem` gives what is wrong with one as the end of a sentence, or nothing."""

    problem: Callable[[Any], str | None]


def matches(pattern: str, sentence: str) -> Form:
    """The form of texts that are of a pattern as a whole; `sentence` says what is wrong with the others."""
    whole = re.compile(pattern)
    return Form(lambda value: None if isinstance(value, str) and whole.fullmatch(value) else sentence)


def within(numbers: range, sentence: str) -> Form:
    """The form of whole numbers that are of a range; `sentence` says what is wrong with the others."""
    return Form(lambda value: None if value in numbers else sentence)


def named(pattern: re.Pattern[str], letters: str, length: int = LABEL_LENGTH) -> Form:
    """The form of names of at most so many characters."""

    def problem(value: str) -> str | None:
        if len(value) > length:
            return f"has {len(value)} characters: use at most {length}"
        if not pattern.fullmatch(value):
            return f"is no name here: use {letters}, with a letter or digit at both ends"
        return None

    return Form(problem)


SMALL_LETTERS = "lower case letters, digits and -"

Label = Annotated[str, named(LABEL, SMALL_LETTERS)]
"""A part of a host name, the name of a volume or a container, and of what Kubernetes puts into a label."""
LetterFirst = Annotated[str, named(SERVICE_LABEL, f"{SMALL_LETTERS}, a letter first")]
"""The name of what has a Service."""
ObjectName = Annotated[str, named(SUBDOMAIN, "lower case letters, digits, - and .", SUBDOMAIN_LENGTH)]
PortName = Annotated[
    str,
    matches(
        SERVICE_NAME.pattern,
        "is no name of a port: use at most 15 lower case letters, digits and -, one of them a letter",
    ),
]
PortNumber = Annotated[int, within(range(1, 65536), "is no port: 1 to 65535 are")]
HostLabel = Annotated[
    str,
    matches(
        rf"(\*|(\*\.)?{SUBDOMAIN.pattern})?",
        "is no name below a domain: use lower case letters, digits, - and ., as in wiki, without a scheme or a port",
    ),
]
LabelKey = Annotated[
    str, matches(KEY.pattern, "is no key of a label: example.com/disk is one, of letters, digits, -, _ and .")
]
LabelValue = Annotated[
    str,
    named(LABEL_VALUE, "letters, digits, -, _ and ."),
]
Variable = Annotated[
    str, matches(VARIABLE.pattern, "is no name of a variable: use letters, digits, _, - and ., and no digit first")
]
DataKey = Annotated[
    str, matches(DATA_KEY.pattern, "is no name of a file here: use letters, digits, -, _ and ., as in settings.yaml")
]
Duration = Annotated[
    str, matches(DURATION.pattern, "is no duration: write a number and ms, s, m or h, as in 10s or 1m30s")
]
FilePath = Annotated[str, matches(r"/.*", "is no path: a path begins with /, as in /healthz")]

LEAST_VOLUME, LARGEST_VOLUME = "1Mi", "64Ti"
"""Less is a unit forgotten, and no cloud has larger ones: https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html"""


def _storage_size(value: str) -> str | None:
    try:
        size = quantity(value)
    except ValueError:
        size = Decimal(0)
    if size < 1 or size != int(size):
        return "is no number of bytes: 5Gi is one"
    if not quantity(LEAST_VOLUME) <= size <= quantity(LARGEST_VOLUME):
        return f"is {size:f} bytes, no size of a volume: {LEAST_VOLUME} to {LARGEST_VOLUME} are, as in 5Gi"
    return None


StorageSize = Annotated[str, Form(_storage_size)]


def formed(kind: type[T]) -> type[T]:
    """Let a class compare what it is given with the annotations of its `__init__`, a dataclass's with its fields.

    An annotation in quotes is the name of a class. The first value that is not as it is annotated is a ValueError, or a
    TypeError where it is not even of the type: `Container shop: port '8000' is no whole number: write it without
    quotes`.
    """
    original = kind.__init__
    signature = inspect.signature(original)

    @wraps(original)
    def checked(self: object, *values: Any, **named: Any) -> None:
        try:
            bound = signature.bind(self, *values, **named)
        except TypeError:
            # Python's own sentence names what is missing or too much.
            original(self, *values, **named)
            raise
        given = dict(list(bound.arguments.items())[1:])
        for argument, value in given.items():
            parameter = signature.parameters[argument]
            several = parameter.kind is inspect.Parameter.VAR_POSITIONAL
            for item in value if several else (value,):
                for fault in _faults(parameter.annotation, item, argument):
                    raise fault.error(_subject(type(self).__name__, given))
        original(self, *values, **named)

    kind.__init__ = checked  # type: ignore[method-assign]
    return kind


def _subject(kind: str, given: Mapping[str, object]) -> str:
    """`Container shop`, `WebApp of shop`, or the class alone."""
    name, app = given.get("name"), getattr(given.get("app"), "name", None)
    if isinstance(name, str) and name:
        return f"{kind} {name}"
    return f"{kind} of {app}" if app else kind


@dataclass(frozen=True)
class _Fault:
    """A value that is not as it is annotated: where it stands, and the end of the sentence about it."""

    place: str
    value: object
    problem: str
    of_type: bool = False

    def error(self, subject: str) -> Exception:
        kind = TypeError if self.of_type else ValueError
        return kind(f"{subject}: {self.place} {_shown(self.value)} {self.problem}")


def _faults(hint: Any, value: object, place: str) -> Iterator[_Fault]:
    origin = get_origin(hint)
    if origin is Annotated:
        found = list(_faults(hint.__origin__, value, place))
        yield from found
        for form in hint.__metadata__ if not found else ():
            if isinstance(form, Form) and (problem := form.problem(value)):
                yield _Fault(place, value, problem)
    elif origin in (Union, types.UnionType):
        fitting = [option for option in get_args(hint) if _fits(option, value)]
        if fitting:
            yield from _faults(fitting[0], value, place)
        else:
            yield _Fault(place, value, _mistaken(get_args(hint), value), of_type=True)
    elif not _fits(hint, value):
        yield _Fault(place, value, _mistaken((hint,), value), of_type=True)
    elif isinstance(value, str) and not value.isascii() and not _is_unicode(value):
        yield _Fault(place, value, "has half a character, which no file can hold: write whole ones")
    elif _is_list(hint):
        inner = get_args(hint)[0] if get_args(hint) else Any
        for item in value:  # type: ignore[attr-defined]
            yield from _faults(inner, item, place)
    elif _is_mapping(hint):
        of_key, of_value = get_args(hint) or (Any, Any)
        for key, item in value.items():  # type: ignore[attr-defined]
            yield from _faults(of_key, key, place)
            yield from _faults(of_value, item, f"{place}[{_shown(key)}]")


def _is_unicode(text: str) -> bool:
    """Whether a text can be written: Python lets one have half of a pair of surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_list(hint: Any) -> bool:
    kind = _plain(hint)
    origin = get_origin(kind) or kind
    return inspect.isclass(origin) and issubclass(origin, Sequence) and not issubclass(origin, str)


def _is_mapping(hint: Any) -> bool:
    origin = get_origin(hint) or hint
    return inspect.isclass(origin) and issubclass(origin, Mapping)


def _fits(hint: Any, value: object) -> bool:
    """Whether a value is of a type, whatever is inside it."""
    if isinstance(hint, str):
        return any(base.__name__ == hint for base in type(value).__mro__)
    if _is_list(hint):
        return isinstance(value, Sequence) and not isinstance(value, str | bytes)
    kind = _plain(hint)
    kind = type(None) if kind is None else get_origin(kind) or kind
    if kind in (int, float):
        return isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    return not inspect.isclass(kind) or kind is inspect.Parameter.empty or isinstance(value, kind)


def _mistaken(options: Sequence[Any], value: object) -> str:
    """What is wrong with a value that is of none of these types, and what would be right."""
    wanted = [_plain(option) for option in options if option not in (None, type(None))]
    names = [_noun(option) for option in wanted]
    nouns = f"no {' or '.join(filter(None, (', '.join(names[:-1]), names[-1])))}"
    if value is None:
        return f"is {nouns}: write one"
    return f"is {nouns}: {_remedy(wanted, value)}"


def _plain(hint: Any) -> Any:
    return hint.__origin__ if get_origin(hint) is Annotated else hint


def _noun(hint: Any) -> str:
    words = {str: "text", int: "whole number", float: "number", bool: "switch"}
    if isinstance(hint, str):
        return hint
    if _is_mapping(hint):
        return "mapping"
    if _is_list(hint):
        return "list"
    return words.get(hint) or str(getattr(hint, "__name__", hint))


def _remedy(wanted: Sequence[Any], value: object) -> str:
    first = wanted[0]
    members = list(first) if inspect.isclass(first) and issubclass(first, Enum) else []
    number = first in (int, float)
    listed = next((option for option in wanted if _is_list(option)), None)
    in_brackets = isinstance(value, list | tuple) and value and all(_fits(first, item) for item in value)
    known = (
        (str in wanted and isinstance(value, int | float), "put it in quotes"),
        (listed, f"put it in brackets, as in {_listed(listed, value)}"),
        (in_brackets, "write it without brackets"),
        (any(map(_is_mapping, wanted)), "write {name: value}"),
        (number and isinstance(value, str) and value.isdecimal(), "write it without quotes"),
        (number, "write digits alone"),
        (first is bool, "write True or False, without quotes"),
        (first is str, "write one, in quotes"),
        (bool(members), f"write {' or '.join(f'{type(member).__name__}.{member.name}' for member in members)}"),
    )
    return next((text for holds, text in known if holds), None) or f"write {_example(first)}"


def _listed(hint: Any, value: object) -> str:
    """A value as the only one of a list, or what belongs into the list where that is something else."""
    item = _plain(get_args(hint)[0]) if get_args(hint) else object
    if not _fits(item, value):
        return f"[{_example(item)}]"
    if isinstance(value, str):
        return str(value.split() or [value])
    return f"[{_shown(value)}]"


def _example(kind: Any) -> str:
    return {str: "'text'", int: "1"}.get(kind) or f"{_noun(kind)}({_wanted(kind)})"


def _wanted(kind: Any) -> str:
    """What a class has to be given, or may be given first."""
    # A class of jsii's is called by way of another one, which takes everything.
    makes = kind.__init__ if inspect.isclass(kind) else None
    parameters = list(inspect.signature(makes).parameters.values())[1:] if makes else []
    needed = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    return ", ".join(needed or [parameter.name for parameter in parameters][:1])


LONG = 60


def _shown(value: object) -> str:
    """A value as its author wrote it, or what it is where that would be long."""
    if inspect.isclass(value):
        return f"the class {value.__name__}"
    name = getattr(value, "name", None)
    text = repr(value)
    if len(text) <= LONG and not text.startswith("<"):
        return text
    if isinstance(value, list | tuple) and value:
        return f"[{_shown(value[0])}{', ...' if len(value) > 1 else ''}]"
    return f"{type(value).__name__} {name}" if isinstance(name, str) else f"of class {type(value).__name__}"
