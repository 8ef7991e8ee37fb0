"""When nothing answers: each wrong edit beside a right one."""

from typing import Any

import pytest

from synth.changes import Risk, hazards
from synth.tree import Object
from tests.synth.changes import edited, objects, renamed, the_only, told, without

WIKI = objects("""
apiVersion: v1
kind: Namespace
metadata: {name: wiki}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: wiki, namespace: wiki}
spec:
  replicas: 2
  selector: {matchLabels: {app: wiki}}
  template:
    metadata: {labels: {app: wiki}}
    spec:
      containers: [{name: wiki, image: "wiki:1", ports: [{containerPort: 8000}]}]
---
apiVersion: v1
kind: Service
metadata: {name: wiki, namespace: wiki}
spec: {selector: {app: wiki}, ports: [{port: 80}, {port: 53, protocol: UDP}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: wiki, namespace: wiki}
spec:
  hosts: [wiki.acme.eu]
  gateways: [istio-system/main]
  http: [{route: [{destination: {host: wiki}}]}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: main, namespace: istio-system}
spec:
  servers:
  - {port: {number: 80, protocol: HTTP}, hosts: ["*"]}
  - {port: {number: 443, protocol: HTTPS}, hosts: ["*"]}
""")


def change(kind: str, name: str = "wiki", /, **fields: Any) -> list[Object]:
    return edited(WIKI, kind, name, **fields)


# Pods

ARGUMENTS = "spec__template__spec__containers__0__args"
IMAGE = "spec__template__spec__containers__0__image"


def rollout(**spec: Any) -> tuple[list[Object], list[Object]]:
    """A Deployment of some kind before and after a change of its pods."""
    before = change("Deployment", **{f"spec__{key}": value for key, value in spec.items()})
    return before, edited(before, "Deployment", "wiki", **{ARGUMENTS: ["--debug"]})


def rolling(**fields: Any) -> dict[str, Any]:
    return {"type": "RollingUpdate", "rollingUpdate": fields}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"strategy": {"type": "Recreate"}}, ["outage Deployment wiki"]),
        ({"replicas": 0, "strategy": {"type": "Recreate"}}, []),
        ({}, []),
        ({"replicas": 1}, []),
        ({"replicas": 1, "strategy": rolling(maxUnavailable=1)}, ["outage Deployment wiki"]),
        ({"replicas": 2, "strategy": rolling(maxUnavailable=1)}, []),
        ({"replicas": 2, "strategy": rolling(maxUnavailable="100%")}, ["outage Deployment wiki"]),
        ({"replicas": 1, "strategy": rolling(maxUnavailable="50%")}, []),
    ],
)
def test_pods_that_all_go_before_the_next_are_ready(spec: dict[str, Any], expected: list[str]) -> None:
    assert told(*rollout(**spec)) == expected


def test_a_change_beside_the_pods_ends_none() -> None:
    before = change("Deployment", spec__strategy={"type": "Recreate"})
    assert told(before, edited(before, "Deployment", "wiki", spec__revisionHistoryLimit=3)) == []


def test_a_release_of_what_is_always_made_anew_is_good_to_know() -> None:
    before = change("Deployment", spec__strategy={"type": "Recreate"})
    (found,) = hazards(before, edited(before, "Deployment", "wiki", **{IMAGE: "wiki:2"}))
    assert (found.risk, found.notice) == (Risk.OUTAGE, True)


STORE = objects("""
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store, namespace: wiki}
spec:
  replicas: 1
  selector: {matchLabels: {app: store}}
  template: {metadata: {labels: {app: store}}, spec: {containers: [{name: store, image: "store:1"}]}}
""")


@pytest.mark.parametrize(
    ("replicas", "strategy", "expected"),
    [
        (1, {}, ["outage StatefulSet store"]),
        (3, {}, []),
        (1, {"type": "OnDelete"}, []),
    ],
)
def test_the_one_pod_of_a_stateful_set(replicas: int, strategy: dict[str, Any], expected: list[str]) -> None:
    before = edited(STORE, "StatefulSet", "store", spec__replicas=replicas, spec__updateStrategy=strategy)
    assert told(before, edited(before, "StatefulSet", "store", **{ARGUMENTS: ["--debug"]})) == expected


@pytest.mark.parametrize(("unavailable", "expected"), [("100%", ["outage DaemonSet store"]), (1, [])])
def test_the_pods_of_all_nodes(unavailable: str | int, expected: list[str]) -> None:
    before = edited(
        STORE, "StatefulSet", "store", kind="DaemonSet", spec__updateStrategy=rolling(maxUnavailable=unavailable)
    )
    assert told(before, edited(before, "DaemonSet", "store", **{ARGUMENTS: ["--debug"]})) == expected


def test_no_pods_at_all() -> None:
    assert told(WIKI, change("Deployment", spec__replicas=0)) == ["outage Deployment wiki"]
    assert told(change("Deployment", spec__replicas=0), WIKI) == []
    assert told(WIKI, change("Deployment", spec__replicas=1)) == []


SCALER = objects("""
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: wiki, namespace: wiki}
spec: {minReplicas: 2, maxReplicas: 4, scaleTargetRef: {kind: Deployment, name: wiki}}
""")


def test_a_number_of_pods_that_nobody_says_any_more() -> None:
    assert told(WIKI, change("Deployment", spec__replicas=None)) == ["outage Deployment wiki"]
    (found,) = hazards(WIKI, [*change("Deployment", spec__replicas=None), *SCALER])
    assert found.notice, "the autoscaler says it"
    assert hazards([*change("Deployment", spec__replicas=None), *SCALER], [*WIKI, *SCALER]) == []


# What is renamed or gone


def test_a_workload_that_goes() -> None:
    assert "gets no answer" in the_only(WIKI, without(WIKI, "Deployment wiki"), Risk.OUTAGE).what


def test_a_workload_that_is_renamed_or_of_another_kind() -> None:
    for after in (renamed(WIKI, "Deployment", "wiki", "pages"), change("Deployment", kind="StatefulSet")):
        assert "Flux deletes the old one as soon as the new one is applied" in the_only(WIKI, after, Risk.OUTAGE).what


def test_a_second_workload_beside_the_first_is_none() -> None:
    assert told(WIKI, [*WIKI, *renamed(WIKI, "Deployment", "wiki", "pages")]) == []


def test_a_service_that_goes_or_is_renamed() -> None:
    assert told(WIKI, without(WIKI, "Service wiki")) == ["outage Service wiki"]
    found = the_only(WIKI, renamed(WIKI, "Service", "wiki", "pages"), Risk.OUTAGE)
    assert found.what.startswith("It is called `pages` now.")
    assert "`wiki.wiki` leads nowhere" in found.what
    assert told(WIKI, [*WIKI, *[i for i in renamed(WIKI, "Service", "wiki", "pages") if i.name == "pages"]]) == []


def test_a_port_of_a_service() -> None:
    ports = [{"port": 80}, {"port": 53, "protocol": "UDP"}]
    assert told(WIKI, change("Service", spec__ports=[{"port": 8080}, ports[1]])) == ["outage Service wiki"]
    assert told(WIKI, change("Service", spec__ports=[ports[0], {"port": 53}])) == ["outage Service wiki"]
    assert told(WIKI, change("Service", spec__ports=[*ports, {"port": 8080}])) == []
    assert told(WIKI, change("Service", spec__ports=[{"port": 80, "targetPort": 8080}, ports[1]])) == []


def test_an_address_outside_the_cluster() -> None:
    balanced = change("Service", spec__type="LoadBalancer")
    assert told(balanced, WIKI) == ["outage Service wiki"]
    assert told(WIKI, balanced) == []


# Hosts


def test_a_host_that_moves_or_goes() -> None:
    moved = the_only(WIKI, change("VirtualService", spec__hosts=["docs.acme.eu"]), Risk.OUTAGE)
    assert moved.detail == "`wiki.acme.eu` to `docs.acme.eu`"
    assert "Serve both hosts" in moved.steps[0]
    gone = the_only(WIKI, without(WIKI, "VirtualService wiki"), Risk.OUTAGE)
    assert (gone.what.startswith("Its host goes"), gone.detail) == (True, "`wiki.acme.eu`")


@pytest.mark.parametrize("hosts", [["wiki.acme.eu", "docs.acme.eu"], ["*.acme.eu"]])
def test_a_host_that_is_still_served(hosts: list[str]) -> None:
    assert told(WIKI, change("VirtualService", spec__hosts=hosts)) == []
    # By another object.
    assert told(WIKI, renamed(WIKI, "VirtualService", "wiki", "other")) == []


def test_a_host_inside_the_mesh_is_no_address() -> None:
    inside = change("VirtualService", spec__gateways=["mesh"])
    assert told(inside, edited(inside, "VirtualService", "wiki", spec__hosts=["other"])) == []


def test_an_example_gives_way_to_a_real_host() -> None:
    example = change("VirtualService", spec__hosts=["wiki.example.com"])
    assert told(example, WIKI) == []
    assert told(example, change("VirtualService", spec__hosts=["docs.example.com"])) == ["outage VirtualService wiki"]


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Ingress", lambda host: {"rules": [{"host": host}]}),
        ("HTTPRoute", lambda host: {"hostnames": [host]}),
    ],
)
def test_a_host_of_another_kind_of_route(kind: str, spec: Any) -> None:
    sides = [
        [
            Object(
                {"apiVersion": "a/v1", "kind": kind, "metadata": {"name": "a"}, "spec": spec(host)}, "", "deploy/a.yaml"
            )
        ]
        for host in ("wiki.acme.eu", "docs.acme.eu")
    ]
    before, now = sides
    assert told(before, now) == [f"outage {kind} a"]


def test_a_port_of_the_gateway() -> None:
    servers = WIKI[-1].spec["servers"]
    assert told(WIKI, change("Gateway", "main", spec__servers=servers[:1])) == ["outage Gateway main"]
    assert told(WIKI, change("Gateway", "main", spec__servers=[*servers, servers[0]])) == []
    assert told(WIKI, without(WIKI, "Gateway main")) == ["outage Gateway main"]
