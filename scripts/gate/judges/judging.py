"""What a judge is, and how one that is a tool is run and heard."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.gate import tools
from scripts.programs import ROOT
from synth import ToolError

Findings = Iterator[str]


class Remark(str):
    """What a judge has to say that is no fault: what it could not look at."""

    __slots__ = ()


@dataclass(frozen=True)
class Judge:
    """One tool and what it says: `findings` yields a sentence for each fault, `tools` are those that it needs."""

    name: str
    what: str
    findings: Callable[[], Findings]
    tools: tuple[str, ...] = ()


def run(
    name: str, *arguments: str | Path, stdin: str = "", environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a tool in the project's folder, in silence."""
    command = [str(tools.tool(name)), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, input=stdin, capture_output=True, text=True, check=False)


def lines(done: "subprocess.CompletedProcess[str]") -> Findings:
    """Every line that a tool printed where it failed."""
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        yield from said or [f"{done.args[0]} failed with exit code {done.returncode} and said nothing"]


def answers(done: "subprocess.CompletedProcess[str]") -> list[Any]:
    """What a tool answered: JSON values, one behind the other.

    Raises:
        ToolError: it did not.
    """
    decoder, values, rest = json.JSONDecoder(), [], done.stdout.strip()
    try:
        while rest:
            value, end = decoder.raw_decode(rest)
            values.append(value)
            rest = rest[end:].strip()
    except json.JSONDecodeError:
        values = []
    if not values:
        said = (done.stderr or done.stdout).strip()
        raise ToolError(f"{Path(done.args[0]).name} gave no JSON, exit code {done.returncode}: {said}")
    return values


def last_line(done: "subprocess.CompletedProcess[str]") -> str:
    """The last that a tool said before it failed, which is why."""
    return (done.stderr.strip() or "it said nothing").splitlines()[-1]
