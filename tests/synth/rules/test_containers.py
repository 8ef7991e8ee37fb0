"""Rules for the containers of one pod: what two of them have in common, and how each is asked."""

from typing import Any

import pytest

from synth.manifest import Document
from synth.pods import PROBES
from synth.rules.fields import check_fields
from synth.tree import Object
from tests.synth.objects import environment, find, put

POD = "spec/template/spec"
CONTAINER = f"{POD}/containers/0"


def problems(path: str, value: Any, kind: str = "Deployment") -> list[str]:
    document = find(environment(), kind)
    put(document, path, value)
    return list(check_fields(Object(document, "charts/wiki.py", "deploy/apps/wiki/it.yaml")))


def two(**second: Any) -> list[Any]:
    """The wiki's container, and another like it."""
    first = find(environment(), "Deployment")["spec"]["template"]["spec"]["containers"][0]
    probes = {probe: {"exec": {"command": ["alive"]}} for probe in PROBES}
    return [first, {**first, **probes, "name": "second", "ports": [], **second}]


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ({"ports": [{"containerPort": 8000}]}, ["has containers wiki and second with the same port 8000/TCP"]),
        ({"ports": [{"containerPort": 8001, "name": "http"}]}, ["wiki and second with the same port name http"]),
        ({"name": "wiki"}, ["has two containers named wiki: rename one"]),
        ({"name": "Second"}, ["has container 'Second': use at most 63 lower case letters, digits and -"]),
        ({"name": "istio-proxy"}, ["has a container named istio-proxy, which is what Istio calls its own: rename it"]),
        ({"ports": [{"containerPort": 8000, "protocol": "UDP"}]}, []),
        ({"ports": [{"containerPort": 9090, "name": "metrics"}]}, []),
    ],
)
def test_the_containers_of_a_pod_share_its_ports(second: dict[str, Any], told: list[str]) -> None:
    found = problems(f"{POD}/containers", two(**second))
    assert len(found) == len(told)
    assert all(fragment in sentence for fragment, sentence in zip(told, found, strict=True))


@pytest.mark.parametrize(("policy", "count"), [(None, 0), ("Always", 1)])
def test_an_init_container_has_ended_when_the_others_begin_unless_it_goes_on(policy: str | None, count: int) -> None:
    (_, second) = two(ports=[{"containerPort": 8000}])
    found = problems(f"{POD}/initContainers", [{**second, **({"restartPolicy": policy} if policy else {})}])
    assert len(found) == count


@pytest.mark.parametrize("name", ["Pages", "pages.old", "p" * 64])
def test_a_volume_has_a_label_for_a_name(name: str) -> None:
    found = problems(f"{POD}/volumes/0/name", name)
    assert f"has volume {name!r}: use at most 63 lower case letters, digits and -" in found


HTTP = {"httpGet": {"path": "/", "port": "http"}}


@pytest.mark.parametrize(
    ("probe", "value", "problem"),
    [
        ("livenessProbe", {**HTTP, "successThreshold": 2}, "livenessProbe of container wiki with successThreshold 2"),
        ("startupProbe", {**HTTP, "successThreshold": 3}, "startupProbe of container wiki with successThreshold 3"),
        ("readinessProbe", {"periodSeconds": 5}, "readinessProbe of container wiki with no action: write one of exec"),
        (
            "livenessProbe",
            {**HTTP, "tcpSocket": {"port": "http"}},
            "livenessProbe of container wiki with httpGet and tcpSocket: write one of exec, grpc, httpGet, tcpSocket",
        ),
        ("readinessProbe", {**HTTP, "terminationGracePeriodSeconds": 5}, "with terminationGracePeriodSeconds"),
    ],
)
def test_a_probe_that_kubernetes_would_refuse_gives_its_sentence(
    probe: str, value: dict[str, Any], problem: str
) -> None:
    (told,) = problems(f"{CONTAINER}/{probe}", value)
    assert problem in told


@pytest.mark.parametrize(
    ("probe", "value"),
    [
        ("livenessProbe", {**HTTP, "successThreshold": 1}),
        ("readinessProbe", {**HTTP, "successThreshold": 2}),
        ("livenessProbe", {**HTTP, "terminationGracePeriodSeconds": 5}),
        ("startupProbe", {"exec": {"command": ["alive"]}}),
        ("startupProbe", {"grpc": {"port": 8000}}),
    ],
)
def test_a_probe_asks_in_one_way(probe: str, value: dict[str, Any]) -> None:
    assert problems(f"{CONTAINER}/{probe}", value) == []


@pytest.mark.parametrize(
    ("port", "scheme", "told"),
    [
        ("http", "HTTPS", ["has livenessProbe of container wiki ask port http by HTTPS: write HTTP"]),
        ("https-wiki", None, ["has livenessProbe of container wiki ask port https-wiki by HTTP: write HTTPS"]),
        ("https-wiki", "HTTPS", []),
        ("web", "HTTPS", []),
        ("http", None, []),
    ],
)
def test_a_port_is_asked_by_what_it_is_called_after(port: str, scheme: str | None, told: list[str]) -> None:
    document = find(environment(), "Deployment")
    put(document, f"{CONTAINER}/ports/0/name", port)
    for probe in PROBES:
        put(document, f"{CONTAINER}/{probe}", {"exec": {"command": ["alive"]}})
    asked = {"path": "/", "port": 8000, **({"scheme": scheme} if scheme else {})}
    put(document, f"{CONTAINER}/livenessProbe", {"httpGet": asked})
    assert list(check_fields(Object(document, "charts/wiki.py", "deploy/apps/wiki/it.yaml"))) == told


@pytest.mark.parametrize(
    ("volume", "mount", "told"),
    [
        ({"emptyDir": {}}, {}, []),
        ({"emptyDir": {}}, {"readOnly": True}, ["has emptyDir pages, which nobody may write to"]),
        ({"secret": {"secretName": "key"}}, {"readOnly": True}, []),
    ],
)
def test_a_volume_for_scratch_is_written_to(volume: Any, mount: Any, told: list[str]) -> None:
    document = find(environment(), "Deployment")
    put(document, f"{POD}/volumes/0", {"name": "pages", **volume})
    put(document, f"{CONTAINER}/volumeMounts", [{"name": "pages", "mountPath": "/data", **mount}])
    found = list(check_fields(Object(document, "charts/wiki.py", "deploy/apps/wiki/it.yaml")))
    assert len(found) == len(told)
    assert all(sentence.startswith(start) for sentence, start in zip(found, told, strict=True))


@pytest.mark.parametrize(
    ("volume", "mount", "told"),
    [
        ({"configMap": {"name": "settings"}}, {"mountPath": "/data"}, True),
        ({"secret": {"secretName": "key"}}, {"mountPath": "/data/"}, True),
        ({"projected": {"sources": []}}, {"mountPath": "/"}, True),
        ({"configMap": {"name": "settings"}}, {"mountPath": "/data/pages/settings"}, False),
        ({"configMap": {"name": "settings"}}, {"mountPath": "/data/page"}, False),
        ({"emptyDir": {}}, {"mountPath": "/data"}, False),
    ],
)
def test_nothing_is_mounted_within_files(volume: Document, mount: Document, *, told: bool) -> None:
    document = find(environment(), "Deployment")
    document["spec"]["template"]["spec"]["volumes"].append({"name": "settings", **volume})
    pages = {"name": "pages", "mountPath": "/data/pages"}
    put(document, f"{CONTAINER}/volumeMounts", [pages, {"name": "settings", **mount}])
    found = list(check_fields(Object(document, "charts/wiki.py", "deploy/apps/wiki/it.yaml")))
    sentence = "mounts volume pages at /data/pages in container wiki, within settings at"
    assert any(sentence in one for one in found) == told


@pytest.mark.parametrize("field", ["workingDir", "terminationMessagePath"])
@pytest.mark.parametrize(("folder", "told"), [("app", 1), ("/app", 0)])
def test_a_container_names_places_from_its_root(field: str, folder: str, told: int) -> None:
    found = problems(f"{CONTAINER}/{field}", folder)
    assert len(found) == told
    assert all(f"has container wiki with {field} 'app': a f" in sentence for sentence in found)


@pytest.mark.parametrize(("path", "told"), [("/etc", 1), ("/usr/", 1), ("/etc/wiki", 0), ("/run", 0)])
def test_what_an_image_starts_with_is_not_mounted_over(path: str, told: int) -> None:
    found = problems(f"{CONTAINER}/volumeMounts/0/mountPath", path)
    assert len(found) == told
    assert all(f"mounts volume pages over {path} in container wiki: choose a folder" in sentence for sentence in found)


@pytest.mark.parametrize(
    ("command", "asks"),
    [
        (["true"], False),
        (["/bin/true"], False),
        (["echo", "ok"], False),
        (["sh", "-c", "exit 0"], False),
        (["/bin/sh", "-c", "wiki alive || true"], False),
        (["sh", "-c", "wiki alive || exit 1"], True),
        (["sh", "-c", "wiki alive || exit 1; wiki tidy || true"], True),
        (["sh", "-c", "echo ping | wiki ask"], True),
        (["wiki", "alive"], True),
    ],
)
def test_a_probe_asks_something(command: list[str], asks: bool) -> None:
    found = problems(f"{CONTAINER}/livenessProbe", {"exec": {"command": command}})
    assert ["which ends with 0 whatever the container does" in told for told in found] == [True] * (not asks)


@pytest.mark.parametrize("hook", ["preStop", "postStart"])
@pytest.mark.parametrize("port", [8001, "web"])
def test_a_hook_asks_a_port_of_its_container(hook: str, port: int | str) -> None:
    (told,) = problems(f"{CONTAINER}/lifecycle", {hook: {"httpGet": {"port": port}}})
    assert f"has {hook} of container wiki ask port {port}, but the container declares" in told
