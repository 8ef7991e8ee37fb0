"""The workflows, Renovate's patterns and the hooks: what they may do, what they run, and that they fit this project."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.__main__ import cli
from scripts.gate.judges import JUDGES
from synth import ROOT
from tests.stand_ins import StandIns, fails, says
from tests.workshop import Ended, Workshop

GITHUB = ROOT / ".github"
FILES = {file.stem: file for file in (GITHUB / "workflows").iterdir()}
WORKFLOWS: dict[str, dict[Any, Any]] = {
    name: yaml.load(file.read_text("utf-8"), yaml.CSafeLoader) for name, file in FILES.items()
}
JOBS = {(name, job): loaded["jobs"][job] for name, loaded in WORKFLOWS.items() for job in loaded["jobs"]}
PAGE = (ROOT / "docs/ci.md").read_text("utf-8")
GATE = (ROOT / ".ci/run").read_text("utf-8")
TARGETS = set(re.findall(r"^([\w-]+):.*?## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

every_workflow = pytest.mark.parametrize("workflow", sorted(WORKFLOWS))
every_job = pytest.mark.parametrize(("workflow", "job"), sorted(JOBS))


def runs(job: dict[str, Any]) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def step(workflow: str, job: str, name: str) -> dict[str, Any]:
    (found,) = [step for step in JOBS[workflow, job]["steps"] if step["name"] == name]
    return dict(found)


def run(script: str, folder: Path, path: str, **environment: str) -> Ended:
    """What a step runs, as GitHub's runner does it."""
    command = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
    done = subprocess.run(
        command, cwd=folder, env=environment | {"PATH": path}, capture_output=True, text=True, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


# What a workflow may do


def test_each_job_may_do_what_it_is_for_and_no_more() -> None:
    assert {place: job["permissions"] for place, job in JOBS.items()} == {
        ("ci", "gate"): {"contents": "read"},
        ("cluster", "node"): {"contents": "read"},
        ("cluster", "docker"): {"contents": "read"},
        ("review", "compare"): {"contents": "read"},
        ("review", "comment"): {"pull-requests": "write"},
        ("review", "acknowledged"): {},
        ("image", "image"): {"contents": "read"},
        ("image", "release"): {"contents": "write", "pull-requests": "write"},
        ("support", "look"): {"contents": "read"},
        ("support", "issue"): {"issues": "write"},
    }


@every_workflow
def test_a_workflow_gives_its_jobs_nothing(workflow: str) -> None:
    assert WORKFLOWS[workflow]["permissions"] == {}
    # With pipefail, which the runner's default has not.
    assert WORKFLOWS[workflow]["defaults"] == {"run": {"shell": "bash"}}


def test_workflows_start_where_a_fork_gets_no_secret() -> None:
    # YAML 1.1 reads the key `on` as true.
    starts = {name: loaded[True] for name, loaded in WORKFLOWS.items()}
    assert starts["ci"] == {"pull_request": None, "push": {"branches": ["main"]}}
    assert starts["cluster"].keys() == {"pull_request", "push", "schedule", "workflow_dispatch"}
    # An edit of the text may acknowledge something.
    assert starts["review"] == {"pull_request": {"types": ["opened", "synchronize", "reopened", "edited"]}}
    assert starts["image"].keys() == {"workflow_dispatch"}
    assert starts["support"].keys() == {"schedule", "workflow_dispatch"}


def test_a_newer_push_ends_the_older_run_and_a_release_is_never_cut_off() -> None:
    concurrency = {name: loaded["concurrency"] for name, loaded in WORKFLOWS.items()}
    for name in ("ci", "cluster", "review"):
        assert "github.event.pull_request.number" in concurrency[name]["group"]
        assert concurrency[name]["cancel-in-progress"] is True
    for name in ("image", "support"):
        assert concurrency[name] == {"group": name, "cancel-in-progress": False}


@every_job
def test_a_job_ends_in_time_on_a_named_system(workflow: str, job: str) -> None:
    assert JOBS[workflow, job]["timeout-minutes"] <= 60
    assert JOBS[workflow, job]["runs-on"] == "ubuntu-24.04"


@every_job
def test_no_text_of_others_gets_into_a_script(workflow: str, job: str) -> None:
    assert "${{" not in runs(JOBS[workflow, job])


@every_job
def test_a_checkout_leaves_no_token_behind(workflow: str, job: str) -> None:
    for item in JOBS[workflow, job]["steps"]:
        if item.get("uses", "").startswith("actions/checkout@"):
            assert item["with"]["persist-credentials"] is False


def test_actions_are_pinned_by_commit_with_one_version_each() -> None:
    lines = [line for file in FILES.values() for line in file.read_text("utf-8").splitlines() if "uses:" in line]
    pins = [re.fullmatch(r" +uses: ([\w./-]+)@([0-9a-f]{40})  # (v\d+\.\d+\.\d+)", line) for line in lines]
    assert all(pins), [line for line, pin in zip(lines, pins, strict=True) if pin is None]
    used = {pin.groups() for pin in pins if pin}
    assert len(used) == len({action for action, _, _ in used})


def test_secrets_are_in_the_protected_environment_only() -> None:
    used = {place for place, job in JOBS.items() if "secrets." in json.dumps(job)}
    assert used == {("image", "image")}
    assert JOBS["image", "image"]["environment"] == "registry"
    named = set(re.findall(r"secrets\.(\w+)", FILES["image"].read_text("utf-8")))
    assert named == set(re.findall(r"`([A-Z_]+)`", PAGE.partition("| secret |")[2].partition("\n\n")[0]))
    variables = set(re.findall(r"vars\.(\w+)", FILES["image"].read_text("utf-8")))
    assert variables == set(re.findall(r"\*\*Variables:\*\* `(\w+)`", PAGE))


def test_the_job_that_may_comment_runs_no_code_of_the_pull_request() -> None:
    comment = JOBS["review", "comment"]
    assert not any("uses" in item for item in comment["steps"])
    assert comment["if"] == "github.event.pull_request.head.repo.full_name == github.repository"
    assert not re.search(r"make|python|\$TEXT\b(?!\")", runs(comment))


# The gate


def test_the_gate_runs_what_ci_run_runs() -> None:
    ours = runs(JOBS["ci", "gate"])
    targets = re.findall(r"^ *make ([\w-]+)$", GATE, re.MULTILINE)
    assert {"lint", "test", "check", "verify", "imports", "synth"} <= set(targets)
    steps = re.findall(r"^make ([\w-]+)$", ours, re.MULTILINE)
    assert steps == targets
    # What is compared with the base has a workflow of its own, which starts anew when the text is edited.
    commands = set(re.findall(r"-m scripts \w+", ours + runs(JOBS["review", "compare"])))
    assert set(re.findall(r"-m scripts \w+", GATE)) <= commands


def test_the_gate_sees_files_that_git_does_not_know(tmp_path: Path) -> None:
    script = step("ci", "gate", "Generate everything again")["run"]
    tools = StandIns(tmp_path / "bin")
    tools.put("make")
    tools.put("git", 'case "$*" in *status*) cat status;; esac')
    for status, code in (("", 0), ("?? deploy/apps/new.yaml\n", 1)):
        (tmp_path / "status").write_text(status)
        ended = run(script, tmp_path, tools.path)
        assert ended.code == code
        assert status in ended.out
        assert tools.calls()[:3] == ["make imports", "make synth", "git status --porcelain --untracked-files=all"]


def test_python_is_the_oldest_that_the_project_runs_with() -> None:
    versions = [
        item["with"]["python-version"]
        for job in JOBS.values()
        for item in job["steps"]
        if item.get("uses", "").startswith("actions/setup-python@")
    ]
    assert set(versions) == {"3.11"}
    assert 'target-version = "py311"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_both_workflows_keep_the_packages_under_one_key() -> None:
    first, second = (
        step(*place, "Restore the Python and Node packages") for place in (("ci", "gate"), ("review", "compare"))
    )
    assert first == second
    files = re.findall(r"'([^']+)'", first["with"]["key"])
    assert {"requirements.txt", "package-lock.json"} <= set(files)
    for job in (JOBS["ci", "gate"], JOBS["review", "compare"]):
        for item in job["steps"]:
            keyed = re.findall(r"'([^']+)'", item.get("with", {}).get("key", ""))
            assert all((ROOT / path.removesuffix("/**")).exists() for path in keyed), keyed


def test_what_releases_trusts_no_cache() -> None:
    assert "actions/cache" not in FILES["image"].read_text("utf-8")


# The review


def reviewed(folder: Path, text: str) -> tuple[str, str]:
    """What the review's step makes of a text: the summary, and the text of the comment."""
    (folder / "review.md").write_text(text, "utf-8")
    summary, output = folder / "summary", folder / "output"
    script = step("review", "compare", "Write the summary, and what fits into a comment")["run"]
    environment = {"RUNNER_TEMP": str(folder), "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)}
    ended = run(script, folder, os.environ["PATH"], RUN="https://github.example.com/run", **environment)
    assert ended.code == 0, ended.err
    match = re.fullmatch(r"text<<(\w+)\n(.*)\1\n", output.read_text("utf-8"), re.DOTALL)
    assert match is not None
    return summary.read_text("utf-8"), match[2]


def test_a_review_is_given_whole(tmp_path: Path) -> None:
    text = "| environment | added |\n|---|---|\n| staging | 1 |\n"
    assert reviewed(tmp_path, text) == (text, text)


def test_a_review_that_is_too_long_ends_at_a_line_and_says_so(tmp_path: Path) -> None:
    text = "".join(f"line {number}: größer\n" for number in range(6000))
    summary, comment = reviewed(tmp_path, text)
    assert summary == text
    note, _, rest = comment.partition("\n\n")
    assert note.startswith("> Too long for a comment")
    assert "https://github.example.com/run" in note
    assert text.startswith(rest)
    assert rest.endswith("größer\n")
    # As one variable of the next job's step, which Linux limits to 128 KiB, and as a comment.
    assert 50_000 < len(comment.encode()) < 65_000


@pytest.mark.parametrize(
    ("code", "page", "ends", "output"),
    [(0, "a page", 0, "open=0\n"), (1, "a page", 0, "open=1\n"), (1, "", 1, ""), (3, "", 3, "")],
)
def test_what_nobody_has_acknowledged_is_red_after_the_comment(
    tmp_path: Path, code: int, page: str, ends: int, output: str
) -> None:
    tools = StandIns(tmp_path)
    tools.put("gw", f"{says(page) if page else ''}exit {code}")
    given, text = tmp_path / "output", "a `$(text)`\n%s"
    given.write_text("")
    variables = {"BASE": "main", "TEXT": text, "RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(given)}
    ended = run(step("review", "compare", "Compare")["run"], tmp_path, os.environ["PATH"], **variables)
    assert (ended.code, given.read_text("utf-8")) == (ends, output)
    assert (tmp_path / "text.md").read_text("utf-8") == f"{text}\n"
    (call,) = tools.calls()
    assert call.startswith("gw review --base origin/main --text ")


@pytest.mark.parametrize(("open_", "ends"), [("0", 0), ("1", 1), ("", 1)])
def test_the_last_job_of_the_review_is_red(tmp_path: Path, open_: str, ends: int) -> None:
    script = step("review", "acknowledged", "Be red for what nobody has acknowledged")["run"]
    assert JOBS["review", "acknowledged"]["needs"] == "compare"
    assert run(script, tmp_path, os.environ["PATH"], OPEN=open_).code == ends


def commented(folder: Path, known: str) -> tuple[list[list[str]], str]:
    """The calls of gh for a text, when the pull request has a known comment of ours or none; and the comment."""
    tools = StandIns(folder / "bin")
    tools.put("gh", says(known, when="--paginate"))
    item = step("review", "comment", "Write the comment, or renew it")
    variables = {"MARKER": item["env"]["MARKER"], "NUMBER": "7", "COMMIT": "abc", "GITHUB_REPOSITORY": "us/platform"}
    ended = run(item["run"], folder, tools.path, TEXT="a `$(text)`\n%s", **variables)
    assert ended.code == 0, ended.err
    return [shlex.split(call) for call in tools.calls()], (folder / "comment.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("known", "method", "place"),
    [("", "POST", "repos/us/platform/issues/7/comments"), ("42", "PATCH", "repos/us/platform/issues/comments/42")],
)
def test_there_is_one_comment_which_is_renewed(tmp_path: Path, known: str, method: str, place: str) -> None:
    calls, comment = commented(tmp_path, known)
    assert comment == "<!-- graphwiki-review -->\na `$(text)`\n%s\n\n<sub>of commit abc</sub>\n"
    assert calls[0][:4] == ["gh", "api", "--paginate", "repos/us/platform/issues/7/comments"]
    assert 'login == "github-actions[bot]"' in calls[0][-1]
    assert calls[1:] == [["gh", "api", "--silent", "--method", method, place, "--field", "body=@comment.md"]]


# The image


def test_an_image_is_scanned_before_anybody_logs_in_and_pushes() -> None:
    names = [item["name"] for item in JOBS["image", "image"]["steps"]]
    order = ["Build", "Scan", "Log in to the registry", "Push"]
    assert [name for name in names if name in order] == order
    build, scan, _, push = (step("image", "image", name)["with"] for name in order)
    assert build.get("push", False) is False
    assert build["load"] is True
    assert (scan["severity"], scan["exit-code"], scan["ignore-unfixed"]) == ("HIGH,CRITICAL", "1", True)
    same = ("context", "file", "tags")
    assert [push[key] for key in same] == [build[key] for key in same]
    assert scan["image-ref"] == build["tags"]
    assert (push["push"], push["provenance"], push["sbom"]) == (True, "mode=max", True)
    assert (ROOT / build["file"]).exists()


def placed(workshop: Workshop, tag: str, application: str = "us/wiki") -> tuple[Ended, str]:
    """How the step ends that finds where an image belongs, and what it gives to the next."""
    tools = StandIns(workshop.root / "bin")
    tools.put("make")
    output = workshop.root / "output"
    output.write_text("")
    script = step("image", "image", "Find where the image belongs")["run"]
    variables = {"APPLICATION": application, "TAG": tag, "GITHUB_OUTPUT": str(output)}
    return run(script, workshop.root, tools.path, **variables), output.read_text("utf-8")


def with_registry(workshop: Workshop, registry: str) -> None:
    file = workshop.root / "facts/environments.py"
    text = file.read_text("utf-8")
    file.write_text(re.sub(r'^REGISTRY = ".*"$', f'REGISTRY = "{registry}"', text, flags=re.MULTILINE), "utf-8")


@pytest.mark.slow
def test_the_image_goes_where_staging_takes_it_from(tmp_path: Path) -> None:
    workshop = Workshop.at(tmp_path)
    for tag in ("latest", "1.4.0@sha256:0", "1.4.0 --env production", "../1.4.0"):
        ended, output = placed(workshop, tag)
        assert (ended.code, output) == (1, "")
        assert "::error::the tag is no release" in ended.out
    ended, _ = placed(workshop, "1.4.0", application="")
    assert ended.code == 1
    assert "::error::the variable APPLICATION_REPOSITORY is not set" in ended.out
    with_registry(workshop, "registry.example.com")
    ended, _ = placed(workshop, "1.4.0")
    assert ended.code == 1
    assert "::error::registry.example.com/graphwiki/graphwiki:1.4.0 is an example" in ended.out

    with_registry(workshop, "registry.acme.test")
    ended, output = placed(workshop, "1.4.0-rc.1")
    assert ended.code == 0, ended.err
    assert output == "image=registry.acme.test/graphwiki/graphwiki:1.4.0-rc.1\nregistry=registry.acme.test\n"


def asked(folder: Path, *, changed: bool, known: int) -> tuple[list[list[str]], str]:
    """The calls that ask for a release, and the text of the pull request."""
    tools = StandIns(folder / "bin")
    tools.put("git", fails(when="diff") if changed else "")
    tools.put("gh", says(str(known), when="list"))
    (folder / "changes.diff").write_text("-tag: 1.3.0\n+tag: 1.4.0\n")
    variables = {"BASE": "main", "TAG": "1.4.0", "SOURCE": "us/wiki@abc", "GUIDE": "https://github.example.com/ci.md"}
    ended = run(
        step("image", "release", "Open the pull request")["run"],
        folder,
        tools.path,
        RUNNER_TEMP=str(folder),
        **variables,
    )
    assert ended.code == 0, ended.err
    body = folder / "body.md"
    return [shlex.split(call) for call in tools.calls()], body.read_text("utf-8") if body.exists() else ""


def test_a_release_is_asked_for_in_a_pull_request(tmp_path: Path) -> None:
    calls, body = asked(tmp_path, changed=True, known=0)
    assert ["git", "add", "images.yaml", "deploy"] in calls
    assert ["git", "push", "--force", "origin", "release/graphwiki-1.4.0"] in calls
    assert calls[-1][:7] == ["gh", "pr", "create", "--base", "main", "--head", "release/graphwiki-1.4.0"]
    assert "+tag: 1.4.0" in body
    for anchor in re.findall(r"ci\.md#([\w-]+)", body):
        assert anchor in anchors(PAGE)


def test_a_release_is_asked_for_once(tmp_path: Path) -> None:
    calls, _ = asked(tmp_path, changed=True, known=1)
    assert not any(call[:3] == ["gh", "pr", "create"] for call in calls)


def test_a_release_that_staging_runs_is_not_asked_for(tmp_path: Path) -> None:
    calls, _ = asked(tmp_path, changed=False, known=0)
    assert [call[0] for call in calls] == ["git", "git"]


# What is still supported


def looked(folder: Path, said: str, code: int) -> tuple[Ended, str]:
    """How the step ends that looks at the versions, when doctor says a text; and what it gives to the next job."""
    tools = StandIns(folder)
    tools.put("gw", f"{says(said)}exit {code}")
    output = folder / "output"
    output.write_text("")
    script = step("support", "look", "Look at what is supported, and for how long")["run"]
    ended = run(script, folder, os.environ["PATH"], GITHUB_OUTPUT=str(output))
    assert tools.calls() == ["gw doctor --support"]
    match = re.fullmatch(r"text<<(\w+)\n(.*)\1\n", output.read_text("utf-8"), re.DOTALL)
    return ended, match[2] if match else ""


@pytest.mark.parametrize(
    ("said", "code", "ends", "text"),
    [
        ("ok      support: nothing runs out", 0, 0, ""),
        ("later   support of k3s: soon\n        choose", 0, 0, "later   support of k3s: soon\n        choose\n"),
        ("FIX     support of k3s: ended\n        choose", 3, 0, "FIX     support of k3s: ended\n        choose\n"),
        ("", 1, 1, ""),
        ("", 2, 2, ""),
    ],
)
def test_what_runs_out_is_given_to_the_job_that_may_write(
    tmp_path: Path, said: str, code: int, ends: int, text: str
) -> None:
    ended, given = looked(tmp_path, said, code)
    assert (ended.code, given) == (ends, text)


def written(folder: Path, *, known: str, text: str) -> tuple[list[list[str]], str]:
    """The calls of gh for a text, when an open issue of ours is known or none; and the issue's body."""
    tools = StandIns(folder / "bin")
    tools.put("gh", says(known, when="--paginate"))
    item = step("support", "issue", "Open the issue, renew it, or close it")
    variables = {"MARKER": item["env"]["MARKER"], "GUIDE": "https://github.example.com/operations.md"}
    ended = run(item["run"], folder, tools.path, TEXT=text, GITHUB_REPOSITORY="us/platform", **variables)
    assert ended.code == 0, ended.err
    body = folder / "body.md"
    return [shlex.split(call) for call in tools.calls()], body.read_text("utf-8") if body.exists() else ""


def test_what_runs_out_opens_one_issue_and_renews_it(tmp_path: Path) -> None:
    text = "later   support of k3s: `$(text)`\n%s"
    (look, post), body = written(tmp_path, known="", text=text)
    assert look[:4] == ["gh", "api", "--paginate", "repos/us/platform/issues?state=open&per_page=100"]
    assert 'login == "github-actions[bot]"' in look[-1]
    assert post[:6] == ["gh", "api", "--silent", "--method", "POST", "repos/us/platform/issues"]
    assert post[-2:] == ["--field", "body=@body.md"]
    # By this mark at its start the next run finds it.
    assert body.startswith("<!-- graphwiki-support -->\n")
    assert f"```text\n{text}\n```\n" in body
    # Of several, only the oldest: gh lists the newest first.
    (_, patch), again = written(tmp_path, known="43\n42", text=text)
    place = "repos/us/platform/issues/42"
    assert patch == ["gh", "api", "--silent", "--method", "PATCH", place, "--field", "body=@body.md"]
    assert again == body


def test_when_nothing_runs_out_the_issue_is_closed_and_none_opened(tmp_path: Path) -> None:
    (_, *calls), _ = written(tmp_path, known="42", text="")
    assert calls == [
        ["gh", "api", "--silent", "--method", "PATCH", "repos/us/platform/issues/42", "--field", "state=closed"]
    ]
    (_, *calls), _ = written(tmp_path, known="", text="")
    assert calls == []


def test_the_job_that_may_write_issues_runs_no_code_of_the_project() -> None:
    issue = JOBS["support", "issue"]
    assert not any("uses" in item for item in issue["steps"])
    assert not re.search(r"\bmake\b|python3|\.venv", runs(issue))


# The hooks

HOOKS_FILE = ".pre-commit-config.yaml"


def hooks() -> dict[str, dict[str, Any]]:
    (repository,) = yaml.load((ROOT / HOOKS_FILE).read_text("utf-8"), yaml.CSafeLoader)["repos"]
    # A repository of others would be fetched.
    assert repository["repo"] == "local"
    return {hook["id"]: hook for hook in repository["hooks"]}


def test_the_hooks_are_commands_of_this_project() -> None:
    made = [hook["entry"].removeprefix("make ") for hook in hooks().values() if hook["entry"].startswith("make ")]
    assert made == ["synth", "check", "lint"]
    assert set(made) <= TARGETS
    assert all(hook["language"] == "system" and hook["pass_filenames"] is False for hook in hooks().values())


def test_the_hooks_run_for_the_files_that_they_are_about() -> None:
    files = {name: re.compile(hook["files"]) for name, hook in hooks().items()}
    for path in ("charts/graphwiki.py", "synth/tree.py", "main.py", "images.yaml", "deploy/apps/new.yaml"):
        assert files["synth"].search(path), path
    assert files["synth"] == files["added"] == files["check"]
    assert not files["synth"].search("docs/ci.md")
    assert files["lint"].search("tests/test_github.py")
    assert files["judges"].search("deploy/apps/new.yaml")
    assert not files["judges"].search("charts/graphwiki.py")


def test_the_judges_of_a_commit_are_some_of_the_gate() -> None:
    entry = hooks()["judges"]["entry"].split()
    assert entry[:3] == ["./gw", "verify", "--built"]
    assert set(entry[4::2]) <= JUDGES.keys()


def test_a_file_that_is_not_added_is_no_commit(tmp_path: Path) -> None:
    tools = StandIns(tmp_path / "bin")
    for unknown, code in (("deploy/apps/new.yaml", 1), ("", 0)):
        tools.put("git", says(unknown) if unknown else "")
        ended = run(hooks()["added"]["entry"], tmp_path, tools.path)
        assert (ended.code, ended.out.strip()) == (code, unknown)


# The page


def anchors(page: str) -> set[str]:
    return {title.lower().replace(",", "").replace(" ", "-") for title in re.findall(r"^#+ (.+)$", page, re.MULTILINE)}


def test_the_page_links_to_what_is_there() -> None:
    for target in re.findall(r"\]\((?!http)([^)]+)\)", PAGE):
        path, _, anchor = target.partition("#")
        file = ROOT / "docs" / path
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text("utf-8")), target
    for workflow in FILES.values():
        assert workflow.name in PAGE


def test_the_page_names_commands_that_are_there() -> None:
    assert set(re.findall(r"`make ([\w-]+)`", PAGE)) <= TARGETS
    named = re.findall(r"\./gw ([a-z][\w ./-]*[\w/])", PAGE)
    assert named
    assert {line.split()[0] for line in named} <= cli.commands.keys()


def test_the_page_names_inputs_that_the_workflow_has() -> None:
    named = re.findall(r"--field (\w+)=", PAGE)
    assert named == list(WORKFLOWS["image"][True]["workflow_dispatch"]["inputs"])


def test_no_file_names_a_registry_of_packages() -> None:
    hosts = re.compile(r"pypi\.org|pythonhosted|registry\.npmjs|proxy\.golang|ghcr\.io|registry\.terraform")
    for path in (*FILES.values(), GITHUB / "renovate.json", ROOT / HOOKS_FILE, ROOT / "docs/ci.md"):
        assert not hosts.search(path.read_text("utf-8")), path
