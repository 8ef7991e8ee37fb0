"""Rules for namespaces: one with pods that is open, or says nothing of how much, gives its sentence."""

import pytest

from synth.cluster import Cluster, Provided
from synth.manifest import Document
from synth.rules import check, namespaces
from synth.tree import File, Tree
from tests.synth.objects import (
    DNS,
    PROVIDED,
    WIKI_PODS,
    environment,
    find,
    other,
    policy,
    put,
    said,
    tree,
)

STANDARD = "pod-security.kubernetes.io/enforce"


def sentences(documents: list[Document], *provided: Provided) -> list[str]:
    return said((*namespaces.PLACES, *namespaces.RULES), documents, *provided)


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


def test_what_runs_in_a_namespace_is_in_its_folder() -> None:
    files = tree(environment()).files
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "b", "namespace": "wiki"}}
    beside = {f"deploy/apps/blog/{n}.yaml": File((account,), "charts/blog.py") for n in range(2)}
    job = {"deploy/apps/blog/job.yaml": File((other("Job"),), "charts/blog.py")}

    def told(*more: dict[str, File]) -> list[str]:
        every = {path: file for part in (files, *more) for path, file in part.items()}
        return list(map(str, namespaces.namespaces_have_one_owner(Cluster(Tree(every), PROVIDED))))

    assert told() == told(beside) == []
    assert told(beside, job) == [
        "blog: ServiceAccount b is in namespace wiki, as 2 more of this folder are, which is charts/wiki.py's: an app "
        "has a namespace of its own, use that (charts/blog.py)"
    ]


def test_where_objects_are_wrong_nothing_else_is_said() -> None:
    documents = environment()
    find(documents, "Deployment")["metadata"]["namespace"] = "wikki"
    (told,) = check(tree(documents), PROVIDED)
    assert "Deployment wiki is in namespace wikki, which is neither made here nor provided" in str(told)
