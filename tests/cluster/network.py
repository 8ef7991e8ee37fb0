"""Who may reach whom by NetworkPolicies alone: what Istio lets through, and what it does not see.

From the start of this scenario on they are enforced. Before that everybody may reach everybody, which shows that it is
them that refuse.
"""

from dataclasses import dataclass

import pytest

from facts.provided import MERGED_METRICS_PORT, PROMETHEUS
from scripts.gate.node import programs
from scripts.gate.node.cluster import CLIENT_PORT, Cluster
from synth import ToolError
from synth.overview import Overview
from synth.overview.model import Address, Service
from tests.cluster.conftest import IN_MESH, OUTSIDE, SECONDS, ask, called, client, urls_of

DENIED = ("502", "503", "504")
"""What a sidecar says where the other side is not to be reached."""


@dataclass(frozen=True)
class Pod:
    """A pod of an app, and its first container."""

    namespace: str
    name: str
    address: str
    container: str

    @property
    def metrics(self) -> str:
        """Where its sidecar answers to whoever reaches it, without mutual TLS."""
        return f"http://{self.address}:{MERGED_METRICS_PORT}/stats/prometheus"


def pods(cluster: Cluster, overview: Overview) -> list[Pod]:
    """The pods of the apps that have a sidecar."""
    found = []
    for namespace in dict.fromkeys(app.namespace for app in overview.apps):
        running = cluster.node.get("pods", f"--namespace={namespace}", "--field-selector=status.phase=Running")
        for item in running["items"]:
            spec, name = item["spec"], item["metadata"]["name"]
            sidecars = {one["name"] for one in (*spec["containers"], *spec.get("initContainers", ()))}
            if "istio-proxy" in sidecars and "deletionTimestamp" not in item["metadata"]:
                own = next(one["name"] for one in spec["containers"] if one["name"] != "istio-proxy")
                found.append(Pod(namespace, name, item["status"]["podIP"], own))
    assert found
    return found


def from_app(cluster: Cluster, pod: Pod, *urls: str) -> list[str]:
    return called(cluster, pod.namespace, f"pod/{pod.name}", pod.container, *urls)


@pytest.fixture(scope="module")
def elsewhere(cluster: Cluster) -> str:
    """The address of a pod that no app has business with."""
    (item,) = cluster.node.get("pods", f"--namespace={OUTSIDE}")["items"]
    return f"http://{item['status']['podIP']}:{CLIENT_PORT}/"


@pytest.fixture(scope="module", autouse=True)
def _enforced(cluster: Cluster, overview: Overview, clients: None, elsewhere: str, addresses: list[Address]) -> None:
    del clients, addresses
    for pod in pods(cluster, overview):
        assert called(cluster, OUTSIDE, "deployment/client", "client", pod.metrics) == ["200"], pod
        assert from_app(cluster, pod, elsewhere) == ["200"], pod
    addressed = [pod.address for pod in pods(cluster, overview)]
    cluster.node.enforce_policies(programs.KUBE_ROUTER.make(), addressed)


def test_new_pods_come_up_under_them(cluster: Cluster, overview: Overview) -> None:
    namespaces = list(dict.fromkeys(app.namespace for app in overview.apps))
    for namespace in namespaces:
        cluster.node.kubectl("delete", "pods", "--all", f"--namespace={namespace}", "--wait=false")
    for namespace in namespaces:
        cluster.node.wait(f"the pods of {namespace} are new", lambda one=namespace: new(cluster, one))  # type: ignore[misc]


def new(cluster: Cluster, namespace: str) -> bool:
    items = cluster.node.get("pods", f"--namespace={namespace}")["items"]
    return cluster.node.well(namespace) and not any("deletionTimestamp" in item["metadata"] for item in items)


def test_every_address_answers_still(cluster: Cluster, addresses: list[Address]) -> None:
    def all_of_them() -> bool:
        try:
            return all(ask(one.host, one.path, one.port, one.protocol).status == 200 for one in addresses)
        except OSError as error:
            raise ToolError(str(error)) from error

    cluster.node.wait("every address answers", all_of_them, SECONDS)


def test_a_stranger_reaches_no_app_with_a_sidecar_or_without(cluster: Cluster, closed: list[Service]) -> None:
    urls = urls_of(closed)
    assert [one for one in called(cluster, OUTSIDE, "deployment/client", "client", *urls) if one.isdigit()] == []
    for url, answer in zip(urls, called(cluster, IN_MESH, "deployment/client", "client", *urls), strict=True):
        # Not 403: it does not come as far as the app's own sidecar.
        assert answer in DENIED or not answer.isdigit(), f"{url}: {answer}"


def test_an_app_reaches_nothing_that_the_map_does_not_name(
    cluster: Cluster, overview: Overview, elsewhere: str
) -> None:
    free = {app.namespace for app in overview.apps if app.outside}
    for pod in pods(cluster, overview):
        if pod.namespace not in free:
            (answer,) = from_app(cluster, pod, elsewhere)
            assert answer in DENIED or not answer.isdigit(), f"{pod}: {answer}"


def test_metrics_are_for_prometheus_where_there_is_one(cluster: Cluster, overview: Overview) -> None:
    if cluster.environment.prometheus:
        assert PROMETHEUS.namespace
        cluster.node.apply([client(PROMETHEUS.namespace, dict(PROMETHEUS.labels))])
        cluster.node.wait("Prometheus' place is taken", lambda: cluster.node.well(str(PROMETHEUS.namespace)))
    for pod in pods(cluster, overview):
        (stranger,) = called(cluster, OUTSIDE, "deployment/client", "client", pod.metrics)
        assert not stranger.isdigit(), f"{pod}: {stranger}"
        if cluster.environment.prometheus:
            where = (str(PROMETHEUS.namespace), "deployment/client", "client")
            cluster.node.wait(
                f"{pod.name} answers Prometheus",
                lambda pod=pod, where=where: called(cluster, *where, pod.metrics) == ["200"],  # type: ignore[misc]
                SECONDS,
            )
