"""From an empty cluster to everything that is committed, in the steps that the pages give."""

import re

from scripts.gate.node.cluster import Cluster, bootstrap, ready

WRONG = ("BackOff", "Failed", "FailedCreate", "FailedMount", "FailedScheduling", "OOMKilling")
"""Reasons of events that nothing which comes up well has; a probe that is early is none."""
NOT_YET = re.compile(r'persistentvolumeclaim "[^"]+" not found')
"""Flux's order names no claims: a pod may be there a moment before its claim is."""


def test_everything_is_ready(cluster: Cluster) -> None:
    for item in cluster.kustomizations():
        assert ready(item)[0] == "True", ready(item)
    pods = cluster.node.get("pods", "--all-namespaces")["items"]
    restarts = {
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}": container["restartCount"]
        for pod in pods
        for container in pod["status"]["containerStatuses"]
        if container["restartCount"]
    }
    assert not restarts


def test_no_pod_was_refused_or_failed(cluster: Cluster) -> None:
    events = cluster.node.get("events", "--all-namespaces", "--field-selector=type=Warning")["items"]
    found = [f"{item['reason']}: {item['message']}" for item in events if item["reason"] in WRONG]
    assert [one for one in found if not NOT_YET.search(one)] == []


def test_a_second_bootstrap_changes_nothing(cluster: Cluster) -> None:
    kinds = "deployments,services,networkpolicies,gitrepositories.source.toolkit.fluxcd.io"
    kinds += ",kustomizations.kustomize.toolkit.fluxcd.io"

    def generations() -> dict[tuple[str, str], int]:
        found = cluster.node.get(kinds, "--namespace=flux-system")["items"]
        return {(item["kind"], item["metadata"]["name"]): item["metadata"].get("generation", 0) for item in found}

    before = generations()
    bootstrap(cluster)
    assert generations() == before
