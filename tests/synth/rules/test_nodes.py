"""Rules for the nodes that pods run on."""

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
    "selector", [{"disk": "slow"}, {"disk": "fast"}, {"kubernetes.io/os": "linus"}, {"kubernetes.io/arch": "x86_64"}]
)
def test_a_label_that_no_node_has_gives_its_sentence(selector: dict[str, str]) -> None:
    ((label, value),) = selector.items()
    (sentence,) = told(selector)
    assert sentence.startswith(f"Deployment wiki is for nodes with {label}={value}, which no node has; there are only")


@pytest.mark.parametrize(
    "selector", [{}, {"kubernetes.io/os": "linux"}, {"topology.kubernetes.io/zone": "a", "kubernetes.io/arch": "arm64"}]
)
def test_every_node_has_some_labels(selector: dict[str, str]) -> None:
    assert told(selector) == []


def test_a_label_may_be_of_a_node_that_the_cluster_has() -> None:
    assert told({"disk": "fast"}, FAST) == []
    assert told({"disk": "slow"}, FAST) == [
        "Deployment wiki is for nodes with disk=slow, which no node has; there are disk=fast"
    ]
