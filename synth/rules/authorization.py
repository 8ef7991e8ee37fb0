"""Rules for who may call whom in the mesh: AuthorizationPolicies, and the sidecars that enforce them."""

import re
from collections.abc import Iterator

from synth.cluster import IN_EVERY_NAMESPACE, Cluster, Rule, Violation, shown
from synth.manifest import Document
from synth.mesh import ends, gateways
from synth.pods import pod_labels, selected_labels, selects
from synth.tree import Object

# A workload's identity in the mesh: https://istio.io/latest/docs/concepts/security/#istio-identity
PRINCIPAL = re.compile(r"[^/]+/ns/([^/]+)/sa/([^/]+)")
ROOT_NAMESPACE = "istio-system"
"""Where Istio's policies are for the whole mesh."""
AMBIENT_LABEL = "istio.io/dataplane-mode"
"""Of a namespace whose policies the node's proxy enforces: https://istio.io/latest/docs/ambient/"""


def authorization_policies_name_what_exists(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("AuthorizationPolicy"):
        labels = selected_labels(item.spec.get("selector"))
        if labels and not cluster.has_pods(item.namespace, labels):
            yield Violation(
                item,
                f"is for pods with {shown(labels)} in namespace {item.namespace}, but there are none: use the labels "
                "of a workload",
            )
        for rule in item.spec.get("rules", []):
            for source in rule.get("from", []):
                for principal in (source.get("source") or {}).get("principals", []):
                    # With a * it is a pattern, which may be for accounts that do not exist yet.
                    if "*" not in principal:
                        yield from _account_exists(cluster, item, principal)


def _account_exists(cluster: Cluster, policy: Object, principal: str) -> Iterator[Violation]:
    match = PRINCIPAL.fullmatch(principal)
    if match is None:
        yield Violation(
            policy, f"names {principal}, which is not a principal: cluster.local/ns/NAMESPACE/sa/NAME is one"
        )
        return
    namespace, name = match.groups()
    if ("ServiceAccount", name) not in IN_EVERY_NAMESPACE and not cluster.find("ServiceAccount", namespace, name):
        yield Violation(
            policy,
            f"names ServiceAccount {name} of namespace {namespace}, {cluster.unknown('ServiceAccount', namespace)}",
        )


def routes_pass_authorization_policies(cluster: Cluster) -> Iterator[Violation]:
    """Where policies say who may call a route's pods, the pods of its gateway are among them."""
    for route in cluster.of("VirtualService"):
        for workload in {id(workload): workload for workload, _ in ends(cluster, route)}.values():
            allowing = [p for p in _authorizations(cluster, workload) if p.spec.get("action", "ALLOW") == "ALLOW"]
            for gateway in gateways(cluster, route) if allowing else ():
                if not any(_allows(rule, gateway.namespace) for rule in _rules(allowing)):
                    yield Violation(
                        route,
                        f"leads to {workload}, but no AuthorizationPolicy for its pods lets in callers from namespace "
                        f"{gateway.namespace}, where {gateway} has its pods",
                    )


def _authorizations(cluster: Cluster, workload: Object) -> list[Object]:
    """The AuthorizationPolicies for the pods of a workload."""
    namespaces = dict.fromkeys((workload.namespace, ROOT_NAMESPACE))
    policies = [policy for namespace in namespaces for policy in cluster.within(namespace, "AuthorizationPolicy")]
    return [policy for policy in policies if selects(policy.spec.get("selector"), pod_labels(workload.document))]


def _rules(policies: list[Object]) -> list[Document]:
    return [rule for policy in policies for rule in policy.spec.get("rules", [])]


def _allows(rule: Document, namespace: str) -> bool:
    """Whether a rule may let in callers from a namespace, judged by the namespaces and principals that it names."""
    return "from" not in rule or any(_is_source(origin["source"], namespace) for origin in rule["from"])


def _is_source(source: Document, namespace: str) -> bool:
    for field, wanted in (("principals", f"/ns/{namespace}/"), ("namespaces", namespace)):
        names = source.get(field)
        if names and not any(wanted in name or "*" in name for name in names):
            return False
    return True


def pods_in_the_mesh_say_who_may_call(cluster: Cluster) -> Iterator[Violation]:
    for service in cluster.of("Service"):
        selector = service.spec.get("selector")
        for item in cluster.selected(service.namespace, selector) if selector else ():
            if cluster.has_sidecar(item) and not _authorizations(cluster, item):
                yield Violation(
                    item, "may be called by every pod in the mesh: say who may in an AuthorizationPolicy for its pods"
                )


def policies_of_the_mesh_have_a_sidecar(cluster: Cluster) -> Iterator[Violation]:
    """The sidecar enforces these policies: without one, everybody gets through and nothing reports it."""
    for policy in (*cluster.of("AuthorizationPolicy"), *cluster.of("PeerAuthentication")):
        namespace = cluster.find("Namespace", "", policy.namespace)
        if not isinstance(namespace, Object) or policy.spec.get("targetRefs"):
            continue
        if AMBIENT_LABEL in (namespace.document["metadata"].get("labels") or {}):
            continue
        labels = selected_labels(policy.spec.get("selector"))
        for item in cluster.selected(policy.namespace, labels):
            if not cluster.has_sidecar(item):
                yield Violation(
                    policy,
                    f"is for the pods of {item}, which get no sidecar to enforce it: label {namespace} with "
                    "istio-injection enabled",
                )


RULES: tuple[Rule, ...] = (
    authorization_policies_name_what_exists,
    routes_pass_authorization_policies,
    pods_in_the_mesh_say_who_may_call,
    policies_of_the_mesh_have_a_sidecar,
)
