"""Compile on every save."""

import json
import os
import selectors
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Self, cast

import click

from synth import ROOT, DefinitionError, ToolError

DEFINITION = ("charts", "facts", "images.yaml", "versions.yaml")
COMPILER = ("synth", "imports", "scripts", "main.py")
"""What only a process that has not begun yet reads as it is now."""
OF_THE_SERVER = ("facts", "versions.yaml")
"""What says which Kubernetes there is."""
STEP = 10
"""How many milliseconds without another change end a save: editors write, rename and set the mode of one file."""
TICK = 200
PATIENCE = 60
"""How many seconds a compile may take until the next save starts it anew: a chart may be in a loop."""
RENEWED = 200
"""After how many compiles a process is replaced: Node never forgets an object that it made."""


@click.command()
def watch() -> None:
    """Compile on every save, and show what changed in deploy/, or what is wrong.

    cdk8s stays ready in between. Where `make verify` has built an API server, one is asked about every object that
    changes; what it refuses follows a moment later. Ctrl-C ends it.

    Example: ./gw watch
    """
    with Compiler() as compiler, Server() as server:
        while True:
            _watch(compiler, server)


def _watch(compiler: "Compiler", server: "Server") -> None:
    """Compile now and on every save, until there is a folder more or less to look at."""
    import watchfiles

    left_beside = watchfiles.DefaultFilter()  # What editors and Python leave beside a source.

    def concerns(change: watchfiles.Change, path: str) -> bool:
        return Path(path) != ROOT and _top(path) in (*DEFINITION, *COMPILER) and left_beside(change, path)

    folders = _folders()
    begun = False
    for changes in watchfiles.watch(
        *folders,
        watch_filter=concerns,
        recursive=False,
        step=STEP,
        rust_timeout=TICK,
        yield_on_timeout=True,
    ):
        if begun and not changes:
            continue
        begun = True
        tops = {_top(path) for _, path in changes}
        if tops & {*COMPILER}:
            compiler.start_again()
        if tops & {*COMPILER, *OF_THE_SERVER}:
            server.start_again()
        since = time.perf_counter()
        code, said = compiler.compile()
        click.secho(said, fg="red" if code else None)
        click.secho(f"{time.strftime('%H:%M:%S')}, after {time.perf_counter() - since:.2f} s", dim=True)
        if not code:
            server.ask()
        compiler.rest()
        if _folders() != folders:
            return


def _folders() -> list[Path]:
    """The folders with what a compile reads. Each is looked at alone: the project's own has far more than that."""
    tops = [ROOT / name for name in (*DEFINITION, *COMPILER)]
    below = (Path(folder) for top in tops for folder, _, _ in os.walk(top))
    return [ROOT, *sorted(folder for folder in below if folder.name != "__pycache__")]


def _top(path: str) -> str:
    return Path(path).relative_to(ROOT).parts[0]


class _Helper:
    """A process that runs as long as `watch` does, or until it is started again."""

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start_again(self) -> None:
        self.stop()
        self._start()

    def _start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError


class Compiler(_Helper):
    """A warm process that compiles, and another one when it has ended, failed, or does not answer."""

    def _start(self) -> None:
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the process
        self._shown = 0
        self._compiled = 0
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from scripts.definition.warm import serve; serve()"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
            text=True,
            start_new_session=True,  # Ctrl-C is for this one, which then ends that one.
        )
        self._questions, self._answers = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)
        self._busy = False

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for file in (self._questions, self._answers, self._printed):
            # What could not be sent any more is nothing to say.
            with suppress(OSError):
                file.close()

    def rest(self) -> None:
        """Nothing is wanted just now: a good time to start again what has become large."""
        if self._compiled >= RENEWED:
            self.start_again()

    def compile(self) -> tuple[int, str]:
        """The exit code and what to say, with what the charts print; from a new process where this one cannot tell."""
        if self._busy:
            self.start_again()
        outcome = self._ask()
        if outcome is None or outcome[0] == ToolError.exit_code:
            self.start_again()
            outcome = self._ask()
        code, said = outcome or (
            ToolError.exit_code,
            "the process that compiles has ended: the next save starts another one",
        )
        return code, f"{self._newly_printed()}{said}"

    def _ask(self) -> tuple[int, str] | None:
        """One compile; None where the process has ended."""
        try:
            self._questions.write("\n")
            self._questions.flush()
        except OSError:
            return None
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            self._busy = not selector.select(PATIENCE)
        if self._busy:
            sentence = f"the compile has not ended after {PATIENCE} seconds: the next save starts it anew"
            return DefinitionError.exit_code, sentence
        line = self._answers.readline()
        if not line:
            return None
        self._compiled += 1
        code, said = json.loads(line)
        return code, said

    def _newly_printed(self) -> str:
        # Reading at a place leaves the process alone, which shares the file and where it writes next.
        file = self._printed.fileno()
        text = os.pread(file, os.fstat(file).st_size - self._shown, self._shown)
        self._shown += len(text)
        return text.decode(errors="replace")


class Server(_Helper):
    """A process that asks an API server about what changes in deploy/, where one is built; nobody waits for it."""

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from scripts.gate.standing import serve; serve()"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=_show, args=(self._process.stdout,), daemon=True).start()

    def stop(self) -> None:
        # The server ends with who started it.
        self._process.kill()
        self._process.wait()
        with suppress(OSError):
            cast(IO[str], self._process.stdin).close()

    def ask(self) -> None:
        """What it refuses is shown when it has answered. A process that has ended is left alone until a new start."""
        with suppress(OSError):
            print(file=self._process.stdin, flush=True)


def _show(answers: IO[str]) -> None:
    with answers:
        for line in answers:
            for refusal in json.loads(line):
                click.secho(f"the API server refuses {refusal}", fg="red")
