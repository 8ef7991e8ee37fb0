"""Rules for how much runs in a namespace: its ResourceQuota at full scale, and its LimitRange."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from synth.cluster import Cluster, Rule, Violation
from synth.manifest import Document
from synth.pods import containers, pod_spec, pod_template
from synth.quantity import as_quantity, quantity
from synth.scale import scale, surge
from synth.tree import Object

# What Istio's injection gives its proxy where no annotation says otherwise (global.proxy.resources of the chart
# istiod), and the annotations that do: https://istio.io/latest/docs/reference/config/annotations/
PROXY_DEFAULTS: Mapping[str, tuple[str, str]] = {
    "requests.cpu": ("sidecar.istio.io/proxyCPU", "100m"),
    "requests.memory": ("sidecar.istio.io/proxyMemory", "128Mi"),
    "limits.cpu": ("sidecar.istio.io/proxyCPULimit", "2000m"),
    "limits.memory": ("sidecar.istio.io/proxyMemoryLimit", "1024Mi"),
}


def quotas_fit_at_full_scale(cluster: Cluster) -> Iterator[Violation]:
    """What a namespace's pods and volumes request, every autoscaler at its maximum, fits its ResourceQuota."""
    for quota in cluster.of("ResourceQuota"):
        needed = _needed(cluster, quota.namespace)
        for resource, amount in (quota.spec.get("hard") or {}).items():
            if resource not in needed:
                continue
            try:
                fits = needed[resource] <= quantity(amount)
            except ValueError:
                continue
            if not fits:
                binary = not resource.endswith("cpu") and resource not in ("pods", "persistentvolumeclaims")
                yield Violation(
                    quota,
                    f"allows {resource} {amount}, but at full scale namespace {quota.namespace} needs "
                    f"{as_quantity(needed[resource], binary=binary)}: raise it, or run fewer or smaller pods",
                )


def _needed(cluster: Cluster, namespace: str) -> dict[str, Decimal]:
    """How much of each resource a namespace needs at full scale, by the names that a ResourceQuota has for them."""
    needed: dict[str, Decimal] = {"pods": Decimal(0)}

    def add(resource: str, amount: Decimal) -> None:
        needed[resource] = needed.get(resource, Decimal(0)) + amount

    for item in cluster.selected(namespace, {}):
        if item.kind == "DaemonSet":
            continue
        pods = scale(cluster, item)[1] + surge(cluster, item)
        add("pods", Decimal(pods))
        for kind in ("requests", "limits"):
            for resource, amount in _pod_takes(cluster, item, kind).items():
                add(f"{kind}.{resource}", pods * amount)
        for template in item.spec.get("volumeClaimTemplates", []):
            add("persistentvolumeclaims", Decimal(pods))
            add("requests.storage", pods * _storage(template))
    for claim in cluster.within(namespace, "PersistentVolumeClaim"):
        add("persistentvolumeclaims", Decimal(1))
        add("requests.storage", _storage(claim.document))
    return needed


def _storage(claim: Document) -> Decimal:
    return _amount(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", 0))


def _pod_takes(cluster: Cluster, workload: Object, kind: str) -> dict[str, Decimal]:
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
            total[resource] = total.get(resource, Decimal(0)) + _amount(amount)
    for container in (container for container in first if container not in beside):
        for resource, amount in ((container.get("resources") or {}).get(kind) or {}).items():
            total[resource] = max(total.get(resource, Decimal(0)), _amount(amount))
    for resource, amount in _sidecar_takes(cluster, workload, kind).items():
        total[resource] = total.get(resource, Decimal(0)) + amount
    return total


def _sidecar_takes(cluster: Cluster, workload: Object, kind: str) -> dict[str, Decimal]:
    if not cluster.has_sidecar(workload):
        return {}
    annotations = (pod_template(workload.document).get("metadata") or {}).get("annotations") or {}
    # With one of the annotations Istio gives no defaults for the others.
    named = any(annotation in annotations for annotation, _ in PROXY_DEFAULTS.values())
    takes = {
        resource.partition(".")[2]: _amount(annotations.get(annotation, default))
        for resource, (annotation, default) in PROXY_DEFAULTS.items()
        if resource.startswith(kind) and (annotation in annotations or not named)
    }
    # What the proxy does not name, it gets from the namespace's LimitRange.
    given = "defaultRequest" if kind == "requests" else "default"
    for limit in _of_containers(cluster, workload.namespace):
        for resource, amount in (limit.get(given) or {}).items():
            takes.setdefault(resource, _amount(amount))
    return takes


def _of_containers(cluster: Cluster, namespace: str) -> Iterator[Document]:
    """The limits for containers in the LimitRanges of a namespace."""
    for item in cluster.within(namespace, "LimitRange"):
        yield from (limit for limit in item.spec.get("limits", []) if limit["type"] == "Container")


def _amount(text: object) -> Decimal:
    """A quantity as a number. Text that is not a quantity counts as 0 here: rules/fields.py reports it."""
    try:
        return quantity(text)
    except ValueError:
        return Decimal(0)


def containers_keep_to_the_limit_range(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("LimitRange"):
        for limit in item.spec.get("limits", []):
            if limit["type"] == "Container":
                for workload in cluster.selected(item.namespace, {}):
                    yield from _above(cluster, item, limit.get("max") or {}, workload)


def _above(cluster: Cluster, limit_range: Object, most: Mapping[str, str], workload: Object) -> Iterator[Violation]:
    limits = {
        f"container {container['name']}": (container.get("resources") or {}).get("limits") or {}
        for container in containers(workload.document)
    }
    for name, amounts in {**limits, "Istio's proxy": _sidecar_takes(cluster, workload, "limits")}.items():
        for resource, amount in amounts.items():
            if resource in most and _amount(amount) > _amount(most[resource]):
                shown_amount = amount if isinstance(amount, str) else as_quantity(amount, binary=resource != "cpu")
                yield Violation(
                    workload,
                    f"has {name} with limits.{resource} {shown_amount}, above the {most[resource]} of {limit_range} in "
                    "its namespace: raise the one or lower the other",
                )


def quotas_find_what_they_count(cluster: Cluster) -> Iterator[Violation]:
    """A quota refuses a pod in which a container says nothing of a resource that the quota counts.

    Istio's proxy names its CPU and memory; the rest a LimitRange has to give it.
    https://kubernetes.io/docs/concepts/policy/resource-quotas/#requests-vs-limits
    """
    for quota in cluster.of("ResourceQuota"):
        for item in filter(cluster.has_sidecar, cluster.selected(quota.namespace, {})):
            for kind in ("requests", "limits"):
                counted = f"{kind}.ephemeral-storage" in (quota.spec.get("hard") or {})
                if counted and "ephemeral-storage" not in _sidecar_takes(cluster, item, kind):
                    yield Violation(
                        quota,
                        f"counts {kind}.ephemeral-storage, of which the sidecar of {item} names none, so that no pod "
                        "would start: give a LimitRange of the namespace a default for containers",
                    )


RULES: tuple[Rule, ...] = (
    quotas_fit_at_full_scale,
    containers_keep_to_the_limit_range,
    quotas_find_what_they_count,
)
