"""Whether there is anything to do: whatever a compile depends on makes it compile, and nothing else does."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from synth import ROOT, unchanged
from synth.unchanged import Look
from tests.workshop import Workshop

OUTPUT = {"deploy/apps/a.yaml": "# Generated\nkind: A\n", "deploy/b.yaml": "# Generated\nkind: B\n"}
THEIRS = {"deploy/flux/theirs.yaml": "kind: Theirs\n"}
FILES = {
    "main.py": "import charts\n",
    "versions.yaml": "flux: 1.2.3\n",
    "charts/__init__.py": "",
    "charts/wiki.py": "PORT = 80\n",
    "facts/clusters.py": "NAME = 'a'\n",
    "imports/io/binding.py": "class Binding: ...\n",
    "synth/tree.py": "TREE = 1\n",
    **OUTPUT,
    **THEIRS,
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


@pytest.fixture(autouse=True)
def ended(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a look leaves to the process that it is made in does not slow down the tests that follow."""
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    yield
    unchanged.seen().end()


@pytest.fixture(params=["stamps", "content"])
def trusted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test both with files that have not been touched for long, and with files that have just been written."""
    monkeypatch.setattr(unchanged, "SETTLED", -(10**12) if request.param == "stamps" else 10**18)
    return str(request.param)


@pytest.fixture
def package(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that is loaded from an installed package."""
    file = tmp_path_factory.mktemp("venv") / "site-packages/package/__init__.py"
    file.parent.mkdir(parents=True)
    file.write_text("VALUE = 1\n")
    module = ModuleType("package_of_a_test")
    module.__file__ = str(file)
    monkeypatch.setattr(unchanged, "SETTLED", -(10**12))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return file


def compiled(project: Path) -> None:
    look = Look(project)
    assert look.files is None
    look.remember(OUTPUT, THEIRS)


@pytest.mark.usefixtures("package")
def test_nothing_changed_is_nothing_to_do(project: Path) -> None:
    compiled(project)
    assert Look(project).files == len(OUTPUT)
    assert Look(project).files == len(OUTPUT)


def same_size_and_times(file: Path) -> None:
    """The worst that can happen: another byte in place, and the time set back."""
    before = file.stat()
    content = bytearray(file.read_bytes())
    content[-2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("path", [path for path, text in FILES.items() if text])
def test_another_byte_anywhere_is_something_to_do(project: Path, path: str) -> None:
    compiled(project)
    same_size_and_times(project / path)
    assert Look(project).files is None


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "charts/new.py").write_text("NEW = 1\n"),
        lambda root: (root / "yaml.py").write_text("in_the_way = 1\n"),
        lambda root: (root / "charts/wiki.py").unlink(),
        lambda root: (root / "facts/clusters.py").rename(root / "facts/other.py"),
        lambda root: (root / "deploy/apps/a.yaml").unlink(),
        lambda root: (root / "deploy/apps/notes.md").write_text("mine\n"),
        lambda root: (root / "deploy/b.yaml").rename(root / "b") and (root / "deploy/b.yaml").symlink_to(root / "b"),
        lambda root: shutil.rmtree(root / "deploy"),
        lambda root: (root / "deploy/flux/theirs.yaml").unlink(),
    ],
    ids=[
        "a new module",
        "a module in the way of a package",
        "a module gone",
        "a module of another name",
        "a file of deploy gone",
        "a person's own file in deploy",
        "a link instead of a file",
        "deploy gone",
        "a file of others gone",
    ],
)
def test_what_comes_or_goes_is_something_to_do(project: Path, change: Callable[[Path], object]) -> None:
    compiled(project)
    change(project)
    assert Look(project).files is None


def test_a_file_that_changes_during_the_compile_is_something_to_do(project: Path, trusted: str) -> None:
    look = Look(project)
    same_size_and_times(project / "charts/wiki.py")
    look.remember(OUTPUT, THEIRS)
    assert Look(project).files is None, trusted


def test_what_is_written_after_the_compile_but_before_it_is_remembered_is_something_to_do(project: Path) -> None:
    look = Look(project)
    same_size_and_times(project / "deploy/b.yaml")
    look.remember(OUTPUT, THEIRS)
    assert Look(project).files is None


def test_a_byte_of_a_package_or_a_package_more_is_something_to_do(project: Path, package: Path) -> None:
    compiled(project)
    same_size_and_times(package)
    compiled(project)
    (package.parent.parent / "another").mkdir()
    compiled(project)
    assert Look(project).files == len(OUTPUT)


@pytest.mark.usefixtures("package")
def test_another_python_or_setting_is_something_to_do(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled(project)
    with monkeypatch.context() as other:
        other.setattr(sys, "version", "3.99")
        assert Look(project).files is None
    with monkeypatch.context() as other:
        other.setenv("NODE_OPTIONS", "--no-opt")
        assert Look(project).files is None
    assert Look(project).files == len(OUTPUT)


def chart(project: Path, code: str) -> None:
    """Run a line as that of a chart of the project."""
    exec(compile(code, project / "charts/wiki.py", "exec"), {"Path": Path, "os": os, "subprocess": subprocess})  # noqa: S102


@dataclass(frozen=True)
class Asks:
    """What a chart asks of the world around the checkout, and what makes the answer another one."""

    code: str
    change: Callable[[Path, pytest.MonkeyPatch], object]


ASKS = {
    "a file": Asks("Path('{0}/a.conf').read_text()", lambda place, _: same_size_and_times(place / "a.conf")),
    "a file of bytes": Asks("open(b'{0}/a.conf').close()", lambda place, _: same_size_and_times(place / "a.conf")),
    "a file that is gone then": Asks("open('{0}/a.conf').close()", lambda place, _: (place / "a.conf").unlink()),
    "a file that is not there yet": Asks(
        "try: open('{0}/b.conf')\nexcept OSError: pass", lambda place, _: (place / "b.conf").touch()
    ),
    "what is in a folder": Asks("os.listdir('{0}')", lambda place, _: (place / "b.conf").touch()),
    "what is below a folder": Asks("list(Path('{0}').rglob('*'))", lambda place, _: (place / "b.conf").touch()),
    "a variable": Asks("os.environ['SITE']", lambda _, patch: patch.setenv("SITE", "two")),
    "a variable that is not set": Asks("os.getenv('MORE')", lambda _, patch: patch.setenv("MORE", "")),
    "a file of the folder that one is in": Asks(
        "open('a.conf').close()", lambda place, patch: patch.chdir(place.parent)
    ),
    "all variables": Asks("dict(os.environ)", lambda _, patch: patch.setenv("SITE", "two")),
}


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("asks", ASKS.values(), ids=ASKS)
def test_what_a_chart_asks_of_the_world_counts(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, asks: Asks
) -> None:
    place = tmp_path_factory.mktemp("elsewhere")
    (place / "a.conf").write_text("listen 80;\n")
    monkeypatch.setenv("SITE", "one")
    monkeypatch.chdir(place)
    look = Look(project)
    chart(project, asks.code.format(place))
    look.remember(OUTPUT, THEIRS)
    assert Look(project).files == len(OUTPUT)
    asks.change(place, monkeypatch)
    assert Look(project).files is None


@pytest.mark.usefixtures("package")
def test_what_another_program_says_is_asked_each_time(project: Path) -> None:
    look = Look(project)
    chart(project, "subprocess.run(['true'])")
    look.remember(OUTPUT, THEIRS)
    assert Look(project).files is None


@pytest.mark.usefixtures("package")
def test_what_nobody_in_the_definition_asked_is_nothing_to_do(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look = Look(project)
    assert os.environ.get("SITE") is None
    list(project.parent.iterdir())
    look.remember(OUTPUT, THEIRS)
    monkeypatch.setenv("SITE", "two")
    monkeypatch.chdir(project.parent)
    (project.parent / "more").mkdir()
    assert Look(project).files == len(OUTPUT)


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    "change",
    [
        lambda dist: same_size_and_times(dist / "a.k8s.yaml"),
        lambda dist: (dist / "a.k8s.yaml").unlink(),
        lambda dist: (dist / "b.k8s.yaml").touch(),
        lambda dist: dist.rename(dist.with_name("other")),
    ],
    ids=["a byte", "a file gone", "a file more", "all gone"],
)
def test_an_output_of_cdk8s_is_as_it_was_or_something_to_do(project: Path, change: Callable[[Path], object]) -> None:
    dist = project / "dist"
    dist.mkdir()
    (dist / "a.k8s.yaml").write_text("kind: A\n")
    compiled(project)
    look = Look(project, str(dist))
    assert look.files is None
    look.remember(OUTPUT, THEIRS)
    assert Look(project, str(dist)).files == len(OUTPUT)
    assert Look(project, str(project / "other")).files is None
    change(dist)
    assert Look(project, str(dist)).files is None
    assert Look(project).files == len(OUTPUT)


@pytest.mark.slow
def test_python_takes_nothing_that_it_compiled_of_another_text(tmp_path: Path) -> None:
    """Python compares the second and the size of a source with what it compiled; a person is quicker than that."""
    files = {"charts/wiki.py": "PORT = 80\n", "charts/__init__.py": "", "deploy/a.yaml": OUTPUT["deploy/b.yaml"]}
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    compile_it = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from synth.unchanged import Look; look = Look('.'); "
        "sys.path.insert(0, '.'); from charts.wiki import PORT; print(look.files, PORT); "
        "look.remember({'deploy/a.yaml': '" + files["deploy/a.yaml"].replace("\n", "\\n") + "'}, {})"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def told() -> str:
        return subprocess.run(
            [sys.executable, "-c", compile_it],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    wiki = tmp_path / "charts/wiki.py"
    now = time.time_ns()
    for age in (0, 10**11):
        for port in ("80", "81", "82"):
            wiki.write_text(f"PORT = {port}\n")
            os.utime(wiki, ns=(now - age, now - age))
            assert told() == f"None {port}"


@pytest.mark.usefixtures("package")
def test_a_change_that_was_taken_back_is_nothing_to_do(project: Path) -> None:
    compiled(project)
    for path in ("charts/wiki.py", "deploy/b.yaml"):
        text = (project / path).read_text()
        (project / path).write_text("else\n")
        (project / path).write_text(text)
    assert Look(project).files == len(OUTPUT)


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 1}', '{"format": 1, "settings": 1, "sources": []}'])
def test_a_damaged_record_is_something_to_do(project: Path, damage: str) -> None:
    compiled(project)
    record = project / unchanged.RECORD
    record.write_text(damage or record.read_text()[:-9])
    compiled(project)
    assert Look(project).files == len(OUTPUT)


ASKED = """
import runpy, sys
try:
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
finally:
    print([name for name in ("cdk8s", "jsii", "yaml", "click", "charts") if name in sys.modules])
"""


@pytest.mark.slow
def test_main_and_check_with_nothing_to_do_start_nothing(tmp_path: Path) -> None:
    workshop = Workshop.at(tmp_path)
    assert workshop.synth().code == 0

    asked = workshop.run(sys.executable, "-c", ASKED, "main")
    assert (asked.code, asked.out) == (0, "[]\n")
    assert asked.err.endswith(" files unchanged\n")
    asked = workshop.run(sys.executable, "-c", ASKED, "scripts", "check")
    assert (asked.code, asked.out.splitlines()[1:]) == (0, ["[]"])
    assert asked.out.startswith("deploy/ is what the charts give: ")

    ended = workshop.run(sys.executable, "main.py", CDK8S_OUTDIR=str(tmp_path / "dist"))
    assert ended.code == 0
    assert list((tmp_path / "dist").rglob("*.k8s.yaml"))

    with (workshop.root / "charts/apps/__init__.py").open("a") as chart:
        chart.write("raise ValueError('a mistake')\n")
    for _ in range(2):
        ended = workshop.synth()
        assert ended.code == 1
        assert "a mistake (charts/apps/__init__.py line " in ended.err


@pytest.mark.slow
def test_cdk8s_synth_with_nothing_to_do_does_not_start_the_cli(tmp_path: Path) -> None:
    workshop = Workshop.at(tmp_path)
    synth = ("scripts/cdk8s", "synth")
    first = workshop.run(*synth)
    assert (first.code, first.out) == (0, "Synthesizing application\n")

    (tmp_path / "node_modules").unlink()
    cli = tmp_path / "node_modules/cdk8s-cli/bin/cdk8s"
    cli.parent.mkdir(parents=True)
    cli.write_text("console.log('started')\n")
    ended = workshop.run(*synth)
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == first.err

    assert workshop.run(*synth, "--output", str(tmp_path / "dist/more")).out == "started\n"
    next((tmp_path / "dist").rglob("*.k8s.yaml")).unlink()
    assert workshop.run(*synth).out == "started\n"
