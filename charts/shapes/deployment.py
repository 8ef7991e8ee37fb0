"""A Deployment with its disruption budget and autoscaler, as a web app and a worker have it."""

from collections.abc import Iterator
from functools import cache

from cdk8s_plus_27 import k8s

from charts.shapes import exemptions
from charts.shapes.app import App
from charts.shapes.exemptions import Exemption, as_annotations
from charts.shapes.pod import Pod
from charts.shapes.replicas import Replicas
from charts.shapes.typed import int_or_string
from charts.shapes.workload import Workload
from synth.rules.times import PROGRESS

ROLLOUT_SECONDS = 120
"""What a pod needs beside its start until it is ready: a node, the image, the sidecar."""


class DeploymentWorkload(Workload):
    """Pods that are all alike and run until they are replaced.

    One pod alone has a rollout that ends it before the new one starts, if it has a volume or keeps `local_state`, and a
    budget that lets a node drain: a short outage that nobody can avoid, instead of a drain that never ends. Several
    are spread over zones and nodes, and autoscaled where `replicas` is a range. `deployment` is the object itself, for
    what no shape offers: `deployment.add_json_patch(...)`.

    Raises:
        ValueError: several replicas would not see the same.
    """

    def __init__(
        self,
        app: App,
        name: str,
        pod: Pod,
        *,
        replicas: Replicas,
        local_state: bool,
        behind_gateway: bool = False,
    ) -> None:
        self.replicas = replicas
        self._local_state = local_state
        for volume in pod.claims:
            if replicas.several and not volume.shared:
                raise ValueError(
                    f"{name} cannot have {replicas} replicas: its volume {volume.name} is {volume.claim.access_mode}, "
                    "which one node alone can mount: declare it shared, on a storage class that can, or leave it at 1"
                )
        if replicas.several and local_state:
            raise ValueError(
                f"{name} cannot have {replicas} replicas: it keeps state in its process, which the other pods would "
                "not see: move that state out of the process, or leave it at 1"
            )
        for own in pod.own_volumes:
            raise ValueError(
                f"{name} mounts {own.name}, a volume of each pod's own, which only a StatefulSet has: use Volume"
            )
        super().__init__(app, name, pod, count=replicas.maximum, behind_gateway=behind_gateway)
        several = replicas.several
        self.deployment = k8s.KubeDeployment(
            app,
            f"deployment-{name}",
            metadata=self.metadata(as_annotations(self.exemptions())),
            spec=k8s.DeploymentSpec(
                # Where there is an autoscaler the number is its own: Flux would set it back at each interval.
                replicas=None if replicas.autoscaled else replicas.minimum,
                revision_history_limit=3,
                progress_deadline_seconds=_progress_deadline(pod),
                selector=k8s.LabelSelector(match_labels=self.labels),
                strategy=_one_at_a_time() if local_state or self.alone else _no_gap(),
                template=self.template(spread=several),
            ),
        )
        # Where the new pod waits for the old one, nobody else could serve meanwhile.
        if not (local_state or self.alone):
            self.drain("Deployment")
        self.disruption_budget = k8s.KubePodDisruptionBudget(
            app, f"disruption-budget-{name}", metadata=self.metadata(), spec=disruption_budget(self.labels)
        )
        if replicas.autoscaled:
            self._define_autoscaler()

    def exemptions(self) -> Iterator[Exemption]:
        yield exemptions.SPREAD if self.replicas.several else exemptions.ONE_POD
        if self._local_state or self.alone:
            yield exemptions.ONE_AT_A_TIME
        yield from super().exemptions()

    def _define_autoscaler(self) -> None:
        k8s.KubeHorizontalPodAutoscalerV2(
            self.app,
            f"autoscaler-{self.name}",
            metadata=self.metadata(),
            spec=k8s.HorizontalPodAutoscalerSpecV2(
                scale_target_ref=k8s.CrossVersionObjectReferenceV2(
                    api_version="apps/v1", kind="Deployment", name=self.name
                ),
                min_replicas=self.replicas.minimum,
                max_replicas=self.replicas.maximum,
                metrics=[self._utilization("cpu", 70), self._utilization("memory", 80)],
                # Five minutes of less before a pod goes, and then one a minute.
                behavior=k8s.HorizontalPodAutoscalerBehaviorV2(
                    scale_down=k8s.HpaScalingRulesV2(
                        stabilization_window_seconds=300,
                        policies=[k8s.HpaScalingPolicyV2(type="Pods", value=1, period_seconds=60)],
                    )
                ),
            ),
        )

    def _utilization(self, resource: str, per_cent: int) -> k8s.MetricSpecV2:
        """A share of what the first container requests; the sidecar's use would blur it."""
        return k8s.MetricSpecV2(
            type="ContainerResource",
            container_resource=k8s.ContainerResourceMetricSourceV2(
                container=self.pod.containers[0].name,
                name=resource,
                target=k8s.MetricTargetV2(type="Utilization", average_utilization=per_cent),
            ),
        )


def _progress_deadline(pod: Pod) -> int | None:
    """More than Kubernetes' own ten minutes where a start may take that long."""
    longest = max(container.health.start_seconds for container in pod.containers)
    return longest + ROLLOUT_SECONDS if longest + ROLLOUT_SECONDS > PROGRESS else None


def disruption_budget(labels: dict[str, str]) -> k8s.PodDisruptionBudgetSpec:
    return k8s.PodDisruptionBudgetSpec(
        max_unavailable=int_or_string(1),
        selector=k8s.LabelSelector(match_labels=labels),
        unhealthy_pod_eviction_policy="AlwaysAllow",
    )


@cache
def _one_at_a_time() -> k8s.DeploymentStrategy:
    return k8s.DeploymentStrategy(type="Recreate")


@cache
def _no_gap() -> k8s.DeploymentStrategy:
    return k8s.DeploymentStrategy(
        type="RollingUpdate",
        rolling_update=k8s.RollingUpdateDeployment(max_surge=int_or_string(1), max_unavailable=int_or_string(0)),
    )
