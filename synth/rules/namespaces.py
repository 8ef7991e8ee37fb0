"""Rules for namespaces: each object has one that exists, and one with pods is guarded."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from synth.cluster import CLUSTER_SCOPED, Cluster, Rule, Violation
from synth.pods import WORKLOADS
from synth.policies import directions
from synth.rules.network import DIRECTIONS
from synth.tree import Object

STANDARD_LABEL = "pod-security.kubernetes.io/enforce"


def namespaces_exist(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.objects:
        if item.kind in CLUSTER_SCOPED:
            if item.namespace:
                yield Violation(item, f"is in namespace {item.namespace}, but its kind has none: leave it out")
        elif not item.namespace:
            yield Violation(item, "has no metadata.namespace: name the namespace it belongs to")
        elif not cluster.find("Namespace", "", item.namespace):
            yield Violation(
                item,
                f"is in namespace {item.namespace}, {cluster.unknown('Namespace', '')}",
            )


def namespaces_have_one_owner(cluster: Cluster) -> Iterator[Violation]:
    """What runs in a namespace comes and goes with it, and counts against its quota: one chart makes both."""
    owners = {item.name: item for item in cluster.of("Namespace")}
    strangers: dict[tuple[str, str], list[Object]] = {}
    for item in cluster.objects:
        owner = owners.get(item.namespace)
        if owner is not None and _chart(owner) != _chart(item):
            strangers.setdefault((item.folder, item.namespace), []).append(item)
    for (_, namespace), (first, *more) in strangers.items():
        if not any(item.kind in WORKLOADS for item in (first, *more)):
            continue
        others = f", as {len(more)} more of this folder are" if more else ""
        yield Violation(
            first,
            f"is in namespace {namespace}{others}, which is {owners[namespace].source}'s: an app has a namespace of "
            "its own, use that",
        )


def _chart(item: Object) -> tuple[str, str]:
    """What tells one chart from another: its module, and the name of the folders that it fills."""
    return item.source, PurePosixPath(item.folder).name


def namespaces_are_guarded(cluster: Cluster) -> Iterator[Violation]:
    """A namespace with pods demands the restricted standard, has a quota, and is closed until a policy opens it."""
    used = {item.namespace for item in cluster.workloads}
    with_quota = {item.namespace for item in cluster.of("ResourceQuota")}
    for item in cluster.of("Namespace"):
        if item.name not in used:
            continue
        standard = (item.document["metadata"].get("labels") or {}).get(STANDARD_LABEL)
        if standard != "restricted":
            yield Violation(
                item,
                f"has pods and {STANDARD_LABEL} {standard or 'nowhere'}: set that label to restricted, so that the API "
                "server refuses pods that are not",
            )
        if item.name not in with_quota:
            yield Violation(item, "has pods and no ResourceQuota: say how much may run in it")
        policies = cluster.within(item.name, "NetworkPolicy")
        for direction in DIRECTIONS:
            if not any(_is_for_all(policy, direction) for policy in policies):
                yield Violation(
                    item,
                    f"has pods and no NetworkPolicy that closes it: add one for all pods with policyTypes {direction}",
                )


def _is_for_all(policy: Object, direction: str) -> bool:
    return not any((policy.spec.get("podSelector") or {}).values()) and direction in directions(policy)


PLACES: tuple[Rule, ...] = (namespaces_exist, namespaces_have_one_owner)
RULES: tuple[Rule, ...] = (namespaces_are_guarded,)
