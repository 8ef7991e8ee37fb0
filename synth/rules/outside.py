"""Rules for places outside the mesh: what a ServiceEntry says of a host is said once, and not of the cluster's own."""

from collections.abc import Iterator

from synth.cluster import Cluster, Rule, Violation
from synth.manifest import Document
from synth.mesh import CLUSTER_DOMAIN, SPOKEN
from synth.tree import Object


def hosts_outside_are_outside(cluster: Cluster) -> Iterator[Violation]:
    """An entry for a host of the cluster takes the place of its Service, whose pods then get no request."""
    for item in cluster.of("ServiceEntry"):
        for host in item.spec.get("hosts") or []:
            if host == "localhost" or host.endswith((".svc", f".{CLUSTER_DOMAIN}", ".localhost")):
                yield Violation(
                    item,
                    f"is for {host}, which is {_inside(host)} and no place outside: leave it out, and call the Service",
                )


def _inside(host: str) -> str:
    return "the pod itself" if host.endswith("localhost") else "a Service's name in the cluster"


def entries_of_a_host_agree(cluster: Cluster) -> Iterator[Violation]:
    seen: dict[tuple[str, str], tuple[Object, str]] = {}
    spoken: dict[tuple[str, str, int], tuple[Object, str]] = {}
    for item in cluster.of("ServiceEntry"):
        resolution = item.spec.get("resolution", "NONE")
        for host in item.spec.get("hosts") or []:
            other, found = seen.setdefault((item.namespace, host), (item, resolution))
            if found != resolution:
                yield Violation(
                    item,
                    f"finds {host} by {resolution}, and {other} by {found}, of which one alone counts: let them agree",
                )
                continue
            for port in item.spec.get("ports") or []:
                protocol = str(port.get("protocol", "")).upper()
                other, found = spoken.setdefault((item.namespace, host, port["number"]), (item, protocol))
                if found != protocol:
                    yield Violation(
                        item,
                        f"speaks {protocol} at port {port['number']} of {host}, and {other} {found}, of which one "
                        "alone counts: let them agree",
                    )


def entries_are_whole(cluster: Cluster) -> Iterator[Violation]:
    """What Istio refuses: ValidateServiceEntry in https://github.com/istio/istio pkg/config/validation."""
    for item in cluster.of("ServiceEntry"):
        for problem in _problems(item.spec):
            yield Violation(item, problem)


def _problems(spec: Document) -> Iterator[str]:
    resolution, hosts = spec.get("resolution", "NONE"), spec.get("hosts") or []
    by_name = resolution in ("DNS", "DNS_ROUND_ROBIN")
    if spec.get("location") == "MESH_INTERNAL" and not (spec.get("workloadSelector") or spec.get("endpoints")):
        yield (
            "is MESH_INTERNAL without pods or endpoints, so that callers speak the mesh's mutual TLS to somebody who "
            "has no proxy: write MESH_EXTERNAL"
        )
    if not hosts or "*" in hosts:
        yield "is for no host in particular: name it in hosts"
    for host in hosts if by_name and not spec.get("endpoints") else ():
        if host.startswith("*."):
            yield f"looks {host} up in DNS, which has no such name: write resolution NONE"
    for address in spec.get("addresses") or []:
        if "/" in address and by_name:
            yield f"has addresses {address} and looks its host up in DNS: write resolution NONE or STATIC"
    if resolution == "NONE" and spec.get("endpoints"):
        yield "has endpoints, which resolution NONE does not use: write STATIC or DNS"
    ports = spec.get("ports") or []
    for protocol in dict.fromkeys(str(port.get("protocol") or "TCP") for port in ports):
        if protocol.upper() not in SPOKEN:
            yield f"speaks {protocol}, which Istio does not know: there are {', '.join(SPOKEN)}, TCP for any other"
    for field in ("number", "name"):
        values = [port.get(field) for port in ports]
        for value in dict.fromkeys(value for value in values if values.count(value) > 1):
            yield f"has two ports of {field} {value}: change one"


def ports_speak_what_servers_speak_there(cluster: Cluster) -> Iterator[Violation]:
    """An app that speaks TLS where the mesh is told of HTTP gets no answer, and the other way round.

    A DestinationRule for the host may have the proxy encrypt what the app sends.
    """
    encrypted = {rule.spec.get("host") for rule in cluster.of("DestinationRule")}
    for item in cluster.of("ServiceEntry"):
        for port in item.spec.get("ports") or []:
            protocol, number = str(port.get("protocol", "")).upper(), port.get("targetPort", port.get("number"))
            right = WELL_KNOWN.get(number, ())
            if right and protocol and protocol not in right and not encrypted & set(item.spec.get("hosts") or []):
                yield Violation(
                    item,
                    f"speaks {protocol} at port {number}, where servers speak {right[0]}: write that, or the port that "
                    "is meant",
                )


WELL_KNOWN = {443: ("TLS", "HTTPS", "TCP"), 80: ("HTTP", "HTTP2", "GRPC", "TCP", "HTTP_PROXY")}
"""What is spoken at ports that everybody knows: https://www.iana.org/assignments/service-names-port-numbers/"""


RULES: tuple[Rule, ...] = (
    hosts_outside_are_outside,
    entries_of_a_host_agree,
    entries_are_whole,
    ports_speak_what_servers_speak_there,
)
