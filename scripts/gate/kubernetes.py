"""The control planes that judge: one of each Kubernetes that a cluster runs, built from its Go modules.

A build takes minutes and depends on nothing in this clone but what tools/kubernetes/ pins: it is kept in the user's
cache, where every clone finds it.
"""

import json
import os
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from facts.environments import ENVIRONMENTS
from facts.versions import kubernetes_minor, kubernetes_version
from scripts.gate.builds import Build, user_cache
from scripts.gate.definitions import FLUX_GROUPS, SOURCES, without_descriptions
from scripts.gate.go import ENVIRONMENT, module_file
from scripts.programs import ROOT, Programs
from synth import ToolError
from synth.manifest import Document, load

MODULE = ROOT / "tools" / "kubernetes"
NEWEST = "go.mod"
"""The module's own name for its dependencies; those of another minor version stand beside it: `1.34.mod`."""


def minors() -> list[str]:
    """Every minor version that an environment's tree has to be right for, the newest first."""
    return sorted({minor for environment in ENVIRONMENTS for minor in environment.minors}, key=_number, reverse=True)


def _number(minor: str) -> tuple[int, ...]:
    return tuple(map(int, minor.split(".")))


def dependencies(minor: str) -> Path:
    """The file in which the modules of a minor version are pinned.

    Raises:
        ToolError: there is none.
    """
    for file in (MODULE / f"{minor}.mod", MODULE / NEWEST):
        if file.exists() and f"\tk8s.io/kubernetes v{minor}." in file.read_text("utf-8"):
            return file
    raise ToolError(
        f"tools/kubernetes/ pins no Kubernetes {minor}: `./gw refresh kubernetes` pins what "
        "facts/environments.py and versions.yaml name"
    )


def pinned_build(minor: str, name: str, package: str) -> Build:
    """A program of tools/kubernetes/ as it is built for a minor version.

    Raises:
        ToolError: tools/kubernetes/ does not pin this version.
    """
    file = dependencies(minor)
    version = next(line.split()[1] for line in file.read_text("utf-8").splitlines() if "\tk8s.io/kubernetes v" in line)
    major, second = minor.split(".")
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": second}
    variables = tuple((f"k8s.io/component-base/version.{key}", value) for key, value in stamps.items())
    return Build(name, f"Kubernetes {minor}", MODULE, package, file.name, variables)


def _control_plane(minor: str) -> Build:
    return pinned_build(minor, "control-plane", ".")


def is_built() -> bool:
    """Whether nothing has to be built before every environment can be judged."""
    return has_definitions() and all(_control_plane(minor).place.exists() for minor in minors())


def make() -> Path:
    """Build what is not there yet; the folder that everything is in.

    Raises:
        ToolError: Go is missing, or a build fails.
    """
    for minor in minors():
        _control_plane(minor).make()
    fetch_definitions()
    return user_cache()


def program(minor: str) -> Path:
    """The control plane of a minor version.

    Raises:
        ToolError: it is not built.
    """
    found = _control_plane(minor).place
    if not found.exists():
        raise ToolError(f"Kubernetes {minor} is not built: `./gw verify --only kubernetes` builds it")
    return found


def definitions() -> list[Document]:
    """The full definitions of the custom kinds that charts use, as their projects release them."""
    found: list[Document] = json.loads(_definitions_file().read_text("utf-8"))
    return found


def _released() -> list[tuple[str, str]]:
    """Module and file of every definition that a tree does not bring itself, as Flux's does its own."""
    of_others = (source for source in SOURCES if not source.group.endswith(FLUX_GROUPS))
    return list(dict.fromkeys((source.module(), source.file) for source in of_others))


def _definitions_file() -> Path:
    return user_cache() / f"definitions-{sha256(repr(_released()).encode()).hexdigest()[:12]}.json"


def has_definitions() -> bool:
    """Whether `definitions` has something to read."""
    return _definitions_file().exists()


def fetch_definitions() -> None:
    """Have what `definitions` reads.

    Raises:
        ToolError: Go or a module is missing.
    """
    target = _definitions_file()
    if target.exists():
        return
    # Their descriptions are most of the text, and judge nothing.
    found = [without_descriptions(item) for module, file in _released() for item in load(module_file(module, file))]
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}")
    beside.write_text(json.dumps([item for item in found if item["kind"] == "CustomResourceDefinition"]), "utf-8")
    beside.replace(target)


def pin() -> Iterator[str]:
    """Pin what the control planes are built from, for every minor version that an environment names; the files made.

    The newest patch of each, but of the pinned k3s its own. Of its parts, which are modules of their own with a
    version of their own (`k8s.io/api v0.35.5`), the one with that patch, or the newest before it that there is.

    Raises:
        ToolError: Go is missing, or there is no such version.
    """
    kept = {NEWEST, NEWEST.replace(".mod", ".sum")}
    for minor in minors():
        file = MODULE / (NEWEST if minor == kubernetes_minor() else f"{minor}.mod")
        version = f"v{kubernetes_version()}" if minor == kubernetes_minor() else _newest_patch(minor)
        file.write_text(_dependencies(version), "utf-8")
        _go("mod", "tidy", f"-modfile={file}", modules="mod")
        kept |= {file.name, file.with_suffix(".sum").name}
        yield f"tools/kubernetes/{file.name}: Kubernetes {version}"
    for file in MODULE.glob("*.mod"):
        if file.name not in kept:
            file.unlink()
            file.with_suffix(".sum").unlink(missing_ok=True)


def _newest_patch(minor: str) -> str:
    listed = _go("list", "-m", "-versions", "k8s.io/kubernetes").split()
    patches = [version for version in listed if re.fullmatch(rf"v{re.escape(minor)}\.\d+", version)]
    if not patches:
        raise ToolError(f"there is no Kubernetes {minor}: set kubernetes in facts/environments.py to one that there is")
    return patches[-1]


def _dependencies(version: str) -> str:
    """A go.mod for a version: its parts, which its own go.mod takes from beside it, replaced by their releases."""
    own = module_file(f"k8s.io/kubernetes@{version}", "go.mod")
    parts = re.findall(r"^\t(k8s\.io/\S+) => \./staging/", own, re.MULTILINE)
    etcd = re.search(r"^\tgo\.etcd\.io/etcd/client/v3 (\S+)$", own, re.MULTILINE)
    if etcd is None or not parts:
        raise ToolError(f"Kubernetes {version}: its go.mod no longer names etcd's client and its own parts")
    lines = (
        "module github.com/graphwiki/platform/tools/kubernetes",
        "",
        "go 1.26",
        "",
        "require (",
        *(f"\tgo.etcd.io/etcd/{part}/v3 {etcd[1]}" for part in ("client", "server")),
        f"\tk8s.io/kubernetes {version}",
        ")",
        "",
        "replace (",
        *(f"\t{part} => {part} {_released_part(part, version)}" for part in parts),
        ")",
        "",
    )
    return "\n".join(lines)


def _released_part(part: str, version: str) -> str:
    _, minor, patch = version.split(".")
    for candidate in (f"v0.{minor}.{number}" for number in range(int(patch), -1, -1)):
        if Programs().answers("go", "mod", "download", f"{part}@{candidate}"):
            return candidate
    raise ToolError(f"there is no {part} for Kubernetes {version}")


def _go(*arguments: str, modules: str = "readonly") -> str:
    environment = os.environ | ENVIRONMENT | {"GOFLAGS": f"-mod={modules}"}
    return Programs().output("go", *arguments, cwd=MODULE, environment=environment)
