"""The commands themselves: exit codes, help, the wrong command line."""

import json
import sys
from collections.abc import Iterator

import click
import pytest

from scripts.__main__ import cli, execute
from scripts.gate.bench import STEPS, compile_synthetic
from synth import ROOT
from tests.workshop import Ended, Workshop


def scripts(*arguments: str) -> Ended:
    return Workshop(ROOT).run(sys.executable, "-m", "scripts", *arguments)


def leaves(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*words, name))
        else:
            yield (*words, name)


@pytest.mark.parametrize("words", list(leaves(cli)), ids=" ".join)
def test_every_command_has_help_with_an_example(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([*words, "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"Example: ./gw {' '.join(words)}" in said


@pytest.mark.parametrize("arguments", [["chekc"], ["check", "--write"], ["bench", "--rounds", "many"]], ids=" ".join)
def test_a_wrong_command_line_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(arguments) == 2
    assert capsys.readouterr().err.startswith("Usage: ")


@pytest.mark.slow
def test_without_its_packages_it_says_what_to_run() -> None:
    ended = Workshop(ROOT).run(sys.executable, "-S", "-m", "scripts", "check", PYTHONPATH="")
    assert ended.code == 3
    assert ended.err == "click is not installed: run `make setup`, and use ./gw\n"


@pytest.mark.slow
def test_check_of_the_committed_tree_finds_nothing() -> None:
    ended = scripts("check")
    assert ended.code == 0, ended.out + ended.err
    assert ended.out.startswith("deploy/ is what the charts give: ")


@pytest.mark.slow
def test_the_bench_compiles_synthetic_apps_that_break_no_rule(capsys: pytest.CaptureFixture[str]) -> None:
    counted = []
    for apps in (1, 2, 3):
        compile_synthetic(apps)
        costs = json.loads(capsys.readouterr().out)
        assert set(costs) == {*STEPS, "objects"}
        counted.append(costs["objects"])
    one, two, three = counted
    assert three - two == two - one > 10
