"""A tree as Flux applies it: which Kustomization comes after which, and its objects in their order."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

import yaml

from facts.layout import SYNC_NAME
from synth import DefinitionError
from synth.encrypted import stood_in
from synth.manifest import Document, load
from synth.tree import KUSTOMIZATION_FILE, patched

Files = Mapping[str, str]
"""The text of each file of deploy/ by its path from the repository's root."""

GENERATED = re.compile(r"^# Generated from (\S+) by ", re.MULTILINE)
FLUX_KIND = ("kustomize.toolkit.fluxcd.io", "Kustomization")

# What Flux applies first of a Kustomization, each stage before the next: github.com/fluxcd/pkg/ssa, ApplyAllStaged.
DEFINITIONS = ("CustomResourceDefinition", "Namespace", "ClusterRole")
CLASSES = "Class"
"""The kinds of the second stage end in this: StorageClass, PriorityClass, IngressClass ..."""
# And within a stage in this order: github.com/fluxcd/pkg/ssa, ReconcileOrder.
ORDER = (
    *DEFINITIONS,
    "ClusterClass",
    "RuntimeClass",
    "PriorityClass",
    "StorageClass",
    "VolumeSnapshotClass",
    "IngressClass",
    "GatewayClass",
    "ClusterRoleBinding",
    "ResourceQuota",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "LimitRange",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
)
LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
Identity = tuple[str, str, str, str]
"""Group, kind, namespace and name."""


@dataclass(frozen=True, eq=False)
class Applied:
    """An object of a tree: where it stands, and the chart module that its file names."""

    document: Document
    path: str
    source: str = ""

    @property
    def title(self) -> str:
        metadata = self.document["metadata"]
        place = "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))
        return f"{self.document['kind']} {place}"

    @property
    def identity(self) -> Identity:
        metadata = self.document["metadata"]
        group = self.document["apiVersion"].rpartition("/")[0]
        return group, self.document["kind"], metadata.get("namespace", ""), metadata["name"]

    def says(self, words: str) -> str:
        """One finding: file, object, what there is to say, and who makes the file."""
        return f"{self.path}: {self.title}: {words}" + (f" ({self.source})" if self.source else "")


@dataclass(frozen=True)
class Step:
    """What one Flux Kustomization applies, in its order.

    `user` is the account that it applies as, empty for Flux's own; `forced` says that what cannot be changed is made
    anew.
    """

    name: str
    objects: tuple[Applied, ...]
    user: str = ""
    forced: bool = False


class Reconciliation:
    """One environment's tree as Flux applies it, step by step.

    Raises:
        DefinitionError: a file is no YAML.
    """

    def __init__(self, files: Files, root: str) -> None:
        self._files, self._root = files, root

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Flux's own folder, then what each Kustomization of it applies, after those that it depends on."""
        start = f"{self._root}/flux"
        if f"{start}/{KUSTOMIZATION_FILE}" not in self._files:
            return ()
        steps = [Step(SYNC_NAME, _in_order(self._listed(start)))]
        waiting = self._kustomizations(steps[0])
        done = {SYNC_NAME}
        while waiting:
            # A circle, or a name that is not there, is what our own rules find: whoever waits for it comes at last.
            name = next((name for name, item in waiting.items() if _needs(item) <= done), next(iter(waiting)))
            item = waiting.pop(name)
            done.add(name)
            if name == SYNC_NAME:
                continue
            spec = item["spec"]
            objects = _in_order(self._listed(str(PurePosixPath(spec.get("path", ".")))))
            account = spec.get("serviceAccountName")
            namespace = item["metadata"].get("namespace", "default")
            user = f"system:serviceaccount:{namespace}:{account}" if account else ""
            step = Step(name, objects, user, forced=spec.get("force", False))
            steps.append(step)
            waiting |= {key: found for key, found in self._kustomizations(step).items() if key not in done}
        return tuple(steps)

    @property
    def objects(self) -> Iterator[Applied]:
        for step in self.steps:
            yield from step.objects

    def _kustomizations(self, step: Step) -> dict[str, Document]:
        """The Kustomizations among the objects of a step that read this repository, by name."""
        return {
            item.document["metadata"]["name"]: item.document
            for item in step.objects
            if item.identity[:2] == FLUX_KIND and item.document["spec"].get("sourceRef", {}).get("name") == SYNC_NAME
        }

    def _listed(self, folder: str) -> Iterator[Applied]:
        """The objects of a folder as its kustomization lists them, with its patches."""
        listing = f"{folder}/{KUSTOMIZATION_FILE}"
        if listing not in self._files:
            return
        kustomization = (_documents(listing, self._files[listing]) or [{}])[0]
        for name in kustomization.get("resources") or ():
            path = f"{folder}/{name}"
            if path not in self._files:
                for item in self._listed(path):
                    yield Applied(patched(item.document, kustomization), item.path, item.source)
                continue
            text = self._files[path]
            generated = GENERATED.search(text)
            for document in _documents(path, text):
                yield Applied(patched(document, kustomization), path, generated[1] if generated else "")


def _needs(kustomization: Document) -> set[str]:
    return {item["name"] for item in kustomization["spec"].get("dependsOn") or ()}


def _documents(path: str, text: str) -> list[Document]:
    try:
        found = load(text)
    except yaml.YAMLError as error:
        raise DefinitionError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if any(not isinstance(document, dict) for document in found):
        raise DefinitionError(f"{path} has something that is no Kubernetes object: keep it elsewhere")
    return [stood_in(document) for document in found]


def _in_order(objects: Iterable[Applied]) -> tuple[Applied, ...]:
    return tuple(sorted(objects, key=_rank))


def _rank(item: Applied) -> tuple[int, int, str, str, str]:
    group, kind, namespace, name = item.identity
    stage = 0 if kind in DEFINITIONS else 1 if kind.endswith(CLASSES) else 2
    place = ORDER.index(kind) if kind in ORDER else len(ORDER) + (kind in LAST)
    return stage, place, f"{kind}.{group}", namespace, name
