"""Rules for what Flux changes in what it applies."""

from typing import Any

import pytest

from synth.manifest import Document
from synth.rules import substitutions
from tests.synth.objects import environment, find, put, said

VARIABLE_TEXT = "http://${HOST}/"


def applied(text: str = "", **spec: Any) -> list[Document]:
    """The environment, whose apps are applied with these fields, and whose wiki has a variable of this text."""
    documents = environment()
    find(documents, "Kustomization", "apps")["spec"] |= spec
    put(find(documents, "Deployment"), "spec/template/spec/containers/0/env/0/value", text)
    return documents


@pytest.mark.parametrize(
    ("text", "spec", "told"),
    [
        (
            "",
            {"patches": [{"patch": "x", "target": {"kind": "Deployment", "name": "wikki"}}]},
            "patches Deployment wikki",
        ),
        ("", {"images": [{"name": "wikki", "newTag": "2"}]}, "changes image wikki, which nothing that it applies has"),
        (VARIABLE_TEXT, {"postBuild": {"substitute": {"host": "a"}}}, "has ${HOST}, for which Kustomization apps puts"),
    ],
)
def test_a_change_that_finds_nothing_gives_one_sentence(text: str, spec: Document, told: str) -> None:
    (sentence,) = said(substitutions.RULES, applied(text, **spec))
    assert told in sentence


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        (VARIABLE_TEXT, {}),
        (VARIABLE_TEXT, {"postBuild": {"substitute": {"HOST": "a"}}}),
        (VARIABLE_TEXT, {"postBuild": {"substituteFrom": [{"kind": "Secret", "name": "a"}]}}),
        ("$${HOST} ${PORT:=80}", {"postBuild": {"substitute": {"A": "a"}}}),
        ("", {"images": [{"name": "wiki", "newTag": "2"}]}),
        ("", {"patches": [{"patch": "x", "target": {"kind": "Deployment|StatefulSet"}}, {"patch": "x"}]}),
    ],
)
def test_a_change_may_find_what_it_is_for(text: str, spec: Document) -> None:
    assert said(substitutions.RULES, applied(text, **spec)) == []
