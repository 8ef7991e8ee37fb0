"""Namespaces of one's own for a node: what runs in them ends with their first process, however that ends.

Network, mounts, processes, host name: the kernel takes all of it back when process 1 of the namespaces is gone, and
that one dies with whoever started it. What the kernel keeps, two things, is put back here: control groups, and the few
settings that belong to the whole machine and that a kubelet writes.
"""

import contextlib
import os
import platform
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from scripts.programs import available
from synth import ToolError

FOLDER = Path("/var/cache/graphwiki-cluster")
"""Everything that a cluster writes. Not below /tmp, where others may write, nor below what a node has of its own."""

PROCESS = FOLDER / "process"
"""The number of the process whose only child is process 1 of the namespaces."""

CGROUP = "graphwiki-cluster"
"""The control group that all pods are below."""

SETTINGS = (
    *("kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys", "kernel/panic", "kernel/panic_on_oops"),
    *("vm/overcommit_memory", "vm/panic_on_oom"),
)
"""What a kubelet sets for the whole machine: pkg/kubelet/cm/container_manager_linux.go, setupKernelTunables."""

PACKAGES = {
    "containerd": "containerd",
    "git": "git",
    "ip": "iproute2",
    "ipset": "ipset",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "mount": "mount",
    "runc": "runc",
    "setpriv": "util-linux",
    "sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
}
"""What must be installed, by the program that is looked for: the packages of Debian and Ubuntu."""

PLUGINS = Path("/usr/lib/cni"), Path("/opt/cni/bin")
"""Where the plugins for the pods' network may be: Debian's package, and their project's own place."""

ENDS_SECONDS = 20
"""How long the kernel may take to be done with what has been killed."""

# The namespaces' own network, mounts, processes, shared memory and host name.
UNSHARE = ("unshare", "--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc")
# unshare dies with the process that started it, and process 1 with unshare.
TIED = ("setpriv", "--pdeathsig", "KILL")


class NotHere(ToolError):  # noqa: N818, a sentence of its own says what is wrong
    """This machine cannot have a cluster, or not now."""


def refuse_elsewhere() -> None:
    """See that this machine can have such a node.

    Raises:
        NotHere: it is not Linux, this is not root, or something is not installed; one sentence.
    """
    if platform.system() != "Linux":
        raise NotHere(f"a cluster needs a node, which is Linux: this is {platform.system()}")
    if os.geteuid() != 0:
        raise NotHere("a cluster needs namespaces, mounts and control groups, which only root makes: run this as root")
    missing = [package for program, package in PACKAGES.items() if not available(program)]
    if not any((folder / "bridge").exists() for folder in PLUGINS):
        missing.append("containernetworking-plugins")
    if missing:
        packages = " ".join(dict.fromkeys(missing))
        raise NotHere(
            f"a cluster needs what is not installed here: `apt-get install --no-install-recommends {packages}`"
        )


@contextlib.contextmanager
def entered(
    folder: Path = FOLDER, cgroups: Iterable[Path] | None = None, settings: Path = Path("/proc/sys")
) -> Iterator[None]:
    """Have the place of a cluster for oneself, empty; afterwards nothing of it is left, and the machine is as it was.

    What an earlier one left, because it and this process's predecessor were killed together, is removed first.

    Raises:
        NotHere: another cluster runs on this machine.
    """
    groups = [mount / CGROUP for mount in (_cgroup_mounts() if cgroups is None else cgroups)]
    with _alone(folder):
        _sweep(folder, groups, settings)
        folder.mkdir(parents=True, mode=0o711)
        _remember(folder, settings)
        for group in groups:
            group.mkdir()
        try:
            yield
        finally:
            _sweep(folder, groups, settings)


def run(command: Sequence[str | Path]) -> int:
    """Run a command as the first process of namespaces of its own; its exit code.

    Ctrl-C reaches it as well, it may end in its own way: within some seconds, and until a second Ctrl-C. When this
    process is killed, everything in there is.

    Raises:
        KeyboardInterrupt: Ctrl-C, unless the command took it for its regular end.
    """
    with subprocess.Popen([*TIED, *UNSHARE, *command]) as process, _ended_by_request():
        PROCESS.write_text(str(process.pid), "utf-8")
        interrupted = False
        while True:
            try:
                process.wait(ENDS_SECONDS if interrupted else None)
                break
            except KeyboardInterrupt:
                if interrupted:
                    process.kill()
                interrupted = True
            except subprocess.TimeoutExpired:
                process.kill()
            except SystemExit:
                process.kill()
                raise
    if interrupted and process.returncode != 0:
        raise KeyboardInterrupt
    return process.returncode


@contextlib.contextmanager
def _ended_by_request() -> Iterator[None]:
    """Let a request to end (SIGTERM) be an exception: what is to be put back is."""

    def end(number: int, _: object) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Be the only one with this folder. The name is one in the kernel, no file: it ends with this process."""
    with socket.socket(socket.AF_UNIX) as holder:
        try:
            holder.bind(f"\0{folder}")
        except OSError:
            raise NotHere(
                "a cluster of the tests runs on this machine already: wait until `./gw proof` there has ended"
            ) from None
        yield


def _cgroup_mounts() -> list[Path]:
    """Where control groups are mounted: one place with version 2, one for each controller with version 1."""
    lines = (line.split() for line in Path("/proc/self/mounts").read_text("utf-8").splitlines())
    return [Path(fields[1]) for fields in lines if fields[2] in ("cgroup", "cgroup2")]


def _sweep(folder: Path, groups: Iterable[Path], settings: Path) -> None:
    remembered = folder / "settings"
    if remembered.exists():
        for line in remembered.read_text("utf-8").splitlines():
            name, _, value = line.partition(" ")
            if (settings / name).read_text("utf-8").strip() != value:
                (settings / name).write_text(value, "utf-8")
    for group in groups:
        _remove_group(group)
    shutil.rmtree(folder, ignore_errors=True)


def _remember(folder: Path, settings: Path) -> None:
    there = [name for name in SETTINGS if (settings / name).exists()]
    lines = (f"{name} {(settings / name).read_text('utf-8').strip()}\n" for name in there)
    (folder / "settings").write_text("".join(lines), "utf-8")


def _remove_group(group: Path) -> None:
    """Remove a control group and those below it, once the processes in them, which were killed, are gone."""
    deadline = time.monotonic() + ENDS_SECONDS
    while group.exists():
        with contextlib.suppress(OSError):
            for below, _, _ in os.walk(group, topdown=False):
                Path(below).rmdir()
        if time.monotonic() > deadline:
            raise ToolError(f"{group} cannot be removed: `cat {group}/cgroup.procs` says which processes are in it")
        time.sleep(0.05)
