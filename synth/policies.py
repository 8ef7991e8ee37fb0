"""What NetworkPolicies and AuthorizationPolicies are for: which pods, which direction, which ports."""

from synth.cluster import Cluster
from synth.manifest import Document
from synth.mesh import ROOT_NAMESPACE
from synth.pods import Port, pod_labels, selects
from synth.tree import Object


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


def authorizations(cluster: Cluster, workload: Object) -> list[Object]:
    """The AuthorizationPolicies for the pods of a workload."""
    namespaces = dict.fromkeys((workload.namespace, ROOT_NAMESPACE))
    policies = [policy for namespace in namespaces for policy in cluster.within(namespace, "AuthorizationPolicy")]
    return [policy for policy in policies if selects(policy.spec.get("selector"), pod_labels(workload.document))]
