"""Running other people's tools: each call is echoed, a missing tool is named with where to get it."""

import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import click

from synth import ToolError
from synth.versions import pinned

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache"


def wanted(tool: str) -> str:
    """Which version of a tool this project wants and where to get it, as the end of a sentence."""
    return {
        "flux": f"flux {pinned('flux')} (https://fluxcd.io/flux/installation/)",
        "go": "Go 1.26 or newer (https://go.dev/dl/)",
    }[tool]


def available(tool: str) -> bool:
    return shutil.which(tool) is not None


def run(*command: str | Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Echo a command, run it, return its standard output; its standard error streams through.

    Raises:
        ToolError: the tool is not on PATH, or it ends with another exit code than 0.
    """
    arguments = [str(argument) for argument in command]
    click.echo(f"$ {shlex.join(arguments)}", err=True)
    try:
        done = subprocess.run(arguments, cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    except FileNotFoundError:
        raise ToolError(f"{arguments[0]} is not on PATH: install {wanted(arguments[0])}") from None
    if done.returncode != 0:
        raise ToolError(f"{shlex.join(arguments)} failed with exit code {done.returncode}; its output is above")
    return done.stdout
