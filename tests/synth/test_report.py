"""What a change does, as Markdown: the same difference once, and what has to be acknowledged on top."""

from dataclasses import replace
from typing import Any

import pytest

from synth.changes import Hazard, Risk
from synth.changes.acceptances import read
from synth.diff import ObjectChange, compare_objects
from synth.manifest import Document
from synth.report import FOLD_LINES, FOLD_SECTION, as_markdown, hazards_as_markdown, judge
from synth.tree import Object

ROOTS = ("deploy", "deploy/production")
NAMES = ("before", "after")


def item(name: str = "wiki", root: str = ROOTS[0], *, kind: str = "Service", **more: Any) -> Object:
    """An object of an app of its own name, in the app's folder below a root."""
    document = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": name}, **more}
    return Object(document, f"charts/{name}.py", f"{root}/apps/{name}/{kind.lower()}.yaml")


def changed(before: Document, now: Document, *names: str) -> list[ObjectChange]:
    """The same change of a spec in several apps; `NAME` in a text stands for the app."""
    sides = [
        [item(name, root, spec=_named(spec, name)) for name in names]
        for root, spec in zip(ROOTS, (before, now), strict=True)
    ]
    return compare_objects(sides[0], sides[1], ROOTS)


def _named(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _named(part, name) for key, part in value.items()}
    return value.replace("NAME", name) if isinstance(value, str) else value


def lines(changes: dict[str, list[ObjectChange]]) -> list[str]:
    return list(as_markdown(changes, NAMES))


def tables(page: list[str]) -> int:
    return page.count("|---|---|---|")


def test_where_nothing_differs_there_is_no_text() -> None:
    assert lines({}) == lines({"": []}) == lines({"local": [], "staging": []}) == []


def test_a_change_in_one_place_stands_below_its_environment_and_its_folder() -> None:
    assert lines({"local": [], "staging": changed({"a": 1, "gone": "x"}, {"a": 2, "more": ""}, "wiki")}) == [
        "",
        "### staging",
        "",
        "#### apps/wiki",
        "",
        "**Service wiki/wiki** changed",
        "",
        "| field | before | after |",
        "|---|---|---|",
        "| `spec.a` | `1` | `2` |",
        "| `spec.gone` | `x` |  |",
        '| `spec.more` |  | `""` |',
    ]


def test_an_object_of_one_side_is_folded_with_its_whole_text() -> None:
    for before, now, what in (([], [item(root=ROOTS[1])], "added"), ([item()], [], "removed")):
        assert lines({"": compare_objects(before, now, ROOTS)}) == [
            "",
            "#### apps/wiki",
            "",
            f"<details><summary>Service wiki/wiki <b>{what}</b></summary>",
            "",
            "```yaml",
            "apiVersion: v1",
            "kind: Service",
            "metadata:",
            "  name: wiki",
            "  namespace: wiki",
            "```",
            "",
            "</details>",
        ]


def test_what_becomes_of_a_removed_object_may_be_said_otherwise() -> None:
    page = list(as_markdown({"": compare_objects([item()], [], ROOTS)}, NAMES, lambda _: "gone for good"))
    assert any("<b>gone for good</b>" in line for line in page)


# The same in several places

MANY = [f"app{number}" for number in range(20)]


def test_the_same_change_in_every_app_and_environment_is_one_table() -> None:
    once = changed({"a": 1}, {"a": 2}, *MANY)
    page = lines({"local": once, "staging": once, "production": once})
    assert tables(page) == 1
    (place,) = [line for line in page if line.startswith("**")]
    assert place.startswith("**local, staging, production: Service `app0/app0`, `app1/app1`")
    assert page[-1] == "| `spec.a` | `1` | `2` |"


def test_a_change_that_has_each_apps_own_name_in_it_is_one_table_as_well() -> None:
    page = lines({"": changed({"host": "NAME.NAME.svc"}, {"host": "NAME.example.com"}, *MANY)})
    assert tables(page) == 1
    assert page[-1] == "| `spec.host` | `NAME.NAME.svc` | `NAME.example.com` |"
    assert "NAME and NAMESPACE stand for those of each object." in page
    assert not any("NAME" in line for line in lines({"": changed({"a": 1}, {"a": 2}, *MANY)}))


def test_one_object_in_several_environments_keeps_its_name() -> None:
    once = changed({"host": "NAME.svc"}, {"host": "NAME.example.com"}, "wiki")
    assert lines({"local": once, "staging": once})[-1] == "| `spec.host` | `wiki.svc` | `wiki.example.com` |"


def test_environments_with_other_objects_have_a_line_each() -> None:
    page = lines({"local": changed({"a": 1}, {"a": 2}, "wiki"), "staging": changed({"a": 1}, {"a": 2}, "wiki", "shop")})
    assert [line for line in page if line.startswith("**")] == [
        "**local: Service `wiki/wiki`** changed  ",
        "**staging: Service `wiki/wiki`, `shop/shop`** changed  ",
    ]


def test_what_an_app_has_beside_the_common_change_is_its_own() -> None:
    own = compare_objects([item("shop", spec={"a": 1, "b": 1})], [item("shop", ROOTS[1], spec={"a": 2, "b": 2})], ROOTS)
    page = lines({"": [*changed({"a": 1}, {"a": 2}, "wiki"), *own]})
    assert tables(page) == 2
    assert page[-1] == "| `spec.b` | `1` | `2` |"
    assert page.count("| `spec.a` | `1` | `2` |") == 1


def test_fields_that_change_together_are_one_table() -> None:
    assert tables(lines({"": changed({"a": 1, "b": 1}, {"a": 2, "b": 2}, *MANY)})) == 1


def test_other_values_are_other_tables() -> None:
    page = lines({"local": changed({"a": 1}, {"a": 2}, "wiki"), "staging": changed({"a": 1}, {"a": 3}, "wiki")})
    assert tables(page) == 2
    assert "### The same in several places" not in page


def test_another_kind_is_another_table() -> None:
    pods = compare_objects([item(kind="Pod", spec={"a": 1})], [item(root=ROOTS[1], kind="Pod", spec={"a": 2})], ROOTS)
    assert tables(lines({"": [*changed({"a": 1}, {"a": 2}, "wiki"), *pods]})) == 2


def test_the_same_new_object_in_many_apps_is_shown_once() -> None:
    page = lines({"": compare_objects([], [item(name, ROOTS[1]) for name in MANY], ROOTS)})
    assert page.count("```yaml") == 1
    assert "  name: NAME" in page
    (place,) = [line for line in page if line.startswith("**")]
    assert place.endswith("`app19/app19`** added  ")


# Cells, and what is long


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("a|b", r"`a\|b`"),
        ("||", r"`\|\|`"),
        ("two\nlines", r'`"two\nlines"`'),
        ("a `b`", "`` a `b` ``"),
        (["a|b", "c"], r"`[a\|b, c]`"),
        ("*.example.com", "`*.example.com`"),
    ],
)
def test_a_cell_of_a_table_stays_one_cell(value: Any, cell: str) -> None:
    assert lines({"": changed({"a": value}, {"a": 1}, "wiki")})[-1] == f"| `spec.a` | {cell} | `1` |"
    assert lines({"": changed({"a": 1}, {"a": value}, "wiki")})[-1] == f"| `spec.a` | `1` | {cell} |"


def fields(number: int) -> list[ObjectChange]:
    before, now = ({f"f{number:03}": value for number in range(number)} for value in (1, 2))
    return changed(before, now, "wiki")


def test_a_long_table_is_folded() -> None:
    head = 2
    short = lines({"": fields(FOLD_LINES - head)})
    assert short[3:6] == ["**Service wiki/wiki** changed", "", "| field | before | after |"]
    assert "</details>" not in short
    long = lines({"": fields(FOLD_LINES - head + 1)})
    assert long[3] == "<details><summary>Service wiki/wiki <b>changed</b></summary>"
    assert long[-3:] == ["| `spec.f028` | `1` | `2` |", "", "</details>"]


def test_many_changes_of_one_environment_alone_are_folded() -> None:
    apart = [change for number in range(FOLD_SECTION) for change in changed({f"f{number}": 1}, {}, f"app{number}")]
    page = lines({"local": [], "staging": apart})
    assert page[1:3] == ["### staging", f"<details><summary>{FOLD_SECTION} objects</summary>"]


# What has to be acknowledged


def hazard(name: str = "wiki", risk: Risk = Risk.OUTAGE, *, notice: bool = False) -> Hazard:
    return Hazard(risk, item(name), f"Service `{name}` stops the service.", (f"Ask `{name}`.", "Wait."), notice=notice)


def acknowledged(hazards: dict[str, list[Hazard]], text: str = "") -> list[str]:
    return list(hazards_as_markdown(judge(hazards, read(text, "the text")), "accepted.md"))


def test_a_hazard_has_its_place_what_happens_the_steps_and_its_line() -> None:
    page = acknowledged({"staging": [hazard()], "production": []})
    start = page.index("### Nothing answers")
    assert page[start:] == [
        "### Nothing answers",
        "",
        "**staging: Service `wiki/wiki`**  ",
        "",
        "Service `wiki` stops the service.",
        "",
        "1. Ask `wiki`.",
        "2. Wait.",
        "",
        "```text",
        "accepts: outage staging/Service/wiki/wiki ...",
        "```",
    ]


def test_the_same_hazard_of_many_apps_is_said_once_without_a_name() -> None:
    page = acknowledged({name: [hazard(app) for app in MANY] for name in ("staging", "production")})
    assert page.count("Service `NAME` stops the service.") == 1
    assert "1. Ask `NAME`." in page
    (line,) = [line for line in page if line.startswith("accepts: ")]
    assert line == "accepts: outage */Service/*/* ..."


def test_what_differs_from_place_to_place_stands_with_it() -> None:
    places = {name: [replace(hazard(), detail=f"`{name}.example.com`")] for name in ("staging", "production")}
    assert [line for line in acknowledged(places) if line.startswith("**")] == [
        "**staging: Service `wiki/wiki` (`staging.example.com`)**  ",
        "**production: Service `wiki/wiki` (`production.example.com`)**  ",
    ]


def test_what_is_the_same_everywhere_stands_in_the_sentence() -> None:
    page = acknowledged({name: [replace(hazard(), detail="`2Gi` to `1Gi`")] for name in ("staging", "production")})
    assert "**staging, production: Service `wiki/wiki`**  " in page
    assert "Service `wiki` stops the service. (`2Gi` to `1Gi`.)" in page


def test_the_line_that_the_page_offers_acknowledges_all_of_it() -> None:
    hazards = {name: [hazard(app) for app in MANY] for name in ("staging", "production")}
    (line,) = [line for line in acknowledged(hazards) if line.startswith("accepts: ")]
    page = acknowledged(hazards, line.replace("...", "it is announced"))
    assert "## To be acknowledged" not in page
    (told,) = [line for line in page if line.startswith("- Nothing answers")]
    assert told.endswith(": it is announced (the text)")


def test_what_is_not_covered_stays_open() -> None:
    judgement = judge(
        {"staging": [hazard(), hazard("shop")]}, read("accepts: outage staging/Service/wiki/wiki why", "")
    )
    assert [group.where for group in judgement.open] == [["staging: Service `shop/shop`"]]
    assert len(judgement.wanted) == 1


def test_an_acceptance_of_nothing_is_told() -> None:
    page = acknowledged({"staging": []}, "accepts: outage staging/Service/wiki/wiki why\naccepts: nonsense * why")
    assert page[1] == "## Acknowledged in vain"
    assert page[3].startswith("- `accepts: outage staging/Service/wiki/wiki why` (the text): this changes nothing")
    assert page[4].startswith("- `accepts: nonsense * why` (the text): there is no nonsense change")


def test_a_notice_need_not_be_acknowledged_and_may_be() -> None:
    hazards = {"staging": [hazard(notice=True)]}
    assert judge(hazards, []).open == []
    page = acknowledged(hazards, "accepts: outage * why")
    assert page[1] == "## Good to know"
    assert "## Acknowledged in vain" not in page


def test_the_worst_stands_first() -> None:
    page = acknowledged({"a": [hazard(), hazard(risk=Risk.REFUSED)], "b": [hazard(risk=Risk.LOST)]})
    assert [line for line in page if line.startswith("### ")] == [
        "### The API server refuses it",
        "### Data is lost, or out of sight",
        "### Nothing answers",
    ]
