"""Rules for where routes lead: hosts, ports and subsets that are not there give their sentence."""

import pytest

from synth.cluster import Provided
from synth.manifest import Document
from synth.rules import destinations
from tests.synth.objects import (
    environment,
    find,
    istio,
    put,
    said,
)

OUTSIDE = "outside.istio-system.svc.cluster.local"

WIKI = "wiki.wiki.svc.cluster.local"


def sentences(documents: list[Document], *provided: Provided) -> list[str]:
    return said(destinations.RULES, documents, *provided)


def test_a_sound_environment_breaks_no_rule() -> None:
    assert sentences(environment()) == []


@pytest.mark.parametrize("host", ["wiki.wiki.svc.cluster.local", "outside.istio-system.svc.cluster.local"])
def test_a_destination_rule_is_for_a_service_in_full(host: str) -> None:
    assert sentences([*environment(), istio("DestinationRule", host=host)]) == []


@pytest.mark.parametrize(
    "host",
    [
        "wikki.wiki.svc.cluster.local",
        "wiki.istio-system.svc.cluster.local",
        "*.wiki.svc.cluster.local",
        "wiki.svc.cluster.local",
        "wiki.example.com",
        "wiki.wiki",
        "wiki",
    ],
)
def test_a_destination_rule_for_no_service_gives_its_sentence(host: str) -> None:
    assert sentences([*environment(), istio("DestinationRule", host=host)]) == [
        f"DestinationRule wiki is for host {host}, which is not the full name of a Service: there are {WIKI}, {OUTSIDE}"
    ]


def test_a_destination_rule_for_no_service_is_told_which_there_are() -> None:
    second = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cache", "namespace": "wiki"}}
    assert sentences([*environment(), second, istio("DestinationRule", host="cache")]) == [
        f"DestinationRule wiki is for host cache, which is not the full name of a Service: there are {WIKI}, "
        f"cache.wiki.svc.cluster.local, {OUTSIDE}"
    ]


def test_a_destination_rule_where_no_service_is_made_is_told_what_is_provided() -> None:
    leading = ("Service", "VirtualService", "Gateway")
    documents = [document for document in environment() if document["kind"] not in leading]
    assert sentences([*documents, istio("DestinationRule", host="wiki.wiki.svc.cluster.local")]) == [
        "DestinationRule wiki is for host wiki.wiki.svc.cluster.local, which is not the full name of a Service: "
        f"there are {OUTSIDE}"
    ]


@pytest.mark.parametrize("name", ["web", "tcp", "httpx", "metrics-http"])
def test_a_port_whose_name_is_no_protocols_gives_its_sentence(name: str) -> None:
    documents = environment()
    put(find(documents, "Service"), "spec/ports/0/name", name)
    assert sentences(documents) == [
        f"VirtualService wiki sends HTTP to port 80 of Service wiki, whose name {name} does not say so: name it http, "
        "or http-something, so that Istio knows what is spoken there"
    ]
    put(find(documents, "Service"), "spec/ports/0/appProtocol", "http")
    assert sentences(documents) == []


@pytest.mark.parametrize("name", ["http", "http-web", "http2", "grpc-web", "grpc-web-wiki", "grpc", "https"])
def test_a_port_may_have_the_name_of_any_form_of_http(name: str) -> None:
    documents = environment()
    put(find(documents, "Service"), "spec/ports/0/name", name)
    assert sentences(documents) == []


def test_a_port_without_a_name_and_ports_that_no_route_leads_to() -> None:
    documents = environment()
    find(documents, "Service")["spec"]["ports"].append({"name": "metrics", "port": 9090})
    assert sentences(documents) == []
    del find(documents, "Service")["spec"]["ports"][0]["name"]
    assert [sentence.split(", ")[1].split(" does ")[0] for sentence in sentences(documents)] == ["whose name (none)"]


def test_a_subset_is_defined_by_a_rule_for_the_same_host() -> None:
    documents = environment()
    put(find(documents, "VirtualService"), "spec/http/0/route/0/destination/subset", "stable")
    told = f"VirtualService wiki sends to subset stable of {WIKI}, which no DestinationRule has; there are"
    assert sentences(documents) == [f"{told} none"]
    metadata = {"name": "wiki", "namespace": "wiki"}
    rule: Document = {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": metadata}
    rule["spec"] = {"host": WIKI, "subsets": [{"name": "canary"}, {"name": "next"}]}
    assert sentences([*documents, rule]) == [f"{told} canary, next"]
    rule["spec"]["subsets"].append({"name": "stable"})
    assert sentences([*documents, rule]) == []
