"""Rules for what routes match: hosts and ports that a gateway serves, in which order, and what is tried again."""

import re
from collections.abc import Iterable, Iterator, Mapping

from synth.cluster import Cluster, Rule, Violation
from synth.manifest import Document
from synth.mesh import SECTIONS, GatewayReference, Route, ServedHost, covers, gateway_references, gateways, routes
from synth.rules.gateways import ENCRYPTED
from synth.tree import Object

# Which routes of a VirtualService a server is for: https://istio.io/latest/docs/reference/config/networking/virtual-service/
HTTP = frozenset({"HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTPS"})
CHANGING = ("POST", "PATCH")
"""Methods of requests that, done twice, may change something twice: https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2"""
# Conditions in which the request may have been done:
# https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#x-envoy-retry-on
MAYBE_DONE = re.compile(r"5xx|gateway-error|reset|5[0-9][0-9]")


def hosts_are_claimed_once(cluster: Cluster) -> Iterator[Violation]:
    claimed: dict[tuple[GatewayReference, str], Object] = {}
    for item in cluster.of("VirtualService"):
        for gateway in gateway_references(item).values():
            for host in item.spec.get("hosts", []):
                other = claimed.setdefault((gateway, host), item)
                if other is not item:
                    yield Violation(
                        item,
                        f"claims {host}, which {other} in namespace {other.namespace} claims already "
                        f"({other.source}): give one of them another host",
                    )


def routes_fit_a_server(cluster: Cluster) -> Iterator[Violation]:
    """For each match of a route the gateway has a server: for one of its hosts, on its port, of its protocol."""
    by_host = {id(gateway): _servers_by_host(gateway) for gateway in cluster.of("Gateway")}
    for item in cluster.of("VirtualService"):
        found = gateways(cluster, item)
        if len(found) < len(gateway_references(item)):
            continue
        servers = [server for gateway in found for server in _servers_for(by_host[id(gateway)], item)]
        names = " and ".join(map(str, found))
        for section in SECTIONS if servers else ():
            fitting = [server["port"]["number"] for server in servers if _speaks(server, section)]
            for port in _ports(routes(item, section)):
                if port not in fitting if port else not fitting:
                    offered = ", ".join(f"{s['port']['number']}/{s['port']['protocol']}" for s in servers)
                    yield Violation(
                        item,
                        f"has {section} routes{f' on port {port}' if port else ''}, but {names} serves "
                        f"{', '.join(item.spec.get('hosts', []))} on {offered}",
                    )


def _servers_by_host(gateway: Object) -> dict[str, list[Document]]:
    found: dict[str, list[Document]] = {}
    for server in gateway.spec.get("servers", []):
        for entry in server.get("hosts", []):
            found.setdefault(entry if ServedHost.of(entry).is_exact else "", []).append(server)
    return found


def _servers_for(by_host: Mapping[str, list[Document]], route: Object) -> list[Document]:
    hosts = route.spec.get("hosts", [])
    exact = [server for host in hosts for server in by_host.get(f"{route.namespace}/{host}", [])]
    wide = [server for server in by_host.get("", []) if any(_is_wide_for(server, route, host) for host in hosts)]
    return [*exact, *wide]


def _is_wide_for(server: Document, route: Object, host: str) -> bool:
    entries = map(ServedHost.of, server["hosts"])
    return any(entry.admits(route.namespace, host) for entry in entries if not entry.is_exact)


def _speaks(server: Document, section: str) -> bool:
    """Whether a server reads what routes of a section match: HTTP, the name in the TLS greeting, or nothing."""
    protocol, mode = server["port"]["protocol"], (server.get("tls") or {}).get("mode", "")
    if section == "tls":
        return protocol in ENCRYPTED and mode in ("PASSTHROUGH", "AUTO_PASSTHROUGH")
    return (protocol in HTTP) == (section == "http") and not mode.endswith("PASSTHROUGH")


def _ports(found: Iterable[Route]) -> list[int | None]:
    matches = [match for route in found for match in route.matches]
    return list(dict.fromkeys(match.get("port") for match in matches if not match.get("gateways")))


def names_in_the_greeting_are_hosts(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("VirtualService"):
        hosts = item.spec.get("hosts", [])
        for route in routes(item, "tls"):
            for name in (name for match in route.matches for name in match.get("sniHosts", [])):
                if not any(covers(host, name) for host in hosts):
                    yield Violation(item, f"matches SNI host {name}, which is none of its hosts: {', '.join(hosts)}")


def routes_can_be_taken(cluster: Cluster) -> Iterator[Violation]:
    """The first route that matches takes a request, so one behind a wider one never gets any."""
    for item in cluster.of("VirtualService"):
        before: list[tuple[str, Document]] = []
        for route in routes(item, "http"):
            matches = [_conditions(match) for match in route.matches]
            wider = [[first for first, wide in before if wide.items() <= match.items()] for match in matches]
            if all(wider):
                yield Violation(
                    item,
                    f"has http route {route.name} behind {wider[0][0]}, which takes all that it matches: put it in "
                    "front, or drop it",
                )
            before.extend((route.name, match) for match in matches)


def _conditions(match: Document) -> Document:
    """The conditions of a match, in a form that can be compared."""
    return {key: repr(value) for key, value in match.items() if key != "name"}


def redirects_end(cluster: Cluster) -> Iterator[Violation]:
    """A redirect leads away from the requests that it answers, or a browser goes round until it gives up."""
    for item in cluster.of("VirtualService"):
        for route in routes(item, "http"):
            redirect = route.entry.get("redirect")
            if not redirect or redirect.get("authority", "") not in ("", *item.spec.get("hosts", [])):
                continue
            ports = [match.get("port") for match in route.matches]
            moves = redirect.keys() & {"scheme", "port", "derivePort"} and 443 not in ports and None not in ports  # noqa: PLR2004, HTTPS
            target = redirect.get("uri")
            if not moves and any(_takes_path(match, target) for match in route.matches):
                where = f"to {target}" if target else "to the same path"
                yield Violation(
                    item,
                    f"has http route {route.name} redirect {where}, which it matches again, for ever: match the other "
                    "paths or the other port alone, or redirect elsewhere",
                )


def _takes_path(match: Document, path: str | None) -> bool:
    """Whether a match takes a path; the same path it always takes."""
    uri = match.get("uri") or {}
    if path is None or not uri:
        return True
    if "exact" in uri:
        return bool(uri["exact"] == path)
    return "prefix" in uri and path.startswith(uri["prefix"])


def nothing_is_done_twice(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("VirtualService"):
        for route in routes(item, "http"):
            retries = route.entry.get("retries") or {}
            conditions = [text.strip() for text in retries.get("retryOn", "").split(",")]
            maybe_done = [condition for condition in conditions if MAYBE_DONE.fullmatch(condition)]
            method = next((m for m in CHANGING if _takes(route, m)), None)
            if retries.get("attempts") and maybe_done and method:
                yield Violation(
                    item,
                    f"has http route {route.name} try a {method} again on {', '.join(maybe_done)}, "
                    "when it may have been done: match methods that change nothing, or set attempts to 0",
                )


def _takes(route: Route, method: str) -> bool:
    """Whether a route may take requests of a method."""
    return any(_is_method(match.get("method") or {}, method) for match in route.matches)


def _is_method(wanted: Document, method: str) -> bool:
    if "exact" in wanted:
        return bool(wanted["exact"] == method)
    if "prefix" in wanted:
        return method.startswith(wanted["prefix"])
    try:
        return "regex" not in wanted or re.fullmatch(wanted["regex"], method) is not None
    except re.error:
        return True


RULES: tuple[Rule, ...] = (
    hosts_are_claimed_once,
    routes_fit_a_server,
    names_in_the_greeting_are_hosts,
    routes_can_be_taken,
    redirects_end,
    nothing_is_done_twice,
)
