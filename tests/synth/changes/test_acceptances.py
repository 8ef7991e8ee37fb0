"""What somebody says of a hazard: which lines are one, and what they are about."""

import pytest

from synth.changes import Hazard, Risk
from synth.changes.acceptances import line_for, place, read
from synth.tree import Object


def hazard(kind: str = "Deployment", namespace: str = "wiki", name: str = "wiki", risk: Risk = Risk.OUTAGE) -> Hazard:
    document = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}}
    return Hazard(risk, Object(document, "", "deploy/a.yaml"), "what", ())


@pytest.mark.parametrize(
    "line",
    [
        "accepts: outage staging/Deployment/wiki/wiki it is announced",
        "  - accepts: outage staging/Deployment/wiki/wiki it is announced",
        "`accepts: outage staging/Deployment/wiki/wiki it is announced`",
        "> Accepts: outage staging/Deployment/wiki/wiki: it is announced.",
        "accepts: outage staging/Deployment/wiki/wiki it is announced\r",
    ],
)
def test_a_line_has_a_risk_a_place_and_a_reason(line: str) -> None:
    (found,) = read(f"Some text.\n{line}\nMore text.\n", "here")
    assert (found.risk, found.where, found.why) == ("outage", "staging/Deployment/wiki/wiki", "it is announced")
    assert found.fault == ""
    assert found.covers("staging", hazard())


def test_a_reason_may_quote_something() -> None:
    (found,) = read("accepts: outage * the `wiki` is on its way: `make up`", "here")
    assert (found.why, found.fault) == ("the `wiki` is on its way: `make up`", "")


@pytest.mark.parametrize(
    "text",
    [
        "nobody accepts: this",
        "<!-- accepts: outage staging/Deployment/wiki/wiki an example -->",
        "<!--\naccepts: outage staging/Deployment/wiki/wiki an example\n",
    ],
)
def test_other_text_is_none(text: str) -> None:
    assert read(text, "here") == []


@pytest.mark.parametrize(
    ("where", "covered"),
    [
        ("staging/Deployment/wiki/wiki", True),
        ("*/Deployment/wiki/wiki", True),
        ("staging/*", True),
        ("*", True),
        ("production/Deployment/wiki/wiki", False),
        ("staging/Deployment/wiki", False),
        ("staging/StatefulSet/*", False),
    ],
)
def test_a_place_may_have_stars(where: str, covered: bool) -> None:
    (found,) = read(f"accepts: outage {where} why not", "here")
    assert found.covers("staging", hazard()) is covered


def test_it_is_about_one_risk_alone() -> None:
    (found,) = read("accepts: outage * why not", "here")
    assert not found.covers("staging", hazard(risk=Risk.LOST))


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("accepts: nonsense * why", "there is no nonsense change; there are refused, "),
        ("accepts:", "there is no such change"),
        ("accepts: outage", "it does not say where"),
        ("accepts: outage *", "it does not say why"),
        ("accepts: outage * ...", "it does not say why"),
    ],
)
def test_a_line_that_is_not_whole_covers_nothing_and_says_why(line: str, fault: str) -> None:
    (found,) = read(line, "here")
    assert found.fault.startswith(fault)
    assert not found.covers("staging", hazard())


@pytest.mark.parametrize(
    "several",
    [
        [("staging", hazard())],
        [("staging", hazard()), ("production", hazard())],
        [("staging", hazard()), ("staging", hazard(namespace="shop", name="shop"))],
        [
            ("staging", hazard(kind="PriorityClass", namespace="")),
            ("production", hazard(kind="PriorityClass", namespace="")),
        ],
        [("staging", hazard(kind="PriorityClass", namespace="")), ("staging", hazard())],
    ],
)
def test_the_line_that_is_offered_is_about_all_of_them(several: list[tuple[str, Hazard]]) -> None:
    (found,) = read(f"{line_for((place(*one) for one in several), Risk.OUTAGE)} why not", "here")
    assert all(found.covers(*one) for one in several)


def test_the_line_for_one_place_has_no_star() -> None:
    assert line_for([place("staging", hazard())], Risk.OUTAGE) == "accepts: outage staging/Deployment/wiki/wiki"
    assert line_for(["a/Deployment/b/c", "d/Deployment/b/c"], Risk.OUTAGE) == "accepts: outage */Deployment/b/c"
