"""Who may call whom: what NetworkPolicies and AuthorizationPolicies together let through."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from synth.cluster import NAMESPACE_LABEL, Cluster
from synth.manifest import Document
from synth.overview.model import Call, Party
from synth.pods import Port, containers, declared, pod_labels, pod_spec, selected_labels, selects
from synth.policies import authorizations, closing, covers, opens, rules_of
from synth.tree import Object

ANY = "*"


@dataclass(frozen=True)
class _Pods:
    """Pods that a policy lets in: their namespace, and the workload where it is made here."""

    namespace: str
    workload: Object | None = None


def party(item: Object) -> Party:
    return Party(item.kind, item.namespace, item.name)


def calls(cluster: Cluster) -> Iterator[Call]:
    """Every call that is let in: by the NetworkPolicies of both sides and, in the mesh, the AuthorizationPolicies."""
    gateways = cluster.of("Gateway")
    for target in cluster.workloads:
        found: dict[Party, set[int]] = {}
        ports = list(declared(containers(target.document)))
        policies = closing(cluster, target, "Ingress")
        for rule in rules_of(policies, "ingress") if policies else [{}]:
            opened = list(_opened(rule, ports))
            for peer in rule.get("from") or [None]:
                for caller, pods in _callers(cluster, peer, target.namespace, gateways):
                    admitted = [port for port in opened if pods is None or _admits(cluster, target, port, pods)]
                    if admitted:
                        found.setdefault(caller, set()).update(port.number for port in admitted)
        for caller, numbers in sorted(found.items()):
            yield Call(party(target), caller, tuple(sorted(numbers)))


def _opened(rule: Document, ports: list[Port]) -> Iterator[Port]:
    """The ports that a rule opens: of those that the pods declare, and of others, which the proxy may listen on."""
    yield from (port for port in ports if opens(rule, port))
    for entry in rule.get("ports") or []:
        if isinstance(entry.get("port"), int) and not any(covers(entry, port) for port in ports):
            yield Port(entry["port"], entry.get("protocol", "TCP"))


def _callers(
    cluster: Cluster, peer: Document | None, home: str, gateways: list[Object]
) -> Iterator[tuple[Party, _Pods | None]]:
    """Whom a peer of a rule lets in, for pods of the namespace `home`; no pods for an address range."""
    if peer is None:
        yield Party("", ANY, ANY), _Pods(ANY)
        return
    if "ipBlock" in peer:
        yield Party("", "", peer["ipBlock"]["cidr"]), None
        return
    labels = selected_labels(peer.get("podSelector"))
    for namespace in _namespaces(cluster, peer, home):
        workloads = (
            [item for item in cluster.workloads if labels.items() <= pod_labels(item.document).items()]
            if namespace == ANY
            else cluster.selected(namespace, labels)
        )
        for workload in workloads:
            yield party(workload), _Pods(workload.namespace, workload)
        if not workloads:
            yield _elsewhere(namespace, labels, gateways), _Pods(namespace)


def _namespaces(cluster: Cluster, peer: Document, home: str) -> list[str]:
    """The namespaces of a peer: its own where it names none, `*` for every one."""
    if "namespaceSelector" not in peer:
        return [home]
    labels = selected_labels(peer["namespaceSelector"])
    if NAMESPACE_LABEL in labels:
        return [labels[NAMESPACE_LABEL]]
    if not labels:
        return [ANY]
    return [
        item.name
        for item in cluster.of("Namespace")
        if labels.items() <= (item.document["metadata"].get("labels") or {}).items()
    ]


def _elsewhere(namespace: str, labels: dict[str, str], gateways: list[Object]) -> Party:
    """Pods that are not made here: a Gateway's, or those that their labels name."""
    for gateway in gateways:
        selector = gateway.spec.get("selector") or {}
        if labels and gateway.namespace == namespace and labels.items() <= selector.items():
            return party(gateway)
    return Party("", namespace, ",".join(labels.values()) or ANY)


def _admits(cluster: Cluster, target: Object, port: Port, pods: _Pods) -> bool:
    """Whether the other policies agree: the caller's own, and the mesh's at a port behind the target's proxy."""
    if pods.workload and not _lets_out(cluster, pods.workload, target, port):
        return False
    behind_proxy = port in declared(containers(target.document)) and cluster.has_sidecar(target)
    if not behind_proxy:
        return True
    allowing = [p for p in authorizations(cluster, target) if p.spec.get("action", "ALLOW") == "ALLOW"]
    return not allowing or any(_allows(rule, port, pods) for rule in rules_of(allowing, "rules"))


def _lets_out(cluster: Cluster, caller: Object, target: Object, port: Port) -> bool:
    policies = closing(cluster, caller, "Egress")
    return not policies or any(
        opens(rule, port) and (not rule.get("to") or _has(cluster, rule["to"], caller, target))
        for rule in rules_of(policies, "egress")
    )


def _has(cluster: Cluster, peers: list[Document], caller: Object, target: Object) -> bool:
    """Whether the pods of a target are among the peers of a caller's policy."""
    return any(
        {target.namespace, ANY} & set(_namespaces(cluster, peer, caller.namespace))
        and selects(peer.get("podSelector"), pod_labels(target.document))
        for peer in peers
        if "ipBlock" not in peer
    )


def _allows(rule: Document, port: Port, pods: _Pods) -> bool:
    sources = [origin.get("source") or {} for origin in (rule.get("from") or [])]
    operations = [where.get("operation") or {} for where in (rule.get("to") or [])]
    return (not sources or any(_is_source(source, pods) for source in sources)) and (
        not operations
        or any(not what.get("ports") or str(port.number) in map(str, what["ports"]) for what in operations)
    )


def _is_source(source: Document, pods: _Pods) -> bool:
    """Whether a source of a policy's rule may be these pods."""
    principals, namespaces = source.get("principals"), source.get("namespaces")
    if pods.namespace == ANY:
        return True
    return (not principals or any(_is_principal(name, pods) for name in principals)) and (
        not namespaces or any(fnmatchcase(pods.namespace, name) for name in namespaces)
    )


def _is_principal(name: str, pods: _Pods) -> bool:
    """Whether a principal, which may be a pattern, is these pods' account.

    Of pods that are not made here the namespace alone is known.
    https://istio.io/latest/docs/reference/config/security/authorization-policy/#Source
    """
    if pods.workload is None:
        return ANY in name or f"/ns/{pods.namespace}/" in name
    account = pod_spec(pods.workload.document).get("serviceAccountName", "default")
    domain = name.partition("/")[0]
    return fnmatchcase(f"{'' if ANY in domain else domain}/ns/{pods.namespace}/sa/{account}", name)
