"""Flux's source and Kustomizations, in every environment."""

from pathlib import Path

import pytest

from facts.environments import ENVIRONMENTS, Environment
from facts.layout import CERTIFICATES, COMPONENTS_FILE, FLUX_FOLDER, SYNC_FILE, SYNC_NAME, UNITS
from scripts.cluster.deployed import controllers
from synth.manifest import Document
from tests.deployed import APPS, DEPLOY, objects, root, the


@pytest.fixture(params=ENVIRONMENTS, ids=lambda environment: str(environment.name))
def environment(request: pytest.FixtureRequest) -> Environment:
    found: Environment = request.param
    return found


def folder(environment: Environment) -> str:
    return f"{root(environment)}{FLUX_FOLDER}"


def kustomizations(environment: Environment) -> dict[str, Document]:
    found = [item for item in objects(folder(environment)) if item["kind"] == "Kustomization"]
    return {item["metadata"]["name"]: item["spec"] for item in found}


def test_its_folder_has_the_files_that_flux_itself_expects(environment: Environment) -> None:
    assert {COMPONENTS_FILE, SYNC_FILE, "kustomization.yaml"} <= {
        path.name for path in (DEPLOY / folder(environment)).iterdir()
    }


def test_the_source_is_the_environments_repository_and_its_branch_or_tags(environment: Environment) -> None:
    spec = the(folder(environment), "GitRepository", SYNC_NAME)["spec"]
    followed = {"semver": f"{environment.tags.line}.x"} if environment.tags else {"branch": environment.git_branch}
    assert (spec["url"], spec["ref"]) == (environment.git_url, followed)
    assert spec["secretRef"] == {"name": SYNC_NAME}


def test_every_unit_of_the_tree_is_applied_from_its_folder_pruned_and_tried_again(environment: Environment) -> None:
    found = kustomizations(environment)
    paths = {spec["path"] for spec in found.values()}
    apps = {f"apps/{app}" for app in APPS}
    without = {"apps"} if environment.tls else {"apps", CERTIFICATES}
    assert {f"./{environment.path}/{unit}" for unit in {*UNITS, *apps} - without} == paths
    for spec in found.values():
        assert (DEPLOY.parent / Path(spec["path"]) / "kustomization.yaml").is_file()
        assert spec["sourceRef"] == {"kind": "GitRepository", "name": SYNC_NAME}
        assert spec["prune"] is True
        assert {"interval", "retryInterval", "timeout"} <= spec.keys()


def test_apps_come_after_the_platform_and_flux_does_not_wait_for_itself(environment: Environment) -> None:
    found = kustomizations(environment)
    for app in APPS:
        assert found[app]["dependsOn"] == [{"name": "platform"}]
    assert "dependsOn" not in found["platform"]
    assert {name: spec["wait"] for name, spec in found.items()} == {name: name != SYNC_NAME for name in found}


def test_a_certificate_that_cannot_be_issued_holds_back_nothing_and_is_told(environment: Environment) -> None:
    found = kustomizations(environment)
    assert (CERTIFICATES in found) == (environment.tls is not None)
    assert all({"name": CERTIFICATES} not in spec.get("dependsOn", []) for spec in found.values())
    judged = {item["kind"]: item["current"] for item in found.get(CERTIFICATES, {}).get("healthCheckExprs", [])}
    assert judged.keys() == ({"Certificate", "ClusterIssuer"} if environment.tls else set())
    assert all("'Ready'" in expression for expression in judged.values())


@pytest.fixture
def installed(environment: Environment) -> list[Document]:
    """Flux's own objects as they apply themselves."""
    return controllers(DEPLOY.parent / environment.path)


def test_fluxs_namespace_and_crds_survive_a_mistaken_prune(installed: list[Document]) -> None:
    found = {item["kind"]: item for item in installed if item["kind"] in ("Namespace", "CustomResourceDefinition")}
    assert len(found) == 2
    for item in installed:
        kept = item["metadata"].get("annotations", {}).get("kustomize.toolkit.fluxcd.io/prune") == "disabled"
        assert kept == (item["kind"] in found)


def test_its_controllers_are_locked(installed: list[Document]) -> None:
    """https://fluxcd.io/flux/installation/configuration/multitenancy/#how-to-configure-flux-multi-tenancy."""
    found = {item["metadata"]["name"]: item for item in installed if item["kind"] == "Deployment"}
    told = {
        "--no-cross-namespace-refs=true": {"kustomize-controller", "helm-controller", "notification-controller"},
        "--no-remote-bases=true": {"kustomize-controller"},
        "--default-service-account=default": {"kustomize-controller", "helm-controller"},
    }
    for flag, names in told.items():
        assert {name for name, item in found.items() if flag in _arguments(item)} == names


def _arguments(deployment: Document) -> list[str]:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    arguments: list[str] = container["args"]
    return arguments
