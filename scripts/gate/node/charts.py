"""What the commands of a page install: the charts of other projects, rendered by Helm from their released source."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from facts.environments import Environment
from scripts.gate.go import ENVIRONMENT
from scripts.gate.node import programs
from scripts.programs import ROOT
from synth import ToolError
from synth.manifest import Document, load

PAGE = ROOT / "docs" / "environments.md"
"""The page whose commands install what a managed cluster must have first."""
NAMESPACED = ("ServiceAccount", "Deployment", "DaemonSet", "Service", "ConfigMap", "Role", "RoleBinding")


@dataclass(frozen=True)
class Release:
    """What one command of the page installs: the chart's folder, and what Helm is told about values."""

    name: str
    chart: str
    namespace: str
    values: tuple[str, ...]


def releases(environment: Environment, page: str) -> Iterator[Release]:
    """What the commands of a page install in an environment's cluster, in their order."""
    for line in re.findall(r"^\$ (helm upgrade .*)$", page, re.MULTILINE):
        words = iter(shlex.split(line.replace("$ENV", environment.name)))
        named: dict[str, list[str]] = {}
        others = []
        for word in words:
            if word in ("--namespace", "--version", "--kube-context", "--values", "--set"):
                named.setdefault(word, []).append(next(words))
            elif not word.startswith("--"):
                others.append(word)
        name, chart = others[2:4]
        values = [
            part for option in ("--values", "--set") for value in named.get(option, ()) for part in (option, value)
        ]
        yield Release(name, chart, named["--namespace"][0], tuple(values))


def rendered(release: Release, chart: Path, environment: Environment, options: Sequence[str] = ()) -> list[Document]:
    """What Helm would install of a chart; `options` are more of Helm's own.

    Raises:
        ToolError: Helm cannot render it; in its own words.
    """
    command = [
        *(str(programs.HELM.make()), "template", release.name, str(chart)),
        *("--namespace", release.namespace, "--kube-version", environment.minor, *release.values, *options),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ToolError(f"{release.name}: {done.stderr.strip()}")
    return [_in(release.namespace, document) for document in load(done.stdout)]


def _in(namespace: str, document: Document) -> Document:
    """An object as Helm applies it: in the release's namespace, where it names none and may have one."""
    if document["kind"] in NAMESPACED:
        document["metadata"].setdefault("namespace", namespace)
    return document


@cache
def source(tool: str, module: str) -> Path:
    """Where the source of a module is that a folder of tools/ pins; it is there, since it was built from.

    Raises:
        ToolError: it is not.
    """
    done = subprocess.run(
        ["go", "list", "-m", "-f", "{{.Dir}}", module],  # noqa: S607
        cwd=programs.TOOLS / tool,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | ENVIRONMENT,
    )
    if done.returncode != 0 or not done.stdout.strip():
        raise ToolError(f"the source of {module} is not there: {done.stderr.strip()}")
    return Path(done.stdout.strip())
