"""`review` in a copy of the project with trees and a history of its own."""

import shutil
from collections.abc import Iterator

import pytest

from facts.environments import ENVIRONMENTS
from tests.workshop import Ended, Kept, Workshop

pytestmark = pytest.mark.slow
GIT = ("git", "-c", "user.name=somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false")
FIRST, SECOND, *REST = ENVIRONMENTS
NOTHING = ["0", "0", "0", "0"]

WIKI = {
    "pvc.yaml": """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: pages, namespace: wiki, annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}}
spec:
  resources: {requests: {storage: 2Gi}}
""",
    "service.yaml": """
apiVersion: v1
kind: Service
metadata: {name: wiki, namespace: wiki}
spec:
  ports: [{port: 80}]
""",
    "pdb.yaml": """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: wiki, namespace: wiki}
spec:
  maxUnavailable: 1
""",
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A copy whose branch main has one small app in every environment, and whose branch `change` is as main."""
    workshop = Workshop.at(tmp_path_factory.mktemp("review"))
    shutil.rmtree(workshop.root / "deploy")
    for environment in ENVIRONMENTS:
        folder = workshop.root / environment.path / "apps/wiki"
        folder.mkdir(parents=True)
        for name, text in WIKI.items():
            (folder / name).write_text(text, "utf-8")
    git(workshop, "init", "--quiet", "--initial-branch=main")
    commit(workshop)
    git(workshop, "checkout", "--quiet", "-b", "change")
    return Kept(workshop)


@pytest.fixture
def workshop(kept: Kept) -> Iterator[Workshop]:
    yield kept.workshop
    kept.put_back()


def git(workshop: Workshop, *command: str) -> None:
    ended = workshop.run(*GIT, *command)
    assert ended.code == 0, ended.err


def commit(workshop: Workshop) -> None:
    git(workshop, "add", "deploy")
    git(workshop, "commit", "--quiet", "--allow-empty", "-m", "a change")


def review(workshop: Workshop, *options: str) -> Ended:
    return workshop.command("review", *options)


def edit(workshop: Workshop, file: str, old: str, new: str, *environments: str) -> None:
    for path in environments:
        workshop.edit(f"{path}/apps/wiki/{file}", old, new)


def table(page: str) -> dict[str, list[str]]:
    """The numbers of each environment: added, changed, removed, to be acknowledged."""
    rows = page.partition("|---|---|---|---|---|\n")[2].partition("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {name: numbers for name, *numbers in cells}


# What is different


def test_without_a_change_every_number_is_0(workshop: Workshop) -> None:
    ended = review(workshop)
    assert ended.code == 0, ended.err
    assert table(ended.out) == {environment.name: NOTHING for environment in ENVIRONMENTS}
    assert "## " not in ended.out.partition("\n")[2]


def test_a_changed_field_stands_with_both_values_below_its_cluster(workshop: Workshop) -> None:
    edit(workshop, "pdb.yaml", "maxUnavailable: 1", "maxUnavailable: 2", SECOND.path)
    ended = review(workshop)
    assert ended.code == 0, ended.err
    assert table(ended.out)[SECOND.name] == ["0", "1", "0", "0"]
    assert table(ended.out)[FIRST.name] == NOTHING
    assert ended.out.endswith(
        f"### {SECOND.name}\n"
        "\n"
        "#### apps/wiki\n"
        "\n"
        "**PodDisruptionBudget wiki/wiki** changed\n"
        "\n"
        "| field | before | after |\n"
        "|---|---|---|\n"
        "| `spec.maxUnavailable` | `1` | `2` |\n"
    )


def test_the_same_change_in_every_cluster_is_shown_once(workshop: Workshop) -> None:
    edit(workshop, "pdb.yaml", "maxUnavailable: 1", "maxUnavailable: 2", *(e.path for e in ENVIRONMENTS))
    page = review(workshop).out
    assert page.count("| `spec.maxUnavailable` | `1` | `2` |") == 1
    names = ", ".join(environment.name for environment in ENVIRONMENTS)
    assert f"**{names}: PodDisruptionBudget `wiki/wiki`** changed" in page


def test_a_page_for_people_is_no_object(workshop: Workshop) -> None:
    (workshop.root / "deploy/README.md").write_text("# What runs\n")
    (workshop.root / "deploy/apps/wiki/notes.yaml").write_text("metadata: none\n")
    ended = review(workshop)
    assert ended.code == 0, ended.err
    assert table(ended.out)[FIRST.name] == NOTHING


def test_what_flux_would_delete_is_listed_and_what_it_keeps_is_not(workshop: Workshop) -> None:
    for name in ("pdb.yaml", "pvc.yaml"):
        (workshop.root / SECOND.path / "apps/wiki" / name).unlink()
    ended = review(workshop)
    assert ended.code == 0, ended.err
    assert table(ended.out)[SECOND.name] == ["0", "0", "2", "0"]
    assert f"**Flux would delete**\n\n- {SECOND.name}: PodDisruptionBudget `wiki/wiki`\n\n" in ended.out
    assert "PodDisruptionBudget wiki/wiki <b>removed, Flux would delete it</b>" in ended.out
    assert "PersistentVolumeClaim wiki/pages <b>removed here, stays in the cluster</b>" in ended.out


def test_what_the_folders_patches_keep_is_not_called_deleted(workshop: Workshop) -> None:
    folder = workshop.root / FIRST.path / "apps/wiki"
    (folder / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [secret.yaml]\npatches:\n"
        "- target: {kind: Secret}\n  patch: |\n    kind: Secret\n    metadata:\n      name: any\n"
        "      annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}\n"
    )
    (folder / "secret.yaml").write_text("apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: wiki}\n")
    commit(workshop)
    git(workshop, "branch", "--force", "main")
    (folder / "secret.yaml").unlink()
    ended = review(workshop)
    assert ended.code == 0, ended.err
    assert "Secret wiki/a <b>removed here, stays in the cluster</b>" in ended.out


def test_an_environment_that_nobody_defines_is_named_by_its_folder(workshop: Workshop) -> None:
    folder = workshop.root / "deploy/qa/apps/wiki"
    folder.mkdir(parents=True)
    (folder / "pdb.yaml").write_text(WIKI["pdb.yaml"])
    assert table(review(workshop).out)["qa"] == ["1", "0", "0", "0"]


# What it is compared with


def test_it_is_compared_with_where_the_branch_left_the_base(workshop: Workshop) -> None:
    git(workshop, "checkout", "--quiet", "main")
    edit(workshop, "pdb.yaml", "maxUnavailable: 1", "maxUnavailable: 2", FIRST.path)
    commit(workshop)
    git(workshop, "checkout", "--quiet", "change")
    assert table(review(workshop, "--base", "main").out)[FIRST.name] == NOTHING


def test_without_a_base_it_is_the_branch_main_of_the_clone_or_of_where_it_came_from(workshop: Workshop) -> None:
    edit(workshop, "pdb.yaml", "maxUnavailable: 1", "maxUnavailable: 2", FIRST.path)
    commit(workshop)
    assert table(review(workshop).out)[FIRST.name] == ["0", "1", "0", "0"]
    git(workshop, "update-ref", "refs/remotes/origin/main", "HEAD")
    assert table(review(workshop).out)[FIRST.name] == NOTHING
    for name in ("refs/remotes/origin/main", "refs/heads/main"):
        git(workshop, "update-ref", "-d", name)
    edit(workshop, "pdb.yaml", "maxUnavailable: 2", "maxUnavailable: 3", FIRST.path)
    # What is not committed yet.
    ended = review(workshop)
    assert "| `spec.maxUnavailable` | `2` | `3` |" in ended.out
    assert ended.err == "there is no origin/main and no main: only what is not committed is looked at\n"


def test_an_unknown_base_is_told(workshop: Workshop) -> None:
    ended = review(workshop, "--base", "origin/nowhere")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err == (
        "git merge-base origin/nowhere HEAD failed: fatal: Not a valid object name origin/nowhere; --base names a "
        "branch or a commit of this clone, which has its history\n"
    )


# What has to be acknowledged


def shrink(workshop: Workshop) -> str:
    """Make the claims of two environments smaller; the line that acknowledges it."""
    edit(workshop, "pvc.yaml", "storage: 2Gi", "storage: 1Gi", FIRST.path, SECOND.path)
    return "accepts: refused */PersistentVolumeClaim/wiki/pages"


def test_what_cannot_be_changed_is_red_and_on_top_with_what_to_do(workshop: Workshop) -> None:
    line = shrink(workshop)
    ended = review(workshop)
    assert ended.code == 1
    assert table(ended.out)[FIRST.name] == ["0", "1", "0", "1"]
    assert ended.out.index("### The API server refuses it") < ended.out.index("## What is different")
    assert ended.out.count("1. Leave the size as it was: a volume can grow, never shrink.") == 1
    assert f"\n{line} ...\n" in ended.out
    assert ended.err.startswith(f"{FIRST.name}, {SECOND.name}: PersistentVolumeClaim `wiki/pages`: ")
    assert "(`2Gi` to `1Gi`.)" in ended.err
    assert line in ended.err


def test_the_right_twin_is_not(workshop: Workshop) -> None:
    edit(workshop, "pvc.yaml", "storage: 2Gi", "storage: 3Gi", FIRST.path)
    ended = review(workshop)
    assert ended.code == 0, ended.err
    assert "## To be acknowledged" not in ended.out


def test_the_text_of_the_pull_request_acknowledges_it(workshop: Workshop) -> None:
    line = shrink(workshop)
    text = workshop.root / "text.md"
    text.write_text(f"What this is about.\n\n- {line} both volumes were made anew\n")
    ended = review(workshop, "--text", str(text))
    assert ended.code == 0, ended.err
    assert ": both volumes were made anew (the pull request's text)" in ended.out
    assert table(ended.out)[FIRST.name] == ["0", "1", "0", "0"]


@pytest.mark.parametrize("reason", ["", " ..."])
def test_a_reason_has_to_be_given(workshop: Workshop, reason: str) -> None:
    line = shrink(workshop)
    (workshop.root / "accepted.md").write_text(f"{line}{reason}\n")
    ended = review(workshop)
    assert ended.code == 1
    assert "it does not say why" in ended.out


def test_a_file_acknowledges_it_once(workshop: Workshop) -> None:
    line = shrink(workshop)
    accepted = workshop.root / "accepted.md"
    accepted.write_text(f"{line} both volumes were made anew\n")
    ended = review(workshop)
    assert ended.code == 0, ended.err
    assert "(accepted.md)" in ended.out
    # Once it is in the base, the line was for an earlier change.
    git(workshop, "add", "accepted.md")
    commit(workshop)
    git(workshop, "branch", "--force", "main")
    edit(workshop, "pvc.yaml", "storage: 1Gi", "storage: 500Mi", FIRST.path)
    assert review(workshop).code == 1


def test_one_environment_may_be_acknowledged_and_the_other_not(workshop: Workshop) -> None:
    shrink(workshop)
    line = f"accepts: refused {FIRST.name}/PersistentVolumeClaim/wiki/pages made anew"
    (workshop.root / "accepted.md").write_text(f"{line}\n")
    ended = review(workshop)
    assert ended.code == 1
    assert ended.err.startswith(f"{SECOND.name}: PersistentVolumeClaim")


def test_an_acknowledgement_of_nothing_is_told(workshop: Workshop) -> None:
    (workshop.root / "accepted.md").write_text("accepts: refused */PersistentVolumeClaim/wiki/pages made anew\n")
    ended = review(workshop)
    assert ended.code == 0, ended.err
    assert "## Acknowledged in vain\n\n- `accepts: refused " in ended.out
