"""Kubernetes objects as YAML text."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from synth.manifest import _pyyaml, dump, load, ordered

TEXTS = [
    "graphwiki:latest",
    "ssh://git@git.example.com/graphwiki/platform.git",
    "*.example.com",
    "istio-system/main-gateway",
    "--watch=$(NAMESPACE)",
    "a: b",
    "a #b",
    "key:",
    " padded ",
    "",
    "-",
    "é",
    "two\nlines\n",
    "no end of line\nhere",
    "tab\there",
    "@at",
    "{}",
    "[]",
    "'",
    '"',
]
# Strings that one YAML reader or another takes for a boolean, a number, a date or nothing.
AMBIGUOUS = "y n Y N yes no on off true False null ~ 1 8080 1.5 .5 1e3 1E-3 12e4 0x1f 0o7 0b1 1_000 +1 -1".split()
AMBIGUOUS += "1:30 2026-01-31 .inf .nan = <<".split()


@pytest.mark.parametrize("text", [*TEXTS, *AMBIGUOUS])
def test_text_stays_text(text: str) -> None:
    assert load(dump([{"value": text, text or "empty": "key"}])) == [{"value": text, text or "empty": "key"}]


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_what_a_reader_could_take_for_something_else_is_quoted(text: str) -> None:
    assert dump([{"value": text}]) == f'value: "{text}"\n'


@pytest.mark.parametrize("text", ["50m", "64Mi", "1Gi", "1.30.4", "1.29.4-alpine", "graphwiki:latest", "./deploy/apps"])
def test_what_is_plainly_text_is_not_quoted(text: str) -> None:
    assert dump([{"value": text}]) == f"value: {text}\n"


def test_long_lines_are_not_folded_and_equal_values_not_aliased() -> None:
    shared = {"key": "word " * 100 + "end"}
    text = dump([{"one": shared, "two": shared}])
    assert len(text.splitlines()) == 4
    assert "&" not in text


def test_documents_are_parted_by_three_dashes() -> None:
    assert dump([{"a": 1}, {"b": 2}]) == "a: 1\n---\nb: 2\n"


def test_reading_order_puts_what_identifies_first_and_the_rest_by_the_alphabet() -> None:
    document = ordered(
        {
            "spec": {"zoo": 1, "image": "i", "name": "n", "apple": [{"b": 1, "name": "x"}]},
            "metadata": {"labels": {}, "namespace": "ns", "name": "n"},
            "kind": "K",
            "apiVersion": "v1",
        }
    )
    assert list(document) == ["apiVersion", "kind", "metadata", "spec"]
    assert list(document["metadata"]) == ["name", "namespace", "labels"]
    assert list(document["spec"]) == ["name", "image", "apple", "zoo"]
    assert list(document["spec"]["apple"][0]) == ["name", "b"]


def test_the_order_of_lists_stays() -> None:
    assert ordered(["b", "a"]) == ["b", "a"]


def test_a_stream_with_empty_documents_loads_without_them() -> None:
    assert load("---\n---\na: 1\n---\n# nothing\n") == [{"a": 1}]


def test_the_text_is_what_any_yaml_reader_gives_back() -> None:
    document = {"list": ["a", {"b": [1, 2.5, True, None]}], "empty": {}, "none": []}
    assert yaml.safe_load(dump([document])) == document


SIGNS = "abz09 :-#'\"\\{}[],&*!|>%@`?\n\t~=.é\u2028\x07_/$"


def any_text(chance: random.Random) -> str:
    usual = [*TEXTS, *AMBIGUOUS, "x" * 130, "\n", "a\n\n", " a\nb", "a\nb ", "\na", "a\n\n b\n", "a\nb\u2028"]
    return chance.choice(usual) if chance.random() < 0.7 else "".join(chance.choices(SIGNS, k=chance.randrange(12)))


def any_value(chance: random.Random, depth: int) -> Any:
    kind = chance.random()
    if depth and kind < 0.3:
        return {any_text(chance): any_value(chance, depth - 1) for _ in range(chance.randrange(4))}
    if depth and kind < 0.5:
        return [any_value(chance, depth - 1) for _ in range(chance.randrange(4))]
    return chance.choice([any_text(chance), any_text(chance), 1, 0, -5, 1.5, 1e20, True, False, None])


@pytest.mark.parametrize("text", [any_text, lambda chance: f"k{chance.randrange(99)}"], ids=["any keys", "usual keys"])
def test_it_is_laid_out_as_pyyaml_does(text: Callable[[random.Random], str]) -> None:
    chance = random.Random(1)  # noqa: S311, the same each time
    for _ in range(500):
        documents = [{text(chance): any_value(chance, 4) for _ in range(3)} for _ in range(chance.randrange(3))]
        assert dump(documents) == _pyyaml(documents)


def test_a_large_or_repeated_number_is_what_it_was() -> None:
    documents = [{"a": True, "b": 1, "c": 1.0, "d": 10**30, "e": False, "f": 0, "g": [1, True, 1.0]}]
    assert dump(documents) == _pyyaml(documents)
