"""`./gw proof`: which scenarios there are, and what is refused before anything is built or started."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.__main__ import execute
from scripts.gate import proof
from scripts.gate.node import cluster, enclosure


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """The commands that are run in the namespaces, which there are none of here; each ends well."""
    commands: list[list[str]] = []

    @contextmanager
    def entered() -> Iterator[None]:
        yield

    def run(command: list[str]) -> int:
        commands.append(list(map(str, command)))
        return 0

    monkeypatch.setattr(enclosure, "refuse_elsewhere", lambda: None)
    monkeypatch.setattr(enclosure, "entered", entered)
    monkeypatch.setattr(enclosure, "run", run)
    monkeypatch.setattr(cluster, "make", lambda _: None)
    monkeypatch.setattr(proof, "LOGS", tmp_path / "logs")
    return commands


def files(command: list[str]) -> list[str]:
    return [Path(part).stem for part in command if part.endswith(".py")]


def test_without_a_name_all_are_tried_and_that_which_finds_the_cluster_as_it_came_up_first(
    ran: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("__init__", "conftest", "zebra", "start", "apple"):
        (tmp_path / f"{name}.py").touch()
    monkeypatch.setattr(proof, "SCENARIOS", tmp_path)
    assert execute(["proof"]) == 0
    assert execute(["proof", "zebra", "start"]) == 0
    assert list(map(files, ran)) == [["start", "apple", "zebra"], ["start", "zebra"]]


def test_the_scenarios_are_none_that_make_test_would_collect() -> None:
    assert proof.FIRST in proof.scenarios()
    assert not [name for name in proof.scenarios() if name.startswith("test_") or name.endswith("_test")]


def test_every_run_has_empty_logs(ran: list[list[str]], tmp_path: Path) -> None:
    old = tmp_path / "logs" / "local" / "old.log"
    old.parent.mkdir(parents=True)
    old.touch()
    assert execute(["proof", "--keep"]) == 0
    assert not old.exists()
    (command,) = ran
    assert f"--logs={old.parent}" in command
    assert "--keep" in command


def test_a_scenario_that_there_is_not_is_refused_with_those_that_there_are(
    ran: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["proof", "nothing"]) == 2
    assert f"nothing: there are {', '.join(proof.scenarios())}" in " ".join(capsys.readouterr().err.split())
    assert ran == []


@pytest.mark.parametrize(
    ("code", "ends", "said"),
    [
        (1, 1, "not all is as it is said to be; what each part of the cluster said is in "),
        (3, 3, "the cluster did not come up; what each part of it said is in "),
        (137, 3, "the cluster did not come up; what each part of it said is in "),
    ],
)
@pytest.mark.usefixtures("ran")
def test_how_it_ended_is_said_with_where_the_logs_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, ends: int, said: str
) -> None:
    monkeypatch.setattr(enclosure, "run", lambda _: code)
    assert execute(["proof"]) == ends
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(said)
    assert last.endswith("logs/local")


def test_without_root_it_says_so_and_builds_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", "")
    assert execute(["proof"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("which only root makes: run this as root")
