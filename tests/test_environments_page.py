"""What docs/environments.md says is so."""

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from charts.shapes.route import HEARSAY
from facts import environments as values
from facts.environments import ENVIRONMENTS, PRODUCTION, STAGING, Environment
from facts.provided import INGRESS_GATEWAY
from facts.versions import pinned
from scripts.definition import environments as commands
from scripts.definition.environments import DOCUMENT, HELM_VALUES, ROWS, differing, helm_values, table, with_table
from synth import ROOT, DefinitionError
from tests.environments import EXAMPLE
from tests.scripts.desk import Desk

PAGE = DOCUMENT.read_text("utf-8")


def test_its_table_is_that_of_the_environments() -> None:
    assert with_table(PAGE) == PAGE, "run `./gw environments --write`"


def test_the_command_prints_the_same_table(desk: Desk) -> None:
    ended = desk.run("environments")
    assert (ended.code, ended.out) == (0, table())


def test_helm_gets_what_the_environments_say() -> None:
    assert differing() == [], "run `./gw environments --write`"
    for environment in ENVIRONMENTS:
        values = yaml.safe_load((HELM_VALUES / f"{environment.name}.yaml").read_text("utf-8"))
        assert values == {"global": {"hub": environment.istio_hub}}


def test_writing_renews_helms_values_and_keeps_a_persons_own_file(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, page = tmp_path / "environments", tmp_path / "page.md"
    elsewhere.mkdir()
    page.write_text(PAGE, "utf-8")
    (elsewhere / "gone.yaml").write_text(helm_values(replace(STAGING, name="gone")), "utf-8")
    (elsewhere / "own.yaml").write_text("global: {}\n", "utf-8")
    mirrored = replace(STAGING, istio_hub="registry.example.com:5000/mirror/istio")
    monkeypatch.setattr(commands, "HELM_VALUES", elsewhere)
    monkeypatch.setattr(commands, "DOCUMENT", page)
    monkeypatch.setattr(commands, "ENVIRONMENTS", (mirrored,))
    assert [file.name for file in differing()] == ["gone.yaml", "own.yaml", "staging.yaml"]
    assert desk.run("environments", "--write").code == 0
    assert [file.name for file in differing()] == ["own.yaml"]
    assert yaml.safe_load((elsewhere / "staging.yaml").read_text("utf-8"))["global"]["hub"] == mirrored.istio_hub
    assert mirrored.istio_hub in page.read_text("utf-8")


def test_every_chart_that_names_an_image_is_told_the_hub_and_nothing_else_tells_it() -> None:
    hub = "--values infra/environments/$ENV.yaml"
    told = {chart for chart, options in re.findall(r"helm upgrade .* istio/(\w+) (.*)", PAGE) if hub in options}
    # The chart base has no pods, and the gateway's get their image from istiod.
    assert told == {"cni", "istiod"}
    for file in (ROOT / "infra/managed").iterdir():
        values = yaml.safe_load(file.read_text("utf-8"))
        assert "hub" not in {*values, *values.get("global", {})}


def test_a_page_without_the_marks_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"docs/environments.md: lines <!-- begin: .* mark the table's place"):
        with_table("# Environments\n")


def test_it_lists_exactly_the_values_to_set() -> None:
    section = PAGE.partition("## Values to set")[2].partition("##")[0]
    named = re.findall(r"^\| `([A-Z_]+)` \|", section, re.MULTILINE)
    assert named == list(EXAMPLE.examples)
    assert all(hasattr(values, name) for name in named)


def test_what_helm_installs_is_of_the_pinned_versions() -> None:
    installed = dict(re.findall(r"helm upgrade --kube-context \$CONTEXT --install (\S+) .*?--version (\S+)", PAGE))
    assert installed == {
        "istio-base": pinned("istio"),
        "istio-cni": pinned("istio"),
        "istiod": pinned("istio"),
        "istio-ingress": pinned("istio"),
        "cert-manager": pinned("cert-manager"),
    }


def test_istiod_knows_the_gateway_that_the_challenges_come_through() -> None:
    configuration = yaml.safe_load((ROOT / "infra/managed/istiod.yaml").read_text("utf-8"))
    assert configuration["meshConfig"]["ingressSelector"] == INGRESS_GATEWAY.labels["istio"]
    assert configuration["meshConfig"]["ingressService"] == "istio-ingress"
    assert configuration["pilot"] == {"cni": {"enabled": True}, "autoscaleMin": 2}
    assert configuration["global"] == {"proxy": {"seccompProfile": {"type": "RuntimeDefault"}}}


def test_a_drain_takes_one_of_the_gateways_pods_and_never_the_last() -> None:
    configuration = yaml.safe_load((ROOT / "infra/managed/istio-ingress.yaml").read_text("utf-8"))
    assert configuration["autoscaling"]["minReplicas"] == 2
    assert configuration["podDisruptionBudget"] == {"maxUnavailable": 1}
    (spread,) = configuration["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == INGRESS_GATEWAY.labels


def gateways_values(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of a file of values for the gateway: its Service, and the topology that its pods are told."""
    values = yaml.safe_load((ROOT / "infra/managed" / name).read_text("utf-8"))
    told = values.get("podAnnotations", {}).get("proxy.istio.io/config", "gatewayTopology: {}")
    return values.get("service") or {}, yaml.safe_load(told)["gatewayTopology"]


def test_the_gateway_sees_the_visitor_whatever_is_in_front_of_it() -> None:
    # By itself it believes no header, and no node may hide the address.
    service, topology = gateways_values("istio-ingress.yaml")
    assert (service["externalTrafficPolicy"], topology) == ("Local", {})
    # The names are those of Topology: https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/
    _, topology = gateways_values("behind-http-proxies.yaml")
    assert topology.keys() == {"numTrustedProxies"}
    assert topology["numTrustedProxies"] >= 1
    _, topology = gateways_values("proxy-protocol.yaml")
    assert topology == {"proxyProtocol": {}}


def test_the_page_names_every_file_of_values() -> None:
    for path in (ROOT / "infra/managed").iterdir():
        assert f"infra/managed/{path.name}" in PAGE


def test_the_page_names_the_headers_that_are_removed() -> None:
    sentence = PAGE.partition("every app's route removes")[2].partition(". The test app")[0]
    named = re.findall(r"`([\w-]+)`", sentence)
    full = [f"X-Forwarded{name}" if name.startswith("-") else name for name in named]
    assert [name.lower() for name in full] == list(HEARSAY)


def test_every_fact_of_an_environment_is_in_the_table() -> None:
    asked: set[str] = set()

    class Watched:
        def __getattr__(self, name: str) -> object:
            asked.add(name)
            # What is worked out from facts asks for them in its turn.
            worked_out = getattr(Environment, name, None)
            return worked_out.__get__(self) if isinstance(worked_out, property) else getattr(PRODUCTION, name)

    for of in ROWS.values():
        of(Watched())  # type: ignore[arg-type]
    # The hosts are read from the routes, which the domain is part of.
    assert {field.name for field in fields(PRODUCTION)} - asked == {"name", "domain"}


def test_its_links_and_contexts_are_there() -> None:
    for path in re.findall(r"\]\((?!http)([^)]+)\)", PAGE):
        assert (DOCUMENT.parent / path.partition("#")[0]).exists(), path
    contexts = set(re.findall(r"--(?:kube-)?context (\S+)", PAGE))
    assert contexts == {"$CONTEXT"}
