"""JSON patches (RFC 6902) of objects, applied to what is written instead of to what cdk8s makes it from.

cdk8s applies them before its typed classes write an object down. Those know the fields of Kubernetes 1.27 by names of
their own, and leave out without a word what they do not know: a newer field, `hostPID`, a plain number where they have
a class. Here a path and a value are those of the YAML in deploy/.
"""

import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from typing import Any

from synth import DefinitionError

OPERATION = "_operation"
PATCHES = "_patches"
BY_HAND = "_patched_by_hand"
SHAPES = "charts/shapes/"


class Typed(Exception):  # noqa: N818, nobody is to see it
    """A value of a typed class, which only cdk8s itself can write down."""


@dataclass(frozen=True)
class Patch:
    """One operation on an object, and the line of the chart that asks for it.

    `target` is an object of cdk8s, `given` the operation as cdk8s has it; or the object's apiVersion, kind and name,
    and None.
    """

    target: Any
    operation: dict[str, Any]
    place: str
    given: Any = None

    @property
    def is_of_a_shape(self) -> bool:
        """Whether it is a shape's own, and not what a person says of an object."""
        return self.place.startswith(SHAPES)

    def apply(self, documents: list[dict[str, Any]]) -> dict[str, Any]:
        """Change the object among its chart's documents, and tell which one that is.

        Raises:
            DefinitionError: the object has no such place, or another value than the one that it is tested for.
        """
        import jsonpatch  # Most charts have no patch.
        import jsonpointer

        target, operation = self.target, self.operation
        if not isinstance(target, tuple):
            target = target.api_version, target.kind, target.name, target.metadata.namespace
        _, kind, name, *_ = target
        for document in documents:
            metadata = document["metadata"]
            known = document["apiVersion"], document["kind"], metadata.get("name"), metadata.get("namespace")
            if known[: len(target)] == target:
                break
        else:
            raise DefinitionError(f"{kind} {name} is patched and not written: leave out the patch ({self.place})")
        try:
            jsonpatch.apply_patch(document, [operation], in_place=True)
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
            raise DefinitionError(
                f"{kind} {name}: the patch {operation['op']} {operation['path']} cannot be applied: "
                f"{_reason(document, operation, error)} ({self.place})"
            ) from error
        return document


def take_over() -> None:
    """Let `ApiObject.add_json_patch` keep what it is given, and `Chart.to_json` apply it.

    cdk8s gets the patches when it writes its own output. A patch with a value of a typed class is left to cdk8s.
    """
    cdk8s = import_module("cdk8s")
    for name in ("add", "remove", "replace", "copy", "move", "test"):
        setattr(cdk8s.JsonPatch, name, staticmethod(_remembering(name, getattr(cdk8s.JsonPatch, name))))
    cdk8s.ApiObject.add_json_patch = _keeping(cdk8s.ApiObject.add_json_patch)
    cdk8s.Chart.to_json = _applying(cdk8s.Chart.to_json)
    cdk8s.App.synth = _handing_over(cdk8s.App.synth, cdk8s.ApiObject.add_json_patch.__wrapped__)


def write(chart: Any, target: tuple[str, str, str], path: str, value: object) -> None:
    """Add a value to what is written of the one object of the chart with this apiVersion, kind and name.

    It is for the shapes, and costs nothing of the pace that asking cdk8s costs; in cdk8s's own output it is not.
    """
    _keep(chart, Patch(target, {"op": "add", "path": path, "value": value}, _caller()))


def patched(chart: Any, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A chart's documents with its patches: those of the shapes, then those by hand, in the order of either."""
    changed = [(patch, patch.apply(documents)) for patch in _in_order(chart)]
    # The shapes patch with values of the typed classes.
    by_hand = [(patch, document) for patch, document in changed if not patch.is_of_a_shape]
    setattr(chart, BY_HAND, {id(document): (patch.place, document) for patch, document in by_hand})
    return documents


def _in_order(chart: Any) -> list[Patch]:
    """What a person writes is the last word: the shapes patch late, when all apps are known that call each other."""
    return sorted(vars(chart).get(PATCHES, []), key=lambda patch: not patch.is_of_a_shape)


def misfits(chart: Any, minor: str) -> Iterator[str]:
    """What the fields of Kubernetes `minor` and of the custom kinds have against the objects that are patched by hand.

    The typed classes see to all others.
    """
    for place, document in vars(chart).get(BY_HAND, {}).values():
        from synth.schemas import errors  # What reads them is slow to import, and most charts have no patch.

        name = f"{document['kind']} {document['metadata'].get('name', '')}"
        yield from (f"{name}, as it is patched: {error} ({place})" for error in errors(document, minor))


def _remembering(name: str, make: Callable[..., Any]) -> Callable[..., Any]:
    """`JsonPatch.add` and its like, which give a patch that knows what it does, if it has only plain values."""
    signature = inspect.signature(make)

    @wraps(make)
    def remembering(*arguments: Any, **named: Any) -> Any:
        try:
            arguments, named = tuple(map(_plain, arguments)), {key: _plain(value) for key, value in named.items()}
        except Typed:
            return make(*arguments, **named)
        given = make(*arguments, **named)
        fields = signature.bind(*arguments, **named).arguments
        setattr(given, OPERATION, {"op": name, **{field.rstrip("_"): value for field, value in fields.items()}})
        return given

    return remembering


def _plain(value: Any) -> Any:
    """A value as YAML has it, a copy of what is given.

    Raises:
        Typed: some of it is of a typed class with fields.
    """
    if value is None or isinstance(value, bool | int | float) or type(value) is str:
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    # k8s.Quantity, k8s.IntOrString and their like, which stand for one number or text.
    if hasattr(value, "__jsii_ref__") and hasattr(type(value), "value"):
        return value.value
    raise Typed


def _keep(chart: Any, *patches: Patch) -> None:
    vars(chart).setdefault(PATCHES, []).extend(patches)


def _caller() -> str:
    """The line that called what asks this."""
    caller = sys._getframe(2)
    module = str(caller.f_globals["__name__"]).replace(".", "/")
    return f"{module}.py line {caller.f_lineno}"


def _keeping(hand_over: Callable[..., None]) -> Callable[..., None]:
    def add_json_patch(self: Any, *ops: Any) -> None:
        chart = self.chart
        if all(getattr(patch, OPERATION, None) for patch in ops):
            place = _caller()
            _keep(chart, *(Patch(self, getattr(patch, OPERATION), place, patch) for patch in ops))
        elif any(patch.target is self for patch in vars(chart).get(PATCHES, [])):
            raise TypeError(
                f"{self.kind} {self.name} has patches with plain values already: give the values of this one as they "
                "stand in YAML, too, not as typed classes"
            )
        else:
            hand_over(self, *ops)

    add_json_patch.__wrapped__ = hand_over  # type: ignore[attr-defined]
    return add_json_patch


def _applying(to_json: Callable[[Any], list[dict[str, Any]]]) -> Callable[[Any], list[dict[str, Any]]]:
    return lambda chart: patched(chart, to_json(chart))


def _handing_over(synth: Callable[[Any], None], hand_over: Callable[..., None]) -> Callable[[Any], None]:
    def synthesize(self: Any) -> None:
        for chart in self.charts:
            patches = _in_order(chart)
            vars(chart).pop(PATCHES, None)
            for patch in patches:
                if patch.given:
                    hand_over(patch.target, patch.given)
        synth(self)

    return synthesize


def _reason(document: dict[str, Any], operation: dict[str, Any], error: Exception) -> str:
    """What there is where a path leads nowhere; the library's own words where it leads somewhere."""
    place: Any = document
    path = "/"
    asked = str(operation.get("from", operation["path"]))
    if not asked.startswith("/"):
        return "its path must begin with /"
    for part in asked.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(place, dict) and key in place:
            place = place[key]
        elif isinstance(place, list) and key.isdigit() and int(key) < len(place):
            place = place[int(key)]
        elif isinstance(place, dict):
            return f"{path} has no {key}, it has {', '.join(place) or 'nothing'}"
        elif isinstance(place, list):
            return f"{path} has no {key}, it has {len(place)} entries, which are counted from 0"
        else:
            return f"{path} is {place!r} and has nothing below"
        path = f"{path.rstrip('/')}/{part}"
    return str(error)
