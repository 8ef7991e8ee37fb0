"""Rules for rights: a binding for nobody, and a role that gives the cluster away, give their sentence."""

from typing import Any

import pytest

from synth.cluster import Provided
from synth.manifest import Document
from synth.rules import rights
from tests.synth.objects import environment, said

WIKI = {"kind": "ServiceAccount", "name": "wiki", "namespace": "wiki"}


def sentences(documents: list[Document], *provided: Provided) -> list[str]:
    return said(rights.RULES, documents, *provided)


def rbac(kind: str, **fields: Any) -> Document:
    metadata = {"name": "wiki", **({} if kind.startswith("Cluster") else {"namespace": "wiki"})}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, **fields}


def role(kind: str, verbs: list[str], resources: list[str], **more: Any) -> Document:
    return rbac(kind, rules=[{"apiGroups": [""], "verbs": verbs, "resources": resources, **more}])


def binding(kind: str, role_kind: str, name: str, *subjects: Document) -> Document:
    return rbac(kind, roleRef={"kind": role_kind, "name": name}, subjects=list(subjects) or [WIKI])


READS = role("Role", ["get", "list"], ["configmaps"])


def test_a_binding_of_a_role_and_an_account_that_are_there_breaks_no_rule() -> None:
    assert sentences([*environment(), READS, binding("RoleBinding", "Role", "wiki")]) == []
    assert sentences([*environment(), binding("RoleBinding", "ClusterRole", "view")]) == []
    assert sentences([*environment(), binding("ClusterRoleBinding", "ClusterRole", "system:auth-delegator")]) == []


@pytest.mark.parametrize(
    ("subject", "problem"),
    [
        ({**WIKI, "name": "wikki"}, "gives rights to ServiceAccount wikki of namespace wiki, which is neither made"),
        ({**WIKI, "namespace": "istio-system"}, "gives rights to ServiceAccount wiki of namespace istio-system, which"),
        ({"kind": "ServiceAccount", "name": "wiki"}, "names ServiceAccount wiki without its namespace"),
        ({"kind": "Group", "name": "system:authenticated"}, "gives rights to system:authenticated, which is everybody"),
        ({"kind": "Group", "name": "system:serviceaccounts"}, "gives rights to system:serviceaccounts, which is every"),
        (
            {"kind": "Serviceaccount", "name": "wiki"},
            "gives rights to a Serviceaccount, wiki: ServiceAccount",
        ),
        ({**WIKI, "apiGroup": "rbac.authorization.k8s.io"}, "names ServiceAccount wiki with the group rbac.auth"),
        ({**WIKI, "name": "default"}, "gives rights to ServiceAccount default of namespace wiki, which every pod has"),
    ],
)
def test_a_binding_for_nobody_or_everybody_gives_its_sentence(subject: Document, problem: str) -> None:
    (told,) = sentences([*environment(), READS, binding("RoleBinding", "Role", "wiki", subject)])
    assert told.startswith(f"RoleBinding wiki {problem}")


@pytest.mark.parametrize(
    "subject",
    [
        {"kind": "Group", "name": "platform"},
        {"kind": "Group", "name": "system:serviceaccounts:wiki"},
        {"kind": "User", "name": "somebody"},
    ],
)
def test_some_subjects_are_not_known_here(subject: Document) -> None:
    assert sentences([*environment(), READS, binding("RoleBinding", "Role", "wiki", subject)]) == []


def test_a_subject_may_be_provided() -> None:
    flux = {"kind": "ServiceAccount", "name": "controller", "namespace": "flux-system"}
    documents = [*environment(), READS, binding("RoleBinding", "Role", "wiki", flux)]
    assert len(sentences(documents)) == 1
    assert sentences(documents, Provided("ServiceAccount", "controller", by="Flux", namespace="flux-system")) == []


@pytest.mark.parametrize(("kind", "name"), [("Role", "wikki"), ("ClusterRole", "wiki"), ("ClusterRole", "views")])
def test_a_binding_of_no_role_gives_its_sentence(kind: str, name: str) -> None:
    (told,) = sentences([*environment(), READS, binding("RoleBinding", kind, name)])
    assert told.startswith(f"RoleBinding wiki gives {kind} {name}")
    assert "which is neither made here nor provided" in told


@pytest.mark.parametrize(
    ("verbs", "resources", "problem"),
    [
        (["*"], ["pods"], "allows every verb for pods: list those that are needed"),
        (["get"], ["*"], "allows get for every resource: list those that are needed"),
        (["create"], ["pods/exec"], "allows create for pods/exec, with which its holder can run commands in every pod"),
        (["create"], ["serviceaccounts/token"], "with which its holder can get the token of any account"),
        (["impersonate"], ["users"], "with which its holder can act as anybody"),
        (["bind"], ["clusterroles"], "with which its holder can give roles that it does not have"),
        (["list"], ["configmaps", "secrets"], "allows list for the secrets of every namespace: use a Role"),
    ],
)
def test_rights_that_give_the_cluster_away_give_their_sentence(
    verbs: list[str], resources: list[str], problem: str
) -> None:
    (told,) = sentences([*environment(), role("ClusterRole", verbs, resources)])
    assert problem in told


@pytest.mark.parametrize(
    "given",
    [
        role("ClusterRole", ["get", "list", "watch"], ["pods", "namespaces"]),
        role("ClusterRole", ["get"], ["secrets"], resourceNames=["wiki-tls"]),
        role("Role", ["get"], ["secrets"]),
        role("Role", ["bind"], ["roles"], apiGroups=["rbac.authorization.k8s.io"], resourceNames=["wiki"]),
        role("Role", ["create"], ["pods"]),
        role("Role", ["get", "patch"], ["deployments", "deployments/scale"], apiGroups=["apps"]),
        role("Role", ["get"], ["kustomizations"], apiGroups=["kustomize.toolkit.fluxcd.io"]),
        role("Role", ["get"], ["events"], apiGroups=["", "events.k8s.io"]),
        rbac("ClusterRole", rules=[{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]),
    ],
)
def test_rights_that_are_listed_are_left_alone(given: Document) -> None:
    assert sentences([*environment(), given]) == []


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (role("Role", [], ["pods"]), "has a rule without verbs, which allows nothing"),
        (role("Role", ["get"], []), "has a rule without resources, which allows nothing"),
        (role("Role", ["get"], ["pods"], apiGroups=[]), "has a rule for pods without apiGroups"),
        (role("Role", ["get"], ["pods"], apiGroups=["core"]), "names the group 'core', which is no group"),
        (role("Role", ["get"], ["jobs"], apiGroups=["batch/v1"]), "'batch/v1', which is a group with its version"),
        (role("Role", ["get"], ["ConfigMaps"]), "the resource ConfigMaps, which is no resource of group '': did you"),
        (role("Role", ["get"], ["deployments"]), "deployments, which is not of group '': it is of apps"),
        (role("Role", ["get"], ["nodes"]), "nodes, which is of no namespace, so that a Role cannot give it"),
        (rbac("Role", rules=[{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]), "use a ClusterRole"),
        (role("Role", ["Get"], ["pods"]), "allows 'Get', which is no verb: there are get, list"),
        (role("Role", ["create"], ["pods"], resourceNames=["a"]), "allows create for names alone, which no such"),
        (role("ClusterRole", ["create"], ["pods"]), "create for pods of the whole cluster, with which its holder can"),
    ],
)
def test_rights_that_no_request_has_or_that_are_for_all_the_cluster_give_their_sentence(
    given: Document, problem: str
) -> None:
    (told,) = sentences([*environment(), given])
    assert problem in told


def test_a_binding_without_subjects_gives_its_sentence() -> None:
    nobody = {**binding("RoleBinding", "Role", "wiki"), "subjects": []}
    (told,) = sentences([*environment(), READS, nobody])
    assert "gives Role wiki to nobody" in told


@pytest.mark.parametrize(
    ("kind", "name", "given_away"),
    [
        ("RoleBinding", "cluster-admin", True),
        ("RoleBinding", "admin", True),
        ("RoleBinding", "edit", False),
        ("ClusterRoleBinding", "edit", True),
        ("ClusterRoleBinding", "cluster-admin", True),
        ("ClusterRoleBinding", "view", False),
    ],
)
def test_a_built_in_role_may_be_too_much(kind: str, name: str, given_away: bool) -> None:
    found = sentences([*environment(), binding(kind, "ClusterRole", name)])
    assert [told for told in found if "write a role with what is needed" in told] == found
    assert bool(found) == given_away
