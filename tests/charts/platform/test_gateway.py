"""The gateway: exactly the hosts that are claimed, and the certificates for them."""

from typing import Any

import pytest
from cdk8s import App

from charts.certificates import Certificates
from charts.platform.gateway import IngressGateway
from charts.shapes.claim import Claim
from facts.environments import ENVIRONMENTS, Acme, Environment
from facts.layout import OF_APPS
from tests.deployed import APPS, objects, root

BLOG = Claim("blog", "blog", "blog.test")
OPEN = Claim("rancher", "cattle-system", "rancher.test", passthrough=True)
DATABASE = Claim("db-tcp", "db", "*", tcp=5432)


def servers(*claims: Claim, tls: bool = False) -> list[Any]:
    (gateway,) = IngressGateway(App(), claims, tls=tls).to_json()
    listed: list[Any] = gateway["spec"]["servers"]
    return listed


def test_port_80_is_for_the_hosts_of_the_apps_each_bound_to_its_namespace() -> None:
    (http,) = servers(BLOG)
    assert http == {"hosts": ["blog/blog.test"], "port": {"name": "http", "number": 80, "protocol": "HTTP"}}


def test_tls_that_an_app_brings_is_passed_through() -> None:
    _, passed = servers(BLOG, OPEN)
    assert passed == {
        "hosts": ["cattle-system/rancher.test"],
        "port": {"name": "tls", "number": 443, "protocol": "TLS"},
        "tls": {"mode": "PASSTHROUGH"},
    }


def test_with_certificates_each_host_has_its_own_and_port_80_stays_open() -> None:
    http, https = servers(BLOG, tls=True)
    # With httpsRedirect the gateway would send the challenge away before any route is looked at.
    assert "tls" not in http
    assert https["tls"] == {"credentialName": "blog-tls", "minProtocolVersion": "TLSV1_2", "mode": "SIMPLE"}


def test_plain_tcp_has_a_port_of_its_own_and_no_certificate() -> None:
    *_, tcp = servers(BLOG, DATABASE, tls=True)
    assert tcp == {"hosts": ["db/*"], "port": {"name": "tcp-db-tcp", "number": 5432, "protocol": "TCP"}}
    made = Certificates(App(), Acme("https://acme.test/directory", "a@acme.test"), [BLOG, OPEN, DATABASE]).to_json()
    assert [item["spec"]["dnsNames"] for item in made if item["kind"] == "Certificate"] == [["blog.test"]]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: str(environment.name))
class TestEveryEnvironment:
    """What holds of every tree."""

    def test_the_gateway_has_exactly_the_hosts_of_the_routes(self, environment: Environment) -> None:
        folders = [*(f"{OF_APPS}/{app}" for app in APPS), "platform/rancher"]
        routes = [
            item
            for folder in folders
            for item in objects(f"{root(environment)}{folder}")
            if item["kind"] == "VirtualService"
        ]
        routed = {f"{route['metadata']['namespace']}/{host}" for route in routes for host in route["spec"]["hosts"]}
        (gateway,) = objects(f"{root(environment)}platform/gateway")
        assert {host for server in gateway["spec"]["servers"] for host in server["hosts"]} == routed

    def test_a_host_has_a_certificate_where_the_environment_has_a_signer(self, environment: Environment) -> None:
        (gateway,) = objects(f"{root(environment)}platform/gateway")
        secrets = {
            server["tls"]["credentialName"]
            for server in gateway["spec"]["servers"]
            if "credentialName" in server.get("tls", {})
        }
        certificates = [item for item in objects(f"{root(environment)}certificates") if item["kind"] == "Certificate"]
        assert {item["spec"]["secretName"] for item in certificates} == secrets
        assert bool(secrets) == (environment.tls is not None)
        assert {item["metadata"]["namespace"] for item in certificates} <= {gateway["metadata"]["namespace"]}


def test_the_challenge_comes_through_the_ingress_gateway() -> None:
    acme = Acme("https://acme.test/directory", "platform@acme.test")
    made = {item["kind"]: item for item in Certificates(App(), acme, [BLOG]).to_json()}
    spec = made["ClusterIssuer"]["spec"]["acme"]
    assert (spec["server"], spec["email"]) == (acme.server, acme.email)
    assert made["IngressClass"]["spec"] == {"controller": "istio.io/ingress-controller"}
    assert spec["solvers"] == [
        {
            "http01": {
                "ingress": {
                    "ingressClassName": made["IngressClass"]["metadata"]["name"],
                    "serviceType": "ClusterIP",
                }
            }
        }
    ]
    assert made["Certificate"]["spec"]["issuerRef"]["name"] == made["ClusterIssuer"]["metadata"]["name"]
