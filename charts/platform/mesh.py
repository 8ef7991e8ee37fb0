"""What holds for every pod with a sidecar: only mutual TLS, access logs, metrics and traces."""

from cdk8s import ApiObjectMetadata, Chart
from constructs import Construct

from facts.environments import Environment
from facts.provided import ISTIO_SYSTEM
from imports.io.istio.security import (
    PeerAuthentication,
    PeerAuthenticationSpec,
    PeerAuthenticationSpecMtls,
    PeerAuthenticationSpecMtlsMode,
)
from imports.io.istio.telemetry import (
    Telemetry,
    TelemetrySpec,
    TelemetrySpecAccessLogging,
    TelemetrySpecAccessLoggingProviders,
    TelemetrySpecMetrics,
    TelemetrySpecMetricsProviders,
    TelemetrySpecTracing,
)


class Mesh(Chart):
    """PeerAuthentication and Telemetry `default`, for the whole mesh because they are in Istio's root namespace.

    Access logs go to the proxy's standard output and metrics to its Prometheus endpoint; traces go to the mesh's
    default tracing provider, and nowhere as long as istiod's mesh configuration has none.
    """

    def __init__(self, scope: Construct, environment: Environment) -> None:
        super().__init__(scope, "mesh")
        # The root namespace: https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/
        metadata = ApiObjectMetadata(name="default", namespace=ISTIO_SYSTEM.name)
        PeerAuthentication(
            self,
            "mutual-tls",
            metadata=metadata,
            spec=PeerAuthenticationSpec(mtls=PeerAuthenticationSpecMtls(mode=PeerAuthenticationSpecMtlsMode.STRICT)),
        )
        Telemetry(
            self,
            "telemetry",
            metadata=metadata,
            spec=TelemetrySpec(
                access_logging=[
                    TelemetrySpecAccessLogging(providers=[TelemetrySpecAccessLoggingProviders(name="envoy")])
                ],
                metrics=[TelemetrySpecMetrics(providers=[TelemetrySpecMetricsProviders(name="prometheus")])],
                tracing=[TelemetrySpecTracing(random_sampling_percentage=environment.trace_sampling)],
            ),
        )
