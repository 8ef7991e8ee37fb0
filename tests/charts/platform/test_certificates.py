"""The gateway's certificates: one for each host, from who the environment says."""

import pytest

from facts.environments import ENVIRONMENTS, PRODUCTION, STAGING, Environment
from tests.deployed import APPS, DEPLOY, objects, root, the


@pytest.mark.parametrize("environment", [STAGING, PRODUCTION], ids=lambda environment: str(environment.name))
class TestWithTls:
    """Staging and production."""

    def test_every_host_of_an_app_has_a_certificate_in_the_gateways_namespace(self, environment: Environment) -> None:
        hosts = [the(f"{root(environment)}apps/{app}", "VirtualService")["spec"]["hosts"] for app in APPS]
        certificates = [d for d in objects(f"{root(environment)}platform/certificates") if d["kind"] == "Certificate"]
        assert sorted(c["spec"]["dnsNames"] for c in certificates) == sorted(hosts)
        for certificate in certificates:
            assert certificate["metadata"]["namespace"] == "istio-system"
            assert certificate["spec"]["issuerRef"] == {
                "kind": "ClusterIssuer",
                "name": "acme",
                "group": "cert-manager.io",
            }
            assert certificate["spec"]["privateKey"] == {"algorithm": "ECDSA", "rotationPolicy": "Always", "size": 256}

    def test_the_gateway_serves_each_host_with_its_certificate(self, environment: Environment) -> None:
        folder = f"{root(environment)}platform"
        servers = the(f"{folder}/gateway", "Gateway")["spec"]["servers"]
        secrets = {
            d["spec"]["dnsNames"][0]: d["spec"]["secretName"]
            for d in objects(f"{folder}/certificates")
            if d["kind"] == "Certificate"
        }
        served = {
            server["hosts"][0].partition("/")[2]: server["tls"] for server in servers if server["port"]["number"] == 443
        }
        assert served == {
            host: {"credentialName": secret, "minProtocolVersion": "TLSV1_2", "mode": "SIMPLE"}
            for host, secret in secrets.items()
        }

    def test_port_80_stays_open_for_the_challenge_and_the_redirect(self, environment: Environment) -> None:
        http = the(f"{root(environment)}platform/gateway", "Gateway")["spec"]["servers"][0]
        assert http["port"] == {"name": "http", "number": 80, "protocol": "HTTP"}
        # With httpsRedirect the gateway would send the challenge away before any route is looked at.
        assert "tls" not in http

    def test_the_challenge_comes_through_the_ingress_gateway(self, environment: Environment) -> None:
        folder = f"{root(environment)}platform/certificates"
        acme = the(folder, "ClusterIssuer", "acme")["spec"]["acme"]
        assert environment.tls
        assert (acme["server"], acme["email"]) == (environment.tls.server, environment.tls.email)
        ingress_class = the(folder, "IngressClass")
        assert ingress_class["spec"] == {"controller": "istio.io/ingress-controller"}
        assert acme["solvers"] == [
            {"http01": {"ingress": {"ingressClassName": ingress_class["metadata"]["name"], "serviceType": "ClusterIP"}}}
        ]

    def test_a_certificate_that_cannot_be_issued_holds_back_no_app(self, environment: Environment) -> None:
        spec = the(f"{root(environment)}flux/flux-system", "Kustomization", "platform")["spec"]
        assert spec["wait"] is True
        assert spec["healthCheckExprs"] == [
            {"apiVersion": "cert-manager.io/v1", "kind": kind, "current": "true"}
            for kind in ("Certificate", "ClusterIssuer")
        ]


def test_without_tls_there_are_none() -> None:
    for environment in ENVIRONMENTS:
        assert (DEPLOY / root(environment) / "platform/certificates").is_dir() == (environment.tls is not None)
