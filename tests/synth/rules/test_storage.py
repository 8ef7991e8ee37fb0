"""Rules for volumes: too many pods for one, and a class that is not there, give their sentence."""

from synth.cluster import Provided
from synth.manifest import Document
from synth.rules import storage
from tests.synth.objects import (
    POD,
    autoscaled,
    environment,
    find,
    put,
    said,
    scaled,
    unlimited,
)


def sentences(documents: list[Document], *provided: Provided) -> list[str]:
    return said(storage.RULES, documents, *provided)


def test_a_sound_environment_breaks_no_rule() -> None:
    assert sentences(environment()) == []


def test_an_autoscaler_gives_a_volume_for_one_node_too_many_pods() -> None:
    documents = autoscaled(maxReplicas=2)
    put(find(documents, "PersistentVolumeClaim"), "spec/accessModes", ["ReadWriteOnce"])
    put(find(documents, "Deployment"), "spec/strategy", {"type": "Recreate"})
    assert sentences(documents) == [
        "Deployment wiki has 2 replicas on PersistentVolumeClaim pages, which one node alone can mount: "
        "run 1 replica, or declare the volume ReadWriteMany"
    ]


def test_an_autoscaler_of_one_pod_suits_a_volume_for_one_node() -> None:
    documents = autoscaled(minReplicas=1, maxReplicas=1)
    put(find(documents, "PersistentVolumeClaim"), "spec/accessModes", ["ReadWriteOnce"])
    put(find(documents, "Deployment"), "spec/strategy", {"type": "Recreate"})
    assert sentences(documents) == []


def test_a_deployment_without_a_strategy_rolls_out_with_two_pods() -> None:
    documents = unlimited()
    put(find(documents, "Deployment"), "spec/strategy", None)
    assert sentences(documents) == [
        "Deployment wiki rolls out with two pods on PersistentVolumeClaim pages for a while: set strategy Recreate, "
        "or declare the volume ReadWriteMany"
    ]


def test_a_volume_that_is_not_made_here_may_be_for_many_nodes() -> None:
    documents = scaled()
    put(find(documents, "Deployment"), f"{POD}/volumes/0/persistentVolumeClaim/claimName", "shared")
    assert sentences(documents) == []


def test_a_volume_that_many_nodes_read_suits_several_pods() -> None:
    documents = scaled()
    put(find(documents, "PersistentVolumeClaim"), "spec/accessModes", ["ReadOnlyMany"])
    assert sentences(documents) == []
