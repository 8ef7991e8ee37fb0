"""A roll-out while eight clients ask, half of them what changes nothing and half what may: what of that is lost.

Each request has a connection of its own. Nobody asks again by himself what was lost; the gateway may.
"""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import cycle, islice
from threading import Event

import pytest

from scripts.gate.node.cluster import Cluster
from scripts.gate.node.node import NAME
from synth import ToolError
from synth.manifest import Document
from synth.overview import Overview
from synth.overview.model import Address, Party
from tests.cluster.conftest import ask
from tests.cluster.delivery import apps
from tests.cluster.network import new

CLIENTS = 8
PAUSE = 0.02
ROLLOUT = 180
"""How many seconds a roll-out may take here."""
DRAIN = 10
"""How many seconds may go by between the first failure and the new pod: that is as long as the old one takes to end."""
EMPTYING = 20
"""How many seconds a node is tried to be emptied: long enough for a pod to end."""
NOTICED = 3
"""How many seconds the gateway may take to know that the new pod is ready; Kubernetes' times are whole seconds."""


@dataclass(frozen=True)
class Asked:
    """A request: when it was answered, and the status, or why there is none."""

    at: float
    method: str
    answer: str


@contextmanager
def load(addresses: list[Address], pause: float = PAUSE) -> Iterator[list[Asked]]:
    """What the clients were told, once they have ended."""
    found: list[Asked] = []
    end = Event()

    def client(address: Address, method: str) -> None:
        while not end.wait(pause):
            try:
                answer = str(ask(address.host, address.path, address.port, address.protocol, method=method).status)
            except OSError as error:
                answer = repr(error)
            found.append(Asked(time.time(), method, answer))

    with ThreadPoolExecutor(CLIENTS) as clients:
        running = [
            clients.submit(client, address, method)
            for address, method in islice(
                cycle((address, method) for method in ("GET", "POST") for address in addresses), CLIENTS
            )
        ]
        try:
            time.sleep(1)
            yield found
            time.sleep(1)
        finally:
            end.set()
        for one in running:
            one.result()


def reached(
    cluster: Cluster, overview: Overview, addresses: list[Address], strategy: str
) -> dict[Party, list[Address]]:
    """Where the Deployments with a strategy are reached."""
    deployments = {
        Party("Deployment", item["metadata"]["namespace"], item["metadata"]["name"]): item["spec"]["strategy"]["type"]
        for item in apps(cluster, "Deployment")
    }
    return {
        workload.party: found
        for app in overview.apps
        for workload in app.workloads
        if deployments.get(workload.party) == strategy
        and (found := [one for one in app.addresses_of(workload) if one in addresses])
    }


def restart(cluster: Cluster, party: Party) -> None:
    """Have new pods, and wait until the old ones are gone."""
    where = (f"deployment/{party.name}", f"--namespace={party.namespace}")
    cluster.node.kubectl("rollout", "restart", *where)
    cluster.node.kubectl("rollout", "status", *where, f"--timeout={ROLLOUT}s")
    cluster.node.wait(f"the pods of {party} are new", lambda: new(cluster, party.namespace), ROLLOUT)


def counted(party: Party, asked: list[Asked]) -> str:
    return f"{party}: " + ", ".join(
        f"{number} {method} {answer}"
        for (method, answer), number in sorted(Counter((one.method, one.answer) for one in asked).items())
    )


def test_where_pods_are_replaced_one_by_one_nothing_is_lost(
    cluster: Cluster, overview: Overview, addresses: list[Address]
) -> None:
    for party, where in reached(cluster, overview, addresses, "RollingUpdate").items():
        least = next(one.least for app in overview.apps for one in app.workloads if one.party == party)
        cluster.node.wait(f"{least} pods of {party}", partial(has, cluster, party, least))
        with load(where) as asked:
            restart(cluster, party)
        print(f"  {counted(party, asked)}")
        assert {one.answer for one in asked} == {"200"}, counted(party, asked)


def test_where_the_old_pod_ends_first_the_outage_is_as_long_as_the_new_one_takes_to_start(
    cluster: Cluster, overview: Overview, addresses: list[Address]
) -> None:
    for party, where in reached(cluster, overview, addresses, "Recreate").items():
        before = set(pods_of(cluster, party))
        with load(where) as asked:
            restart(cluster, party)
        lost = [one.at for one in asked if one.answer != "200"]
        print(f"  {counted(party, asked)}")
        if lost:
            (pod,) = (pod for name, pod in pods_of(cluster, party).items() if name not in before)
            made, started = seconds(pod["metadata"]["creationTimestamp"]), seconds(since(pod, "Ready"))
            print(f"  out for {max(lost) - min(lost):.1f} s; the new pod came after {made - min(lost):.1f} s")
            assert made - min(lost) < DRAIN, party
            assert max(lost) < started + NOTICED, party
            assert asked[-1].answer == "200"


def test_a_node_that_is_emptied_keeps_the_pods_that_a_budget_keeps(
    cluster: Cluster, overview: Overview, addresses: list[Address]
) -> None:
    """There is no other node: one pod may go, and the next one not before it is replaced."""
    for party, where in reached(cluster, overview, addresses, "RollingUpdate").items():
        least = next(one.least for app in overview.apps for one in app.workloads if one.party == party)
        if least == 1:
            continue
        enough = partial(has, cluster, party, least)
        cluster.node.wait(f"{least} pods of {party}", enough)
        before = set(pods_of(cluster, party))
        drain = ("drain", NAME, f"--pod-selector={selector(cluster, party)}", "--delete-emptydir-data")
        with load(where) as asked:
            try:
                with pytest.raises(ToolError, match="violate the pod's disruption budget"):
                    cluster.node.kubectl(*drain, f"--timeout={EMPTYING}s")
                assert len(before - set(pods_of(cluster, party))) == 1, party
            finally:
                cluster.node.kubectl("uncordon", NAME)
            cluster.node.wait(f"{least} pods of {party}", enough)
        print(f"  {counted(party, asked)}")
        assert {one.answer for one in asked} == {"200"}, counted(party, asked)


def has(cluster: Cluster, party: Party, least: int) -> bool:
    return ready(cluster, party) >= least


def ready(cluster: Cluster, party: Party) -> int:
    deployment = cluster.node.get("deployment", party.name, f"--namespace={party.namespace}")
    return int(deployment["status"].get("readyReplicas", 0))


def pods_of(cluster: Cluster, party: Party) -> dict[str, Document]:
    """The pods of a Deployment, by their names."""
    chosen = f"--selector={selector(cluster, party)}"
    items = cluster.node.get("pods", f"--namespace={party.namespace}", chosen)["items"]
    return {item["metadata"]["name"]: item for item in items}


def selector(cluster: Cluster, party: Party) -> str:
    """The labels of a Deployment's pods, as kubectl takes them."""
    deployment = cluster.node.get("deployment", party.name, f"--namespace={party.namespace}")
    return ",".join(f"{name}={value}" for name, value in deployment["spec"]["selector"]["matchLabels"].items())


def since(pod: Document, condition: str) -> str:
    """When a condition of a pod became what it is."""
    return next(str(one["lastTransitionTime"]) for one in pod["status"]["conditions"] if one["type"] == condition)


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
