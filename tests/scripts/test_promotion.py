"""`promote` of a whole repository and `rollback`: which commit gets which tag, and when none does."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from facts.environments import Environment, Tags
from scripts import options, programs
from scripts.cluster import flux
from scripts.definition import committed, promotion
from scripts.gate.node.git_server import ALONE, AUTHOR
from synth import DefinitionError, ToolError
from synth.manifest import Document, dump
from tests.environments import MANAGED
from tests.stand_ins import StandIns, fails, says

pytestmark = pytest.mark.slow
HOURS = 2
SOURCE = replace(MANAGED, name="rehearsal", context="rehearsal")
TARGET = replace(MANAGED, name="stage", path="deploy/stage", context="stage", tags=Tags(line=3, soak_hours=HOURS))


@dataclass(frozen=True)
class Repository:
    """A clone, its origin, and the cluster that is promoted from."""

    folder: Path
    tools: StandIns

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.folder, capture_output=True, text=True, check=True)  # noqa: S607
        return done.stdout.strip()

    def commit(self, kind: str = "ConfigMap", name: str = "settings", **content: str) -> str:
        """Commit the one object of the target's tree, and push it."""
        document = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "wiki"}, **content}
        file = self.folder / TARGET.path / "apps" / "wiki" / "one.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dump([document]), "utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "One more")
        self.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
        return self.git("rev-parse", "HEAD")

    def runs(self, *items: Document) -> None:
        """What the cluster says of its Kustomizations."""
        self.tools.put("kubectl", says(json.dumps({"items": items})))

    def tags(self) -> dict[str, str]:
        """The tags that others see, with the commits that they mean."""
        listed = self.git("ls-remote", "--tags", "origin").splitlines()
        found = (line.split("\trefs/tags/") for line in listed)
        return {name.removesuffix("^{}"): commit for commit, name in found if name.endswith("^{}")}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    tools = StandIns(tmp_path / "tools")
    tools.put("kubectl", fails("no cluster"))
    for name, value in (ALONE | AUTHOR | {"PATH": tools.path}).items():
        monkeypatch.setenv(name, value)
    origin, clone = tmp_path / "origin.git", tmp_path / "clone"
    for module in (programs, committed, promotion):
        monkeypatch.setattr(module, "ROOT", clone)
    clone.mkdir()
    found = Repository(clone, tools)
    found.git("init", "--quiet", "--bare", str(origin))
    found.git("init", "--quiet", "--initial-branch=main")
    found.git("remote", "add", "origin", str(origin))
    return found


def kustomization(commit: str, hours: float = HOURS + 1, ready: str = "True", **status: object) -> Document:
    since = (datetime.now(UTC) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "metadata": {"name": "platform"},
        "spec": {},
        "status": {
            "conditions": [{"type": "Ready", "status": ready, "message": "it is not"}],
            "lastAppliedRevision": f"main@sha1:{commit}",
            "history": [{"digest": "a", "firstReconciled": since, "lastReconciled": since}],
            **status,
        },
    }


def promote(target: Environment = TARGET, *, show: bool = False, yes: bool = False) -> None:
    assert promotion.promote.callback
    promotion.promote.callback(app=None, source=SOURCE, target=target, show=show, yes=yes)


def rollback(environment: Environment = TARGET) -> None:
    assert promotion.rollback.callback
    promotion.rollback.callback(environment=environment, show=False, yes=False)


def promoted(repository: Repository, *commits: str) -> None:
    for commit in commits:
        repository.runs(kustomization(commit))
        promote()


def test_a_commit_gets_the_next_tag_for_everybody(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    first = repository.commit(data="a")
    promoted(repository, first)
    assert repository.tags() == {"v3.0.0": first}
    assert repository.git("tag", "--list", "--format=%(contents)", "v3.0.0").startswith(
        "stage: what rehearsal has run for 3 h"
    )
    second = repository.commit(data="b")
    promoted(repository, second)
    assert repository.tags() == {"v3.0.0": first, "v3.1.0": second}
    assert "ConfigMap wiki/settings" in capsys.readouterr().out


def test_tags_of_other_lines_and_of_people_count_for_nothing(repository: Repository) -> None:
    commit = repository.commit()
    for name in ("v2.7.0", "v4.0.0", "v3.5", "v3.9.0-rc.1", "wiki-v3.8.0"):
        repository.git("tag", name)
    promoted(repository, commit)
    assert repository.tags() == {"v3.0.0": commit}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            {"hours": HOURS - 1},
            "rehearsal has run .* as it is for 1 h 0 min, and stage wants 2 h: wait, or set soak_hours",
        ),
        ({"hours": 0.5}, "as it is for 30 min, and"),
        ({"ready": "False"}, "Kustomization platform is not ready, and what is not well is not promoted: it is not"),
        ({"conditions": []}, "Kustomization platform is not ready, .*: Flux has said nothing yet"),
        ({"history": []}, "Kustomization platform does not say since when it applies what it applies: Flux there is"),
        ({"lastAppliedRevision": "main@sha1:" + "0" * 40}, "is between two commits, wiki .*, platform 0000000000:"),
    ],
)
def test_what_is_not_well_there_for_long_enough_is_not_promoted(
    repository: Repository, status: Document, said: str
) -> None:
    commit = repository.commit()
    well = {**kustomization(commit), "metadata": {"name": "wiki"}}
    repository.runs(well, kustomization(commit, **status))
    with pytest.raises(DefinitionError, match=said):
        promote()
    assert repository.tags() == {}


def test_the_time_counts_from_the_last_change_of_any(repository: Repository) -> None:
    commit = repository.commit()
    item = kustomization(commit)
    recently = kustomization(commit, hours=1)["status"]["history"]
    item["status"]["history"] += recently
    repository.runs(kustomization(commit), item)
    with pytest.raises(DefinitionError, match="as it is for 1 h 0 min"):
        promote()


def test_a_suspended_cluster_proves_nothing(repository: Repository) -> None:
    item = kustomization(repository.commit())
    item["spec"]["suspend"] = True
    repository.runs(item)
    with pytest.raises(DefinitionError, match=r"platform is suspended.*`\./gw flux resume --env rehearsal`"):
        promote()


def test_a_cluster_without_flux_is_told(repository: Repository) -> None:
    repository.commit()
    repository.runs()
    with pytest.raises(DefinitionError, match=r"rehearsal has no Kustomization: `\./gw flux bootstrap --env reh"):
        promote()


def test_a_commit_that_is_not_on_the_branch_is_not_promoted(repository: Repository) -> None:
    repository.commit()
    repository.git("commit", "--quiet", "--allow-empty", "--message", "Tried out")
    repository.runs(kustomization(repository.git("rev-parse", "HEAD")))
    with pytest.raises(DefinitionError, match="is not on origin/main, the branch that stage is promoted from"):
        promote()


def test_a_cluster_that_is_as_far_or_further_is_left_alone(repository: Repository) -> None:
    first, second = repository.commit(data="a"), repository.commit(data="b")
    promoted(repository, second)
    with pytest.raises(DefinitionError, match=f"^stage has {second[:10]} already, by v3.0.0$"):
        promote()
    repository.runs(kustomization(first))
    with pytest.raises(DefinitionError, match=r"^stage is further than .* of rehearsal, by v3\.0\.0: `\./gw rollback"):
        promote()


def test_a_cluster_without_tags_is_told_what_to_do_instead(repository: Repository) -> None:
    repository.commit()
    plain = replace(TARGET, tags=None)
    with pytest.raises(DefinitionError, match=r"^stage follows every commit of main: name the APP whose image"):
        promote(plain)
    with pytest.raises(DefinitionError, match=r"^stage follows every commit of main: `git revert` the commit on main"):
        rollback(plain)


def test_a_rollback_goes_back_one_promotion_and_once_more_another(repository: Repository) -> None:
    commits = [repository.commit(data=text) for text in "abc"]
    promoted(repository, *commits)
    rollback()
    rollback()
    tags = repository.tags()
    assert [tags[name] for name in ("v3.2.0", "v3.2.1", "v3.2.2")] == [*reversed(commits)]
    with pytest.raises(DefinitionError, match=r"^stage has run nothing before v3\.2\.2: `git revert`"):
        rollback()
    later = repository.commit(data="d")
    promoted(repository, later)
    assert repository.tags()["v3.3.0"] == later


def test_a_cluster_that_was_never_promoted_cannot_go_back(repository: Repository) -> None:
    repository.commit()
    with pytest.raises(DefinitionError, match=r"^stage has run nothing before its first tag"):
        rollback()


@pytest.fixture
def lost(repository: Repository) -> Callable[..., None]:
    """A promotion by which a volume would get out of sight."""
    promoted(repository, repository.commit("PersistentVolumeClaim", "pages"))
    repository.runs(kustomization(repository.commit("PersistentVolumeClaim", "other")))
    return promote


def test_what_does_more_than_the_files_show_is_asked(
    repository: Repository,
    lost: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def no(question: str) -> None:
        assert question == "Does stage get this all the same?"
        raise options.Declined

    monkeypatch.setattr(options, "ask", no)
    with pytest.raises(options.Declined):
        lost()
    assert list(repository.tags()) == ["v3.0.0"]
    said = capsys.readouterr().out
    assert "This does more than the files show" in said
    assert "accepts:" not in said
    lost(yes=True)
    assert list(repository.tags()) == ["v3.0.0", "v3.1.0"]


def test_what_was_acknowledged_on_the_way_is_not_asked(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    promoted(repository, repository.commit("PersistentVolumeClaim", "pages"))
    accepted = repository.folder / committed.ACCEPTED_FILE
    accepted.write_text("accepts: lost stage/PersistentVolumeClaim/* the pages were moved\n", "utf-8")
    repository.commit("PersistentVolumeClaim", "other")
    accepted.unlink()
    monkeypatch.setattr(options, "ask", pytest.fail)
    promoted(repository, repository.commit("PersistentVolumeClaim", "other", data="x"))
    assert "the pages were moved" in capsys.readouterr().out


def test_flux_is_not_told_to_follow_tags_that_are_not_there(repository: Repository) -> None:
    commit = repository.commit()
    with pytest.raises(DefinitionError, match=r"^stage follows the tags v3\.\*, and origin has none: `\./gw promote"):
        flux._need_tag(programs.Programs(), TARGET)
    flux._need_tag(programs.Programs(), SOURCE)
    promoted(repository, commit)
    flux._need_tag(programs.Programs(), TARGET)


def test_a_dry_run_tags_nothing(repository: Repository) -> None:
    repository.runs(kustomization(repository.commit()))
    promote(show=True)
    assert repository.tags() == {}
    assert repository.git("tag") == ""


def test_a_tag_that_nobody_else_gets_does_not_stay(repository: Repository) -> None:
    repository.runs(kustomization(repository.commit()))
    hook = Path(repository.git("remote", "get-url", "origin")) / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n", "utf-8")
    hook.chmod(0o755)
    with pytest.raises(ToolError, match="has somebody else been quicker"):
        promote()
    assert repository.git("tag") == ""
