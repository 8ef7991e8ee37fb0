"""Autoscalers: more pods while there is much to do, fewer again afterwards, and no request lost on either way."""

import time
from dataclasses import replace
from functools import partial

import pytest

from scripts.gate.node.cluster import Cluster
from synth.manifest import Document
from synth.overview import Overview
from synth.overview.model import Address, Party
from tests.cluster.conftest import COMMIT_SECONDS
from tests.cluster.delivery import apps, edited
from tests.cluster.rollouts import counted, load, ready

UP, DOWN = 300, 300
"""How many seconds it may take until there are all the pods that there may be, and until there are the fewest again."""
WORK = "work=300ms"
QUIET = 1.0
"""Seconds between two requests of a client when there is little to do."""
FALL = {"stabilizationWindowSeconds": 15, "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}]}
"""How fast pods are taken away here: that one waits five minutes for it needs no proof."""


@pytest.mark.usefixtures("put_back")
def test_pods_come_and_go_with_what_there_is_to_do(
    cluster: Cluster, overview: Overview, addresses: list[Address]
) -> None:
    def quick(autoscaler: Document) -> None:
        autoscaler["spec"].setdefault("behavior", {})["scaleDown"] = FALL

    scaled = edited(cluster, "HorizontalPodAutoscaler", quick)
    if not scaled:
        assert apps(cluster, "HorizontalPodAutoscaler") == []
        return
    cluster.wait_applied(cluster.publish("Pods are taken away faster"), COMMIT_SECONDS)
    for autoscaler in scaled:
        spec = autoscaler["spec"]
        least, most = spec["minReplicas"], spec["maxReplicas"]
        party = Party("Deployment", autoscaler["metadata"]["namespace"], spec["scaleTargetRef"]["name"])
        where = [
            replace(one, path=f"{one.path or '/'}?{WORK}")
            for app in overview.apps
            for workload in app.workloads
            if workload.party == party
            for one in app.addresses_of(workload)
            if one in addresses
        ]
        assert where, party
        cluster.node.wait(f"{least} pods of {party}", partial(is_at, cluster, party, least), DOWN)
        start = time.monotonic()
        with load(where) as asked:
            cluster.node.wait(f"{most} pods of {party}", partial(is_at, cluster, party, most), UP)
            up = time.monotonic() - start
        with load([replace(one, path=one.path.partition("?")[0]) for one in where], QUIET) as later:
            cluster.node.wait(f"{least} pods of {party}", partial(is_at, cluster, party, least), DOWN)
        print(f"  {counted(party, asked + later)}; from {least} to {most} pods in {up:.0f} s")
        assert {one.answer for one in asked + later} == {"200"}, counted(party, asked + later)


def is_at(cluster: Cluster, party: Party, number: int) -> bool:
    return ready(cluster, party) == number
