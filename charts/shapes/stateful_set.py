"""Pods that each have a name and volumes of their own."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from cdk8s_plus_27 import k8s

from charts.shapes import exemptions
from charts.shapes.app import App
from charts.shapes.deployment import disruption_budget
from charts.shapes.exemptions import Exemption, as_annotations
from charts.shapes.pod import Pod
from charts.shapes.replicas import MOST
from charts.shapes.workload import Workload
from synth.forms import formed, named, within
from synth.names import SERVICE_LABEL

# Its pods carry their StatefulSet's revision, its name and a hash, in a label of 63 characters.
SetName = Annotated[str, named(SERVICE_LABEL, "lower case letters, digits and -, a letter first", 52)]
SetSize = Annotated[int, within(range(1, MOST + 1), f"is no number of pods: 1 to {MOST} are")]


@formed
class StatefulSet(Workload):
    """`replicas` pods, started and replaced one after the other, with a headless Service of the same name.

    What a container mounts as an `OwnVolume` is each pod's own; what is on it stays when the pod or the StatefulSet
    goes. Pods are reached by their names, `NAME-0.NAME`, and together by `NAME`, by workloads that `calls` it.
    `stateful_set` is the object itself, for what no shape offers.

    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/

    Raises:
        ValueError: it has no port, or several pods would mount a volume that one node alone can.
    """

    revision_label: ClassVar[str] = "controller-revision-hash"

    def __init__(self, app: App, name: SetName, *, pod: Pod, replicas: SetSize = 1) -> None:
        if not pod.ports:
            raise ValueError(f"{name} has no port, which its headless Service must have: give its container one")
        if replicas > 1 and (own := [volume.name for volume in pod.claims if not volume.shared]):
            raise ValueError(
                f"{name} cannot have {replicas} replicas: one node alone can mount volume {own[0]}: use OwnVolume, of "
                "which each pod has one"
            )
        self._several = replicas > 1
        super().__init__(app, name, pod, count=replicas)
        for volume in pod.own_volumes:
            app.storage.append((replicas, volume.claim.size))
        self.stateful_set = k8s.KubeStatefulSet(
            app,
            f"stateful-set-{name}",
            metadata=self.metadata(as_annotations(self.exemptions())),
            spec=k8s.StatefulSetSpec(
                replicas=replicas,
                revision_history_limit=3,
                service_name=name,
                selector=k8s.LabelSelector(match_labels=self.labels),
                template=self.template(spread=self._several),
                volume_claim_templates=[volume.template() for volume in pod.own_volumes] or None,
            ),
        )
        if self._several:
            self.drain("StatefulSet")
        self.disruption_budget = k8s.KubePodDisruptionBudget(
            app, f"disruption-budget-{name}", metadata=self.metadata(), spec=disruption_budget(self.labels)
        )
        self.service = k8s.KubeService(
            app,
            f"service-{name}",
            metadata=self.metadata(),
            spec=k8s.ServiceSpec(cluster_ip="None", selector=self.labels, ports=self.service_ports()),
        )

    def exemptions(self) -> Iterator[Exemption]:
        if self._several:
            yield exemptions.SPREAD_SET
        yield from super().exemptions()
