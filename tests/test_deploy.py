"""The committed tree: it is what the charts give, every object is valid, and every folder is whole.

Only the first test compiles; the others read YAML.
"""

from pathlib import PurePosixPath

import pytest

from facts.versions import pinned
from scripts.gate.schemas import kubernetes_version
from synth import ROOT
from synth.manifest import Document, load
from synth.publish import compare
from synth.tree import KUSTOMIZATION_FILE, Tree, is_generated
from tests.schemas import errors

DEPLOY = ROOT / "deploy"
FILES = sorted(path.relative_to(ROOT).as_posix() for path in DEPLOY.rglob("*.yaml"))
COMPONENTS = [path for path in FILES if path.endswith("/gotk-components.yaml")]
OBJECT_FILES = [path for path in FILES if not path.endswith(KUSTOMIZATION_FILE)]
# What `flux install --export` of Flux 2.9.4 gives, object by object, and the controllers' releases in it.
CONTROLLERS = {
    "source-controller": "v1.9.4",
    "kustomize-controller": "v1.9.4",
    "helm-controller": "v1.6.3",
    "notification-controller": "v1.9.3",
}
COMPONENTS_CONTENT = {
    "Namespace": {"flux-system"},
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
            for plural in (
                "buckets",
                "externalartifacts",
                "gitrepositories",
                "helmcharts",
                "helmrepositories",
                "ocirepositories",
            )
        ),
        "kustomizations.kustomize.toolkit.fluxcd.io",
        "helmreleases.helm.toolkit.fluxcd.io",
        *(f"{plural}.notification.toolkit.fluxcd.io" for plural in ("alerts", "providers", "receivers")),
    },
}


def documents(path: str) -> list[Document]:
    return load((ROOT / path).read_text("utf-8"))


def test_the_committed_tree_is_what_the_charts_give(platform: Tree) -> None:
    differences = compare(platform, ROOT)
    assert not differences, "\n".join(f"{d.path}: {d.state}\n{d.diff()}" for d in differences)


@pytest.mark.parametrize("path", OBJECT_FILES)
def test_every_object_is_valid(path: str) -> None:
    found = documents(path)
    assert found
    for document in found:
        assert errors(document) == []


def test_an_unknown_field_is_an_error_in_built_in_and_custom_kinds() -> None:
    deployment = documents("deploy/apps/graphwiki/deployment.yaml")[0]
    deployment["spec"]["template"]["spec"]["enableServiceLink"] = False
    assert "enableServiceLink" in errors(deployment)[0]
    route = documents("deploy/apps/graphwiki/virtualservice.yaml")[0]
    route["spec"]["http"][0]["timeOut"] = "1s"
    assert "timeOut" in errors(route)[0]
    sync = documents("deploy/flux/flux-system/gotk-sync.yaml")[0]
    sync["spec"]["interval"] = "1 minute"
    assert "1 minute" in errors(sync)[0]


def test_the_schemas_are_those_of_the_clusters_kubernetes() -> None:
    assert kubernetes_version().startswith("1.35.")


@pytest.mark.parametrize("path", [path for path in FILES if path not in COMPONENTS])
def test_a_generated_file_says_so_in_its_first_line(path: str) -> None:
    text = (ROOT / path).read_text("utf-8")
    assert is_generated(text)
    module = text.split(maxsplit=4)[3]
    assert (ROOT / module).is_file()


@pytest.mark.parametrize("path", [path for path in FILES if path.endswith(KUSTOMIZATION_FILE)])
def test_a_kustomization_lists_all_that_is_in_its_folder(path: str) -> None:
    folder = (ROOT / path).parent
    listed = documents(path)[0]["resources"]
    present = {entry.name for entry in folder.iterdir()} - {KUSTOMIZATION_FILE}
    assert len(listed) == len(set(listed))
    assert set(listed) == present


def test_every_folder_that_flux_applies_has_a_kustomization() -> None:
    roots = [DEPLOY, DEPLOY / "staging", DEPLOY / "production"]
    units = {root / name for root in roots for name in ("flux", "platform", "apps")}
    folders = {DEPLOY / PurePosixPath(path).relative_to("deploy").parent for path in FILES}
    assert units < folders
    for folder in folders:
        assert (folder / KUSTOMIZATION_FILE).is_file()


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
        found: dict[str, set[str]] = {}
        for document in documents(path):
            found.setdefault(document["kind"], set()).add(document["metadata"]["name"])
        assert found == COMPONENTS_CONTENT
        assert pinned("flux") == "2.9.4", "renew COMPONENTS_CONTENT and CONTROLLERS with the new release's"

    def test_has_the_four_controllers_with_their_rights(self, path: str) -> None:
        accounts = self.of(path, "ServiceAccount")
        bound = {
            subject["name"]
            for binding in self.of(path, "ClusterRoleBinding").values()
            for subject in binding["subjects"]
        }
        for name, deployment in self.of(path, "Deployment").items():
            pod = deployment["spec"]["template"]["spec"]
            assert pod["containers"][0]["image"] == f"ghcr.io/fluxcd/{name}:{CONTROLLERS[name]}"
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
