"""Rules for files of configuration: what cannot be read, and what is not where pods look for it."""

from typing import Any

import pytest

from synth.manifest import Document
from synth.rules import contents
from tests.synth.objects import POD, environment, find, put, said


def settings(data: dict[str, Any]) -> Document:
    metadata = {"name": "settings", "namespace": "wiki"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


@pytest.mark.parametrize(
    ("key", "text", "reads"),
    [
        ("a.yaml", "a: [1", False),
        ("a.yml", "a: b: c", False),
        ("a.json", "{'a': 1}", False),
        ("a.toml", "a = b", False),
        ("a.yaml", "a: 1\n---\nb: !env HOME\n", True),
        ("a.yaml", "a: {{ b }", True),
        ("a.json", '{"a": 1}', True),
        ("a.toml", 'a = "b"', True),
        ("a.ini", "a: [1", True),
    ],
)
def test_a_file_is_what_its_name_says(key: str, text: str, reads: bool) -> None:
    found = said(contents.RULES, [*environment(), settings({key: text})])
    assert [
        sentence.startswith(f"ConfigMap settings has {key}, which is not what its name says (") for sentence in found
    ] == ([] if reads else [True])


def mounted(named: dict[str, Any], mount: dict[str, Any] | None = None, **source: Any) -> list[str]:
    documents = environment()
    volume = {"name": "pages", "configMap": {"name": "settings", **source}}
    put(find(documents, "Deployment"), f"{POD}/volumes/0", volume)
    container = find(documents, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    container["volumeMounts"] = [{"name": "pages", "mountPath": "/etc/wiki", **(mount or {})}]
    container |= named
    return said(contents.RULES, [*documents, settings({"wiki.ini": "", "more.ini": ""})])


def variable(text: str) -> dict[str, Any]:
    return {"env": [{"name": "WIKI_CONFIG", "value": text}]}


@pytest.mark.parametrize(
    ("named", "place"),
    [
        (variable("/etc/wiki/wiki.yaml"), "/etc/wiki/wiki.yaml in WIKI_CONFIG"),
        ({"args": ["--config=/etc/wiki/wiki.cfg"]}, "/etc/wiki/wiki.cfg in its args"),
        ({"command": ["wiki", "/etc/wiki/wiki.conf"]}, "/etc/wiki/wiki.conf in its command, word 2"),
    ],
)
def test_a_file_that_a_config_map_has_not_gives_its_sentence(named: dict[str, Any], place: str) -> None:
    assert mounted(named) == [
        f"Deployment wiki has container wiki with {place}, but ConfigMap settings there has wiki.ini, more.ini: name "
        "one of them"
    ]


def test_a_volume_may_have_some_of_them_by_other_names() -> None:
    items = [{"key": "wiki.ini", "path": "conf.d/wiki.cfg"}]
    assert mounted(variable("/etc/wiki/conf.d/wiki.cfg"), items=items) == []
    assert mounted(variable("/etc/wiki/conf.d"), items=items) == []
    (told,) = mounted(variable("/etc/wiki/wiki.ini"), items=items)
    assert "there has conf.d/wiki.cfg" in told


@pytest.mark.parametrize(
    ("named", "mount"),
    [
        (variable("/etc/wiki/wiki.ini"), {}),
        (variable("/etc/wiki"), {}),
        (variable("/etc/other/wiki.yaml"), {}),
        (variable("/etc/wiki/wiki.yaml"), {"mountPath": "/etc/wiki/wiki.yaml", "subPath": "wiki.ini"}),
        ({"command": ["sh", "-c", "cat /etc/wiki/none"]}, {}),
    ],
)
def test_what_is_there_is_found(named: dict[str, Any], mount: dict[str, Any]) -> None:
    assert mounted(named, mount) == []


def writing(*words: str, read_only: bool = True, **variables: str) -> list[str]:
    """What is said where the wiki, which mounts a volume at /data, is told to write."""
    documents = environment()
    container = find(documents, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    container["args"] = list(words)
    container["env"] = [{"name": name, "value": value} for name, value in variables.items()]
    container["securityContext"]["readOnlyRootFilesystem"] = read_only
    container["volumeMounts"] = [{"name": "pages", "mountPath": "/data"}]
    return said(contents.RULES, documents)


@pytest.mark.parametrize(
    ("words", "variables", "place"),
    [
        (("--log-file=/var/log/wiki.log",), {}, "--log-file /var/log/wiki.log"),
        (("--access-logfile", "/var/log/wiki.log"), {}, "--access-logfile /var/log/wiki.log"),
        (("--pidfile", "/run/wiki.pid"), {}, "--pidfile /run/wiki.pid"),
        ((), {"WIKI_CACHE_DIR": "/var/cache/wiki"}, "WIKI_CACHE_DIR /var/cache/wiki"),
        ((), {"TMPDIR": "/var/tmp"}, "TMPDIR /var/tmp"),
        ((), {"LOG_DIR": "/database"}, "LOG_DIR /database"),
    ],
)
def test_a_place_where_nothing_may_be_written_gives_its_sentence(
    words: tuple[str, ...], variables: dict[str, Any], place: str
) -> None:
    sentence = "where it may not write: name a place below /data"
    assert writing(*words, **variables) == [f"Deployment wiki has container wiki with {place}, {sentence}"]
    assert writing(*words, read_only=False, **variables) == []


def test_what_is_written_below_a_volume_or_to_no_file_is_left_alone() -> None:
    assert writing("--log-file=/dev/stdout", "--access-logfile", "-", "--pid-file=/data/wiki.pid") == []
    assert writing(WIKI_LOG_FILE="/data/log/wiki.log", CACHE_DIR="cache", CATALOG_DIR="/usr/share/a") == []


def test_files_of_configuration_are_no_place_to_write() -> None:
    documents = environment()
    deployment = find(documents, "Deployment")
    put(deployment, f"{POD}/volumes/0", {"name": "settings", "configMap": {"name": "settings"}})
    put(deployment, f"{POD}/containers/0/volumeMounts", [{"name": "settings", "mountPath": "/etc/wiki"}])
    put(deployment, f"{POD}/containers/0/args", ["--pid-file=/etc/wiki/settings.ini"])
    found = said(contents.RULES, [*documents, settings({"settings.ini": ""})])
    assert found == [
        "Deployment wiki has container wiki with --pid-file /etc/wiki/settings.ini, where it may not write: name a "
        "place below a volume that it mounts"
    ]


def of_keys(kind: str, **pod: Any) -> list[str]:
    """What is said where the wiki's pods ask for a key of a ConfigMap or Secret that has a.txt and b.txt."""
    documents = environment()
    held = {"stringData" if kind == "Secret" else "data": {"a.txt": "a"}, "data": {"b.txt": "Yg=="}}
    if kind == "ConfigMap":
        held = {"data": {"a.txt": "a"}, "binaryData": {"b.txt": "Yg=="}}
    holder = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "held", "namespace": "wiki"}, **held}
    for path, value in pod.items():
        put(find(documents, "Deployment"), f"{POD}/{path.replace('__', '/')}", value)
    return said((contents.keys_are_there,), [*documents, holder])


@pytest.mark.parametrize(("key", "count"), [("a.txt", 0), ("b.txt", 0), ("c.txt", 1)])
@pytest.mark.parametrize(("kind", "field"), [("ConfigMap", "configMap"), ("Secret", "secret")])
def test_a_key_that_a_pod_asks_for_is_there(kind: str, field: str, key: str, count: int) -> None:
    items = [{"key": key, "path": "it"}]
    named = "secretName" if kind == "Secret" else "name"
    mounts = [{"name": "pages", "mountPath": "/it", "subPath": key}]
    variable = {"name": "IT", "valueFrom": {f"{field}KeyRef": {"name": "held", "key": key}}}
    asked: list[tuple[dict[str, Any], str]] = [
        ({"containers__0__env": [variable]}, "IT of container wiki"),
        ({"volumes__0": {"name": "pages", field: {named: "held", "items": items}}}, "volume pages"),
        (
            {"volumes__0": {"name": "pages", "projected": {"sources": [{field: {"name": "held", "items": items}}]}}},
            "pages",
        ),
        (
            {"volumes__0": {"name": "pages", field: {named: "held"}}, "containers__0__volumeMounts": mounts},
            "the subPath at /it in container wiki",
        ),
    ]
    for pod, what in asked:
        found = of_keys(kind, **pod)
        assert len(found) == count
        assert all(
            f"{what} take c.txt of {kind} held, which has" in told and "a.txt" in told and "b.txt" in told
            for told in found
        )


def test_a_key_may_be_optional() -> None:
    reference = {"name": "held", "key": "c.txt", "optional": True}
    assert of_keys("ConfigMap", containers__0__env=[{"name": "IT", "valueFrom": {"configMapKeyRef": reference}}]) == []
