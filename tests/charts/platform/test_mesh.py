"""What holds for the whole mesh."""

import pytest

from facts.environments import ENVIRONMENTS, Environment
from tests.deployed import root, the


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: str(environment.name))
class TestMesh:
    """The mesh of each environment: in Istio's root namespace and without a selector."""

    def test_only_mutual_tls_is_spoken(self, environment: Environment) -> None:
        policy = the(f"{root(environment)}platform/mesh", "PeerAuthentication")
        assert policy["metadata"] == {"name": "default", "namespace": "istio-system"}
        assert policy["spec"] == {"mtls": {"mode": "STRICT"}}

    def test_it_is_logged_measured_and_traced(self, environment: Environment) -> None:
        telemetry = the(f"{root(environment)}platform/mesh", "Telemetry")
        assert telemetry["metadata"] == {"name": "default", "namespace": "istio-system"}
        assert telemetry["spec"] == {
            "accessLogging": [{"providers": [{"name": "envoy"}]}],
            "metrics": [{"providers": [{"name": "prometheus"}]}],
            "tracing": [{"randomSamplingPercentage": environment.trace_sampling}],
        }
