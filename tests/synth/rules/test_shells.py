"""Rules for words that only a shell understands."""

from typing import Any

import pytest

from synth.rules import shells
from tests.synth.objects import POD, environment, find, put, said


def told(**container: Any) -> list[str]:
    """What is said of a container that has these fields."""
    documents = environment()
    for field, value in container.items():
        put(find(documents, "Deployment"), f"{POD}/containers/0/{field}", value)
    return said(shells.RULES, documents)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (
            ["wiki serve --port 8000"],
            "'wiki serve --port 8000' as one program: write each word by itself, as in [\"wiki\"",
        ),
        (["wiki", "migrate", "&&", "wiki", "serve"], "with '&&', which no shell reads: write it for a shell"),
        (["wiki", "dump", ">", "/tmp/dump"], "with '>', which no shell reads: write it for a shell"),
        (["wiki", "--day=$(date +%F)"], "with $(date +%F), which no shell runs"),
        (["wiki", "--into=~/pages"], "with --into=~/pages, whose ~ no shell fills in: write the folder from / on"),
        (["wiki", "--port 8000"], 'write --port=8000, or "--port", "8000"'),
    ],
)
@pytest.mark.parametrize("where", ["a command", "a readinessProbe", "a preStop"])
def test_what_a_shell_would_read_gives_its_sentence(command: list[str], sentence: str, where: str) -> None:
    fields: dict[str, Any] = {
        "a command": {"command": command},
        "a readinessProbe": {"readinessProbe": {"exec": {"command": command}}},
        "a preStop": {"lifecycle": {"preStop": {"exec": {"command": command}}}},
    }
    (found,) = told(**fields[where])
    assert found.startswith(f"Deployment wiki has container wiki with {where} ")
    assert sentence in found


def test_arguments_behind_the_program_of_the_image_are_looked_at_too() -> None:
    assert len(told(args=["serve", "|", "tee"])) == 1


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-ec", "wiki migrate && wiki serve --port 8000 > /tmp/log"],
        ["/bin/bash", "-c", "wiki --day=$(date +%F)"],
        ["timeout", "5", "sh", "-c", "cat ~/pages | wc"],
        ["find", "/data", "-name", "*.md", "-exec", "wiki", "check", "{}", ";"],
        ["wiki", "--title", "A page && another", "--day=$(DAY)", "--greet=Hello there"],
        ["wiki", "$$(date +%F)", "a~/b"],
    ],
)
def test_what_is_for_a_shell_or_one_word_is_left_alone(command: list[str]) -> None:
    assert told(command=command) == []


def test_arguments_alone_may_be_a_line_for_the_programs_own_shell() -> None:
    assert told(args=["wiki migrate && wiki serve"]) == []
