"""Which apps run when a cluster is full, and which ones make room."""

from cdk8s import Chart
from cdk8s_plus_27 import k8s
from constructs import Construct

from charts.shapes.pod import Priority

VALUES = {Priority.ESSENTIAL: 0, Priority.ORDINARY: -1}
"""Between -10 and 0. Pods without a class have 0, those of the gateway, istiod and cert-manager too, and apps must not
take their place; below -10 a cluster's autoscaler adds no node for a pod.

https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
"""

DESCRIPTIONS = {
    Priority.ESSENTIAL: "What people work with: ordinary apps make room for it.",
    Priority.ORDINARY: "What can wait until the cluster has room again.",
}


class Priorities(Chart):
    """PriorityClasses `essential` and `ordinary`."""

    def __init__(self, scope: Construct) -> None:
        super().__init__(scope, "priorities")
        for priority in Priority:
            k8s.KubePriorityClass(
                self,
                priority.value,
                metadata=k8s.ObjectMeta(name=priority.value),
                value=VALUES[priority],
                description=DESCRIPTIONS[priority],
            )
