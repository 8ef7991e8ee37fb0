"""Rules for times that have to fit each other."""

from typing import Any

import pytest

from synth.rules.fields import check_fields
from synth.tree import Object
from tests.synth.objects import environment, find, istio, put

POD = "spec/template/spec"
CONTAINER = f"{POD}/containers/0"


def problems(path: str, value: Any, kind: str = "Deployment") -> list[str]:
    document = find(environment(), kind)
    put(document, path, value)
    return list(check_fields(Object(document, "charts/wiki.py", "deploy/apps/wiki/it.yaml")))


def sleeping(seconds: int) -> dict[str, Any]:
    return {"preStop": {"exec": {"command": ["sh", "-c", f"sleep {seconds}; nginx -s quit"]}}}


@pytest.mark.parametrize(
    ("hook", "grace", "fits"),
    [
        (sleeping(20), None, True),
        (sleeping(30), None, False),
        (sleeping(45), 60, True),
        (sleeping(45), 40, False),
        ({"preStop": {"sleep": {"seconds": 5}}}, None, True),
        ({"preStop": {"sleep": {"seconds": 60}}}, 60, False),
        ({"preStop": {"exec": {"command": ["sleep", "90"]}}}, 60, False),
        ({"preStop": {"httpGet": {"path": "/end", "port": "http"}}}, 10, True),
        ({"preStop": {"exec": {"command": ["sh", "-c", "sleep 20; stop; sleep 20"]}}}, None, False),
        ({"preStop": {"exec": {"command": ["sh", "-c", "sleep 10; stop; sleep 10"]}}}, None, True),
        ({"preStop": {"exec": {"command": ["sleep", "1m"]}}}, None, False),
        ({"preStop": {"exec": {"command": ["sleep", "1m"]}}}, 90, True),
        ({"preStop": {"exec": {"command": ["sleep", "0.5"]}}}, None, True),
    ],
)
def test_a_pod_is_not_killed_while_its_hook_sleeps(hook: dict[str, Any], grace: int | None, fits: bool) -> None:
    document = find(environment(), "Deployment")
    put(document, f"{CONTAINER}/lifecycle", hook)
    if grace:
        put(document, f"{POD}/terminationGracePeriodSeconds", grace)
    found = list(check_fields(Object(document, "charts/wiki.py", "deploy/apps/wiki/it.yaml")))
    if fits:
        assert found == []
    else:
        (told,) = found
        assert f"seconds in its preStop hook, but the pod is killed after {grace or 30}" in told


HTTP = {"httpGet": {"path": "/", "port": "http"}}


@pytest.mark.parametrize(
    ("times", "count"),
    [
        ({"timeoutSeconds": 11}, 1),
        ({"timeoutSeconds": 3, "periodSeconds": 2}, 1),
        ({"timeoutSeconds": 2, "periodSeconds": 2}, 0),
        ({"periodSeconds": 1}, 0),
    ],
)
def test_a_probe_has_its_answer_before_it_asks_again(times: dict[str, int], count: int) -> None:
    found = problems(f"{CONTAINER}/livenessProbe", {**HTTP, **times})
    assert len(found) == count
    assert all("make timeoutSeconds at most periodSeconds" in told for told in found)


@pytest.mark.parametrize(
    ("route", "count"),
    [
        ({"timeout": "1s", "retries": {"perTryTimeout": "2s"}}, 1),
        ({"timeout": "1m", "retries": {"perTryTimeout": "1m1s"}}, 1),
        ({"timeout": "10s", "retries": {"perTryTimeout": "2500ms"}}, 0),
        ({"timeout": "0s", "retries": {"perTryTimeout": "2s"}}, 0),
        ({"retries": {"perTryTimeout": "2s"}}, 0),
    ],
)
def test_a_route_waits_for_an_attempt(route: dict[str, Any], count: int) -> None:
    to_wiki = [{"destination": {"host": "wiki.wiki.svc.cluster.local", "port": {"number": 80}}}]
    found = problems("spec/http", [{**route, "route": to_wiki}], "VirtualService")
    assert len(found) == count
    assert all("before its perTryTimeout of" in told for told in found)


@pytest.mark.parametrize(
    ("times", "count"),
    [
        ({"duration": "24h", "renewBefore": "24h"}, 1),
        ({"renewBefore": "2200h"}, 1),
        ({"duration": "24h", "renewBefore": "8h"}, 0),
        ({"renewBefore": "360h"}, 0),
        ({"duration": "1h"}, 0),
        ({"renewBefore": "5m"}, 0),
        ({"renewBeforePercentage": 30}, 0),
    ],
)
def test_a_certificate_is_renewed_after_it_is_issued(times: dict[str, str], count: int) -> None:
    certificate = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "wiki"}}
    item = Object({**certificate, "spec": times}, "charts/wiki.py", "deploy/apps/wiki/it.yaml")
    found = list(check_fields(item))
    assert len(found) == count
    assert all("make renewBefore shorter than duration" in told for told in found)


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ({"duration": "30m"}, "lasts 30m, and cert-manager makes none for less than an hour"),
        ({"renewBefore": "30s"}, "is renewed 30s before its end, and cert-manager takes five minutes at least"),
        ({"renewBeforePercentage": 100}, "is renewed when 100 percent of its time are left"),
        ({"renewBefore": "24h", "renewBeforePercentage": 30}, "has renewBefore and renewBeforePercentage"),
    ],
)
def test_what_cert_manager_refuses_gives_its_sentence(times: dict[str, Any], told: str) -> None:
    certificate = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "wiki"}}
    (sentence,) = check_fields(Object({**certificate, "spec": times}, "charts/wiki.py", "deploy/apps/wiki/it.yaml"))
    assert told in sentence


@pytest.mark.parametrize(
    ("probe", "progress", "fits"),
    [
        ({"periodSeconds": 10, "failureThreshold": 30}, None, True),
        ({"periodSeconds": 10, "failureThreshold": 90}, None, False),
        ({"periodSeconds": 10, "failureThreshold": 90}, 1200, True),
        ({"periodSeconds": 10, "failureThreshold": 55, "initialDelaySeconds": 60}, None, False),
        ({"periodSeconds": 10, "failureThreshold": 20}, 120, False),
    ],
)
def test_a_rollout_waits_for_a_slow_start(probe: dict[str, Any], progress: int | None, fits: bool) -> None:
    document = find(environment(), "Deployment")
    put(document, f"{CONTAINER}/startupProbe", {**HTTP, **probe})
    if progress:
        put(document, "spec/progressDeadlineSeconds", progress)
    found = list(check_fields(Object(document, "charts/wiki.py", "deploy/apps/wiki/it.yaml")))
    assert [f"but calls a rollout failed after {progress or 600}" in told for told in found] == ([] if fits else [True])


@pytest.mark.parametrize(
    ("kind", "path", "value", "told"),
    [
        ("Deployment", f"{CONTAINER}/livenessProbe", {**HTTP, "initialDelaySeconds": 86400}, "tell only after 86430"),
        ("Deployment", f"{CONTAINER}/readinessProbe", {**HTTP, "periodSeconds": 600}, "that 600 at most"),
        ("Deployment", f"{CONTAINER}/livenessProbe", {**HTTP, "periodSeconds": 60, "failureThreshold": 10}, ""),
        (
            "Deployment",
            f"{CONTAINER}/lifecycle",
            {"postStart": {"sleep": {"seconds": 300}}},
            "sleep 300 seconds in its",
        ),
        (
            "Deployment",
            f"{CONTAINER}/lifecycle",
            {"postStart": {"exec": {"command": ["sleep", "2m"]}}},
            "sleep 120 sec",
        ),
        ("Deployment", f"{CONTAINER}/lifecycle", {"postStart": {"exec": {"command": ["sleep", "5"]}}}, ""),
        ("VirtualService", "spec/http/0/timeout", "1ms", "with a timeout of 1ms, in which hardly anything answers"),
        ("VirtualService", "spec/http/0/retries", {"attempts": 1, "perTryTimeout": "2ms"}, "a perTryTimeout of 2ms"),
        ("VirtualService", "spec/http/0/timeout", "250ms", ""),
        ("Kustomization", "spec/timeout", "10s", "gives what it applies 10s to work"),
        ("Kustomization", "spec/timeout", "2m", ""),
        ("Kustomization", "spec/interval", "1s", "is looked at every 1s"),
        ("GitRepository", "spec", {"interval": "30s", "timeout": "20s"}, ""),
    ],
)
def test_a_time_is_long_enough_for_what_it_is_for(kind: str, path: str, value: Any, told: str) -> None:
    assert [told in sentence for sentence in problems(path, value, kind)] == ([True] if told else [])


@pytest.mark.parametrize(("time", "count"), [("1ms", 1), ("100ms", 0)])
def test_a_connection_is_given_the_time_that_it_takes(time: str, count: int) -> None:
    policy = {"connectionPool": {"tcp": {"connectTimeout": time}}}
    rule = istio("DestinationRule", host="wiki", trafficPolicy=policy)
    found = list(check_fields(Object(rule, "charts/wiki.py", "deploy/apps/wiki/it.yaml")))
    assert ["has a connectTimeout of" in told for told in found] == [True] * count


@pytest.mark.parametrize(
    ("probe", "times", "told"),
    [
        ("livenessProbe", {"failureThreshold": 1}, "at its first answer that comes late: leave failureThreshold out"),
        ("livenessProbe", {"failureThreshold": 2}, ""),
        ("readinessProbe", {"failureThreshold": 1}, ""),
        ("startupProbe", {"periodSeconds": 1, "failureThreshold": 3}, "does not answer within 3 seconds"),
        ("startupProbe", {"periodSeconds": 1, "failureThreshold": 30}, ""),
        ("startupProbe", {}, ""),
    ],
)
def test_a_container_is_not_ended_for_one_late_answer(probe: str, times: dict[str, int], told: str) -> None:
    found = problems(f"{CONTAINER}/{probe}", {**HTTP, **times})
    assert len(found) == bool(told)
    assert told in "".join(found)
