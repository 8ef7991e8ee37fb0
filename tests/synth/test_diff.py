"""What differs between two sets of objects: which objects, which fields, and how a terminal shows it."""

from typing import Any

import pytest

from synth.diff import (
    Change,
    FieldChange,
    ObjectChange,
    as_text,
    compare_objects,
    counts,
    hosts,
)
from synth.manifest import Document
from synth.tree import Object

ROOTS = ("deploy", "deploy/production")


def item(
    name: str = "wiki", folder: str = "apps/wiki", *, kind: str = "Service", root: str = "", **more: Any
) -> Object:
    """An object in a folder below the first root, or below another one."""
    document = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "wiki"}, **more}
    return Object(document, "charts/wiki.py", f"{root or ROOTS[0]}/{folder}/{kind.lower()}.yaml")


def after(name: str = "wiki", folder: str = "apps/wiki", **more: Any) -> Object:
    """The same below the second root."""
    return item(name, folder, root=ROOTS[1], **more)


def fields(before: Document, now: Document) -> list[tuple[str, str, str]]:
    """Path and both texts of every field that differs between two specs."""
    changes = compare_objects([item(spec=before)], [after(spec=now)], ROOTS)
    assert all(change.change is Change.CHANGED for change in changes)
    return [(field.path, field.before, field.after) for change in changes for field in change.fields]


# objects


def test_the_same_objects_do_not_differ() -> None:
    assert compare_objects([item(), item("cache")], [after("cache"), after()], ROOTS) == []
    assert compare_objects([], [], ROOTS) == []


def test_an_object_is_added_removed_or_changed() -> None:
    before = [item("old"), item(spec={"replicas": 1})]
    now = [after("new"), after(spec={"replicas": 2})]
    assert compare_objects(before, now, ROOTS) == [
        ObjectChange(Change.ADDED, now[0], "apps/wiki"),
        ObjectChange(Change.CHANGED, now[1], "apps/wiki", (FieldChange("spec.replicas", "1", "2"),)),
        ObjectChange(Change.REMOVED, before[0], "apps/wiki"),
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"apiVersion": "example.com/v1"},
        {"kind": "Endpoints"},
        {"metadata": {"name": "wikki", "namespace": "wiki"}},
        {"metadata": {"name": "wiki", "namespace": "docs"}},
        {"metadata": {"name": "wiki"}},
    ],
)
def test_objects_are_the_same_by_group_kind_namespace_and_name(other: Document) -> None:
    second = Object({**item().document, **other}, "charts/wiki.py", "deploy/production/apps/wiki/service.yaml")
    changes = compare_objects([item()], [second], ROOTS)
    assert [change.change for change in changes] == [Change.ADDED, Change.REMOVED]


def test_another_version_of_an_api_is_a_change_of_the_object() -> None:
    now = after(apiVersion="v2")
    assert compare_objects([item()], [now], ROOTS)[0].fields == (FieldChange("apiVersion", "v1", "v2"),)


def test_an_object_in_another_folder_is_the_same_object() -> None:
    assert compare_objects([item()], [after(folder="platform/wiki")], ROOTS) == []
    changes = compare_objects([item()], [after(folder="platform/wiki", spec={"replicas": 1})], ROOTS)
    assert [change.folder for change in changes] == ["platform/wiki"]


def test_folders_are_in_the_order_of_the_second_set_and_then_of_the_first() -> None:
    before = [item("a", "apps/old"), item("b", "apps/wiki"), item("c", "platform/gateway")]
    now = [after("d", "platform/gateway"), after("e", "apps/wiki"), after("f", "platform/gateway")]
    changes = compare_objects(before, now, ROOTS)
    assert [(change.folder, change.item.name) for change in changes] == [
        ("platform/gateway", "d"),
        ("platform/gateway", "f"),
        ("platform/gateway", "c"),
        ("apps/wiki", "e"),
        ("apps/wiki", "b"),
        ("apps/old", "a"),
    ]


def test_a_title_has_the_kind_the_namespace_and_the_name() -> None:
    namespace = Object({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "wiki"}}, "", "")
    titles = [ObjectChange(Change.ADDED, subject, "").title for subject in (item(), namespace)]
    assert titles == ["Service wiki/wiki", "Namespace wiki"]


# fields


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({"replicas": 1}, {"replicas": 2}, ("spec.replicas", "1", "2")),
        ({"a": 1}, {"a": 1, "replicas": 2}, ("spec.replicas", "", "2")),
        ({"a": 1, "replicas": 2}, {"a": 1}, ("spec.replicas", "2", "")),
        ({}, {"template": {"spec": {"priority": 1}}}, ("spec.template.spec.priority", "", "1")),
        ({"template": {"spec": {"priority": 1}}}, {}, ("spec.template.spec.priority", "1", "")),
    ],
)
def test_a_field_has_its_path_and_both_values(before: Document, now: Document, expected: tuple[str, str, str]) -> None:
    assert fields(before, now) == [expected]


def test_fields_are_in_the_order_of_the_first_set_and_then_of_the_second() -> None:
    found = fields({"c": 1, "a": {"y": 1, "x": 1}}, {"b": 2, "a": {"x": 2, "z": 2, "y": 2}, "c": 2})
    assert [path for path, *_ in found] == ["spec.c", "spec.a.y", "spec.a.x", "spec.a.z", "spec.b"]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("tier", "spec.labels.tier"),
        ("my-tier", "spec.labels.my-tier"),
        ("example.com", "spec.labels[example.com]"),
        ("a/b", "spec.labels[a/b]"),
        ("app.kubernetes.io/name", "spec.labels[app.kubernetes.io/name]"),
    ],
)
def test_a_key_with_dots_of_its_own_is_in_brackets(key: str, path: str) -> None:
    assert fields({"labels": {key: "a"}}, {"labels": {key: "b"}}) == [(path, "a", "b")]


def test_a_field_below_a_key_in_brackets_goes_on_with_a_dot() -> None:
    assert fields({"a.b": {"c": 1}}, {"a.b": {"c": 2}}) == [("spec[a.b].c", "1", "2")]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1.5, "1.5"),
        ("", '""'),
        ("250m", "250m"),
        (True, "true"),
        (False, "false"),
        ([], "[]"),
        (["GET"], "[GET]"),
        (["GET", "", True, 80], '[GET, "", true, 80]'),
    ],
)
def test_a_value_is_shown_as_yaml_has_it(value: Any, text: str) -> None:
    assert fields({}, {"value": value}) == [("spec.value", "", text)]
    assert fields({"value": value}, {}) == [("spec.value", text, "")]
    assert fields({"value": "x"}, {"value": value}) == [("spec.value", "x", text)]


def test_a_list_of_plain_values_is_one_field() -> None:
    assert fields({"hosts": ["a", "b"]}, {"hosts": ["b", "a", "c"]}) == [("spec.hosts", "[a, b]", "[b, a, c]")]


# entries of lists


def test_an_entry_of_a_list_goes_by_its_name() -> None:
    before = {"containers": [{"name": "wiki", "image": "wiki:1"}, {"name": "cache", "image": "cache:1"}]}
    now = {"containers": [{"name": "cache", "image": "cache:1"}, {"name": "wiki", "image": "wiki:2"}]}
    assert fields(before, now) == [
        ("spec.containers[wiki].image", "wiki:1", "wiki:2"),
        ("spec.containers, the order", "[wiki, cache]", "[cache, wiki]"),
    ]


def test_what_is_empty_or_has_but_a_name_is_something() -> None:
    assert fields({"a": 1}, {"a": 1, "podSelector": {}}) == [("spec.podSelector", "", "{}")]
    assert fields({"a": 1, "hosts": []}, {"a": 1}) == [("spec.hosts", "[]", "")]
    needs = [{"dependsOn": [{"name": name} for name in names]} for names in (("platform",), ("crds",))]
    assert fields(*needs) == [("spec.dependsOn[platform]", "{}", ""), ("spec.dependsOn[crds]", "", "{}")]


def test_a_list_that_is_not_all_of_entries_is_one_field() -> None:
    assert fields({"a": ["x"]}, {"a": [{"name": "x"}]}) == [("spec.a", "[x]", "[{name: x}]")]
    assert fields({"a": [{"name": "x"}, "y"]}, {"a": 1}) == [("spec.a", "[{name: x}, y]", "1")]


def test_values_of_different_types_are_different_and_look_so() -> None:
    assert fields({"a": True}, {"a": 1}) == [("spec.a", "true", "1")]
    assert fields({"a": "1"}, {"a": 1}) == [("spec.a", '"1"', "1")]
    assert fields({"a": 80}, {"a": {"number": 80, "tls": True}}) == [("spec.a", "80", "{number: 80, tls: true}")]


def test_an_entry_that_one_side_has_is_shown_without_the_name_that_its_path_has() -> None:
    some, more = ({"env": [{"name": name, "value": "1"} for name in names]} for names in (("A",), ("A", "B")))
    assert fields(some, more) == [("spec.env[B].value", "", '"1"')]
    assert fields(more, some) == [("spec.env[B].value", '"1"', "")]


def test_an_entry_goes_by_the_name_of_its_port() -> None:
    before, now = (
        {"servers": [{"port": {"name": name, "number": 80}, "hosts": [host]} for name in ("http", "web")]}
        for host in ("a", "b")
    )
    now["servers"].reverse()
    assert fields(before, now) == [
        ("spec.servers[http].hosts", "[a]", "[b]"),
        ("spec.servers[web].hosts", "[a]", "[b]"),
        ("spec.servers, the order", "[http, web]", "[web, http]"),
    ]


@pytest.mark.parametrize(
    "entries",
    [
        [{"port": 80}, {"port": 443}],
        [{"port": 80, "name": "http"}, {"port": {"number": 443}}],
        [{"name": "http", "port": {"number": 80}}, {"port": {"number": 443}}],
        [{"name": "http"}, {"name": "http"}],
        [{"name": ""}, {"name": ""}],
        [{"host": "a"}, {"host": "b"}],
    ],
)
def test_entries_go_by_number_where_not_every_one_has_a_name_of_its_own(entries: list[Document]) -> None:
    now = [entries[0], {**entries[1], "weight": 1}]
    assert fields({"entries": entries}, {"entries": now}) == [("spec.entries[1].weight", "", "1")]


def test_entries_go_by_number_where_the_other_side_has_no_names() -> None:
    before = {"entries": [{"name": "a", "weight": 1}]}
    now = {"entries": [{"host": "a", "weight": 2}]}
    assert fields(before, now) == [
        ("spec.entries[0].name", "a", ""),
        ("spec.entries[0].weight", "1", "2"),
        ("spec.entries[0].host", "", "a"),
    ]


@pytest.mark.parametrize("nothing", [{}, {"ports": []}, {"ports": None}])
def test_every_entry_of_a_list_that_one_side_has_is_shown(nothing: Document) -> None:
    ports = {"ports": [{"port": 80}, {"port": 443}]}
    assert fields(nothing, ports) == [("spec.ports[0].port", "", "80"), ("spec.ports[1].port", "", "443")]
    assert fields(ports, nothing) == [("spec.ports[0].port", "80", ""), ("spec.ports[1].port", "443", "")]


def test_entries_of_lists_in_lists_have_both_in_their_path() -> None:
    before, now = (
        {"http": [{"name": "all", "route": [{"destination": {"port": {"number": number}}}]}]} for number in (80, 81)
    )
    assert fields(before, now) == [("spec.http[all].route[0].destination.port.number", "80", "81")]


# text


def changes() -> list[ObjectChange]:
    before = [item("old", "apps/old"), item(spec={"a": 1, "gone": "x", "same": 1})]
    now = [after("new", "platform/new"), after(spec={"a": 2, "same": 1, "more": ""})]
    return compare_objects(before, now, ROOTS)


def test_text_has_folders_and_objects_with_their_signs_and_fields() -> None:
    assert list(as_text(changes())) == [
        ("", None),
        ("platform/new", None),
        ("  + Service wiki/new  (deploy/production/platform/new/service.yaml)", Change.ADDED),
        ("", None),
        ("apps/wiki", None),
        ("  ~ Service wiki/wiki", None),
        ("      spec.a", None),
        ("        - 1", Change.REMOVED),
        ("        + 2", Change.ADDED),
        ("      spec.gone", None),
        ("        - x", Change.REMOVED),
        ("      spec.more", None),
        ('        + ""', Change.ADDED),
        ("", None),
        ("apps/old", None),
        ("  - Service wiki/old  (deploy/apps/old/service.yaml)", Change.REMOVED),
    ]


def test_text_names_a_folder_once() -> None:
    lines = [line for line, _ in as_text(compare_objects([], [after("a"), after("b")], ROOTS))]
    assert lines == [
        "",
        "apps/wiki",
        "  + Service wiki/a  (deploy/production/apps/wiki/service.yaml)",
        "  + Service wiki/b  (deploy/production/apps/wiki/service.yaml)",
    ]


def test_where_nothing_differs_there_is_no_text() -> None:
    assert list(as_text([])) == []


# summaries


def test_every_kind_of_change_is_counted() -> None:
    assert counts([]) == {Change.ADDED: 0, Change.CHANGED: 0, Change.REMOVED: 0}
    assert counts(changes()) == {Change.ADDED: 1, Change.CHANGED: 1, Change.REMOVED: 1}
    two = compare_objects([item("a"), item("b")], [after("c")], ROOTS)
    assert counts(two) == {Change.ADDED: 1, Change.CHANGED: 0, Change.REMOVED: 2}


def test_the_hosts_of_every_route_are_one_text() -> None:
    routes = [
        item(kind="VirtualService", spec={"hosts": ["wiki.localhost", "docs.localhost"]}),
        item("inner", kind="VirtualService", spec={}),
        item("wikki", spec={"hosts": ["wikki.localhost"]}),
    ]
    assert hosts(routes) == {"wiki": ("wiki", "wiki.localhost, docs.localhost"), "inner": ("wiki", "")}
    assert hosts([]) == {}
