"""Rules for what routes match: a port that nobody serves, a route that nobody takes, a request that is done twice."""

from typing import Any

import pytest

from synth.manifest import Document
from synth.rules import matches
from tests.synth.objects import environment, find, put, said

WIKI = "wiki.wiki.svc.cluster.local"
TO_WIKI = [{"destination": {"host": WIKI, "port": {"number": 80}}}]


def sentences(documents: list[Document]) -> list[str]:
    return said(matches.RULES, documents)


def routed(*http: Document, **spec: Any) -> list[Document]:
    """The environment with these HTTP routes, all to the wiki, and what else the VirtualService has."""
    documents = environment()
    put(find(documents, "VirtualService"), "spec/http", [{**route, "route": TO_WIKI} for route in http])
    find(documents, "VirtualService")["spec"] |= spec
    return documents


def served(*servers: Document) -> list[Document]:
    documents = environment()
    put(find(documents, "Gateway"), "spec/servers", list(servers))
    return documents


def server(number: int, protocol: str, *hosts: str, **tls: Any) -> Document:
    port = {"number": number, "name": f"{protocol.lower()}-{number}", "protocol": protocol}
    return {"port": port, "hosts": list(hosts) or ["wiki/wiki.localhost"], **({"tls": tls} if tls else {})}


HTTP, HTTPS = server(80, "HTTP"), server(443, "HTTPS", mode="SIMPLE", credentialName="wiki-tls")
PASSED_ON = server(443, "TLS", mode="PASSTHROUGH")


def test_a_sound_environment_breaks_no_rule() -> None:
    assert sentences(environment()) == []


# ports


def test_a_route_on_a_port_that_nobody_serves_gives_its_sentence() -> None:
    assert sentences(routed({"match": [{"port": 443}]})) == [
        "VirtualService wiki has http routes on port 443, but Gateway main serves wiki.localhost on 80/HTTP"
    ]


def test_a_port_that_serves_other_hosts_does_not_serve_this_one() -> None:
    documents = served(HTTP, server(443, "HTTPS", "other/other.localhost", mode="SIMPLE"))
    put(find(documents, "VirtualService"), "spec/http/0/match", [{"port": 443}])
    assert sentences(documents) == [
        "VirtualService wiki has http routes on port 443, but Gateway main serves wiki.localhost on 80/HTTP"
    ]


@pytest.mark.parametrize(
    ("section", "one", "fits"),
    [
        ("http", HTTP, True),
        ("http", HTTPS, True),
        ("http", server(80, "GRPC"), True),
        ("http", server(443, "HTTPS", mode="PASSTHROUGH"), False),
        ("http", PASSED_ON, False),
        ("http", server(5432, "TCP"), False),
        ("tls", PASSED_ON, True),
        ("tls", server(443, "HTTPS", mode="PASSTHROUGH"), True),
        ("tls", server(15443, "TLS", mode="AUTO_PASSTHROUGH"), True),
        ("tls", HTTP, False),
        ("tls", HTTPS, False),
        ("tcp", server(5432, "TCP"), True),
        ("tcp", server(5432, "TLS", mode="SIMPLE"), True),
        ("tcp", HTTP, False),
        ("tcp", PASSED_ON, False),
    ],
)
def test_a_server_is_for_routes_of_its_protocol(section: str, one: Document, fits: bool) -> None:
    documents = served(one)
    put(find(documents, "VirtualService"), "spec/http", None)
    put(find(documents, "VirtualService"), f"spec/{section}", [{"route": TO_WIKI}])
    number, protocol = one["port"]["number"], one["port"]["protocol"]
    told = f"VirtualService wiki has {section} routes, but Gateway main serves wiki.localhost on {number}/{protocol}"
    assert sentences(documents) == ([] if fits else [told])


@pytest.mark.parametrize("entry", ["*", "*/*", "*.localhost", "wiki/*.localhost", "*/wiki.localhost", "wiki.localhost"])
def test_a_server_may_be_for_many_hosts(entry: str) -> None:
    documents = served(server(80, "HTTP", entry))
    assert sentences(documents) == []
    put(find(documents, "VirtualService"), "spec/http/0/match", [{"port": 81}])
    assert len(sentences(documents)) == 1


def test_a_route_through_several_gateways_may_be_for_either() -> None:
    documents = routed({"match": [{"port": 80}, {"port": 443}]}, gateways=["istio-system/main", "istio-system/second"])
    second = find(environment(), "Gateway")
    put(second, "metadata/name", "second")
    put(second, "spec/servers", [HTTPS])
    assert sentences([*documents, second]) == []
    put(find(documents, "VirtualService"), "spec/http/0/match", [{"port": 81}])
    assert sentences([*documents, second]) == [
        "VirtualService wiki has http routes on port 81, but Gateway main and Gateway second serves wiki.localhost on "
        "80/HTTP, 443/HTTPS"
    ]


@pytest.mark.parametrize("gateways", [["mesh"], ["mesh", "istio-system/main"], []])
def test_a_route_inside_the_mesh_may_be_on_any_port(gateways: list[str]) -> None:
    assert sentences(routed({"match": [{"port": 9090}]}, gateways=gateways)) == []


def test_a_name_in_the_greeting_is_one_of_the_hosts() -> None:
    documents = served(HTTP, PASSED_ON)
    tls = [{"match": [{"port": 443, "sniHosts": ["wiki.localhost", "wikki.localhost"]}], "route": TO_WIKI}]
    put(find(documents, "VirtualService"), "spec/tls", tls)
    told = "VirtualService wiki matches SNI host wikki.localhost, which is none of its hosts: wiki.localhost"
    assert sentences(documents) == [told]
    put(find(documents, "VirtualService"), "spec/hosts", ["*.localhost"])
    put(find(documents, "Gateway"), "spec/servers/1/hosts", ["wiki/*.localhost"])
    put(find(documents, "Gateway"), "spec/servers/0/hosts", ["wiki/*.localhost"])
    assert sentences(documents) == []


# order


def test_a_route_behind_one_for_everything_is_never_taken() -> None:
    told = "VirtualService wiki has http route other behind 1, which takes all that it matches: put it in front, or"
    assert sentences(routed({}, {"name": "other", "match": [{"uri": {"prefix": "/a"}}]})) == [f"{told} drop it"]


@pytest.mark.parametrize(
    ("first", "second", "reached"),
    [
        ([{"port": 80}], [{"port": 80}], False),
        ([{"port": 80}], [{"port": 80, "uri": {"prefix": "/a"}}], False),
        ([{"name": "one", "port": 80}], [{"name": "two", "port": 80}], False),
        ([{"uri": {"prefix": "/a"}}, {"port": 80}], [{"port": 80}, {"uri": {"prefix": "/a"}}], False),
        ([{"port": 80, "uri": {"prefix": "/a"}}], [{"port": 80}], True),
        ([{"uri": {"prefix": "/a"}}], [{"uri": {"prefix": "/b"}}], True),
        ([{"uri": {"prefix": "/a"}}], [{"uri": {"exact": "/a"}}], False),
        ([{"uri": {"prefix": "/a"}}], [{"uri": {"prefix": "/a/b"}, "port": 80}], False),
        ([{"uri": {"prefix": "/"}}], [{"port": 80}], False),
        ([{"uri": {"regex": ".*"}}], [{"port": 80}], False),
        ([{"uri": {"prefix": "/a/b"}}], [{"uri": {"prefix": "/a"}}], True),
        ([{"uri": {"exact": "/a"}}], [{"uri": {"prefix": "/a"}}], True),
        ([{"uri": {"regex": "/a.*"}}], [{"uri": {"exact": "/ab"}}], True),
        ([{"uri": {"prefix": "/a"}}], [{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}], True),
        ([{"headers": {"a": {"exact": "1"}}}], [{"headers": {"a": {"exact": "1"}, "b": {"exact": "2"}}}], True),
    ],
)
def test_a_route_is_reached_where_those_before_leave_something(
    first: list[Document], second: list[Document], reached: bool
) -> None:
    told = sentences(routed({"name": "first", "match": first}, {"name": "second", "match": second}))
    assert told == (
        []
        if reached
        else [
            "VirtualService wiki has http route second behind first, which takes all that it matches: put it in front, "
            "or drop it"
        ]
    )


# retries


@pytest.mark.parametrize(
    ("method", "told_of"),
    [
        (None, "POST"),
        ({"exact": "POST"}, "POST"),
        ({"exact": "PATCH"}, "PATCH"),
        ({"prefix": "P"}, "POST"),
        ({"regex": "GET|POST"}, "POST"),
        ({"regex": ".*"}, "POST"),
        ({"regex": "(?!POST"}, "POST"),
    ],
)
def test_a_request_that_may_have_been_done_is_not_tried_again(method: Document | None, told_of: str) -> None:
    route = {"match": [{"method": method}]} if method else {}
    retries = {"attempts": 2, "retryOn": "connect-failure,reset,503"}
    assert sentences(routed({**route, "retries": retries})) == [
        f"VirtualService wiki has http route 1 try a {told_of} again on reset, 503, when it may have been done: match "
        "methods that change nothing, or set attempts to 0"
    ]


@pytest.mark.parametrize(
    "method", [{"exact": "GET"}, {"regex": "GET|HEAD|OPTIONS"}, {"prefix": "PUT"}, {"exact": "DELETE"}]
)
def test_a_request_that_may_be_done_twice_is_tried_again(method: Document) -> None:
    retries = {"attempts": 2, "retryOn": "5xx"}
    assert sentences(routed({"match": [{"method": method}], "retries": retries})) == []


@pytest.mark.parametrize(
    "retries",
    [
        {"attempts": 0},
        {"attempts": 2},
        {"attempts": 2, "retryOn": "connect-failure,refused-stream"},
        {"attempts": 2, "retryOn": "reset-before-request,unavailable,cancelled"},
    ],
)
def test_a_request_that_did_not_arrive_is_tried_again(retries: Document) -> None:
    assert sentences(routed({"retries": retries})) == []


# redirects


def redirected(redirect: Document, *matched: Document) -> list[str]:
    documents = environment()
    match = {"match": list(matched)} if matched else {}
    put(find(documents, "VirtualService"), "spec/http", [{**match, "redirect": redirect}])
    return said((matches.redirects_end,), documents)


@pytest.mark.parametrize(
    ("redirect", "matched"),
    [
        ({"uri": "/home"}, []),
        ({"uri": "/home"}, [{"uri": {"prefix": "/"}}]),
        ({"uri": "/home", "authority": "wiki.localhost"}, [{"uri": {"exact": "/home"}}]),
        ({"scheme": "https"}, []),
        ({"scheme": "https"}, [{"port": 443}]),
        ({"redirectCode": 302}, [{"uri": {"exact": "/old"}}]),
    ],
)
def test_a_redirect_to_what_it_matches_gives_its_sentence(redirect: Document, matched: list[Document]) -> None:
    (told,) = redirected(redirect, *matched)
    assert told.startswith("VirtualService wiki has http route 1 redirect to")
    assert "which it matches again, for ever" in told


@pytest.mark.parametrize(
    ("redirect", "matched"),
    [
        ({"uri": "/new"}, [{"uri": {"exact": "/old"}}]),
        ({"uri": "/new"}, [{"uri": {"prefix": "/old"}}]),
        ({"scheme": "https"}, [{"port": 80}]),
        ({"authority": "www.example.com"}, []),
    ],
)
def test_a_redirect_leads_elsewhere(redirect: Document, matched: list[Document]) -> None:
    assert redirected(redirect, *matched) == []


# redirects that lead to each other


def passed_on(*ways: tuple[str, Document]) -> list[str]:
    documents = routed({"name": "rest"})
    http = [{"name": path, "match": [{"uri": {"exact": path}}], "redirect": to} for path, to in ways]
    put(find(documents, "VirtualService"), "spec/http", [*http, {"name": "rest", "route": TO_WIKI}])
    return sentences(documents)


def test_redirects_that_lead_to_each_other_give_one_sentence() -> None:
    assert passed_on(("/a", {"uri": "/b"}), ("/b", {"uri": "/c"}), ("/c", {"uri": "/a"})) == [
        "VirtualService wiki has http route /a redirect https://wiki.localhost/a to https://wiki.localhost/b to "
        "https://wiki.localhost/c to https://wiki.localhost/a, and so on for ever: let one of them answer"
    ]


@pytest.mark.parametrize(
    "ways",
    [
        [("/a", {"uri": "/b"}), ("/b", {"uri": "/c"})],
        [("/a", {"uri": "/b"}), ("/b", {"authority": "other.localhost", "uri": "/a"})],
        [("/old", {"uri": "/"})],
    ],
)
def test_redirects_may_lead_one_after_the_other(ways: list[tuple[str, Document]]) -> None:
    assert passed_on(*ways) == []


# what Istio refuses


@pytest.mark.parametrize(
    ("route", "told"),
    [
        ({"redirect": {"uri": "/b"}}, "with route and redirect"),
        ({"retries": {"attempts": 0, "retryOn": "reset"}}, "try again 0 times with retryOn, which Istio refuses"),
        ({"retries": {"attempts": -1}}, "try again -1 times"),
        ({"retries": {"attempts": 500}}, "try again 500 times, by which one failure becomes many"),
        ({"retries": {"attempts": 1, "retryOn": "connect-fail"}}, "try again on 'connect-fail', which Istio does not"),
        ({"retries": {"attempts": 1, "retryOn": "connect-failure, refused-stream"}}, "try again on ' refused-stream'"),
        ({"timeout": "0s"}, "with a timeout of 0s, which Istio refuses"),
        ({"mirrorPercentage": {"value": 120}}, "mirror 120 per cent of requests"),
        ({"mirrors": [{"destination": {"host": WIKI}, "percentage": {"value": -1}}]}, "mirror -1 per cent"),
        ({"mirrorPercentage": {"value": 20}}, "say how many requests are mirrored and not where to"),
        ({"rewrite": {"uri": "api"}}, "rewrite the path to api, which is none: it begins with /"),
        ({"rewrite": {}}, "rewrite nothing: write a uri or an authority"),
        ({"rewrite": {"authority": "https://wiki.localhost"}}, "rewrite the host to https://wiki.localhost, which is"),
        (
            {"rewrite": {"uri": "/", "uriRegexRewrite": {"match": "a", "rewrite": "b"}}},
            "rewrite the path by uri and by",
        ),
        ({"directResponse": {"status": 99}}, "answer with status 99, which is none"),
        (
            {"directResponse": {"status": 200}, "rewrite": {"uri": "/"}},
            "rewrite what is answered by its directResponse",
        ),
        ({"match": [{"uri": {"prefix": "/api/*"}}]}, "match path /api/*, in which a ? or * is itself"),
        ({"match": [{"uri": {"exact": "/api?full=1"}}]}, "match path /api?full=1, in which a ? or * is itself"),
        ({"match": [{"withoutHeaders": {"X-Beta": {"exact": "1"}}}]}, "match header X-Beta, which Istio does not find"),
        ({"match": [{"uri": {"prefix": "api"}}]}, "match path api, which no request has"),
        ({"match": [{"method": {"exact": "post"}}]}, "match method post, which no request has: write POST"),
        ({"match": [{"headers": {"X-Beta": {"exact": "1"}}}]}, "match header X-Beta, which Istio does not find"),
    ],
)
def test_a_route_that_istio_refuses_or_that_matches_nothing_gives_its_sentence(route: Document, told: str) -> None:
    assert [sentence for sentence in sentences(routed(route)) if f"has http route 1 {told}" in sentence] != []


@pytest.mark.parametrize(
    ("redirect", "told"),
    [
        ({}, "redirect to nowhere"),
        ({"uri": "b"}, "redirect to b, which is no path"),
        ({"uri": "/b", "redirectCode": 200}, "redirect with code 200"),
        ({"scheme": "HTTPS"}, "redirect to scheme HTTPS: there are http and https"),
    ],
)
def test_a_redirect_that_istio_refuses_gives_its_sentence(redirect: Document, told: str) -> None:
    found = passed_on(("/a", redirect))
    assert [sentence for sentence in found if f"has http route /a {told}" in sentence] != []


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("spec/http", None, "has no routes"),
        ("spec/http/0/route", [], "with no destination"),
        ("spec/hosts", ["wiki.localhost", "wiki.localhost"], "names host wiki.localhost twice"),
        ("spec/http/0/route", [{**TO_WIKI[0], "weight": 50}], "with a weight of 50 for its one destination"),
        (
            "spec/http/0/route",
            [{**TO_WIKI[0], "weight": 0}, {**TO_WIKI[0], "weight": 0}],
            "with the weights 0, 0: write those that make 100 together",
        ),
    ],
)
def test_a_virtual_service_is_whole(path: str, value: Any, told: str) -> None:
    documents = environment()
    put(find(documents, "VirtualService"), path, value)
    assert [sentence for sentence in sentences(documents) if told in sentence] != []


@pytest.mark.parametrize(
    "route",
    [
        {"rewrite": {"uri": "/"}},
        {"rewrite": {"authority": "wiki.example.com"}},
        {"rewrite": {"uriRegexRewrite": {"match": "^/a", "rewrite": "/b"}}},
        {"mirror": {"host": WIKI}, "mirrorPercentage": {"value": 0.5}},
        {"match": [{"headers": {"@request.auth.claims.Team": {"exact": "a"}}}]},
        {"match": [{"uri": {"regex": "/api/.*[?]?"}}]},
    ],
)
def test_a_route_may_do_more(route: Document) -> None:
    assert sentences(routed(route)) == []


def test_a_protocol_may_be_written_in_lower_case() -> None:
    assert sentences(served(server(80, "http"))) == []


@pytest.mark.parametrize("field", ["mirror", "mirrors"])
@pytest.mark.parametrize(("host", "count"), [(WIKI, 1), ("outside.istio-system.svc.cluster.local", 0)])
def test_requests_are_mirrored_to_somebody_else(field: str, host: str, count: int) -> None:
    to = {"host": host, "port": {"number": 80}}
    found = sentences(routed({field: to if field == "mirror" else [{"destination": to}]}))
    assert ["where it sends them already" in sentence for sentence in found] == [True] * count
