"""What writes to a cluster that Flux looks after, and what docs/operations.md says becomes of it.

Every kubectl line of the pages, the commands and Terraform is looked up in that page's table: it is either harmless
there, or it stands between `flux suspend` and `flux resume`.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click
import pytest

from facts.environments import LOCAL
from facts.images import images
from scripts.__main__ import cli
from scripts.cluster import secrets
from synth import ROOT
from tests.deployed import APPS, objects
from tests.encrypted import KEYS
from tests.scripts.desk import Desk

PAGE = (ROOT / "docs/operations.md").read_text("utf-8")
SECTION = PAGE.partition("## What Flux does with work by hand\n")[2].partition("\n## ")[0]

RUN = ("infra/**/*.tf", "infra/**/*.sh", ".github/workflows/*", ".ci/*", "Makefile")
READS = {"get", "describe", "logs", "wait", "rollout status", "rollout history", "version", "top", "events", "explain"}
"""What changes nothing; every other verb must be in the table."""
VALUES = ("--context", "--namespace", "-n", "--kubeconfig")


@dataclass(frozen=True)
class Line:
    """A command line, where it stands, and whether Flux is suspended there."""

    words: tuple[str, ...]
    where: str
    suspended: bool = False

    @property
    def verb(self) -> str:
        own = iter(self.words[1:])
        plain = [word for word in own if not (word in VALUES and next(own, ""))]
        return " ".join(plain[: 2 if plain[0] in ("rollout", "create", "config", "auth") else 1])


@dataclass(frozen=True)
class Row:
    """One way to write, and whether it is for this project: `yes`, `never` or `suspended`."""

    words: tuple[str, ...]
    here: str

    def covers(self, line: Line) -> bool:
        """Whether all of its words are in the line, in their order."""
        rest = iter(line.words)
        return all(word in rest for word in self.words)


def rows() -> list[Row]:
    found = []
    for line in SECTION.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3 and cells[0] not in ("written with", "---"):
            names = re.findall(r"`([^`]+)`", cells[0]) or [cells[0]]
            found += [Row(tuple(name.split()), re.split(r"\W", cells[2])[0]) for name in names]
    return found


def row_of(line: Line) -> Row | None:
    """The row that says most of the line."""
    return max((row for row in rows() if row.covers(line)), key=lambda row: len(row.words), default=None)


def words(text: str) -> tuple[str, ...]:
    return tuple(shlex.split(re.sub(r"\s[<>] ?\S+", "", text)))


def in_pages() -> Iterator[Line]:
    """The commands of the pages: lines after a prompt, and code in a sentence that names a context."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text, name = path.read_text("utf-8"), str(path.relative_to(ROOT))
        for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
            suspended = False
            for line in re.findall(r"^ *\$ (.+)$", block, re.MULTILINE):
                suspended = "flux suspend" in line or (suspended and "flux resume" not in line)
                if line.startswith("kubectl "):
                    yield Line(words(line), name, suspended)
        prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
        for code in re.findall(r"`(kubectl [^`]+)`", prose):
            if "--context" in code:
                yield Line(words(code), name)


def in_files() -> Iterator[Line]:
    """The commands that Terraform, shell scripts, make and workflows run."""
    listed = [path for pattern in RUN for path in sorted(ROOT.glob(pattern))]
    for path in listed:
        for code in re.findall(r"\bkubectl (-[^\n]+)", path.read_text("utf-8")):
            yield Line(("kubectl", *code.replace('\\"', "").strip('"').split()), str(path.relative_to(ROOT)))


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        elif any(parameter.name == "dry_run" for parameter in command.params):
            yield (*path, name), command


OPTIONS = {"--env": "local", "--from": "local", "--to": "local", "--key-file": str(ROOT / "versions.yaml")}
ARGUMENTS = {
    "file": "/outside/of/here.agekey",
    "name": KEYS.name,
    "app": next(app for app in APPS if app in images()[OPTIONS["--env"]]),
    "target": "registry.example.com/graphwiki/graphwiki:1.4.0",
    "version": "1.4.0",
}
"""What commands are called with that must be told something."""
LEAVES = {" ".join(path): command for path, command in leaves(cli)}


@pytest.fixture(autouse=True)
def encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app has a Secret in Git, whatever today's apps have."""
    file = replace(KEYS, app=ARGUMENTS["app"])
    monkeypatch.setattr(secrets, "_wanted", lambda _: {f"deploy/apps/{file.app}/secret-{file.name}.yaml": file})


def in_commands(desk: Desk, name: str) -> Iterator[Line]:
    """What a command would run, with none and with all of its switches."""
    parameters = LEAVES[name].params
    arguments = [ARGUMENTS[p.name or ""] for p in parameters if isinstance(p, click.Argument) and p.required]
    switches = [p.opts[0] for p in parameters if isinstance(p, click.Option) and p.is_flag and p.name != "dry_run"]
    arguments += [
        word
        for p in parameters
        if p.required
        for option in p.opts
        if option in OPTIONS
        for word in (option, OPTIONS[option])
    ]
    for given in ([], switches):
        ended = desk.run(*name.split(), *arguments, *given, "--dry-run")
        assert ended.code == 0, ended.err
        for line in re.findall(r"^\$ (kubectl .+)$", ended.err, re.MULTILINE):
            yield Line(words(line), f"./gw {name}")


def judged(line: Line) -> str:
    """What is wrong with a line that writes, empty where nothing is."""
    if line.verb in READS:
        return ""
    row = row_of(line)
    where = f"{line.where}: `{shlex.join(line.words)}`"
    if row is None:
        return f"{where}: docs/operations.md does not say what Flux does with `kubectl {line.verb}`: give it a row"
    if row.here == "never" or (row.here == "suspended" and not line.suspended):
        return f"{where} is taken back by Flux: say `{' '.join(row.words)}` otherwise, or suspend Flux before it"
    return ""


def test_every_line_of_the_pages_that_writes_lasts_or_is_written_with_flux_suspended() -> None:
    found = list(in_pages())
    assert any(line.suspended for line in found)
    assert [problem for line in found if (problem := judged(line))] == []


def test_every_line_of_terraform_and_the_workflows_that_writes_is_in_the_table() -> None:
    found = list(in_files())
    assert any(line.where.startswith("infra/local/") for line in found)
    assert [problem for line in found if (problem := judged(line))] == []


@pytest.mark.parametrize("name", LEAVES)
def test_whatever_a_command_writes_is_in_the_table(desk: Desk, name: str) -> None:
    assert [problem for line in in_commands(desk, name) if (problem := judged(line))] == []


def test_commands_that_write_are_among_those_looked_at(desk: Desk) -> None:
    written = {line.verb for name in ("up", "deploy", "flux bootstrap") for line in in_commands(desk, name)} - READS
    assert written == {"apply", "rollout restart"}


@pytest.mark.parametrize(
    ("text", "suspended", "problem"),
    [
        ("rollout restart deployment/a", False, "is taken back by Flux"),
        ("rollout restart deployment/a", True, "is taken back by Flux"),
        ("rollout restart deployment/a --field-manager=mine", False, "is taken back by Flux"),
        ("rollout restart deployment/a --field-manager=flux-client-side-apply", False, ""),
        ("apply -k deploy/apps", False, "is taken back by Flux"),
        ("apply --server-side --force-conflicts -k deploy/apps", False, ""),
        ("scale deployment/a --replicas=0", False, "is taken back by Flux"),
        ("scale deployment/a --replicas=0", True, ""),
        ("delete pvc a", False, "is taken back by Flux"),
        ("delete pod a", False, ""),
        ("create secret generic a", False, ""),
        ("create configmap a", False, "does not say what Flux does with `kubectl create configmap`"),
        ("rollout undo deployment/a", True, "does not say what Flux does with `kubectl rollout undo`"),
        ("autoscale deployment/a", True, "does not say what Flux does with `kubectl autoscale`"),
        ("rollout status deployment/a", False, ""),
        ("get pods", False, ""),
    ],
)
def test_a_line_is_judged_by_the_row_that_says_most_of_it(text: str, suspended: bool, problem: str) -> None:
    line = Line(("kubectl", "--context", LOCAL.context, "--namespace", "a", *text.split()), "a page", suspended)
    said = judged(line)
    assert problem in said
    assert bool(said) == bool(problem)


def test_every_row_says_whether_it_is_for_this_project() -> None:
    assert {row.here for row in rows()} == {"yes", "never", "suspended"}


def test_the_page_says_how_often_flux_applies() -> None:
    folders = sorted(path.relative_to(ROOT / "deploy") for path in (ROOT / "deploy").glob("**/flux/flux-system"))
    found = {
        item["spec"]["interval"]
        for folder in map(Path.as_posix, folders)
        for item in objects(folder)
        if item["kind"] == "Kustomization"
    }
    assert found == set(re.findall(r"`interval: (\w+)`", SECTION))
