"""The pods of a workload, whatever its kind: their template, containers and ports, and what they need."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from synth.manifest import Document

WORKLOADS = frozenset({"Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"})
SERVING = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
"""Kinds whose pods run until they are replaced, and so must be asked whether they still can."""
RESOURCES = ("cpu", "memory", "ephemeral-storage")
"""What a container says how much it takes of."""
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


class Port(NamedTuple):
    """A port that a container declares; `name` is empty where it has none."""

    number: int
    protocol: str = "TCP"
    name: str = ""

    def __str__(self) -> str:
        return f"{self.number}/{self.protocol}"


def job_spec(document: Document) -> Document:
    """What a Job, or each one that a CronJob makes, is to do."""
    spec = document.get("spec") or {}
    return spec if document["kind"] == "Job" else (spec.get("jobTemplate") or {}).get("spec") or {}


def pod_template(document: Document) -> Document:
    """The pod template of a workload, the pod itself for a Pod, otherwise nothing."""
    spec = document.get("spec") or {}
    match document["kind"]:
        case "Pod":
            return document
        case "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job":
            return spec.get("template") or {}
        case "CronJob":
            return job_spec(document).get("template") or {}
    return {}


def pod_spec(document: Document) -> Document:
    """The specification of a workload's pods; empty where it has none."""
    return pod_template(document).get("spec") or {}


def pod_labels(document: Document) -> dict[str, str]:
    """The labels that the pods of a workload have."""
    return (pod_template(document).get("metadata") or {}).get("labels") or {}


def containers(document: Document) -> list[Document]:
    """The init containers and containers of a workload."""
    spec = pod_spec(document)
    return [*spec.get("initContainers", []), *spec.get("containers", [])]


def declared(containers: Iterable[Document]) -> Iterator[Port]:
    """The ports that containers declare."""
    for container in containers:
        for port in container.get("ports", []):
            yield Port(port["containerPort"], port.get("protocol", "TCP"), port.get("name", ""))


def port_names(containers: Iterable[Document]) -> list[str | int]:
    """What a Service or a probe may call the ports that containers declare: the names, then the numbers."""
    ports = list(declared(containers))
    return [*(port.name for port in ports if port.name), *(port.number for port in ports)]


def selects(selector: Document | None, labels: Mapping[str, str]) -> bool:
    """Whether a selector is for what has these labels.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
    """
    if not selected_labels(selector).items() <= labels.items():
        return False
    return all(_meets(expression, labels) for expression in (selector or {}).get("matchExpressions") or [])


def _meets(expression: Document, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or []
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return True  # The API server knows no other operator and says so.


def selected_labels(selector: Document | None) -> dict[str, str]:
    """The labels that a selector asks for; none where it is for all."""
    return (selector or {}).get("matchLabels") or {}


def references(workload: Document) -> Iterator[tuple[str, str]]:
    """Kind and name of every object that the pods of a workload cannot start without."""
    pod = pod_spec(workload)
    if account := pod.get("serviceAccountName"):
        yield "ServiceAccount", account
    if priority := pod.get("priorityClassName"):
        yield "PriorityClass", priority
    if runtime := pod.get("runtimeClassName"):
        yield "RuntimeClass", runtime
    for secret in pod.get("imagePullSecrets", []):
        yield "Secret", secret["name"]
    for volume in pod.get("volumes", []):
        projected = (volume.get("projected") or {}).get("sources", [])
        for source in (volume, *projected):
            yield from _required(source.get("persistentVolumeClaim"), "PersistentVolumeClaim", "claimName")
            yield from _required(source.get("configMap"), "ConfigMap", "name")
            yield from _required(source.get("secret"), "Secret", "secretName" if source is volume else "name")
    for container in containers(workload):
        for source in (
            *container.get("envFrom", []),
            *(v.get("valueFrom") or {} for v in container.get("env", [])),
        ):
            for key in ("configMapRef", "configMapKeyRef"):
                yield from _required(source.get(key), "ConfigMap", "name")
            for key in ("secretRef", "secretKeyRef"):
                yield from _required(source.get(key), "Secret", "name")


def _required(reference: Document | None, kind: str, key: str) -> Iterator[tuple[str, str]]:
    if reference and not reference.get("optional"):
        yield kind, reference[key]
