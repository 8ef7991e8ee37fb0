"""What every pod here must have: the restricted Pod Security Standard, resources, probes.

The API server refuses a pod that breaks the standard only when the pod is made, long after the change is merged.
https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from synth.manifest import Document

WORKLOADS = frozenset({"Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"})
RESOURCES = ("cpu", "memory", "ephemeral-storage")
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
SERVING = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
"""Kinds whose pods run until they are replaced, and so must be asked whether they still can."""


class Port(NamedTuple):
    """A port that a container declares; `name` is empty where it has none."""

    number: int
    protocol: str = "TCP"
    name: str = ""

    def __str__(self) -> str:
        return f"{self.number}/{self.protocol}"


def pod_template(document: Document) -> Document:
    """The pod template of a workload, the pod itself for a Pod, otherwise nothing."""
    spec = document.get("spec") or {}
    match document["kind"]:
        case "Pod":
            return document
        case "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job":
            return spec.get("template") or {}
        case "CronJob":
            return (spec.get("jobTemplate") or {}).get("spec", {}).get("template") or {}
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


def selects(selector: Document | None, labels: Mapping[str, str]) -> bool:
    """Whether a selector may be for pods with these labels; expressions are taken to be."""
    return selected_labels(selector).items() <= labels.items()


def selected_labels(selector: Document | None) -> dict[str, str]:
    """The labels that a selector asks for; none where it is for all."""
    return (selector or {}).get("matchLabels") or {}


def ports(containers: Iterable[Document]) -> list[str | int]:
    """The names and the numbers of the ports that containers declare."""
    declared = [port for container in containers for port in container.get("ports", [])]
    return [*(port["name"] for port in declared if "name" in port), *(port["containerPort"] for port in declared)]


def check_pods(document: Document) -> Iterator[str]:
    """What keeps the pods of a workload from being safe and schedulable, each as the end of a sentence."""
    pod = pod_spec(document)
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield f"shares the node's {field.removeprefix('host')}: leave {field} out"
    if pod.get("automountServiceAccountToken") is not False:
        yield "mounts a token of its ServiceAccount: set automountServiceAccountToken to false"
    for container in containers(document):
        yield from _check_security(container, pod.get("securityContext") or {})
        yield from _check_resources(container)
    if document["kind"] in SERVING:
        for container in pod.get("containers", []):
            if missing := [probe for probe in PROBES if probe not in container]:
                yield f"has container {container['name']} without {' and '.join(missing)}: say how to ask it"


def _check_security(container: Document, pod: Document) -> Iterator[str]:
    own = container.get("securityContext") or {}
    effective = {**pod, **own}
    wanted: tuple[tuple[str, Any, Any], ...] = (
        ("runAsNonRoot", effective.get("runAsNonRoot"), True),
        ("seccompProfile.type", (effective.get("seccompProfile") or {}).get("type"), "RuntimeDefault"),
        ("allowPrivilegeEscalation", own.get("allowPrivilegeEscalation"), False),
        ("capabilities.drop", (own.get("capabilities") or {}).get("drop"), ["ALL"]),
        ("readOnlyRootFilesystem", own.get("readOnlyRootFilesystem"), True),
    )
    for field, value, right in wanted:
        if value != right:
            shown = str(right).lower() if isinstance(right, bool) else right
            yield f"has container {container['name']} with securityContext.{field} {value}: it must be {shown}"
    if effective.get("runAsUser", 1) == 0:
        yield f"has container {container['name']} run as user 0, which is root: use a high number, as in 10001"


def _check_resources(container: Document) -> Iterator[str]:
    resources = container.get("resources") or {}
    for kind in ("requests", "limits"):
        if missing := [name for name in RESOURCES if name not in (resources.get(kind) or {})]:
            yield f"has container {container['name']} without {kind} for {', '.join(missing)}: set them"
