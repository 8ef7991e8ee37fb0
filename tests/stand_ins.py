"""Stand-ins for tools: they record how they are called, and say and end as a test wants."""

import itertools
import shlex
from dataclasses import dataclass
from pathlib import Path

# What shell scripts need, and nothing that a test stands in for.
SYSTEM = "/usr/bin:/bin"

RECORD = """#!/bin/sh
printf '%s\\0' "$#" {tool} "$@" >>{calls}
"""
"""How many arguments a call has, the tool and the arguments: by a shell, which starts in a tenth of Python's time."""


def says(text: str, when: str = "") -> str:
    """A script that says a text, in the calls that have `when` among their arguments."""
    return _in_calls(when, f"printf '%s\\n' {shlex.quote(text)}")


def fails(why: str = "", when: str = "") -> str:
    """A script that ends with exit code 1 and the reason, if any, in the calls that have `when` in their arguments."""
    say = f"printf '%s\\n' {shlex.quote(why)} >&2; " if why else ""
    return _in_calls(when, f"{say}exit 1")


def _in_calls(when: str, commands: str) -> str:
    return f'case "$*" in *{shlex.quote(when)}*) {commands};; esac\n'


@dataclass(frozen=True)
class StandIns:
    """A folder for PATH; a `script` is one of a shell, whose `$*` are the call's arguments as one text."""

    folder: Path
    system: str = SYSTEM

    @property
    def path(self) -> str:
        return f"{self.folder}:{self.system}" if self.system else str(self.folder)

    def put(self, tool: str, script: str = "") -> None:
        self.folder.mkdir(exist_ok=True)
        record = RECORD.format(tool=shlex.quote(tool), calls=shlex.quote(str(self.folder / ".calls")))
        file = self.folder / tool
        file.write_text(record + script, "utf-8")
        file.chmod(0o755)

    def calls(self) -> list[str]:
        """The calls since the last time they were asked for, in order, each as a shell line."""
        record = self.folder / ".calls"
        if not record.exists():
            return []
        words = iter(record.read_text("utf-8").split("\0")[:-1])
        record.unlink()
        return [shlex.join(itertools.islice(words, int(number) + 1)) for number in words]
