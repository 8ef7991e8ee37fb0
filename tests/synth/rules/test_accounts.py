"""Rules for the accounts by which Flux works."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from synth.manifest import Document
from synth.rules import accounts
from tests.synth.objects import environment, find, put, said
from tests.synth.rules.test_flux import ACCOUNT, flux_object, kustomization


def sentences(documents: list[Document]) -> list[str]:
    return said(accounts.RULES, documents)


def binding(kind: str, account: str, **metadata: str) -> Document:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": "apps", **metadata},
        "roleRef": {"kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "flux-system"}],
    }


def test_what_names_no_account_would_do_nothing() -> None:
    documents = environment()
    put(find(documents, "Kustomization", "apps"), "spec/serviceAccountName", None)
    assert sentences(documents) == [
        "Kustomization apps names no serviceAccountName, so that it works as default, which may do nothing: name an "
        "account that a RoleBinding gives rights"
    ]


def working_as_apps(*documents: Document) -> list[Document]:
    """The environment, with apps that Flux applies as an account of the tree."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "apps", "namespace": "flux-system"}}
    found = [*environment(), account, *documents]
    put(find(found, "Kustomization", "apps"), "spec/serviceAccountName", "apps")
    return found


@pytest.mark.parametrize(
    ("binding_", "told"),
    [
        (binding("RoleBinding", "other", namespace="wiki"), True),
        (binding("RoleBinding", "apps", namespace="wiki"), False),
        (binding("ClusterRoleBinding", "apps"), False),
    ],
)
def test_an_account_of_the_tree_has_rights(binding_: Document, told: bool) -> None:
    sentence = (
        "Kustomization apps works as ServiceAccount apps, which may do nothing: give it rights by a RoleBinding in "
        "the namespace that it works in"
    )
    assert (sentence in sentences(working_as_apps(binding_))) is told


SOURCE = {"kind": "GitRepository", "name": "source", "namespace": "wiki"}


@pytest.mark.parametrize(
    ("document", "takes"),
    [
        (kustomization("x", "deploy/x", sourceRef=SOURCE), "takes its files from"),
        (flux_object("HelmRelease", "helm", **ACCOUNT, chart={"spec": {"sourceRef": SOURCE}}), "takes its chart from"),
        (flux_object("HelmRelease", "helm", **ACCOUNT, chartRef=SOURCE), "takes its chart from"),
        (flux_object("Alert", "notification", eventSources=[SOURCE]), "watches"),
        (flux_object("Receiver", "notification", resources=[SOURCE | {"name": "*"}]), "watches"),
    ],
)
def test_nothing_is_taken_from_another_namespace(document: Document, takes: str) -> None:
    there = [
        {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": SOURCE["kind"], "spec": {}, "metadata": metadata}
        for metadata in ({"name": "source", "namespace": namespace} for namespace in ("wiki", "flux-system"))
    ]

    def locked(namespace: str) -> list[str]:
        copy = deepcopy(document)
        for reference in (found for found in inner(copy) if found.get("kind") == SOURCE["kind"]):
            reference["namespace"] = namespace
        return [sentence for sentence in sentences([*environment(), *there, copy]) if "locked" in sentence]

    (sentence,) = locked("wiki")
    assert f"{takes} GitRepository" in sentence
    assert "of namespace wiki, and Flux is locked to what is in an object's own, flux-system" in sentence
    assert locked("flux-system") == []


def inner(value: Any) -> Iterator[Document]:
    """The mappings within a value."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from inner(item)


def role(kind: str, *rules: Document) -> list[Document]:
    """A role with these rules, given to the account that applies the apps."""
    where = {"namespace": "wiki"} if kind == "Role" else {}
    given = binding(f"{kind}Binding", "apps", **where)
    given["roleRef"] = {"kind": kind, "name": "apps"}
    group = "rbac.authorization.k8s.io/v1"
    return [{"apiVersion": group, "kind": kind, "metadata": {"name": "apps", **where}, "rules": list(rules)}, given]


VERBS = ["get", "list", "create", "patch", "delete"]


def lacking(*rules: Document, kind: str = "Role") -> list[str]:
    """What is said of the wiki's Deployment, as its account has these rules."""
    return [
        sentence
        for sentence in sentences(working_as_apps(*role(kind, *rules)))
        if sentence.startswith("Deployment wiki")
    ]


@pytest.mark.parametrize(
    ("rule", "verbs"),
    [
        ({}, "get, create, patch, delete"),
        ({"apiGroups": [""]}, "get, create, patch, delete"),
        ({"resources": ["statefulsets"]}, "get, create, patch, delete"),
        ({"verbs": ["get", "patch"]}, "create, delete"),
        ({"resourceNames": ["wiki"]}, "create"),
        ({"resourceNames": ["other"]}, "get, create, patch, delete"),
    ],
)
def test_an_account_may_do_what_flux_does_with_its_objects(rule: Document, verbs: str) -> None:
    whole = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": VERBS}
    (sentence,) = lacking({**whole, **rule} if rule else {"apiGroups": [""], "resources": ["pods"], "verbs": VERBS})
    assert sentence == (
        f"Deployment wiki is applied as ServiceAccount apps of namespace flux-system, which may not {verbs} "
        "deployments of group apps: add that to its Role, or have the platform apply this object"
    )


@pytest.mark.parametrize("kind", ["Role", "ClusterRole"])
def test_an_account_with_all_rights_is_told_nothing(kind: str) -> None:
    assert lacking({"apiGroups": ["apps"], "resources": ["deployments"], "verbs": VERBS}, kind=kind) == []
    assert lacking({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, kind=kind) == []


def test_nothing_is_known_of_a_role_that_is_not_made_here() -> None:
    given = working_as_apps(binding("RoleBinding", "apps", namespace="wiki"))
    assert not any(sentence.startswith("Deployment wiki") for sentence in sentences(given))
