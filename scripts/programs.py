"""Running other people's programs: each call is echoed, a missing tool is named with where to get it."""

import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from facts.versions import kubernetes_minor, pinned
from synth import ROOT as ROOT  # noqa: PLC0414, the scripts have it from here
from synth import ToolError

CACHE = ROOT / ".cache"


def wanted(tool: str) -> str:
    """Which version of a tool this project wants and where to get it, as the end of a sentence."""
    return {
        "age-keygen": "age (https://github.com/FiloSottile/age#installation)",
        "docker": "Docker (https://docs.docker.com/get-docker/)",
        "flux": f"flux {pinned('flux')} (https://fluxcd.io/flux/installation/)",
        "go": "Go 1.26 or newer (https://go.dev/dl/)",
        "k3d": f"k3d {pinned('k3d')} (https://k3d.io)",
        "kubectl": f"kubectl {kubernetes_minor()} (https://kubernetes.io/docs/tasks/tools/)",
        "sops": "SOPS 3.10 or newer (https://getsops.io/docs/#download)",
        "tofu": f"OpenTofu {pinned('opentofu')} (https://opentofu.org/docs/intro/install/) or Terraform 1.6 or newer",
    }[tool]


def available(tool: str) -> bool:
    return shutil.which(tool) is not None


def need(*tools: str) -> None:
    """See that tools are there before the first of many steps.

    Raises:
        ToolError: some are not on PATH; all of them are named.
    """
    if missing := [tool for tool in tools if not available(tool)]:
        raise ToolError("\n".join(f"{tool} is not on PATH: install {wanted(tool)}" for tool in missing))


@dataclass(frozen=True)
class Programs:
    """Runs commands given as argument lists. With `dry_run` they are printed and nothing is run."""

    dry_run: bool = False

    def run(
        self,
        *command: str | Path,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        hint: str = "",
        given: str | None = None,
    ) -> None:
        """Echo a command and run it in `cwd`, the project's folder by default; its output streams through.

        `hint` says what to look at if it fails, `given` is what it reads from standard input, which is not echoed.

        Raises:
            ToolError: the tool is not on PATH, or it ends with another exit code than 0.
        """
        self._run(command, cwd, environment, None, hint, given=given)

    def output(
        self,
        *command: str | Path,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        hint: str = "",
        given: str | None = None,
    ) -> str:
        """Echo a command, run it, return its standard output; empty in a dry run.

        Raises:
            ToolError: the tool is not on PATH, or it ends with another exit code than 0.
        """
        return self._run(command, cwd, environment, subprocess.PIPE, hint, given=given) or ""

    def answers(self, *command: str | Path) -> bool:
        """Whether a command, run in silence, succeeds. No in a dry run: assume that nothing is there yet."""
        if self.dry_run:
            return False
        try:
            return subprocess.run(list(map(str, command)), capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            return False

    def _run(
        self,
        command: tuple[str | Path, ...],
        cwd: Path | None,
        environment: Mapping[str, str] | None,
        stdout: int | None,
        hint: str,
        *,
        given: str | None,
    ) -> str | None:
        arguments = [str(argument) for argument in command]
        click.echo(f"$ {shlex.join(arguments)}", err=True)
        if self.dry_run:
            return None
        try:
            process = subprocess.Popen(
                arguments,
                cwd=cwd or ROOT,
                env=environment,
                stdin=None if given is None else subprocess.PIPE,
                stdout=stdout,
                text=True,
            )
        except FileNotFoundError:
            raise ToolError(f"{arguments[0]} is not on PATH: install {wanted(arguments[0])}") from None
        with process:
            output = _to_its_end(process, given)
        if process.returncode != 0:
            raise ToolError(
                f"{shlex.join(arguments)} failed with exit code {process.returncode}; its output is above"
                + (f"; {hint}" if hint else "")
            )
        return output


def _to_its_end(process: "subprocess.Popen[str]", given: str | None) -> str | None:
    """Wait for a tool; its output, where that is collected.

    Ctrl-C reaches the tool too. It gets the time to end in its own way: Terraform killed in the middle of an apply
    would lose track of what it made.
    """
    interrupted = False
    while True:
        try:
            output, _ = process.communicate(given)
        except KeyboardInterrupt:
            interrupted = True
        else:
            break
    if interrupted:
        raise KeyboardInterrupt
    return output
