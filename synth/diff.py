"""What differs between two sets of objects, object by object and field by field."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from synth.manifest import Document
from synth.tree import Object


class Change(StrEnum):
    """What became of an object from the first set to the second."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True)
class FieldChange:
    """One field with both values as text, empty where a side has none: `spec.replicas`, `1`, `2`.

    An entry of a list goes by its name, or its port's, where all entries have one, and otherwise by its number:
    `spec.containers[wiki].image`.
    """

    path: str
    before: str
    after: str


@dataclass(frozen=True)
class ObjectChange:
    """One object that is not the same on both sides; `fields` where it is on both."""

    change: Change
    item: Object
    folder: str
    fields: tuple[FieldChange, ...] = ()

    @property
    def title(self) -> str:
        where = f"{self.item.namespace}/" if self.item.namespace else ""
        return f"{self.item.kind} {where}{self.item.name}"


def compare_objects(before: Iterable[Object], after: Iterable[Object], roots: tuple[str, str]) -> list[ObjectChange]:
    """Every object that differs, by folder, in the order of the second set and then of the first.

    Objects are the same by API group, kind, namespace and name. `roots` are the folders that the two sets' paths begin
    with; the result names folders below them.
    """
    old, new = ({item.identity: item for item in side} for side in (before, after))
    changes = []
    for key, item in new.items():
        folder = item.folder.removeprefix(f"{roots[1]}/")
        if key not in old:
            changes.append(ObjectChange(Change.ADDED, item, folder))
        elif fields := tuple(compare_fields("", old[key].document, item.document)):
            changes.append(ObjectChange(Change.CHANGED, item, folder, fields))
    for key, item in old.items():
        if key not in new:
            changes.append(ObjectChange(Change.REMOVED, item, item.folder.removeprefix(f"{roots[0]}/")))
    order = list(dict.fromkeys(change.folder for change in changes))
    return sorted(changes, key=lambda change: order.index(change.folder))


class _Nothing:
    """The side that has no such field; null and empty are something."""


_NOTHING = _Nothing()


def compare_fields(path: str, before: Any, after: Any) -> Iterator[FieldChange]:
    """Every field below a path that differs between two values of it."""
    if _same(before, after):
        return
    some = [side for side in (before, after) if side not in (_NOTHING, None)]
    if all(isinstance(side, dict) for side in some) and any(some):
        old, new = _sides({}, before, after)
        for key in dict.fromkeys((*old, *new)):
            yield from compare_fields(_join(path, key), old.get(key, _NOTHING), new.get(key, _NOTHING))
    elif all(map(_is_list_of_entries, some)) and any(some):
        by_name = all(_names(side) for side in some if side)
        old, new = (_entries(side, by_name=by_name) for side in _sides([], before, after))
        for name in dict.fromkeys((*old, *new)):
            yield from compare_fields(f"{path}[{name}]", old.get(name, _NOTHING), new.get(name, _NOTHING))
        if list(old) != list(new) and old.keys() == new.keys():
            yield FieldChange(f"{path}, the order", as_yaml(list(old)), as_yaml(list(new)))
    else:
        yield FieldChange(path, as_yaml(before), as_yaml(after))


def _sides(empty: Any, before: Any, after: Any) -> tuple[Any, Any]:
    return before if before not in (_NOTHING, None) else empty, after if after not in (_NOTHING, None) else empty


def _is_list_of_entries(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _same(before: Any, after: Any) -> bool:
    """Whether two values are the same in YAML, where true and 1 are not."""
    if type(before) is not type(after):
        return False
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(_same(before[key], after[key]) for key in before)
    if isinstance(before, list):
        return len(before) == len(after) and all(map(_same, before, after))
    return bool(before == after)


def _join(path: str, key: str) -> str:
    # A label or an annotation has dots of its own.
    return f"{path}[{key}]" if "." in key or "/" in key else f"{path}.{key}" if path else key


def _entries(items: list[Document], by_name: bool) -> dict[str, Any]:
    """The entries of a list by their names, which go into the path, or by their numbers."""
    if not by_name:
        return {str(index): item for index, item in enumerate(items)}
    named = zip(_names(items), items, strict=True)
    return {name: {key: value for key, value in item.items() if key != "name"} for name, item in named}


def _names(items: list[Document]) -> list[str]:
    """The name of each entry, or of its port; empty where an entry has none or two have the same."""
    names = [str(item.get("name") or _port(item).get("name") or "") for item in items]
    return names if len(set(names) - {""}) == len(items) else []


def _port(item: Document) -> Document:
    port = item.get("port")
    return port if isinstance(port, dict) else {}


def as_yaml(value: Any) -> str:
    """A value on one line as YAML has it, empty for none."""
    if value is _NOTHING:
        return ""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {as_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(as_yaml, value))}]"
    if isinstance(value, str) and not _is_ambiguous(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _is_ambiguous(text: str) -> bool:
    """Whether YAML would read a text without quotes as something else, or as more than one line."""
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return "\n" in text or not text
    return True


def as_text(changes: Iterable[ObjectChange]) -> Iterator[tuple[str, Change | None]]:
    """Lines for a terminal, each with the change that it is about, for the colour of it."""
    folder = None
    for change in changes:
        if change.folder != folder:
            folder = change.folder
            yield "", None
            yield folder, None
        sign = {Change.ADDED: "+", Change.REMOVED: "-", Change.CHANGED: "~"}[change.change]
        if change.change is not Change.CHANGED:
            yield f"  {sign} {change.title}  ({change.item.path})", change.change
            continue
        yield f"  {sign} {change.title}", None
        for field in change.fields:
            yield f"      {field.path}", None
            if field.before:
                yield f"        - {field.before}", Change.REMOVED
            if field.after:
                yield f"        + {field.after}", Change.ADDED


def counts(changes: Iterable[ObjectChange]) -> dict[Change, int]:
    """How many objects are added, changed and removed."""
    found = dict.fromkeys(Change, 0)
    for change in changes:
        found[change.change] += 1
    return found


def hosts(objects: Iterable[Object]) -> dict[str, tuple[str, str]]:
    """The namespace and the hosts, in one text, of each VirtualService by its name.

    Where two have one name, `namespace/name` tells them apart.
    """
    routes = [item for item in objects if item.kind == "VirtualService"]
    names = Counter(item.name for item in routes)
    return {
        item.name if names[item.name] == 1 else f"{item.namespace}/{item.name}": (
            item.namespace,
            ", ".join(item.spec.get("hosts", [])),
        )
        for item in routes
    }
