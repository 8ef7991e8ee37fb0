"""The resources of Kubernetes' own API groups, as rules for rights name them: `kubectl api-resources`."""

import re

NAMESPACED: dict[str, frozenset[str]] = {
    group: frozenset(names.split())
    for group, names in {
        "": "bindings configmaps endpoints events limitranges persistentvolumeclaims pods podtemplates "
        "replicationcontrollers resourcequotas secrets serviceaccounts services",
        "apps": "controllerrevisions daemonsets deployments replicasets statefulsets",
        "authorization.k8s.io": "localsubjectaccessreviews",
        "autoscaling": "horizontalpodautoscalers",
        "batch": "cronjobs jobs",
        "coordination.k8s.io": "leases",
        "discovery.k8s.io": "endpointslices",
        "events.k8s.io": "events",
        "metrics.k8s.io": "pods",
        "networking.k8s.io": "ingresses networkpolicies",
        "policy": "poddisruptionbudgets",
        "rbac.authorization.k8s.io": "rolebindings roles",
        "resource.k8s.io": "resourceclaims resourceclaimtemplates",
        "storage.k8s.io": "csistoragecapacities",
    }.items()
}
OF_NO_NAMESPACE: dict[str, frozenset[str]] = {
    group: frozenset(names.split())
    for group, names in {
        "": "componentstatuses namespaces nodes persistentvolumes users groups",
        "admissionregistration.k8s.io": "mutatingwebhookconfigurations validatingadmissionpolicies "
        "validatingadmissionpolicybindings validatingwebhookconfigurations",
        "apiextensions.k8s.io": "customresourcedefinitions",
        "apiregistration.k8s.io": "apiservices",
        "authentication.k8s.io": "selfsubjectreviews tokenreviews uids userextras",
        "authorization.k8s.io": "selfsubjectaccessreviews selfsubjectrulesreviews subjectaccessreviews",
        "certificates.k8s.io": "certificatesigningrequests clustertrustbundles signers",
        "flowcontrol.apiserver.k8s.io": "flowschemas prioritylevelconfigurations",
        "metrics.k8s.io": "nodes",
        "networking.k8s.io": "ingressclasses ipaddresses servicecidrs",
        "node.k8s.io": "runtimeclasses",
        "rbac.authorization.k8s.io": "clusterrolebindings clusterroles",
        "resource.k8s.io": "deviceclasses resourceslices",
        "scheduling.k8s.io": "priorityclasses",
        "storage.k8s.io": "csidrivers csinodes storageclasses volumeattachments volumeattributesclasses",
    }.items()
}
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
"""What the API server lets somebody do: https://kubernetes.io/docs/reference/access-authn-authz/authorization/"""
SPECIAL_VERBS = ("use", "bind", "escalate", "impersonate", "approve", "sign", "attest")
VERSION = re.compile(r"v[0-9]+((alpha|beta)[0-9]+)?")


def resource_of(kind: str) -> str:
    """The resource of a kind, as the API server's addresses and rules for rights name it.

    The plural as Kubernetes makes it where nothing else is said: UnsafeGuessKindToResource in
    https://github.com/kubernetes/apimachinery pkg/api/meta.
    """
    name = kind.lower()
    if name.endswith("s"):
        return f"{name}es"
    return f"{name[:-1]}ies" if name.endswith("y") and name[-2] not in "aeiou" else f"{name}s"


def problem_of_kind(group: str, version: str, kind: str) -> str | None:
    """What is wrong with a kind of Kubernetes' own groups as the end of a sentence; nothing of any other group.

    https://kubernetes.io/docs/reference/using-api/deprecation-guide/ has what is gone.
    """
    names = {*NAMESPACED.get(group, ()), *OF_NO_NAMESPACE.get(group, ())}
    if not names:
        return None
    if resource_of(kind) not in names:
        import difflib

        near = difflib.get_close_matches(resource_of(kind), names, 1)
        of = f"of group {group or repr(group)}"
        return f"is of no kind that there is {of}" + (f": did you mean that of {near[0]}?" if near else "")
    if version not in (served := SERVED.get(group, ("v1",))):
        written = "/".join(filter(None, (group, served[-1])))
        return f"is of version {version} of group {group or repr(group)}, which is not served: write {written}"
    return None


SERVED = {"autoscaling": ("v1", "v2"), "metrics.k8s.io": ("v1beta1",)}
"""The versions of the groups that are served by more than `v1`, or by another one, where nobody turns on more."""


def problem_of_group(group: str) -> str | None:
    """What is wrong with the name of an API group as the end of a sentence, where it is known not to be one."""
    name, slash, version = group.partition("/")
    if slash:
        return f"is a group with its version, {version}: write {name!r}"
    if group == "core" or VERSION.fullmatch(group):
        return "is no group: that of Pods, ConfigMaps and Secrets is called '', nothing at all"
    return None


def problem_of_resource(resource: str, groups: list[str], *, in_namespace: bool) -> str | None:
    """What is wrong with a resource of these groups, where Kubernetes' own groups are the only ones."""
    name = resource.partition("/")[0]
    own = [group for group in groups if group in NAMESPACED or group in OF_NO_NAMESPACE]
    if name == "*" or len(own) < len(groups):
        return None
    if any(name in NAMESPACED.get(group, ()) for group in groups):
        return None
    shown = ", ".join(group or "''" for group in groups)
    if any(name in OF_NO_NAMESPACE.get(group, ()) for group in groups):
        return "is of no namespace, so that a Role cannot give it: use a ClusterRole" if in_namespace else None
    every = {**OF_NO_NAMESPACE, **NAMESPACED}
    elsewhere = [group or "''" for group, names in every.items() if name in names]
    if elsewhere:
        return f"is not of group {shown}: it is of {' or '.join(elsewhere)}"
    import difflib

    known = sorted({name for group in groups for name in (*NAMESPACED.get(group, ()), *OF_NO_NAMESPACE.get(group, ()))})
    near = difflib.get_close_matches(name.lower(), known, n=1)
    right = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return f"is no resource of group {shown}: {right}"
