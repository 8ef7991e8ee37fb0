"""Rules that hold across the objects of one environment. Each violation is one sentence; all are shown."""

from collections.abc import Iterable, Iterator

from synth import capacity, flux, isolation, matches, routing
from synth.cluster import (
    CLUSTER_SCOPED,
    EVERYWHERE,
    NAMESPACE_LABEL,
    Cluster,
    Provided,
    Rule,
    Violation,
    pod_labels,
    references,
    shown,
)
from synth.fields import check_fields
from synth.manifest import Document
from synth.pods import containers, ports
from synth.tree import Object, Tree


def check(tree: Tree, provided: Iterable[Provided]) -> list[Violation]:
    """Every violation of every rule in one environment's tree, in the order of the objects."""
    cluster = Cluster(tree, provided)
    families = (RULES, isolation.RULES, routing.RULES, matches.RULES, capacity.RULES, flux.RULES)
    violations = [violation for rules in families for rule in rules for violation in rule(cluster)]
    order = {id(item): index for index, item in enumerate(cluster.objects)}
    return sorted(violations, key=lambda violation: order[id(violation.subject)])


def fields_are_valid(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.objects:
        for problem in check_fields(item):
            yield Violation(item, problem)


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
    """Two owners of one object fight; an app in somebody's namespace would put its policies on all that is there."""
    provided = {(given.kind, given.namespace, given.name): given for given in cluster.provided}
    for item in cluster.objects:
        if given := provided.get((item.kind, item.namespace, item.name)):
            yield Violation(item, f"belongs to {given.by}, which brings it: choose another name or namespace")


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


def pods_match_their_selector(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.workloads:
        wanted = (item.spec.get("selector") or {}).get("matchLabels") or {}
        if not wanted.items() <= pod_labels(item.document).items():
            yield Violation(
                item,
                f"selects pods with {shown(wanted)}, but its pods have "
                f"{shown(pod_labels(item.document)) or 'no labels'}: make them agree",
            )


def pods_find_what_they_name(cluster: Cluster) -> Iterator[Violation]:
    # A Secret may be the work of cert-manager; the two others Kubernetes puts into every namespace.
    issued = {(c.namespace, c.spec.get("secretName")) for c in cluster.of("Certificate")}
    for item in cluster.workloads:
        for kind, name in references(item.document):
            if (kind, name) in EVERYWHERE or (kind == "Secret" and (item.namespace, name) in issued):
                continue
            namespace = "" if kind in CLUSTER_SCOPED else item.namespace
            if not cluster.find(kind, namespace, name):
                where = f" in namespace {namespace}" if namespace else ""
                yield Violation(
                    item,
                    f"needs {kind} {name}{where}, {cluster.unknown(kind, namespace)}",
                )


def claims_find_their_class(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("PersistentVolumeClaim"):
        name = item.spec.get("storageClassName")
        if name and not cluster.find("StorageClass", "", name):
            yield Violation(
                item,
                f"wants StorageClass {name}, {cluster.unknown('StorageClass', '')}",
            )


def services_reach_one_workload(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("Service"):
        selector = item.spec.get("selector")
        if not selector:
            continue
        targets = cluster.selected(item.namespace, selector)
        if len(targets) != 1:
            found = ", ".join(map(str, targets)) or "none"
            yield Violation(
                item,
                f"selects pods with {shown(selector)}, which must be those of one workload in namespace "
                f"{item.namespace}, but are those of {found}",
            )
            continue
        offered = ports(containers(targets[0].document))
        for port in item.spec.get("ports", []):
            target = port.get("targetPort", port["port"])
            if target not in offered:
                yield Violation(
                    item,
                    f"sends port {port['port']} to target port {target}, but the pods of {targets[0]} offer "
                    f"{', '.join(map(str, offered)) or 'none'}",
                )


def network_policies_select_pods(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("NetworkPolicy"):
        labels = (item.spec.get("podSelector") or {}).get("matchLabels") or {}
        if not cluster.has_pods(item.namespace, labels):
            yield Violation(
                item,
                f"selects {f'pods with {shown(labels)}' if labels else 'all pods'} in namespace {item.namespace}, "
                "but there are none: use the labels of a workload",
            )
        for direction, key in (("ingress", "from"), ("egress", "to")):
            for rule in item.spec.get(direction, []):
                for peer in rule.get(key, []):
                    yield from _peer_exists(cluster, item, direction, peer)


def _peer_exists(cluster: Cluster, policy: Object, direction: str, peer: Document) -> Iterator[Violation]:
    namespaces = (peer.get("namespaceSelector") or {}).get("matchLabels") or {}
    if "namespaceSelector" in peer and NAMESPACE_LABEL not in namespaces:
        return
    namespace = namespaces.get(NAMESPACE_LABEL, policy.namespace)
    if not cluster.find("Namespace", "", namespace):
        yield Violation(
            policy,
            f"names namespace {namespace} for {direction}, {cluster.unknown('Namespace', '')}",
        )
    elif "podSelector" in peer:
        labels = peer["podSelector"].get("matchLabels") or {}
        if labels and not cluster.has_pods(namespace, labels):
            yield Violation(
                policy,
                f"names pods with {shown(labels)} in namespace {namespace} for {direction}, "
                "but there are none, made here or provided: use the labels of a workload",
            )


RULES: tuple[Rule, ...] = (
    identities_are_unique,
    nothing_provided_is_defined,
    namespaces_exist,
    fields_are_valid,
    pods_match_their_selector,
    pods_find_what_they_name,
    claims_find_their_class,
    services_reach_one_workload,
    network_policies_select_pods,
)
