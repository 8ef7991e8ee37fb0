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


# what stops Flux


@pytest.mark.parametrize("kind", ["Kustomization", "GitRepository"])
def test_what_is_suspended_in_git_gives_its_sentence(kind: str) -> None:
    documents = environment()
    suspended = find(documents, kind)
    suspended.setdefault("spec", {})["suspend"] = True
    assert sentences(documents) == [
        f"{kind} {suspended['metadata']['name']} is suspended, so Flux leaves it as it is for ever: leave suspend out, "
        "and use `flux suspend`"
    ]
    suspended["spec"]["suspend"] = False
    assert sentences(documents) == []


def test_a_cron_job_may_be_suspended() -> None:
    job = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "now-and-then", "namespace": "wiki"}}
    assert sentences([*environment(), {**job, "spec": {"suspend": True}}]) == []


def test_a_kustomization_does_not_wait_for_what_it_applies() -> None:
    documents = environment()
    assert said((flux.nothing_waits_for_what_it_applies,), documents) == []
    files = {path.replace("platform/wiki", "apps/wiki"): file for path, file in tree(documents).files.items()}
    (told,) = flux.nothing_waits_for_what_it_applies(Cluster(Tree(files), PROVIDED))
    assert str(told) == (
        "wiki: Kustomization apps waits for Kustomization platform, which it applies itself: drop that from its "
        "dependsOn (charts/wiki.py)"
    )


@pytest.mark.parametrize(("optional", "count"), [(False, 1), (True, 0)])
def test_variables_come_from_what_is_there(optional: bool, count: int) -> None:
    documents = environment()
    source = {"kind": "ConfigMap", "name": "cluster", "optional": optional}
    put(find(documents, "Kustomization", "apps"), "spec/postBuild", {"substituteFrom": [source]})
    found = said((flux.what_flux_reads_is_there,), documents)
    assert len(found) == count
    assert all("takes variables from ConfigMap cluster in namespace flux-system, which is neither" in t for t in found)
    metadata = {"name": "cluster", "namespace": "flux-system"}
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    assert said((flux.what_flux_reads_is_there,), [*documents, made]) == []


def release(**spec: Any) -> Document:
    metadata = {"name": "istiod", "namespace": "flux-system"}
    return {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": metadata, "spec": spec}


def charted(name: str) -> dict[str, Any]:
    return {"chart": {"spec": {"chart": "istiod", "sourceRef": {"kind": "GitRepository", "name": name}}}}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (charted("flux-sistem"), ["takes its chart from GitRepository flux-sistem in namespace flux-system, which is"]),
        ({"chartRef": {"kind": "OCIRepository", "name": "istiod"}}, ["takes its chart from OCIRepository istiod in"]),
        ({}, ["has no chart: name it in spec.chart"]),
        (
            {**charted("flux-system"), "valuesFrom": [{"kind": "Secret", "name": "values"}]},
            ["takes values from Secret values in namespace flux-system, which is"],
        ),
        (charted("flux-system"), []),
    ],
)
def test_a_release_finds_its_chart_and_its_values(spec: dict[str, Any], told: list[str]) -> None:
    found = said((flux.what_flux_reads_is_there,), [*environment(), release(**spec)])
    assert len(found) == len(told)
    assert all(fragment in sentence for fragment, sentence in zip(told, found, strict=True))
