"""Rules for regular expressions: what Istio's proxy cannot read gives its sentence."""

import pytest

from synth.manifest import Document
from synth.rules import patterns
from tests.synth.objects import environment, find, put, said


def told(match: Document) -> list[str]:
    documents = environment()
    put(find(documents, "VirtualService"), "spec/http/0/match", [match])
    return said(patterns.RULES, documents)


@pytest.mark.parametrize(
    "pattern", ["/(?!admin).*", "/pages(?=/)", "(?<=/)a", r"/(a)\1", "/a++", "/(", "[a-z]{1,1001}", "/(?>a)"]
)
def test_a_pattern_that_the_proxy_cannot_read_gives_its_sentence(pattern: str) -> None:
    (sentence,) = told({"uri": {"regex": pattern}})
    assert sentence.startswith(
        f"VirtualService wiki has spec.http[0].match[0].uri.regex {pattern!r}, which is not of RE2"
    )


@pytest.mark.parametrize("pattern", [".*", "/pages/[^/]+", "(?i)/wiki", "/(?P<name>a|b)", r"/\pL+", r"/v[0-9]+\.html"])
def test_a_pattern_of_re2_is_left_alone(pattern: str) -> None:
    assert told({"uri": {"regex": pattern}}) == []


def test_patterns_are_found_wherever_they_are() -> None:
    assert len(told({"headers": {"cookie": {"regex": "(?!a)"}}, "authority": {"regex": "(?=a)"}})) == 2
    assert told({"uri": {"exact": "/(?!a)"}, "headers": {"regex": {"exact": "(?!a)"}}}) == []
