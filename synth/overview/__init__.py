"""What is in one environment, told by its objects: its apps, the way to them, what they take and keep, who calls whom.

From a tree in memory (`overview`) or from the files in deploy/ (`read`), for which neither Node nor cdk8s is needed.
"""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from synth.cluster import Cluster
from synth.manifest import Document, load
from synth.overview.calls import calls
from synth.overview.model import APPS, Overview, Party, Route
from synth.overview.parts import app_of
from synth.overview.ways import gateway_of, ways
from synth.tree import APPLY_ORDER, KUSTOMIZATION_FILE, File, Object, Tree, is_generated

__all__ = ["Overview", "overview", "read"]


def overview(objects: Iterable[Object], root: str) -> Overview:
    """The overview of an environment, whose objects stand below the folder `root` (`deploy/staging`).

    The objects must keep to the rules. What is wrong with them the rules say; this does not.
    """
    files: dict[str, tuple[Document, ...]] = {}
    for item in sorted(objects, key=_place):
        files[item.path] = (*files.get(item.path, ()), item.document)
    cluster = Cluster(Tree({path: File(documents, "") for path, documents in files.items()}), ())
    found = tuple(ways(cluster, root))
    by_service: dict[Party, list[Route]] = {}
    for way in found:
        by_service.setdefault(way.service, []).append(way)
    folders: dict[str, list[Object]] = {}
    for item in cluster.objects:
        folders.setdefault(_part(item.folder.removeprefix(f"{root}/")), []).append(item)
    parts = [app_of(cluster, folder, items, by_service) for folder, items in folders.items()]
    return Overview(
        root,
        tuple(gateway_of(item) for item in cluster.of("Gateway")),
        tuple(sorted((part for part in parts if _is_app(part.folder)), key=lambda part: part.name)),
        tuple(part for part in parts if not _is_app(part.folder) and (part.workloads or part.volumes)),
        found,
        tuple(calls(cluster)),
    )


def read(base: Path, root: str) -> Overview:
    """The overview of an environment from its files below `base / root`, as the last compile left them.

    Reads what says that it is generated, in the folders that Flux applies: those with a kustomization. What stands
    beside it, and Flux's own manifest, are somebody else's.
    """
    objects = []
    for listing in sorted((base / root).glob(f"*/{KUSTOMIZATION_FILE}")):
        for file in sorted(listing.parent.rglob("*.yaml")):
            text = file.read_text("utf-8")
            if file.name != KUSTOMIZATION_FILE and is_generated(text):
                path = file.relative_to(base).as_posix()
                objects += [Object(document, "", path) for document in load(text)]
    return overview(objects, root)


def _place(item: Object) -> tuple[str | int, ...]:
    """Where an object comes in the overview, in whichever order the objects are given: as Flux applies a folder."""
    rank = APPLY_ORDER.index(item.kind) if item.kind in APPLY_ORDER else len(APPLY_ORDER)
    return item.folder, rank, item.kind, item.namespace, item.name


def _part(folder: str) -> str:
    """The folder of the part that a folder belongs to: what the platform says of an app is part of that one."""
    path = PurePosixPath(folder)
    return f"{APPS}/{path.name}" if path.parent.name == APPS else folder


def _is_app(folder: str) -> bool:
    return PurePosixPath(folder).parts[0] == APPS
