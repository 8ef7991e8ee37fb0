"""`watch`: every save is compiled, and nothing that a person or a machine does ends it."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.workshop import Workshop

APPS = "charts/apps/__init__.py"
LIMIT = 120
"""How many seconds a busy machine may take."""


class Watch:
    """`watch` in a working copy, as a person has it open."""

    def __init__(self, root: Path) -> None:
        self.workshop = Workshop.at(root)
        self.root = root
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scripts", "watch"],
            cwd=root,
            # No API server is built there.
            env={**os.environ, "XDG_CACHE_HOME": str(root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout:
            for line in self.process.stdout:
                self._lines.put(line)

    def shows(self) -> str:
        """What it says of the next compile, without the time that this took."""
        said = []
        while ", after " not in (line := self._lines.get(timeout=LIMIT)):
            said.append(line)
        return "".join(said)

    def save(self, path: str, text: str) -> str:
        """Save a file as many editors do: a new one takes the place of the old one."""
        beside = self.root / f"{path}~"
        beside.write_text(text, "utf-8")
        beside.replace(self.root / path)
        return self.shows()

    def text(self, path: str) -> str:
        return (self.root / path).read_text("utf-8")

    def children(self) -> list[int]:
        """The process that compiles, and below it Node."""
        found, parents = [], [self.process.pid]
        while parents:
            parents = [int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat") if _parent(stat) in parents]
            found += parents
        return found

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self._reader.join(LIMIT)
        return self.process.wait(LIMIT)


def _parent(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    watch = Watch(tmp_path)
    assert watch.shows().endswith(" files unchanged\n")
    yield watch
    children = watch.children()
    assert watch.end() == 130
    assert children
    for pid in children:
        until = time.monotonic() + LIMIT
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < until, f"{pid} is left"
            time.sleep(0.05)


@pytest.mark.slow
def test_what_changes_in_deploy_is_shown(watch: Watch) -> None:
    before = watch.workshop.deployed()
    text = watch.text("facts/environments.py")
    assert 'domain="localhost"' in text
    shown = watch.save("facts/environments.py", text.replace('domain="localhost"', 'domain="other.localhost"'))
    assert "  changed    deploy/platform/gateway/gateway.yaml\n" in shown
    assert watch.workshop.deployed() != before
    assert "  changed    deploy/platform/gateway/gateway.yaml\n" in watch.save("facts/environments.py", text)
    assert watch.workshop.deployed() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("this is no Python\n", "invalid syntax (charts/apps/__init__.py line "),
        ("raise ValueError('a mistake')\n", "a mistake (charts/apps/__init__.py line "),
        ("import nothing\n", "No module named 'nothing' (charts/apps/__init__.py line "),
        ("import sys; sys.exit(0)\n", "sys.exit(0) would end the compile here"),
        ("import os; os._exit(0)\n", "the process that compiles has ended: the next save starts another one\n"),
    ],
    ids=["a wrong line", "an error", "an import of nothing", "the end of Python", "the end of the process"],
)
def test_a_mistake_is_a_sentence_until_it_is_put_right(watch: Watch, more: str, said: str) -> None:
    before = watch.workshop.deployed()
    text = watch.text(APPS)
    assert watch.save(APPS, text + more).startswith(said)
    assert watch.workshop.deployed() == before
    assert watch.save(APPS, text).endswith(" files unchanged\n")


@pytest.mark.slow
def test_what_a_chart_prints_is_shown(watch: Watch) -> None:
    text = watch.text(APPS)
    assert watch.save(APPS, f"{text}print('looked at')\n").startswith("looked at\n")
    assert "looked at" not in watch.save(APPS, text)


@pytest.mark.slow
def test_a_deleted_file_and_a_new_folder_are_seen(watch: Watch) -> None:
    module = watch.root / "charts/shapes/replicas.py"
    text = module.read_text("utf-8")
    module.unlink()
    assert "charts.shapes.replicas" in watch.shows()
    module.parent.joinpath("more").mkdir()
    assert "charts.shapes.replicas" in watch.shows()
    assert "charts.shapes.replicas" in watch.save("charts/shapes/more/replicas.py", text)
    assert watch.save("charts/shapes/replicas.py", "from charts.shapes.more.replicas import *\n").endswith(
        " files unchanged\n"
    )
    assert watch.save("charts/shapes/replicas.py", text).endswith(" files unchanged\n")


@pytest.mark.slow
def test_images_and_versions_count(watch: Watch) -> None:
    for name in ("images.yaml", "versions.yaml"):
        text = watch.text(name)
        assert watch.save(name, f"{text}- no mapping\n").startswith(name)
        assert watch.save(name, text).endswith(" files unchanged\n")


@pytest.mark.slow
def test_what_compiles_is_read_anew_too(watch: Watch) -> None:
    text = watch.text("synth/tree.py")
    assert "SyntaxError: invalid syntax\n" in watch.save("synth/tree.py", f"{text}this is no Python\n")
    assert watch.save("synth/tree.py", text).endswith(" files unchanged\n")


def _of_node(watch: Watch) -> int:
    return next(pid for pid in watch.children() if "program.js" in Path(f"/proc/{pid}/cmdline").read_text())


def _of_the_compiler(watch: Watch) -> int:
    return watch.children()[0]


@pytest.mark.slow
@pytest.mark.parametrize("victim", [_of_node, _of_the_compiler], ids=["Node", "the process that compiles"])
def test_a_killed_process_is_replaced(watch: Watch, victim: Callable[[Watch], int]) -> None:
    os.kill(victim(watch), signal.SIGKILL)
    text = watch.text(APPS)
    assert watch.save(APPS, f"{text}\n").endswith(" files unchanged\n")
    assert watch.save(APPS, text).endswith(" files unchanged\n")
