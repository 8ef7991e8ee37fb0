"""Environments: what they refuse, their tiers, and that charts ask for facts alone."""

import ast
from dataclasses import fields, replace
from pathlib import Path

import pytest

from facts import environments as module
from facts.environments import ENVIRONMENTS, Acme, Environment, Tier
from facts.layout import UNITS, root_of
from tests.environments import EXAMPLE, MANAGED, PLAIN

CHARTS = Path(__file__).parent.parent.parent / "charts"
NAMES = tuple(environment.name for environment in ENVIRONMENTS)
KNOWS_THE_NAMES = ("compose.py",)


def test_a_fact_that_cannot_be_one_is_told_with_the_environment() -> None:
    with pytest.raises(
        ValueError, match=r"^Environment managed: domain 'https://wiki' is no domain: wiki\.example\.com is one"
    ):
        replace(MANAGED, domain="https://wiki")
    for full, short in ((f"wiki.{MANAGED.domain}", "wiki"), (MANAGED.domain, "")):
        with pytest.raises(
            ValueError, match=rf"the host {full} ends with the domain of managed already: write '{short}'"
        ):
            MANAGED.host(full)
    with pytest.raises(ValueError, match="Acme: email 'platform' is no address"):
        Acme("https://acme.test/directory", "platform")


@pytest.mark.parametrize("unit", UNITS)
def test_a_tree_cannot_lie_inside_the_one_at_the_root(unit: str) -> None:
    with pytest.raises(ValueError, match=f"plain: path deploy/{unit} is part of the tree at deploy: choose another"):
        replace(PLAIN, path=f"deploy/{unit}")


def test_a_cluster_of_k3d_runs_the_pinned_kubernetes_and_no_other() -> None:
    with pytest.raises(ValueError, match=r"^plain: k3d runs the k3s of versions\.yaml: leave kubernetes 1\.9 out$"):
        replace(PLAIN, context="k3d-plain", kubernetes="1.9")
    assert replace(PLAIN, context="plain", kubernetes="1.9").kubernetes == "1.9"


def test_a_cluster_is_upgraded_one_minor_version_at_a_time() -> None:
    cluster = replace(PLAIN, context="plain", kubernetes="1.9")
    assert cluster.minors == ("1.9",)
    assert replace(cluster, kubernetes_next="1.10").minors == ("1.9", "1.10")
    for wrong in ("1.8", "1.9", "1.11"):
        with pytest.raises(ValueError, match=f"^plain: kubernetes_next is {wrong}, .* from 1.9 to 1.10, one minor"):
            replace(cluster, kubernetes_next=wrong)
    with pytest.raises(ValueError, match=r"^plain: a cluster of k3d is made anew and never upgraded: leave"):
        replace(PLAIN, context="k3d-plain", kubernetes_next="1.36")


@pytest.mark.parametrize("port", [80, 443])
def test_a_gateway_has_its_own_ports_anyway(port: int) -> None:
    with pytest.raises(ValueError, match=f"^plain: port {port} is one that every gateway has: leave it out of gateway"):
        replace(PLAIN, gateway_ports=(5432, port))


def test_a_port_of_the_gateway_is_none_of_its_proxy() -> None:
    with pytest.raises(ValueError, match=r"^plain: port 15090 is one that Istio's proxy itself may listen on"):
        replace(PLAIN, gateway_ports=(15090,))


def test_browsers_trust_what_people_work_with() -> None:
    rehearsal = Acme("https://acme-staging.test/directory", "platform@managed.test")
    with pytest.raises(ValueError, match=r"^managed: no browser trusts the certificates of https://acme-staging"):
        replace(MANAGED, tls=rehearsal)
    assert replace(MANAGED, tls=rehearsal, digests=False).tls == rehearsal
    assert replace(MANAGED, tls=rehearsal, tier=Tier.MEDIUM).tls == rehearsal


def test_a_larger_tier_has_no_fewer_bytes() -> None:
    with pytest.raises(ValueError, match="the sizes by tier are 20Gi, 5Gi, where a larger tier has less"):
        Tier.SMALL.of(small="20Gi", full="5Gi")
    assert Tier.FULL.of(small="1024Mi", full="1Gi") == "1Gi"
    assert Tier.FULL.of(small="true", medium="false") == "false"


def test_a_size_is_that_of_the_tier_or_of_the_one_below() -> None:
    assert [tier.of(small=1, medium=2, full=3) for tier in Tier] == [1, 2, 3]
    assert [tier.of(small=1, full=3) for tier in Tier] == [1, 1, 3]
    assert [tier.of(small=1, medium=2) for tier in Tier] == [1, 2, 2]
    assert [tier.of(small=1) for tier in Tier] == [1, 1, 1]


def test_a_host_is_below_the_domain_or_the_domain_itself() -> None:
    assert (PLAIN.host("wiki"), PLAIN.host("")) == ("wiki.plain.test", "plain.test")


@pytest.mark.parametrize("fact", ["name", "path", "context"])
def test_no_two_environments_share_a(fact: str) -> None:
    assert len({getattr(environment, fact) for environment in ENVIRONMENTS}) == len(ENVIRONMENTS)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: str(environment.name))
def test_the_tree_of_a_path_is_the_environments(environment: Environment) -> None:
    for below in (*UNITS, "README.md"):
        assert root_of(f"{environment.path}/{below}") == environment.path


class TestExamples:
    """The values that a person must set before a roll-out."""

    def test_each_value_of_an_example_domain_is_listed(self) -> None:
        assert set(EXAMPLE.examples) == {"DOMAIN", "GIT_URL", "REGISTRY", "ACME_EMAIL", "STORAGE_CLASS"}
        assert EXAMPLE.examples["DOMAIN"] == "wiki.example.com"

    def test_none_is_listed_once_all_are_set(self) -> None:
        assert MANAGED.examples == {}
        assert replace(MANAGED, domain="wiki.myexample.com").examples == {}

    @pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: str(environment.name))
    def test_no_example_is_overlooked(self, environment: Environment) -> None:
        texts = [str(getattr(environment, field.name)) for field in fields(environment)]
        examples = [text for text in texts if module.EXAMPLE.search(text)]
        assert len(examples) == len(environment.examples)


def names_known(source: str) -> list[str]:
    """What in a module has to do with the name of an environment."""
    found = []
    for node in ast.walk(ast.parse(source)):
        sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        compared = any(
            isinstance(side, ast.Attribute) and side.attr == "name" and ast.unparse(side.value).endswith("environment")
            for side in sides
        )
        written = isinstance(node, ast.Constant) and node.value in NAMES
        imported = isinstance(node, ast.alias | ast.Name) and ast.unparse(node) in map(str.upper, NAMES)
        if compared or written or imported:
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize(
    "module", sorted(CHARTS.rglob("*.py")), ids=lambda path: str(path.relative_to(CHARTS).as_posix())
)
def test_no_chart_decides_by_an_environments_name(module: Path) -> None:
    if module.name not in KNOWS_THE_NAMES:
        assert names_known(module.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("if environment.name == other: pass", ["environment.name == other"]),
        (f"sizes = {{'{NAMES[-1]}': 1}}", [f"'{NAMES[-1]}'"]),
        (f"from facts.environments import {NAMES[-1].upper()}", [NAMES[-1].upper()]),
        ("if environment.tls: x = claim.name", []),
    ],
)
def test_a_chart_that_did_would_be_noticed(source: str, found: list[str]) -> None:
    assert names_known(source) == found
