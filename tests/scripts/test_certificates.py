"""Certificates in a cluster of the tests: cert-manager as the page installs it, and who it asks."""

from pathlib import Path

import pytest

from facts.environments import ENVIRONMENTS, Environment
from facts.versions import pinned
from scripts.gate.node import certificates, charts
from scripts.gate.node.node import Node
from synth import ROOT, ToolError
from synth.manifest import load
from tests.environments import MANAGED

ISSUERS = """
kind: ClusterIssuer
metadata: {name: acme}
spec: {acme: {server: "https://acme.example.org/directory"}}
---
kind: ClusterIssuer
metadata: {name: own}
spec: {selfSigned: {}}
---
kind: Certificate
metadata: {name: wiki}
spec: {dnsNames: [wiki.example.com]}
"""


def test_the_servers_are_those_that_the_tree_names() -> None:
    assert certificates.hosts(load(ISSUERS)) == ["acme.example.org"]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda item: item.name)
def test_who_has_certificates_asks_one_server(environment: Environment) -> None:
    texts = (ROOT / environment.path).rglob("*.yaml") if environment.tls else ()
    objects = [item for file in texts for item in load(file.read_text("utf-8")) if "metadata" in item]
    assert bool(certificates.hosts(objects)) == bool(environment.tls)


def test_the_page_installs_the_pinned_one_in_its_namespace() -> None:
    found = charts.releases(MANAGED, charts.PAGE.read_text("utf-8"))
    (release,) = (release for release in found if release.chart == certificates.CHART)
    assert release.namespace == "cert-manager"
    assert f"{certificates.CHART} --wait --version {pinned('cert-manager')} " in charts.PAGE.read_text("utf-8")


def test_a_page_without_its_command_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "environments.md"
    page.write_text("$ helm upgrade --install base istio/base --namespace mesh\n", "utf-8")
    monkeypatch.setattr(charts, "PAGE", page)
    with pytest.raises(ToolError, match=r"^docs/environments\.md has 0 commands for jetstack/cert-manager, and should"):
        certificates.install(Node(tmp_path / "kubernetes", tmp_path), MANAGED)
