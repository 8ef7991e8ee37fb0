"""Rules for the nodes that pods run on."""

from typing import Any

import pytest

from synth.cluster import Provided
from synth.rules import nodes
from tests.synth.objects import environment, find, put, said

FAST = Provided("Node", "fast", by="the cluster", labels={"disk": "fast"})


def told(selector: dict[str, str], *provided: Provided) -> list[str]:
    documents = environment()
    put(find(documents, "Deployment"), "spec/template/spec/nodeSelector", selector)
    return said(nodes.RULES, documents, *provided)


@pytest.mark.parametrize(
    "selector",
    [
        {"disk": "slow"},
        {"disk": "fast"},
        {"kubernetes.io/os": "windows"},
        {"kubernetes.io/arch": "x86_64"},
        {"topology.kubernetes.io/zone": "a"},
        {"kubernetes.io/hostname": "node-7"},
    ],
)
def test_a_label_that_no_node_has_gives_its_sentence(selector: dict[str, str]) -> None:
    ((label, value),) = selector.items()
    (sentence,) = told(selector)
    assert sentence.startswith(f"Deployment wiki is for nodes with {label}={value}, which no node has: there are ")


@pytest.mark.parametrize(
    "selector", [{}, {"kubernetes.io/os": "linux"}, {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"}]
)
def test_every_node_has_some_labels(selector: dict[str, str]) -> None:
    assert told(selector) == []


def test_a_label_may_be_of_a_node_that_the_cluster_has() -> None:
    assert told({"disk": "fast"}, FAST) == []
    (sentence,) = told({"disk": "slow"}, FAST)
    assert sentence.startswith("Deployment wiki is for nodes with disk=slow, which no node has: there are disk=fast, ")
    assert sentence.endswith("what the nodes have beside these is a fact of the environment, node_labels")


def placed(pod: dict[str, Any], *provided: Provided) -> list[str]:
    documents = environment()
    for field, value in pod.items():
        put(find(documents, "Deployment"), f"spec/template/spec/{field}", value)
    return said(nodes.RULES, documents, *provided)


REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
HOST = "kubernetes.io/hostname"
WIKI = {"matchLabels": {"app.kubernetes.io/name": "wiki"}}
NOBODY = {"matchLabels": {"app.kubernetes.io/name": "nobody"}}


def on_nodes(*expressions: dict[str, Any]) -> dict[str, Any]:
    terms = [{"matchExpressions": [expression]} for expression in expressions]
    return {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}}}


def near(sort: str, labels: dict[str, Any], key: str = HOST) -> dict[str, Any]:
    return {"affinity": {sort: {REQUIRED: [{"topologyKey": key, "labelSelector": labels}]}}}


def spread(labels: dict[str, Any], key: str = HOST, unsatisfiable: str = "DoNotSchedule") -> dict[str, Any]:
    constraint = {"topologyKey": key, "maxSkew": 1, "whenUnsatisfiable": unsatisfiable, "labelSelector": labels}
    return {"topologySpreadConstraints": [constraint]}


@pytest.mark.parametrize(
    ("pod", "problem"),
    [
        (on_nodes({"key": "disk", "operator": "In", "values": ["slow"]}), "nodes with disk slow, which no node has"),
        (on_nodes({"key": "rack", "operator": "Exists"}), "nodes that have rack, which no node has"),
        (on_nodes({"key": "disk", "operator": "Equals", "values": ["fast"]}), "the operator 'Equals': there are In"),
        ({"nodeName": "node-7"}, "names its node, node-7, past the scheduler"),
        ({"schedulerName": "mine"}, "waits for the scheduler mine"),
        (
            near("podAffinity", NOBODY),
            "beside pods with app.kubernetes.io/name=nobody in namespace wiki, but there are",
        ),
        (near("podAffinity", WIKI, "rack"), "is placed by rack, a label that no node has"),
        (near("podAntiAffinity", WIKI, "rack"), "is placed by rack, a label that no node has"),
        (spread(WIKI, "rack"), "is placed by rack, a label that no node has"),
        (spread(NOBODY), "spreads pods with app.kubernetes.io/name=nobody, which are not its own"),
    ],
)
def test_a_place_that_is_not_there_gives_its_sentence(pod: dict[str, Any], problem: str) -> None:
    (sentence,) = placed(pod, FAST)
    assert problem in sentence


@pytest.mark.parametrize(
    "pod",
    [
        on_nodes({"key": "disk", "operator": "In", "values": ["slow", "fast"]}),
        on_nodes({"key": "disk", "operator": "Exists"}, {"key": "rack", "operator": "Exists"}),
        on_nodes({"key": "rack", "operator": "DoesNotExist"}),
        {"schedulerName": "default-scheduler"},
        near("podAffinity", WIKI),
        near("podAntiAffinity", NOBODY),
        near("podAffinity", WIKI, "disk"),
        spread(WIKI),
        spread(WIKI, "rack", "ScheduleAnyway"),
    ],
)
def test_a_place_that_is_there_is_left_alone(pod: dict[str, Any]) -> None:
    assert placed(pod, FAST) == []


UNREACHABLE = {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"}


@pytest.mark.parametrize(
    ("toleration", "told"),
    [
        ({"operator": "Exists"}, "tolerates every taint"),
        ({"operator": "Exists", "effect": "NoExecute"}, "tolerates every taint"),
        (UNREACHABLE, "tolerates node.kubernetes.io/unreachable for ever"),
        ({**UNREACHABLE, "tolerationSeconds": 60}, ""),
        ({"key": "disk", "operator": "Exists"}, ""),
        ({"key": "disk", "operator": "Equal", "value": "fast", "effect": "NoSchedule"}, ""),
    ],
)
def test_pods_leave_a_node_that_is_gone(toleration: dict[str, Any], told: str) -> None:
    documents = environment()
    put(find(documents, "Deployment"), "spec/template/spec/tolerations", [toleration])
    assert [told in sentence for sentence in said(nodes.RULES, documents)] == ([True] if told else [])
