"""Rules for what routes do to requests and answers, and for who sees them: faults, origins, headers, exportTo."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from synth.cluster import Cluster, Rule, Violation
from synth.manifest import Document
from synth.mesh import GatewayReference, Host, destinations, gateway_references, routes
from synth.rules.matches import EVERY_PATH
from synth.tree import Object

# https://www.rfc-editor.org/rfc/rfc6454#section-7: a scheme, a host and perhaps a port, and nothing behind them.
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s]+|null")
EVERY_SITE = ("http", "http:", "http:/", "http://", "https", "https:", "https:/", "https://")
# supportedCORSMethods in https://github.com/istio/istio pkg/config/validation
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*")
# https://www.rfc-editor.org/rfc/rfc9110#section-5.1, and section-5.5 of what stands behind the name.
HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# Text, %% for a percent sign, and what the proxy fills in:
# https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#custom-request-response-headers
FILLED_IN = re.compile(r"(?:[^%]|%%|%[^%()]+(?:\([^%]*\))?(?::[0-9]+)?%)*")
EXPORTED = "networking.istio.io/exportTo"


def routes_break_nothing_on_purpose(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("VirtualService"):
        for route in routes(item, "http"):
            for sort in ("abort", "delay"):
                if (route.entry.get("fault") or {}).get(sort) is not None:
                    done = "fail" if sort == "abort" else "wait"
                    yield Violation(
                        item,
                        f"has http route {route.name} let requests {done} on purpose: drop the {sort} of its fault, "
                        "and try such things on a cluster by hand",
                    )


def other_sites_may_ask_as_browsers_do(cluster: Cluster) -> Iterator[Violation]:
    """What Istio refuses of a corsPolicy, and what no browser asks: https://fetch.spec.whatwg.org/#http-cors-protocol."""
    for item in cluster.of("VirtualService"):
        for route in routes(item, "http"):
            for problem in _problems_of_cors(route.entry.get("corsPolicy") or {}):
                yield Violation(item, f"has http route {route.name} {problem}")


def _problems_of_cors(policy: Document) -> Iterator[str]:
    origins = policy.get("allowOrigins") or []
    if policy and not origins:
        yield "with a corsPolicy that lets no site ask: name them in allowOrigins"
    for origin in origins:
        exact = origin.get("exact")
        if _is_every_site(origin):
            if policy.get("allowCredentials"):
                yield (
                    "let every site ask in its visitor's name and read the answer: name the origins in allowOrigins, "
                    "or leave allowCredentials out"
                )
        elif exact is not None and not ORIGIN.fullmatch(exact):
            yield f"let origin {exact!r} ask, which no browser sends: write it as in https://wiki.example.com"
    for method in policy.get("allowMethods") or []:
        if method not in METHODS:
            yield f"let other sites ask by method {method!r}: there are {', '.join(METHODS)}"
    for field in ("allowHeaders", "exposeHeaders"):
        for name in policy.get(field) or []:
            if not HEADER.fullmatch(name):
                yield f"with {field} {name!r}, which is no name of a header: list each by itself, as in x-request-id"


def _is_every_site(origin: Document) -> bool:
    return (
        origin.get("exact") == "*"
        or origin.get("prefix") in EVERY_SITE
        or origin.get("regex") in (*EVERY_PATH, ".+", "https?://.*", "https?://.+")
    )


def headers_are_as_http_has_them(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("VirtualService"):
        for route in routes(item, "http"):
            for entry in (route.entry, *route.entry.get("route", [])):
                for problem in _problems_of_headers(entry.get("headers") or {}):
                    yield Violation(item, f"has http route {route.name} {problem}")


def _problems_of_headers(headers: Document) -> Iterator[str]:
    for side in ("request", "response"):
        changes = headers.get(side) or {}
        written = [*(changes.get("set") or {}).items(), *(changes.get("add") or {}).items()]
        named = [(name, side == "request") for name, _ in written]
        named += [(name, False) for name in changes.get("remove") or []]
        for name, may_be_host in named:
            low = name.lower()
            if low == ":authority" and may_be_host:
                continue
            if low.startswith(":") or (low == "host" and not may_be_host):
                yield f"change {side} header {name}, which Istio leaves to HTTP itself: drop it"
            elif not HEADER.fullmatch(name):
                yield f"change {side} header {name!r}, which is no name of one: it has no blanks and no colon"
        for name, value in written:
            if UNPRINTABLE.search(value):
                yield f"set {side} header {name} to {value!r}, which has a line break or the like: write it in one line"
            elif not FILLED_IN.fullmatch(value):
                yield f"set {side} header {name} to {value!r}, where a % begins nothing: write %% for a percent sign"
        for name in (changes.get("set") or {}).keys() & set(changes.get("remove") or []):
            yield f"set and remove {side} header {name}: leave one out"


def browsers_understand_what_they_are_told(cluster: Cluster) -> Iterator[Violation]:
    """A header that a browser does not understand it leaves out in silence, and with it the protection.

    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers
    """
    for item in cluster.of("VirtualService"):
        told: dict[str, None] = {}
        for route in routes(item, "http"):
            for entry in (route.entry, *(route.entry.get("route") or [])):
                changes = (entry.get("headers") or {}).get("response") or {}
                for name, value in (*(changes.get("set") or {}).items(), *(changes.get("add") or {}).items()):
                    problem = _problem_of_answer(name.lower(), str(value))
                    told |= {f"answers with {name} {str(value)!r}, {problem}": None} if problem else {}
        for problem in told:
            yield Violation(item, problem)


WORDS: dict[str, tuple[str, ...]] = {
    "x-frame-options": ("deny", "sameorigin"),
    "x-content-type-options": ("nosniff",),
    "referrer-policy": tuple(
        """
        no-referrer no-referrer-when-downgrade origin origin-when-cross-origin same-origin strict-origin
        strict-origin-when-cross-origin unsafe-url
        """.split()  # noqa: SIM905, a list of quoted strings is not read
    ),
}
"""The words that a header of an answer may be."""
# https://www.w3.org/TR/CSP3/#grammardef-keyword-source
QUOTED = re.compile(
    r"self|none|unsafe-(?:inline|eval|hashes)|wasm-unsafe-eval|strict-dynamic|report-sample|(?:nonce|sha(?:256|384|512))-.+"
)
DIRECTIVES = frozenset(
    """
    base-uri block-all-mixed-content child-src connect-src default-src fenced-frame-src font-src form-action
    frame-ancestors frame-src img-src manifest-src media-src object-src report-to report-uri require-trusted-types-for
    sandbox script-src script-src-attr script-src-elem style-src style-src-attr style-src-elem trusted-types
    upgrade-insecure-requests worker-src
    """.split()  # noqa: SIM905, a list of quoted strings is not read
)
"""Of a Content-Security-Policy: https://www.w3.org/TR/CSP3/#csp-directives."""
AGE = re.compile(r"max-age=\"?([0-9]+)\"?", re.IGNORECASE)


def _problem_of_answer(name: str, value: str) -> str:
    """What is wrong with a header of an answer, as the end of a sentence; nothing where browsers take it."""
    words = WORDS.get(name)
    if words and not all(part.strip().lower() in words for part in value.split(",")):
        return f"which browsers do not know and leave out: there are {', '.join(words)}"
    if name.startswith("content-security-policy"):
        return _problem_of_policy(value)
    if name == "strict-transport-security":
        age = AGE.search(value)
        if not age:
            return "without the seconds for which it holds: write max-age=31536000"
        return "" if int(age[1]) else "which lets browsers go back to plain HTTP: leave the header out"
    if name == "access-control-allow-origin" and ("," in value or " " in value.strip()):
        return "and a browser takes one origin alone: name the origins in allowOrigins of a corsPolicy"
    return ""


def _problem_of_policy(policy: str) -> str:
    for directive, *sources in (part.split() for part in policy.split(";") if part.strip()):
        if directive.lower() not in DIRECTIVES:
            near = get_close_matches(directive.lower(), DIRECTIVES, 1)
            return f"whose {directive} no browser knows" + (f": write {near[0]}" if near else ": there is default-src")
        for source in sources if directive != "sandbox" and not directive.startswith(("report", "trusted")) else ():
            if QUOTED.fullmatch(source):
                return f"where {source} without quotes is a host of that name: write '{source}' in single quotes"
    return ""


def matches_are_for_gateways_of_the_route(cluster: Cluster) -> Iterator[Violation]:
    """A match narrows the gateways that the VirtualService has; it adds none."""
    for item in cluster.of("VirtualService"):
        mine = {*gateway_references(item).values()} or {GatewayReference.of("mesh", item.namespace)}
        for route in routes(item):
            for text in (text for match in route.matches for text in match.get("gateways") or []):
                if GatewayReference.of(text, item.namespace) not in mine:
                    known = ", ".join(item.spec.get("gateways") or ["mesh"])
                    yield Violation(
                        item,
                        f"has {route.section} route {route.name} match gateway {text}, through which it does not go: "
                        f"its gateways are {known}",
                    )


def what_the_gateway_needs_is_exported_to_it(cluster: Cluster) -> Iterator[Violation]:
    """A gateway sees what is exported to its own namespace, and takes the rest for not there.

    https://istio.io/latest/docs/reference/config/networking/virtual-service/#VirtualService
    """
    told: set[int] = set()
    rules: dict[str, list[Object]] = {}
    for rule in cluster.of("DestinationRule"):
        rules.setdefault(Host.of(rule.spec.get("host", ""), rule.namespace).in_full, []).append(rule)
    for route in cluster.of("VirtualService"):
        used = [route, *_used_by(cluster, route, rules)]
        for reference in gateway_references(route).values():
            if reference.is_mesh:
                continue
            for item in used:
                exported = _exported(item)
                if exported and reference.namespace not in exported and id(item) not in told:
                    told.add(id(item))
                    yield Violation(
                        item,
                        f"is exported to {', '.join(sorted(exported))} alone, so that Gateway {reference.name} in "
                        f"namespace {reference.namespace} does not see it: add {reference.namespace} to exportTo, or "
                        "leave that out",
                    )


def _used_by(cluster: Cluster, route: Object, rules: Mapping[str, list[Object]]) -> Iterator[Object]:
    """The Services that a route leads to, and the DestinationRules for them, which `rules` has by host."""
    hosts = list(dict.fromkeys(destination.host for destination in destinations(route)))
    for host in hosts:
        if isinstance(service := host.service(cluster), Object):
            yield service
    for name in dict.fromkeys(host.in_full for host in hosts):
        yield from rules.get(name, [])


def _exported(item: Object) -> set[str]:
    """The namespaces that see an object; none where all do."""
    if item.kind == "Service":
        text = (item.document["metadata"].get("annotations") or {}).get(EXPORTED, "")
        written = [part.strip() for part in text.split(",") if part.strip()]
    else:
        written = item.spec.get("exportTo") or []
    return set() if "*" in written else {item.namespace if text == "." else text for text in written}


RULES: tuple[Rule, ...] = (
    routes_break_nothing_on_purpose,
    other_sites_may_ask_as_browsers_do,
    headers_are_as_http_has_them,
    browsers_understand_what_they_are_told,
    matches_are_for_gateways_of_the_route,
    what_the_gateway_needs_is_exported_to_it,
)
