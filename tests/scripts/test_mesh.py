"""Istio in a cluster of the tests: what is installed is what the page says, for each environment."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from facts.environments import ENVIRONMENTS, Environment
from scripts.gate.node import programs
from scripts.gate.node.charts import PAGE, Release
from scripts.gate.node.mesh import CHARTS, LOCAL_VALUES, releases
from synth import ROOT, ToolError
from tests.environments import MANAGED
from tests.stand_ins import StandIns, fails, says

LINES = (
    "helm repo add istio https://example.com/charts",
    "helm upgrade --kube-context $CONTEXT --install base istio/base --wait --version 1 --namespace mesh --set a.b=c",
    "helm upgrade --kube-context $CONTEXT --install cni istio/cni --wait --version 1 --namespace mesh",
    "helm upgrade --kube-context $CONTEXT --install istiod istio/istiod --wait --version 1 --namespace mesh "
    "--values infra/environments/$ENV.yaml --values infra/managed/istiod.yaml",
    "helm upgrade --kube-context $CONTEXT --install way-in istio/gateway --wait --namespace mesh",
    "helm upgrade --kube-context $CONTEXT --install other jetstack/other --namespace other",
)


def page(*lines: str) -> str:
    return "".join(f"$ {line}\n" for line in lines)


def test_what_the_page_installs_is_installed_with_its_values() -> None:
    base, _, istiod, way_in = releases(MANAGED, page(*LINES))
    assert base == Release("base", "istio/base", "mesh", ("--set", "a.b=c"))
    environment = f"infra/environments/{MANAGED.name}.yaml"
    assert istiod.values == ("--values", environment, "--values", "infra/managed/istiod.yaml")
    assert (way_in.name, way_in.values) == ("way-in", ())


def test_a_k3d_cluster_has_not_the_values_of_a_managed_one() -> None:
    cluster = replace(MANAGED, context="k3d-one", kubernetes=None)
    istiod = releases(cluster, page(*LINES))[2]
    assert "infra/managed/istiod.yaml" not in istiod.values
    assert "pilot.cni.enabled=true" in istiod.values


@pytest.mark.parametrize("setting", LOCAL_VALUES)
def test_the_local_cluster_has_what_terraform_gives_istiod(setting: str) -> None:
    text = (ROOT / "infra/local/istio.tf").read_text("utf-8")
    block = text.partition('resource "helm_release" "istiod"')[2].partition("\nresource ")[0]
    keys, _, value = setting.partition("=")
    above, last = keys.split(".")[-2:]
    assert re.search(rf'\b{above} = {{ {last} = "?{value}"? }}', block), block


def test_a_page_that_leaves_out_a_chart_or_has_another_order_is_refused() -> None:
    for lines in (LINES[:4], (LINES[2], LINES[1], *LINES[3:])):
        with pytest.raises(ToolError, match=r"^docs/environments\.md has no command for each of istio/base, "):
            releases(MANAGED, page(*lines))


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda item: item.name)
def test_every_environment_has_them_and_their_values_are_there(environment: Environment) -> None:
    found = releases(environment, PAGE.read_text("utf-8"))
    assert [release.chart for release in found] == list(CHARTS)
    files = [value for release in found for value in release.values if value.endswith(".yaml")]
    assert files
    assert all((ROOT / file).exists() for file in files)


def test_a_program_has_the_libraries_that_it_is_linked_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = StandIns(tmp_path / "bin")
    library = tmp_path / "lib.so.6"
    library.touch()
    said = f"\tlinux-vdso.so.1 (0x7ff)\n\tlib.so.6 => {library} (0x7f)\n\t{library} (0x7f)\n"
    tools.put("ldd", says(said))
    monkeypatch.setenv("PATH", tools.path)
    assert programs.libraries(tmp_path / "program") == {str(library): library}


@pytest.mark.parametrize("script", [says("\tlib.so.6 => not found"), fails("not a dynamic executable")])
def test_a_program_that_does_not_run_here_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    tools = StandIns(tmp_path / "bin")
    tools.put("ldd", script)
    monkeypatch.setenv("PATH", tools.path)
    with pytest.raises(ToolError, match=r"^envoy does not run on this machine: "):
        programs.libraries(tmp_path / "envoy")
