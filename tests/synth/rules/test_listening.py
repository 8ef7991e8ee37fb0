"""Rules for where servers listen."""

from typing import Any

import pytest

from synth.rules import listening
from tests.synth.objects import POD, environment, find, put, said


def told(*words: str, more: bool = False, ports: bool = True, **variables: str) -> list[str]:
    """What is said of a server at port 8000 that is started so, alone or beside another container."""
    documents = environment()
    deployment = find(documents, "Deployment")
    put(deployment, f"{POD}/containers/0/args", list(words))
    put(deployment, f"{POD}/containers/0/env", [{"name": name, "value": value} for name, value in variables.items()])
    own: dict[str, Any] = deployment["spec"]["template"]["spec"]
    if more:
        own["containers"].append({"name": "search", "image": "search:1.0"})
    if not ports:
        del own["containers"][0]["ports"]
    return said(listening.RULES, documents)


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "127.0.0.1:8000", "[::1]:8000", "http://localhost:8000"])
def test_a_server_that_only_its_pod_reaches_gives_its_sentence(address: str) -> None:
    why = "where nobody outside the pod reaches port 8000: write 0.0.0.0 instead"
    assert told("serve", "--host", address) == [f"Deployment wiki has container wiki with --host {address}, {why}"]
    assert told(f"--bind={address}") == [f"Deployment wiki has container wiki with --bind {address}, {why}"]
    assert told(WIKI_LISTEN_ADDR=address) == [
        f"Deployment wiki has container wiki with WIKI_LISTEN_ADDR {address}, {why}"
    ]


@pytest.mark.parametrize(
    ("words", "variables", "place"),
    [
        (("--port", "3000"), {}, "--port 3000"),
        (("--port=3000",), {}, "--port 3000"),
        (("--bind", "0.0.0.0:3000"), {}, "--bind 0.0.0.0:3000"),
        (("--listen=:3000",), {}, "--listen :3000"),
        ((), {"PORT": "3000"}, "PORT 3000"),
        ((), {"UVICORN_PORT": "3000"}, "UVICORN_PORT 3000"),
    ],
)
def test_a_port_that_is_not_declared_gives_its_sentence(
    words: tuple[str, ...], variables: dict[str, Any], place: str
) -> None:
    assert told(*words, **variables) == [
        f"Deployment wiki has container wiki with {place}, but declares port 8000: let them agree"
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("--host", "0.0.0.0", "--port", "8000"),  # noqa: S104, it is a pod's
        ("--host=::", "--bind=unix:/tmp/wiki.sock"),
        ("--listen=:8000", "--log-level", "info"),
        ("--admin-bind=127.0.0.1:9901", "--listen=127.0.0.1:9901"),
        ("--db-host", "127.0.0.1", "--metrics-port", "9100"),
        ("--port", "$(PORT)", "--port"),
    ],
)
def test_what_is_reached_or_for_the_pod_alone_is_left_alone(words: tuple[str, ...]) -> None:
    assert told(*words) == []


def test_variables_that_are_right_or_another_ones_are_left_alone() -> None:
    assert told(PORT="8000", HOST="0.0.0.0", REDIS_HOST="127.0.0.1", REDIS_PORT="6379") == []  # noqa: S104


def test_the_other_container_of_a_pod_may_be_called_at_the_pods_own_address() -> None:
    assert told("--host", "127.0.0.1", more=True) == []
    assert len(told("--host", "127.0.0.1:8000", more=True)) == 1


def test_what_declares_no_port_may_name_any() -> None:
    assert told("--host", "127.0.0.1", "--port", "5432", ports=False) == []
