"""Rules for how much runs: replicas, autoscalers, disruption budgets, quotas and limits."""

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal

from synth.cluster import Cluster, Rule, Violation, references, shown
from synth.manifest import Document
from synth.pods import SERVING, containers, pod_spec
from synth.quantity import as_quantity, quantity
from synth.takes import amount_of, pod_takes, proxy_takes
from synth.tree import Object


def volumes_have_one_pod(cluster: Cluster) -> Iterator[Violation]:
    """A ReadWriteOnce volume is for one pod at a time, during a rollout too."""
    for item in cluster.of("Deployment"):
        for kind, name in dict.fromkeys(references(item.document)):
            claim = cluster.find(kind, item.namespace, name)
            if kind != "PersistentVolumeClaim" or not isinstance(claim, Object):
                continue
            if {"ReadWriteMany", "ReadOnlyMany"} & set(claim.spec.get("accessModes", [])):
                continue
            _, most = _scale(cluster, item)
            if most > 1:
                yield Violation(
                    item,
                    f"has {most} replicas on {claim}, which one node alone can mount: "
                    "run 1 replica, or declare the volume ReadWriteMany",
                )
            if (item.spec.get("strategy") or {}).get("type") != "Recreate":
                yield Violation(
                    item,
                    f"rolls out with two pods on {claim} for a while: set strategy Recreate, "
                    "or declare the volume ReadWriteMany",
                )


def _autoscaler(cluster: Cluster, workload: Object) -> Object | None:
    for item in cluster.within(workload.namespace, "HorizontalPodAutoscaler"):
        target = item.spec.get("scaleTargetRef") or {}
        if (target.get("kind"), target.get("name")) == (workload.kind, workload.name):
            return item
    return None


def _scale(cluster: Cluster, workload: Object) -> tuple[int, int]:
    """The fewest and the most pods of a workload, a rollout's extra ones left out."""
    if autoscaler := _autoscaler(cluster, workload):
        least: int = autoscaler.spec.get("minReplicas", 1)
        return least, autoscaler.spec.get("maxReplicas", least)
    match workload.kind:
        case "Job":
            count = workload.spec.get("parallelism", 1)
        case "CronJob":
            count = ((workload.spec.get("jobTemplate") or {}).get("spec") or {}).get("parallelism", 1)
        case _:
            count = workload.spec.get("replicas", 1)
    return count, count


def somebody_says_how_many(cluster: Cluster) -> Iterator[Violation]:
    """Without a number, one pod is made and whatever somebody sets by hand stays."""
    for item in cluster.workloads:
        if (
            item.kind in ("Deployment", "StatefulSet")
            and "replicas" not in item.spec
            and not _autoscaler(cluster, item)
        ):
            yield Violation(item, "has no replicas and no autoscaler: say how many pods it has")


def autoscalers_are_in_charge(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("HorizontalPodAutoscaler"):
        reference = item.spec.get("scaleTargetRef") or {}
        kind, name = reference.get("kind", ""), reference.get("name", "")
        target = cluster.find(kind, item.namespace, name)
        least = item.spec.get("minReplicas", 1)
        most = item.spec.get("maxReplicas", least)
        if least > most:
            yield Violation(item, f"has minReplicas {least} above maxReplicas {most}: swap or change them")
        if not isinstance(target, Object):
            yield Violation(
                item,
                f"scales {kind} {name}, which does not exist in namespace {item.namespace}; "
                f"there are {cluster.names(kind, item.namespace)}",
            )
            continue
        if "replicas" in target.spec:
            yield Violation(
                target,
                f"sets replicas {target.spec['replicas']}, and {item} sets it too: leave it out, or Flux and the "
                "autoscaler undo each other's number",
            )
        names = [container["name"] for container in pod_spec(target.document).get("containers", [])]
        for metric in item.spec.get("metrics", []):
            container = (metric.get("containerResource") or {}).get("container")
            if container is not None and container not in names:
                yield Violation(
                    item, f"measures container {container}, but the pods of {target} have {', '.join(names)}"
                )


def budgets_fit_their_pods(cluster: Cluster) -> Iterator[Violation]:
    """A budget exists where several pods run, belongs to pods, and lets one of them go: a node must be drainable."""
    covered: dict[int, Object] = {}
    for item in cluster.of("PodDisruptionBudget"):
        labels = (item.spec.get("selector") or {}).get("matchLabels") or {}
        targets = cluster.selected(item.namespace, labels)
        if not targets:
            yield Violation(
                item,
                f"is for pods with {shown(labels)} in namespace {item.namespace}, but there are none: use the labels "
                "of a workload",
            )
        for target in targets:
            least, _ = _scale(cluster, target)
            if least > 0 and _may_go(item.spec, least) < 1:
                yield Violation(
                    item,
                    f"lets no pod of {target} go while it has {least}, so that its node can never be drained: set "
                    "maxUnavailable to 1",
                )
            other = covered.setdefault(id(target), item)
            if other is not item:
                yield Violation(
                    item, f"is for the pods of {target}, as {other} is: Kubernetes would evict none of them"
                )
    for item in cluster.workloads:
        if item.kind in SERVING and _scale(cluster, item)[1] > 1 and id(item) not in covered:
            yield Violation(item, "has several pods and no PodDisruptionBudget: a drain could take all of them at once")


def _may_go(budget: Document, pods: int) -> int:
    """How many of so many pods a budget lets go at once.

    https://kubernetes.io/docs/tasks/run-application/configure-pdb/
    """
    if "maxUnavailable" in budget:
        return _share(budget["maxUnavailable"], pods)
    return pods - _share(budget.get("minAvailable", 0), pods)


def _share(value: int | str, pods: int) -> int:
    """A number of pods, or a percentage of them rounded up, as Kubernetes takes both."""
    return math.ceil(pods * int(value.rstrip("%")) / 100) if isinstance(value, str) else value


def several_pods_are_spread(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.workloads:
        pod = pod_spec(item.document)
        if item.kind not in ("Deployment", "StatefulSet") or _scale(cluster, item)[1] < 2:  # noqa: PLR2004, several
            continue
        if not pod.get("topologySpreadConstraints") and not (pod.get("affinity") or {}).get("podAntiAffinity"):
            yield Violation(
                item, "has several pods and no topologySpreadConstraints: one node could have them all, spread them"
            )


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
    """What runs in a namespace at full scale takes, by the names a quota has for it."""
    needed: dict[str, Decimal] = {"pods": Decimal(0)}

    def add(resource: str, amount: Decimal) -> None:
        needed[resource] = needed.get(resource, Decimal(0)) + amount

    for item in cluster.selected(namespace, {}):
        if item.kind == "DaemonSet":
            continue
        pods = _scale(cluster, item)[1] + _surge(cluster, item)
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


def _surge(cluster: Cluster, workload: Object) -> int:
    """How many pods a rollout has beyond the wanted ones."""
    strategy = workload.spec.get("strategy") or {}
    if workload.kind != "Deployment" or strategy.get("type") == "Recreate":
        return 0
    surge = (strategy.get("rollingUpdate") or {}).get("maxSurge", "25%")
    return _share(surge, _scale(cluster, workload)[1])


def containers_keep_to_the_limit_range(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("LimitRange"):
        for limit in item.spec.get("limits", []):
            if limit["type"] == "Container":
                for workload in cluster.selected(item.namespace, {}):
                    yield from _above(cluster, item, limit.get("max") or {}, workload)


def quotas_find_what_they_count(cluster: Cluster) -> Iterator[Violation]:
    """A quota refuses a pod in which a container does not say how much it takes of what the quota is for.

    Istio's proxy says so for CPU and memory; for the rest a LimitRange says it.
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
                    "its namespace: raise that or lower this",
                )


RULES: tuple[Rule, ...] = (
    volumes_have_one_pod,
    somebody_says_how_many,
    autoscalers_are_in_charge,
    budgets_fit_their_pods,
    several_pods_are_spread,
    quotas_fit_at_full_scale,
    containers_keep_to_the_limit_range,
    quotas_find_what_they_count,
)
