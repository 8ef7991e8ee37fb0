"""Rules for what a gateway's servers and the routes behind them match, in which order, and what is tried again."""

import re
from collections.abc import Iterator, Mapping

from synth.cluster import Cluster, Rule, Violation
from synth.manifest import Document
from synth.routing import admits, is_exact
from synth.tree import Object

ENCRYPTED = frozenset({"HTTPS", "TLS"})
# Which routes of a VirtualService a server is for: https://istio.io/latest/docs/reference/config/networking/virtual-service/
HTTP = frozenset({"HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTPS"})
# What the name of a Service's port begins with for Istio to speak HTTP there:
# https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/
HTTP_NAME = re.compile(r"(http|http2|https|grpc|grpc-web)(-.*)?")

CHANGING = ("POST", "PATCH")
"""Methods of requests that, done twice, may change something twice: https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2"""
# Conditions in which the request may have been done:
# https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#x-envoy-retry-on
MAYBE_DONE = re.compile(r"5xx|gateway-error|reset|5[0-9][0-9]")


def servers_are_whole(cluster: Cluster) -> Iterator[Violation]:
    """What Istio's own validation refuses, hours after the change is merged."""
    for gateway in cluster.of("Gateway"):
        names: set[str] = set()
        for server in gateway.spec.get("servers", []):
            name, protocol = server["port"].get("name", ""), server["port"]["protocol"]
            tls = server.get("tls") or {}
            if name in names:
                yield Violation(gateway, f"has two servers named {name}: rename one")
            names.add(name)
            if not server.get("hosts"):
                yield Violation(gateway, f"has server {name} without hosts: list them, or drop it")
            if protocol in ENCRYPTED and not tls:
                yield Violation(
                    gateway, f"has server {name} of protocol {protocol} without tls: say how it is encrypted"
                )
            if protocol not in ENCRYPTED and tls.keys() - {"httpsRedirect"}:
                yield Violation(
                    gateway, f"has server {name} of protocol {protocol} with tls: write HTTPS, or TLS, or leave tls out"
                )


def routes_fit_a_server(cluster: Cluster) -> Iterator[Violation]:
    """Each match of a route has a server of the gateway, for one of the hosts, on its port and of its protocol."""
    by_host = {id(gateway): _servers_by_host(gateway) for gateway in cluster.of("Gateway")}
    for item in cluster.of("VirtualService"):
        references = item.spec.get("gateways", [])
        gateways = [cluster.find("Gateway", *_place(item, reference)) for reference in references]
        found = [gateway for gateway in gateways if isinstance(gateway, Object)]
        if len(found) < len(references):
            continue
        servers = [server for gateway in found for server in _servers_for(by_host[id(gateway)], item)]
        names = " and ".join(map(str, found))
        for section in ("http", "tls", "tcp") if servers else ():
            fitting = [server["port"]["number"] for server in servers if _speaks(server, section)]
            for port in _ports(item.spec.get(section, [])):
                if port not in fitting if port else not fitting:
                    offered = ", ".join(f"{s['port']['number']}/{s['port']['protocol']}" for s in servers)
                    yield Violation(
                        item,
                        f"has {section} routes{f' on port {port}' if port else ''}, but {names} serves "
                        f"{', '.join(item.spec.get('hosts', []))} on {offered}",
                    )


def _place(route: Object, reference: str) -> tuple[str, str]:
    namespace, _, name = reference.rpartition("/")
    return namespace or route.namespace, name


def _servers_by_host(gateway: Object) -> dict[str, list[Document]]:
    found: dict[str, list[Document]] = {}
    for server in gateway.spec.get("servers", []):
        for entry in server.get("hosts", []):
            found.setdefault(entry if is_exact(entry) else "", []).append(server)
    return found


def _servers_for(by_host: Mapping[str, list[Document]], route: Object) -> list[Document]:
    hosts = route.spec.get("hosts", [])
    exact = [server for host in hosts for server in by_host.get(f"{route.namespace}/{host}", [])]
    wide = [server for server in by_host.get("", []) if any(_is_wide_for(server, route, host) for host in hosts)]
    return [*exact, *wide]


def _is_wide_for(server: Document, route: Object, host: str) -> bool:
    return any(admits(entry, route.namespace, host) for entry in server["hosts"] if not is_exact(entry))


def _speaks(server: Document, section: str) -> bool:
    """Whether a server reads what routes of a section match: HTTP, the name in the TLS greeting, or nothing."""
    protocol, mode = server["port"]["protocol"], (server.get("tls") or {}).get("mode", "")
    if section == "tls":
        return protocol in ENCRYPTED and mode in ("PASSTHROUGH", "AUTO_PASSTHROUGH")
    return (protocol in HTTP) == (section == "http") and not mode.endswith("PASSTHROUGH")


def _ports(routes: list[Document]) -> list[int | None]:
    matches = [match for route in routes for match in route.get("match") or [{}]]
    return list(dict.fromkeys(match.get("port") for match in matches if not match.get("gateways")))


def names_in_the_greeting_are_hosts(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("VirtualService"):
        hosts = item.spec.get("hosts", [])
        for route in item.spec.get("tls", []):
            for name in (name for match in route.get("match", []) for name in match.get("sniHosts", [])):
                if not any(admits(host, item.namespace, name) for host in hosts):
                    yield Violation(item, f"matches SNI host {name}, which is none of its hosts: {', '.join(hosts)}")


def routes_can_be_taken(cluster: Cluster) -> Iterator[Violation]:
    """The first route that matches takes a request, so one behind a wider one is never asked."""
    for item in cluster.of("VirtualService"):
        before: list[tuple[str, Document]] = []
        for index, route in enumerate(item.spec.get("http", [])):
            matches = [_conditions(match) for match in route.get("match") or [{}]]
            name = route.get("name", f"{index + 1}")
            wider = [[first for first, wide in before if wide.items() <= match.items()] for match in matches]
            if all(wider):
                yield Violation(
                    item,
                    f"has http route {name} behind {wider[0][0]}, which takes all that it matches: put it in front, or "
                    "drop it",
                )
            before.extend((name, match) for match in matches)


def _conditions(match: Document) -> Document:
    """What a match asks, in a form that can be compared."""
    return {key: repr(value) for key, value in match.items() if key != "name"}


def nothing_is_done_twice(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("VirtualService"):
        for index, route in enumerate(item.spec.get("http", [])):
            retries = route.get("retries") or {}
            conditions = [text.strip() for text in retries.get("retryOn", "").split(",")]
            maybe_done = [condition for condition in conditions if MAYBE_DONE.fullmatch(condition)]
            method = next((m for m in CHANGING if _takes(route, m)), None)
            if retries.get("attempts") and maybe_done and method:
                yield Violation(
                    item,
                    f"has http route {route.get('name', index + 1)} try a {method} again on {', '.join(maybe_done)}, "
                    "when it may have been done: match methods that change nothing, or set attempts to 0",
                )


def _takes(route: Document, method: str) -> bool:
    """Whether a route may take requests of a method."""
    return any(_is_method(match.get("method") or {}, method) for match in route.get("match") or [{}])


def _is_method(wanted: Document, method: str) -> bool:
    if "exact" in wanted:
        return bool(wanted["exact"] == method)
    if "prefix" in wanted:
        return method.startswith(wanted["prefix"])
    try:
        return "regex" not in wanted or re.fullmatch(wanted["regex"], method) is not None
    except re.error:
        return True


def http_goes_to_ports_named_so(cluster: Cluster) -> Iterator[Violation]:
    """By a port's name Istio knows what is spoken there; where it has to guess, it holds up what it cannot read."""
    for item in cluster.of("VirtualService"):
        destinations = [t["destination"] for route in item.spec.get("http", []) for t in route.get("route", [])]
        for host, number in dict.fromkeys((d["host"], (d.get("port") or {}).get("number")) for d in destinations):
            name, _, rest = host.partition(".")
            service = cluster.find("Service", rest.partition(".")[0] or item.namespace, name)
            for port in service.spec.get("ports", []) if isinstance(service, Object) else ():
                if number in (None, port["port"]) and not _says_http(port):
                    yield Violation(
                        item,
                        f"sends HTTP to port {port['port']} of {service}, whose name {port.get('name', '(none)')} is "
                        "no protocol's: name it http, or http-something, so that Istio knows",
                    )


def _says_http(port: Document) -> bool:
    return "appProtocol" in port or HTTP_NAME.fullmatch(port.get("name", "")) is not None


def subsets_are_defined(cluster: Cluster) -> Iterator[Violation]:
    defined: dict[str, list[str]] = {}
    for rule in cluster.of("DestinationRule"):
        defined.setdefault(rule.spec["host"], []).extend(subset["name"] for subset in rule.spec.get("subsets", []))
    for item in cluster.of("VirtualService"):
        targets = [
            target["destination"]
            for route in (*item.spec.get("http", []), *item.spec.get("tls", []), *item.spec.get("tcp", []))
            for target in route.get("route", [])
        ]
        for host, subset in dict.fromkeys((target["host"], target.get("subset")) for target in targets):
            if subset and subset not in defined.get(host, []):
                known = ", ".join(defined.get(host, [])) or "none"
                yield Violation(
                    item, f"sends to subset {subset} of {host}, which no DestinationRule has; there are {known}"
                )


RULES: tuple[Rule, ...] = (
    servers_are_whole,
    routes_fit_a_server,
    names_in_the_greeting_are_hosts,
    routes_can_be_taken,
    nothing_is_done_twice,
    http_goes_to_ports_named_so,
    subsets_are_defined,
)
