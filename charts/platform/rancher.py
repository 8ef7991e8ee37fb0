"""The way to Rancher, the cluster's web UI. Terraform installs Rancher itself."""

from cdk8s import ApiObjectMetadata, Chart
from constructs import Construct

from charts.shapes.claim import GATEWAY, Claim
from facts.environments import Environment
from facts.provided import RANCHER
from imports.io.istio.networking import (
    VirtualService,
    VirtualServiceSpec,
    VirtualServiceSpecTls,
    VirtualServiceSpecTlsMatch,
    VirtualServiceSpecTlsRoute,
    VirtualServiceSpecTlsRouteDestination,
    VirtualServiceSpecTlsRouteDestinationPort,
)


class RancherRoute(Chart):
    """VirtualService `rancher`: TLS for Rancher's host goes through unopened, Rancher holds the certificate."""

    def __init__(self, scope: Construct, environment: Environment) -> None:
        super().__init__(scope, "rancher")
        host = environment.host("rancher")
        port = RANCHER.ports[0]
        self.claim = Claim(RANCHER.name, RANCHER.namespace, host, passthrough=True)
        VirtualService(
            self,
            "route",
            metadata=ApiObjectMetadata(name=RANCHER.name, namespace=RANCHER.namespace),
            spec=VirtualServiceSpec(
                hosts=[host],
                gateways=[GATEWAY],
                tls=[
                    VirtualServiceSpecTls(
                        match=[VirtualServiceSpecTlsMatch(port=443, sni_hosts=[host])],
                        route=[
                            VirtualServiceSpecTlsRoute(
                                destination=VirtualServiceSpecTlsRouteDestination(
                                    host=f"{RANCHER.name}.{RANCHER.namespace}.svc.cluster.local",
                                    port=VirtualServiceSpecTlsRouteDestinationPort(number=port),
                                )
                            )
                        ],
                    )
                ],
            ),
        )
