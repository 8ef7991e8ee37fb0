"""Rules for what is there and nobody reads: mostly what reads it has another name for it."""

from collections.abc import Iterator, Mapping
from typing import Any

from synth.cluster import Cluster, Rule, Violation
from synth.tree import Object

OWN_LABELS = "app.kubernetes.io/"
"""What labels begin with that say whose an object is; by others somebody may look for it."""
ANY = "*"


def what_is_kept_for_pods_is_read(cluster: Cluster) -> Iterator[Violation]:
    """A ConfigMap that no object of its namespace names, and no account there may read."""
    for item in cluster.of("ConfigMap"):
        if _is_looked_for(item) or _may_be_read(cluster, item):
            continue
        if not any(
            _names(other, item.name) for other in cluster.objects if other is not item and _is_near(other, item)
        ):
            yield Violation(
                item,
                f"is read by nobody: name it in a volume or in envFrom of the pods of namespace {item.namespace}, or "
                "take it out",
            )
    for given in cluster.provided:
        namespace = cluster.find("Namespace", "", given.namespace)
        if given.kind != "Secret" or not isinstance(namespace, Object):
            continue
        if not any(_names(other, given.name) for other in cluster.objects if other.namespace == given.namespace):
            yield Violation(
                namespace,
                f"has Secret {given.name}, made by {given.by}, which nobody there reads: mount it, or take it out",
            )


def _is_looked_for(item: Object) -> bool:
    metadata = item.document["metadata"]
    labels = [key for key in metadata.get("labels") or {} if not key.startswith(OWN_LABELS)]
    return bool(labels or metadata.get("annotations"))


def _may_be_read(cluster: Cluster, item: Object) -> bool:
    """Whether an account has the right to ask the API server for it."""
    roles = [*cluster.within(item.namespace, "Role"), *cluster.of("ClusterRole")]
    return any(
        {"configmaps", ANY} & set(rule.get("resources") or [])
        and (not rule.get("resourceNames") or item.name in rule["resourceNames"])
        for role in roles
        for rule in role.document.get("rules") or []
    )


def _is_near(other: Object, item: Object) -> bool:
    """Whether an object may name one of a namespace: Flux's may be anywhere."""
    return other.namespace == item.namespace or other.group.endswith("toolkit.fluxcd.io")


def _names(item: Object, name: str) -> bool:
    return any(_has(value, name) for key, value in item.document.items() if key != "metadata")


def _has(value: Any, name: str) -> bool:
    if isinstance(value, Mapping):
        return any(_has(inner, name) for inner in value.values())
    if isinstance(value, list):
        return any(_has(inner, name) for inner in value)
    return bool(value == name)


RULES: tuple[Rule, ...] = (what_is_kept_for_pods_is_read,)
