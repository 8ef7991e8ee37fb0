"""The one way into the cluster: Istio's ingress gateway and the hosts it answers for."""

from collections.abc import Iterable
from dataclasses import dataclass

from cdk8s import ApiObjectMetadata, Chart
from constructs import Construct

from charts.cluster import INGRESS_GATEWAY
from imports.io.istio.networking import (
    Gateway,
    GatewaySpec,
    GatewaySpecServers,
    GatewaySpecServersPort,
    GatewaySpecServersTls,
    GatewaySpecServersTlsMinProtocolVersion,
    GatewaySpecServersTlsMode,
)

GATEWAY_NAME = "main-gateway"
GATEWAY = f"{INGRESS_GATEWAY.namespace}/{GATEWAY_NAME}"
"""How a VirtualService names the gateway, `namespace/name`."""

HTTP_PORT = 80
HTTPS_PORT = 443


@dataclass(frozen=True)
class Claim:
    """A host that an application answers for, the application's name, and the namespace its route is in.

    `passthrough` leaves TLS to the application: the gateway only reads the host from the SNI.
    """

    name: str
    namespace: str
    host: str
    passthrough: bool = False

    @property
    def secret(self) -> str:
        """The Secret with the host's certificate, in the gateway's namespace."""
        return f"{self.name}-tls"

    def __str__(self) -> str:
        # Bound to the namespace, so that no route elsewhere can take the host:
        # https://istio.io/latest/docs/reference/config/networking/gateway/#Server
        return f"{self.namespace}/{self.host}"


class IngressGateway(Chart):
    """Gateway `main-gateway`: port 80 for the hosts that apps claim, port 443 for those that bring their own TLS.

    With `tls` the gateway holds a certificate for every other host too; port 80 stays for the redirect to HTTPS and
    the challenges of the certificate authority.
    """

    def __init__(self, scope: Construct, claims: Iterable[Claim], *, tls: bool = False) -> None:
        super().__init__(scope, "gateway")
        claims = list(claims)
        terminated = [claim for claim in claims if not claim.passthrough]
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
