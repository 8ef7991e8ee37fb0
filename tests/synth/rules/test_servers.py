"""Rules for the servers of Gateways: what Istio skips, refuses or leaves out, and what no challenge gets past."""

from copy import deepcopy
from typing import Any

import pytest

from synth.cluster import Provided
from synth.manifest import Document
from synth.rules import servers
from tests.synth.objects import environment, find, put, said

SIMPLE = {"mode": "SIMPLE", "credentialName": "wiki-tls"}


def server(number: int, protocol: str, name: str = "", host: str = "wiki.localhost", **tls: Any) -> Document:
    port = {"number": number, "name": name or protocol.lower(), "protocol": protocol}
    return {"port": port, "hosts": [f"wiki/{host}"], **({"tls": tls} if tls else {})}


def served(*given: Document) -> list[Document]:
    documents = environment()
    put(find(documents, "Gateway"), "spec/servers", list(given))
    return documents


HTTP, HTTPS = server(80, "HTTP"), server(443, "HTTPS", **SIMPLE)


@pytest.mark.parametrize(
    "given",
    [
        [HTTP, HTTPS],
        [HTTP, server(80, "HTTP2", host="b.localhost")],
        [HTTPS, server(443, "TLS", host="b.localhost", mode="PASSTHROUGH")],
        [HTTP, server(5432, "TCP", "a", "*"), server(5433, "TCP", "b", "*")],
        [HTTP, {**server(80, "TCP", host="*"), "bind": "10.0.0.1"}],
    ],
)
def test_servers_may_stand_beside_each_other(given: list[Document]) -> None:
    assert said(servers.RULES, served(*given)) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (HTTP, server(80, "TCP", host="*")),
        (HTTP, server(80, "HTTPS", host="b.localhost", **SIMPLE)),
        (server(5432, "TCP", "a", "*"), server(5432, "TCP", "b", "*")),
    ],
)
def test_of_two_servers_that_cannot_share_a_port_the_second_gives_its_sentence(
    first: Document, second: Document
) -> None:
    (told,) = said(servers.RULES, served(first, second))
    assert f"has server {second['port']['name']} ({second['port']['protocol']}) at port" in told
    assert told.endswith("and Istio takes the first alone: give it another port")


def test_gateways_for_the_same_pods_are_one() -> None:
    documents = served(HTTP)
    other = deepcopy(find(documents, "Gateway"))
    other["metadata"]["name"] = "other"
    put(other, "spec/servers", [server(80, "TCP", host="*")])
    assert said(servers.RULES, [*documents, other]) == [
        "Gateway other has server tcp (TCP) at port 80, which Gateway main's server http (HTTP) has, and Istio takes "
        "the first alone: give it another port"
    ]
    put(other, "spec/selector", {"istio": "other"})
    assert said(servers.RULES, [*documents, other]) == []


def test_one_host_in_two_servers_of_tls_gives_one_sentence() -> None:
    second = {**server(443, "HTTPS", "second", **SIMPLE), "hosts": ["shop/wiki.localhost"]}
    assert said(servers.RULES, served(HTTPS, second)) == [
        "Gateway main has server second (HTTPS) for wiki.localhost, which server https (HTTPS) answers for at that "
        "port, and Istio takes the first alone: drop one"
    ]
    documents = served(HTTPS, second)
    claims = deepcopy(find(documents, "VirtualService"))
    claims["metadata"]["name"] = "other"
    assert said(servers.RULES, [*documents, claims]) == []


@pytest.mark.parametrize(
    ("tls", "told"),
    [
        ({"credentialName": "wiki-tls"}, "without a TLS mode, which Istio takes for PASSTHROUGH"),
        ({**SIMPLE, "mode": "PASSTHROUGH"}, "with credentialName, which mode PASSTHROUGH does not use"),
        ({**SIMPLE, "mode": "ISTIO_MUTUAL"}, "with credentialName, which mode ISTIO_MUTUAL does not use"),
        ({**SIMPLE, "credentialNames": ["a"]}, "with credentialName and credentialNames, of which Istio takes one"),
        ({**SIMPLE, "minProtocolVersion": "TLSV1_3", "maxProtocolVersion": "TLSV1_2"}, "from TLSV1_3 to TLSV1_2"),
        ({**SIMPLE, "minProtocolVersion": "TLSV1_1"}, "from TLSV1_1 on, for which Istio has no ciphers"),
        ({**SIMPLE, "cipherSuites": ["TLS_AES_128_GCM_SHA256"]}, "with cipher TLS_AES_128_GCM_SHA256, which Istio"),
    ],
)
def test_tls_that_is_not_what_it_says_gives_one_sentence(tls: Document, told: str) -> None:
    (sentence,) = said(servers.RULES, served(HTTP, server(443, "HTTPS", **tls)))
    assert sentence.startswith("Gateway main has server https (HTTPS)")
    assert told in sentence


@pytest.mark.parametrize(
    "tls",
    [
        {"mode": "PASSTHROUGH"},
        {"mode": "ISTIO_MUTUAL"},
        {**SIMPLE, "minProtocolVersion": "TLSV1_2", "maxProtocolVersion": "TLSV1_3"},
        {**SIMPLE, "minProtocolVersion": "TLS_AUTO"},
        {**SIMPLE, "cipherSuites": ["ECDHE-ECDSA-AES256-GCM-SHA384", "-ALL", "ALL"]},
        {**SIMPLE, "minProtocolVersion": "TLSV1_0", "cipherSuites": ["AES128-SHA"]},
    ],
)
def test_tls_may_be_many_things(tls: Document) -> None:
    assert said(servers.RULES, served(HTTP, server(443, "HTTPS", **tls))) == []


def certified(solver: Document, *given: Document) -> list[Document]:
    """The environment with these servers, and a certificate that an ACME server signs."""
    issuer = {"kind": "ClusterIssuer", "name": "acme"}
    spec = {"secretName": "wiki-tls", "dnsNames": ["wiki.localhost"], "issuerRef": issuer}
    metadata = {"name": "wiki", "namespace": "istio-system"}
    signed = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": metadata, "spec": spec}
    acme = {**signed, "kind": "ClusterIssuer", "metadata": {"name": "acme"}, "spec": {"acme": {"solvers": [solver]}}}
    return [*served(*given), signed, acme]


HTTP01: Document = {"http01": {"ingress": {}}}
DNS01: Document = {"dns01": {}}
REDIRECTING = server(80, "HTTP", httpsRedirect=True)


def test_a_redirect_that_eats_the_challenge_gives_its_sentence() -> None:
    assert said(servers.RULES, certified(HTTP01, REDIRECTING, HTTPS)) == [
        "Gateway main has server http (HTTP) redirect all to HTTPS, the challenges of ClusterIssuer acme for "
        "wiki.localhost too: leave httpsRedirect out, and redirect in the VirtualService"
    ]


@pytest.mark.parametrize(
    "documents",
    [
        certified(DNS01, REDIRECTING, HTTPS),
        certified({**HTTP01, "selector": {"dnsNames": ["b.localhost"]}}, REDIRECTING, HTTPS),
        certified(HTTP01, HTTP, HTTPS),
        served(REDIRECTING, HTTPS),
    ],
)
def test_a_redirect_eats_no_challenge_that_does_not_come(documents: list[Document]) -> None:
    assert said(servers.RULES, documents) == []


@pytest.mark.parametrize(
    ("match", "is_told"),
    [
        ({"port": 80}, False),
        ({"port": 80, "uri": {"prefix": "/"}}, False),
        ({"port": 443, "method": {"exact": "GET"}}, False),
        ({"port": 80, "uri": {"prefix": "/api"}, "method": {"exact": "GET"}}, False),
        ({"port": 80, "method": {"exact": "GET"}}, True),
        ({"uri": {"prefix": "/"}, "headers": {"x-beta": {"exact": "1"}}}, True),
    ],
)
def test_a_route_that_may_take_the_challenge_gives_its_sentence(match: Document, is_told: bool) -> None:
    documents = certified(HTTP01, HTTP, HTTPS)
    put(find(documents, "VirtualService"), "spec/http/0/match", [match])
    told = (
        "VirtualService wiki has http route 1 at port 80 match more than that, so that it may take the challenges of "
        "ClusterIssuer acme for wiki.localhost too: match the port alone, or port 443"
    )
    assert said(servers.RULES, documents) == ([told] if is_told else [])


def test_visitors_are_verified_by_an_authority_that_there_is() -> None:
    documents = certified(DNS01, HTTP, server(443, "HTTPS", **{**SIMPLE, "mode": "MUTUAL"}))
    assert said(servers.RULES, documents) == [
        "Gateway main has server https (HTTPS) verify its visitors by the authority in Secret wiki-tls, and "
        "ClusterIssuer acme gives none: bring Secret wiki-tls-cacert with it, or write SIMPLE"
    ]
    brought = Provided("Secret", "wiki-tls-cacert", by="us", namespace="istio-system")
    assert said(servers.RULES, documents, brought) == []
