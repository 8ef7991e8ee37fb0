"""The gateway: exactly the hosts that are claimed."""

from typing import Any

from cdk8s import App

from charts.platform.gateway import Claim, IngressGateway
from tests.deployed import APPS, the


def servers(*claims: Claim) -> list[Any]:
    (gateway,) = IngressGateway(App(), claims).to_json()
    listed: list[Any] = gateway["spec"]["servers"]
    return listed


def test_port_80_is_for_the_hosts_of_the_apps_each_bound_to_its_namespace() -> None:
    gateway = the("platform/gateway", "Gateway", "main-gateway")
    assert gateway["apiVersion"] == "networking.istio.io/v1"
    assert gateway["metadata"]["namespace"] == "istio-system"
    assert gateway["spec"]["selector"] == {"istio": "ingress"}
    http = gateway["spec"]["servers"][0]
    assert http["port"] == {"name": "http", "number": 80, "protocol": "HTTP"}
    routes = [the(f"apps/{app}", "VirtualService") for app in APPS]
    claimed = {f"{route['metadata']['namespace']}/{host}" for route in routes for host in route["spec"]["hosts"]}
    assert set(http["hosts"]) == claimed == {"graphwiki/wiki.localhost", "test-app/test.localhost"}


def test_port_443_passes_rancher_through() -> None:
    tls = the("platform/gateway", "Gateway")["spec"]["servers"][1]
    assert tls == {
        "hosts": ["cattle-system/rancher.localhost"],
        "port": {"name": "tls", "number": 443, "protocol": "TLS"},
        "tls": {"mode": "PASSTHROUGH"},
    }


def test_a_new_claim_is_all_that_a_new_host_needs() -> None:
    assert servers(Claim("blog", "blog", "blog.localhost"))[0]["hosts"] == ["blog/blog.localhost"]


def test_without_a_passthrough_claim_port_443_stays_closed() -> None:
    assert [server["port"]["number"] for server in servers(Claim("blog", "blog", "blog.localhost"))] == [80]
