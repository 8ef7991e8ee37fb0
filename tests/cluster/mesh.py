"""The way in through the gateway, and who may call whom: as the tree says, and no other way."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage

import pytest

from scripts.gate.node.cluster import AUTHORITY, CLIENT, Cluster
from scripts.gate.node.node import LOAD_BALANCER
from synth import ToolError
from synth.manifest import Document
from synth.overview import Overview, read
from synth.overview.model import Address, Service
from tests.cluster.delivery import apps

SECONDS = 60
"""How long the gateway may take to know what the cluster has."""
IN_MESH, OUTSIDE = "proof-mesh", "proof-outside"
"""Namespaces of pods that the tree does not know: one with sidecars, one without."""
FORGED = ("Forwarded", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Real-Ip")
"""What a visitor may say of itself and an app must not believe."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: HTTPMessage
    body: str


def ask(host: str, path: str, port: int, protocol: str = "HTTP", **headers: str) -> Answer:
    """Ask the gateway from outside of the cluster, by a name that leads to it."""
    with socket.create_connection((str(LOAD_BALANCER), port), timeout=20) as plain:
        connection = HTTPConnection(host, port)
        connection.sock = plain
        if protocol == "HTTPS":
            trusting = ssl.create_default_context(cafile=str(AUTHORITY))
            connection.sock = trusting.wrap_socket(plain, server_hostname=host)
        with connection.sock:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET", path or "/", headers={"Host": host, **named})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read().decode(errors="replace"))


@pytest.fixture(scope="module")
def overview(cluster: Cluster) -> Overview:
    return read(cluster.git.work, cluster.environment.path)


@pytest.fixture(scope="module")
def addresses(cluster: Cluster, overview: Overview) -> list[Address]:
    """Where the apps are reached by HTTP, once the gateway knows them."""
    found = [
        address
        for app in overview.apps
        for address in app.addresses
        if address.protocol in ("HTTP", "HTTPS") and address.host != "*" and not address.host.startswith("*.")
    ]
    assert found

    def known() -> bool:
        try:
            return all(ask(one.host, one.path, one.port, one.protocol).status < 500 for one in found)
        except OSError as error:
            raise ToolError(str(error)) from error

    cluster.node.wait("the gateway answers at every address", known, SECONDS)
    return found


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
        forged = {name.replace("-", "_"): "forged" for name in FORGED}
        said = ask(one.host, one.path, one.port, one.protocol, X_Forwarded_Proto="gopher", **forged).body
        assert f"X-Forwarded-Proto: {one.protocol.lower()}" in said.splitlines()
        assert "forged" not in said


@pytest.fixture(scope="module")
def clients(cluster: Cluster) -> Iterator[None]:
    """A pod in each of two namespaces that the tree does not know."""
    node = cluster.node
    for namespace, labels in {IN_MESH: {"istio-injection": "enabled"}, OUTSIDE: {}}.items():
        node.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}])
        node.apply([client(namespace)])
    for namespace in (IN_MESH, OUTSIDE):
        node.wait(f"a client is in {namespace}", lambda namespace=namespace: node.well(namespace))  # type: ignore[misc]
    yield
    node.kubectl("delete", "namespace", IN_MESH, OUTSIDE)


def client(namespace: str) -> Document:
    labels = {"app": "client"}
    pod = {"containers": [{"name": "client", "image": CLIENT}], "terminationGracePeriodSeconds": 1}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "client", "namespace": namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


def called(cluster: Cluster, namespace: str, workload: str, container: str, *urls: str) -> list[str]:
    """What a pod is told at addresses: the status of each answer, or why there is none."""
    command = ("exec", f"--namespace={namespace}", workload, f"--container={container}", "--", "/pods", "get", *urls)
    return cluster.node.kubectl(*command).splitlines()


def urls_of(services: list[Service]) -> list[str]:
    return [
        f"http://{service.name}.{service.namespace}:{port}/" for service in services for port, _ in service.ports[:1]
    ]


@pytest.fixture(scope="module")
def closed(overview: Overview) -> list[Service]:
    """The Services of apps that are not for everybody."""
    open_to_all = {call.target for call in overview.calls if str(call.caller) == "*/*"}
    found = [
        service for app in overview.apps for service in app.services if not open_to_all.intersection(service.workloads)
    ]
    assert found
    return found


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
