"""The tools that judge, in the versions that this project pins, built and installed below .cache/.

Go tools come from the modules in tools/, checkov from tools/checkov.txt into an environment of its own, because it
wants older packages than the tests do. Kubernetes is kept in the user's cache. What is there already is not made again.
"""

import fcntl
import os
import shutil
import sys
from functools import cache
from hashlib import sha256
from pathlib import Path

from scripts.gate import kubernetes, tofu
from scripts.gate.builds import Build
from scripts.gate.go import ENVIRONMENT
from scripts.programs import CACHE, ROOT, Programs, available, wanted
from synth import ToolError

TOOLS = ROOT / "tools"
CHECKOV_LOCK = TOOLS / "checkov.txt"
MODULES = {
    **dict.fromkeys(("kustomize", "kubeconform", "kube-score", "actionlint"), TOOLS),
    "istioctl": TOOLS / "istioctl",
}
"""The Go module that each of the tools that are kept below .cache/ is a tool of."""
SOPS = {
    name: Build(name, name, TOOLS / "sops", package)
    for name, package in (
        ("sops", "github.com/getsops/sops/v3/cmd/sops"),
        ("age-keygen", "filippo.io/age/cmd/age-keygen"),
    )
}
"""What encrypts Secrets; the tests use it, and a person has one of their own."""
WHEELS = ("hadolint", "shellcheck", "yamllint", "zizmor")
"""Installed with requirements.txt."""


def tool(name: str) -> Path:
    """A tool by its name, made if it is not there.

    Raises:
        ToolError: it needs Go, which is missing, or it cannot be made.
    """
    match name:
        case "checkov":
            return _checkov()
        case _ if name in SOPS:
            return SOPS[name].make()
        case "tofu":
            return _tofu()
        case "kubernetes":
            return kubernetes.make()
        case _ if name in MODULES:
            return _built(MODULES[name], name)
    return Path(sys.executable).parent / name


def prepare(names: list[str]) -> None:
    """Make every tool of these that is not there.

    Raises:
        ToolError: some need Go, which is missing; all of them are named.
    """
    if not available("go"):
        needed = [name for name in names if name != "checkov" and not _is_there(name)]
        if needed:
            raise ToolError(f"{', '.join(needed)} cannot be built, go is not on PATH: install {wanted('go')}")
    CACHE.mkdir(exist_ok=True)
    # Two runs at once would build into one folder.
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in names:
            tool(name)


def all_there(names: list[str]) -> bool:
    """Whether nothing has to be made before these tools can be used."""
    return all(_is_there(name) for name in names)


def _is_there(name: str) -> bool:
    if name in WHEELS:
        return True
    if name == "checkov":
        folder = _checkov_folder()
        return (folder / ".ready").exists() and (folder / "bin" / "python").exists()
    if name == "tofu":
        return (tofu.home() / "tofurc").exists()
    if name in SOPS:
        return SOPS[name].place.exists()
    if name == "kubernetes":
        return kubernetes.is_built()
    return (_folder(MODULES[name]) / name).exists()


@cache
def _folder(module: Path) -> Path:
    """Where the tools of a module belong, by what it pins."""
    pins = sha256((module / "go.mod").read_bytes() + (module / "go.sum").read_bytes())
    return CACHE / f"{module.name}-{pins.hexdigest()[:12]}"


def _built(module: Path, name: str) -> Path:
    """A tool of a Go module, of its tool lines."""
    folder = _folder(module)
    if not (folder / name).exists():
        beside = folder.with_name(f".{folder.name}")
        shutil.rmtree(beside, ignore_errors=True)
        command = ("go", "build", "-trimpath", "-ldflags=-s -w", "-o", f"{beside}/", "tool")
        Programs().run(
            *command,
            cwd=module,
            environment=os.environ | ENVIRONMENT,
            hint="is the network there, and is Go 1.26 or newer?",
        )
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    return folder / name


def _tofu() -> Path:
    if not _is_there("tofu"):
        tofu.make()
    return tofu.home() / "tofu"


def _checkov_folder() -> Path:
    return CACHE / f"checkov-{sha256(CHECKOV_LOCK.read_bytes()).hexdigest()[:12]}"


def _checkov() -> Path:
    folder = _checkov_folder()
    # An environment cannot be moved, and is one of a Python; a mark says that it is whole.
    whole = folder / ".ready"
    if not _is_there("checkov"):
        Programs().run(sys.executable, "-m", "venv", "--clear", folder)
        install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", CHECKOV_LOCK)
        Programs().run(folder / "bin" / "python", *install, hint="is the network there?")
        whole.touch()
    return folder / "bin" / "checkov"
