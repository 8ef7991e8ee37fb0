"""What a change would do in which cluster, as Markdown for a pull request, and what of it has to be acknowledged."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import click
import yaml

from facts.environments import ENVIRONMENTS, Environment
from facts.layout import root_of
from scripts.definition.committed import (
    ACCEPTED_FILE,
    BASES,
    Files,
    acceptances,
    acknowledged,
    bases,
    files_here,
    files_of,
    left,
)
from synth import DefinitionError
from synth.changes import deleted, hazards
from synth.changes.acceptances import Acceptance
from synth.diff import Change, ObjectChange, compare_objects, counts
from synth.manifest import Document, load
from synth.report import Judgement, as_markdown, hazards_as_markdown, judge, where
from synth.schemas import CRDS
from synth.tree import KUSTOMIZATION_FILE, KUSTOMIZATION_VERSION, Object, patched

Objects = dict[str, list[Object]]
"""The objects of every environment's tree, by the environment's folder."""


@click.command()
@click.option("--base", help=f"The branch that the change is for; {BASES[0]}, or {BASES[1]}, unless it is given.")
@click.option(
    "--text",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the text of the pull request, which may acknowledge what the change does.",
)
def review(base: str | None, text: Path | None) -> None:
    """Show what deploy/ would change in which cluster, and what of it has to be acknowledged, as Markdown.

    Compares deploy/ here with deploy/ where this branch left the base. On top stands what does more than the files
    show: what the API server refuses, what is deleted or lost, what nobody answers. Each is acknowledged by a line
    `accepts: ...`, which the page prints, in the pull request's text or in accepted.md. Exit code 1 when one is not.

    Example: ./gw review --base origin/main
    """
    if base is None and not bases():
        click.echo(f"there is no {' and no '.join(BASES)}: only what is not committed is looked at", err=True)
    commit = left(base)
    before, after = _objects(files_of(commit)), _objects(files_here())
    known = {environment.path: environment.name for environment in ENVIRONMENTS}
    names = {tree: known.get(tree, PurePosixPath(tree).name) for tree in dict.fromkeys((*known, *before, *after))}
    page, judgement = _reviewed(before, after, names, acceptances(commit, text), ACCEPTED_FILE)
    click.echo("\n".join(page))
    if judgement.open:
        raise DefinitionError(
            "\n".join(f"{'; '.join(group.where)}: {group.sentence} ({group.line} ...)" for group in judgement.open)
        )


def changed(before: str, after: str, environment: Environment) -> tuple[str, bool]:
    """What an environment's tree changes from one commit to another, as Markdown, and whether all of it is harmless.

    What the commits between the two acknowledge is.
    """
    old, new = (_objects(files_of(commit)) for commit in (before, after))
    page, judgement = _reviewed(old, new, {environment.path: environment.name}, acknowledged(before, after), None)
    return "\n".join(page), not judgement.open


def _reviewed(
    before: Objects, after: Objects, names: Mapping[str, str], accepted: Sequence[Acceptance], file: str | None
) -> tuple[Iterator[str], Judgement]:
    """The page about the trees with these names, and what of them is to be acknowledged."""
    definitions = _crds()
    judgement = judge(
        {name: hazards(before.get(tree, []), after.get(tree, []), definitions) for tree, name in names.items()},
        accepted,
    )
    changes = {
        name: compare_objects(before.get(tree, []), after.get(tree, []), (tree, tree)) for tree, name in names.items()
    }
    going = {name: deleted(before.get(tree, []), after.get(tree, [])) for tree, name in names.items()}
    return _page(changes, judgement, going, file), judgement


def _crds() -> list[Document]:
    """The CRDs of imports/ that have a rule about what was before."""
    texts = [file.read_text("utf-8") for file in sorted(CRDS.glob("*.yaml"))]
    return [document for text in texts if "oldSelf" in text for document in load(text)]


def _objects(files: Files) -> Objects:
    found: Objects = {}
    for path, text in files.items():
        listing = files.get(str(PurePosixPath(path).with_name(KUSTOMIZATION_FILE)))
        kustomization = load(listing)[0] if listing else {}
        try:
            documents = load(text)
        except yaml.YAMLError as error:
            raise DefinitionError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
        for document in documents:
            # What is no object is a person's own file, which Flux does not apply.
            if _is_object(document) and document["apiVersion"] != KUSTOMIZATION_VERSION:
                found.setdefault(root_of(path), []).append(Object(patched(document, kustomization), "", path))
    return found


def _is_object(document: Any) -> bool:
    return (
        isinstance(document, dict)
        and {"apiVersion", "kind"} <= document.keys()
        and isinstance(document.get("metadata"), dict)
    )


def _page(
    changes: Mapping[str, list[ObjectChange]],
    judgement: Judgement,
    going: Mapping[str, list[Object]],
    file: str | None,
) -> Iterator[str]:
    yield "## What this changes in the clusters"
    yield ""
    yield "| environment | added | changed | removed | to be acknowledged |"
    yield "|---|---|---|---|---|"
    for name, found in changes.items():
        number = counts(found)
        open_ = sum(environment == name for group in judgement.open for environment, _ in group.places)
        yield f"| {name} | {' | '.join(str(number[change]) for change in Change)} | {open_} |"
    yield from hazards_as_markdown(judgement, file)
    if any(going.values()):
        lines = where((name, item, "") for name, items in going.items() for item in items)
        yield from ("", "**Flux would delete**", "", *(f"- {line}" for line in lines))
    if any(changes.values()):
        deleted_ones = {(item.path, item.identity) for items in going.values() for item in items}

        def fate(item: Object) -> str:
            goes = (item.path, item.identity) in deleted_ones
            return "removed, Flux would delete it" if goes else "removed here, stays in the cluster"

        yield from ("", "## What is different", *as_markdown(changes, ("before", "after"), fate))
