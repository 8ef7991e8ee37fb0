"""Rules for NetworkPolicies: each selects pods and opens ports that exist, and lets through what has to pass."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_network

from synth.cluster import NAMESPACE_LABEL, Cluster, Rule, Violation, shown_selector
from synth.manifest import Document
from synth.mesh import ROOT_NAMESPACE, ends, gateways
from synth.pods import Port, containers, declared, pod_labels, pod_spec, selected_labels, selects
from synth.policies import (
    SIDECAR_PORTS,
    Way,
    closing,
    covers,
    lets_in,
    lets_out,
    namespaces_of,
    opens,
    ports_of,
    rules_of,
    ways,
)
from synth.tree import Object

Network = IPv4Network | IPv6Network
ANY_ADDRESS = ip_network("0.0.0.0/0")
DIRECTIONS = {"Ingress": "ingress", "Egress": "egress"}
PEERS = {"Ingress": "from", "Egress": "to"}
OPEN = {
    "Ingress": "which lets everybody in: name who may, or write ipBlock 0.0.0.0/0 where everybody is meant",
    "Egress": "which lets pods out to everywhere: name where, or write ipBlock 0.0.0.0/0 where everywhere is meant",
}
# What a pod with a sidecar has to reach: the namespaces it may be in, and the ports it may have. OpenShift's DNS
# listens on 5353.
MESH_NEEDS = (
    ("DNS", ("kube-system", "openshift-dns"), "UDP", (53, 5353)),
    ("istiod", (ROOT_NAMESPACE,), "TCP", (15012,)),
)
API_PORTS = (443, 6443)
"""Where an API server is, behind the Service `kubernetes` and on its own nodes."""
PROTOCOLS = ("TCP", "UDP", "SCTP")


def network_policies_say_what_they_mean(cluster: Cluster) -> Iterator[Violation]:
    """A policy is for pods, peers and ports that exist, takes effect, and opens no more than it says."""
    for item in cluster.of("NetworkPolicy"):
        for problem in _problems(cluster, item):
            yield Violation(item, problem)


def _problems(cluster: Cluster, policy: Object) -> Iterator[str]:
    selector = policy.spec.get("podSelector")
    if not cluster.has_chosen(policy.namespace, selector) and not _has_pods_of_a_chart(cluster, policy.namespace):
        labels = shown_selector(selector)
        yield (
            f"selects {f'pods with {labels}' if labels else 'all pods'} in namespace {policy.namespace}, "
            "but there are none: use the labels of a workload"
        )
    types = policy.spec.get("policyTypes") or []
    for unknown in (name for name in types if name not in DIRECTIONS):
        yield f"has spec.policyTypes {unknown!r}: there are {', '.join(DIRECTIONS)}"
    for direction, field in DIRECTIONS.items():
        rules = policy.spec.get(field) or []
        if rules and types and direction not in types:
            yield f"has rules for {field} without effect: add {direction} to its policyTypes"
        for rule in rules:
            yield from _problems_of_peers(cluster, policy.namespace, direction, rule)
            if wrong := list(_problems_of_ports(direction, rule)):
                yield from wrong
            elif direction == "Ingress":
                yield from _problems_of_open_ports(cluster, policy, rule)


def _has_pods_of_a_chart(cluster: Cluster, namespace: str) -> bool:
    """Whether a release puts pods into a namespace, whose labels its chart alone knows."""
    return any(namespace == item.spec.get("targetNamespace", item.namespace) for item in cluster.of("HelmRelease"))


def _problems_of_peers(cluster: Cluster, home: str, direction: str, rule: Document) -> Iterator[str]:
    peers = rule.get(PEERS[direction]) or []
    apart = any("podSelector" not in peer and "namespaceSelector" in peer for peer in peers)
    for peer in peers:
        if "ipBlock" in peer:
            yield from _problems_of_addresses(direction, peer)
        elif not peer:
            yield f"has an empty entry in {PEERS[direction]}: name pods, namespaces or addresses in it, or drop it"
        elif not _is_narrow(peer):
            yield f"names every pod of every namespace for {DIRECTIONS[direction]}: name the namespaces that are meant"
        else:
            yield from _problem_of_pods(cluster, home, direction, peer, apart=apart)


def _is_narrow(peer: Document) -> bool:
    """Whether a peer leaves any pod of the cluster out."""
    return "namespaceSelector" not in peer or any(
        any((peer.get(selector) or {}).values()) for selector in ("namespaceSelector", "podSelector")
    )


def _problem_of_pods(cluster: Cluster, home: str, direction: str, peer: Document, *, apart: bool) -> Iterator[str]:
    field = DIRECTIONS[direction]
    namespaces = namespaces_of(cluster, peer, home)
    if not namespaces:
        name = selected_labels(peer["namespaceSelector"]).get(NAMESPACE_LABEL)
        if name is not None:
            yield f"names namespace {name} for {field}, {cluster.unknown('Namespace', '')}"
        else:
            yield (
                f"names namespaces with {shown_selector(peer['namespaceSelector'])} for {field}, but none is known to "
                f"have that: name one by {NAMESPACE_LABEL}, which each has with its own name"
            )
    elif "podSelector" in peer:
        labels = shown_selector(peer["podSelector"])
        if labels and not any(cluster.has_chosen(namespace, peer["podSelector"]) for namespace in namespaces):
            where = f"namespace {namespaces[0]}" if len(namespaces) == 1 else "any of its namespaces"
            remedy = "use the labels of a workload"
            if apart and "namespaceSelector" not in peer:
                remedy = "put podSelector into the entry of the namespaceSelector whose pods are meant"
            yield (
                f"names pods with {labels} in {where} for {field}, but there are none, made here or provided: {remedy}"
            )


def _problems_of_addresses(direction: str, peer: Document) -> Iterator[str]:
    # https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/#IPBlock
    if peer.keys() - {"ipBlock"}:
        yield (
            f"has an entry in {PEERS[direction]} with an ipBlock and a selector, which Kubernetes refuses: make them "
            "two entries"
        )
    block = peer["ipBlock"]
    networks = []
    for text in (block.get("cidr", ""), *(block.get("except") or [])):
        try:
            network = ip_network(text, strict=False)
        except ValueError:
            yield f"names the addresses {text!r} for {DIRECTIONS[direction]}, which are none: 203.0.113.0/24 are some"
            return
        if str(network) != text:
            meant = f"{text.partition('/')[0]}/{network.max_prefixlen}"
            right = f"{network}, or {meant} for the one address" if "/" in text else str(network)
            yield f"names the addresses {text} for {DIRECTIONS[direction]}: write {right}"
        networks.append(network)
    whole, *excepted = networks
    for network in excepted:
        if network == whole or network.version != whole.version or not network.subnet_of(whole):  # type: ignore[arg-type]
            yield (
                f"leaves {network} out of {whole} for {DIRECTIONS[direction]}, of which it is no part: name addresses "
                "within it, or drop them"
            )


def _problems_of_ports(direction: str, rule: Document) -> Iterator[str]:
    field = DIRECTIONS[direction]
    if not rule.get(PEERS[direction]):
        yield f"has a rule for {field} with no {PEERS[direction]}, {OPEN[direction]}"
    elif not rule.get("ports"):
        yield f"has a rule for {field} with no ports, which opens every port: list the ports that are meant"
    for entry in rule.get("ports") or []:
        port, protocol = entry.get("port"), entry.get("protocol", "TCP")
        if protocol not in PROTOCOLS:
            yield f"opens port {port} for protocol {protocol!r}: there are {', '.join(PROTOCOLS)}"
        elif isinstance(port, str) and port.isdigit():
            yield f"opens port {port!r}, which is the name of one: write the number without quotes"
        elif "endPort" in entry and (not isinstance(port, int) or int(entry["endPort"]) < port):
            yield (
                f"opens ports from {port or 'none'} to {entry['endPort']}, which is no range: write the lower number "
                "in port and the higher one in endPort"
            )


def _problems_of_open_ports(cluster: Cluster, policy: Object, rule: Document) -> Iterator[str]:
    offers = [ports_of(cluster, item) for item in cluster.chosen(policy.namespace, policy.spec.get("podSelector"))]
    if not offers or not all(offers):
        return
    offered = list(dict.fromkeys(port for offer in offers for port in offer))
    for entry in rule.get("ports") or []:
        if "port" in entry and not any(covers(entry, port) for port in offered):
            yield (
                f"opens port {entry['port']}/{entry.get('protocol', 'TCP')}, but the pods that it is for listen on "
                f"{', '.join(map(str, offered))}"
            )


def pods_in_the_mesh_reach_it(cluster: Cluster) -> Iterator[Violation]:
    """A pod with a sidecar that may not ask DNS or istiod never gets ready."""
    for item in cluster.workloads:
        if cluster.has_sidecar(item) and pod_spec(item.document).get("dnsPolicy") == "Default":
            yield Violation(
                item,
                "has a sidecar that asks its node's DNS, which knows no Service of the cluster, not istiod's either: "
                "leave dnsPolicy out",
            )
        policies = closing(cluster, item, "Egress")
        if not policies or not cluster.has_sidecar(item):
            continue
        rules = rules_of(policies, "egress")
        for what, namespaces, protocol, numbers in MESH_NEEDS:
            leading = [rule for rule in rules if any(opens(rule, Port(number, protocol)) for number in numbers)]
            if not any(_leads_to(cluster, rule, namespaces, item.namespace) for rule in leading):
                yield Violation(
                    item,
                    f"has a sidecar that cannot reach {what}: let its pods out to port {numbers[0]}/{protocol} "
                    f"of namespace {namespaces[0]} in a NetworkPolicy",
                )


def _leads_to(cluster: Cluster, rule: Document, namespaces: Sequence[str], home: str) -> bool:
    """Whether a rule for egress leads to a namespace; any address range is taken to."""
    peers = rule.get("to") or []
    return not peers or any(
        "ipBlock" in peer or any(name in namespaces for name in namespaces_of(cluster, peer, home)) for peer in peers
    )


def routes_pass_network_policies(cluster: Cluster) -> Iterator[Violation]:
    """The pods of a route's gateway may reach the pods that the route leads to."""
    for route in cluster.of("VirtualService"):
        for workload, port in ends(cluster, route):
            policies = closing(cluster, workload, "Ingress")
            rules = [rule for rule in rules_of(policies, "ingress") if opens(rule, port)]
            for gateway in gateways(cluster, route) if policies else ():
                barred = not any(_lets_in(cluster, rule, gateway, workload.namespace) for rule in rules)
                if barred and not _is_told(cluster, workload):
                    yield Violation(
                        route,
                        f"leads to port {port.number} of {workload}, but no NetworkPolicy in namespace "
                        f"{workload.namespace} lets the pods of {gateway} in there",
                    )


def _is_told(cluster: Cluster, workload: Object) -> bool:
    """Whether a policy for a workload has a fault of its own, which may be all that is wrong."""
    labels = pod_labels(workload.document)
    policies = cluster.within(workload.namespace, "NetworkPolicy")
    return any(
        any(_problems(cluster, policy)) for policy in policies if selects(policy.spec.get("podSelector"), labels)
    )


def _lets_in(cluster: Cluster, rule: Document, gateway: Object, namespace: str) -> bool:
    peers = rule.get("from") or []
    return not peers or any(_is_peer(cluster, peer, gateway, namespace) for peer in peers)


def _is_peer(cluster: Cluster, peer: Document, gateway: Object, namespace: str) -> bool:
    """Whether a peer of a policy in a namespace may be a gateway's pods; any address range is taken to have them."""
    if "ipBlock" in peer:
        return True
    if gateway.namespace not in namespaces_of(cluster, peer, namespace):
        return False
    own = gateway.spec.get("selector") or {}
    wanted = selected_labels(peer.get("podSelector"))
    agree = all(own.get(key, value) == value for key, value in wanted.items())
    return agree and cluster.has_pods(gateway.namespace, {**own, **wanted})


def ways_are_open_at_both_ends(cluster: Cluster) -> Iterator[Violation]:
    """Whom one end of a call lets through, the other end does too, on ports that the pods themselves have."""
    for way in ways(cluster):
        if (problem := _problem_of_way(cluster, way)) and not any(_problems(cluster, way.policy)):
            yield Violation(way.policy, problem)


def _problem_of_way(cluster: Cluster, way: Way) -> str | None:
    ports = {id(target): list(declared(containers(target.document))) for target in way.targets}
    if not all(ports.values()):
        return None
    if way.direction == "Egress" and way.is_narrow:
        offered = list(dict.fromkeys(port for own in ports.values() for port in own))
        for entry in way.rule.get("ports") or []:
            if "port" in entry and not any(covers(entry, port) for port in (*offered, *SIDECAR_PORTS)):
                return (
                    f"lets pods out to port {entry['port']}/{entry.get('protocol', 'TCP')} of "
                    f"{' and '.join(map(str, way.targets))}, but the pods there listen on "
                    f"{', '.join(map(str, offered))}: name that, whatever the port of the Service"
                )
    calls = [
        (caller, target, port)
        for target in way.targets
        for port in ports[id(target)]
        if opens(way.rule, port)
        for caller in way.callers
        if caller is not target
    ]
    passes = lets_in if way.direction == "Egress" else lets_out
    if not calls or any(passes(cluster, *call) for call in calls):
        return None
    caller, target, port = calls[0]
    if way.direction == "Egress":
        said = f"lets {caller} out to port {port} of {target}"
        return f"{said}, but no NetworkPolicy in namespace {target.namespace} lets it in there"
    said = f"lets {caller} in to port {port} of {target}"
    return f"{said}, but no NetworkPolicy in namespace {caller.namespace} lets it out to there"


def places_outside_are_reached(cluster: Cluster) -> Iterator[Violation]:
    """What the mesh is told of a place outside is of use to pods that the network lets out to it."""
    for item in cluster.of("ServiceEntry"):
        workloads = cluster.chosen(item.namespace, None)
        if not workloads or item.spec.get("location", "MESH_EXTERNAL") != "MESH_EXTERNAL":
            continue
        networks = _networks(item.spec.get("addresses") or [])
        for number in [port["number"] for port in item.spec.get("ports") or []]:
            let_out = (network for workload in workloads for network in _let_out_to(cluster, workload, number))
            if not any(_has(network, networks) for network in let_out):
                yield Violation(
                    item,
                    f"is for port {number} of {', '.join(item.spec.get('hosts', []))}, but no NetworkPolicy in "
                    f"namespace {item.namespace} lets pods out to that port there: add one with an ipBlock",
                )


def _has(network: Network, wanted: Sequence[Network]) -> bool:
    """Whether a network has one of the wanted ones in it; where none is, whether it has public addresses."""
    if not wanted:
        return not network.is_private
    return any(network.version == other.version and network.overlaps(other) for other in wanted)


def accounts_reach_the_api_server(cluster: Cluster) -> Iterator[Violation]:
    """Where a pod has a token, it has it for the API server."""
    for item in cluster.workloads:
        if _has_token(item) and not any(_let_out_to(cluster, item, port) for port in API_PORTS):
            yield Violation(
                item,
                "has the token of its ServiceAccount and cannot reach the API server with it: let its pods out to port "
                f"{' and '.join(map(str, API_PORTS))} of an ipBlock in a NetworkPolicy, or leave the token out",
            )


def _has_token(workload: Object) -> bool:
    pod = pod_spec(workload.document)
    sources = [s for volume in pod.get("volumes") or [] for s in (volume.get("projected") or {}).get("sources") or []]
    return pod.get("automountServiceAccountToken") is True or any("serviceAccountToken" in s for s in sources)


def _let_out_to(cluster: Cluster, workload: Object, number: int) -> list[Network]:
    """The addresses at whose port a workload's pods are let out."""
    policies = closing(cluster, workload, "Egress")
    rules = [rule for rule in rules_of(policies, "egress") if opens(rule, Port(number))]
    everywhere = [ANY_ADDRESS] if not policies or any(not rule.get("to") for rule in rules) else []
    blocks = [peer["ipBlock"]["cidr"] for rule in rules for peer in rule.get("to") or [] if "ipBlock" in peer]
    return [*everywhere, *_networks(blocks)]


def _networks(texts: Iterable[str]) -> list[Network]:
    """Those of the texts that are networks; what is none is told of where it stands."""
    found = []
    for text in texts:
        with suppress(ValueError):
            found.append(ip_network(text, strict=False))
    return found


RULES: tuple[Rule, ...] = (
    network_policies_say_what_they_mean,
    pods_in_the_mesh_reach_it,
    routes_pass_network_policies,
    ways_are_open_at_both_ends,
    places_outside_are_reached,
    accounts_reach_the_api_server,
)
