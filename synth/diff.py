"""What differs between two sets of objects, object by object and field by field, for a terminal and for Markdown."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from synth.manifest import dump
from synth.tree import Object

FOLD_LINES = 30
"""In Markdown an object with more lines than this is folded."""


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


Keyed = dict[tuple[str, str, str, str], Object]


def compare_objects(before: Iterable[Object], after: Iterable[Object], roots: tuple[str, str]) -> list[ObjectChange]:
    """Every object that differs, by folder, in the order of the second set and then of the first.

    Objects are the same by API group, kind, namespace and name. `roots` are the folders that the two sets' paths begin
    with; the result names folders below them.
    """
    old, new = _keyed(before), _keyed(after)
    changes = []
    for key, item in new.items():
        folder = item.folder.removeprefix(f"{roots[1]}/")
        if key not in old:
            changes.append(ObjectChange(Change.ADDED, item, folder))
        elif fields := tuple(_fields("", old[key].document, item.document)):
            changes.append(ObjectChange(Change.CHANGED, item, folder, fields))
    for key, item in old.items():
        if key not in new:
            changes.append(ObjectChange(Change.REMOVED, item, item.folder.removeprefix(f"{roots[0]}/")))
    order = list(dict.fromkeys(change.folder for change in changes))
    return sorted(changes, key=lambda change: order.index(change.folder))


def _keyed(objects: Iterable[Object]) -> Keyed:
    return {(item.group, item.kind, item.namespace, item.name): item for item in objects}


def _fields(path: str, before: Any, after: Any) -> Iterator[FieldChange]:
    if before == after:
        return
    if isinstance(before, dict | None) and isinstance(after, dict | None):
        before, after = before or {}, after or {}
        for key in dict.fromkeys((*before, *after)):
            yield from _fields(_join(path, key), before.get(key), after.get(key))
    elif isinstance(before, list | None) and isinstance(after, list | None) and _has_entries(before, after):
        old, new = _entries(before or [], after or [])
        for name in dict.fromkeys((*old, *new)):
            yield from _fields(f"{path}[{name}]", *(_without_its_name(side.get(name), name) for side in (old, new)))
    else:
        yield FieldChange(path, _shown(before), _shown(after))


def _join(path: str, key: str) -> str:
    # A label or an annotation has dots of its own.
    return f"{path}[{key}]" if "." in key or "/" in key else f"{path}.{key}" if path else key


def _has_entries(before: list[Any] | None, after: list[Any] | None) -> bool:
    return any(isinstance(item, dict) for item in (*(before or []), *(after or [])))


def _entries(before: list[Any], after: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both lists by the names of their entries, or by number where not every entry has one of its own."""
    sides = [_names(before), _names(after)]
    if not all(sides):
        sides = [[str(index) for index in range(len(items))] for items in (before, after)]
    return dict(zip(sides[0], before, strict=True)), dict(zip(sides[1], after, strict=True))


def _names(items: list[Any]) -> list[str]:
    """The name of each entry; none at all where one has none or two have the same."""
    named = [item for item in items if _may_be_named(item)]
    names = [str(item.get("name") or (item.get("port") or {}).get("name") or "") for item in named]
    return names if len(set(names) - {""}) == len(items) else []


def _without_its_name(item: Any, name: str) -> Any:
    """An entry without what its path says already."""
    return {key: value for key, value in item.items() if (key, value) != ("name", name)} if item else item


def _may_be_named(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("port"), dict | None)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value != "" else '""'


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


def as_markdown(
    changes: Iterable[ObjectChange], names: tuple[str, str], removed: Callable[[Object], str] = lambda _: "removed"
) -> Iterator[str]:
    """Lines of Markdown: a heading for each folder, a table of fields or a folded text for each object.

    `names` are those of the two sides, `removed` says what becomes of an object that is on the first one alone.
    """
    folder = None
    for change in changes:
        if change.folder != folder:
            folder = change.folder
            yield from ("", f"#### {folder}")
        yield ""
        if change.change is Change.CHANGED:
            yield from _fields_as_markdown(change, names)
        else:
            text = dump([change.item.document]).rstrip()
            what = removed(change.item) if change.change is Change.REMOVED else change.change
            yield from folded(f"{change.title} <b>{what}</b>", ["```yaml", *text.splitlines(), "```"])


def _fields_as_markdown(change: ObjectChange, names: tuple[str, str]) -> Iterator[str]:
    rows = [f"| field | {names[0]} | {names[1]} |", "|---|---|---|"]
    rows += [f"| `{field.path}` | {_cell(field.before)} | {_cell(field.after)} |" for field in change.fields]
    if len(rows) > FOLD_LINES:
        yield from folded(f"{change.title} <b>changed</b>", rows)
    else:
        yield from (f"**{change.title}** changed", "", *rows)


def folded(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Lines of Markdown that show only their title until somebody asks."""
    yield from (f"<details><summary>{title}</summary>", "", *lines, "", "</details>")


def _cell(value: str) -> str:
    escaped = value.replace("|", "\\|").replace("\n", " ")
    return f"`{escaped}`" if escaped else ""


def counts(changes: Iterable[ObjectChange]) -> dict[Change, int]:
    """How many objects are added, changed and removed."""
    found = dict.fromkeys(Change, 0)
    for change in changes:
        found[change.change] += 1
    return found


def hosts(objects: Iterable[Object]) -> dict[str, tuple[str, str]]:
    """Of every route by its name: its namespace, and its hosts in one text."""
    routes = [item for item in objects if item.kind == "VirtualService"]
    return {item.name: (item.namespace, ", ".join(item.spec.get("hosts", []))) for item in routes}
