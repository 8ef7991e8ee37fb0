"""What the pinned k3s, k3d, Istio and Rancher ask of the machine that Docker runs on.

That is this machine, or the virtual machine of Docker Desktop, Colima and the like: so Docker is asked, and this
machine's own files are read only where Docker runs on its kernel.
"""

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from facts.versions import kubernetes_minor, pinned
from scripts.cluster.findings import Finding

INFO = ["docker", "info", "--format", "{{json .}}"]

DESKTOP = "Docker Desktop"
GIB = 1024**3

DOCKER = (20, 10, 5)
"""https://github.com/k3d-io/k3d/issues/807"""

ARCHITECTURES = ("x86_64", "amd64", "aarch64", "arm64")
"""Those that k3s, Istio and Rancher all have images for."""

LAST_WITH_CGROUP_V1 = (1, 34)
"""https://kubernetes.io/docs/concepts/architecture/cgroups/"""

MEMORY = 6 * GIB
"""k3s asks for 2 GB on a server and half a GB on each of the two agents, Rancher for 4 GB on a small node, which may be
the server; what is left is for Istio and the apps. https://docs.k3s.io/installation/requirements and
https://ranchermanager.docs.rancher.com/getting-started/installation-and-upgrade/installation-requirements"""
ROUNDING = GIB // 4
"""A virtual machine of 6 GiB reports less, because its kernel keeps some."""

DISK = 15 * GIB
"""Room for the images of k3s, Istio, Rancher and the apps, of which each of three nodes keeps its own copy."""
DF = re.compile(r"\s(?P<size>\d+)\s+\d+\s+(?P<available>\d+)\s+\d+%\s")
DISK_SHARE = 0.10
"""k3s evicts pods where less than 5 % of the disk is free: https://k3d.io/stable/faq/faq/ and
https://docs.k3s.io/reference/flag-deprecation; twice that leaves room to work."""

INOTIFY = {"max_user_instances": 512, "max_user_watches": 524288}
"""https://kind.sigs.k8s.io/docs/user/known-issues/#pod-errors-due-to-too-many-open-files, for nodes that are
containers; k3s has the same: https://github.com/k3s-io/k3s/issues/10020"""
INOTIFY_FOLDER = Path("/proc/sys/fs/inotify")

UNFIT_FILE_SYSTEMS = ("btrfs", "zfs")
"""https://k3d.io/stable/faq/faq/#issues-with-btrfs and #issues-with-zfs"""

MODULES = ("xt_REDIRECT", "xt_conntrack", "xt_multiport", "xt_owner", "xt_tcpudp")
"""What Istio's rules in a pod's network are made of: https://istio.io/latest/docs/ops/deployment/platform-requirements/"""
MODULES_FOLDER = Path("/lib/modules")


def host() -> Iterator[Finding]:
    """A finding for each thing that the local cluster asks of Docker's machine; none where Docker does not answer."""
    info = _info()
    if info is None:
        return
    yield _system(info)
    if info.get("OSType") != "linux":
        return
    yield from _docker(info)
    yield from _cgroups(info)
    yield _memory(info)
    yield from _file_system(info)
    yield from _kernel(info)


def _info() -> Mapping[str, Any] | None:
    answer = _output(INFO)
    try:
        info = json.loads(answer) if answer else None
    except ValueError:
        return None
    # Without a server Docker's client answers too, with an empty version.
    return info if isinstance(info, dict) and info.get("ServerVersion") else None


def _output(command: list[str]) -> str | None:
    click.echo(f"$ {shlex.join(command)}", err=True)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _system(info: Mapping[str, Any]) -> Finding:
    system, architecture = str(info.get("OSType")), str(info.get("Architecture"))
    if system != "linux":
        return Finding("Docker's system", system, "switch Docker to Linux containers")
    if architecture not in ARCHITECTURES:
        advice = "k3s, Istio and Rancher have images for amd64 and arm64: use such a machine"
        return Finding("Docker's system", f"{system}, {architecture}", advice)
    return Finding("Docker's system", f"{system}, {architecture}")


def _docker(info: Mapping[str, Any]) -> Iterator[Finding]:
    version = str(info["ServerVersion"])
    numbers = tuple(int(part) for part in version.partition("-")[0].split(".") if part.isdecimal())
    if numbers < DOCKER:
        yield Finding("Docker's version", version, f"k3d wants {'.'.join(map(str, DOCKER))} or newer: upgrade Docker")
    if any("rootless" in option for option in info.get("SecurityOptions") or ()):
        yield Finding(
            "Docker's daemon",
            "runs without root, where the kubelet of this cluster does not start",
            "`docker context use default`, with a Docker that runs as root",
        )


def _cgroups(info: Mapping[str, Any]) -> Iterator[Finding]:
    version = str(info.get("CgroupVersion") or "1")
    minor = kubernetes_minor()
    if version == "1" and tuple(map(int, minor.split("."))) > LAST_WITH_CGROUP_V1:
        if _is_desktop(info):
            advice = 'take "deprecatedCgroupv1": true out of Docker Desktop\'s settings, and restart it'
        else:
            advice = (
                "boot with cgroup v2: `sudo grubby --update-kernel=ALL --args=systemd.unified_cgroup_hierarchy=1`, or "
                "that argument in GRUB_CMDLINE_LINUX of /etc/default/grub and `sudo update-grub`; then restart"
            )
        yield Finding("cgroup", f"version 1, with which the kubelet of Kubernetes {minor} does not start", advice)
    else:
        yield Finding("cgroup", f"version {version}")
    # https://docs.k3s.io/installation/requirements?os=pi
    if info.get("MemoryLimit") is False:
        yield Finding(
            "cgroup of memory",
            "off, and k3s does not start without",
            "add `cgroup_memory=1 cgroup_enable=memory` to the kernel's command line (on a Raspberry Pi "
            "/boot/firmware/cmdline.txt), and restart",
        )


def _memory(info: Mapping[str, Any]) -> Finding:
    total = int(info.get("MemTotal") or 0)
    state = f"{total / GIB:.1f} GiB for Docker"
    if total + ROUNDING >= MEMORY:
        return Finding("memory", state)
    where = "in Docker Desktop's settings, Resources" if _is_desktop(info) else "or use a larger machine"
    return Finding("memory", state, f"give Docker {MEMORY // GIB} GiB or more, {where}")


def _file_system(info: Mapping[str, Any]) -> Iterator[Finding]:
    backing = dict(info.get("DriverStatus") or ()).get("Backing Filesystem")
    for name in UNFIT_FILE_SYSTEMS:
        if name in (info.get("Driver"), backing):
            yield Finding(
                "Docker's file system",
                f"{name}, on which the containerd inside k3s cannot keep its images",
                'keep Docker\'s data on ext4 or xfs: "data-root" in /etc/docker/daemon.json, then '
                "`sudo systemctl restart docker`",
            )
    yield from _disk(info)


def _disk(info: Mapping[str, Any]) -> Iterator[Finding]:
    root = Path(str(info.get("DockerRootDir", "")))
    if _is_here(info) and not _is_desktop(info) and root.is_dir():
        usage = shutil.disk_usage(root)
        free, total = usage.free, usage.total
    elif match := DF.search(_inside("df -kP /") or ""):
        free, total = int(match["available"]) * 1024, int(match["size"]) * 1024
    else:
        yield _not_looked_at("disk")
        return
    state = f"{free / GIB:.1f} GiB free for Docker, {free / total:.0%}"
    least = f"{DISK // GIB} GiB and {DISK_SHARE:.0%}"
    if free < DISK or free / total < DISK_SHARE:
        where = "`docker system prune`, or a larger disk"
        yield Finding("disk", state, f"have {least} free: {where}{' in its settings' if _is_desktop(info) else ''}")
    else:
        yield Finding("disk", state)


def _kernel(info: Mapping[str, Any]) -> Iterator[Finding]:
    if _is_here(info):
        limits = {name: _number(INOTIFY_FOLDER / name) for name in INOTIFY}
    elif answer := _inside("cat " + " ".join(f"/proc/sys/fs/inotify/{name}" for name in INOTIFY)):
        limits = dict(zip(INOTIFY, map(int, answer.split()), strict=True))
    else:
        yield _not_looked_at("inotify")
        return
    for name, least in INOTIFY.items():
        value = limits[name]
        if value is None:
            continue
        setting = f"fs.inotify.{name}"
        if value >= least:
            yield Finding(setting, str(value))
        elif _is_here(info):
            line = f"echo {setting}={least} | sudo tee -a /etc/sysctl.d/60-k3d.conf && sudo sysctl --system"
            yield Finding(setting, f"{value}, too low for three nodes", f"`{line}`")
        else:
            script = f"echo {least} > /proc/sys/fs/inotify/{name}"
            line = f"docker run --rm --privileged --entrypoint sh {_image()} -c '{script}'"
            yield Finding(setting, f"{value}, too low for three nodes", f"`{line}`, each time Docker was started")
    if _is_here(info):
        yield from _modules()


def _modules() -> Iterator[Finding]:
    folder = MODULES_FOLDER / platform.release()
    lists = [folder / "modules.builtin", folder / "modules.dep"]
    if not all(file.is_file() for file in lists):
        return
    lines = "\n".join(file.read_text("utf-8") for file in lists).splitlines()
    known = {Path(line.split(":")[0]).name.split(".")[0].replace("-", "_") for line in lines}
    if missing := [name for name in MODULES if name not in known]:
        yield Finding(
            "kernel modules",
            f"no {', '.join(missing)}, which Istio's rules need",
            "install the rest of the kernel's modules: `sudo dnf install kernel-modules-extra`, or "
            "`sudo apt install linux-modules-extra-$(uname -r)`",
        )


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _is_here(info: Mapping[str, Any]) -> bool:
    """Whether Docker runs on this machine's own kernel."""
    return platform.system() == "Linux" and info.get("KernelVersion") == os.uname().release


def _is_desktop(info: Mapping[str, Any]) -> bool:
    return info.get("OperatingSystem") == DESKTOP


def _image() -> str:
    return f"rancher/k3s:{pinned('k3s')}"


def _inside(script: str) -> str | None:
    """What a shell says on Docker's machine, in the image that k3d pulls anyway; None where it is not there yet."""
    if _output(["docker", "image", "inspect", "--format", "{{.Id}}", _image()]) is None:
        return None
    return _output(["docker", "run", "--rm", "--entrypoint", "sh", _image(), "-c", script])


def _not_looked_at(subject: str) -> Finding:
    advice = f"`docker pull {_image()}`, then look again"
    return Finding(subject, "not looked at: it takes a container on Docker's own machine", advice, later=True)
