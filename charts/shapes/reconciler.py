"""What Flux may do for an app, and so which of its objects are the app's and which the platform's."""

from collections.abc import Mapping, Sequence

from cdk8s_plus_27 import k8s
from constructs import Construct

from facts.provided import FLUX_SYSTEM, KEEP
from synth.api_resources import resource_of

NAME = "reconciler"
KINDS = {
    "": ("ConfigMap", "PersistentVolumeClaim", "Secret", "Service", "ServiceAccount"),
    "apps": ("DaemonSet", "Deployment", "StatefulSet"),
    "autoscaling": ("HorizontalPodAutoscaler",),
    "batch": ("CronJob", "Job"),
    "policy": ("PodDisruptionBudget",),
}
"""The kinds that an app's own account applies, by their group: what runs, and what that needs to run.

What says how much may run, who reaches whom and who may do what is applied as the platform.
"""
RECONCILED = frozenset(kind for kinds in KINDS.values() for kind in kinds)

# Flux reads, applies and prunes; a change of what cannot be changed is a deletion and a creation.
VERBS = ("get", "list", "watch", "create", "patch", "delete")
# What it looks at to know whether a workload is well: https://github.com/fluxcd/cli-utils, its status readers.
LOOKED_AT = {"": ("pods",), "apps": ("replicasets",)}


def allow(scope: Construct, app: str, labels: Mapping[str, str]) -> None:
    """Let the account by which Flux applies an app do so in the app's namespace, which has the app's name.

    Both objects outlast the app's place in Git, as its namespace does: with them Flux takes away what ran there.
    """
    metadata = k8s.ObjectMeta(name=NAME, namespace=app, labels=dict(labels), annotations=KEEP)
    rules = [
        *(_rule(group, list(map(resource_of, kinds)), VERBS) for group, kinds in KINDS.items()),
        *(_rule(group, resources, ("get", "list", "watch")) for group, resources in LOOKED_AT.items()),
    ]
    k8s.KubeRole(scope, "reconciler", metadata=metadata, rules=rules)
    k8s.KubeRoleBinding(
        scope,
        "reconciler-binding",
        metadata=metadata,
        role_ref=k8s.RoleRef(api_group="rbac.authorization.k8s.io", kind="Role", name=NAME),
        subjects=[k8s.Subject(kind="ServiceAccount", name=app, namespace=FLUX_SYSTEM.name)],
    )


def _rule(group: str, resources: Sequence[str], verbs: Sequence[str]) -> k8s.PolicyRule:
    return k8s.PolicyRule(api_groups=[group], resources=list(resources), verbs=list(verbs))
