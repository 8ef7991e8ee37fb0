"""Kubernetes objects as YAML text."""

import pytest
import yaml

from synth.manifest import dump, load, ordered

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
