"""Rules for what Flux applies: who applies what, in which order, and what stays."""

from typing import Any

import pytest

from synth.cluster import Cluster
from synth.manifest import Document
from synth.rules import flux
from synth.tree import Tree
from tests.synth.objects import PROVIDED, environment, find, put, said, tree

PRUNE = "kustomize.toolkit.fluxcd.io/prune"


def sentences(documents: list[Document]) -> list[str]:
    return said(flux.RULES, documents)


def kustomization(name: str, path: str, **spec: Any) -> Document:
    source = {"kind": "GitRepository", "name": "flux-system"}
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": {"sourceRef": source, "path": path, "prune": True, "wait": True, **spec},
    }


def apart(documents: list[Document], *kinds: str) -> list[str]:
    """What is said where objects of these kinds are in the platform's folder and the others in the apps'."""
    files = {
        path.replace("/apps/wiki/", "/platform/wiki/") if file.documents[0]["kind"] in kinds else path: file
        for path, file in tree(documents).files.items()
    }
    cluster = Cluster(Tree(files), PROVIDED)
    return [f"{violation.subject} {violation.problem}" for rule in flux.RULES for violation in rule(cluster)]


def independent() -> list[Document]:
    """The environment, with apps that do not depend on the platform."""
    documents = environment()
    put(find(documents, "Kustomization", "apps"), "spec/dependsOn", None)
    return documents


def test_a_sound_environment_breaks_no_rule() -> None:
    assert sentences(environment()) == []


# everything is applied once


def test_two_kustomizations_of_one_folder_give_their_sentence() -> None:
    assert sentences([*environment(), kustomization("second", "deploy/apps/")]) == [
        "Kustomization second applies deploy/apps, as Kustomization apps does: one would undo what the other does"
    ]


@pytest.mark.parametrize(
    "spec",
    [{"targetNamespace": "blog"}, {"postBuild": {"substitute": {"host": "blog"}}}, {"patches": [{"patch": "x"}]}],
)
def test_one_folder_may_be_applied_in_several_forms(spec: Document) -> None:
    assert sentences([*environment(), kustomization("second", "./deploy/apps", **spec)]) == []


def test_a_folder_that_nothing_applies_gives_one_sentence() -> None:
    documents = environment()
    put(find(documents, "Kustomization", "apps"), "spec/path", "./deploy/platform/apps")
    told = "is in deploy/apps/wiki, which no Kustomization applies: there are deploy/platform, deploy/platform/apps"
    assert [sentence for sentence in sentences(documents) if "no Kustomization applies" in sentence] == [
        f"Namespace wiki {told}"
    ]


def test_a_folder_beside_one_of_nearly_its_name_is_not_applied() -> None:
    documents = environment()
    put(find(documents, "Kustomization", "apps"), "spec/path", "./deploy/app")
    assert any("which no Kustomization applies" in sentence for sentence in sentences(documents))


def test_a_kustomization_of_the_whole_repository_applies_everything() -> None:
    documents = [document for document in environment() if document["kind"] != "Kustomization"]
    found = sentences([*documents, kustomization("all", "./")])
    assert [sentence for sentence in found if "no Kustomization applies" in sentence] == []


def test_a_tree_without_flux_is_applied_by_somebody_else() -> None:
    assert sentences([document for document in environment() if document["kind"] != "Kustomization"]) == []


# dependencies


def test_what_something_depends_on_waits_or_has_health_checks() -> None:
    documents = environment()
    platform = find(documents, "Kustomization", "platform")
    put(platform, "spec/wait", False)
    assert sentences(documents) == [
        "Kustomization platform is what Kustomization apps depends on and does not wait for what it applies: set wait "
        "to true, so that it is ready when that works"
    ]
    put(platform, "spec/healthChecks", [{"kind": "Deployment", "name": "wiki", "namespace": "wiki"}])
    assert sentences(documents) == []


def test_what_nothing_depends_on_need_not_wait() -> None:
    documents = environment()
    put(find(documents, "Kustomization", "apps"), "spec/wait", False)
    assert sentences(documents) == []


def test_a_dependency_may_be_in_another_namespace() -> None:
    documents = environment()
    put(find(documents, "Kustomization", "apps"), "spec/dependsOn", [{"name": "platform", "namespace": "other"}])
    assert sentences(documents) == [
        "Kustomization apps depends on Kustomization platform, which does not exist; there are platform, apps"
    ]


# order


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        ("Namespace", "ResourceQuota wiki, which needs Namespace wiki"),
        ("Gateway", "VirtualService wiki, which needs Gateway main"),
    ],
)
def test_what_another_kustomization_applies_is_waited_for(kind: str, needed: str) -> None:
    assert apart(independent(), kind) == [
        f"Kustomization apps applies {needed} of Kustomization platform, and does not wait for it: put platform into "
        "its dependsOn"
    ]
    assert apart(environment(), kind) == []


def test_cluster_wide_classes_and_issuers_are_waited_for() -> None:
    documents = independent()
    put(find(documents, "Deployment"), "spec/template/spec/priorityClassName", "essential")
    priority = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "essential"}}
    assert [sentence.split(", ")[1] for sentence in apart([*documents, priority], "PriorityClass")] == [
        "which needs PriorityClass essential of Kustomization platform"
    ]
    metadata = {"name": "wiki", "namespace": "wiki"}
    certificate = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": metadata}
    certificate["spec"] = {"issuerRef": {"kind": "ClusterIssuer", "name": "acme"}}
    issuer = {"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": "acme"}}
    assert [sentence.split(", ")[1] for sentence in apart([*independent(), certificate, issuer], "ClusterIssuer")] == [
        "which needs ClusterIssuer acme of Kustomization platform"
    ]


def test_to_wait_for_what_waits_is_enough() -> None:
    documents = environment()
    documents.append(kustomization("between", "./deploy/platform/between", dependsOn=[{"name": "platform"}]))
    put(find(documents, "Kustomization", "apps"), "spec/dependsOn", [{"name": "between"}])
    assert apart(documents, "Gateway") == [
        "Kustomization between applies deploy/platform/between, which is not a folder of this tree with a "
        "kustomization.yaml"
    ]


def test_what_is_provided_is_there_before() -> None:
    documents = independent()
    put(find(documents, "VirtualService"), "spec/gateways", ["mesh"])
    assert sentences(documents) == []


# what is kept


def test_what_is_kept_is_in_a_namespace_that_is() -> None:
    documents = environment()
    put(find(documents, "PersistentVolumeClaim"), "metadata/annotations", {PRUNE: "disabled"})
    assert sentences(documents) == [
        "Namespace wiki may be pruned by Flux, and PersistentVolumeClaim pages in it, which may not, would go with it: "
        f"annotate it with {PRUNE} disabled"
    ]
    put(find(documents, "Namespace"), "metadata/annotations", {PRUNE: "disabled"})
    assert sentences(documents) == []


def test_a_namespace_that_others_bring_is_theirs_to_keep() -> None:
    documents = environment()
    put(find(documents, "Gateway"), "metadata/annotations", {PRUNE: "disabled"})
    assert sentences(documents) == []
