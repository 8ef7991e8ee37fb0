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


# What may be tried again on: supportedRetryOnPolicies in https://github.com/istio/istio pkg/config/validation
RETRY_ON = frozenset(
    """
    5xx gateway-error reset reset-before-request connect-failure retriable-4xx refused-stream retriable-status-codes
    retriable-headers envoy-ratelimited http3-post-connect-failure cancelled deadline-exceeded internal
    resource-exhausted unavailable
    """.split()  # noqa: SIM905, a list of quoted strings is not read
)
EVERY_PATH = (".*", "/.*", "^.*$", "^/.*$")
MOST_ATTEMPTS = 10
ZERO = re.compile(r"(0+(\.0+)?(ms|s|m|h))+")


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
    protocol, mode = server["port"]["protocol"].upper(), (server.get("tls") or {}).get("mode", "")
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
            matches = route.matches
            wider = [[first for first, wide in before if _covers(wide, match)] for match in matches]
            if all(wider) and not any(_goes_round(item, first) for first in wider[0]):
                yield Violation(
                    item,
                    f"has http route {route.name} behind {wider[0][0]}, which takes all that it matches: put it in "
                    "front, or drop it",
                )
            before.extend((route.name, match) for match in matches)


def _covers(wide: Document, narrow: Document) -> bool:
    """Whether a match takes every request that another one takes."""
    conditions = wide.keys() - {"name", "uri"}
    return all(key in narrow and narrow[key] == wide[key] for key in conditions) and _covers_path(wide, narrow)


def _covers_path(wide: Document, narrow: Document) -> bool:
    first, second = wide.get("uri") or {}, narrow.get("uri") or {}
    if not first or first == second or first.get("regex") in EVERY_PATH or first.get("prefix") == "/":
        return True
    path = second.get("prefix") or second.get("exact")
    return bool("prefix" in first and path and path.startswith(first["prefix"]))


def _goes_round(item: Object, name: str) -> bool:
    """Whether a route redirects to itself, which is told of."""
    return any(route.name == name and _rounds(item, route) for route in routes(item, "http"))


def redirects_end(cluster: Cluster) -> Iterator[Violation]:
    """A redirect leads away from the requests that it answers, or a browser goes round until it gives up."""
    for item in cluster.of("VirtualService"):
        for route in routes(item, "http"):
            if _rounds(item, route):
                target = route.entry["redirect"].get("uri")
                where = f"to {target}" if target else "to the same path"
                yield Violation(
                    item,
                    f"has http route {route.name} redirect {where}, which it matches again, for ever: match the other "
                    "paths or the other port alone, or redirect elsewhere",
                )


def _rounds(item: Object, route: Route) -> bool:
    """Whether a route redirects to a request that it takes itself."""
    redirect = route.entry.get("redirect")
    if not redirect or redirect.get("authority", "") not in ("", *item.spec.get("hosts", [])):
        return False
    ports = [match.get("port") for match in route.matches]
    moves = redirect.keys() & {"scheme", "port", "derivePort"} and 443 not in ports and None not in ports  # noqa: PLR2004, HTTPS
    return not moves and any(takes_path(match, redirect.get("uri")) for match in route.matches)


def takes_path(match: Document, path: str | None) -> bool:
    """Whether a match takes a path; the same path it always takes."""
    uri = match.get("uri") or {}
    if path is None or not uri:
        return True
    if "exact" in uri:
        return bool(uri["exact"] == path)
    if "regex" in uri:
        return _is_pattern_for(uri["regex"], path)
    return "prefix" in uri and path.startswith(uri["prefix"])


def _is_pattern_for(pattern: str, text: str) -> bool:
    """Whether a regular expression is for the whole of a text; one that cannot be read is for none."""
    try:
        return re.fullmatch(pattern, text) is not None
    except re.error:
        return False


def redirects_do_not_lead_to_each_other(cluster: Cluster) -> Iterator[Violation]:
    owners = {host: item for item in cluster.of("VirtualService") for host in item.spec.get("hosts", [])}
    for item in cluster.of("VirtualService"):
        for route in routes(item, "http"):
            if route.entry.get("redirect") and not _rounds(item, route):
                for match in route.matches:
                    way = _way(owners, item, route, match)
                    if way and way[0] == min(way):
                        yield Violation(
                            item,
                            f"has http route {route.name} redirect {' to '.join([*way, way[0]])}, and so on for ever: "
                            "let one of them answer",
                        )
                        break


def _way(owners: Mapping[str, Object], item: Object, route: Route, match: Document) -> list[str]:
    """The addresses that a redirect leads through, where it comes back to where it began."""
    uri = match.get("uri") or {}
    host = next(iter(item.spec.get("hosts", [])), "")
    path, port, passed = uri.get("exact") or uri.get("prefix") or "/", match.get("port"), list[str]()
    found: Route | None = route
    while found and (redirect := found.entry.get("redirect")):
        here = f"{'http' if port == 80 else 'https'}://{host}{path}"  # noqa: PLR2004, HTTP
        if here in passed:
            return passed if here == passed[0] else []
        passed.append(here)
        host, path = redirect.get("authority") or host, redirect.get("uri") or path
        port = {"https": 443, "http": 80}.get(redirect.get("scheme", ""), port)
        owner = owners.get(host)
        found = next((r for r in routes(owner, "http") if _answers(r, port, path)), None) if owner else None
    return []


def _answers(route: Route, port: int | None, path: str) -> bool:
    """Whether a route takes a GET of a path at a port that says nothing more."""
    more = {"headers", "queryParams", "sourceLabels", "sourceNamespace", "authority", "scheme"}
    return any(
        not (match.keys() & more)
        and match.get("port") in (None, port)
        and _is_method(match.get("method") or {}, "GET")
        and takes_path(match, path)
        for match in route.matches
    )


def routes_are_whole(cluster: Cluster) -> Iterator[Violation]:
    """What Istio's own validation refuses, and what matches no request."""
    for item in cluster.of("VirtualService"):
        hosts = item.spec.get("hosts") or []
        if not any(item.spec.get(section) for section in SECTIONS):
            yield Violation(item, "has no routes: write http, tls or tcp routes")
        if not hosts:
            yield Violation(item, "has no hosts: name those that it answers for")
        for host in {host for host in hosts if hosts.count(host) > 1}:
            yield Violation(item, f"names host {host} twice: leave one out")
        for route in routes(item, "http"):
            for problem in (*_problems_of_route(route.entry), *_problems_of_matches(route)):
                yield Violation(item, f"has http route {route.name} {problem}")


def _problems_of_route(entry: Document) -> Iterator[str]:
    answers = [field for field in ("route", "redirect", "directResponse", "delegate") if entry.get(field) is not None]
    if len(answers) != 1 or entry.get("route") == []:
        named = " and ".join(answers) if len(answers) > 1 else "no destination"
        yield f"with {named}: give it one of route, redirect and directResponse"
    weights = [target.get("weight", 0) for target in entry.get("route") or []]
    if any(weight < 0 for weight in weights) or (len(weights) > 1 and not any(weights)):
        yield f"with the weights {', '.join(map(str, weights))}: write those that make 100 together"
    elif len(weights) == 1 and weights[0] not in (0, 100):
        yield (
            f"with a weight of {weights[0]} for its one destination, which gets all requests: name the others as well, "
            "or leave the weight out"
        )
    yield from _problems_of_redirect(entry.get("redirect"))
    yield from _problems_of_rewrite(entry)
    status = (entry.get("directResponse") or {}).get("status", 200)
    if status not in range(200, 600):
        yield f"answer with status {status}, which is none: 200 to 599 are"
    yield from _problems_of_retries(entry.get("retries") or {})
    mirrors = [entry, *(entry.get("mirrors") or [])]
    for mirrored in (
        (mirror.get("mirrorPercentage") or mirror.get("percentage") or {}).get("value", 0) for mirror in mirrors
    ):
        if not 0 <= mirrored <= 100:  # noqa: PLR2004, per cent
            yield f"mirror {mirrored} per cent of requests: write 0 to 100"
    sent = [target.get("destination") for target in entry.get("route") or []]
    for mirror in (entry.get("mirror"), *(more.get("destination") for more in entry.get("mirrors") or [])):
        if mirror and mirror in sent:
            yield f"mirror to {mirror.get('host')}, where it sends them already, so that all is done twice: drop mirror"
    if "mirrorPercentage" in entry and "mirror" not in entry:
        yield "say how many requests are mirrored and not where to: name that in mirror, or leave mirrorPercentage out"
    if ZERO.fullmatch(str(entry.get("timeout", ""))):
        yield f"with a timeout of {entry['timeout']}, which Istio refuses: leave it out where there is none"


def _problems_of_redirect(redirect: Document | None) -> Iterator[str]:
    if redirect is None:
        return
    if not redirect.keys() & {"uri", "authority", "scheme", "port", "derivePort", "prefixRewrite"}:
        yield "redirect to nowhere: write its uri, authority or scheme"
    code = redirect.get("redirectCode", 301)
    if code not in range(300, 400):
        yield f"redirect with code {code}, which is none of a redirect: 301, 302, 307 and 308 are some"
    if redirect.get("scheme", "https") not in ("http", "https"):
        yield f"redirect to scheme {redirect['scheme']}: there are http and https"
    if not redirect.get("uri", "/").startswith("/"):
        yield f"redirect to {redirect['uri']}, which is no path: it begins with /"


def _problems_of_rewrite(entry: Document) -> Iterator[str]:
    rewrite = entry.get("rewrite")
    if rewrite is None:
        return
    if not (rewrite.get("uri") or rewrite.get("authority") or rewrite.get("uriRegexRewrite")):
        yield "rewrite nothing: write a uri or an authority, or leave rewrite out"
    if rewrite.get("uri") and rewrite.get("uriRegexRewrite"):
        yield "rewrite the path by uri and by uriRegexRewrite, of which Istio takes one: leave the other out"
    if not rewrite.get("uri", "/").startswith("/"):
        yield f"rewrite the path to {rewrite['uri']}, which is none: it begins with /"
    if "/" in (authority := rewrite.get("authority", "")):
        yield f"rewrite the host to {authority}, which is none: wiki.example.com is one, without a scheme and a path"
    if others := [field for field in ("redirect", "directResponse") if entry.get(field)]:
        yield f"rewrite what is answered by its {others[0]}: leave rewrite out"


def _problems_of_retries(retries: Document) -> Iterator[str]:
    attempts = retries.get("attempts", 0)
    if attempts < 0:
        yield f"try again {attempts} times: write 0 or more"
    if attempts > MOST_ATTEMPTS:
        yield f"try again {attempts} times, by which one failure becomes many: {MOST_ATTEMPTS} are the most"
    if attempts == 0 and retries.keys() - {"attempts"}:
        more = ", ".join(sorted(retries.keys() - {"attempts"}))
        yield f"try again 0 times with {more}, which Istio refuses: leave it out, or set attempts"
    for condition in retries["retryOn"].split(",") if retries.get("retryOn") else ():
        if condition not in RETRY_ON and not re.fullmatch("[1-5][0-9][0-9]", condition):
            yield f"try again on {condition!r}, which Istio does not know: there are {', '.join(sorted(RETRY_ON))}"


def _problems_of_matches(route: Route) -> Iterator[str]:
    for match in route.matches:
        uri = match.get("uri") or {}
        path = uri.get("exact", uri.get("prefix", "/"))
        if not path.startswith("/"):
            yield f"match path {path}, which no request has: a path begins with /"
        elif "?" in path or "*" in path:
            yield (
                f"match path {path}, in which a ? or * is itself: a prefix takes every path that begins so, regex is "
                "for patterns, and queryParams are for what stands behind a ?"
            )
        method = (match.get("method") or {}).get("exact", "")
        if method != method.upper():
            yield f"match method {method}, which no request has: write {method.upper()}"
        for header in (*(match.get("headers") or {}), *(match.get("withoutHeaders") or {})):
            if header != header.lower() and not header.startswith("@"):
                yield f"match header {header}, which Istio does not find: write {header.lower()}"


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
    redirects_do_not_lead_to_each_other,
    routes_are_whole,
    nothing_is_done_twice,
)
