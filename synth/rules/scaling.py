"""Rules for how many pods run: replicas, autoscalers, disruption budgets, and the nodes that pods are spread over."""

from collections.abc import Iterator

from synth.cluster import Cluster, Rule, Violation, shown
from synth.manifest import Document
from synth.mesh import ends
from synth.pods import SERVING, pod_spec, selected_labels
from synth.scale import autoscaler, scale, share
from synth.tree import Object


def somebody_says_how_many(cluster: Cluster) -> Iterator[Violation]:
    """Without a number Kubernetes makes one pod, and a number that somebody sets by hand stays."""
    for item in cluster.workloads:
        if item.kind in ("Deployment", "StatefulSet") and "replicas" not in item.spec and not autoscaler(cluster, item):
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
        own = target.document["apiVersion"]
        if (version := reference.get("apiVersion")) != own:
            yield Violation(
                item,
                f"scales a {kind} of {version or 'no apiVersion'}, which there is none of, so that it never scales: "
                f"write apiVersion {own} in its scaleTargetRef",
            )
        if "replicas" in target.spec:
            yield Violation(
                target,
                f"sets replicas {target.spec['replicas']}, and {item} sets it too: leave it out, or Flux and the "
                "autoscaler undo each other's number",
            )
        for problem in _problems_of_autoscaler(cluster, item):
            yield Violation(item, problem)
        names = [container["name"] for container in pod_spec(target.document).get("containers", [])]
        for metric in item.spec.get("metrics", []):
            container = (metric.get("containerResource") or {}).get("container")
            if container is not None and container not in names:
                yield Violation(
                    item, f"measures container {container}, but the pods of {target} have {', '.join(names)}"
                )


def _problems_of_autoscaler(cluster: Cluster, autoscaler: Object) -> Iterator[str]:
    """https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/."""
    for direction, never in (("scaleUp", "adds a pod"), ("scaleDown", "takes a pod away again")):
        behavior = (autoscaler.spec.get("behavior") or {}).get(direction) or {}
        if behavior.get("selectPolicy") == "Disabled":
            yield (
                f"never {never}, by the selectPolicy Disabled of its {direction}: leave it out, or make it slower with "
                "policies"
            )
        if behavior.get("stabilizationWindowSeconds", 0) > LONGEST_LOOK:
            yield (
                f"looks back {behavior['stabilizationWindowSeconds']} seconds before it decides on a {direction}: "
                f"Kubernetes takes {LONGEST_LOOK} at most"
            )
    for metric in autoscaler.spec.get("metrics") or []:
        measured = next((metric[field].get("name", "cpu") for field in OF_METRICS_SERVER if metric.get(field)), "cpu")
        if measured not in ("cpu", "memory"):
            yield f"measures {measured} of its pods, and metrics-server knows cpu and memory alone: name one of these"
        group = SERVED_BY.get(str(metric.get("type")))
        if group and not any(name.endswith(f".{group}") for name in cluster.known("APIService", "")):
            yield (
                f"measures by a metric of type {metric['type']}, which {group} answers for, and nobody in the cluster "
                "serves that: measure Resource or ContainerResource"
            )


LONGEST_LOOK = 3600
OF_METRICS_SERVER = ("resource", "containerResource")
SERVED_BY = {
    "Pods": "custom.metrics.k8s.io",
    "Object": "custom.metrics.k8s.io",
    "External": "external.metrics.k8s.io",
}
"""Who answers for metrics beyond those of metrics-server, as the name of its APIService ends."""


def rollouts_leave_some_pods(cluster: Cluster) -> Iterator[Violation]:
    """A rollout that may end all pods at once is an outage each time, of what a Service leads to."""
    for item in cluster.of("Deployment"):
        strategy = item.spec.get("strategy") or {}
        given = (strategy.get("rollingUpdate") or {}).get("maxUnavailable")
        least, _ = scale(cluster, item)
        if strategy.get("type") == "Recreate" or not given or least < 1:
            continue
        # Kubernetes rounds this one down.
        gone = least * int(given.rstrip("%")) // 100 if isinstance(given, str) else given
        if gone >= least and any(
            item in cluster.selected(item.namespace, selector)
            for service in cluster.within(item.namespace, "Service")
            if (selector := service.spec.get("selector"))
        ):
            yield Violation(
                item,
                f"lets a rollout end all of its {least} pods before others "
                f"serve, by maxUnavailable {given}: write maxUnavailable 0 and maxSurge 1",
            )


def budgets_fit_their_pods(cluster: Cluster) -> Iterator[Violation]:
    """Several pods have a budget, and it lets one of them go at a time, so that a node can be drained."""
    covered: dict[int, Object] = {}
    for item in cluster.of("PodDisruptionBudget"):
        labels = selected_labels(item.spec.get("selector"))
        targets = cluster.selected(item.namespace, labels)
        if both := [field for field in ("minAvailable", "maxUnavailable") if field in item.spec][1:]:
            yield Violation(item, f"has minAvailable and {both[0]}: Kubernetes takes one, keep maxUnavailable")
        if not targets:
            yield Violation(
                item,
                f"is for pods with {shown(labels)} in namespace {item.namespace}, but there are none: use the labels "
                "of a workload",
            )
        for target in targets:
            least, _ = scale(cluster, target)
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
        if item.kind in SERVING and scale(cluster, item)[1] > 1 and id(item) not in covered:
            yield Violation(item, "has several pods and no PodDisruptionBudget: a drain could take all of them at once")


def _may_go(budget: Document, pods: int) -> int:
    """How many pods a budget lets go at once, of so many.

    https://kubernetes.io/docs/tasks/run-application/configure-pdb/
    """
    if "maxUnavailable" in budget:
        return share(budget["maxUnavailable"], pods)
    return pods - share(budget.get("minAvailable", 0), pods)


def several_pods_are_spread(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.workloads:
        pod = pod_spec(item.document)
        if item.kind not in ("Deployment", "StatefulSet") or scale(cluster, item)[1] < 2:  # noqa: PLR2004, several
            continue
        if not pod.get("topologySpreadConstraints") and not (pod.get("affinity") or {}).get("podAntiAffinity"):
            yield Violation(
                item, "has several pods and no topologySpreadConstraints: one node could have them all, spread them"
            )


def routes_lead_to_pods(cluster: Cluster) -> Iterator[Violation]:
    """Who asks for a host whose workload has no pods gets 503, as long as Git says so."""
    told: set[int] = set()
    for route in cluster.of("VirtualService"):
        for workload, _ in ends(cluster, route):
            if scale(cluster, workload)[1] == 0 and id(workload) not in told:
                told.add(id(workload))
                yield Violation(
                    workload,
                    f"has 0 replicas, and {route} leads to it: run one, or take the app out of the environment",
                )


RULES: tuple[Rule, ...] = (
    somebody_says_how_many,
    autoscalers_are_in_charge,
    rollouts_leave_some_pods,
    budgets_fit_their_pods,
    several_pods_are_spread,
    routes_lead_to_pods,
)
