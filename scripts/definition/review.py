"""What a change would do in which cluster, as Markdown for a pull request."""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath

import click
import yaml

from facts.environments import ENVIRONMENTS
from facts.layout import root_of
from facts.provided import KEEP
from scripts.programs import ROOT
from synth import DefinitionError, ToolError
from synth.diff import Change, ObjectChange, as_markdown, compare_objects, counts, folded
from synth.manifest import load
from synth.tree import KUSTOMIZATION_FILE, KUSTOMIZATION_VERSION, Object, patched

FOLD_LINES = 150
"""An environment's changes are folded when they are longer than this."""

Files = dict[str, str]
"""The text of each file by its path."""


@click.command()
@click.option("--base", default="origin/main", show_default=True, help="The branch that the change is for.")
def review(base: str) -> None:
    """Show what deploy/ would change in which cluster, object by object and field by field, as Markdown.

    Compares deploy/ here with deploy/ where this branch left the base. What Flux would delete stands on top.

    Example: python -m scripts review --base origin/main
    """
    before, after = _objects(_files_of(base)), _objects(_files_here())
    names = {environment.path: environment.name for environment in ENVIRONMENTS}
    changes = {
        names.get(tree, PurePosixPath(tree).name): compare_objects(
            before.get(tree, []), after.get(tree, []), (tree, tree)
        )
        for tree in dict.fromkeys((*names, *before, *after))
    }
    click.echo("\n".join(_page(changes)))


def _files_of(base: str) -> Files:
    """The files of deploy/ as they were where this branch left the base.

    Raises:
        ToolError: git does not know the base.
    """
    commit = _git("merge-base", base, "HEAD").decode().strip()
    if not _git("ls-tree", "--name-only", commit, "deploy/"):
        return {}
    with tarfile.open(fileobj=io.BytesIO(_git("archive", "--format=tar", commit, "deploy"))) as archive:
        members = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        return {name: file.read().decode() for name, file in sorted(members.items()) if file and name.endswith(".yaml")}


def _files_here() -> Files:
    files = sorted((ROOT / "deploy").rglob("*.yaml"))
    return {file.relative_to(ROOT).as_posix(): file.read_text("utf-8") for file in files}


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)  # noqa: S607
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip() or "the two have no commit in common"
        right = "--base names a branch or a commit of this clone, which has its history"
        raise ToolError(f"git {' '.join(arguments)} failed: {said}; {right}")
    return done.stdout


def _objects(files: Files) -> dict[str, list[Object]]:
    """The objects of every environment's tree, by the environment's folder."""
    found: dict[str, list[Object]] = {}
    for path, text in files.items():
        listing = files.get(str(PurePosixPath(path).with_name(KUSTOMIZATION_FILE)))
        kustomization = load(listing)[0] if listing else {}
        try:
            documents = load(text)
        except yaml.YAMLError as error:
            raise DefinitionError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
        for document in documents:
            # What is no object is a person's own file, which Flux does not apply.
            if {"apiVersion", "kind", "metadata"} <= set(document) and document["apiVersion"] != KUSTOMIZATION_VERSION:
                found.setdefault(root_of(path), []).append(Object(patched(document, kustomization), "", path))
    return found


def _page(changes: dict[str, list[ObjectChange]]) -> Iterator[str]:
    yield "## What this changes in the clusters"
    yield ""
    yield "| environment | added | changed | removed |"
    yield "|---|---|---|---|"
    for name, found in changes.items():
        number = counts(found)
        yield f"| {name} | {number[Change.ADDED]} | {number[Change.CHANGED]} | {number[Change.REMOVED]} |"
    deleted = [
        f"- {name}: `{change.title}`"
        for name, found in changes.items()
        for change in found
        if change.change is Change.REMOVED and not _is_kept(change.item)
    ]
    if deleted:
        yield from ("", "**Flux would delete**", "", *deleted)
    for name, found in changes.items():
        if found:
            lines = list(as_markdown(found, ("before", "after"), _fate))
            yield from ("", f"### {name}")
            yield from folded(f"{len(found)} objects", lines) if len(lines) > FOLD_LINES else lines


def _is_kept(item: Object) -> bool:
    """Whether Flux leaves an object in the cluster that is no longer in the tree."""
    return KEEP.items() <= (item.document["metadata"].get("annotations") or {}).items()


def _fate(item: Object) -> str:
    return "removed here, stays in the cluster" if _is_kept(item) else "removed, Flux would delete it"
