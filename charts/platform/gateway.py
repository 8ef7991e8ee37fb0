"""The one way into the cluster: Istio's ingress gateway and the hosts it answers for."""

from collections.abc import Iterable

from cdk8s import ApiObjectMetadata, Chart
from constructs import Construct

from charts.shapes.claim import GATEWAY_NAME, HTTP_PORT, HTTPS_PORT, Claim
from facts.provided import INGRESS_GATEWAY
from imports.io.istio.networking import (
    Gateway,
    GatewaySpec,
    GatewaySpecServers,
    GatewaySpecServersPort,
    GatewaySpecServersTls,
    GatewaySpecServersTlsMinProtocolVersion,
    GatewaySpecServersTlsMode,
)


class IngressGateway(Chart):
    """Gateway `main-gateway`: port 80 for the hosts that apps claim, port 443 for those that bring their own TLS.

    Claims of plain TCP have a port of their own. With `tls` the gateway holds a certificate for every other host too;
    port 80 stays for the redirect to HTTPS and the challenges of the certificate authority.
    """

    def __init__(self, scope: Construct, claims: Iterable[Claim], *, tls: bool = False) -> None:
        super().__init__(scope, "gateway")
        claims = list(claims)
        terminated = [claim for claim in claims if not (claim.passthrough or claim.tcp)]
        passed_through = [str(claim) for claim in claims if claim.passthrough]
        servers = [
            GatewaySpecServers(
                port=GatewaySpecServersPort(number=HTTP_PORT, name="http", protocol="HTTP"),
                hosts=[str(claim) for claim in terminated],
            )
        ]
        if tls:
            servers.extend(_https(claim) for claim in terminated)
        if passed_through:
            servers.append(
                GatewaySpecServers(
                    port=GatewaySpecServersPort(number=HTTPS_PORT, name="tls", protocol="TLS"),
                    hosts=passed_through,
                    tls=GatewaySpecServersTls(mode=GatewaySpecServersTlsMode.PASSTHROUGH),
                )
            )
        servers.extend(_tcp(claim, claim.tcp) for claim in claims if claim.tcp)
        Gateway(
            self,
            "gateway",
            metadata=ApiObjectMetadata(name=GATEWAY_NAME, namespace=INGRESS_GATEWAY.namespace),
            spec=GatewaySpec(selector=dict(INGRESS_GATEWAY.labels), servers=servers),
        )


def _https(claim: Claim) -> GatewaySpecServers:
    return GatewaySpecServers(
        port=GatewaySpecServersPort(number=HTTPS_PORT, name=f"https-{claim.name}", protocol="HTTPS"),
        hosts=[str(claim)],
        tls=GatewaySpecServersTls(
            mode=GatewaySpecServersTlsMode.SIMPLE,
            credential_name=claim.secret,
            min_protocol_version=GatewaySpecServersTlsMinProtocolVersion.TLSV1_UNDERSCORE_2,
        ),
    )


def _tcp(claim: Claim, port: int) -> GatewaySpecServers:
    return GatewaySpecServers(
        port=GatewaySpecServersPort(number=port, name=f"tcp-{claim.name}", protocol="TCP"), hosts=[str(claim)]
    )
