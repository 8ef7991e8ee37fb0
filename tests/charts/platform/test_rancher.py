"""Rancher's route."""

from cdk8s import App

from charts.platform.rancher import RancherRoute
from tests.environments import PLAIN


def test_tls_goes_to_rancher_by_its_host_name() -> None:
    chart = RancherRoute(App(), PLAIN)
    (route,) = chart.to_json()
    host = PLAIN.host("rancher")
    assert str(chart.claim) == f"{route['metadata']['namespace']}/{host}"
    assert route["spec"]["hosts"] == [host]
    (way,) = route["spec"]["tls"]
    assert way["match"] == [{"port": 443, "sniHosts": [host]}]
    assert way["route"][0]["destination"]["host"] == "rancher.cattle-system.svc.cluster.local"
