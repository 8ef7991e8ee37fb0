"""Rules for volumes: too many pods for one, and a class that is not there, give their sentence."""

from typing import Any

import pytest

from synth.cluster import Provided
from synth.manifest import Document
from synth.rules import storage
from tests.synth.objects import (
    POD,
    SHARED_CLASS,
    WIKI_PODS,
    autoscaled,
    environment,
    find,
    other,
    put,
    said,
    scaled,
    unlimited,
)


def sentences(documents: list[Document], *provided: Provided) -> list[str]:
    return said(storage.RULES, documents, *provided)


def test_a_sound_environment_breaks_no_rule() -> None:
    assert sentences(environment()) == []


@pytest.mark.parametrize(("driver", "count"), [("secrets-store.csi.k8s.io", 0), ("secrets.csi.k8s.io", 1)])
def test_a_volume_has_a_driver(driver: str, count: int) -> None:
    documents = environment()
    put(find(documents, "Deployment"), f"{POD}/volumes/0", {"name": "keys", "csi": {"driver": driver}})
    there = Provided("CSIDriver", "secrets-store.csi.k8s.io", by="the cluster")
    found = said((storage.drivers_are_there,), documents, there)
    assert len(found) == count
    assert all(f"has volume keys of CSIDriver {driver}, which is neither made here nor" in told for told in found)


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
    documents.remove(find(documents, "PersistentVolumeClaim"))
    assert sentences(documents) == []


def test_a_volume_that_many_nodes_read_suits_several_pods() -> None:
    documents = scaled()
    put(find(documents, "PersistentVolumeClaim"), "spec/accessModes", ["ReadOnlyMany"])
    put(find(documents, "PersistentVolumeClaim"), "spec/volumeName", "filled-before")
    assert sentences(documents) == []


# two workloads on one volume

NEAR_THE_WIKI = {"labelSelector": WIKI_PODS, "topologyKey": "kubernetes.io/hostname"}
BESIDE = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [NEAR_THE_WIKI]}}


def beside(kind: str, **pod: Any) -> list[Document]:
    """The environment with one more workload on the wiki's volume."""
    second = other(kind)
    second["spec"]["template"]["spec"] |= pod
    if kind == "CronJob":
        second["spec"] = {"jobTemplate": {"spec": second["spec"]}}
    return [*environment(), second]


@pytest.mark.parametrize("kind", ["CronJob", "Job", "StatefulSet"])
def test_two_workloads_on_a_volume_for_one_node_are_on_one_node(kind: str) -> None:
    assert sentences(beside(kind)) == [
        f"{kind} other mounts PersistentVolumeClaim pages, as Deployment wiki does, and one node alone can mount it: "
        "put it on that node with a required podAffinity to app.kubernetes.io/name=wiki and topologyKey "
        "kubernetes.io/hostname, or declare the volume ReadWriteMany"
    ]
    assert sentences(beside(kind, affinity=BESIDE)) == []
    assert sentences(beside(kind, nodeSelector={"kubernetes.io/hostname": "one"})) == []


@pytest.mark.parametrize(
    "affinity",
    [
        {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{**NEAR_THE_WIKI, "topologyKey": "zone"}]}},
        {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"podAffinityTerm": NEAR_THE_WIKI}]}},
        {"podAntiAffinity": BESIDE["podAffinity"]},
    ],
)
def test_what_may_be_on_another_node_is_not_enough(affinity: Document) -> None:
    assert len(sentences(beside("Job", affinity=affinity))) == 1


def test_a_volume_for_one_pod_has_one_workload() -> None:
    documents = beside("Job", affinity=BESIDE)
    put(find(documents, "PersistentVolumeClaim"), "spec/accessModes", ["ReadWriteOncePod"])
    assert sentences(documents) == [
        "Job other mounts PersistentVolumeClaim pages, as Deployment wiki does, and one pod alone can: give it another "
        "volume"
    ]


def test_a_volume_for_many_nodes_may_be_shared() -> None:
    documents = beside("Job")
    put(find(documents, "PersistentVolumeClaim"), "spec/accessModes", ["ReadWriteMany"])
    (sentence,) = sentences(documents)
    assert "asks for a volume of several nodes, ReadWriteMany, of the class the default one" in sentence
    put(find(documents, "PersistentVolumeClaim"), "spec/storageClassName", SHARED_CLASS.name)
    assert sentences(documents) == []


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("spec/accessModes", "has no accessModes, without which there is no volume"),
        ("spec/resources", "has no resources.requests.storage, without which there is no volume"),
    ],
)
def test_a_claim_says_how_much_and_for_whom(path: str, problem: str) -> None:
    documents = environment()
    put(find(documents, "PersistentVolumeClaim"), path, None)
    assert any(problem in sentence for sentence in sentences(documents))


def test_a_claim_that_nobody_mounts_gives_its_sentence() -> None:
    lonely = {**find(environment(), "PersistentVolumeClaim"), "metadata": {"name": "lonely", "namespace": "wiki"}}
    (sentence,) = sentences([*environment(), lonely])
    assert sentence.startswith("PersistentVolumeClaim lonely is mounted by nobody, so that it stays pending")


@pytest.mark.parametrize("source", ["hostPath", "local"])
def test_a_volume_that_is_a_folder_of_a_node_gives_its_sentence(source: str) -> None:
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "a"},
        "spec": {source: {"path": "/a"}},
    }
    (sentence,) = sentences([*environment(), volume])
    assert sentence.startswith(f"PersistentVolume a is a folder of a node ({source})")


@pytest.mark.parametrize(
    ("empty", "fits"),
    [
        ({"sizeLimit": "256Mi"}, True),
        ({"sizeLimit": "257Mi"}, False),
        ({"sizeLimit": "200Mi", "medium": "Memory"}, True),
        ({}, True),
    ],
)
def test_a_pod_may_fill_its_scratch_space(empty: dict[str, str], fits: bool) -> None:
    documents = environment()
    find(documents, "Deployment")["spec"]["template"]["spec"]["volumes"].append({"name": "tmp", "emptyDir": empty})
    found = sentences(documents)
    assert [("has emptyDirs of 257Mi, but is evicted at the 256Mi" in told) for told in found] == (
        [] if fits else [True]
    )


@pytest.mark.parametrize(("size", "fits"), [("255Mi", True), ("256Mi", False)])
def test_what_is_in_memory_leaves_some_to_the_containers(size: str, fits: bool) -> None:
    documents = environment()
    volume = {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": size}}
    find(documents, "Deployment")["spec"]["template"]["spec"]["volumes"].append(volume)
    told = "has emptyDirs of 256Mi in memory, which count against the 256Mi that its containers may take"
    assert [told in sentence for sentence in sentences(documents)] == ([] if fits else [True])


def test_a_new_volume_can_be_written_to() -> None:
    documents = scaled()
    put(find(documents, "PersistentVolumeClaim"), "spec/accessModes", ["ReadOnlyMany"])
    (sentence,) = sentences(documents)
    assert "asks for a new volume that is ReadOnlyMany, which nobody can ever fill" in sentence


@pytest.mark.parametrize(
    ("mode", "field", "told"),
    [
        ("Block", "volumeMounts", "is of volumeMode Block, for which its pods do not start: make that Filesystem"),
        (
            "Filesystem",
            "volumeDevices",
            "is of volumeMode Filesystem, for which its pods do not start: make that Block",
        ),
        ("Block", "volumeDevices", ""),
        ("Filesystem", "volumeMounts", ""),
    ],
)
def test_a_device_is_no_folder(mode: str, field: str, told: str) -> None:
    documents = scaled()
    put(find(documents, "PersistentVolumeClaim"), "spec/volumeMode", mode)
    container = find(documents, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    del container["volumeMounts"]
    container[field] = [{"name": "pages"}]
    assert [told in sentence for sentence in sentences(documents)] == ([True] if told else [])
