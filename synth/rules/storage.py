"""Rules for volumes: each has a class, and no more pods than can mount it."""

from collections.abc import Iterator

from synth.cluster import Cluster, Rule, Violation
from synth.pods import references
from synth.scale import scale
from synth.tree import Object


def claims_find_their_class(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("PersistentVolumeClaim"):
        name = item.spec.get("storageClassName")
        if name and not cluster.find("StorageClass", "", name):
            yield Violation(
                item,
                f"wants StorageClass {name}, {cluster.unknown('StorageClass', '')}",
            )


def volumes_have_one_pod(cluster: Cluster) -> Iterator[Violation]:
    """A ReadWriteOnce volume is for one pod at a time, during a rollout too."""
    for item in cluster.of("Deployment"):
        for kind, name in dict.fromkeys(references(item.document)):
            claim = cluster.find(kind, item.namespace, name)
            if kind != "PersistentVolumeClaim" or not isinstance(claim, Object):
                continue
            if {"ReadWriteMany", "ReadOnlyMany"} & set(claim.spec.get("accessModes", [])):
                continue
            _, most = scale(cluster, item)
            if most > 1:
                yield Violation(
                    item,
                    f"has {most} replicas on {claim}, which one node alone can mount: "
                    "run 1 replica, or declare the volume ReadWriteMany",
                )
            if (item.spec.get("strategy") or {}).get("type") != "Recreate":
                yield Violation(
                    item,
                    f"rolls out with two pods on {claim} for a while: set strategy Recreate, "
                    "or declare the volume ReadWriteMany",
                )


RULES: tuple[Rule, ...] = (
    claims_find_their_class,
    volumes_have_one_pod,
)
