"""Rules for rights: each is given to somebody who exists, and none gives the cluster away."""

from collections.abc import Iterator

from synth.api_resources import NAMESPACED, OF_NO_NAMESPACE, SPECIAL_VERBS, VERBS, problem_of_group, problem_of_resource
from synth.cluster import IN_EVERY_NAMESPACE, Cluster, Rule, Violation
from synth.manifest import Document
from synth.tree import Object

# What every cluster has: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles
BUILT_IN = frozenset({"cluster-admin", "admin", "edit", "view"})
# With one of these somebody can give himself all others:
# https://kubernetes.io/docs/concepts/security/rbac-good-practices/#privilege-escalation-risks
ESCALATING = {
    ("escalate", "roles"): "change roles beyond its own rights",
    ("escalate", "clusterroles"): "change roles beyond its own rights",
    ("bind", "roles"): "give roles that it does not have",
    ("bind", "clusterroles"): "give roles that it does not have",
    ("impersonate", "users"): "act as anybody",
    ("impersonate", "groups"): "act as anybody",
    ("impersonate", "serviceaccounts"): "act as any account",
    ("create", "serviceaccounts/token"): "get the token of any account",
    ("create", "nodes/proxy"): "run commands in every pod",
    ("get", "nodes/proxy"): "run commands in every pod",
    ("create", "pods/exec"): "run commands in every pod",
    ("get", "pods/exec"): "run commands in every pod",
}
SECRETS = {("get", "secrets"), ("list", "secrets"), ("watch", "secrets")}
# What in every namespace, or outside of them, is as good as the whole cluster.
OF_THE_CLUSTER = {
    **{
        ("create", workload): "run as any account on any node"
        for workload in ("pods", "deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "cronjobs")
    },
    ("create", "persistentvolumes"): "mount any folder of any node",
    **{
        (verb, "services/status"): "take over what is sent to any address"  # CVE-2020-8554
        for verb in ("update", "patch")
    },
    **{
        (verb, webhook): "see and change what everybody sends to the API server"
        for verb in ("create", "update", "patch")
        for webhook in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
    },
    ("update", "certificatesigningrequests/approval"): "make itself a certificate for anybody",
    ("patch", "certificatesigningrequests/approval"): "make itself a certificate for anybody",
}
EVERYBODY = {
    "system:unauthenticated": "everybody",
    "system:anonymous": "everybody",
    "system:authenticated": "everybody with an account",
    "system:serviceaccounts": "every pod with an account",
    "system:masters": "whoever may do everything already",
}


def bindings_find_whom_they_name(cluster: Cluster) -> Iterator[Violation]:
    for item in (*cluster.of("RoleBinding"), *cluster.of("ClusterRoleBinding")):
        role = item.document.get("roleRef") or {}
        kind, name = role.get("kind", ""), role.get("name", "")
        namespace = item.namespace if kind == "Role" else ""
        known = kind == "ClusterRole" and (name in BUILT_IN or name.startswith("system:"))
        if not known and not cluster.find(kind, namespace, name):
            where = f" in namespace {namespace}" if namespace else ""
            yield Violation(item, f"gives {kind} {name}{where}, {cluster.unknown(kind, namespace)}")
        subjects = item.document.get("subjects") or []
        if not subjects:
            yield Violation(item, f"gives {kind} {name} to nobody: name a ServiceAccount in subjects")
        for subject in subjects:
            if subject.get("kind") == "ServiceAccount":
                yield from _account_exists(cluster, item, subject)
            elif subject.get("kind") not in ("User", "Group"):
                yield Violation(
                    item,
                    f"gives rights to a {subject.get('kind')}, {subject.get('name')}: ServiceAccount, User and Group "
                    "can have them",
                )


def _account_exists(cluster: Cluster, binding: Object, subject: Document) -> Iterator[Violation]:
    name, namespace = subject.get("name", ""), subject.get("namespace", "")
    if not namespace:
        yield Violation(binding, f"names ServiceAccount {name} without its namespace: add it to the subject")
    elif subject.get("apiGroup"):
        yield Violation(
            binding, f"names ServiceAccount {name} with the group {subject['apiGroup']}, which it has not: leave it out"
        )
    elif name == "default":
        yield Violation(
            binding,
            f"gives rights to ServiceAccount default of namespace {namespace}, which every pod has that names none: "
            "make an account for it",
        )
    elif ("ServiceAccount", name) not in IN_EVERY_NAMESPACE and not cluster.find("ServiceAccount", namespace, name):
        unknown = cluster.unknown("ServiceAccount", namespace)
        yield Violation(binding, f"gives rights to ServiceAccount {name} of namespace {namespace}, {unknown}")


def rights_keep_the_cluster(cluster: Cluster) -> Iterator[Violation]:
    for item in (*cluster.of("ClusterRole"), *cluster.of("Role")):
        for rule in item.document.get("rules") or []:
            away = _gives_away(rule, everywhere=item.kind == "ClusterRole")
            if problem := away or next(_gives_nothing(rule, in_namespace=item.kind == "Role"), ""):
                yield Violation(item, problem)
    for item in (*cluster.of("RoleBinding"), *cluster.of("ClusterRoleBinding")):
        role = item.document.get("roleRef") or {}
        whole = ("cluster-admin", "admin") if item.kind == "RoleBinding" else ("cluster-admin", "admin", "edit")
        if role.get("kind") == "ClusterRole" and role.get("name") in whole:
            of = f"namespace {item.namespace}" if item.namespace else "the cluster"
            yield Violation(item, f"gives {role['name']}, all of {of}: write a role with what is needed")
        for subject in item.document.get("subjects") or []:
            if whom := EVERYBODY.get(subject.get("name", "")):
                yield Violation(item, f"gives rights to {subject['name']}, which is {whom}: name an account")


def _gives_away(rule: Document, *, everywhere: bool) -> str:
    verbs, resources = rule.get("verbs") or [], rule.get("resources") or []
    if resources and "*" in verbs:
        return f"allows every verb for {', '.join(resources)}: list those that are needed"
    if "*" in resources or "*" in (rule.get("apiGroups") or []):
        return f"allows {', '.join(verbs)} for every resource: list those that are needed"
    for (verb, resource), what in ESCALATING.items():
        if verb in verbs and resource in resources and not rule.get("resourceNames"):
            return f"allows {verb} for {resource}, with which its holder can {what}: leave it out"
    for verb, resource in SECRETS:
        if everywhere and verb in verbs and resource in resources and not rule.get("resourceNames"):
            return f"allows {verb} for the secrets of every namespace: use a Role, or name them in resourceNames"
    for (verb, resource), what in OF_THE_CLUSTER.items():
        if everywhere and verb in verbs and resource in resources and not rule.get("resourceNames"):
            return f"allows {verb} for {resource} of the whole cluster, with which its holder can {what}: leave it out"
    return ""


def _gives_nothing(rule: Document, *, in_namespace: bool) -> Iterator[str]:
    """What of a rule the API server refuses, or takes and never finds a request for."""
    verbs, resources = rule.get("verbs") or [], rule.get("resources") or []
    groups, urls = rule.get("apiGroups") or [], rule.get("nonResourceURLs") or []
    if not verbs or not (resources or urls):
        yield f"has a rule without {'resources' if verbs else 'verbs'}, which allows nothing: add them"
    if urls and in_namespace:
        yield f"names {urls[0]}, which is of no namespace: use a ClusterRole"
    if resources and not groups:
        yield f"has a rule for {', '.join(resources)} without apiGroups: name them, '' for that of Pods"
    for group in groups:
        if problem := problem_of_group(group):
            yield f"names the group {group!r}, which {problem}"
    for resource in resources:
        if problem := problem_of_resource(resource, groups, in_namespace=in_namespace):
            yield f"names the resource {resource}, which {problem}"
    own = all(group in NAMESPACED or group in OF_NO_NAMESPACE for group in groups)
    for verb in verbs:
        if own and verb not in (*VERBS, *SPECIAL_VERBS, "*"):
            yield f"allows {verb!r}, which is no verb: there are {', '.join(VERBS)}"
        if rule.get("resourceNames") and verb in ("create", "deletecollection"):
            yield f"allows {verb} for names alone, which no such request has: put it into a rule without resourceNames"


RULES: tuple[Rule, ...] = (bindings_find_whom_they_name, rights_keep_the_cluster)
