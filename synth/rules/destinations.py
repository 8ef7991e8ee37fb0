"""Rules for where routes lead: to Services that exist, on ports that they offer and by names that Istio knows."""

import re
from collections.abc import Iterator

from synth.cluster import Cluster, Provided, Rule, Violation
from synth.manifest import Document
from synth.mesh import Destination, Host, destinations, routes, service_host
from synth.tree import Object

# What the name of a Service's port begins with for Istio to speak HTTP there:
# https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/
HTTP_NAME = re.compile(r"(http|http2|https|grpc|grpc-web)(-.*)?")


def routes_lead_to_services(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("VirtualService"):
        for route in routes(item):
            for destination in (*route.destinations, *route.mirrors):
                yield from _destination_exists(cluster, item, destination)


def _destination_exists(cluster: Cluster, route: Object, destination: Destination) -> Iterator[Violation]:
    host = destination.host
    service = host.service(cluster)
    if not host.name:
        full = service_host(host.text.partition(".")[0], route.namespace)
        yield Violation(route, f"sends to {host.text}: name a Service of the cluster in full, as in {full}")
    elif service is None:
        unknown = cluster.unknown("Service", host.namespace)
        yield Violation(route, f"sends to Service {host.name} in namespace {host.namespace}, {unknown}")
    else:
        ports = _ports(service)
        offered = ", ".join(map(str, ports))
        if destination.port is None and len(ports) != 1:
            yield Violation(route, f"sends to Service {host.name} without a port: name one of {offered}")
        elif destination.port is not None and destination.port not in ports:
            yield Violation(route, f"sends to port {destination.port}, but Service {host.name} offers {offered}")


def _ports(service: Object | Provided) -> list[int]:
    if isinstance(service, Object):
        return [port["port"] for port in service.spec.get("ports", [])]
    return list(service.ports)


def destination_rules_are_for_services(cluster: Cluster) -> Iterator[Violation]:
    outside = {host for entry in cluster.of("ServiceEntry") for host in entry.spec.get("hosts", [])}
    whole: dict[tuple[str, str], Object] = {}
    for item in cluster.of("DestinationRule"):
        host = Host.of(item.spec.get("host", ""), item.namespace)
        if item.spec.get("trafficPolicy") and not item.spec.get("workloadSelector"):
            other = whole.setdefault((item.namespace, host.in_full), item)
            if other is not item:
                yield Violation(item, f"is for host {host.text}, as {other} is, and one alone counts: make them one")
        if host.text in outside:
            continue
        if host.text != host.in_full or not host.service(cluster):
            services: list[Object | Provided] = [*cluster.of("Service")]
            services += [given for given in cluster.provided if given.kind == "Service"]
            known = ", ".join(service_host(service.name, service.namespace) for service in services)
            yield Violation(
                item, f"is for host {host.text}, which is not the full name of a Service: there are {known or 'none'}"
            )


def http_goes_to_ports_named_so(cluster: Cluster) -> Iterator[Violation]:
    """Istio learns from a port's name what is spoken there; where it has to guess, requests may wait or fail."""
    for item in cluster.of("VirtualService"):
        for destination in destinations(item, "http"):
            service = destination.host.service(cluster)
            for port in service.spec.get("ports", []) if isinstance(service, Object) else ():
                if destination.port in (None, port["port"]) and not says_http(port):
                    yield Violation(
                        item,
                        f"sends HTTP to port {port['port']} of {service}, whose name {port.get('name', '(none)')} "
                        "does not say so: name it http, or http-something, so that Istio knows what is spoken there",
                    )


def says_http(port: Document) -> bool:
    """Whether a Service says of a port that HTTP is spoken there."""
    return "appProtocol" in port or HTTP_NAME.fullmatch(port.get("name", "")) is not None


def subsets_are_defined(cluster: Cluster) -> Iterator[Violation]:
    defined: dict[str, list[str]] = {}
    for rule in cluster.of("DestinationRule"):
        host = Host.of(rule.spec["host"], rule.namespace)
        defined.setdefault(host.in_full, []).extend(subset["name"] for subset in rule.spec.get("subsets", []))
    for item in cluster.of("VirtualService"):
        for host, subset in dict.fromkeys((place.host, place.subset) for place in destinations(item)):
            known = defined.get(host.in_full, [])
            if subset and subset not in known:
                yield Violation(
                    item,
                    f"sends to subset {subset} of {host.text}, which no DestinationRule has; there are "
                    f"{', '.join(known) or 'none'}",
                )


RULES: tuple[Rule, ...] = (
    routes_lead_to_services,
    destination_rules_are_for_services,
    http_goes_to_ports_named_so,
    subsets_are_defined,
)
