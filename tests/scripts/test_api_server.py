"""A real API server: it starts, judges, forgets, and leaves nothing behind, however the one who started it ends."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.gate import kubernetes
from scripts.gate.api_server import PREFIX, running
from synth import ROOT, ToolError
from synth.manifest import Document

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not kubernetes.is_built(), reason="Kubernetes is not built yet; `make verify` builds it where there is Go"
    ),
]

HOLD = """
import sys
from pathlib import Path
from scripts.gate.api_server import running

with running(Path(sys.argv[1])) as server:
    print("up", server.port, flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class Held:
    """A Python that holds a server, in a temporary folder of its own, which holds nothing else."""

    process: "subprocess.Popen[str]"
    home: Path

    @property
    def folders(self) -> list[Path]:
        return list(self.home.glob(f"{PREFIX}*"))

    @property
    def servers(self) -> list[int]:
        """The processes that run in one of its folders."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (entry / "cwd").readlink().is_relative_to(self.home):
                    found.append(int(entry.name))
        return found


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    # The program's own sockets are named from where it runs: a long path is no trouble.
    program = kubernetes.program(kubernetes.minors()[0])
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, program],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("up ")
        yield Held(process, tmp_path)
        process.kill()


def eventually(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()


def is_free(lock: Path) -> bool:
    with lock.open() as file, suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


on_linux = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="looks for processes in /proc")


@on_linux
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_ends_with_who_started_it(held: Held, end: signal.Signals) -> None:
    assert held.servers
    assert held.folders
    held.process.send_signal(end)
    assert eventually(lambda: not held.servers and not held.folders), (held.servers, held.folders)


@on_linux
def test_what_was_killed_with_who_started_it_is_swept_by_the_next(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    (left,) = held.folders
    for process in (held.process.pid, *held.servers):
        os.kill(process, signal.SIGKILL)
    # The last thread of a killed process may outlive it by a moment.
    assert eventually(lambda: not held.servers and is_free(left / "lock"))
    assert held.folders == [left]
    monkeypatch.setattr(tempfile, "tempdir", str(held.home))
    with running(kubernetes.program(kubernetes.minors()[0])):
        assert not left.exists()
    assert held.folders == []


@on_linux
def test_a_server_in_use_is_not_swept(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    (used,) = held.folders
    monkeypatch.setattr(tempfile, "tempdir", str(held.home))
    with running(kubernetes.program(kubernetes.minors()[0])):
        assert used.exists()
        assert len(held.folders) == 2
    assert held.folders == [used]


def namespace(name: str, **labels: str) -> Document:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def test_it_says_yes_and_no_forgets_at_a_reset_and_goes_on_where_nothing_was_lost() -> None:
    with running(kubernetes.program(kubernetes.minors()[0])) as server:
        assert server.create(namespace("before", at="mark")).refusal == ""
        server.mark()
        assert server.apply(namespace("after")).refusal == ""
        assert server.apply(namespace("before", at="later")).refusal == ""
        server.reset()
        assert server.read(namespace("after")).code == 404
        assert server.read(namespace("before")).body["metadata"]["labels"]["at"] == "mark"
        assert server.apply(namespace("Upper")).refusal.startswith('Namespace "Upper" is invalid: metadata.name: ')
        assert server.apply(namespace("dry"), dry_run=True).refusal == ""
        assert server.read(namespace("dry")).code == 404
        unknown = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "one"}}
        assert server.apply(unknown).refusal == "no matches for kind 'Widget' in version 'example.com/v1'"
        account = "system:serviceaccount:before:nobody"
        assert "cannot patch resource" in server.apply(namespace("after"), user=account).refusal


def test_a_program_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    program = tmp_path / "control-plane"
    program.write_text("#!/bin/sh\necho first >&2\necho the disk is full >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(ToolError, match=r"^the API server did not start: the disk is full$"), running(program):
        pass
