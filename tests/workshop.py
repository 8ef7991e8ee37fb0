"""A working copy of the project in a temporary folder, to make mistakes in and run commands in as a person would."""

import contextlib
import importlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pytest

import main
import synth
import synth.publish as publishing
from scripts.definition.warm import DEFINITION, compile_again, read_anew
from synth import ROOT
from synth.explain import explained

COPIED = (
    ".ci",
    ".github",
    ".yamllint",
    "charts",
    "containers",
    "deploy",
    "facts",
    "infra",
    "scripts",
    "synth",
    "tests",
    "tools",
    "gw",
    "main.py",
    "images.yaml",
    "versions.yaml",
    "cdk8s.yaml",
    "pyproject.toml",
)
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".terraform*", "*.tfstate*")
SHARED = (".venv", "imports", "node_modules")


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Workshop:
    """The copy; `imports` and what make installs are links to the project's own."""

    root: Path

    @classmethod
    def at(cls, root: Path) -> "Workshop":
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, root / name, ignore=LEFT_OUT, copy_function=_copy)
            else:
                _copy(source, root / name)
        for name in SHARED:
            (root / name).symlink_to(ROOT / name)
        return cls(root)

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.root / path
        text = file.read_text("utf-8")
        assert text.count(old) == 1, f"{path} has {old!r} {text.count(old)} times"
        file.write_text(text.replace(old, new), "utf-8")

    def run(self, *command: str, **environment: str) -> Ended:
        done = subprocess.run(
            command, cwd=self.root, env=os.environ | environment, capture_output=True, text=True, check=False
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def synth(self) -> Ended:
        return self.run(sys.executable, "main.py")

    def compile(self, only: Collection[str] = (), *, publish: bool = True) -> Ended:
        """What `synth` does, in this process and with its Node: the copy's charts instead of the project's.

        With names of environments, the others are left out, also of what is published.
        """
        if not only and publish:
            code, said = compile_again(self.root)
        else:
            with read_anew(self.root), pytest.MonkeyPatch.context() as patch:
                if not publish:
                    patch.setattr(publishing, "publish", lambda *_: [])
                # What is wrong in it is told below.
                with contextlib.suppress(Exception, SystemExit):
                    compose = importlib.import_module("charts.compose")
                    some = tuple(environment for environment in compose.ENVIRONMENTS if environment.name in only)
                    patch.setattr(compose, "ENVIRONMENTS", some)
                code, said = main.compiled(self.root)
        return Ended(code, "", f"{said}\n")

    def command(self, *arguments: str) -> Ended:
        """What `python -m scripts` does, in this process: all is the copy's but for synth, which is the project's."""
        out, err = io.StringIO(), io.StringIO()
        with (
            read_anew(self.root, (*DEFINITION, "scripts")),
            pytest.MonkeyPatch.context() as patch,
            contextlib.chdir(self.root),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            patch.setattr(synth, "ROOT", self.root)
            patch.setattr(explained, "__defaults__", (self.root,))
            code = importlib.import_module("scripts.__main__").execute(list(arguments))
        return Ended(code, out.getvalue(), err.getvalue())

    def deployed(self) -> dict[str, bytes]:
        files = (Path(folder, name) for folder, _, names in os.walk(self.root / "deploy") for name in names)
        start = len(f"{self.root}/deploy/")
        return {str(file)[start:]: file.read_bytes() for file in files}


Stamp = tuple[int, ...]
"""What a file system says of a file whenever it is written to."""


class Kept:
    """A copy for many tests, one after another: `put_back` makes it what it was when this was made."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self._files, self._folders = self._found()
        self._content = {path: Path(path).read_bytes() for path in self._files}

    def put_back(self) -> None:
        files, folders = self._found()
        for path in files.keys() - self._files.keys():
            Path(path).unlink()
        for path in folders - self._folders:
            shutil.rmtree(path, ignore_errors=True)
        for path in self._folders - folders:
            Path(path).mkdir(parents=True, exist_ok=True)
        for path, stamp in self._files.items():
            if files.get(path) != stamp:
                file = Path(path)
                file.unlink(missing_ok=True)
                file.write_bytes(self._content[path])
                file.chmod(stamp[0])
                self._files[path] = _stamp(file.stat())

    def _found(self) -> tuple[dict[str, Stamp], set[str]]:
        """The stamp of every file, and the folders; what is linked, and what Python keeps, stays as it is."""
        files, folders = {}, set()
        left = [str(self.workshop.root)]
        while left:
            with os.scandir(left.pop()) as entries:
                for entry in entries:
                    if entry.is_symlink() or entry.name == "__pycache__":
                        continue
                    if entry.is_dir():
                        folders.add(entry.path)
                        left.append(entry.path)
                    else:
                        files[entry.path] = _stamp(entry.stat())
        return files, folders


def _copy(source: str | Path, target: str | Path) -> None:
    """A file's content, and whether it is a program: a third of what `shutil.copy2` takes."""
    old, new = Path(source), Path(target)
    new.write_bytes(old.read_bytes())
    if (mode := old.stat().st_mode) & 0o111:
        new.chmod(mode)


def _stamp(found: os.stat_result) -> Stamp:
    return found.st_mode, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
