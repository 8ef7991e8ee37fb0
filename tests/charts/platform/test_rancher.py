"""Rancher's route."""

from tests.deployed import the


def test_tls_goes_to_rancher_by_its_host_name() -> None:
    route = the("platform/rancher", "VirtualService", "rancher")
    assert route["apiVersion"] == "networking.istio.io/v1"
    assert route["metadata"]["namespace"] == "cattle-system"
    assert route["spec"] == {
        "hosts": ["rancher.localhost"],
        "gateways": ["istio-system/main-gateway"],
        "tls": [
            {
                "match": [{"port": 443, "sniHosts": ["rancher.localhost"]}],
                "route": [
                    {"destination": {"host": "rancher.cattle-system.svc.cluster.local", "port": {"number": 443}}}
                ],
            }
        ],
    }
