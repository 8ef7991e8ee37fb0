"""What doctor finds on Docker's machine: each thing that keeps k3s, Istio or Rancher from starting, by stand-ins."""

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from facts.versions import kubernetes_minor
from scripts.cluster import host
from scripts.cluster.findings import Finding
from scripts.cluster.host import DISK, DISK_SHARE, DOCKER, GIB, INOTIFY, MEMORY, MODULES
from synth import ROOT
from tests.stand_ins import StandIns, fails, says

FIT: dict[str, Any] = {
    "ServerVersion": "28.2.2",
    "OSType": "linux",
    "Architecture": "x86_64",
    "OperatingSystem": "Debian GNU/Linux 13 (trixie)",
    "CgroupVersion": "2",
    "MemoryLimit": True,
    "MemTotal": MEMORY,
    "Driver": "overlay2",
    "DriverStatus": [["Backing Filesystem", "extfs"]],
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
}
DESKTOP = {"OperatingSystem": "Docker Desktop", "KernelVersion": "6.12.5-linuxkit", "DockerRootDir": "/var/lib/docker"}


class Usage(NamedTuple):
    """What shutil.disk_usage gives."""

    total: int
    used: int
    free: int


class Machine(NamedTuple):
    """A machine with a Docker: `look` gives what is found where `docker info` says something else than fits."""

    tools: StandIns
    limits: Path
    look: Callable[..., dict[str, Finding]]

    def limit(self, **values: int) -> None:
        for name, value in values.items():
            (self.limits / name).write_text(f"{value}\n")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    tools, limits = StandIns(tmp_path / "bin"), tmp_path / "inotify"
    limits.mkdir()
    monkeypatch.setenv("PATH", tools.path)
    monkeypatch.setattr(host, "INOTIFY_FOLDER", limits)
    monkeypatch.setattr(host, "MODULES_FOLDER", tmp_path / "modules")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(10 * DISK, 5 * DISK, 5 * DISK))

    def look(script: str = "", **differing: object) -> dict[str, Finding]:
        here = {"KernelVersion": os.uname().release, "DockerRootDir": str(tmp_path)}
        info = json.dumps({**FIT, **here, **differing})
        tools.put("docker", says(info, when="info --format") + script)
        return {finding.subject: finding for finding in host.host()}

    made = Machine(tools, limits, look)
    made.limit(**INOTIFY)
    return made


def wrong(findings: dict[str, Finding]) -> list[str]:
    return [subject for subject, finding in findings.items() if finding.advice]


def test_a_machine_that_fits_is_told_so(machine: Machine) -> None:
    findings = machine.look()
    assert wrong(findings) == []
    assert {"cgroup", "memory", "disk", *(f"fs.inotify.{name}" for name in INOTIFY)} <= findings.keys()
    assert machine.tools.calls() == ["docker info --format '{{json .}}'"]


@pytest.mark.parametrize(
    "script",
    [fails(), says("no JSON"), says("[]"), says('{"ServerVersion": ""}')],
)
def test_where_docker_does_not_answer_nothing_is_said_of_its_machine(machine: Machine, script: str) -> None:
    machine.tools.put("docker", script)
    assert list(host.host()) == []


@pytest.mark.parametrize(
    ("differing", "subject", "state", "advice"),
    [
        (
            {"CgroupVersion": "1"},
            "cgroup",
            f"version 1, with which the kubelet of Kubernetes {kubernetes_minor()} does not start",
            "systemd.unified_cgroup_hierarchy=1",
        ),
        ({**DESKTOP, "CgroupVersion": "1"}, "cgroup", "version 1", "deprecatedCgroupv1"),
        ({"MemoryLimit": False}, "cgroup of memory", "off", "cgroup_memory=1 cgroup_enable=memory"),
        ({"MemTotal": MEMORY - GIB}, "memory", f"{MEMORY / GIB - 1:.1f} GiB for Docker", "or use a larger machine"),
        ({**DESKTOP, "MemTotal": 2 * GIB}, "memory", "2.0 GiB for Docker", "in Docker Desktop's settings, Resources"),
        ({"ServerVersion": "20.10.4"}, "Docker's version", "20.10.4", f"{'.'.join(map(str, DOCKER))} or newer"),
        ({"ServerVersion": "19.03.15-ce"}, "Docker's version", "19.03.15-ce", "upgrade Docker"),
        ({"SecurityOptions": ["name=rootless"]}, "Docker's daemon", "runs without root", "docker context use default"),
        ({"Architecture": "armv7l"}, "Docker's system", "linux, armv7l", "amd64 and arm64"),
        ({"OSType": "windows"}, "Docker's system", "windows", "switch Docker to Linux containers"),
        ({"Driver": "btrfs"}, "Docker's file system", "btrfs", '"data-root" in /etc/docker/daemon.json'),
        ({"DriverStatus": [["Backing Filesystem", "zfs"]]}, "Docker's file system", "zfs", "ext4 or xfs"),
    ],
)
def test_what_does_not_fit_is_told_with_the_line_that_fixes_it(
    machine: Machine, differing: dict[str, Any], subject: str, state: str, advice: str
) -> None:
    finding = machine.look(**differing)[subject]
    assert finding.state.startswith(state)
    assert advice in finding.advice
    assert not finding.later


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_both_architectures_of_the_images_do(machine: Machine, architecture: str) -> None:
    assert wrong(machine.look(Architecture=architecture)) == []


def test_a_kubernetes_that_still_runs_with_cgroup_v1_is_not_refused(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "kubernetes_minor", lambda: "1.34")
    assert wrong(machine.look(CgroupVersion="1")) == []


@pytest.mark.parametrize(
    ("free", "total", "fits"),
    [
        (DISK, 2 * DISK, True),
        (DISK - 1, 2 * DISK, False),
        (DISK, int(DISK / DISK_SHARE) + GIB, False),
    ],
)
def test_a_full_disk_is_told(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, free: int, total: int, fits: bool
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(total, total - free, free))
    finding = machine.look()["disk"]
    assert (finding.advice == "") == fits
    assert fits or "docker system prune" in finding.advice


@pytest.mark.parametrize("name", INOTIFY)
def test_a_limit_of_inotify_that_is_too_low_is_told_with_the_line_that_raises_it(machine: Machine, name: str) -> None:
    machine.limit(**{name: INOTIFY[name] - 1})
    findings = machine.look()
    assert wrong(findings) == [f"fs.inotify.{name}"]
    assert f"echo fs.inotify.{name}={INOTIFY[name]} | sudo tee -a" in findings[f"fs.inotify.{name}"].advice


class TestAVirtualMachine:
    """Docker Desktop and the like: what this machine's own files say is not of interest."""

    DF = "Filesystem 1024-blocks Used Available Capacity Mounted on\noverlay {size} 1 {free} 50% /\n"

    def script(self, free: int = DISK, **limits: int) -> str:
        df = self.DF.format(size=2 * DISK // 1024, free=free // 1024)
        values = "\n".join(str(value) for value in {**INOTIFY, **limits}.values())
        return says(df, when=" df ") + says(values, when="cat ")

    def test_its_values_come_from_a_container(self, machine: Machine) -> None:
        machine.limit(**dict.fromkeys(INOTIFY, 1))
        findings = machine.look(self.script(), **DESKTOP)
        assert wrong(findings) == []
        assert {"disk", *(f"fs.inotify.{name}" for name in INOTIFY)} <= findings.keys()
        runs = [call for call in machine.tools.calls() if call.startswith("docker run")]
        assert runs
        assert all("--rm --entrypoint sh rancher/k3s:" in call and "--privileged" not in call for call in runs)

    def test_what_does_not_fit_is_told_with_the_line_that_fixes_it_there(self, machine: Machine) -> None:
        findings = machine.look(self.script(free=GIB, max_user_instances=128), **DESKTOP)
        assert wrong(findings) == ["disk", "fs.inotify.max_user_instances"]
        advice = findings["fs.inotify.max_user_instances"].advice
        assert "docker run --rm --privileged --entrypoint sh rancher/k3s:" in advice
        assert "echo 512 > /proc/sys/fs/inotify/max_user_instances" in advice

    @pytest.mark.parametrize("failing", ["image inspect", "run --rm"])
    def test_without_the_image_or_its_answer_it_says_what_it_did_not_look_at(
        self, machine: Machine, failing: str
    ) -> None:
        findings = machine.look(fails(when=failing), **DESKTOP)
        assert wrong(findings) == ["disk", "inotify"]
        for subject in ("disk", "inotify"):
            assert findings[subject].later
            assert findings[subject].advice.startswith("`docker pull rancher/k3s:")


def test_a_kernel_without_the_modules_of_istio_is_told(machine: Machine) -> None:
    folder = host.MODULES_FOLDER / platform.release()
    folder.mkdir(parents=True)
    first, *rest = MODULES
    (folder / "modules.builtin").write_text(f"kernel/net/netfilter/{first}.ko\n")
    (folder / "modules.dep").write_text("".join(f"kernel/net/netfilter/{name}.ko.xz: a.ko\n" for name in rest))
    assert wrong(machine.look()) == []
    (folder / "modules.dep").write_text("kernel/net/netfilter/xt_mark.ko.xz:\n")
    finding = machine.look()["kernel modules"]
    assert finding.state == f"no {', '.join(rest)}, which Istio's rules need"
    assert "kernel-modules-extra" in finding.advice


def test_each_subject_has_a_row_among_the_symptoms() -> None:
    page = (ROOT / "docs/operations.md").read_text("utf-8").partition("## Troubleshooting by symptom")[2]
    rows = [row for row in page.splitlines() if row.startswith("|") and "`./gw doctor`" in row]
    for word in ("cgroup", "inotify", "memory", "disk", "kernel modules", "file system", "Docker's version", "root"):
        assert any(word in row for row in rows), word
