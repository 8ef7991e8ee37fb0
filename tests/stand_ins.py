"""Stand-ins for tools: they record how they are called, and say and end as a test wants."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

# What shell scripts need, and nothing that a test stands in for.
SYSTEM = "/usr/bin:/bin"

TEMPLATE = """import os, shlex, sys, time
with open({calls!r}, "a") as calls:
    calls.write(shlex.join([{tool!r}, *sys.argv[1:]]) + "\\n")
arguments = " ".join(sys.argv[1:])
{script}
"""


@dataclass(frozen=True)
class StandIns:
    """A folder for PATH. `script` is Python that knows `arguments`, the call's arguments as one text."""

    folder: Path
    system: str = SYSTEM

    @property
    def path(self) -> str:
        return f"{self.folder}:{self.system}" if self.system else str(self.folder)

    def put(self, tool: str, script: str = "") -> None:
        self.folder.mkdir(exist_ok=True)
        calls = str(self.folder / ".calls")
        program = self.folder / f".{tool}.py"
        program.write_text(TEMPLATE.format(calls=calls, tool=tool, script=script), "utf-8")
        # Through sh, because a path with a space cannot stand in a first line.
        file = self.folder / tool
        file.write_text(
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -S {shlex.quote(str(program))} "$@"\n', "utf-8"
        )
        file.chmod(0o755)

    def calls(self) -> list[str]:
        """The calls since the last time they were asked for, in order, each as a shell line."""
        record = self.folder / ".calls"
        if not record.exists():
            return []
        lines = record.read_text("utf-8").splitlines()
        record.unlink()
        return lines
