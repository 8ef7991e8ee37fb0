"""What goes with what leaves the files, and what stands still: each wrong edit beside a right one."""

from typing import Any

import pytest

from synth.changes import Risk, deleted, hazards
from synth.tree import Object
from tests.synth.changes import ROOT, edited, objects, renamed, the_only, told, without

KEEP = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}


def kustomization(name: str, path: str, **spec: Any) -> Object:
    document = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": {"path": f"./{ROOT}/{path}", "prune": True, **spec},
    }
    return Object(document, "", f"{ROOT}/flux/flux-system/{name}.yaml")


FLUX = [kustomization("flux-system", "flux"), kustomization("apps", "apps")]

WIKI = objects("""
apiVersion: v1
kind: Namespace
metadata: {name: wiki, annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: pages, namespace: wiki, annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}}
spec: {resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: wiki, namespace: wiki}
spec:
  replicas: 1
  selector: {matchLabels: {app: wiki}}
  template:
    metadata: {labels: {app: wiki}}
    spec:
      containers: [{name: wiki, image: "wiki:1"}]
      volumes: [{name: pages, persistentVolumeClaim: {claimName: pages}}]
---
apiVersion: v1
kind: Service
metadata: {name: wiki, namespace: wiki}
spec: {selector: {app: wiki}, ports: [{port: 80}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: wiki, namespace: wiki}
spec: {maxUnavailable: 1}
""")

ENVIRONMENT = [*FLUX, *WIKI]


def test_without_a_change_there_is_no_hazard() -> None:
    assert hazards(ENVIRONMENT, ENVIRONMENT) == []
    assert hazards([], ENVIRONMENT) == []
    assert hazards([], []) == []


def test_what_can_be_made_again_from_the_files_may_go() -> None:
    assert told(ENVIRONMENT, without(ENVIRONMENT, "PodDisruptionBudget wiki")) == []


# What is deleted


def gone(before: list[Object], after: list[Object]) -> list[str]:
    return [str(item) for item in deleted(before, after)]


def test_what_left_the_files_is_deleted_unless_it_is_kept() -> None:
    assert gone(ENVIRONMENT, without(ENVIRONMENT, "Service wiki", "PersistentVolumeClaim pages")) == ["Service wiki"]


@pytest.mark.parametrize("harmless", [{"prune": False}, {"suspend": True}])
def test_flux_deletes_nothing_where_it_is_told_to_leave_it(harmless: dict[str, Any]) -> None:
    before = [FLUX[0], kustomization("apps", "apps", **harmless), *WIKI]
    assert gone(before, without(before, "Service wiki")) == []
    assert told(before, without(before, "Service wiki")) == []


def test_a_flux_that_stands_still_deletes_nothing() -> None:
    assert gone(ENVIRONMENT, []) == []
    assert gone(ENVIRONMENT, FLUX) == []


def test_without_flux_what_left_the_files_is_taken_to_go() -> None:
    assert gone(WIKI, without(WIKI, "Service wiki")) == ["Service wiki"]


# Kustomizations


def test_a_kustomization_that_goes_takes_what_it_applied() -> None:
    after = without(ENVIRONMENT, "Kustomization apps")
    found = the_only(ENVIRONMENT, after, Risk.DELETED)
    assert found.detail == "3 objects"
    assert "among them Deployment `wiki`" in found.what
    assert "What stays is Namespace `wiki`, PersistentVolumeClaim `pages`" in found.what


def test_with_its_files_gone_as_well_it_is_said_once() -> None:
    assert told(ENVIRONMENT, FLUX[:1]) == ["deleted Kustomization apps"]


def test_a_kustomization_that_is_renamed_does_too() -> None:
    found = the_only(ENVIRONMENT, renamed(ENVIRONMENT, "Kustomization", "apps", "applications"), Risk.DELETED)
    assert found.what.startswith("It is called `applications` now.")
    assert any("deletionPolicy: Orphan" in step for step in found.steps)


@pytest.mark.parametrize("harmless", [{"prune": False}, {"deletionPolicy": "Orphan"}, {"suspend": True}])
def test_a_kustomization_that_leaves_its_objects_may_be_renamed(harmless: dict[str, Any]) -> None:
    before = [FLUX[0], kustomization("apps", "apps", **harmless), *WIKI]
    assert told(before, renamed(before, "Kustomization", "apps", "applications")) == []


@pytest.mark.parametrize("policy", ["Delete", "WaitForTermination"])
def test_a_policy_may_delete_what_prune_would_not(policy: str) -> None:
    before = [FLUX[0], kustomization("apps", "apps", prune=False, deletionPolicy=policy), *WIKI]
    assert told(before, without(before, "Kustomization apps")) == ["deleted Kustomization apps"]


def test_a_kustomization_takes_the_kustomizations_that_it_applied() -> None:
    above = [kustomization("root", "flux"), *ENVIRONMENT[1:]]
    found = the_only(above, above[1:], Risk.DELETED)
    assert found.detail == "4 objects"


def test_a_path_that_has_nothing_stops_flux() -> None:
    after = edited(ENVIRONMENT, "Kustomization", "apps", spec__path=f"./{ROOT}/applications")
    assert "`deploy/somewhere/applications` has nothing" in the_only(ENVIRONMENT, after, Risk.STOPPED).what


def test_a_path_that_moves_with_its_files_does_not() -> None:
    after = edited(ENVIRONMENT, "Kustomization", "apps", spec__path=f"./{ROOT}/applications")
    moved = [Object(item.document, "", item.path.replace("/apps/", "/applications/")) for item in after]
    assert told(ENVIRONMENT, moved) == []


def test_a_folder_that_is_renamed_without_its_path_stops_flux() -> None:
    after = [Object(item.document, "", item.path.replace("/apps/", "/applications/")) for item in ENVIRONMENT]
    assert told(ENVIRONMENT, after) == ["stopped Kustomization apps"]


def test_a_whole_tree_that_goes_stops_flux_and_deletes_nothing() -> None:
    assert told(ENVIRONMENT, []) == ["stopped Kustomization flux-system"]
    elsewhere = [Object(item.document, "", item.path.replace(ROOT, "deploy/elsewhere")) for item in ENVIRONMENT]
    assert told(ENVIRONMENT, elsewhere) == ["stopped Kustomization flux-system"]


def test_objects_that_move_to_another_kustomization_may_be_deleted_by_the_first() -> None:
    wiki = kustomization("wiki", "apps/wiki")
    shop = objects("{apiVersion: v1, kind: Service, metadata: {name: shop, namespace: shop}}", "apps/shop")
    found = the_only([*ENVIRONMENT, *shop], [*ENVIRONMENT, *shop, wiki], Risk.DELETED)
    assert str(found.item) == "Kustomization apps"
    assert "3 of its objects move to Kustomization `wiki`" in found.what


def test_objects_may_move_from_a_kustomization_that_deletes_nothing() -> None:
    before = [FLUX[0], kustomization("apps", "apps", prune=False), *WIKI]
    assert told(before, [*before, kustomization("wiki", "apps/wiki")]) == []


@pytest.mark.parametrize("field", ["targetNamespace", "namePrefix", "nameSuffix"])
def test_other_names_for_all_that_a_kustomization_applies(field: str) -> None:
    after = edited(ENVIRONMENT, "Kustomization", "apps", **{f"spec__{field}": "new"})
    assert told(ENVIRONMENT, after) == ["deleted Kustomization apps"]
    assert told(ENVIRONMENT, edited(ENVIRONMENT, "Kustomization", "apps", spec__interval="5m")) == []


# Namespaces


def test_an_app_that_goes_is_one_hazard() -> None:
    shop = objects("{apiVersion: v1, kind: Service, metadata: {name: shop, namespace: shop}}", "apps/shop")
    found = the_only([*ENVIRONMENT, *shop], [*FLUX, *shop], Risk.DELETED)
    assert str(found.item) == "Namespace wiki"
    assert "The namespace stays, with PersistentVolumeClaim `pages`." in found.what


def test_a_namespace_that_is_not_kept_takes_its_data() -> None:
    loose = edited(ENVIRONMENT, "Namespace", "wiki", metadata__annotations=None)
    found = the_only(loose, without(loose, "Namespace wiki"), Risk.LOST)
    assert "everything in it, made by Flux or by hand" in found.what


def test_a_namespace_that_is_renamed_starts_empty() -> None:
    after = [
        Object(
            {**item.document, "metadata": {**item.document["metadata"], "namespace": "docs"}},
            "",
            item.path,
        )
        if item.namespace == "wiki"
        else item
        for item in renamed(ENVIRONMENT, "Namespace", "wiki", "docs")
    ]
    found = the_only(ENVIRONMENT, after, Risk.LOST)
    assert "It is called `docs` now." in found.what
    assert "volumes empty" in found.what


# What takes more with it than itself


CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "a", "namespace": "wiki"},
    "spec": {},
}
OTHERS = {
    "deleted CustomResourceDefinition a": {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"},
    "deleted HelmRelease a": {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease"},
    "deleted Secret a": {"apiVersion": "v1", "kind": "Secret"},
    "lost PersistentVolume a": {"apiVersion": "v1", "kind": "PersistentVolume"},
    "lost PersistentVolumeClaim a": {"apiVersion": "v1", "kind": "PersistentVolumeClaim"},
}


@pytest.mark.parametrize("expected", OTHERS)
def test_what_takes_more_with_it_unless_it_is_kept(expected: str) -> None:
    loose = Object({**OTHERS[expected], "metadata": {"name": "a"}}, "", f"{ROOT}/apps/a.yaml")
    kept = Object({**OTHERS[expected], "metadata": {"name": "a", "annotations": KEEP}}, "", f"{ROOT}/apps/a.yaml")
    assert told([*ENVIRONMENT, loose], ENVIRONMENT) == [expected]
    assert told([*ENVIRONMENT, kept], ENVIRONMENT) == []


@pytest.mark.parametrize("annotation", ["prune: Disabled", "reconcile: disabled", "ssa: ignore"])
def test_flux_reads_its_annotations_in_any_case(annotation: str) -> None:
    key, value = annotation.split(": ")
    metadata = {"name": "a", "annotations": {f"kustomize.toolkit.fluxcd.io/{key}": value}}
    assert told([*ENVIRONMENT, Object({**CLAIM, "metadata": metadata}, "", f"{ROOT}/apps/a.yaml")], ENVIRONMENT) == []


@pytest.mark.parametrize(("kind", "name"), [("Namespace", "wiki"), ("PersistentVolumeClaim", "pages")])
def test_what_is_no_longer_kept_is_told_before_it_goes(kind: str, name: str) -> None:
    after = edited(ENVIRONMENT, kind, name, metadata__annotations=None)
    assert told(ENVIRONMENT, after) == [f"lost {kind} {name}"]
    assert told(after, ENVIRONMENT) == []


def test_a_volume_that_no_longer_outlives_its_claim() -> None:
    retained = objects("{apiVersion: v1, kind: PersistentVolume, metadata: {name: a}, spec: {nfs: {path: /a}}}")
    deleted = edited(retained, "PersistentVolume", "a", spec__persistentVolumeReclaimPolicy="Delete")
    assert told(retained, deleted) == ["lost PersistentVolume a"]
    assert told(deleted, retained) == []


# What stands still


SWITCHES = [
    ("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "suspend"),
    ("helm.toolkit.fluxcd.io/v2", "HelmRelease", "suspend"),
    ("source.toolkit.fluxcd.io/v1", "GitRepository", "suspend"),
    ("source.toolkit.fluxcd.io/v1", "OCIRepository", "suspend"),
    ("source.toolkit.fluxcd.io/v1", "HelmRepository", "suspend"),
    ("batch/v1", "CronJob", "suspend"),
    ("apps/v1", "Deployment", "paused"),
]


@pytest.mark.parametrize(("version", "kind", "field"), SWITCHES)
def test_what_is_switched_off_in_git(version: str, kind: str, field: str) -> None:
    sides = [
        Object(
            {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": {"path": ROOT, **spec}},
            "",
            f"{ROOT}/a.yaml",
        )
        for spec in ({}, {field: True})
    ]
    assert told(sides[:1], sides[1:]) == [f"stopped {kind} a"]
    assert told(sides[1:], sides[:1]) == []
    assert told(sides[1:], sides[1:]) == []


@pytest.mark.parametrize("annotation", ["reconcile: disabled", "ssa: Ignore"])
def test_what_flux_is_told_to_leave_alone(annotation: str) -> None:
    key, value = annotation.split(": ")
    after = edited(ENVIRONMENT, "Service", "wiki", metadata__annotations={f"kustomize.toolkit.fluxcd.io/{key}": value})
    assert told(ENVIRONMENT, after) == ["stopped Service wiki"]
    assert told(after, ENVIRONMENT) == []


def source(url: str = "ssh://git@git.acme.eu/platform", branch: str = "main", interval: str = "1m") -> list[Object]:
    spec = {"url": url, "ref": {"branch": branch}, "interval": interval}
    document = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "a"},
        "spec": spec,
    }
    return [*ENVIRONMENT, Object(document, "", f"{ROOT}/flux/a.yaml")]


def test_another_source_is_told_and_the_first_real_one_is_not() -> None:
    assert told(source(), source(url="ssh://git@git.acme.eu/other")) == ["stopped GitRepository a"]
    assert told(source(), source(branch="next")) == ["stopped GitRepository a"]
    assert told(source(), source(interval="5m")) == []
    assert told(source(url="ssh://git@git.example.com/a.git"), source()) == []


@pytest.mark.parametrize("field", ["releaseName", "targetNamespace", "storageNamespace"])
def test_a_release_under_another_name_is_another_release(field: str) -> None:
    before = objects("{apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, metadata: {name: a}, spec: {}}")
    assert told(before, edited(before, "HelmRelease", "a", **{f"spec__{field}": "b"})) == ["deleted HelmRelease a"]
    assert told(before, edited(before, "HelmRelease", "a", spec__interval="5m")) == []
