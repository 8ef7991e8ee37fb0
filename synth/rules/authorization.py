"""Rules for who may call whom in the mesh: AuthorizationPolicies, and the sidecars that enforce them."""

import re
from collections.abc import Iterator

from synth.cluster import IN_EVERY_NAMESPACE, Cluster, Rule, Violation, shown
from synth.manifest import Document
from synth.mesh import ends, gateways
from synth.pods import Port, containers, declared, selected_labels
from synth.policies import authorizations, rules_of
from synth.tree import Object

# A workload's identity in the mesh: https://istio.io/latest/docs/concepts/security/#istio-identity
PRINCIPAL = re.compile(r"[^/]+/ns/([^/]+)/sa/([^/]+)")
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


def authorization_policies_name_ports_of_pods(cluster: Cluster) -> Iterator[Violation]:
    """The sidecar sees the port of the pod, never the Service's: a rule for another port matches no request."""
    for item in cluster.of("AuthorizationPolicy"):
        labels = selected_labels(item.spec.get("selector"))
        pods = [list(declared(containers(w.document))) for w in cluster.selected(item.namespace, labels)]
        if not pods or not all(pods):
            continue
        offered = list(dict.fromkeys(str(port.number) for ports in pods for port in ports))
        named = [port for rule in rules_of([item], "rules") for to in rule.get("to") or [] for port in _ports(to)]
        for port in dict.fromkeys(named):
            if port not in offered:
                yield Violation(
                    item,
                    f"is for requests to port {port}, which no request has: the pods listen on {', '.join(offered)}, "
                    "name that instead of the Service's",
                )


def _ports(to: Document) -> list[str]:
    return [str(port) for port in (to.get("operation") or {}).get("ports") or []]


def routes_pass_authorization_policies(cluster: Cluster) -> Iterator[Violation]:
    """Where policies say who may call a route's pods, the pods of its gateway are among them."""
    for route in cluster.of("VirtualService"):
        for workload, port in {id(workload): (workload, port) for workload, port in ends(cluster, route)}.values():
            allowing = [p for p in authorizations(cluster, workload) if p.spec.get("action", "ALLOW") == "ALLOW"]
            for gateway in gateways(cluster, route) if allowing else ():
                callers = [rule for rule in rules_of(allowing, "rules") if _allows(rule, gateway.namespace)]
                if callers and not any(_is_for(rule, port, route.spec.get("hosts", [])) for rule in callers):
                    yield Violation(
                        route,
                        f"leads to {workload}, but no AuthorizationPolicy for its pods allows a GET of "
                        f"{', '.join(route.spec.get('hosts', []))} on port {port.number}: fit the rule's operations",
                    )
                if not callers:
                    yield Violation(
                        route,
                        f"leads to {workload}, but no AuthorizationPolicy for its pods lets in callers from namespace "
                        f"{gateway.namespace}, where {gateway} has its pods",
                    )


def _allows(rule: Document, namespace: str) -> bool:
    """Whether a rule may let in callers from a namespace, judged by the namespaces and principals that it names."""
    return "from" not in rule or any(_is_source(origin["source"], namespace) for origin in rule["from"])


def _is_for(rule: Document, port: Port, hosts: list[str]) -> bool:
    """Whether a rule may be for a GET of one of these hosts on a port of the pod; any path is taken to be its."""
    wanted = {"ports": [str(port.number)], "methods": ["GET"], "hosts": hosts}
    return "to" not in rule or any(_is_operation(to.get("operation") or {}, wanted) for to in rule["to"])


def _is_operation(operation: Document, wanted: dict[str, list[str]]) -> bool:
    for field, values in wanted.items():
        patterns = operation.get(field)
        if patterns and not any(_matches(str(pattern), value) for pattern in patterns for value in values):
            return False
        barred = [str(pattern) for pattern in operation.get(f"not{field.capitalize()}") or []]
        if values and all(any(_matches(pattern, value) for pattern in barred) for value in values):
            return False
    return True


def _matches(pattern: str, value: str) -> bool:
    """Whether an exact text, or one with * at an end, is for a value; hosts may have a port behind them."""
    if "*" in value:
        return True
    pattern = pattern.lower().removesuffix(":*")
    if pattern.startswith("*"):
        return value.lower().endswith(pattern[1:])
    return value.lower().startswith(pattern[:-1]) if pattern.endswith("*") else value.lower() == pattern


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
            if cluster.has_sidecar(item) and not authorizations(cluster, item):
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
    authorization_policies_name_ports_of_pods,
    routes_pass_authorization_policies,
    pods_in_the_mesh_say_who_may_call,
    policies_of_the_mesh_have_a_sidecar,
)
