"""Rules for what keeps apps apart: namespaces, network policies, and the mesh's own policies."""

from collections.abc import Iterator

from synth.cluster import NAMESPACE_LABEL, Cluster, Rule, Violation, pod_labels
from synth.manifest import Document
from synth.pods import containers
from synth.tree import Object

Port = tuple[int, str, str]
"""A port of a pod: number, protocol, name."""

STANDARD_LABEL = "pod-security.kubernetes.io/enforce"
DIRECTIONS = {"Ingress": "ingress", "Egress": "egress"}

# What a sidecar listens on for others: https://istio.io/latest/docs/ops/deployment/application-requirements/
SIDECAR_PORTS: tuple[Port, ...] = tuple((number, "TCP", "") for number in (15008, 15020, 15021, 15090))
# What a pod with a sidecar cannot be without, and the ports it may have. OpenShift's DNS listens on 5353.
MESH_NEEDS = (("DNS", "UDP", (53, 5353)), ("istiod", "TCP", (15012,)))
ROOT_NAMESPACE = "istio-system"
"""Where Istio's policies are for the whole mesh."""
AMBIENT_LABEL = "istio.io/dataplane-mode"
"""Of a namespace whose policies the node's proxy enforces: https://istio.io/latest/docs/ambient/"""


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
    return not any((policy.spec.get("podSelector") or {}).values()) and direction in _types(policy)


def _types(policy: Object) -> list[str]:
    # https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/
    return policy.spec.get("policyTypes") or ["Ingress", *(["Egress"] if policy.spec.get("egress") else [])]


def _policies_for(cluster: Cluster, workload: Object, direction: str) -> list[Object]:
    """The policies that close a workload's pods in a direction, but for their rules."""
    labels = pod_labels(workload.document)
    return [
        policy
        for policy in cluster.within(workload.namespace, "NetworkPolicy")
        if direction in _types(policy) and _selects(policy.spec.get("podSelector"), labels)
    ]


def _rules(policies: list[Object], field: str) -> list[Document]:
    return [rule for policy in policies for rule in policy.spec.get(field, [])]


def _selects(selector: Document | None, labels: dict[str, str]) -> bool:
    """Whether a selector may be for these labels; expressions are taken to be."""
    return ((selector or {}).get("matchLabels") or {}).items() <= labels.items()


def network_policies_are_whole(cluster: Cluster) -> Iterator[Violation]:
    """What a policy has rules for it is about, and the ports that it opens are there."""
    for item in cluster.of("NetworkPolicy"):
        types = item.spec.get("policyTypes", [])
        for unknown in (name for name in types if name not in DIRECTIONS):
            yield Violation(item, f"has spec.policyTypes {unknown!r}: there are {', '.join(DIRECTIONS)}")
        for direction, field in DIRECTIONS.items():
            if types and direction not in types and item.spec.get(field):
                yield Violation(item, f"has rules for {field} without effect: add {direction} to its policyTypes")
        yield from _open_ports_are_there(cluster, item)


def _open_ports_are_there(cluster: Cluster, policy: Object) -> Iterator[Violation]:
    labels = (policy.spec.get("podSelector") or {}).get("matchLabels") or {}
    offers = [_listens_on(cluster, workload) for workload in cluster.selected(policy.namespace, labels)]
    if not offers or not all(offers):
        return
    offered = [port for offer in offers for port in offer]
    for rule in policy.spec.get("ingress", []):
        for port in rule.get("ports", []):
            if "port" in port and not any(_covers(port, *offer) for offer in offered):
                yield Violation(
                    policy,
                    f"opens port {port['port']}/{port.get('protocol', 'TCP')}, but the pods that it is for listen on "
                    f"{', '.join(f'{number}/{protocol}' for number, protocol, _ in dict.fromkeys(offered))}",
                )


def _listens_on(cluster: Cluster, workload: Object) -> list[Port]:
    """The ports of a workload's pods, the sidecar's behind them; none where it declares none."""
    own = [_port(port) for container in containers(workload.document) for port in container.get("ports", [])]
    return [*own, *SIDECAR_PORTS] if own and cluster.has_sidecar(workload) else own


def _port(port: Document) -> Port:
    return port["containerPort"], port.get("protocol", "TCP"), port.get("name", "")


def _covers(port: Document, number: int, protocol: str, name: str = "") -> bool:
    """Whether a port of a policy's rule is this one."""
    wanted = port.get("port")
    if port.get("protocol", "TCP") != protocol:
        return False
    return wanted in (None, name) or (isinstance(wanted, int) and wanted <= number <= port.get("endPort", wanted))


def pods_in_the_mesh_reach_it(cluster: Cluster) -> Iterator[Violation]:
    """A pod with a sidecar that may not ask DNS or istiod never gets ready."""
    for item in cluster.workloads:
        policies = _policies_for(cluster, item, "Egress")
        if not policies or not cluster.has_sidecar(item):
            continue
        rules = _rules(policies, "egress")
        for what, protocol, numbers in MESH_NEEDS:
            if not any(_opens(rule, number, protocol) for rule in rules for number in numbers):
                yield Violation(
                    item,
                    f"has a sidecar that cannot reach {what}: let its pods out to port {numbers[0]}/{protocol} in a "
                    "NetworkPolicy",
                )


def _opens(rule: Document, number: int, protocol: str, name: str = "") -> bool:
    ports = rule.get("ports", [])
    return not ports or any(_covers(port, number, protocol, name) for port in ports)


def routes_pass_network_policies(cluster: Cluster) -> Iterator[Violation]:
    """The pods of a route's gateway may reach the pods that the route leads to."""
    for route in cluster.of("VirtualService"):
        gateways = [_gateway(cluster, route, reference) for reference in route.spec.get("gateways", [])]
        for workload, port in _ends(cluster, route):
            policies = _policies_for(cluster, workload, "Ingress")
            rules = [rule for rule in _rules(policies, "ingress") if _opens(rule, *port)]
            for gateway in (gateway for gateway in gateways if gateway and policies):
                if not any(_lets_in(cluster, rule, gateway, workload.namespace) for rule in rules):
                    yield Violation(
                        route,
                        f"leads to port {port[0]} of {workload}, but no NetworkPolicy in namespace "
                        f"{workload.namespace} lets the pods of {gateway} in there",
                    )


def _gateway(cluster: Cluster, route: Object, reference: str) -> Object | None:
    namespace, _, name = reference.rpartition("/")
    found = cluster.find("Gateway", namespace or route.namespace, name)
    return found if isinstance(found, Object) else None


def _ends(cluster: Cluster, route: Object) -> Iterator[tuple[Object, Port]]:
    """The workloads that a route leads to, each with the port of its pods, where both are made here."""
    found: dict[tuple[str, str, Port], tuple[Object, Port]] = {}
    for entry in (*route.spec.get("http", []), *route.spec.get("tls", []), *route.spec.get("tcp", [])):
        for target in entry.get("route", []):
            for workload, port in _ends_of(cluster, route, target["destination"]):
                found[workload.kind, workload.name, port] = workload, port
    yield from found.values()


def _ends_of(cluster: Cluster, route: Object, destination: Document) -> Iterator[tuple[Object, Port]]:
    name, _, rest = destination["host"].partition(".")
    service = cluster.find("Service", rest.partition(".")[0] or route.namespace, name)
    if not isinstance(service, Object) or not service.spec.get("selector"):
        return
    wanted = (destination.get("port") or {}).get("number")
    targets = [p.get("targetPort", p["port"]) for p in service.spec.get("ports", []) if wanted in (None, p["port"])]
    for workload in cluster.selected(service.namespace, service.spec["selector"]):
        for container in containers(workload.document):
            for port in map(_port, container.get("ports", [])):
                if port[0] in targets or (port[2] and port[2] in targets):
                    yield workload, port


def _lets_in(cluster: Cluster, rule: Document, gateway: Object, namespace: str) -> bool:
    peers = rule.get("from", [])
    return not peers or any(_is_peer(cluster, peer, gateway, namespace) for peer in peers)


def _is_peer(cluster: Cluster, peer: Document, gateway: Object, namespace: str) -> bool:
    """Whether a peer of a policy in a namespace may be a gateway's pods; an address range is taken to be."""
    if "ipBlock" in peer:
        return True
    if "namespaceSelector" in peer:
        of_namespace = (peer["namespaceSelector"] or {}).get("matchLabels") or {}
        if of_namespace.get(NAMESPACE_LABEL, gateway.namespace) != gateway.namespace:
            return False
    elif namespace != gateway.namespace:
        return False
    own = gateway.spec.get("selector") or {}
    wanted = (peer.get("podSelector") or {}).get("matchLabels") or {}
    agree = all(own.get(key, value) == value for key, value in wanted.items())
    return agree and cluster.has_pods(gateway.namespace, {**own, **wanted})


def routes_pass_authorization_policies(cluster: Cluster) -> Iterator[Violation]:
    """Where policies say who may call a route's pods, the pods of its gateway are among them."""
    for route in cluster.of("VirtualService"):
        gateways = [_gateway(cluster, route, reference) for reference in route.spec.get("gateways", [])]
        for workload in {id(workload): workload for workload, _ in _ends(cluster, route)}.values():
            allowing = [p for p in _authorizations(cluster, workload) if p.spec.get("action", "ALLOW") == "ALLOW"]
            for gateway in (gateway for gateway in gateways if gateway and allowing):
                if not any(_allows(rule, gateway.namespace) for rule in _rules(allowing, "rules")):
                    yield Violation(
                        route,
                        f"leads to {workload}, but no AuthorizationPolicy for its pods lets in callers from namespace "
                        f"{gateway.namespace}, where {gateway} has its pods",
                    )


def _authorizations(cluster: Cluster, workload: Object) -> list[Object]:
    """The AuthorizationPolicies for the pods of a workload."""
    namespaces = dict.fromkeys((workload.namespace, ROOT_NAMESPACE))
    policies = [policy for namespace in namespaces for policy in cluster.within(namespace, "AuthorizationPolicy")]
    return [policy for policy in policies if _selects(policy.spec.get("selector"), pod_labels(workload.document))]


def _allows(rule: Document, namespace: str) -> bool:
    """Whether a rule may be for callers from a namespace, as far as it names callers by theirs."""
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
    """It is the sidecar that turns callers away; without it nobody does, and nothing says so."""
    for policy in (*cluster.of("AuthorizationPolicy"), *cluster.of("PeerAuthentication")):
        namespace = cluster.find("Namespace", "", policy.namespace)
        if not isinstance(namespace, Object) or policy.spec.get("targetRefs"):
            continue
        if AMBIENT_LABEL in (namespace.document["metadata"].get("labels") or {}):
            continue
        labels = (policy.spec.get("selector") or {}).get("matchLabels") or {}
        for item in cluster.selected(policy.namespace, labels):
            if not cluster.has_sidecar(item):
                yield Violation(
                    policy,
                    f"is for the pods of {item}, which get no sidecar to enforce it: label {namespace} with "
                    "istio-injection enabled",
                )


RULES: tuple[Rule, ...] = (
    namespaces_are_guarded,
    network_policies_are_whole,
    pods_in_the_mesh_reach_it,
    routes_pass_network_policies,
    routes_pass_authorization_policies,
    pods_in_the_mesh_say_who_may_call,
    policies_of_the_mesh_have_a_sidecar,
)
