"""What Kubernetes' controllers make of a workload: one of each object that they ask the server for on its behalf."""

from collections.abc import Iterator
from typing import Any

from synth.manifest import Document

HASH = "5d4f8c7b9c"
"""Stands for the hash of a pod template, which has up to ten signs."""
SUFFIX = "x7k2q"
"""Stands for the five signs that make the name of a pod its own."""
PREFIX_LIMIT = 58
"""What is longer is cut before those five: https://github.com/kubernetes/apiserver, storage/names."""
MINUTES = "29400000"
"""Stands for the time of a CronJob's Job, in minutes since 1970."""


def made_of(workload: Document) -> Iterator[Document]:
    """The objects that a workload's controllers make, one of each sort: a pod, and before it a claim or a Job.

    Nothing where the kind makes none, or where it is so wrong that the server has refused it already.
    """
    name, spec = workload["metadata"]["name"], workload.get("spec") or {}
    match workload["kind"]:
        case "Deployment":
            yield _pod(workload, spec["template"], f"{name}-{HASH}-", {"pod-template-hash": HASH})
        case "ReplicaSet" | "ReplicationController":
            yield _pod(workload, spec["template"], f"{name}-")
        case "DaemonSet":
            labels = {"controller-revision-hash": HASH, "pod-template-generation": "1"}
            yield _pod(workload, spec["template"], f"{name}-", labels)
        case "StatefulSet":
            yield from _of_stateful_set(workload, spec)
        case "Job":
            yield _of_job(workload)
        case "CronJob":
            template = spec["jobTemplate"]
            job = {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {
                    **_metadata(template),
                    "name": f"{name}-{MINUTES}",
                    "namespace": workload["metadata"]["namespace"],
                },
                "spec": template["spec"],
            }
            yield job
            yield _of_job(job)


def _of_stateful_set(workload: Document, spec: Document) -> Iterator[Document]:
    name = workload["metadata"]["name"]
    first = f"{name}-{(spec.get('ordinals') or {}).get('start', 0)}"
    claims = spec.get("volumeClaimTemplates") or []
    for claim in claims:
        metadata = _metadata(claim)
        labels = {**metadata.get("labels", {}), **(spec["selector"].get("matchLabels") or {})}
        yield {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {
                **metadata,
                "labels": labels,
                "name": f"{claim['metadata']['name']}-{first}",
                "namespace": workload["metadata"]["namespace"],
            },
            "spec": claim["spec"],
        }
    labels = {
        "apps.kubernetes.io/pod-index": first.rpartition("-")[2],
        "controller-revision-hash": f"{name}-{HASH}",
        "statefulset.kubernetes.io/pod-name": first,
    }
    pod = _pod(workload, spec["template"], "", labels)
    pod["metadata"]["name"] = first
    volumes = [
        {
            "name": claim["metadata"]["name"],
            "persistentVolumeClaim": {"claimName": f"{claim['metadata']['name']}-{first}"},
        }
        for claim in claims
    ]
    named = {volume["name"] for volume in volumes}
    volumes += [volume for volume in pod["spec"].get("volumes") or () if volume["name"] not in named]
    pod["spec"] |= {"hostname": first, "subdomain": spec.get("serviceName", "")}
    if volumes:
        pod["spec"]["volumes"] = volumes
    yield pod


def _of_job(job: Document) -> Document:
    name, spec = job["metadata"]["name"], job["spec"]
    labels = {"batch.kubernetes.io/job-name": name, "job-name": name}
    if spec.get("completionMode") == "Indexed":
        labels["batch.kubernetes.io/job-completion-index"] = "0"
        return _pod(job, spec["template"], f"{name}-0-", labels)
    return _pod(job, spec["template"], f"{name}-", labels)


def _pod(workload: Document, template: Document, prefix: str, labels: dict[str, str] | None = None) -> Document:
    metadata = _metadata(template)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **metadata,
            "labels": {**metadata.get("labels", {}), **(labels or {})},
            "name": prefix[:PREFIX_LIMIT] + SUFFIX,
            "namespace": workload["metadata"]["namespace"],
        },
        "spec": dict(template["spec"]),
    }


def _metadata(template: Document) -> dict[str, Any]:
    """What a controller takes over of a template's metadata."""
    given = template.get("metadata") or {}
    return {key: dict(given[key]) for key in ("labels", "annotations") if given.get(key)}
