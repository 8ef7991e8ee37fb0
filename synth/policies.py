"""What NetworkPolicies and AuthorizationPolicies are for: which pods, which direction, which ports."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from synth.cluster import NAMESPACE_LABEL, Cluster
from synth.manifest import Document
from synth.mesh import ROOT_NAMESPACE
from synth.pods import Port, containers, declared, pod_labels, selected_labels, selects
from synth.tree import Object

# What a sidecar listens on for others: https://istio.io/latest/docs/ops/deployment/application-requirements/
SIDECAR_PORTS: tuple[Port, ...] = tuple(Port(number) for number in (15008, 15020, 15021, 15090))


def directions(policy: Object) -> list[str]:
    """The directions in which a NetworkPolicy closes its pods."""
    # https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/
    return policy.spec.get("policyTypes") or ["Ingress", *(["Egress"] if policy.spec.get("egress") else [])]


def closing(cluster: Cluster, workload: Object, direction: str) -> list[Object]:
    """The NetworkPolicies that close a workload's pods in a direction, except for what their rules let through."""
    labels = pod_labels(workload.document)
    return [
        policy
        for policy in cluster.within(workload.namespace, "NetworkPolicy")
        if direction in directions(policy) and selects(policy.spec.get("podSelector"), labels)
    ]


def rules_of(policies: list[Object], field: str) -> list[Document]:
    """The rules of several policies: their `ingress`, `egress` or `rules`."""
    return [rule for policy in policies for rule in policy.spec.get(field) or []]


def covers(opened: Document, port: Port) -> bool:
    """Whether an entry of a NetworkPolicy's ports opens this port."""
    wanted = opened.get("port")
    if opened.get("protocol", "TCP") != port.protocol:
        return False
    if isinstance(wanted, int):
        return wanted <= port.number <= int(opened.get("endPort", wanted))
    return wanted in (None, port.name)


def opens(rule: Document, port: Port) -> bool:
    """Whether a rule of a NetworkPolicy opens this port."""
    opened = rule.get("ports") or []
    return not opened or any(covers(entry, port) for entry in opened)


def namespaces_of(cluster: Cluster, peer: Document, home: str) -> list[str]:
    """The namespaces of a NetworkPolicy's peer that are known; the policy's own where the peer names none."""
    if "namespaceSelector" not in peer:
        return [home]
    selector = peer["namespaceSelector"]
    named = selected_labels(selector).get(NAMESPACE_LABEL)
    names = cluster.namespaces if named is None else {named} & cluster.namespaces.keys()
    return [name for name in names if selects(selector, cluster.namespaces[name])]


def is_among(cluster: Cluster, workload: Object, peers: list[Document] | None, home: str) -> bool:
    """Whether a workload's pods are among the peers of a rule; where it has none, everybody is.

    An address range is taken to have them.
    """
    return not peers or any(
        "ipBlock" in peer
        or (
            workload.namespace in namespaces_of(cluster, peer, home)
            and selects(peer.get("podSelector"), pod_labels(workload.document))
        )
        for peer in peers
    )


def lets_in(cluster: Cluster, caller: Object, target: Object, port: Port) -> bool:
    """Whether the NetworkPolicies of a target let a caller's pods reach a port of its pods."""
    policies = closing(cluster, target, "Ingress")
    return not policies or any(
        opens(rule, port) and is_among(cluster, caller, rule.get("from"), target.namespace)
        for rule in rules_of(policies, "ingress")
    )


def lets_out(cluster: Cluster, caller: Object, target: Object, port: Port) -> bool:
    """Whether the NetworkPolicies of a caller let its pods reach a port of a target's pods."""
    policies = closing(cluster, caller, "Egress")
    return not policies or any(
        opens(rule, port) and is_among(cluster, target, rule.get("to"), caller.namespace)
        for rule in rules_of(policies, "egress")
    )


@dataclass(frozen=True)
class Way:
    """An entry of a NetworkPolicy by which pods that are made here reach others that are, on some of their ports.

    `is_narrow` says that it names them by labels.
    """

    policy: Object
    direction: str
    rule: Document
    callers: list[Object]
    targets: list[Object]
    is_narrow: bool


def ways(cluster: Cluster) -> Iterator[Way]:
    """Every entry of every NetworkPolicy that is for pods made here, at both ends."""
    for policy in cluster.of("NetworkPolicy"):
        own: list[Object] | None = None
        for direction, field, peers in (("Egress", "egress", "to"), ("Ingress", "ingress", "from")):
            for rule in policy.spec.get(field) or []:
                for peer in rule.get(peers) or []:
                    others = [
                        item
                        for namespace in namespaces_of(cluster, peer, policy.namespace)
                        for item in cluster.chosen(namespace, peer.get("podSelector"))
                        if "ipBlock" not in peer
                    ]
                    if not others:
                        continue
                    own = cluster.chosen(policy.namespace, policy.spec.get("podSelector")) if own is None else own
                    if own:
                        callers, targets = (own, others) if direction == "Egress" else (others, own)
                        narrow = any((peer.get("podSelector") or {}).values())
                        yield Way(policy, direction, rule, callers, targets, narrow)


def ports_of(cluster: Cluster, workload: Object) -> list[Port]:
    """The ports that a workload's pods listen on, the sidecar's behind them; none where it declares none."""
    own = list(declared(containers(workload.document)))
    return [*own, *SIDECAR_PORTS] if own and cluster.has_sidecar(workload) else own


def authorizations(cluster: Cluster, workload: Object) -> list[Object]:
    """The AuthorizationPolicies for the pods of a workload."""
    return authorizations_of(cluster, workload.namespace, pod_labels(workload.document))


def authorizations_of(cluster: Cluster, namespace: str, labels: Mapping[str, str]) -> list[Object]:
    """The AuthorizationPolicies for pods of a namespace with these labels."""
    namespaces = dict.fromkeys((namespace, ROOT_NAMESPACE))
    policies = [policy for space in namespaces for policy in cluster.within(space, "AuthorizationPolicy")]
    return [policy for policy in policies if selects(policy.spec.get("selector"), labels)]
