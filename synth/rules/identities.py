"""Rules for what tells one object from another: nothing is defined twice, or here and by somebody else."""

from collections.abc import Iterator

from synth.cluster import Cluster, Rule, Violation
from synth.tree import Object


def identities_are_unique(cluster: Cluster) -> Iterator[Violation]:
    first: dict[tuple[str, str, str, str], Object] = {}
    for item in cluster.objects:
        if other := first.get(item.identity):
            where = f" in namespace {item.namespace}" if item.namespace else ""
            yield Violation(
                item,
                f"is defined twice{where}, here and in {other.folder} ({other.source}): rename one or drop it",
            )
        first.setdefault(item.identity, item)


def nothing_provided_is_defined(cluster: Cluster) -> Iterator[Violation]:
    """Two owners of an object undo each other's work; an app in another's namespace puts its policies on that one."""
    provided = {(given.kind, given.namespace, given.name): given for given in cluster.provided}
    for item in cluster.objects:
        if by := PUT_EVERYWHERE.get((item.kind, item.name)):
            yield Violation(item, f"belongs to {by}, which puts it into every namespace: choose another name")
        if given := provided.get((item.kind, item.namespace, item.name)):
            yield Violation(item, f"belongs to {given.by}, which brings it: choose another name or namespace")


PUT_EVERYWHERE = {("ConfigMap", "kube-root-ca.crt"): "Kubernetes", ("ConfigMap", "istio-ca-root-cert"): "istiod"}

RULES: tuple[Rule, ...] = (
    identities_are_unique,
    nothing_provided_is_defined,
)
