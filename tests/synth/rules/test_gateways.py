"""Rules for Gateways: servers that Istio would refuse give their sentence."""

from typing import Any

import pytest

from synth.cluster import Provided
from synth.manifest import Document
from synth.rules import gateways
from tests.synth.objects import (
    environment,
    find,
    put,
    said,
)


def sentences(documents: list[Document], *provided: Provided) -> list[str]:
    return said(gateways.RULES, documents, *provided)


def served(*servers: Document) -> list[Document]:
    documents = environment()
    put(find(documents, "Gateway"), "spec/servers", list(servers))
    return documents


def server(number: int, protocol: str, *hosts: str, **tls: Any) -> Document:
    port = {"number": number, "name": f"{protocol.lower()}-{number}", "protocol": protocol}
    return {"port": port, "hosts": list(hosts) or ["wiki/wiki.localhost"], **({"tls": tls} if tls else {})}


HTTP, HTTPS = server(80, "HTTP"), server(443, "HTTPS", mode="SIMPLE", credentialName="wiki-tls")


def test_a_sound_environment_breaks_no_rule() -> None:
    assert sentences(environment()) == []


def test_the_servers_of_a_gateway_have_names_of_their_own() -> None:
    second = server(443, "HTTPS", mode="SIMPLE")
    put(second, "port/name", "http-80")
    assert sentences(served(HTTP, second)) == ["Gateway main has two servers named http-80: rename one"]


def test_a_server_has_hosts() -> None:
    assert sentences(served(HTTP, {**HTTPS, "hosts": []})) == [
        "Gateway main has server https-443 without hosts: list them, or drop it"
    ]


@pytest.mark.parametrize("protocol", ["HTTPS", "TLS"])
def test_an_encrypted_server_says_how(protocol: str) -> None:
    assert sentences(served(HTTP, server(443, protocol))) == [
        f"Gateway main has server {protocol.lower()}-443 of protocol {protocol} without tls: say how it is encrypted"
    ]


@pytest.mark.parametrize("protocol", ["HTTP", "TCP"])
def test_a_server_in_plain_text_has_no_certificate(protocol: str) -> None:
    assert sentences(served(HTTP, server(443, protocol, mode="SIMPLE", credentialName="wiki-tls"))) == [
        f"Gateway main has server {protocol.lower()}-443 of protocol {protocol} with tls: write HTTPS, or TLS, or "
        "leave tls out"
    ]


def test_a_server_in_plain_text_may_send_everybody_to_the_other() -> None:
    assert sentences(served(server(80, "HTTP", httpsRedirect=True), HTTPS)) == []


def test_a_route_of_connections_is_told_of_its_port_and_of_no_host() -> None:
    documents = environment()
    route = find(documents, "VirtualService")
    to_wiki = route["spec"]["http"][0]["route"]
    route["spec"] = {
        **route["spec"],
        "hosts": ["*"],
        "http": [],
        "tcp": [{"match": [{"port": 5432}], "route": to_wiki}],
    }
    assert said((gateways.gateways_list_the_routes,), documents) == [
        "VirtualService wiki takes connections at port 5432 of Gateway main, which has no server for them in namespace "
        "wiki: its ports are 80"
    ]
