"""The way in through the gateway, and who may call whom in the mesh: as the tree says, and no other way."""

import ssl

import pytest

from scripts.gate.node.cluster import Cluster
from synth.overview import Overview
from synth.overview.model import Address, Service
from tests.cluster.conftest import IN_MESH, OUTSIDE, ask, called, urls_of
from tests.cluster.delivery import apps

FORGED = ("Forwarded", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Real-Ip")
"""What a visitor may say of itself and an app must not believe."""


def test_every_address_of_the_map_answers_with_its_app(addresses: list[Address]) -> None:
    for one in addresses:
        answer = ask(one.host, one.path, one.port, one.protocol)
        assert answer.status == 200, str(one)
        assert answer.body.startswith(f"GET {one.host}/"), str(one)


def test_a_host_that_is_not_in_the_map_is_not_found(addresses: list[Address]) -> None:
    for one in addresses:
        if one.protocol == "HTTP":
            assert ask(f"nobody.{one.host}", "/", one.port).status == 404
        else:
            # It has no certificate of that name.
            with pytest.raises((ConnectionError, ssl.SSLError)):
                ask(f"nobody.{one.host}", "/", one.port, one.protocol)


def test_where_there_are_certificates_http_leads_to_https_and_https_says_to_stay(addresses: list[Address]) -> None:
    for one in addresses:
        if one.protocol == "HTTPS":
            redirect = ask(one.host, f"{one.path}/a?b=c", 80)
            assert redirect.status == 308
            assert redirect.headers["Location"] == f"https://{one.host}{one.path}/a?b=c"
            assert "max-age=" in ask(one.host, one.path, one.port, one.protocol).headers["Strict-Transport-Security"]


def test_an_app_learns_how_it_was_asked_and_believes_nobody_else(addresses: list[Address]) -> None:
    for one in addresses:
        forged = {"X-Forwarded-Proto": "gopher", **dict.fromkeys(FORGED, "forged")}
        said = ask(one.host, one.path, one.port, one.protocol, forged).body
        assert f"X-Forwarded-Proto: {one.protocol.lower()}" in said.splitlines()
        assert "forged" not in said


@pytest.mark.usefixtures("clients")
def test_a_pod_of_the_mesh_that_the_tree_does_not_know_is_refused_by_name(
    cluster: Cluster, closed: list[Service]
) -> None:
    urls = urls_of(closed)
    assert called(cluster, IN_MESH, "deployment/client", "client", *urls) == ["403"] * len(urls)


@pytest.mark.usefixtures("clients")
def test_a_pod_outside_the_mesh_gets_no_answer(cluster: Cluster, closed: list[Service]) -> None:
    urls = urls_of(closed)
    answers = called(cluster, OUTSIDE, "deployment/client", "client", *urls)
    assert [url for url, answer in zip(urls, answers, strict=True) if answer.isdigit()] == []


def test_an_app_gets_an_answer_where_the_map_says_that_it_may_call(cluster: Cluster, overview: Overview) -> None:
    deployments = {item["metadata"]["name"]: item for item in apps(cluster, "Deployment")}
    services = {party: service for app in overview.apps for service in app.services for party in service.workloads}
    for call in overview.calls:
        if call.caller.kind == "Deployment" and call.caller.name in deployments and call.target in services:
            container = deployments[call.caller.name]["spec"]["template"]["spec"]["containers"][0]["name"]
            urls = urls_of([services[call.target]])
            caller = f"deployment/{call.caller.name}"
            assert called(cluster, call.caller.namespace, caller, container, *urls) == ["200"], str(call)
