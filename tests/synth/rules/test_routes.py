"""Rules for what routes do to requests and answers, and for who sees them."""

from typing import Any

import pytest

from synth.manifest import Document
from synth.rules import routes
from tests.synth.objects import environment, find, istio, put, said


def routed(**entry: Any) -> list[Document]:
    """The environment, whose route of HTTP has these fields more."""
    documents = environment()
    find(documents, "VirtualService")["spec"]["http"][0] |= entry
    return documents


ANY, SITE = {"exact": "*"}, {"exact": "https://blog.example.com"}


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"fault": {"abort": {"httpStatus": 503, "percentage": {"value": 10}}}}, "let requests fail on purpose"),
        ({"fault": {"delay": {"fixedDelay": "5s"}}}, "let requests wait on purpose"),
        ({"corsPolicy": {"allowMethods": ["GET"]}}, "with a corsPolicy that lets no site ask"),
        ({"corsPolicy": {"allowOrigins": [ANY], "allowCredentials": True}}, "let every site ask in its visitor's name"),
        (
            {"corsPolicy": {"allowOrigins": [{"regex": ".*"}], "allowCredentials": True}},
            "let every site ask in its visitor's name",
        ),
        ({"corsPolicy": {"allowOrigins": [{"exact": "blog.example.com"}]}}, "let origin 'blog.example.com' ask"),
        ({"corsPolicy": {"allowOrigins": [{"exact": "https://blog.example.com/"}]}}, "which no browser sends"),
        ({"corsPolicy": {"allowOrigins": [SITE], "allowMethods": ["get"]}}, "by method 'get'"),
        ({"corsPolicy": {"allowOrigins": [SITE], "allowHeaders": ["a, b"]}}, "with allowHeaders 'a, b', which is no"),
        ({"headers": {"response": {"set": {"x frame": "DENY"}}}}, "change response header 'x frame', which is no name"),
        ({"headers": {"response": {"set": {"host": "a"}}}}, "change response header host, which Istio leaves to HTTP"),
        ({"headers": {"request": {"remove": [":path"]}}}, "change request header :path, which Istio leaves to HTTP"),
        ({"headers": {"request": {"set": {"x-a": "a\nb"}}}}, "which has a line break or the like"),
        ({"headers": {"request": {"add": {"x-a": "50%"}}}}, "where a % begins nothing: write %%"),
        ({"headers": {"request": {"set": {"x-a": "1"}, "remove": ["x-a"]}}}, "set and remove request header x-a"),
        ({"match": [{"gateways": ["mesh"]}]}, "match gateway mesh, through which it does not go: its gateways are"),
    ],
)
def test_what_a_route_cannot_mean_gives_one_sentence(entry: Document, told: str) -> None:
    (sentence,) = said(routes.RULES, routed(**entry))
    assert sentence.startswith("VirtualService wiki has http route 1 ")
    assert told in sentence


@pytest.mark.parametrize(
    "entry",
    [
        {"corsPolicy": {"allowOrigins": [ANY], "allowMethods": ["GET"]}},
        {"corsPolicy": {"allowOrigins": [SITE, {"exact": "http://localhost:3000"}], "allowCredentials": True}},
        {"corsPolicy": {"allowOrigins": [{"regex": "https://.*\\.example\\.com"}], "allowCredentials": True}},
        {"corsPolicy": {"allowOrigins": [SITE], "allowHeaders": ["*", "X-Request-Id"], "maxAge": "24h"}},
        {"headers": {"request": {"set": {":authority": "a.example.com", "host": "b"}, "remove": ["x-real-ip"]}}},
        {"headers": {"response": {"set": {"x-a": "100%%", "x-b": "%REQ(X-B):10%", "x-c": "a %PROTOCOL% b"}}}},
        {"match": [{"gateways": ["istio-system/main"]}]},
    ],
)
def test_a_route_may_mean_many_things(entry: Document) -> None:
    assert said(routes.RULES, routed(**entry)) == []


def test_a_destination_changes_headers_too() -> None:
    documents = routed()
    put(find(documents, "VirtualService"), "spec/http/0/route/0/headers", {"response": {"add": {"x-a": "%"}}})
    assert len(said(routes.RULES, documents)) == 1


def exported(*to: str) -> list[list[Document]]:
    """The environment, each time with one object of the wiki's exported to these namespaces."""
    route, rule, service = environment(), environment(), environment()
    put(find(route, "VirtualService"), "spec/exportTo", list(to))
    rule.append(istio("DestinationRule", host="wiki.wiki.svc.cluster.local", exportTo=list(to)))
    put(find(service, "Service"), "metadata/annotations", {"networking.istio.io/exportTo": ",".join(to)})
    return [route, rule, service]


@pytest.mark.parametrize("documents", [*exported("."), *exported("wiki"), *exported("other", ".")])
def test_what_the_gateway_does_not_see_gives_one_sentence(documents: list[Document]) -> None:
    (sentence,) = said(routes.RULES, documents)
    assert "so that Gateway main in namespace istio-system does not see it: add istio-system to exportTo" in sentence


@pytest.mark.parametrize("documents", [*exported("*"), *exported(), *exported(".", "istio-system")])
def test_what_the_gateway_sees_is_left_alone(documents: list[Document]) -> None:
    assert said(routes.RULES, documents) == []


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("content-security-policy", "default-src self", "where self without quotes is a host of that name"),
        ("Content-Security-Policy", "script-src 'self' nonce-a1", "where nonce-a1 without quotes"),
        (
            "content-security-policy",
            "default-source 'self'",
            "whose default-source no browser knows: write default-src",
        ),
        ("strict-transport-security", "max-age=0", "lets browsers go back to plain HTTP"),
        ("strict-transport-security", "includeSubDomains", "without the seconds for which it holds"),
        ("x-frame-options", "ALLOWALL", "which browsers do not know and leave out: there are deny, sameorigin"),
        ("x-content-type-options", "no-sniff", "there are nosniff"),
        ("referrer-policy", "none", "which browsers do not know"),
        ("access-control-allow-origin", "https://a.example, https://b.example", "a browser takes one origin alone"),
        ("content-security-policy", "default-src 'self' https: data:; sandbox allow-scripts; report-to self", ""),
        ("strict-transport-security", 'max-age="31536000"; preload', ""),
        ("x-frame-options", "SameOrigin", ""),
        ("referrer-policy", "no-referrer, strict-origin", ""),
        ("access-control-allow-origin", "*", ""),
    ],
)
@pytest.mark.parametrize("change", ["set", "add"])
def test_browsers_understand_what_they_are_told(name: str, value: str, told: str, change: str) -> None:
    found = said(routes.RULES, routed(headers={"response": {change: {name: value}}}))
    assert [told in sentence for sentence in found] == ([True] if told else [])
