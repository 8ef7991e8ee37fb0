"""Rules for every pod: the restricted Pod Security Standard, resources, probes.

The API server refuses a pod that breaks the standard only when the pod is made, long after the change is merged.
https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

from collections.abc import Iterator
from typing import Any

from synth.manifest import Document
from synth.pods import PROBES, RESOURCES, SERVING, containers, pod_spec


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
                yield (
                    f"has container {container['name']} without {' and '.join(missing)}: add what is missing, so that "
                    "Kubernetes notices when it does not work"
                )


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
        yield f"runs container {container['name']} as user 0, which is root: use a high number, as in 10001"


def _check_resources(container: Document) -> Iterator[str]:
    resources = container.get("resources") or {}
    for kind in ("requests", "limits"):
        if missing := [name for name in RESOURCES if name not in (resources.get(kind) or {})]:
            yield f"has container {container['name']} without {kind} for {', '.join(missing)}: set them"
