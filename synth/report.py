"""What a change does, as Markdown: what has to be acknowledged on top, then every difference, the same one once."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from synth.changes import Hazard, Risk
from synth.changes.acceptances import Acceptance, line_for, place
from synth.diff import Change, FieldChange, ObjectChange
from synth.manifest import dump
from synth.tree import Object

FOLD_LINES = 30
"""A table or a text with more lines than this is folded."""
FOLD_SECTION = 150
"""All that differs in one environment alone is folded when it is longer than this."""

Changes = Mapping[str, Sequence[ObjectChange]]
"""What differs in each environment, by its name."""
Hazards = Mapping[str, Sequence[Hazard]]
"""What a change does to each environment, by its name."""


# The same for several objects


CODE = re.compile(r"(`+)(.+?)\1")


def generic(value: str, item: Object) -> str:
    """A value with NAME and NAMESPACE instead of an object's own, so that it is the same for others of its kind."""
    for name, stands_for in ((item.name, "NAME"), (item.namespace, "NAMESPACE")):
        if name:
            value = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", stands_for, value)
    return value


def _generic_code(text: str, item: Object) -> str:
    """A sentence whose parts in backticks are generic."""
    return CODE.sub(lambda match: f"{match[1]}{generic(match[2], item)}{match[1]}", text)


def title(item: Object) -> str:
    return f"{item.kind} {item.namespace}/{item.name}" if item.namespace else f"{item.kind} {item.name}"


def where(places: Iterable[tuple[str, Object, str]]) -> list[str]:
    """A line for each set of objects: in which environments, which ones, and what is to be said of each."""
    by_environment: dict[str, list[tuple[str, str]]] = {}
    for environment, item, detail in places:
        by_environment.setdefault(environment, []).append((title(item), detail))
    by_objects: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for environment, titles in by_environment.items():
        by_objects.setdefault(tuple(titles), []).append(environment)
    lines = []
    for objects, environments in by_objects.items():
        of_kind: dict[str, list[str]] = {}
        for text, detail in objects:
            kind, _, name = text.partition(" ")
            of_kind.setdefault(kind, []).append(f"`{name}` ({detail})" if detail else f"`{name}`")
        named = "; ".join(f"{kind} {', '.join(names)}" for kind, names in of_kind.items())
        lines.append(f"{', '.join(environments)}: {named}" if any(environments) else named)
    return lines


# What has to be acknowledged


HEADINGS = {
    Risk.REFUSED: "The API server refuses it",
    Risk.LOST: "Data is lost, or out of sight",
    Risk.DELETED: "More is deleted than what left the files",
    Risk.STOPPED: "Something stands still",
    Risk.OUTAGE: "Nothing answers",
    Risk.UNPINNED: "An image is no longer certain",
}


@dataclass(frozen=True)
class Group:
    """Hazards that are the same but for the object and the environment."""

    risk: Risk
    what: str
    steps: tuple[str, ...]
    places: tuple[tuple[str, Hazard], ...]

    @property
    def line(self) -> str:
        """The acceptance that is for all of them, but for the reason."""
        return line_for((place(*where) for where in self.places), self.risk)

    @property
    def where(self) -> list[str]:
        """Where they are, with what differs from one to the next."""
        return where((name, hazard.item, "" if self.detail else hazard.detail) for name, hazard in self.places)

    @property
    def sentence(self) -> str:
        """What happens, and how in this case."""
        return f"{self.what} ({self.detail}.)" if self.detail else self.what

    @property
    def detail(self) -> str:
        """What is to be said of each, if it is the same for all."""
        details = {hazard.detail for _, hazard in self.places}
        return details.pop() if len(details) == 1 else ""


def groups(hazards: Iterable[tuple[str, Hazard]]) -> list[Group]:
    """Hazards in groups, in their order; names of objects are spelled out where a group is about one."""
    found: dict[tuple[Risk, str, tuple[str, ...]], list[tuple[str, Hazard]]] = {}
    for environment, hazard in hazards:
        steps = tuple(_generic_code(step, hazard.item) for step in hazard.steps)
        found.setdefault((hazard.risk, _generic_code(hazard.what, hazard.item), steps), []).append(
            (environment, hazard)
        )
    several = []
    for (risk, what, steps), places in found.items():
        first = places[0][1]
        same = all(hazard.item.identity == first.item.identity for _, hazard in places)
        text = (first.what, first.steps) if same else (what, steps)
        several.append(Group(risk, *text, tuple(places)))
    return sorted(several, key=lambda group: list(Risk).index(group.risk))


@dataclass(frozen=True)
class Judgement:
    """The hazards of a change: what is open, what somebody wants, what is to know, what is accepted in vain."""

    open: list[Group]
    wanted: list[tuple[Acceptance, list[Group]]]
    notices: list[Group]
    vain: list[Acceptance]


def judge(hazards: Hazards, acceptances: Sequence[Acceptance]) -> Judgement:
    """Which hazards are still to be acknowledged."""
    all_of = [(environment, hazard) for environment, found in hazards.items() for hazard in found]
    serious = [(environment, hazard) for environment, hazard in all_of if not hazard.notice]
    left, wanted, vain = serious, [], []
    for acceptance in acceptances:
        covered = [found for found in serious if acceptance.covers(*found)]
        if covered:
            wanted.append((acceptance, groups(covered)))
            left = [found for found in left if not acceptance.covers(*found)]
        elif not any(acceptance.covers(*found) for found in all_of):
            vain.append(acceptance)
    return Judgement(groups(left), wanted, groups(found for found in all_of if found[1].notice), vain)


def hazards_as_markdown(judgement: Judgement, file: str | None) -> Iterator[str]:
    """What has to be acknowledged, what was, and what is good to know.

    `file` is the file that may acknowledge; without one somebody is asked who reads this.
    """
    if judgement.open and file is None:
        yield from ("", "## This does more than the files show")
    elif judgement.open:
        yield from ("", "## To be acknowledged", "")
        yield "This does more than the files show. Take each of these back, or acknowledge it: copy its last line into"
        yield f"the text of the pull request, or into the file `{file}`, with the reason in place of the dots."
    risk = None
    for group in judgement.open:
        if group.risk is not risk:
            risk = group.risk
            yield from ("", f"### {HEADINGS[risk]}")
        yield from _group(group)
        if file is not None:
            yield from ("", "```text", f"{group.line} ...", "```")
    if judgement.wanted:
        yield from ("", "## Acknowledged", "")
        for acceptance, found in judgement.wanted:
            for group in found:
                yield f"- {HEADINGS[group.risk]} ({'; '.join(group.where)}): {acceptance.why} ({acceptance.source})"
    if judgement.vain and file is not None:
        yield from ("", "## Acknowledged in vain", "")
        for acceptance in judgement.vain:
            why = acceptance.fault or "this changes nothing of that kind there, remove the line"
            yield f"- `{acceptance}` ({acceptance.source}): {why}"
    if judgement.notices:
        yield from ("", "## Good to know")
        for group in judgement.notices:
            yield from _group(group)


def _group(group: Group) -> Iterator[str]:
    yield ""
    yield from (f"**{line}**  " for line in group.where)
    yield from ("", group.sentence, "")
    yield from (f"{number}. {step}" for number, step in enumerate(group.steps, 1))


# What differs


def as_markdown(
    changes: Changes, names: tuple[str, str], removed: Callable[[Object], str] = lambda _: "removed"
) -> Iterator[str]:
    """Lines of Markdown: what is the same in several places once, then the rest, folder by folder.

    `names` are those of the two sides, `removed` says what becomes of an object that is on the first one alone.
    """
    places = [(environment, change) for environment, found in changes.items() for change in found]
    counted = Counter(key for _, change in places for key in _keys(change))
    shared = {key for key, number in counted.items() if number > 1}
    if shared:
        lines = list(_shared(places, shared, names, removed))
        yield from ("", "### The same in several places")
        if any("NAME" in line for line in lines):
            yield from ("", "NAME and NAMESPACE stand for those of each object.")
        yield from lines
    for environment, found in changes.items():
        rest = [change for change in (_rest(change, shared) for change in found) if change]
        lines = list(_by_folder(rest, names, removed))
        if lines and environment:
            yield from ("", f"### {environment}")
        yield from folded(f"{len(rest)} objects", lines) if len(lines) > FOLD_SECTION and environment else lines


Key = tuple[str, ...]


def _keys(change: ObjectChange) -> list[Key]:
    """What of a change may be the same for others: each field, or the whole object."""
    if change.change is Change.CHANGED:
        return [_field_key(change, field) for field in change.fields]
    return [(change.change, change.item.kind, generic(dump([change.item.document]), change.item))]


def _field_key(change: ObjectChange, field: FieldChange) -> Key:
    texts = (generic(text, change.item) for text in (field.path, field.before, field.after))
    return (change.change, change.item.kind, *texts)


def _rest(change: ObjectChange, shared: set[Key]) -> ObjectChange | None:
    """What of a change is its own."""
    if change.change is Change.CHANGED:
        own = tuple(field for field in change.fields if _field_key(change, field) not in shared)
        return ObjectChange(change.change, change.item, change.folder, own) if own else None
    return None if _keys(change)[0] in shared else change


Place = tuple[str, ObjectChange]


def _shared(
    places: Sequence[Place], shared: set[Key], names: tuple[str, str], removed: Callable[[Object], str]
) -> Iterator[str]:
    found: dict[Key, list[Place]] = {}
    for environment, change in places:
        for key in _keys(change):
            if key in shared:
                found.setdefault(key, []).append((environment, change))
    # Fields that changed in the same places are one table.
    tables: dict[tuple[tuple[str, int], ...], list[Key]] = {}
    for key, having in found.items():
        tables.setdefault(tuple((environment, id(change)) for environment, change in having), []).append(key)
    for keys in tables.values():
        having = found[keys[0]]
        first = having[0][1]
        alone = all(change.item.identity == first.item.identity for _, change in having)
        lines = where((environment, change.item, "") for environment, change in having)
        yield ""
        if first.change is Change.CHANGED:
            fields = (
                [field for field in first.fields if _field_key(first, field) in keys]
                if alone
                else [FieldChange(*key[2:]) for key in keys]
            )
            yield from (f"**{line}** changed  " for line in lines)
            yield ""
            yield from _table(fields, names, f"{first.item.kind} <b>changed</b>")
        else:
            what = removed(first.item) if first.change is Change.REMOVED else first.change
            yield from (f"**{line}** {what}  " for line in lines)
            yield ""
            text = dump([first.item.document]).rstrip() if alone else keys[0][2].rstrip()
            yield from folded(f"{first.item.kind}, in each of them", ["```yaml", *text.splitlines(), "```"])


def _by_folder(
    changes: Iterable[ObjectChange], names: tuple[str, str], removed: Callable[[Object], str]
) -> Iterator[str]:
    folder = None
    for change in changes:
        if change.folder != folder:
            folder = change.folder
            yield from ("", f"#### {folder}")
        yield ""
        if change.change is Change.CHANGED:
            short = len(change.fields) + len(names) <= FOLD_LINES
            yield from (f"**{change.title}** changed", "") if short else ()
            yield from _table(change.fields, names, f"{change.title} <b>changed</b>")
        else:
            text = dump([change.item.document]).rstrip()
            what = removed(change.item) if change.change is Change.REMOVED else change.change
            yield from folded(f"{change.title} <b>{what}</b>", ["```yaml", *text.splitlines(), "```"])


def _table(fields: Iterable[FieldChange], names: tuple[str, str], folded_title: str) -> Iterator[str]:
    rows = [f"| field | {names[0]} | {names[1]} |", "|---|---|---|"]
    rows += [f"| `{field.path}` | {_cell(field.before)} | {_cell(field.after)} |" for field in fields]
    yield from folded(folded_title, rows) if len(rows) > FOLD_LINES else rows


def folded(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Lines of Markdown folded away under their title until a reader opens them."""
    yield from (f"<details><summary>{title}</summary>", "", *lines, "", "</details>")


def _cell(value: str) -> str:
    escaped = value.replace("|", "\\|")
    if "`" in escaped:
        return f"`` {escaped} ``"
    return f"`{escaped}`" if escaped else ""
