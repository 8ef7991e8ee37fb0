"""Rules for the accounts by which Flux works: which each is, and that it may do what it is there for."""

from collections.abc import Iterator

from synth.api_resources import resource_of
from synth.cluster import Cluster, Rule, Violation
from synth.manifest import Document
from synth.rules.flux import FLUX, applier_of, by_folder, by_path, drawn_from
from synth.tree import Object

APPLYING = ("Kustomization", "HelmRelease")
"""The kinds of Flux that write into the cluster, as an account."""
APPLYING_VERBS = ("get", "create", "patch", "delete")
"""What Flux does with an object: it looks at it, applies it, and prunes it."""


def nothing_is_asked_that_flux_is_locked_against(cluster: Cluster) -> Iterator[Violation]:
    """What its controllers refuse as charts/flux/system.py locks them."""
    bound = {
        (subject.get("namespace"), subject.get("name"))
        for binding in (*cluster.of("RoleBinding"), *cluster.of("ClusterRoleBinding"))
        for subject in binding.document.get("subjects") or []
    }
    for item in cluster.objects:
        if not item.group.endswith(FLUX):
            continue
        for reference, takes in drawn_from(item):
            kind, name = reference.get("kind", ""), reference.get("name", "")
            namespace = reference.get("namespace") or item.namespace
            if namespace != item.namespace and (name == "*" or cluster.find(kind, namespace, name)):
                yield Violation(
                    item,
                    f"{takes} {kind} {name} of namespace {namespace}, and Flux is locked to what is in an object's "
                    f"own, {item.namespace}: put both into one namespace",
                )
        account = item.spec.get("serviceAccountName")
        if item.kind not in APPLYING:
            continue
        if not account:
            yield Violation(
                item,
                "names no serviceAccountName, so that it works as default, which may do nothing: name an account that "
                "a RoleBinding gives rights",
            )
        elif isinstance(cluster.find("ServiceAccount", item.namespace, account), Object) and (
            (item.namespace, account) not in bound
        ):
            yield Violation(
                item,
                f"works as ServiceAccount {account}, which may do nothing: give it rights by a RoleBinding in the "
                "namespace that it works in",
            )


def what_flux_applies_it_may(cluster: Cluster) -> Iterator[Violation]:
    """The API server refuses an account what no rule gives it, and with one object the whole Kustomization.

    https://fluxcd.io/flux/components/kustomize/kustomizations/#role-based-access-control
    """
    appliers = by_path(cluster)
    for folder, items in by_folder(cluster).items():
        kustomization = applier_of(appliers, folder)
        account = kustomization.spec.get("serviceAccountName", "") if kustomization else ""
        if kustomization is None or not isinstance(
            cluster.find("ServiceAccount", kustomization.namespace, account), Object
        ):
            continue
        given = {
            namespace: _rules(cluster, kustomization.namespace, account, namespace)
            for namespace in {item.namespace for item in items}
        }
        for item in items:
            rules = given[item.namespace]
            lacking = [verb for verb in APPLYING_VERBS if not any(_allows(rule, verb, item) for rule in rules or [])]
            if lacking and rules is not None:
                resource = f"{resource_of(item.kind)} of group {item.group or repr('')}"
                yield Violation(
                    item,
                    f"is applied as ServiceAccount {account} of namespace {kustomization.namespace}, which may not "
                    f"{', '.join(lacking)} {resource}: add that to its Role, or have the platform apply this object",
                    relies_on=[kustomization],
                )


def _rules(cluster: Cluster, home: str, account: str, namespace: str) -> list[Document] | None:
    """What an account may do in a namespace, or in all; nothing is known where one of its roles is not made here."""
    rules: list[Document] = []
    bindings = [*cluster.within(namespace, "RoleBinding"), *cluster.of("ClusterRoleBinding")]
    for binding in bindings:
        subjects = binding.document.get("subjects") or []
        if not any((subject.get("namespace"), subject.get("name")) == (home, account) for subject in subjects):
            continue
        role = binding.document.get("roleRef") or {}
        kind, name = role.get("kind", ""), role.get("name", "")
        found = cluster.find(kind, namespace if kind == "Role" else "", name)
        if not isinstance(found, Object):
            return None
        rules += found.document.get("rules") or []
    return rules


def _allows(rule: Document, verb: str, item: Object) -> bool:
    """https://kubernetes.io/docs/reference/access-authn-authz/rbac/#role-and-clusterrole."""
    asked = {"verbs": verb, "apiGroups": item.group, "resources": resource_of(item.kind)}
    names = rule.get("resourceNames")
    return all(not {value, "*"}.isdisjoint(rule.get(field) or ()) for field, value in asked.items()) and (
        not names or (item.name in names and verb != "create")
    )


RULES: tuple[Rule, ...] = (nothing_is_asked_that_flux_is_locked_against, what_flux_applies_it_may)
