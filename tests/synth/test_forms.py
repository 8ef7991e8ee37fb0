"""Values and their forms: what is of one is taken, and what is not is told by its name, with what would be right."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from enum import Enum
from typing import Annotated, Any

import pytest

from synth import forms
from synth.forms import Form, formed, matches, within


class Colour(Enum):
    RED = 1
    BLUE = 2


@dataclass(frozen=True)
class Size:
    width: int
    height: int


Even = Annotated[int, Form(lambda value: "is odd: write an even one" if value % 2 else None)]


@formed
@dataclass(frozen=True)
class Shape:
    name: str
    _: KW_ONLY
    corners: Annotated[int, within(range(3, 9), "is no number of corners: 3 to 8 are")] = 3
    label: Annotated[str, matches(r"[a-z]+", "is no label: write small letters")] | None = None
    size: Size | None = None
    colour: Colour = Colour.RED
    hidden: bool = False
    weight: float = 1
    tags: Sequence[str] = ()
    steps: tuple[Even, ...] = ()
    sizes: Sequence[Size] = ()
    texts: Mapping[Annotated[str, matches(r"\w+", "is no key: write letters")], str | Size] = field(
        default_factory=dict
    )


class Board:
    name = "board"


@formed
class Figure:
    def __init__(self, app: "Board", *shapes: Shape, title: str = "") -> None:
        self.app, self.shapes, self.title = app, shapes, title


class Drawing(Figure):
    """Judged as its base is."""


RIGHT: list[dict[str, Any]] = [
    {"corners": 8, "label": "a", "size": Size(1, 2), "colour": Colour.BLUE, "hidden": True, "weight": 2},
    {"tags": ["a"], "steps": (2, 4), "texts": {"a": "b", "c": Size(1, 1)}},
    {"tags": (), "steps": [2], "weight": 0.5, "label": None},
    {"tags": ["größer", "\U0001f600"]},
]


@pytest.mark.parametrize("given", RIGHT)
def test_what_is_of_its_form_is_taken(given: dict[str, Any]) -> None:
    shape = Shape("square", **given)
    assert {key: getattr(shape, key) for key in given} == given


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"corners": 9}, "corners 9 is no number of corners: 3 to 8 are"),
        ({"corners": "4"}, "corners '4' is no whole number: write it without quotes"),
        ({"corners": "four"}, "corners 'four' is no whole number: write digits alone"),
        ({"corners": True}, "corners True is no whole number: write digits alone"),
        ({"corners": 4.0}, "corners 4.0 is no whole number: write digits alone"),
        ({"corners": None}, "corners None is no whole number: write one"),
        ({"label": "A"}, "label 'A' is no label: write small letters"),
        ({"label": 1}, "label 1 is no text: put it in quotes"),
        ({"tags": ["\ud800"]}, r"tags '\\ud800' has half a character, which no file can hold: write whole ones"),
        ({"label": ["a"]}, r"label \['a'\] is no text: write it without brackets"),
        ({"size": 3}, r"size 3 is no Size: write Size\(width, height\)"),
        ({"size": Colour.RED}, r"size Colour RED is no Size: write Size\(width, height\)"),
        ({"colour": "red"}, "colour 'red' is no Colour: write Colour.RED or Colour.BLUE"),
        ({"hidden": "no"}, "hidden 'no' is no switch: write True or False, without quotes"),
        ({"hidden": 0}, "hidden 0 is no switch"),
        ({"weight": "1"}, "weight '1' is no number: write it without quotes"),
        ({"tags": "a b"}, r"tags 'a b' is no list: put it in brackets, as in \['a', 'b'\]"),
        ({"tags": ["a", 2]}, "tags 2 is no text: put it in quotes"),
        ({"tags": {"a"}}, "tags {'a'} is no list"),
        ({"steps": 2}, r"steps 2 is no list: put it in brackets, as in \[2\]"),
        ({"steps": (2, 3)}, "steps 3 is odd: write an even one"),
        ({"texts": ["a"]}, r"texts \['a'\] is no mapping: write {name: value}"),
        ({"texts": {"a b": "c"}}, "texts 'a b' is no key: write letters"),
        ({"texts": {"a": False}}, r"texts\['a'\] False is no text or Size: put it in quotes"),
        ({"texts": {"a": Board()}}, r"texts\['a'\] Board board is no text or Size"),
        ({"size": [Size(1, 2)]}, r"size \[Size\(width=1, height=2\)\] is no Size: write it without brackets"),
        ({"size": [Size(10**30, 10**30)]}, r"size \[of class Size\] is no Size: write it without brackets"),
        ({"size": Size}, r"size the class Size is no Size: write Size\(width, height\)"),
        ({"sizes": "a"}, r"sizes 'a' is no list: put it in brackets, as in \[Size\(width, height\)\]"),
        ({"tags": ""}, r"tags '' is no list: put it in brackets, as in \[''\]"),
        ({"tags": 3}, r"tags 3 is no list: put it in brackets, as in \['text'\]"),
    ],
)
def test_what_is_not_is_told_by_its_name(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises((ValueError, TypeError), match=f"^Shape square: {sentence}"):
        Shape("square", **given)


def test_a_wrong_type_is_a_type_error_and_a_wrong_text_a_value_error() -> None:
    with pytest.raises(TypeError):
        Shape("square", corners="4")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="corners"):
        Shape("square", corners=9)


def test_a_name_that_is_none_is_told_by_the_class() -> None:
    with pytest.raises(TypeError, match=r"^Shape: name 3 is no text"):
        Shape(3)  # type: ignore[arg-type]


def test_each_of_several_values_is_compared_and_the_app_names_what_has_no_name() -> None:
    assert Drawing(Board(), Shape("a"), Shape("b")).shapes == (Shape("a"), Shape("b"))
    with pytest.raises(TypeError, match=r"^Drawing of board: shapes 'b' is no Shape"):
        Drawing(Board(), Shape("a"), "b")  # type: ignore[arg-type]


def test_an_annotation_in_quotes_is_the_name_of_a_class() -> None:
    with pytest.raises(TypeError, match=r"^Figure: app 'board' is no Board: write Board\(\)"):
        Figure("board")  # type: ignore[arg-type]


def test_what_is_missing_or_too_much_is_pythons_own_error() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'name'"):
        Shape()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'corner'"):
        Shape("square", corner=4)  # type: ignore[call-arg]


def refused(form: Any, value: object) -> str | None:
    """The end of the sentence about a value, or nothing where it is of the form."""
    (found,) = (item for item in form.__metadata__ if isinstance(item, Form))
    return found.problem(value)


@pytest.mark.parametrize(
    ("form", "right"),
    [
        (forms.Label, ["a", "2-b", "a" * 63]),
        (forms.LetterFirst, ["a", "b-2"]),
        (forms.ObjectName, ["a.b", "a" * 64, "0"]),
        (forms.PortName, ["http", "tcp-a-9", "a" * 15]),
        (forms.PortNumber, [1, 65535]),
        (forms.Variable, ["A", "_a.b-c"]),
        (forms.DataKey, ["a.b", "-", "..a"[1:]]),
        (forms.Duration, ["10s", "1m30s", "1.5h", "200ms"]),
        (forms.FilePath, ["/", "/a b"]),
        (forms.HostLabel, ["", "wiki", "news.blog", "*", "*.blog"]),
        (forms.LabelKey, ["a", "example.com/Disk_1"]),
        (forms.LabelValue, ["", "A_b.c-1"]),
        (forms.StorageSize, ["1Mi", "5Gi", "64Ti", "2e9"]),
    ],
)
def test_what_is_of_a_form_is_taken(form: Any, right: list[object]) -> None:
    assert [value for value in right if refused(form, value)] == []


@pytest.mark.parametrize(
    ("form", "value", "sentence"),
    [
        (forms.Label, "A", "is no name here: use lower case letters, digits and -, with a letter or digit at both"),
        (forms.Label, "a-", "is no name here"),
        (forms.Label, "a.b", "is no name here"),
        (forms.Label, "", "is no name here"),
        (forms.Label, "a" * 64, "has 64 characters: use at most 63"),
        (forms.LetterFirst, "2048", "a letter first"),
        (forms.ObjectName, "a_b", "use lower case letters, digits, - and ."),
        (forms.PortName, "80", "one of them a letter"),
        (forms.PortName, "a" * 16, "at most 15"),
        (forms.PortNumber, 0, "is no port: 1 to 65535 are"),
        (forms.PortNumber, 65536, "is no port"),
        (forms.Variable, "1A", "no digit first"),
        (forms.Variable, "A B", "is no name of a variable"),
        (forms.DataKey, "a/b", "is no name of a file here"),
        (forms.DataKey, "..", "is no name of a file here"),
        (forms.Duration, "30", "is no duration: write a number and ms, s, m or h"),
        (forms.Duration, "1 day", "is no duration"),
        (forms.FilePath, "healthz", "is no path: a path begins with /"),
        (forms.HostLabel, "https://wiki", "without a scheme"),
        (forms.HostLabel, "my_wiki", "is no name below a domain"),
        (forms.LabelKey, "my disk", "is no key of a label"),
        (forms.LabelValue, "a b", "is no name here"),
        (forms.StorageSize, "5GB", "is no number of bytes: 5Gi is one"),
        (forms.StorageSize, "500m", "is no number of bytes"),
        (forms.StorageSize, "20", "is 20 bytes, no size of a volume: 1Mi to 64Ti are"),
        (forms.StorageSize, "2Pi", "no size of a volume"),
    ],
)
def test_what_is_not_of_a_form_is_told_what_would_be(form: Any, value: object, sentence: str) -> None:
    assert sentence in (refused(form, value) or "")
