"""An environment before and after a change: what became of each object, and which Kustomization applies it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import PurePosixPath

from synth.cluster import Cluster
from synth.manifest import Document
from synth.tree import File, Object, Tree

FLUX = "kustomize.toolkit.fluxcd.io"
"""The group of Flux's Kustomization, and of the annotations by which an object says how Flux treats it."""

Identity = tuple[str, str, str, str]


class Risk(StrEnum):
    """What may come of a change; the value is the word by which it is acknowledged."""

    REFUSED = "refused"
    LOST = "lost"
    DELETED = "deleted"
    STOPPED = "stopped"
    OUTAGE = "outage"
    UNPINNED = "unpinned"


@dataclass(frozen=True)
class Hazard:
    """One thing that a change does to a cluster and that nobody sees in the difference of the files.

    `what` says what happens, `steps` what to do instead, one after the other; names and commands stand in backticks
    in both. `detail` is what differs from one object to the next, as the values before and after. A notice need not be
    acknowledged.
    """

    risk: Risk
    item: Object
    what: str
    steps: tuple[str, ...]
    detail: str = ""
    notice: bool = False


class Sides:
    """The objects of one environment before and after a change."""

    def __init__(self, before: Iterable[Object], after: Iterable[Object]) -> None:
        self.before, self.after = _cluster(before), _cluster(after)
        self._old, self._new = ({item.identity: item for item in side.objects} for side in (self.before, self.after))

    @cached_property
    def both(self) -> list[tuple[Object, Object]]:
        """The objects that are on both sides."""
        return [(self._old[key], item) for key, item in self._new.items() if key in self._old]

    @cached_property
    def removed(self) -> list[Object]:
        return [item for key, item in self._old.items() if key not in self._new]

    @cached_property
    def added(self) -> list[Object]:
        return [item for key, item in self._new.items() if key not in self._old]

    @cached_property
    def stopped(self) -> Object | None:
        """The Kustomization that applies itself, where its folder has nothing any more: nobody can tell it of one."""
        for item in kustomizations(self.before):
            if is_below(item.path, folder_of(item)) and not _has(self.after, folder_of(item)):
                return item
        return None

    @cached_property
    def going(self) -> list[Object]:
        """The removed objects that Flux deletes; the others stay in the cluster."""
        return [] if self.stopped else [item for item in self.removed if not is_kept(item) and self._is_pruned(item)]

    def _is_pruned(self, item: Object) -> bool:
        owner = applied_by(self.before, item)
        if owner is None:
            return True
        now = self.now(owner)
        if now is None:
            return deletes(owner)
        prunes = bool(owner.spec.get("prune") or now.spec.get("prune")) and not now.spec.get("suspend")
        return prunes and _has(self.after, folder_of(now))

    def now(self, item: Object) -> Object | None:
        """What an object of before is afterwards."""
        return self._new.get(item.identity)

    def same_name(self, kind: str) -> Iterator[tuple[Object, Object]]:
        """The objects of a kind that are on both sides."""
        return ((old, new) for old, new in self.both if new.kind == kind)


def _cluster(objects: Iterable[Object]) -> Cluster:
    files: dict[str, tuple[Document, ...]] = {}
    for item in objects:
        files[item.path] = (*files.get(item.path, ()), item.document)
    return Cluster(Tree({path: File(documents, "") for path, documents in files.items()}), ())


def says(item: Object, name: str, value: str) -> bool:
    """Whether an annotation or a label of Flux's group has a value, in whichever case.

    https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources
    """
    metadata = item.document["metadata"]
    return any(
        str((metadata.get(place) or {}).get(f"{FLUX}/{name}", "")).lower() == value.lower()
        for place in ("annotations", "labels")
    )


def is_kept(item: Object) -> bool:
    """Whether Flux leaves an object in the cluster when it is no longer in the tree."""
    return any(says(item, *said) for said in (("prune", "disabled"), ("reconcile", "disabled"), ("ssa", "ignore")))


def kustomizations(cluster: Cluster) -> list[Object]:
    """Flux's Kustomizations."""
    return [item for item in cluster.of("Kustomization") if item.group == FLUX]


def folder_of(kustomization: Object) -> str:
    """The folder that a Kustomization applies, from the repository's root."""
    return str(PurePosixPath(str(kustomization.spec.get("path", ""))))


def is_below(path: str, folder: str) -> bool:
    return folder == "." or PurePosixPath(path).is_relative_to(folder)


def _has(cluster: Cluster, folder: str) -> bool:
    return any(is_below(item.path, folder) for item in cluster.objects)


def deletes(kustomization: Object) -> bool:
    """Whether a Kustomization that is deleted deletes what it applied.

    https://fluxcd.io/flux/components/kustomize/kustomizations/#deletion-policy
    """
    match kustomization.spec.get("deletionPolicy", "MirrorPrune"):
        case _ if kustomization.spec.get("suspend"):
            return False
        case "MirrorPrune":
            return bool(kustomization.spec.get("prune"))
        case policy:
            return str(policy) != "Orphan"


def applied_by(cluster: Cluster, item: Object) -> Object | None:
    """The Kustomization that applies an object: of those above its file the nearest one."""
    above = [owner for owner in kustomizations(cluster) if is_below(item.path, folder_of(owner))]
    return max(above, key=lambda owner: len(folder_of(owner)), default=None)


def command(verb: str, item: Object, *more: str) -> str:
    """A call of kubectl for one object."""
    namespace = ("--namespace", item.namespace) if item.namespace else ()
    return code(" ".join(("kubectl", *namespace, verb, item.kind.lower(), item.name, *more)))


def code(text: object) -> str:
    """A value, a name or a command in a sentence."""
    return f"`{text}`" if "`" not in str(text) else f"`` {text} ``"


def listed(items: Iterable[Object]) -> str:
    """Objects in a sentence, the same kind together: "Deployments `a` and `b`, Service `a`"."""
    names: dict[str, list[str]] = {}
    for item in items:
        names.setdefault(item.kind, []).append(code(item.name))
    return ", ".join(f"{kind} {' and '.join(dict.fromkeys(found))}" for kind, found in names.items())
