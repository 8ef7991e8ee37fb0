"""What the wiki believes of the proxies in front of it: a real uvicorn, started as the image and the Deployment say.

FastAPI stands in for the wiki, a client on 127.0.0.6 for the sidecar.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from cdk8s import App

from charts.apps.graphwiki import GraphWiki
from charts.shapes.web_app import SIDECAR_ADDRESS, proxies
from facts.environments import ENVIRONMENTS, PRODUCTION, Environment
from synth import ROOT
from synth.manifest import Document
from tests.deployed import root, the

IMAGE = (ROOT / "containers/graphwiki/Dockerfile").read_text("utf-8").rpartition("\nFROM ")[2]
HOST = "wiki.example.org"
VISITOR, LIE = "203.0.113.7", "198.51.100.9"
HTTPS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": VISITOR}


def can_bind(address: str) -> bool:
    with closing(socket.socket()) as free:
        try:
            free.bind((address, 0))
        except OSError:
            return False
    return True


pytestmark = pytest.mark.skipif(
    not can_bind(SIDECAR_ADDRESS), reason=f"this system has no loopback address {SIDECAR_ADDRESS}; every Linux has"
)


@dataclass(frozen=True)
class Answer:
    status: int
    location: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Running:
    """A server that answers, and the file that its log goes to."""

    port: int
    log: Path

    def get(self, path: str, headers: dict[str, str], *, source: str = SIDECAR_ADDRESS) -> Answer:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=10, source_address=(source, 0))) as connection:
            connection.request("GET", path, headers={"Host": HOST, **headers})
            answer = connection.getresponse()
            text = answer.read()
            return Answer(answer.status, answer.headers.get("Location", ""), json.loads(text) if text else {})

    def logged(self, path: str) -> str:
        """The address that the log has for the one request of a path."""
        for _ in range(100):
            if found := re.findall(rf"(\S+):\d+ - \"GET {re.escape(path)} ", self.log.read_text("utf-8")):
                (address,) = found
                return str(address)
            time.sleep(0.05)
        raise AssertionError(self.log.read_text("utf-8"))


def variables_of(deployment: Document) -> dict[str, str]:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable["value"] for variable in container["env"]}


@contextmanager
def running(variables: dict[str, str], folder: Path) -> Iterator[Running]:
    """The image's command with its variables and those of a Deployment; only app, host and port are the test's."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (command,) = re.findall(r"^CMD (\[.*\])$", IMAGE, re.MULTILINE)
    program, *arguments = json.loads(command)
    (block,) = re.findall(r"^ENV ((?:.*\\\n)*.*)$", IMAGE, re.MULTILINE)
    of_the_image = dict(re.findall(r"(\w+)=(\S+)", block))
    mine = {"UVICORN_APP": "tests.charts.small_wiki:app", "UVICORN_HOST": "127.0.0.1", "UVICORN_PORT": str(port)}
    assert mine.keys() <= of_the_image.keys()
    log = folder / "log"
    with log.open("w") as out:
        server = subprocess.Popen(
            [Path(sys.executable).with_name(program), *arguments],
            cwd=ROOT,
            env={**of_the_image, **variables, **mine, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        for _ in range(600):
            assert server.poll() is None, log.read_text("utf-8")
            if "Uvicorn running on" in log.read_text("utf-8"):
                break
            time.sleep(0.05)
        yield Running(port, log)
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(
    scope="module",
    params=[pytest.param(environment, marks=pytest.mark.slow) for environment in ENVIRONMENTS],
    ids=lambda environment: environment.name,
)
def wiki(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The wiki as an environment's committed Deployment starts it."""
    environment: Environment = request.param
    deployment = the(f"{root(environment)}apps/graphwiki", "Deployment")
    with running(variables_of(deployment), tmp_path_factory.mktemp("wiki")) as server:
        yield server


def test_behind_tls_it_gives_out_https_addresses(wiki: Running) -> None:
    redirect = wiki.get("/pages", HTTPS)
    assert (redirect.status // 100, redirect.location) == (3, f"https://{HOST}/pages/")
    assert wiki.get("/pages/", HTTPS).body == {"here": f"https://{HOST}/pages/", "visitor": VISITOR}


def test_without_tls_it_gives_out_http_addresses_with_the_port_that_was_asked(wiki: Running) -> None:
    headers = {**HTTPS, "X-Forwarded-Proto": "http", "Host": "wiki.localhost:8080"}
    assert wiki.get("/pages", headers).location == "http://wiki.localhost:8080/pages/"


def test_its_log_has_the_visitors_address(wiki: Running) -> None:
    wiki.get("/pages/?asked=log", HTTPS)
    assert wiki.logged("/pages/?asked=log") == VISITOR


@pytest.mark.parametrize("lie", [LIE, SIDECAR_ADDRESS, "127.0.0.1", f"{LIE}, {SIDECAR_ADDRESS}", "nobody", ""])
def test_what_a_visitor_says_of_its_own_address_is_not_believed(wiki: Running, lie: str) -> None:
    # The gateway puts the address that it sees behind whatever came with the request.
    headers = {**HTTPS, "X-Forwarded-For": f"{lie}, {VISITOR}"}
    assert wiki.get("/pages/", headers).body["visitor"] == VISITOR


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-Host", "X-Forwarded-Prefix", "X-Forwarded-Port"])
def test_what_the_gateway_hands_on_unchanged_is_not_believed(wiki: Running, header: str) -> None:
    lie = {"Forwarded": f"for={LIE};host=evil.example;proto=http", "X-Forwarded-Port": "1"}.get(header, "evil.example")
    assert wiki.get("/pages/", {**HTTPS, header: lie}).body == {"here": f"https://{HOST}/pages/", "visitor": VISITOR}


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.5", "127.0.0.7"])
def test_who_is_not_the_sidecar_is_not_believed(wiki: Running, source: str) -> None:
    path = f"/pages/?asked=from-{source}"
    assert wiki.get(path, HTTPS, source=source).body == {"here": f"http://{HOST}/pages/", "visitor": source}
    assert wiki.logged(path) == source


def test_a_probe_needs_no_proxys_headers(wiki: Running) -> None:
    assert wiki.get("/pages/", {}).body == {"here": f"http://{HOST}/pages/", "visitor": SIDECAR_ADDRESS}


@pytest.mark.slow
def test_behind_http_proxies_the_visitor_is_who_asked_the_first_of_them(tmp_path: Path) -> None:
    environment = replace(PRODUCTION, http_proxies=("10.20.0.0/16", "192.0.2.10/32"))
    (deployment,) = (d for d in GraphWiki(App(), environment).to_json() if d["kind"] == "Deployment")
    with running(variables_of(deployment), tmp_path) as server:
        for chain in ("10.20.3.4", "192.0.2.10, 10.20.3.4"):
            for lie in ("", f"{LIE}, ", "10.20.9.9, "):
                headers = {**HTTPS, "X-Forwarded-For": f"{lie}{VISITOR}, {chain}"}
                assert server.get("/pages/", headers).body["visitor"] == VISITOR
        # A neighbour of theirs is a visitor like others.
        headers = {**HTTPS, "X-Forwarded-For": f"{LIE}, 10.21.0.1"}
        assert server.get("/pages/", headers).body["visitor"] == "10.21.0.1"


def test_an_app_believes_the_sidecar_and_the_proxies_of_its_environment_alone() -> None:
    environment = replace(PRODUCTION, http_proxies=("10.20.0.0/16", "2001:db8::/32"))
    assert proxies(replace(environment, http_proxies=())) == (SIDECAR_ADDRESS,)
    assert proxies(environment) == (SIDECAR_ADDRESS, "10.20.0.0/16", "2001:db8::/32")
