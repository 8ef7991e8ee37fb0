"""Rules for rights: each is given to somebody who exists, and none gives the cluster away."""

from collections.abc import Iterator

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
OF_ALL_NAMESPACES = {("get", "secrets"), ("list", "secrets"), ("watch", "secrets")}


def bindings_find_whom_they_name(cluster: Cluster) -> Iterator[Violation]:
    for item in (*cluster.of("RoleBinding"), *cluster.of("ClusterRoleBinding")):
        role = item.document.get("roleRef") or {}
        kind, name = role.get("kind", ""), role.get("name", "")
        namespace = item.namespace if kind == "Role" else ""
        known = kind == "ClusterRole" and (name in BUILT_IN or name.startswith("system:"))
        if not known and not cluster.find(kind, namespace, name):
            where = f" in namespace {namespace}" if namespace else ""
            yield Violation(item, f"gives {kind} {name}{where}, {cluster.unknown(kind, namespace)}")
        for subject in item.document.get("subjects") or []:
            if subject.get("kind") == "ServiceAccount":
                yield from _account_exists(cluster, item, subject)


def _account_exists(cluster: Cluster, binding: Object, subject: Document) -> Iterator[Violation]:
    name, namespace = subject.get("name", ""), subject.get("namespace", "")
    if not namespace:
        yield Violation(binding, f"names ServiceAccount {name} without its namespace: add it to the subject")
    elif ("ServiceAccount", name) not in IN_EVERY_NAMESPACE and not cluster.find("ServiceAccount", namespace, name):
        unknown = cluster.unknown("ServiceAccount", namespace)
        yield Violation(binding, f"gives rights to ServiceAccount {name} of namespace {namespace}, {unknown}")


def rights_keep_the_cluster(cluster: Cluster) -> Iterator[Violation]:
    for item in (*cluster.of("ClusterRole"), *cluster.of("Role")):
        for rule in item.document.get("rules") or []:
            if problem := _gives_away(rule, everywhere=item.kind == "ClusterRole"):
                yield Violation(item, problem)
    for item in (*cluster.of("RoleBinding"), *cluster.of("ClusterRoleBinding")):
        role = item.document.get("roleRef") or {}
        whole = ("cluster-admin", "admin") if item.kind == "RoleBinding" else ("cluster-admin", "admin", "edit")
        if role.get("kind") == "ClusterRole" and role.get("name") in whole:
            of = f"namespace {item.namespace}" if item.namespace else "the cluster"
            yield Violation(item, f"gives {role['name']}, all of {of}: write a role with what is needed")
        for subject in item.document.get("subjects") or []:
            if subject.get("name") in ("system:unauthenticated", "system:anonymous", "system:authenticated"):
                yield Violation(item, f"gives rights to {subject['name']}, which is everybody: name an account")


def _gives_away(rule: Document, *, everywhere: bool) -> str:
    verbs, resources = rule.get("verbs") or [], rule.get("resources") or []
    if resources and "*" in verbs:
        return f"allows every verb for {', '.join(resources)}: list those that are needed"
    if "*" in resources or "*" in (rule.get("apiGroups") or []):
        return f"allows {', '.join(verbs)} for every resource: list those that are needed"
    for (verb, resource), what in ESCALATING.items():
        if verb in verbs and resource in resources and not rule.get("resourceNames"):
            return f"allows {verb} for {resource}, with which its holder can {what}: leave it out"
    for verb, resource in OF_ALL_NAMESPACES:
        if everywhere and verb in verbs and resource in resources and not rule.get("resourceNames"):
            return f"allows {verb} for the secrets of every namespace: use a Role, or name them in resourceNames"
    return ""


RULES: tuple[Rule, ...] = (bindings_find_whom_they_name, rights_keep_the_cluster)
