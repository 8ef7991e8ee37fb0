"""Programs that are built from Go modules: where they are kept, and when they are built anew."""

from dataclasses import replace
from pathlib import Path

import pytest

from scripts.gate.builds import Build, Wheel
from synth import ToolError
from tests.stand_ins import StandIns, fails

WRITES = """while [ "$1" != -o ]; do shift; done; printf 'a program' >"$2"\n"""


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """A program in a folder of a module, which has another program in another folder."""
    module = tmp_path / "module"
    for folder in (module / "one", module / "other"):
        folder.mkdir(parents=True)
        (folder / "main.go").write_text("package main\n")
    (module / "go.mod").write_text("module example.com/module\n")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Build("program", "The program", module, "./one")


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    tools = StandIns(tmp_path / "bin")
    tools.put("go", WRITES)
    monkeypatch.setenv("PATH", tools.path)
    return tools


def test_it_is_kept_outside_the_clone_under_its_own_name(build: Build, tmp_path: Path) -> None:
    assert build.place.is_relative_to(tmp_path / "cache" / "graphwiki-platform")
    assert build.place.name == "program"


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "one/main.go", "one/more.go"])
def test_what_it_is_built_from_says_where(build: Build, file: str) -> None:
    before = build.place
    (build.module / file).write_text("changed\n")
    assert build.place != before


@pytest.mark.parametrize("file", ["other/main.go", "README.md", "other.mod"])
def test_what_it_is_not_built_from_does_not(build: Build, file: str) -> None:
    before = build.place
    (build.module / file).write_text("changed\n")
    assert build.place == before


def test_so_do_the_package_and_what_is_set_in_it(build: Build) -> None:
    others = (replace(build, package="./other"), replace(build, variables=(("main.version", "2"),)))
    assert len({build.place, *(other.place for other in others)}) == 3


def test_a_program_of_another_module_depends_on_what_is_pinned_alone(build: Build) -> None:
    foreign = replace(build, package="example.com/other/one")
    before = foreign.place
    (build.module / "one" / "main.go").write_text("changed\n")
    assert foreign.place == before
    (build.module / "go.mod").write_text("changed\n")
    assert foreign.place != before


def test_it_is_built_once(build: Build, go: StandIns) -> None:
    made = replace(build, variables=(("main.version", "2"),)).make()
    assert made.read_text() == "a program"
    (call,) = go.calls()
    for part in (f"-modfile={build.module / 'go.mod'}", "'-ldflags=-s -w -X main.version=2'", "./one"):
        assert part in call
    replace(build, variables=(("main.version", "2"),)).make()
    assert go.calls() == []


def test_what_failed_half_way_is_built_again(build: Build, go: StandIns) -> None:
    go.put("go", WRITES + fails())
    with pytest.raises(ToolError, match=r"failed with exit code 1"):
        build.make()
    assert not build.place.exists()
    go.put("go", WRITES)
    assert build.make().exists()


def test_without_go_what_cannot_be_built_is_named(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError, match=r"^The program cannot be built, go is not on PATH: install Go 1\.\d+ or newer"):
        build.make()


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheel:
    """A program in a package; what installs it is a stand-in, which puts it where it is told to."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "pins.txt").write_text("package==1\n")
    tools = StandIns(tmp_path / "bin")
    tools.put("python", """while [ "$1" != --target ]; do shift; done; printf a >"$2/program"\n""")
    monkeypatch.setattr("sys.executable", str(tools.folder / "python"))
    return Wheel("program", tmp_path / "pins.txt", "program")


def test_a_program_of_a_package_is_fetched_once_for_what_is_pinned(wheel: Wheel, tmp_path: Path) -> None:
    made = wheel.make()
    assert made.read_text() == "a"
    assert made.is_relative_to(tmp_path / "cache" / "graphwiki-platform")
    made.write_text("kept")
    assert wheel.make().read_text() == "kept"
    wheel.lock.write_text("package==2\n")
    assert wheel.make() != made
    assert [path.name for path in made.parent.iterdir()] == ["program"]
