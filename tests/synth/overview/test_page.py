"""The page about an environment: its maps and its tables."""

import re
from dataclasses import replace

import pytest
from syrupy.assertion import SnapshotAssertion

from synth.overview import overview
from synth.overview.model import Address, App, Call, Overview, Party
from synth.overview.page import page
from synth.overview.picture import APPS_IN_A_MAP, CALLS_IN_A_MAP, MOST_ADDRESSES, label, maps, maps_of_calls
from synth.tree import is_generated
from tests.synth.overview.shop import ROOT, objects, shop, the


def text_of(overview: Overview) -> str:
    return page(overview, "What runs in a test", "charts/shop.py").text()


def test_it_has_maps_and_tables(snapshot: SnapshotAssertion) -> None:
    assert text_of(shop()) == snapshot


def test_it_says_that_it_is_generated_in_a_comment_and_has_no_objects() -> None:
    made = page(shop(), "What runs in a test", "charts/shop.py")
    first = made.text().splitlines()[0]
    assert re.fullmatch(r"<!-- Generated from charts/shop\.py by .* -->", first)
    assert is_generated(made.text())
    assert made.documents == ()


def test_the_order_of_the_objects_does_not_matter() -> None:
    assert text_of(overview(reversed(objects()), ROOT)) == text_of(shop())


def test_an_environment_without_apps_has_a_page() -> None:
    text = text_of(overview([], ROOT))
    assert "flowchart LR\n```" in text
    assert "let in the gateways and nobody else." in text


def row(text: str, start: str) -> list[str]:
    """The cells of the last row that begins so."""
    (*_, found) = [line for line in text.splitlines() if line.startswith(f"| {start}")]
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", found)[1:-1]]


def test_the_last_row_adds_up_what_all_of_them_take() -> None:
    name, _, requests, limits, volumes, _ = row(text_of(shop()), "**all")
    # The shop 500m and 640Mi, the data 300m and 3Gi, the dump 10m and 32Mi; volumes of 3 x 10Gi, 2Gi and 1Gi.
    assert (name, requests, limits, volumes) == ("**all of it**", "810m CPU, 3744Mi", "8100m CPU, 5056Mi", "33Gi")


def test_a_volume_that_nothing_mounts_has_a_row() -> None:
    assert "| [data](apps/data) |  |  |  | `spare` 1Gi RWX | none |" in text_of(shop())


def test_one_bar_or_backtick_breaks_no_table() -> None:
    found = objects()
    route = the("VirtualService", "shop", found)["spec"]["http"][2]
    route["match"] = [{"port": 443, "uri": {"regex": "/(a|b)`"}}]
    text = text_of(overview(found, ROOT))
    assert r"`` shop.example.com matching /(a\|b)` ``" in text
    assert {line.count("|") - line.count(r"\|") for line in text.splitlines() if line.startswith("| [")} == {5, 7}


@pytest.mark.parametrize(
    "text", ["end", "* * * * *", 'say "no"', "a|b", "#35;", "<b>", "`x`", "[x]{y}(z)", "%% x", "_x_"]
)
def test_a_label_means_no_more_than_its_characters(text: str) -> None:
    made = label(text)
    assert re.fullmatch(r'"(?:[\w ./:,()+→-]|#\d+;)*"', made)
    assert "_" not in made
    assert re.sub(r"#(\d+);", lambda match: chr(int(match[1])), made[1:-1]) == text


def node_ids(lines: list[str]) -> list[str]:
    return [match[1] for line in lines if (match := re.match(r" +(\w+)(?:\[|\{\{|\()", line))]


def test_every_node_has_a_name_of_its_own() -> None:
    """`a-b` and `a.b` would otherwise be one node."""
    app = shop().app("shop")
    twins = [replace(app.workloads[0], party=Party("Deployment", "shop", name)) for name in ("a-b", "a.b", "end")]
    found = replace(shop(), apps=(replace(app, workloads=tuple(twins)),))
    (lines,) = maps(found)
    names = node_ids(lines)
    assert len(names) == len(set(names)) > len(twins)
    assert not {"end", "graph", "default"} & set(names)


def test_a_change_of_one_app_changes_no_line_of_another() -> None:
    found = objects()
    the("HorizontalPodAutoscaler", "shop", found)["spec"]["maxReplicas"] = 7
    before, after = (text.splitlines() for text in (text_of(shop()), text_of(overview(found, ROOT))))
    changed = [line for line in {*before} ^ {*after} if "**all" not in line]
    assert changed
    assert all("shop" in line and "data" not in line for line in changed)


def many(count: int) -> Overview:
    """So many apps, each with a workload that calls the next one's."""
    shops = shop()
    (workload,) = shops.app("shop").workloads

    def app(number: int) -> App:
        party = Party("Deployment", f"app-{number}", "web")
        return replace(
            shops.app("shop"),
            name=f"app-{number}",
            folder=f"apps/app-{number}",
            workloads=(replace(workload, party=party),),
        )

    apps = tuple(map(app, range(count)))
    parties = [app.workloads[0].party for app in apps]
    return replace(shops, apps=apps, calls=tuple(map(Call, parties[1:], parties, [(8000,)] * (count - 1))))


def test_many_apps_have_several_maps_that_github_draws() -> None:
    found = many(3 * CALLS_IN_A_MAP)
    drawn = [*maps(found), *maps_of_calls(found)]
    assert len(drawn) == 3 * CALLS_IN_A_MAP / APPS_IN_A_MAP + 3
    for lines in drawn:
        assert len("\n".join(lines)) < 50_000
        assert sum(len(re.findall(r"-->|---|~~~", line)) for line in lines) < 500
    text = "\n".join(line for lines in drawn for line in lines)
    assert all(f'["{app.name}"]' in text for app in found.apps)


def test_an_arrow_with_many_addresses_says_how_many_more_and_the_table_names_all() -> None:
    found = shop()
    app = found.app("shop")
    routes = tuple(
        replace(app.routes[0], address=Address(f"shop-{number}.example.com", "", 443, "HTTPS"))
        for number in range(MOST_ADDRESSES + 2)
    )
    text = text_of(replace(found, apps=(replace(app, routes=routes),), routes=routes))
    assert f"shop-{MOST_ADDRESSES - 2}.example.com<br>and 3 more" in text
    assert f"`shop-{MOST_ADDRESSES + 1}.example.com`" in text
