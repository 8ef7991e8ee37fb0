"""Rules for what Flux applies: who applies what, in which order, and what stays."""

from typing import Any

import pytest

from synth.cluster import Cluster
from synth.manifest import Document
from synth.rules import flux
from synth.tree import Tree
from tests.synth.objects import PROVIDED, environment, find, put, said, tree

PRUNE = "kustomize.toolkit.fluxcd.io/prune"
ACCOUNT = {"serviceAccountName": "kustomize-controller"}


def sentences(documents: list[Document]) -> list[str]:
    return said(flux.RULES, documents)


def kustomization(name: str, path: str, **spec: Any) -> Document:
    source = {"kind": "GitRepository", "name": "flux-system"}
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": {"sourceRef": source, "path": path, "prune": True, "wait": True, **ACCOUNT, **spec},
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
    [{"postBuild": {"substitute": {"host": "blog"}}}, {"patches": [{"patch": "x"}]}],
)
def test_one_folder_may_be_applied_in_several_forms(spec: Document) -> None:
    assert sentences([*environment(), kustomization("second", "./deploy/apps", **spec)]) == []


def test_a_folder_that_nothing_applies_gives_one_sentence() -> None:
    documents = environment()
    put(find(documents, "Kustomization", "apps"), "spec/path", "./deploy/platform/apps")
    told = (
        "is in deploy/apps/wiki, which no Kustomization applies: there are deploy/platform, deploy/platform/apps, "
        "deploy/flux"
    )
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
        "Kustomization apps depends on Kustomization platform, which does not exist; there are platform, apps, "
        "flux-system"
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
    files = {path.replace("flux/wiki", "apps/wiki"): file for path, file in tree(documents).files.items()}
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


# advice that can be followed


def test_what_comes_later_is_not_waited_for_and_what_needs_it_goes_there() -> None:
    documents = environment()
    documents.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "page", "namespace": "wiki"}})
    assert apart(documents, "ConfigMap", "Gateway", "GitRepository", "Kustomization") == [
        "Kustomization platform applies ConfigMap page, which needs Namespace wiki of Kustomization apps, which comes "
        "after it: put ConfigMap page below deploy/apps as well"
    ]


def test_a_circle_is_told_once_with_all_that_are_in_it() -> None:
    documents = [*environment(), kustomization("more", "deploy/platform", targetNamespace="wiki")]
    put(find(documents, "Kustomization", "platform"), "spec/dependsOn", [{"name": "apps"}])
    circles = [sentence for sentence in sentences(documents) if "depends on itself" in sentence]
    assert circles == [
        "Kustomization platform depends on itself through dependsOn of apps, so Flux would never apply it: break the "
        "circle"
    ]


def test_who_is_applied_by_another_does_not_wait_for_it() -> None:
    documents = environment()
    put(find(documents, "Kustomization", "apps"), "spec/dependsOn", [{"name": "flux-system"}])
    told = "Kustomization apps depends on Kustomization flux-system, which applies it and so has begun before it"
    assert [sentence for sentence in sentences(documents) if sentence.startswith(told)] != []


def test_a_folder_inside_another_is_applied_twice() -> None:
    inside = tree([*environment(), kustomization("wiki", "./deploy/apps/wiki")])
    listing = {"deploy/apps/wiki/kustomization.yaml": inside.files["deploy/apps/kustomization.yaml"]}
    found = flux.everything_is_applied_once(Cluster(Tree({**inside.files, **listing}), PROVIDED))
    assert [violation.problem for violation in found] == [
        "applies deploy/apps/wiki, as Kustomization apps does with all of deploy/apps: give the two folders that are "
        "beside each other"
    ]


# what Flux's objects name


def flux_object(kind: str, group: str, **spec: Any) -> Document:
    metadata = {"name": "one", "namespace": "flux-system"}
    return {"apiVersion": f"{group}.toolkit.fluxcd.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


GONE = {"name": "gone"}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"serviceAccountName": "gone"}, "works as ServiceAccount gone of namespace flux-system"),
        ({"decryption": {"provider": "sops", "secretRef": GONE}}, "takes a key from Secret gone"),
        ({"kubeConfig": {"secretRef": GONE}}, "takes a key from Secret gone"),
        (
            {"healthChecks": [{"kind": "Deployment", "name": "gone", "namespace": "wiki"}]},
            "waits for Deployment gone in namespace wiki",
        ),
        ({"sourceRef": {"kind": "GitRepository", "name": "flux-system", "namespace": "wiki"}}, "in namespace wiki"),
        ({"namePrefix": "x-"}, "renames all that it applies by namePrefix"),
        (
            {"targetNamespace": "other"},
            "moves all that it applies to namespace other, and ResourceQuota wiki is for wiki",
        ),
        ({"force": True}, "deletes what cannot be changed in place and makes it anew"),
    ],
)
def test_what_a_kustomization_names_is_there_and_stays_what_it_is(spec: Document, told: str) -> None:
    documents = environment()
    find(documents, "Kustomization", "apps")["spec"] |= spec
    (sentence,) = sentences(documents)
    assert sentence.startswith("Kustomization apps ")
    assert told in sentence


@pytest.mark.parametrize(
    "spec",
    [
        {"healthChecks": [{"kind": "Deployment", "name": "wiki", "namespace": "wiki"}]},
        {"healthChecks": [{"kind": "Namespace", "name": "wiki"}]},
        {"postBuild": {"substituteFrom": [{"kind": "ConfigMap", "name": "gone", "optional": True}]}},
    ],
)
def test_a_kustomization_may_name_what_is_there(spec: Document) -> None:
    documents = environment()
    find(documents, "Kustomization", "apps")["spec"] |= spec
    assert sentences(documents) == []


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (flux_object("Alert", "notification", providerRef=GONE), "reports to Provider gone"),
        (
            flux_object("Alert", "notification", eventSources=[{"kind": "Kustomization", "name": "gone"}]),
            "watches Kustomization gone",
        ),
        (flux_object("Receiver", "notification", secretRef=GONE), "takes a key from Secret gone"),
        (flux_object("Receiver", "notification", interval="10min"), "has spec.interval '10min'"),
        (flux_object("GitRepository", "source", include=[{"repository": GONE}]), "includes GitRepository gone"),
    ],
)
def test_what_others_of_flux_name_is_there(item: Document, told: str) -> None:
    (sentence,) = sentences([*environment(), item])
    assert sentence.startswith(f"{item['kind']} one ")
    assert told in sentence


def test_an_alert_may_be_for_all_of_a_kind() -> None:
    sources = [{"kind": "Kustomization", "name": "*"}, {"kind": "Kustomization", "name": "apps"}]
    assert sentences([*environment(), flux_object("Alert", "notification", eventSources=sources)]) == []


@pytest.mark.parametrize("kind", ["PersistentVolumeClaim", "Namespace"])
def test_what_holds_data_is_not_made_anew_by_force(kind: str) -> None:
    documents = environment()
    find(documents, kind)["metadata"]["annotations"] = {"kustomize.toolkit.fluxcd.io/force": "Enabled"}
    (sentence,) = sentences(documents)
    assert "is deleted with all that it holds" in sentence
    documents = environment()
    find(documents, "Deployment")["metadata"]["annotations"] = {"kustomize.toolkit.fluxcd.io/force": "enabled"}
    assert sentences(documents) == []


# the source


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({}, "follows branch master, for it names none"),
        ({"ref": {"branch": ""}}, "follows branch master, for it names none"),
        ({"ref": {"branch": "main", "tag": "v1"}}, "follows tag v1 and never its branch"),
        ({"ref": {"commit": "abc"}}, "follows commit 'abc', which is none"),
        ({"ref": {"semver": "1.x.y"}}, "follows semver '1.x.y', which is no version"),
        ({"ref": {"branch": "main"}, "url": "ssh://git@example.com/x.git"}, "is reached by SSH without a key"),
        (
            {"ref": {"branch": "main"}, "sparseCheckout": ["deploy/apps", "deploy/flux"]},
            "without deploy/platform of Kustomization",
        ),
    ],
)
def test_a_repository_says_what_it_follows(spec: Document, told: str) -> None:
    documents = environment()
    find(documents, "GitRepository")["spec"] = {"url": "https://example.com/x.git", **spec}
    (sentence,) = sentences(documents)
    assert told in sentence


@pytest.mark.parametrize(
    "spec",
    [
        {"ref": {"branch": "main"}},
        {"ref": {"semver": ">=1.0.0 <2.0.0"}},
        {"ref": {"branch": "main", "commit": "0123456789012345678901234567890123456789"}},
        {"ref": {"name": "refs/heads/main"}, "sparseCheckout": ["deploy"]},
    ],
)
def test_a_repository_may_follow_many_things(spec: Document) -> None:
    documents = environment()
    find(documents, "GitRepository")["spec"] = {"url": "https://example.com/x.git", **spec}
    assert sentences(documents) == []


@pytest.mark.parametrize(
    ("patterns", "told"),
    [
        (
            "/*\n!/deploy/flux\n",
            "leaves out deploy/platform, which Kustomization platform applies, by /* of its ignore",
        ),
        (
            "/deploy/platform/\n",
            "leaves out deploy/platform, which Kustomization platform applies, by /deploy/platform/",
        ),
        ("# all\ndeploy\n", "leaves out deploy/flux, which Kustomization flux-system applies, by deploy"),
        ("/*\n!/deploy\n", ""),
        ("/*\n!/deploy/\n", ""),
        ("/docs\n*.md\n/deploy/staging\nplatforms\n", ""),
    ],
)
def test_a_repository_has_what_is_applied(patterns: str, told: str) -> None:
    documents = environment()
    spec = {"url": "https://git.example.com/a.git", "ref": {"branch": "main"}, "ignore": patterns}
    find(documents, "GitRepository")["spec"] = spec
    found = sentences(documents)
    assert any(told in sentence for sentence in found) if told else found == []


# certificates


def certificate() -> Document:
    spec = {"secretName": "wiki-tls", "dnsNames": ["wiki.example.com"], "issuerRef": {"name": "acme"}}
    metadata = {"name": "wiki", "namespace": "wiki"}
    return {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": metadata, "spec": spec}


def test_nothing_waits_for_a_certificate() -> None:
    told = (
        "Kustomization apps waits for Kustomization platform, which is ready when Certificate wiki is issued, and so "
        "may never be: put certificates into a Kustomization that nothing depends on"
    )
    documents = [*environment(), certificate()]
    assert told in apart(documents, "Certificate")
    assert told not in apart(documents, "Namespace")


def test_a_certificate_that_several_wait_for_is_told_once() -> None:
    more = kustomization("more", "./deploy/more", dependsOn=[{"name": "platform"}])
    told = [
        sentence
        for sentence in apart([*environment(), certificate(), more], "Certificate")
        if "may never be" in sentence
    ]
    assert told == [
        "Certificate wiki is what Kustomizations apps, more wait for in that of platform, and may never be: put "
        "certificates into a Kustomization that nothing depends on"
    ]


@pytest.mark.parametrize(
    ("kind", "count"), [("Deployment", 1), ("Service", 1), ("NetworkPolicy", 1), ("PersistentVolumeClaim", 0)]
)
def test_what_is_made_once_holds_data(kind: str, count: int) -> None:
    documents = environment()
    put(find(documents, kind), "metadata/annotations", {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"})
    found = said((flux.what_git_says_is_applied_again,), documents)
    assert len(found) == count
    assert all("is made once and never changed by Flux" in told for told in found)
