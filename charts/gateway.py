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
    GatewaySpecServersTlsMode,
)

GATEWAY_NAME = "main-gateway"
GATEWAY = f"{INGRESS_GATEWAY.namespace}/{GATEWAY_NAME}"
"""How a VirtualService names the gateway, `namespace/name`."""


@dataclass(frozen=True)
class Claim:
    """A host that an application answers for, and the namespace its route is in.

    `passthrough` leaves TLS to the application: the gateway only reads the host from the SNI.
    """

    namespace: str
    host: str
    passthrough: bool = False

    def __str__(self) -> str:
        # Bound to the namespace, so that no route elsewhere can take the host:
        # https://istio.io/latest/docs/reference/config/networking/gateway/#Server
        return f"{self.namespace}/{self.host}"


class IngressGateway(Chart):
    """Gateway `main-gateway`: port 80 for the hosts that apps claim, port 443 for those that bring their own TLS."""

    def __init__(self, scope: Construct, claims: Iterable[Claim]) -> None:
        super().__init__(scope, "gateway")
        claims = list(claims)
        http = [str(claim) for claim in claims if not claim.passthrough]
        tls = [str(claim) for claim in claims if claim.passthrough]
        servers = [
            GatewaySpecServers(
                port=GatewaySpecServersPort(number=80, name="http", protocol="HTTP"),
                hosts=http,
            )
        ]
        if tls:
            servers.append(
                GatewaySpecServers(
                    port=GatewaySpecServersPort(number=443, name="tls", protocol="TLS"),
                    hosts=tls,
                    tls=GatewaySpecServersTls(mode=GatewaySpecServersTlsMode.PASSTHROUGH),
                )
            )
        Gateway(
            self,
            "gateway",
            metadata=ApiObjectMetadata(name=GATEWAY_NAME, namespace=INGRESS_GATEWAY.namespace),
            spec=GatewaySpec(selector=dict(INGRESS_GATEWAY.labels), servers=servers),
        )
