"""Rules for how much runs in a namespace: its ResourceQuota at full scale, and its LimitRange."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from synth.cluster import Cluster, Rule, Violation
from synth.manifest import Document
from synth.pods import containers
from synth.quantity import as_quantity, quantity
from synth.scale import scale, surge
from synth.takes import amount_of, pod_takes, proxy_takes
from synth.tree import Object


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
            for resource, amount in pod_takes(cluster, item, kind).items():
                add(f"{kind}.{resource}", pods * amount)
        for template in item.spec.get("volumeClaimTemplates", []):
            add("persistentvolumeclaims", Decimal(pods))
            add("requests.storage", pods * _storage(template))
    for claim in cluster.within(namespace, "PersistentVolumeClaim"):
        add("persistentvolumeclaims", Decimal(1))
        add("requests.storage", _storage(claim.document))
    return needed


def _storage(claim: Document) -> Decimal:
    return amount_of(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", 0))


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
    for name, amounts in {**limits, "Istio's proxy": proxy_takes(cluster, workload, "limits")}.items():
        for resource, amount in amounts.items():
            if resource in most and amount_of(amount) > amount_of(most[resource]):
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
                if counted and "ephemeral-storage" not in proxy_takes(cluster, item, kind):
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
