"""The committed tree: it is what the charts give, every object is valid, and every folder is whole.

Only the first test compiles; the others read YAML.
"""

import re
from copy import deepcopy
from functools import cache
from pathlib import PurePosixPath

import pytest
from kubernetes_validate.utils import all_versions

from facts.environments import ENVIRONMENTS
from facts.layout import CERTIFICATES, COMPONENTS_FILE, SYNC_NAME, UNITS
from facts.versions import kubernetes_minor, kubernetes_version, pinned
from scripts.gate.node.programs import CONTROLLERS
from synth import ROOT
from synth.manifest import Document, load
from synth.publish import compare
from synth.schemas import errors, has_schema
from synth.tree import KUSTOMIZATION_FILE, Tree, is_generated

DEPLOY = ROOT / "deploy"
FILES = sorted(path.relative_to(ROOT).as_posix() for path in DEPLOY.rglob("*.yaml"))
COMPONENTS = [path for path in FILES if path.endswith(f"/{COMPONENTS_FILE}")]
DEEPEST_FIRST = sorted(ENVIRONMENTS, key=lambda environment: -len(environment.path))
OBJECT_FILES = [path for path in FILES if not path.endswith(KUSTOMIZATION_FILE)]
# What `flux install --export` gives for the controllers that the platform needs, whatever the version.
COMPONENTS_CONTENT = {
    "Namespace": {SYNC_NAME},
    "NetworkPolicy": {"allow-egress", "allow-scraping", "allow-webhooks"},
    "ResourceQuota": {"critical-pods-flux-system"},
    "ClusterRole": {"crd-controller-flux-system", "flux-edit-flux-system", "flux-view-flux-system"},
    "ClusterRoleBinding": {"cluster-reconciler-flux-system", "crd-controller-flux-system"},
    "ServiceAccount": set(CONTROLLERS),
    "Service": {"source-controller", "notification-controller", "webhook-receiver"},
    "Deployment": set(CONTROLLERS),
    "CustomResourceDefinition": {
        *(
            f"{plural}.source.toolkit.fluxcd.io"
            for plural in ("buckets", "gitrepositories", "helmcharts", "helmrepositories", "ocirepositories")
        ),
        "kustomizations.kustomize.toolkit.fluxcd.io",
        "helmreleases.helm.toolkit.fluxcd.io",
        *(f"{plural}.notification.toolkit.fluxcd.io" for plural in ("alerts", "providers", "receivers")),
    },
}


@cache
def documents(path: str) -> list[Document]:
    return load((ROOT / path).read_text("utf-8"))


def a_committed(kind: str) -> Document:
    """An object of a kind, whichever, to change."""
    return deepcopy(next(item for path in OBJECT_FILES for item in documents(path) if item["kind"] == kind))


def test_the_committed_tree_is_what_the_charts_give(platform: Tree) -> None:
    differences = compare(platform, ROOT)
    assert not differences, "\n".join(f"{d.path}: {d.state}\n{d.diff()}" for d in differences)


def test_every_object_is_valid() -> None:
    found = {path: documents(path) for path in OBJECT_FILES}
    assert [path for path, objects in found.items() if not objects] == []
    for path, objects in found.items():
        minors = next(environment.minors for environment in DEEPEST_FIRST if path.startswith(f"{environment.path}/"))
        for item, minor in ((item, minor) for item in objects for minor in minors):
            assert has_schema(item, minor), f"{path}: there is no schema of {item['apiVersion']} {item['kind']}"
            assert errors(item, minor) == [], path


def test_an_unknown_field_is_an_error_in_built_in_and_custom_kinds() -> None:
    deployment = a_committed("Deployment")
    deployment["spec"]["template"]["spec"]["enableServiceLink"] = False
    wrong = "spec.template.spec has no field enableServiceLink: did you mean enableServiceLinks?"
    assert errors(deployment, kubernetes_minor()) == [wrong]
    route = a_committed("VirtualService")
    route["spec"]["http"][0]["timeOut"] = "1s"
    assert errors(route, kubernetes_minor()) == ["spec.http.0 has no field timeOut: did you mean timeout?"]
    sync = a_committed("GitRepository")
    sync["spec"]["interval"] = "1 minute"
    assert "1 minute" in errors(sync, kubernetes_minor())[0]


def test_there_are_schemas_of_the_clusters_kubernetes() -> None:
    minor = [version.rpartition(".")[0] for version in all_versions()]
    assert kubernetes_version().rpartition(".")[0] in minor


def test_a_generated_file_says_so_and_from_what_in_its_first_line() -> None:
    for path in FILES:
        if path not in COMPONENTS:
            text = (ROOT / path).read_text("utf-8")
            assert is_generated(text), path
            assert (ROOT / text.split(maxsplit=4)[3]).is_file(), path


def test_a_kustomization_lists_all_that_is_in_its_folder() -> None:
    for path in FILES:
        if path.endswith(KUSTOMIZATION_FILE):
            listed = documents(path)[0]["resources"]
            present = {entry.name for entry in (ROOT / path).parent.iterdir()} - {KUSTOMIZATION_FILE}
            assert sorted(listed) == sorted(present), path


def test_every_folder_that_flux_applies_has_a_kustomization() -> None:
    units = {
        ROOT / environment.path / unit
        for environment in ENVIRONMENTS
        for unit in UNITS
        if environment.tls or unit != CERTIFICATES
    }
    folders = {(ROOT / path).parent for path in FILES}
    assert units < folders
    assert [folder for folder in folders if not (folder / KUSTOMIZATION_FILE).is_file()] == []


def test_a_namespace_comes_first_in_its_folder() -> None:
    for path in FILES:
        if path.endswith("/namespace.yaml"):
            kustomization = documents(str(PurePosixPath(path).with_name(KUSTOMIZATION_FILE)))[0]
            assert kustomization["resources"][0] == "namespace.yaml"


@pytest.mark.parametrize("path", COMPONENTS)
class TestFluxComponents:
    """gotk-components.yaml: whole, of the pinned version, without descriptions."""

    def of(self, path: str, kind: str) -> dict[str, Document]:
        return {found["metadata"]["name"]: found for found in documents(path) if found["kind"] == kind}

    def test_is_of_the_pinned_version(self, path: str) -> None:
        version = f"v{pinned('flux')}"
        assert f"# Flux Version: {version}\n" in (ROOT / path).read_text("utf-8")
        for document in documents(path):
            labels = document["metadata"].get("labels", {})
            assert labels.get("app.kubernetes.io/version") == version

    def test_is_whole(self, path: str) -> None:
        for kind, names in COMPONENTS_CONTENT.items():
            assert self.of(path, kind).keys() >= names
        (components,) = re.findall(r"^# Components: (.+)$", (ROOT / path).read_text("utf-8"), re.MULTILINE)
        assert set(components.split(",")) == self.of(path, "Deployment").keys()

    def test_each_controller_is_a_release_and_has_its_rights(self, path: str) -> None:
        accounts = self.of(path, "ServiceAccount")
        bound = {
            subject["name"]
            for binding in self.of(path, "ClusterRoleBinding").values()
            for subject in binding["subjects"]
        }
        for name, deployment in self.of(path, "Deployment").items():
            pod = deployment["spec"]["template"]["spec"]
            assert re.fullmatch(rf"ghcr\.io/fluxcd/{name}:v\d+\.\d+\.\d+", pod["containers"][0]["image"])
            assert pod["serviceAccountName"] in accounts
            assert pod["serviceAccountName"] in bound
        roles = self.of(path, "ClusterRole")
        for binding in self.of(path, "ClusterRoleBinding").values():
            assert binding["roleRef"]["name"] in {*roles, "cluster-admin"}

    def test_has_the_crds_of_every_kind_that_we_use(self, path: str) -> None:
        served = {
            (crd["spec"]["group"], version["name"], crd["spec"]["names"]["kind"])
            for crd in self.of(path, "CustomResourceDefinition").values()
            for version in crd["spec"]["versions"]
            if version["served"]
        }
        used = {
            (*document["apiVersion"].split("/"), document["kind"])
            for file in OBJECT_FILES
            if file not in COMPONENTS
            for document in documents(file)
            if "fluxcd.io/" in document["apiVersion"]
        }
        assert used
        assert used <= served

    def test_its_crds_have_no_descriptions_and_are_otherwise_those_of_imports(self, path: str) -> None:
        crds = self.of(path, "CustomResourceDefinition")
        for file in ("source.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io"):
            for cut in documents(f"imports/crds/{file}.yaml"):
                whole = crds[cut["metadata"]["name"]]["spec"]
                schemas = {version["name"]: version["schema"] for version in whole["versions"]}
                assert cut["spec"]["versions"][0]["schema"] == schemas["v1"]
