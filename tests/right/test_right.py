"""Each right edit compiles, by the rules, and what it gives has the properties of every app."""

import json
import re
from collections.abc import Collection
from pathlib import Path

import pytest

from charts import shapes
from facts.versions import kubernetes_minor
from synth.manifest import Document
from synth.schemas import errors, has_schema
from tests.charts.properties import PROPERTIES, deployed
from tests.ground import ground
from tests.right import PAGE, RightEdit, readmes_app, recipes, sections, written_down
from tests.workshop import Workshop

EDITS = [readmes_app(), *recipes(), *written_down()]
MINOR = kubernetes_minor()
FEW = 100
"""Of so many edits one is tried among the fast tests."""
MANY = 40
"""So many right edits of a first month were named when the corpus began."""


class Judged:
    """The ground, and what was found right of it already: what is as it was need not be judged again."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self._apps: set[tuple[str, bytes]] = set()
        self._objects: set[str] = set()

    def compiles(self, edit: RightEdit, only: Collection[str] = ()) -> None:
        """The edit compiles, and what it gives is as every app."""
        with edit.made(self.workshop):
            ended = self.workshop.compile(only)
            assert ended.code == 0, ended.err
            apps = deployed(self.workshop.root / "deploy")
            assert not edit.app or edit.app in {app.name for app in apps}
            for app in apps:
                key = (str(app), b"".join(map(_content, app.folders)))
                if key not in self._apps:
                    for holds in PROPERTIES:
                        holds(app)
                    assert [error for document in app.objects for error in self._errors(document)] == []
                    self._apps.add(key)

    def _errors(self, document: Document) -> list[str]:
        key = json.dumps(document)
        found = [] if key in self._objects or not has_schema(document, MINOR) else errors(document, MINOR)
        self._objects.add(key)
        return found


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return Judged(ground(tmp_path_factory.mktemp("right")))


@pytest.mark.parametrize("edit", EDITS[::FEW], ids=lambda edit: str(edit.name))
def test_some_of_them_compile_and_what_they_give_is_as_every_app(judged: Judged, edit: RightEdit) -> None:
    """What is said of the apps alone is tried in the environment that asks most of them, all else in all.

    All are tried below, among the slow tests.
    """
    workshop = judged.workshop
    files = [file for step in edit.steps for file in step.files(workshop)]
    apps_alone = all(file.is_relative_to(workshop.root / "charts") for file in files)
    judged.compiles(edit, ["production"] if apps_alone else ())


@pytest.mark.slow
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: str(edit.name))
def test_it_compiles_in_all_environments(judged: Judged, edit: RightEdit) -> None:
    judged.compiles(edit)


def test_there_are_many_and_each_has_a_name_of_its_own() -> None:
    names = [edit.name for edit in EDITS]
    assert sorted(set(names)) == sorted(names)
    assert len(names) >= MANY


def test_the_page_shows_every_shape() -> None:
    text = "".join(block["text"] for blocks in sections().values() for block in blocks)
    assert [name for name in shapes.__all__ if not re.search(rf"\b{name}\b", text)] == []


def test_every_heading_of_the_page_has_a_recipe_or_recipes_below_it() -> None:
    headings = re.findall(r"^### (.+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [edit.name for edit in recipes()] == headings


def _content(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
