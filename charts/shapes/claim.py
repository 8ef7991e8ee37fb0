"""The hosts and ports of the ingress gateway that apps ask for."""

from dataclasses import dataclass

from facts.provided import INGRESS_GATEWAY

GATEWAY_NAME = "main-gateway"
GATEWAY = f"{INGRESS_GATEWAY.namespace}/{GATEWAY_NAME}"
"""How a VirtualService names the gateway, `namespace/name`."""

HTTP_PORT = 80
HTTPS_PORT = 443


@dataclass(frozen=True)
class Claim:
    """A host that an application answers for, a name for it, and the namespace its route is in.

    `name` is the application's, with something more where it has several hosts. `passthrough` leaves TLS to the
    application: the gateway only reads the host from the SNI. `tcp` is the port of the gateway for plain TCP, which
    knows no hosts: `host` is `*` then.
    """

    name: str
    namespace: str
    host: str
    passthrough: bool = False
    tcp: int | None = None

    @property
    def secret(self) -> str:
        """The Secret with the host's certificate, in the gateway's namespace."""
        return f"{self.name}-tls"

    def __str__(self) -> str:
        # Bound to the namespace, so that no route elsewhere can take the host:
        # https://istio.io/latest/docs/reference/config/networking/gateway/#Server
        return f"{self.namespace}/{self.host}"
