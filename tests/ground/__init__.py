"""The ground that both corpora stand on: a house with apps, clusters and images of its own.

What a person changes in `charts/apps/`, `facts/environments.py` and `images.yaml` of the project changes nothing here,
and so no edit of the corpora loses its place; the shapes, the platform and the rules are the project's.
"""

import shutil
from pathlib import Path

import yaml

from facts.layout import COMPONENTS_FILE, FLUX_FOLDER
from synth import ROOT
from tests.workshop import Workshop

HOUSE = Path(__file__).parent / "house"
ENVIRONMENTS = "facts/environments.py"
KINDS = "facts/what_an_environment_is.py"


APPS_FILE = "charts/apps/__init__.py"


def ground(root: Path) -> Workshop:
    """A working copy whose apps, clusters and images are those of the house."""
    workshop = Workshop.at(root)
    shutil.rmtree(root / "charts/apps")
    (root / ENVIRONMENTS).rename(root / KINDS)
    shutil.rmtree(root / "deploy")
    shutil.copytree(HOUSE, root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    components = next((ROOT / "deploy").rglob(COMPONENTS_FILE)).read_bytes()
    for name in yaml.safe_load((HOUSE / "images.yaml").read_text("utf-8")):
        tree = root / "deploy" / ("" if name == "local" else name) / FLUX_FOLDER
        tree.mkdir(parents=True)
        (tree / COMPONENTS_FILE).write_bytes(components)
    return workshop


def registered(text: str, module: str, name: str) -> str:
    """The list of apps with one more app at its end, as the README says that one is added."""
    lines = text.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("from charts."))
    last = max(index for index, line in enumerate(lines) if line.startswith("from charts."))
    imports = sorted([*lines[first : last + 1], f"from charts.apps.{module} import {name}"])
    end = max(index for index, line in enumerate(lines) if line == ")")
    return "\n".join([*lines[:first], *imports, *lines[last + 1 : end], f"    {name},", *lines[end:], ""])
