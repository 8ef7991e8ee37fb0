"""Go modules as a source of released files, and of tools that are not installed."""

import json
import os
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from scripts.programs import CACHE, Programs
from synth import ToolError

ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
"""What a caller may have set (GOFLAGS=-mod=vendor, say) must not reach a module that is not the caller's."""


def module_file(module: str, path: str) -> str:
    """The text of a file in a Go module `path@version`.

    Raises:
        ToolError: Go or the module is missing, or the module has no such file.
    """
    try:
        return (module_folder(module) / path).read_text("utf-8")
    except FileNotFoundError:
        raise ToolError(f"{module} has no {path}: its project moved the file, say where to in scripts/") from None


@cache
def module_folder(module: str) -> Path:
    """Where Go keeps the downloaded source of `path@version`."""
    # A folder without a go.mod, so that Go downloads exactly what it is asked for.
    empty = CACHE / "go"
    empty.mkdir(parents=True, exist_ok=True)
    answer = Programs().output(
        "go", "mod", "download", "-json", module, cwd=empty, environment=os.environ | ENVIRONMENT
    )
    return Path(json.loads(answer)["Dir"])


def copied(module: str, target: Path, folder: str = ".") -> Path:
    """A folder of a module, copied to where it can be written to: Go's own copy is read-only."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(module_folder(module) / folder, target, copy_function=shutil.copyfile)
    for made, _, _ in os.walk(target):
        Path(made).chmod(0o755)
    return target


def build(
    source: Path, package: str, target: Path, *, ldflags: str = "-s -w", replace: Mapping[str, str] | None = None
) -> None:
    """Compile a command of a copied module to `target`; `replace` maps a module that is gone to its successor."""
    environment = os.environ | ENVIRONMENT | {"GOFLAGS": "-mod=mod"}
    for gone, successor in (replace or {}).items():
        Programs().run("go", "mod", "edit", f"-replace={gone}={successor}", cwd=source, environment=environment)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}")
    Programs().run("go", "build", f"-ldflags={ldflags}", "-o", beside, package, cwd=source, environment=environment)
    beside.replace(target)
