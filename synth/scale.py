"""How many pods a workload has: its autoscaler, its replicas, and what a rollout adds."""

import math

from synth.cluster import Cluster
from synth.pods import job_spec
from synth.tree import Object


def autoscaler(cluster: Cluster, workload: Object) -> Object | None:
    """The HorizontalPodAutoscaler of a workload."""
    for item in cluster.within(workload.namespace, "HorizontalPodAutoscaler"):
        target = item.spec.get("scaleTargetRef") or {}
        if (target.get("kind"), target.get("name")) == (workload.kind, workload.name):
            return item
    return None


def scale(cluster: Cluster, workload: Object) -> tuple[int, int]:
    """The fewest and the most pods of a workload, without those that a rollout adds."""
    if found := autoscaler(cluster, workload):
        least: int = found.spec.get("minReplicas", 1)
        return least, found.spec.get("maxReplicas", least)
    match workload.kind:
        case "Job" | "CronJob":
            count = job_spec(workload.document).get("parallelism", 1)
        case _:
            count = workload.spec.get("replicas", 1)
    return count, count


def surge(cluster: Cluster, workload: Object) -> int:
    """How many pods a rollout has beyond the wanted ones."""
    strategy = workload.spec.get("strategy") or {}
    if workload.kind != "Deployment" or strategy.get("type") == "Recreate":
        return 0
    extra = (strategy.get("rollingUpdate") or {}).get("maxSurge", "25%")
    return share(extra, scale(cluster, workload)[1])


def share(value: int | str, pods: int) -> int:
    """A number of pods, or a percentage of them rounded up, as Kubernetes takes both."""
    return math.ceil(pods * int(value.rstrip("%")) / 100) if isinstance(value, str) else value
