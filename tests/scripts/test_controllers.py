"""What the controllers make of a workload, for the server to judge."""

import pytest

from scripts.gate.judges.controllers import made_of
from synth.manifest import Document

TEMPLATE: Document = {
    "metadata": {"labels": {"app": "wiki"}, "annotations": {"note": "kept"}, "name": "ignored"},
    "spec": {"containers": [{"name": "wiki", "image": "wiki:1"}], "volumes": [{"name": "tmp", "emptyDir": {}}]},
}


def workload(kind: str, name: str = "wiki", **spec: object) -> Document:
    return {"apiVersion": "any/v1", "kind": kind, "metadata": {"name": name, "namespace": "wiki"}, "spec": spec}


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "DaemonSet", "Job"])
def test_a_pod_has_the_template_and_is_of_the_workloads_namespace(kind: str) -> None:
    (pod,) = made_of(workload(kind, template=TEMPLATE))
    assert (pod["apiVersion"], pod["kind"], pod["metadata"]["namespace"]) == ("v1", "Pod", "wiki")
    assert pod["metadata"]["name"].startswith("wiki-")
    assert pod["metadata"]["labels"]["app"] == "wiki"
    assert pod["metadata"]["annotations"] == {"note": "kept"}
    assert pod["spec"] == TEMPLATE["spec"]


def test_a_long_name_is_cut_as_the_server_cuts_it() -> None:
    (pod,) = made_of(workload("Deployment", "w" * 63, template=TEMPLATE))
    assert len(pod["metadata"]["name"]) == 63


def test_a_pod_of_a_deployment_is_one_of_its_replica_set() -> None:
    (pod,) = made_of(workload("Deployment", template=TEMPLATE))
    assert pod["metadata"]["labels"]["pod-template-hash"] in pod["metadata"]["name"]


def test_a_stateful_set_has_a_claim_for_each_template_and_a_pod_that_mounts_them() -> None:
    claim = {"metadata": {"name": "data", "labels": {"of": "claim"}}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    given = workload(
        "StatefulSet",
        serviceName="peers",
        selector={"matchLabels": {"app": "wiki"}},
        ordinals={"start": 3},
        template=TEMPLATE,
        volumeClaimTemplates=[claim],
    )
    made, pod = made_of(given)
    assert made["kind"] == "PersistentVolumeClaim"
    assert made["metadata"] == {"name": "data-wiki-3", "namespace": "wiki", "labels": {"of": "claim", "app": "wiki"}}
    assert made["spec"] == claim["spec"]
    assert pod["metadata"]["name"] == "wiki-3"
    assert pod["spec"]["hostname"] == "wiki-3"
    assert pod["spec"]["subdomain"] == "peers"
    assert pod["spec"]["volumes"] == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-wiki-3"}},
        {"name": "tmp", "emptyDir": {}},
    ]
    assert "hostname" not in TEMPLATE["spec"]


def test_a_cron_job_has_a_job_and_that_a_pod() -> None:
    template = {"metadata": {"labels": {"of": "job"}}, "spec": {"backoffLimit": 1, "template": TEMPLATE}}
    job, pod = made_of(workload("CronJob", jobTemplate=template))
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    assert job["metadata"]["labels"] == {"of": "job"}
    # A CronJob's controller adds a hyphen and ten signs or fewer, which is why its own name ends at 52.
    assert 0 < len(job["metadata"]["name"]) - len("wiki-") <= 10
    assert job["spec"] == template["spec"]
    assert pod["metadata"]["labels"]["job-name"] == job["metadata"]["name"]
    assert pod["metadata"]["name"].startswith(f"{job['metadata']['name']}-")


def test_an_indexed_job_numbers_its_pods() -> None:
    (pod,) = made_of(workload("Job", completionMode="Indexed", template=TEMPLATE))
    assert pod["metadata"]["name"].startswith("wiki-0-")
    assert pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] == "0"


def test_a_kind_that_makes_no_pods_makes_nothing() -> None:
    assert list(made_of(workload("Service"))) == []
