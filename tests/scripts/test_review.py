"""`review` in a copy of the project with a history of its own."""

import sys
from pathlib import Path

import pytest

from tests.workshop import Ended, Workshop

GIT = ("git", "-c", "user.name=somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false")


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A copy of which the branch main is as this project is."""
    workshop = Workshop.at(tmp_path)
    for command in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "deploy"),
        ("commit", "--quiet", "-m", "all"),
    ):
        assert workshop.run(*GIT, *command).code == 0
    return workshop


def review(workshop: Workshop, base: str = "main") -> Ended:
    return workshop.run(sys.executable, "-m", "scripts", "review", "--base", base)


def table(page: str) -> list[list[str]]:
    rows = [line for line in page.splitlines() if line.startswith("| ")][:4]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_without_a_change_every_number_is_0(workshop: Workshop) -> None:
    ended = review(workshop)
    assert ended.code == 0, ended.err
    assert table(ended.out) == [
        ["environment", "added", "changed", "removed"],
        ["local", "0", "0", "0"],
        ["staging", "0", "0", "0"],
        ["production", "0", "0", "0"],
    ]
    assert "Flux would delete" not in ended.out


def test_a_changed_field_stands_with_both_values_below_its_cluster(workshop: Workshop) -> None:
    workshop.edit("deploy/staging/apps/graphwiki/deployment.yaml", "replicas: 1", "replicas: 3")
    page = review(workshop).out
    assert table(page)[1:] == [["local", "0", "0", "0"], ["staging", "0", "1", "0"], ["production", "0", "0", "0"]]
    assert page.endswith(
        "### staging\n"
        "\n"
        "#### apps/graphwiki\n"
        "\n"
        "**Deployment graphwiki/graphwiki** changed\n"
        "\n"
        "| field | before | after |\n"
        "|---|---|---|\n"
        "| `spec.replicas` | `1` | `3` |\n"
    )


def test_a_page_about_an_environment_is_no_object_of_it(workshop: Workshop) -> None:
    workshop.edit("deploy/README.md", "\n# What runs in local\n", "\n# What else runs in local\n")
    ended = review(workshop)
    assert ended.code == 0, ended.err
    assert table(ended.out)[1:] == [[name, "0", "0", "0"] for name in ("local", "staging", "production")]
    assert "README" not in ended.out


def test_what_flux_would_delete_stands_on_top(workshop: Workshop) -> None:
    (workshop.root / "deploy/production/apps/test-app/hpa.yaml").unlink()
    (workshop.root / "deploy/production/apps/graphwiki/pvc.yaml").unlink()
    page = review(workshop).out
    assert table(page)[3] == ["production", "0", "0", "2"]
    assert "**Flux would delete**\n\n- production: `HorizontalPodAutoscaler test-app/test-app`\n\n###" in page
    assert "HorizontalPodAutoscaler test-app/test-app <b>removed, Flux would delete it</b>" in page
    assert "PersistentVolumeClaim graphwiki/graphwiki-data <b>removed here, stays in the cluster</b>" in page


def test_an_object_of_fluxs_own_that_its_folder_keeps_is_not_called_deleted(workshop: Workshop) -> None:
    components = workshop.root / "deploy/flux/flux-system/gotk-components.yaml"
    text = components.read_text("utf-8")
    start = text.index("---\n")
    components.write_text(text[:start], "utf-8")
    page = review(workshop).out
    deleted = page.partition("**Flux would delete**")[2].partition("###")[0]
    assert "`Deployment flux-system/source-controller`" in deleted
    assert "CustomResourceDefinition" not in deleted
    assert "Namespace" not in deleted


def test_an_added_object_is_folded_with_its_whole_text(workshop: Workshop) -> None:
    new = workshop.root / "deploy/apps/graphwiki/configmap.yaml"
    new.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: more\n  namespace: graphwiki\n")
    page = review(workshop).out
    assert table(page)[1] == ["local", "1", "0", "0"]
    assert "<details><summary>ConfigMap graphwiki/more <b>added</b></summary>\n\n```yaml\napiVersion: v1\n" in page


def test_a_whole_environment_that_goes_is_named_by_its_folder(workshop: Workshop) -> None:
    qa = workshop.root / "deploy/qa/apps/wiki"
    qa.mkdir(parents=True)
    (qa / "service.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: wiki, namespace: wiki}\n")
    assert workshop.run(*GIT, "add", "deploy").code == 0
    assert workshop.run(*GIT, "commit", "--quiet", "-m", "qa").code == 0
    (qa / "service.yaml").unlink()
    assert "- qa: `Service wiki/wiki`" in review(workshop).out


def test_many_changes_in_a_cluster_are_folded(workshop: Workshop) -> None:
    for file in (workshop.root / "deploy/staging").rglob("*.yaml"):
        if file.name not in ("kustomization.yaml", "gotk-components.yaml"):
            file.unlink()
    page = review(workshop).out
    objects = int(table(page)[2][3])
    assert objects > 20
    assert f"### staging\n<details><summary>{objects} objects</summary>\n" in page


def test_it_is_compared_with_where_the_branch_left_the_base(workshop: Workshop) -> None:
    for command in (("checkout", "--quiet", "-b", "change"), ("checkout", "--quiet", "main")):
        assert workshop.run(*GIT, *command).code == 0
    workshop.edit("deploy/apps/graphwiki/deployment.yaml", "replicas: 1", "replicas: 2")
    assert workshop.run(*GIT, "commit", "--quiet", "-am", "meanwhile").code == 0
    assert workshop.run(*GIT, "checkout", "--quiet", "change").code == 0
    assert table(review(workshop).out)[1] == ["local", "0", "0", "0"]


def test_an_unknown_base_is_told(workshop: Workshop) -> None:
    ended = review(workshop, "origin/nowhere")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err == (
        "git merge-base origin/nowhere HEAD failed: fatal: Not a valid object name origin/nowhere; --base names a "
        "branch or a commit of this clone, which has its history\n"
    )
