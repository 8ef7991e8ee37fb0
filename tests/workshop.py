"""A working copy of the project in a temporary folder, to make mistakes in and run commands in as a person would."""

import importlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

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
                shutil.copyfile(source, root / name)
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

    def compile(self, monkeypatch: pytest.MonkeyPatch) -> Ended:
        """What `synth` does, in this process and with its Node: the copy's charts instead of the project's."""
        for name in _modules_of_a_definition():
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(sys, "path", [str(self.root), *sys.path])
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        importlib.invalidate_caches()
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


def _modules_of_a_definition() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] in ("charts", "facts", "main")]
