"""Rules for NetworkPolicies: each selects pods and opens ports that exist, and lets through what has to pass."""

from collections.abc import Iterator

from synth.cluster import NAMESPACE_LABEL, Cluster, Rule, Violation, shown
from synth.manifest import Document
from synth.mesh import ends, gateways
from synth.pods import Port, containers, declared, selected_labels
from synth.policies import closing, covers, opens, rules_of
from synth.tree import Object

DIRECTIONS = {"Ingress": "ingress", "Egress": "egress"}
PEERS = {"Ingress": "from", "Egress": "to"}
OPEN = {
    "Ingress": "which lets everybody in: name who may, or write ipBlock 0.0.0.0/0 where everybody is meant",
    "Egress": "which lets pods out to everywhere: name where, or write ipBlock 0.0.0.0/0 where everywhere is meant",
}
# What a sidecar listens on for others: https://istio.io/latest/docs/ops/deployment/application-requirements/
SIDECAR_PORTS: tuple[Port, ...] = tuple(Port(number) for number in (15008, 15020, 15021, 15090))
# What a pod with a sidecar has to reach, and the ports it may have. OpenShift's DNS listens on 5353.
MESH_NEEDS = (("DNS", "UDP", (53, 5353)), ("istiod", "TCP", (15012,)))


def network_policies_select_pods(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("NetworkPolicy"):
        labels = selected_labels(item.spec.get("podSelector"))
        if not cluster.has_pods(item.namespace, labels):
            yield Violation(
                item,
                f"selects {f'pods with {shown(labels)}' if labels else 'all pods'} in namespace {item.namespace}, "
                "but there are none: use the labels of a workload",
            )
        for direction, field in DIRECTIONS.items():
            for rule in item.spec.get(field) or []:
                for peer in rule.get(PEERS[direction]) or []:
                    yield from _peer_exists(cluster, item, field, peer)


def _peer_exists(cluster: Cluster, policy: Object, direction: str, peer: Document) -> Iterator[Violation]:
    namespaces = selected_labels(peer.get("namespaceSelector"))
    if "namespaceSelector" in peer and NAMESPACE_LABEL not in namespaces:
        return
    namespace = namespaces.get(NAMESPACE_LABEL, policy.namespace)
    if not cluster.find("Namespace", "", namespace):
        yield Violation(
            policy,
            f"names namespace {namespace} for {direction}, {cluster.unknown('Namespace', '')}",
        )
    elif "podSelector" in peer:
        labels = selected_labels(peer["podSelector"])
        if labels and not cluster.has_pods(namespace, labels):
            yield Violation(
                policy,
                f"names pods with {shown(labels)} in namespace {namespace} for {direction}, "
                "but there are none, made here or provided: use the labels of a workload",
            )


def network_policies_are_whole(cluster: Cluster) -> Iterator[Violation]:
    """A policy takes effect in each direction that it has rules for, and its pods listen on the ports that it opens."""
    for item in cluster.of("NetworkPolicy"):
        types = item.spec.get("policyTypes", [])
        for unknown in (name for name in types if name not in DIRECTIONS):
            yield Violation(item, f"has spec.policyTypes {unknown!r}: there are {', '.join(DIRECTIONS)}")
        for direction, field in DIRECTIONS.items():
            if types and direction not in types and item.spec.get(field):
                yield Violation(item, f"has rules for {field} without effect: add {direction} to its policyTypes")
            for rule in item.spec.get(field) or []:
                if not rule.get(PEERS[direction]):
                    yield Violation(item, f"has a rule for {field} with no {PEERS[direction]}, {OPEN[direction]}")
        yield from _open_ports_are_there(cluster, item)


def _open_ports_are_there(cluster: Cluster, policy: Object) -> Iterator[Violation]:
    labels = selected_labels(policy.spec.get("podSelector"))
    offers = [_listens_on(cluster, workload) for workload in cluster.selected(policy.namespace, labels)]
    if not offers or not all(offers):
        return
    offered = [port for offer in offers for port in offer]
    for rule in policy.spec.get("ingress") or []:
        for port in rule.get("ports") or []:
            if "port" in port and not any(covers(port, offer) for offer in offered):
                yield Violation(
                    policy,
                    f"opens port {port['port']}/{port.get('protocol', 'TCP')}, but the pods that it is for listen on "
                    f"{', '.join(map(str, dict.fromkeys(offered)))}",
                )


def _listens_on(cluster: Cluster, workload: Object) -> list[Port]:
    """The ports of a workload's pods, the sidecar's behind them; none where it declares none."""
    own = list(declared(containers(workload.document)))
    return [*own, *SIDECAR_PORTS] if own and cluster.has_sidecar(workload) else own


def pods_in_the_mesh_reach_it(cluster: Cluster) -> Iterator[Violation]:
    """A pod with a sidecar that may not ask DNS or istiod never gets ready."""
    for item in cluster.workloads:
        policies = closing(cluster, item, "Egress")
        if not policies or not cluster.has_sidecar(item):
            continue
        rules = rules_of(policies, "egress")
        for what, protocol, numbers in MESH_NEEDS:
            if not any(opens(rule, Port(number, protocol)) for rule in rules for number in numbers):
                yield Violation(
                    item,
                    f"has a sidecar that cannot reach {what}: let its pods out to port {numbers[0]}/{protocol} in a "
                    "NetworkPolicy",
                )


def routes_pass_network_policies(cluster: Cluster) -> Iterator[Violation]:
    """The pods of a route's gateway may reach the pods that the route leads to."""
    for route in cluster.of("VirtualService"):
        for workload, port in ends(cluster, route):
            policies = closing(cluster, workload, "Ingress")
            rules = [rule for rule in rules_of(policies, "ingress") if opens(rule, port)]
            for gateway in gateways(cluster, route) if policies else ():
                if not any(_lets_in(cluster, rule, gateway, workload.namespace) for rule in rules):
                    yield Violation(
                        route,
                        f"leads to port {port.number} of {workload}, but no NetworkPolicy in namespace "
                        f"{workload.namespace} lets the pods of {gateway} in there",
                    )


def _lets_in(cluster: Cluster, rule: Document, gateway: Object, namespace: str) -> bool:
    peers = rule.get("from") or []
    return not peers or any(_is_peer(cluster, peer, gateway, namespace) for peer in peers)


def _is_peer(cluster: Cluster, peer: Document, gateway: Object, namespace: str) -> bool:
    """Whether a peer of a policy in a namespace may be a gateway's pods; any address range is taken to have them."""
    if "ipBlock" in peer:
        return True
    if "namespaceSelector" in peer:
        of_namespace = selected_labels(peer["namespaceSelector"])
        if of_namespace.get(NAMESPACE_LABEL, gateway.namespace) != gateway.namespace:
            return False
    elif namespace != gateway.namespace:
        return False
    own = gateway.spec.get("selector") or {}
    wanted = selected_labels(peer.get("podSelector"))
    agree = all(own.get(key, value) == value for key, value in wanted.items())
    return agree and cluster.has_pods(gateway.namespace, {**own, **wanted})


RULES: tuple[Rule, ...] = (
    network_policies_select_pods,
    network_policies_are_whole,
    pods_in_the_mesh_reach_it,
    routes_pass_network_policies,
)
