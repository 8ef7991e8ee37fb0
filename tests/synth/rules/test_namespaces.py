"""Rules for namespaces: one with pods that is open, or says nothing of how much, gives its sentence."""

import pytest

from synth.cluster import Provided
from synth.manifest import Document
from synth.rules import namespaces
from tests.synth.objects import (
    DNS,
    WIKI_PODS,
    environment,
    find,
    policy,
    put,
    said,
)

STANDARD = "pod-security.kubernetes.io/enforce"


def sentences(documents: list[Document], *provided: Provided) -> list[str]:
    return said(namespaces.RULES, documents, *provided)


def test_a_sound_environment_breaks_no_rule() -> None:
    assert sentences(environment()) == []


@pytest.mark.parametrize(("label", "found"), [(None, "nowhere"), ("baseline", "baseline")])
def test_a_namespace_with_pods_demands_the_restricted_standard(label: str | None, found: str) -> None:
    documents = environment()
    put(find(documents, "Namespace"), "metadata/labels", {STANDARD: label} if label else None)
    assert sentences(documents) == [
        f"Namespace wiki has pods and {STANDARD} {found}: set that label to restricted, so that the API server refuses "
        "pods that are not"
    ]


def test_a_namespace_with_pods_has_a_quota() -> None:
    documents = [document for document in environment() if document["kind"] != "ResourceQuota"]
    told = ["Namespace wiki has pods and no ResourceQuota: say how much may run in it"]
    assert sentences(documents) == told
    elsewhere = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "wiki", "namespace": "flux-system"}}
    assert sentences([*documents, elsewhere]) == told


def test_a_namespace_with_pods_is_closed_in_both_directions() -> None:
    documents = environment()
    closed = find(documents, "NetworkPolicy", "default-deny")
    told = "Namespace wiki has pods and no NetworkPolicy that closes it: add one for all pods with policyTypes"
    put(closed, "spec/policyTypes", ["Ingress"])
    assert sentences(documents) == [f"{told} Egress"]
    put(closed, "spec/policyTypes", ["Egress"])
    assert sentences(documents) == [f"{told} Ingress"]
    put(closed, "spec/policyTypes", ["Ingress", "Egress"])
    put(closed, "spec/podSelector", WIKI_PODS)
    assert sentences(documents) == [f"{told} Ingress", f"{told} Egress"]


def test_a_namespace_may_be_closed_by_several_policies() -> None:
    documents = environment()
    put(find(documents, "NetworkPolicy", "default-deny"), "spec", {"podSelector": {}})
    documents.append(policy("allow-dns", podSelector={}, egress=[{"ports": [DNS]}]))
    assert sentences(documents) == []


def test_a_namespace_without_pods_needs_nothing() -> None:
    empty = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "empty"}}
    assert sentences([*environment(), empty]) == []
