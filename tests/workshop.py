"""A working copy of the project in a temporary folder, to make mistakes in and run commands in as a person would."""

import contextlib
import importlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import main
import synth.publish as publishing
from scripts.definition.warm import compile_again, read_anew
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
        if environments is None:
            code, said = compile_again(self.root)
        else:
            with read_anew(self.root), pytest.MonkeyPatch.context() as patch:
                patch.setattr(publishing, "publish", lambda *_: [])
                # What is wrong in it is told below.
                with contextlib.suppress(Exception, SystemExit):
                    compose = importlib.import_module("charts.compose")
                    patch.setattr(compose, "ENVIRONMENTS", compose.ENVIRONMENTS[:environments])
                code, said = main.compiled(self.root)
        return Ended(code, "", f"{said}\n")

    def check(self) -> Ended:
        return self.run(sys.executable, "-m", "scripts", "check")

    def deployed(self) -> dict[str, bytes]:
        deploy = self.root / "deploy"
        return {p.relative_to(deploy).as_posix(): p.read_bytes() for p in deploy.rglob("*") if p.is_file()}
