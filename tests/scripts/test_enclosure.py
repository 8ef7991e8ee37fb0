"""The place of a cluster: who may have one, that it is one's own, and that nothing is left of it."""

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest

from scripts.gate.node import enclosure
from scripts.gate.node.enclosure import CGROUP, PACKAGES, SETTINGS, entered, refuse_elsewhere
from synth import ROOT, ToolError
from tests.stand_ins import StandIns

Place = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder that has what the kernel has: settings, and where control groups are."""
    for name in SETTINGS:
        file = tmp_path / "settings" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("7\n")
    (tmp_path / "groups").mkdir()
    return tmp_path


@pytest.fixture
def place(machine: Path) -> Place:
    return lambda: entered(machine / "place", [machine / "groups"], machine / "settings")


def test_it_is_empty_and_there_and_afterwards_gone(machine: Path, place: Place) -> None:
    with place():
        assert (machine / "groups" / CGROUP).is_dir()
        (machine / "place" / "etcd").mkdir()
        (machine / "groups" / CGROUP / "pods" / "one").mkdir(parents=True)
    assert not (machine / "place").exists()
    assert list((machine / "groups").iterdir()) == []


def test_what_was_set_for_the_machine_is_put_back_and_nothing_else_written(machine: Path, place: Place) -> None:
    first, second, *_ = SETTINGS
    (machine / "settings" / second).chmod(0o400)
    missing = machine / "settings" / SETTINGS[-1]
    missing.unlink()
    with place():
        (machine / "settings" / first).write_text("1\n")
    assert (machine / "settings" / first).read_text().strip() == "7"
    assert not missing.exists()


def test_it_is_cleared_as_well_where_what_ran_in_it_failed(machine: Path, place: Place) -> None:
    with pytest.raises(RuntimeError), place():
        raise RuntimeError
    assert not (machine / "place").exists()


def test_what_one_left_that_was_killed_is_put_back_by_the_next(machine: Path, place: Place) -> None:
    first = machine / "settings" / SETTINGS[0]
    killed = place()
    killed.__enter__()
    left = {"place": machine / "place" / "left", "group": machine / "groups" / CGROUP / "pods"}
    for folder in left.values():
        folder.mkdir(parents=True)
    remembered = (machine / "place" / "settings").read_text()
    killed.__exit__(None, None, None)
    # As it was before the last line, which a killed process does not reach.
    for folder in left.values():
        folder.mkdir(parents=True)
    (machine / "place" / "settings").write_text(remembered)
    first.write_text("1\n")
    with place():
        assert not left["place"].exists()
        assert not left["group"].exists()
        assert first.read_text().strip() == "7"


def test_a_second_one_at_the_same_time_is_refused_and_changes_nothing(machine: Path, place: Place) -> None:
    with place():
        (machine / "place" / "etcd").mkdir()
        with pytest.raises(ToolError, match=r"^a cluster of the tests runs on this machine already: wait"), place():
            pass
        assert (machine / "place" / "etcd").is_dir()
    with place():
        pass


def test_a_group_that_stays_is_named_with_how_to_see_why(
    machine: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enclosure, "ENDS_SECONDS", 0.2)
    busy = machine / "groups" / CGROUP
    with pytest.raises(ToolError, match=rf"^{busy} cannot be removed: `cat {busy}/cgroup.procs` says which"), place():
        # A folder with a file in it cannot be removed, nor can a group with a process in it.
        (busy / "process").write_text("")


@pytest.fixture
def everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """A machine that has all that a cluster needs, and nothing else."""
    tools = StandIns(tmp_path / "bin", system="")
    for program in PACKAGES:
        tools.put(program)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "bridge").touch()
    monkeypatch.setattr(enclosure, "PLUGINS", (tmp_path / "plugins",))
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", tools.path)
    return tools


@pytest.mark.usefixtures("everything")
def test_a_machine_that_has_all_of_it_is_taken() -> None:
    refuse_elsewhere()


@pytest.mark.usefixtures("everything")
def test_another_system_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    with pytest.raises(ToolError, match=r"^a cluster needs a node, which is Linux: this is Darwin$"):
        refuse_elsewhere()


@pytest.mark.usefixtures("everything")
def test_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ToolError, match=r"only root makes: run this as root$"):
        refuse_elsewhere()


def test_what_is_missing_is_named_as_one_command(everything: StandIns, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("unshare", "setpriv", "containerd"):
        (everything.folder / program).unlink()
    monkeypatch.setattr(enclosure, "PLUGINS", ())
    command = "apt-get install --no-install-recommends containerd util-linux containernetworking-plugins"
    with pytest.raises(ToolError, match=rf"`{command}`$"):
        refuse_elsewhere()


@pytest.mark.parametrize("file", ["docs/cluster.md", ".github/workflows/cluster.yml"])
def test_what_must_be_installed_is_where_people_and_github_install_it(file: str) -> None:
    text = (ROOT / file).read_text("utf-8").replace("\\\n", " ")
    named = {word for line in text.splitlines() if "apt-get install" in line for word in line.split()}
    # These two are on every Debian and Ubuntu, and the client of SSH comes with its server.
    there = {"mount", "util-linux", "openssh-client"}
    assert {*PACKAGES.values(), "containernetworking-plugins"} - there <= named


HOLD = """
import subprocess, sys
from pathlib import Path
from scripts.gate.node import enclosure

enclosure.PROCESS = Path(sys.argv[1])
try:
    sys.exit(enclosure.run(["sh", "-c", "sleep 1000 & sleep 1000 & echo up; wait"]))
except KeyboardInterrupt:
    sys.exit(130)
"""

may_have_namespaces = pytest.mark.skipif(
    platform.system() != "Linux" or os.geteuid() != 0, reason="namespaces are root's, on Linux"
)


@pytest.mark.slow
@may_have_namespaces
class TestRun:
    """What runs in the namespaces ends with who started it, however that ends."""

    @pytest.fixture
    def held(self, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
        with subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path / "process")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            yield process
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    @pytest.mark.parametrize("code", [0, 3])
    def test_its_exit_code_is_the_commands(self, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(enclosure, "PROCESS", tmp_path / "process")
        assert enclosure.run(["sh", "-c", f"exit {code}"]) == code

    def test_it_is_the_first_process_and_has_a_network_of_its_own(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(enclosure, "PROCESS", tmp_path / "process")
        alone = '[ $$ = 1 ] && [ "$(ls /sys/class/net)" != "" ] && [ "$(grep -c : /proc/net/dev)" = 1 ]'
        assert enclosure.run(["sh", "-c", alone]) == 0

    @pytest.mark.parametrize(
        ("end", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 128 + signal.SIGTERM)]
    )
    def test_all_of_it_ends_when_who_started_it_does(
        self, held: "subprocess.Popen[str]", end: signal.Signals, code: int
    ) -> None:
        inside = descendants(held.pid)
        assert len(inside) >= 4
        held.send_signal(end)
        assert held.wait(20) == code
        assert eventually(lambda: not any(map(runs, inside)))

    def test_ctrl_c_reaches_it(self, held: "subprocess.Popen[str]") -> None:
        inside = descendants(held.pid)
        os.killpg(held.pid, signal.SIGINT)
        # A shell as the first process does not hear it: the second one is the end.
        time.sleep(0.5)
        os.killpg(held.pid, signal.SIGINT)
        assert held.wait(20) == 130
        assert eventually(lambda: not any(map(runs, inside)))


def descendants(process: int) -> set[int]:
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = {process}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {process}


def runs(process: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def eventually(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()
