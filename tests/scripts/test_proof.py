"""`./gw proof`: which scenarios there are, and what is refused before anything is built or started."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from facts.environments import LOCAL
from scripts.__main__ import execute
from scripts.gate import proof
from scripts.gate.node import cluster, enclosure
from scripts.gate.node.enclosure import NotHere


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


@pytest.mark.usefixtures("ran")
def test_where_it_is_not_possible_that_is_said_to_who_asked_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise NotHere("this is no Linux")

    monkeypatch.setattr(enclosure, "refuse_elsewhere", refuse)
    assert execute(["proof", "--if-possible"]) == 0
    assert capsys.readouterr().err == "no cluster was started: this is no Linux\n"
    assert execute(["proof"]) == 3


def test_so_is_what_is_not_built_and_nothing_is_started(
    ran: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster, "missing", lambda _: ["etcd", "kubelet"])
    assert execute(["proof", "--if-possible"]) == 0
    assert "etcd, kubelet would have to be built: `make cluster-test` does that" in capsys.readouterr().err
    assert ran == []
    monkeypatch.setattr(cluster, "missing", lambda _: [])
    assert execute(["proof", "--if-possible"]) == 0
    assert len(ran) == 1


def test_everything_would_have_to_be_built_where_nothing_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = cluster.missing(LOCAL)
    assert {"kubernetes-node", "source-controller", "pilot-discovery", "envoy", "definitions"} <= set(found)


@pytest.mark.usefixtures("ran")
def test_what_is_wrong_in_the_cluster_is_no_excuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "missing", lambda _: [])
    for code, ends in ((1, 1), (3, 3)):
        monkeypatch.setattr(enclosure, "run", lambda _, code=code: code)
        assert execute(["proof", "--if-possible"]) == ends


def test_without_root_it_says_so_and_builds_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", "")
    assert execute(["proof"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("which only root makes: run this as root")
