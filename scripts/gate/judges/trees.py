"""The judges of what Flux would apply: kustomize, kubeconform, istioctl."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from facts.environments import ENVIRONMENTS, Environment
from facts.layout import UNITS
from scripts.gate.judges.judging import Findings, answers, last_line, run
from scripts.programs import ROOT
from synth import DefinitionError
from synth.encrypted import stood_in
from synth.manifest import Document, dump, load
from synth.schemas import write_schemas
from synth.tree import KUSTOMIZATION_FILE, patched


def kustomize() -> Findings:
    for file in sorted((ROOT / "deploy").rglob(KUSTOMIZATION_FILE)):
        yield from _built_as_rendered(file.parent)


def _built_as_rendered(folder: Path) -> Findings:
    """Whether what kustomize makes of a folder is what its files have, object by object and in their order."""
    place = folder.relative_to(ROOT)
    # As listed, and not in the order that kustomize has of its own.
    done = run("kustomize", "build", "--reorder", "none", place)
    if done.returncode != 0:
        yield f"{place}: {last_line(done)}"
        return
    listed = documents_of(folder / KUSTOMIZATION_FILE)[0].get("resources", [])
    for name in sorted({entry.name for entry in folder.iterdir()} - {KUSTOMIZATION_FILE, *listed}):
        yield f"{place}: {KUSTOMIZATION_FILE} does not list {name}, so it would be lost"
    built, rendered = load(done.stdout), list(_listed(folder))
    if [identity(item) for item in built] != [identity(item) for item in rendered]:
        lost = [name for name in map(identity, rendered) if name not in map(identity, built)]
        missing = ", ".join(lost) or "none"
        yield f"{place}: kustomize gives other objects than the files, or another order; lost: {missing}"
        return
    for made, given in zip(built, rendered, strict=True):
        if made != given:
            yield f"{place}: kustomize changes {identity(given)}"


def _listed(folder: Path) -> Iterator[Document]:
    """The objects of a folder as its kustomization lists them, with its patches."""
    kustomization = documents_of(folder / KUSTOMIZATION_FILE)[0]
    for name in kustomization.get("resources", []):
        place = folder / name
        for document in _listed(place) if place.is_dir() else documents_of(place):
            yield patched(document, kustomization)


def documents_of(file: Path) -> list[Document]:
    """The objects of a file.

    Raises:
        DefinitionError: it is no YAML, or something in it is no object.
    """
    try:
        documents = load(file.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{file.relative_to(ROOT)} is no YAML: {' '.join(str(error).split())}") from error
    for document in documents:
        kustomization = file.name == KUSTOMIZATION_FILE
        if not (isinstance(document, dict) and (kustomization or {"kind", "metadata"} <= document.keys())):
            raise DefinitionError(
                f"{file.relative_to(ROOT)} has something that is no Kubernetes object: keep it elsewhere"
            )
    return documents or [{}]


def identity(document: Document) -> str:
    metadata = document["metadata"]
    return f"{document['kind']} {metadata.get('namespace', '')}/{metadata['name']}"


def build(environment: Environment) -> str:
    """Everything that Flux would apply to an environment's cluster, as one YAML stream.

    Raises:
        DefinitionError: kustomize cannot build it.
    """
    units = [f"{environment.path}/{unit}" for unit in UNITS if (ROOT / environment.path / unit).exists()]
    built = [run("kustomize", "build", unit) for unit in units]
    if failed := [last_line(done) for done in built if done.returncode != 0]:
        raise DefinitionError(f"{environment.path}: {'; '.join(failed)}")
    return dump([stood_in(item) for done in built for item in load(done.stdout)])


def kubeconform() -> Findings:
    for environment, minor in ((each, minor) for each in ENVIRONMENTS for minor in each.minors):
        with tempfile.TemporaryDirectory() as folder:
            places = write_schemas(Path(folder), minor)
            locations = [part for place in places for part in ("-schema-location", place)]
            version = (*("-kubernetes-version", f"{minor}.0"), "-output", "json")
            done = run("kubeconform", "-strict", *version, *locations, stdin=build(environment))
            for item in answers(done)[0]["resources"]:
                yield f"{environment.path}: {item['kind']} {item['name']}: {item['msg']}"


def istioctl() -> Findings:
    with tempfile.TemporaryDirectory() as folder:
        for environment in ENVIRONMENTS:
            # One file for each environment: objects of one name would overwrite each other.
            file = Path(folder) / f"{environment.name}.yaml"
            file.write_text(build(environment), "utf-8")
            done = run("istioctl", "analyze", "--use-kube=false", "--all-namespaces", "--output", "json", file)
            for message in answers(done)[0] if done.stdout.strip() else ():
                yield f"{environment.path}: {message['origin']}: {message['code']} {message['message']}"
            if done.returncode != 0 and not done.stdout.strip():
                yield f"{environment.path}: {done.stderr.strip()}"
