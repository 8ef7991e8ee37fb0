"""`diff`: two environments beside each other, for a terminal and for a pull request."""

from itertools import takewhile

import pytest

from facts.environments import ENVIRONMENTS, LOCAL, PRODUCTION
from facts.images import image
from synth import ROOT
from tests.deployed import root, the
from tests.scripts.desk import Desk
from tests.workshop import Ended, Workshop

SIZES = tuple(
    str(the(f"{root(e)}apps/graphwiki", "PersistentVolumeClaim")["spec"]["resources"]["requests"]["storage"])
    for e in (LOCAL, PRODUCTION)
)
SHARES = (f"{LOCAL.trace_sampling:g}", f"{PRODUCTION.trace_sampling:g}")
"""Two facts in which the two clusters differ."""


@pytest.fixture(scope="module")
def text() -> Ended:
    return Workshop(ROOT).command("diff", "local", "production")


@pytest.fixture(scope="module")
def markdown() -> Ended:
    return Workshop(ROOT).command("diff", "local", "production", "--markdown")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_namespaces_and_hosts_come_first_side_by_side(text: Ended) -> None:
    assert (text.code, text.err) == (0, "")
    head, *rows = text.out.partition("\n\n")[0].splitlines()
    assert cells(head) == [
        "route",
        "namespace in local",
        "namespace in production",
        "host in local",
        "host in production",
    ]
    routes = {row.split()[0]: cells(row)[1:] for row in rows}
    assert (
        routes.items()
        >= {
            "rancher": ["cattle-system", LOCAL.host("rancher")],
            "graphwiki": ["graphwiki", "graphwiki", LOCAL.host("wiki"), PRODUCTION.host("wiki")],
            "test-app": ["test-app", "test-app", LOCAL.host("test"), PRODUCTION.host("test")],
        }.items()
    )
    for row in rows:
        # Some have a host in one of the two alone.
        if f".{LOCAL.domain}" in row:
            assert row.index(f".{LOCAL.domain}") in range(head.index("host in local"), head.index("host in production"))


def fields(text: str, title: str) -> list[str]:
    """The lines of an object that is on both sides."""
    lines = text.splitlines()
    return list(takewhile(lambda line: line.startswith("      "), lines[lines.index(f"  ~ {title}") + 1 :]))


@pytest.mark.parametrize(
    ("title", "field", "values"),
    [
        ("PersistentVolumeClaim graphwiki/graphwiki-data", "spec.resources.requests.storage", SIZES),
        ("ResourceQuota graphwiki/graphwiki", "spec.hard[requests.storage]", SIZES),
        ("Telemetry istio-system/default", "spec.tracing[0].randomSamplingPercentage", SHARES),
        ("Kustomization flux-system/flux-system", "spec.path", ("./deploy/flux", "./deploy/production/flux")),
    ],
)
def test_a_field_is_shown_with_both_values(
    text: Ended, markdown: Ended, title: str, field: str, values: tuple[str, str]
) -> None:
    first, second = values
    shown = [f"      {field}", f"        - {first}", f"        + {second}"]
    lines = fields(text.out, title)
    assert lines[lines.index(shown[0]) :][:3] == shown
    assert f"| `{field}` | `{first}` | `{second}` |" in markdown.out.splitlines()


def test_the_images_are_shown_in_full(text: Ended, markdown: Ended) -> None:
    field = "spec.template.spec.containers[graphwiki].image"
    first, second = (image(e, "graphwiki").reference(e.registry) for e in (LOCAL, PRODUCTION))
    lines = fields(text.out, "Deployment graphwiki/graphwiki")
    assert lines[lines.index(f"      {field}") :][1:3] == [f"        - {first}", f"        + {second}"]
    assert f"| `{field}` | `{first}` | `{second}` |" in markdown.out.splitlines()


def test_what_only_one_side_has_is_shown_with_its_file(text: Ended) -> None:
    lines = text.out.splitlines()
    for line in (
        "  - VirtualService cattle-system/rancher  (deploy/platform/rancher/virtualservice.yaml)",
        "  + ClusterIssuer acme  (deploy/production/certificates/clusterissuer.yaml)",
        "  + HorizontalPodAutoscaler test-app/test-app  (deploy/production/apps/test-app/hpa.yaml)",
    ):
        assert line in lines
    assert f"      spec.storageClassName\n        + {PRODUCTION.storage_class}\n" in text.out


def test_the_last_line_counts_what_is_above_it(text: Ended) -> None:
    lines = text.out.splitlines()
    differ, here, there = (sum(line.startswith(f"  {sign} ") for line in lines) for sign in "~-+")
    assert min(differ, here, there) >= 1
    assert lines[-1] == f"objects that differ: {differ}, only in local: {here}, only in production: {there}"


@pytest.mark.slow
def test_the_other_way_round_signs_are_the_other_way_round(desk: Desk) -> None:
    ended = desk.run("diff", "production", "local")
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert "  + VirtualService cattle-system/rancher  (deploy/platform/rancher/virtualservice.yaml)" in lines
    assert "  - ClusterIssuer acme  (deploy/production/certificates/clusterissuer.yaml)" in lines
    assert f"        - {SIZES[1]}\n        + {SIZES[0]}\n" in ended.out


def test_markdown_is_a_heading_a_table_of_hosts_and_a_part_for_each_object(text: Ended, markdown: Ended) -> None:
    assert (markdown.code, markdown.err) == (0, "")
    lines = markdown.out.splitlines()
    assert lines[0] == "### local and production"
    assert lines[2] == f"{text.out.splitlines()[-1]}."
    assert lines[4:6] == [
        "| route | namespace in local | namespace in production | host in local | host in production |",
        "|---|---|---|---|---|",
    ]
    wiki = f"| graphwiki | graphwiki | graphwiki | {LOCAL.host('wiki')} | {PRODUCTION.host('wiki')} |"
    rancher = f"| rancher | cattle-system |  | {LOCAL.host('rancher')} |  |"
    assert {wiki, rancher} <= set(lines)
    assert "#### apps/graphwiki" in lines
    assert f"| `spec.storageClassName` |  | `{PRODUCTION.storage_class}` |" in lines


def test_markdown_folds_what_only_one_side_has(markdown: Ended) -> None:
    assert (
        "<details><summary>ClusterIssuer acme <b>added</b></summary>\n\n"
        "```yaml\napiVersion: cert-manager.io/v1\nkind: ClusterIssuer\n"
    ) in markdown.out
    assert "<details><summary>VirtualService cattle-system/rancher <b>removed</b></summary>\n" in markdown.out
    assert markdown.out.count("<details>") == markdown.out.count("</details>")
    assert markdown.out.count("```") == 2 * markdown.out.count("```yaml")


@pytest.mark.slow
def test_an_environment_does_not_differ_from_itself(desk: Desk) -> None:
    ended = desk.run("diff", "local", "local")
    assert (ended.code, ended.err) == (0, "")
    hosts, summary = ended.out.split("\n\n")
    assert hosts.startswith("route ")
    assert summary == "objects that differ: 0, only in local: 0, only in local: 0\n"


@pytest.mark.parametrize("names", [("local", "nowhere"), ("nowhere", "local")])
def test_an_unknown_environment_is_refused_with_those_that_there_are(desk: Desk, names: tuple[str, str]) -> None:
    ended = desk.run("diff", *names)
    assert (ended.code, ended.out) == (2, "")
    known = ", ".join(repr(environment.name) for environment in ENVIRONMENTS)
    assert f"'nowhere' is not one of {known}." in " ".join(ended.err.split())


def test_it_wants_two_environments(desk: Desk) -> None:
    ended = desk.run("diff", "local")
    assert (ended.code, ended.out) == (2, "")
    assert "Missing argument" in ended.err
