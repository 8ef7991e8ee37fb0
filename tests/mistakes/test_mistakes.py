"""A corpus of mistakes: small wrong edits of the definitions, and for each what must stop it and what that says.

A file of this folder has the mistakes of one topic. `stage` is what stops one: `types` is mypy, `synth` is
`cdk8s synth`, `verify` the judge of `make verify` named in `judge`, and `test` the test named in `test`, for what no
rule can know. One line of the message must have all that `says` lists: the object, or the line of Python, and the
cause. Where a mistake is in an app that the house does not have yet, `app` names its module.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from scripts.gate.tools import all_there
from scripts.programs import CACHE
from synth import ROOT
from tests.ground import APPS_FILE, ground, registered
from tests.workshop import Ended, Workshop

FOLDER = Path(__file__).parent
STAGES = ("types", "synth", "verify", "test")
FEW = 90
"""Of so many mistakes one is tried by the fast tests."""
LINES = 6
"""How long an edit may be: a person's slip, with what it takes to find the place."""


@dataclass(frozen=True)
class Mistake:
    """One wrong edit: in `file`, `old` becomes `new`."""

    name: str
    file: str
    old: str
    new: str
    stage: str
    says: tuple[str, ...]
    test: str = ""
    judge: str = ""
    app: str = ""

    def make(self, workshop: Workshop) -> None:
        if self.app:
            apps = workshop.root / APPS_FILE
            apps.write_text(registered(apps.read_text("utf-8"), self.app, self.app.capitalize()), "utf-8")
        workshop.edit(self.file, self.old, self.new)

    @contextmanager
    def made(self, workshop: Workshop) -> Iterator[None]:
        files = [workshop.root / path for path in (self.file, APPS_FILE)]
        right = [file.read_bytes() for file in files]
        try:
            self.make(workshop)
            yield
        finally:
            for file, content in zip(files, right, strict=True):
                file.write_bytes(content)

    def is_told(self, text: str) -> bool:
        """Whether one line has everything that is to be said."""
        return any(all(fragment in line for fragment in self.says) for line in text.splitlines())


def corpus() -> list[Mistake]:
    entries = [
        entry
        for path in sorted(FOLDER.glob("*.yaml"))
        for entry in yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)
    ]
    return [Mistake(**{**entry, "says": tuple(entry["says"])}) for entry in entries]


MISTAKES = corpus()


def of(stage: str) -> list[Mistake]:
    return [mistake for mistake in MISTAKES if mistake.stage == stage]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A copy for all the mistakes that leave deploy/ alone."""
    return ground(tmp_path_factory.mktemp("shared"))


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return ground(tmp_path)


@pytest.mark.parametrize("mistake", of("synth")[::FEW], ids=lambda mistake: str(mistake.name))
def test_synth_stops_some_of_them(shared: Workshop, mistake: Mistake) -> None:
    """What is told of one environment alone is told of it beside the others, too; else all are compiled.

    All are tried below, among the slow tests; every rule has fast tests of its own in tests/synth/rules/.
    """
    for name in ("local", "production"):
        with mistake.made(shared):
            ended = shared.compile([name], publish=False)
        if mistake.is_told(ended.err):
            assert ended.code == 1
            assert "Traceback" not in ended.err
            return
    it_stops_a_compile_of_all(shared, mistake)


@pytest.mark.slow
@pytest.mark.parametrize("mistake", of("synth"), ids=lambda mistake: str(mistake.name))
def test_synth_stops_it_says_why_and_leaves_deploy_alone(shared: Workshop, mistake: Mistake) -> None:
    it_stops_a_compile_of_all(shared, mistake)


def it_stops_a_compile_of_all(workshop: Workshop, mistake: Mistake) -> None:
    before = workshop.deployed()
    with mistake.made(workshop):
        ended = workshop.compile()
    assert ended.code == 1, ended.err
    assert mistake.is_told(ended.err), ended.err
    assert "Traceback" not in ended.err
    assert workshop.deployed() == before


@pytest.mark.slow
def test_types_stop_them_before_anything_runs(workshop: Workshop) -> None:
    for mistake in of("types"):
        mistake.make(workshop)
    # What mypy knows of the packages, and of what is the same as last time, it need not find out again.
    known = str(ROOT / ".cache" / "mypy-of-mistakes")
    ended = workshop.run(sys.executable, "-m", "mypy", "--cache-dir", known, "charts")
    assert ended.code == 1
    assert [mistake.name for mistake in of("types") if not mistake.is_told(ended.out)] == [], ended.out


@pytest.mark.slow
def test_a_test_stops_what_compiles(workshop: Workshop) -> None:
    right = judged_by_the_tests(workshop)
    assert right.code == 0, right.out
    for mistake in of("test"):
        mistake.make(workshop)
    wrong = judged_by_the_tests(workshop)
    assert wrong.code == 1
    assert [mistake.name for mistake in of("test") if not mistake.is_told(wrong.out)] == [], wrong.out


def judged_by_the_tests(workshop: Workshop) -> Ended:
    """How the tests that mistakes name end once the copy has been compiled."""
    compiled = workshop.compile()
    assert compiled.code == 0, compiled.err
    tests = sorted({mistake.test for mistake in of("test")})
    return workshop.run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *tests)


@pytest.mark.slow
@pytest.mark.skipif(not all_there(["kube-score", "checkov"]), reason="the tools of `make verify` are not built yet")
@pytest.mark.parametrize("mistake", of("verify"), ids=lambda mistake: str(mistake.name))
def test_verify_stops_what_compiles(workshop: Workshop, mistake: Mistake) -> None:
    mistake.make(workshop)
    (workshop.root / ".cache").symlink_to(CACHE)
    compiled = workshop.compile()
    assert compiled.code == 0, compiled.err
    ended = workshop.run(sys.executable, "-m", "scripts", "verify", "--only", mistake.judge)
    assert ended.code == 1
    assert mistake.is_told(ended.out), ended.out


def test_each_mistake_has_a_name_of_its_own_and_is_small() -> None:
    names = Counter(mistake.name for mistake in MISTAKES)
    assert [name for name, count in names.items() if count > 1] == []
    for mistake in MISTAKES:
        assert mistake.old != mistake.new
        assert max(mistake.old.count("\n"), mistake.new.count("\n")) < LINES, mistake.name
        assert mistake.says, mistake.name
        assert bool(mistake.test) == (mistake.stage == "test"), mistake.name
        assert bool(mistake.judge) == (mistake.stage == "verify"), mistake.name
