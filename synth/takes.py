"""How much a pod takes: what its containers ask for, and Istio's proxy beside them."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from synth.cluster import Cluster
from synth.manifest import Document
from synth.pods import pod_spec, pod_template
from synth.quantity import quantity
from synth.tree import Object

# What Istio's injection gives its proxy where no annotation says otherwise (global.proxy.resources of the chart
# istiod), and the annotations that do: https://istio.io/latest/docs/reference/config/annotations/
PROXY_DEFAULTS: Mapping[str, tuple[str, str]] = {
    "requests.cpu": ("sidecar.istio.io/proxyCPU", "100m"),
    "requests.memory": ("sidecar.istio.io/proxyMemory", "128Mi"),
    "limits.cpu": ("sidecar.istio.io/proxyCPULimit", "2000m"),
    "limits.memory": ("sidecar.istio.io/proxyMemoryLimit", "1024Mi"),
}


def pod_takes(cluster: Cluster, workload: Object, kind: str) -> dict[str, Decimal]:
    """The `requests` or `limits` of one pod: what runs side by side or, if more, an init container; and Istio's proxy.

    An init container that is always restarted runs beside the others:
    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
    """
    pod = pod_spec(workload.document)
    first = pod.get("initContainers", [])
    beside = [container for container in first if container.get("restartPolicy") == "Always"]
    total: dict[str, Decimal] = {}
    for container in (*beside, *pod.get("containers", [])):
        for resource, amount in ((container.get("resources") or {}).get(kind) or {}).items():
            total[resource] = total.get(resource, Decimal(0)) + amount_of(amount)
    for container in (container for container in first if container not in beside):
        for resource, amount in ((container.get("resources") or {}).get(kind) or {}).items():
            total[resource] = max(total.get(resource, Decimal(0)), amount_of(amount))
    for resource, amount in proxy_takes(cluster, workload, kind).items():
        total[resource] = total.get(resource, Decimal(0)) + amount
    return total


def proxy_takes(cluster: Cluster, workload: Object, kind: str) -> dict[str, Decimal]:
    """The `requests` or `limits` of Istio's proxy in one pod; nothing where the pod has none."""
    if not cluster.has_sidecar(workload):
        return {}
    annotations = (pod_template(workload.document).get("metadata") or {}).get("annotations") or {}
    # With one of the annotations Istio gives no defaults for the others.
    named = any(annotation in annotations for annotation, _ in PROXY_DEFAULTS.values())
    takes = {
        resource.partition(".")[2]: amount_of(annotations.get(annotation, default))
        for resource, (annotation, default) in PROXY_DEFAULTS.items()
        if resource.startswith(kind) and (annotation in annotations or not named)
    }
    # What the proxy does not name, it gets from the namespace's LimitRange.
    given = "defaultRequest" if kind == "requests" else "default"
    for limit in limits_of_containers(cluster, workload.namespace):
        for resource, amount in (limit.get(given) or {}).items():
            takes.setdefault(resource, amount_of(amount))
    return takes


def limits_of_containers(cluster: Cluster, namespace: str) -> Iterator[Document]:
    """The limits for containers in the LimitRanges of a namespace."""
    for item in cluster.within(namespace, "LimitRange"):
        yield from (limit for limit in item.spec.get("limits", []) if limit["type"] == "Container")


def amount_of(text: object) -> Decimal:
    """A quantity as a number. Text that is not a quantity counts as 0 here: the rules for fields report it."""
    try:
        return quantity(text)
    except ValueError:
        return Decimal(0)
