"""The committed objects, for tests that look up facts; a folder without an environment's is the local cluster's."""

import pickle
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from facts.environments import Environment
from synth.manifest import Document, load

DEPLOY = Path(__file__).parent.parent / "deploy"
APPS = sorted(path.name for path in (DEPLOY / "apps").iterdir() if path.is_dir())


def root(environment: Environment) -> str:
    """What the folders of an environment begin with below deploy/: nothing, or `staging/`."""
    return f"{environment.path}/".removeprefix("deploy/")


def objects(folder: str) -> Iterator[Document]:
    """The objects of one folder of deploy/, Flux's own manifest and the kustomizations left out."""
    for path in sorted((DEPLOY / folder).glob("*.yaml")):
        if path.name not in ("kustomization.yaml", "gotk-components.yaml"):
            yield from objects_of(path)


def objects_of(path: Path) -> list[Document]:
    """All that a file of deploy/ has, which nobody writes to while there are tests: each call's are its own."""
    found: list[Document] = pickle.loads(_read(path))  # noqa: S301, it was put there below
    return found


@cache
def _read(path: Path) -> bytes:
    return pickle.dumps(load(path.read_text("utf-8")))


def the(folder: str, kind: str, name: str | None = None) -> Document:
    """The one object of a kind, and of a name where given, in a folder of deploy/."""
    found = [d for d in objects(folder) if d["kind"] == kind and name in (None, d["metadata"]["name"])]
    assert len(found) == 1, f"{len(found)} objects of kind {kind} in deploy/{folder}"
    return found[0]
