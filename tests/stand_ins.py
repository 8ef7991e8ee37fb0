"""Stand-ins for tools: they record how they are called, and say and end as a test wants."""

import itertools
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

# What shell scripts need, and nothing that a test stands in for.
SYSTEM = "/usr/bin:/bin"

RECORD = """#!/bin/sh
printf '%s\\0' "$#" {tool} "$@" >>{calls}
"""
"""How many arguments a call has, the tool and the arguments: by a shell, which starts in a tenth of Python's time."""
SAY = """exec {python} -I -S {program} "$@"
"""
PROGRAM = """import os, sys, time
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
        program = self.folder / f".{tool}.py"
        words = {"tool": tool, "calls": self.folder / ".calls", "python": sys.executable, "program": program}
        # Through sh, because a path with a space cannot stand in a first line.
        text = RECORD
        if script:
            program.write_text(PROGRAM.format(script=script), "utf-8")
            text += SAY
        file = self.folder / tool
        file.write_text(text.format_map({name: shlex.quote(str(word)) for name, word in words.items()}), "utf-8")
        file.chmod(0o755)

    def calls(self) -> list[str]:
        """The calls since the last time they were asked for, in order, each as a shell line."""
        record = self.folder / ".calls"
        if not record.exists():
            return []
        words = iter(record.read_text("utf-8").split("\0")[:-1])
        record.unlink()
        return [shlex.join(itertools.islice(words, int(number) + 1)) for number in words]
