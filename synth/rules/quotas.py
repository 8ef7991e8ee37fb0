"""Rules for how much runs in a namespace: its ResourceQuota at full scale, and its LimitRange."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from synth.cluster import Cluster, Rule, Violation
from synth.manifest import Document
from synth.pods import RESOURCES, containers, pod_spec
from synth.quantity import as_quantity, quantity
from synth.scale import scale, surge
from synth.takes import PROXY_DEFAULTS, amount_of, pod_takes, proxy_takes
from synth.tree import Object


def quotas_fit_at_full_scale(cluster: Cluster) -> Iterator[Violation]:
    """What a namespace's pods and volumes request, every autoscaler at its maximum, fits its ResourceQuota."""
    for quota in cluster.of("ResourceQuota"):
        counted = _counted(cluster, quota)
        if counted is None:
            continue
        needed = _needed(cluster, quota.namespace, counted)
        short = [
            (resource, str(amount), as_quantity(needed[resource], binary=_in_bytes(resource)))
            for resource, amount in (quota.spec.get("hard") or {}).items()
            if resource in needed and not _fits(needed[resource], amount)
        ]
        if short:
            allowed = _and(f"{resource} {amount}" for resource, amount, _ in short)
            yield Violation(
                quota,
                f"allows {allowed}, but at full scale namespace {quota.namespace} needs "
                f"{_and(need for _, _, need in short)}: raise it, or run fewer or smaller pods",
                relies_on=[item for item in cluster.objects if item.namespace == quota.namespace and item is not quota],
            )


def _counted(cluster: Cluster, quota: Object) -> list[Object] | None:
    """The workloads whose pods a quota counts; nothing where it has a scope that the tree does not tell.

    https://kubernetes.io/docs/concepts/policy/resource-quotas/#quota-scopes
    """
    pods = cluster.selected(quota.namespace, {})
    if quota.spec.get("scopeSelector"):
        return None
    for scope in quota.spec.get("scopes") or []:
        if scope not in ("Terminating", "NotTerminating"):
            return None
        ends = scope == "Terminating"
        pods = [pod for pod in pods if bool(pod_spec(pod.document).get("activeDeadlineSeconds")) == ends]
    return pods


def _fits(needed: Decimal, amount: object) -> bool:
    try:
        return needed <= quantity(amount)
    except ValueError:
        return True


def _in_bytes(resource: str) -> bool:
    return resource.endswith(("memory", "storage"))


def _and(texts: Iterable[str]) -> str:
    *first, last = list(texts) or [""]
    return f"{', '.join(first)} and {last}" if first else last


CLASS = ".storageclass.storage.k8s.io/"
"""Between a StorageClass and what a quota counts of its volumes:
https://kubernetes.io/docs/concepts/policy/resource-quotas/#storage-resource-quota"""
COUNTED = {
    "ConfigMap": ("configmaps", "count/configmaps"),
    "CronJob": ("count/cronjobs.batch",),
    "Deployment": ("count/deployments.apps",),
    "Job": ("count/jobs.batch",),
    "PersistentVolumeClaim": ("count/persistentvolumeclaims",),
    "Secret": ("secrets", "count/secrets"),
    "Service": ("services", "count/services"),
    "StatefulSet": ("count/statefulsets.apps",),
}
"""What a quota counts an object as."""


def _needed(cluster: Cluster, namespace: str, counted: Iterable[Object]) -> dict[str, Decimal]:
    """How much of each resource a namespace needs at full scale, by the names that a ResourceQuota has for them."""
    needed: dict[str, Decimal] = {"pods": Decimal(0)}

    def add(resource: str, amount: Decimal | int) -> None:
        needed[resource] = needed.get(resource, Decimal(0)) + amount

    def claim(document: Document, count: int) -> None:
        size, storage_class = _storage(document), document["spec"].get("storageClassName")
        for prefix in ("", *([f"{storage_class}{CLASS}"] if storage_class else [])):
            add(f"{prefix}persistentvolumeclaims", count)
            add(f"{prefix}requests.storage", count * size)

    nodes = sum(given.kind == "Node" for given in cluster.provided)
    for item in counted:
        # Of a DaemonSet each node has one, and a cluster at least one node.
        pods = max(nodes, 1) if item.kind == "DaemonSet" else scale(cluster, item)[1] + surge(cluster, item)
        add("pods", pods)
        for kind in ("requests", "limits"):
            for resource, amount in pod_takes(cluster, item, kind).items():
                add(f"{kind}.{resource}", pods * amount)
                if kind == "requests" and resource in RESOURCES:
                    add(resource, pods * amount)
        for template in item.spec.get("volumeClaimTemplates", []):
            claim(template, pods)
    for item in cluster.within(namespace, "PersistentVolumeClaim"):
        claim(item.document, 1)
    for kind, names in COUNTED.items():
        for name in names if cluster.within(namespace, kind) else ():
            add(name, len(cluster.within(namespace, kind)))
    for service in cluster.within(namespace, "Service"):
        outside = service.spec.get("type") in ("NodePort", "LoadBalancer")
        add("services.nodeports", len(service.spec.get("ports", [])) if outside else 0)
        add("services.loadbalancers", service.spec.get("type") == "LoadBalancer")
    return needed


def _storage(claim: Document) -> Decimal:
    return amount_of(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", 0))


PROXY = "Istio's proxy"


def what_runs_keeps_to_the_limit_range(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("LimitRange"):
        for limit in item.spec.get("limits", []):
            if limit["type"] == "Container":
                for workload in cluster.selected(item.namespace, {}):
                    yield from _above(cluster, item, limit.get("max") or {}, workload)
                    yield from _far_apart(item, limit.get("maxLimitRequestRatio") or {}, workload)
            if limit["type"] == "PersistentVolumeClaim":
                yield from _not_within(cluster, item, limit)


def _far_apart(limit_range: Object, most: Mapping[str, str], workload: Object) -> Iterator[Violation]:
    for container in containers(workload.document):
        resources = container.get("resources") or {}
        for resource, ratio in most.items():
            asked, limit = ((resources.get(kind) or {}).get(resource) for kind in ("requests", "limits"))
            if asked and limit and amount_of(limit) > amount_of(asked) * amount_of(ratio):
                yield Violation(
                    workload,
                    f"has container {container['name']} with {limit} of {resource} at most and a request for {asked}, "
                    f"more than {ratio} times apart, as {limit_range} in its namespace has it: bring the two closer",
                )


def _not_within(cluster: Cluster, limit_range: Object, limit: Document) -> Iterator[Violation]:
    """Claims that are refused for their size, a StatefulSet's when it makes its pods."""
    claims = [(item, item.document) for item in cluster.within(limit_range.namespace, "PersistentVolumeClaim")]
    for item in cluster.within(limit_range.namespace, "StatefulSet"):
        claims += [(item, template) for template in item.spec.get("volumeClaimTemplates") or []]
    for owner, document in claims:
        for bound, field in (("below", "min"), ("above", "max")):
            size = (limit.get(field) or {}).get("storage")
            asked = _storage(document)
            if size and (asked < amount_of(size) if field == "min" else asked > amount_of(size)):
                yield Violation(
                    owner,
                    f"asks for a volume of {as_quantity(asked, binary=True)}, {bound} the {size} of {limit_range} in "
                    "its namespace: change the one or the other",
                )


def _above(cluster: Cluster, limit_range: Object, most: Mapping[str, str], workload: Object) -> Iterator[Violation]:
    limits = {
        f"container {container['name']}": (container.get("resources") or {}).get("limits") or {}
        for container in containers(workload.document)
    }
    for name, amounts in {**limits, PROXY: proxy_takes(cluster, workload, "limits")}.items():
        above = {
            resource: amount if isinstance(amount, str) else as_quantity(amount, binary=resource != "cpu")
            for resource, amount in amounts.items()
            if resource in most and amount_of(amount) > amount_of(most[resource])
        }
        if above:
            asked = _and(f"limits.{resource} {amount}" for resource, amount in above.items())
            named = _and(PROXY_DEFAULTS[f"limits.{key}"][0] for key in above if f"limits.{key}" in PROXY_DEFAULTS)
            its = name == PROXY and named
            lower = f"name less in the annotations {named} of its pods" if its else "lower the other"
            yield Violation(
                workload,
                f"has {name} with {asked}, above the {_and(most[resource] for resource in above)} of {limit_range} in "
                f"its namespace: raise the one or {lower}",
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
    what_runs_keeps_to_the_limit_range,
    quotas_find_what_they_count,
)
