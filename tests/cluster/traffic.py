"""What becomes of requests on their way through the gateway: how often an app is asked, how much, and how long."""

import base64
import hashlib
import os
import ssl
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from uuid import uuid4

from facts.provided import INGRESS_GATEWAY, ISTIO_SYSTEM
from scripts.gate.node.cluster import Cluster
from synth.overview import Overview
from synth.overview.model import Address
from tests.cluster.conftest import VISITOR, ask, connected
from tests.cluster.network import pods

SLOW = 16
"""Seconds: longer than Envoy waits for an answer by itself.

https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts#route-timeouts
"""
LARGE = 50 << 20
FORGED = "192.0.2.1"
"""Nobody's address: https://www.rfc-editor.org/rfc/rfc5737"""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""How HTTP/2 begins, with settings that change nothing: https://www.rfc-editor.org/rfc/rfc9113#section-3.4"""
SETTINGS = 4


def test_what_may_change_something_is_asked_once_and_the_rest_again(
    cluster: Cluster, overview: Overview, addresses: list[Address]
) -> None:
    for one in addresses:
        for method, again in {"POST": False, "DELETE": False, "GET": True}.items():
            path = f"{one.path or '/'}?reset={uuid4().hex}"
            assert ask(one.host, path, one.port, one.protocol, method=method).status == 503, f"{method} {one}"
            times = asked(cluster, overview, f"{method} {one.host}{path}")
            assert times > 1 if again else times == 1, f"{method} {one}: {times} times"
            # Failures in a row would have the gateway leave out the pod.
            assert ask(one.host, one.path, one.port, one.protocol).status == 200, str(one)


def test_a_large_upload_arrives_whole(addresses: list[Address]) -> None:
    content = os.urandom(1 << 20) * (LARGE >> 20)
    for one in addresses:
        answer = ask(one.host, one.path, one.port, one.protocol, method="POST", body=content)
        assert answer.status == 200, str(one)
        assert answer.body.splitlines()[-1] == f"{LARGE} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}", str(one)


def test_the_last_address_that_an_app_learns_is_from_the_gateway(
    cluster: Cluster, overview: Overview, addresses: list[Address]
) -> None:
    own = {pod.address for pod in pods(cluster, overview)}
    for one in addresses:
        said = ask(one.host, one.path, one.port, one.protocol, {"X-Forwarded-For": FORGED}).body
        assert str(ip_address(last_of(said))) not in (FORGED, *own), f"{one}: {said}"


def test_where_the_way_in_keeps_the_address_of_a_visitor_an_app_learns_it(
    cluster: Cluster, addresses: list[Address], visitor: Callable[[Address, Mapping[str, str]], str]
) -> None:
    way_in = cluster.node.get("service", INGRESS_GATEWAY.name, f"--namespace={ISTIO_SYSTEM.name}")
    kept = way_in["spec"]["externalTrafficPolicy"] == "Local"
    for one in addresses:
        assert (last_of(visitor(one, {"X-Forwarded-For": FORGED})) == str(VISITOR)) == kept, str(one)


def test_a_websocket_opens_and_carries_both_ways(addresses: list[Address]) -> None:
    for one in addresses:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (
            *(f"GET {one.path or '/'} HTTP/1.1", f"Host: {one.host}", "Connection: Upgrade", "Upgrade: websocket"),
            *("Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", "", ""),
        )
        with connected(one.host, one.port, one.protocol) as connection:
            connection.sendall("\r\n".join(lines).encode())
            stream = connection.makefile("rb")
            status = stream.readline().decode()
            assert status.split()[1] == "101", f"{one}: {status}"
            while stream.readline().strip():
                pass
            for message in (b"first", b"second"):
                connection.sendall(message)
                assert stream.read(len(message)) == message, str(one)


def test_where_there_are_certificates_browsers_get_http_2(addresses: list[Address]) -> None:
    for one in addresses:
        if one.protocol == "HTTPS":
            with connected(one.host, one.port, one.protocol, "h2", "http/1.1") as connection:
                assert isinstance(connection, ssl.SSLSocket)
                assert connection.selected_alpn_protocol() == "h2", str(one)
                connection.sendall(PREFACE)
                assert connection.makefile("rb").read(9)[3] == SETTINGS, str(one)


def test_an_answer_may_take_as_long_as_an_app_needs(cluster: Cluster, addresses: list[Address]) -> None:
    limited = limits(cluster)
    for one in addresses:
        if one.host not in limited:
            answer = ask(one.host, f"{one.path or '/'}?wait={SLOW}s", one.port, one.protocol)
            assert answer.status == 200, str(one)


def last_of(said: str) -> str:
    """The last address that an app was told: what a visitor says itself comes before it."""
    (line,) = (line for line in said.splitlines() if line.startswith("X-Forwarded-For: "))
    return line.rpartition(": ")[2].rpartition(",")[2].strip()


def limits(cluster: Cluster) -> set[str]:
    """The hosts that have a route with a timeout."""
    found = [item["spec"] for item in cluster.objects if item["kind"] == "VirtualService"]
    return {
        host for spec in found for host in spec["hosts"] if any("timeout" in route for route in spec.get("http", ()))
    }


def asked(cluster: Cluster, overview: Overview, request: str) -> int:
    """How often an app was asked something, by what the apps say themselves."""
    return sum(
        cluster.node.kubectl("logs", pod.name, f"--namespace={pod.namespace}", "--all-containers", "--tail=-1")
        .splitlines()
        .count(request)
        for pod in pods(cluster, overview)
    )
