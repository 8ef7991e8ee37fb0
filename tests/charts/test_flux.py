"""Flux's source and Kustomizations."""

from pathlib import Path

from facts.environments import LOCAL
from synth.manifest import load
from tests.deployed import DEPLOY, the

FOLDER = "flux/flux-system"


def test_its_folder_keeps_the_names_of_flux() -> None:
    assert {path.name for path in (DEPLOY / FOLDER).iterdir()} == {
        "gotk-components.yaml",
        "gotk-sync.yaml",
        "platform.yaml",
        "apps.yaml",
        "kustomization.yaml",
    }


def test_the_source_is_this_repository_over_ssh() -> None:
    assert the(FOLDER, "GitRepository", "flux-system")["spec"] == {
        "interval": "1m",
        "ref": {"branch": LOCAL.git_branch},
        "secretRef": {"name": "flux-system"},
        "url": LOCAL.git_url,
    }
    assert LOCAL.git_url.startswith("ssh://")


def test_apps_come_after_the_platform() -> None:
    assert the(FOLDER, "Kustomization", "apps")["spec"]["dependsOn"] == [{"name": "platform"}]
    assert "dependsOn" not in the(FOLDER, "Kustomization", "platform")["spec"]


def test_each_applies_its_folder_prunes_and_tries_again() -> None:
    for name, path in (("flux-system", "flux"), ("platform", "platform"), ("apps", "apps")):
        spec = the(FOLDER, "Kustomization", name)["spec"]
        assert spec["path"] == f"./deploy/{path}"
        assert (DEPLOY.parent / Path(spec["path"]) / "kustomization.yaml").is_file()
        assert spec["sourceRef"] == {"kind": "GitRepository", "name": "flux-system"}
        assert spec["prune"] is True
        assert (spec["interval"], spec["retryInterval"], spec["timeout"]) == ("10m", "1m", "5m")


def test_platform_and_apps_wait_for_what_they_apply_but_flux_does_not_wait_for_itself() -> None:
    waits = {name: the(FOLDER, "Kustomization", name)["spec"]["wait"] for name in ("flux-system", "platform", "apps")}
    assert waits == {"flux-system": False, "platform": True, "apps": True}


def test_fluxs_namespace_and_crds_survive_a_mistaken_prune() -> None:
    kustomization = load((DEPLOY / FOLDER / "kustomization.yaml").read_text("utf-8"))[0]
    patched = {patch["target"]["kind"]: load(patch["patch"])[0] for patch in kustomization["patches"]}
    assert set(patched) == {"Namespace", "CustomResourceDefinition"}
    for patch in patched.values():
        assert patch["metadata"]["annotations"] == {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
