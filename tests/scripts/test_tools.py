"""The commands themselves: exit codes, help, the wrong command line."""

import sys

import pytest

from tests.workshop import ROOT, Ended, Workshop


def scripts(*arguments: str) -> Ended:
    return Workshop(ROOT).run(sys.executable, "-m", "scripts", *arguments)


@pytest.mark.parametrize("command", [["check"], ["bench"], ["refresh", "crds"], ["refresh", "flux"]])
def test_every_command_has_help_with_an_example(command: list[str]) -> None:
    ended = scripts(*command, "--help")
    assert ended.code == 0
    assert f"Example: python -m scripts {' '.join(command)}" in ended.out


def test_a_wrong_command_line_is_exit_code_2() -> None:
    for arguments in (["chekc"], ["check", "--write"], ["bench", "--rounds", "many"]):
        ended = scripts(*arguments)
        assert ended.code == 2
        assert "Traceback" not in ended.err


def test_without_its_packages_it_says_what_to_run() -> None:
    ended = Workshop(ROOT).run(sys.executable, "-S", "-m", "scripts", "check", PYTHONPATH="")
    assert ended.code == 3
    assert ended.err == "click is not installed: run `make setup`, and use .venv/bin/python -m scripts\n"


def test_check_of_the_committed_tree_finds_nothing() -> None:
    ended = scripts("check")
    assert ended.code == 0, ended.out + ended.err
    assert ended.out.startswith("deploy/ is what the charts give: ")
