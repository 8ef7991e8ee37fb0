"""A working copy of the project in a temporary folder, to make mistakes in and run commands in as a person would."""

import contextlib
import importlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType

import pytest

import synth.publish as publishing
from synth import ROOT

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
                shutil.copytree(source, root / name, ignore=LEFT_OUT)
            else:
                shutil.copy(source, root / name)
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

    def compile(self, environments: int | None = None) -> Ended:
        """What `synth` does, in this process and with its Node: the copy's charts instead of the project's.

        With a number, only so many environments are compiled, and nothing is published: it would be a part.
        """
        with pytest.MonkeyPatch.context() as patch:
            for name in _modules_of_a_definition():
                patch.delitem(sys.modules, name)
            patch.setattr(sys, "path", [str(self.root), *sys.path])
            patch.setattr(sys, "dont_write_bytecode", True)
            patch.setattr(SourceFileLoader, "source_to_code", _code_of)
            importlib.invalidate_caches()
            if environments is not None:
                patch.setattr(publishing, "publish", lambda *_: [])
                # What is wrong in it is told below.
                with contextlib.suppress(Exception):
                    compose = importlib.import_module("charts.compose")
                    patch.setattr(compose, "ENVIRONMENTS", compose.ENVIRONMENTS[:environments])
            try:
                code, said = importlib.import_module("main").compiled(self.root)
            finally:
                for name in _modules_of_a_definition():
                    del sys.modules[name]
        return Ended(code, "", f"{said}\n")

    def check(self) -> Ended:
        return self.run(sys.executable, "-m", "scripts", "check")

    def deployed(self) -> dict[str, bytes]:
        deploy = self.root / "deploy"
        return {p.relative_to(deploy).as_posix(): p.read_bytes() for p in deploy.rglob("*") if p.is_file()}


def _code_of(_: SourceFileLoader, data: bytes, path: str, **__: object) -> CodeType:
    return _compiled(bytes(data), path)


@cache
def _compiled(data: bytes, path: str) -> CodeType:
    """The code of a module: between two compiles most of them are the same, to the byte."""
    return compile(data, path, "exec", dont_inherit=True)


def _modules_of_a_definition() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] in ("charts", "facts", "main")]
