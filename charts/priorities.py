"""Which apps run when a cluster is full, and which ones make room."""

from enum import StrEnum

from cdk8s import Chart
from cdk8s_plus_27 import k8s
from constructs import Construct


class Priority(StrEnum):
    """The PriorityClasses of the apps; neither takes the place of what the apps need, the gateway or istiod."""

    ESSENTIAL = "essential"
    ORDINARY = "ordinary"


VALUES = {Priority.ESSENTIAL: 0, Priority.ORDINARY: -1}
"""At most 0, which pods have that name no class, as those of the ingress gateway, istiod and cert-manager do not.

And not below -10, where a cluster's autoscaler would make no room for them.

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
