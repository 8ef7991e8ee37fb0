"""The cluster that the scenarios run in, one for all, from nothing on a node of its own; and who asks there."""

import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPMessage
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from facts.environments import ENVIRONMENTS
from scripts.gate.node.certificates import AUTHORITY
from scripts.gate.node.cluster import CLIENT, Cluster, running
from scripts.gate.node.enclosure import PROCESS
from scripts.gate.node.node import LOAD_BALANCER
from scripts.programs import ROOT
from synth import ToolError
from synth.manifest import Document
from synth.overview import Overview, read
from synth.overview.model import Address, Service

DID_NOT_COME_UP = 3
SECONDS = 60
"""How long the gateway may take to know what the cluster has, and to answer."""
COMMIT_SECONDS = 180
"""How long Flux may take over a commit."""
IN_MESH, OUTSIDE = "proof-mesh", "proof-outside"
"""Namespaces of pods that the tree does not know: one with sidecars, one without."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--env", help="the environment whose tree is applied")
    parser.addoption("--logs", type=Path, help="where the parts of the cluster log")
    parser.addoption("--keep", action="store_true", help="leave the cluster up until Ctrl-C")


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Flux has applied the whole tree. What a scenario changes it puts back."""
    environment = next(item for item in ENVIRONMENTS if item.name == request.config.getoption("--env"))
    start = time.monotonic()
    try:
        with running(environment, request.config.getoption("--logs")) as found:
            print(f"{environment.name} from nothing to all of it applied: {time.monotonic() - start:.0f} s")
            yield found
            if request.config.getoption("--keep"):
                _keep(found)
    except ToolError as error:
        pytest.exit(str(error), DID_NOT_COME_UP)


@pytest.fixture
def put_back(cluster: Cluster) -> Iterator[None]:
    """Begin and end with what is committed: the commit that mends a broken one arrives."""
    before = cluster.git.revision
    yield
    if cluster.git.revision != before:
        revision = cluster.git.revert_to(before)
        cluster.reconcile()
        cluster.wait_applied(revision, COMMIT_SECONDS)


@pytest.fixture(scope="session")
def overview(cluster: Cluster) -> Overview:
    return read(cluster.git.work, cluster.environment.path)


@pytest.fixture(scope="session")
def addresses(cluster: Cluster, overview: Overview) -> list[Address]:
    """Where the apps are reached by HTTP, once the gateway knows them."""
    found = [
        address
        for app in overview.apps
        for address in app.addresses
        if address.protocol in ("HTTP", "HTTPS") and address.host != "*" and not address.host.startswith("*.")
    ]
    assert found

    def known() -> bool:
        try:
            return all(ask(one.host, one.path, one.port, one.protocol).status < 500 for one in found)
        except OSError as error:
            raise ToolError(str(error)) from error

    cluster.node.wait("the gateway answers at every address", known, SECONDS)
    return found


@pytest.fixture(scope="session")
def clients(cluster: Cluster) -> None:
    """A pod in each of two namespaces that the tree does not know."""
    node = cluster.node
    for namespace, labels in {IN_MESH: {"istio-injection": "enabled"}, OUTSIDE: {}}.items():
        node.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}])
        node.apply([client(namespace, {"app": "client"})])
    for namespace in (IN_MESH, OUTSIDE):
        node.wait(f"a client is in {namespace}", partial(node.well, namespace))


def client(namespace: str, labels: dict[str, str]) -> Document:
    pod = {"containers": [{"name": "client", "image": CLIENT}], "terminationGracePeriodSeconds": 1}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "client", "namespace": namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


@pytest.fixture(scope="session")
def closed(overview: Overview) -> list[Service]:
    """The Services of apps that are not for everybody."""
    open_to_all = {call.target for call in overview.calls if str(call.caller) == "*/*"}
    found = [
        service for app in overview.apps for service in app.services if not open_to_all.intersection(service.workloads)
    ]
    assert found
    return found


VISITOR = IPv4Address("172.31.254.2")
ASKING = """
import json, sys
from tests.cluster.conftest import ask
print(ask(*json.load(sys.stdin)).body)
"""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: HTTPMessage
    body: str


@contextmanager
def connected(host: str, port: int, protocol: str, *alpn: str) -> Iterator[socket.socket]:
    """A connection to the gateway from outside of the cluster, by a name that leads to it."""
    with socket.create_connection((str(LOAD_BALANCER), port), timeout=SECONDS) as plain:
        if protocol != "HTTPS":
            yield plain
            return
        trusting = ssl.create_default_context(cafile=str(AUTHORITY))
        if alpn:
            trusting.set_alpn_protocols(alpn)
        with trusting.wrap_socket(plain, server_hostname=host) as encrypted:
            yield encrypted


def ask(
    host: str,
    path: str,
    port: int,
    protocol: str = "HTTP",
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    body: bytes | None = None,
) -> Answer:
    """Ask the gateway from outside of the cluster."""
    with connected(host, port, protocol) as connection:
        client = HTTPConnection(host, port)
        client.sock = connection
        client.request(method, path or "/", body, {"Host": host, **(headers or {})})
        response = client.getresponse()
        return Answer(response.status, response.headers, response.read().decode(errors="replace"))


@pytest.fixture(scope="session")
def visitor(cluster: Cluster) -> Callable[[Address, Mapping[str, str]], str]:
    """Who asks from another machine than the node, from VISITOR: the body of the answer, as `ask` has it."""
    assert cluster.node
    near, far = "visitor-near", "visitor-far"
    for command in (
        "netns add visitor",
        f"link add {near} type veth peer name {far} netns visitor",
        f"address add {VISITOR - 1}/30 dev {near}",
        f"link set {near} up",
        f"-netns visitor address add {VISITOR}/30 dev {far}",
        f"-netns visitor link set {far} up",
        f"-netns visitor route add default via {VISITOR - 1}",
    ):
        subprocess.run(["ip", *command.split()], check=True)  # noqa: S607

    def asks(address: Address, headers: Mapping[str, str]) -> str:
        question = json.dumps([address.host, address.path, address.port, address.protocol, dict(headers)])
        command = ["ip", "netns", "exec", "visitor", sys.executable, "-c", ASKING]
        return subprocess.run(command, input=question, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT).stdout

    return asks


def called(cluster: Cluster, namespace: str, workload: str, container: str, *urls: str) -> list[str]:
    """What a pod is told at addresses: the status of each answer, or why there is none."""
    command = ("exec", f"--namespace={namespace}", workload, f"--container={container}", "--", "/pods", "get", *urls)
    return cluster.node.kubectl(*command).splitlines()


def urls_of(services: list[Service]) -> list[str]:
    return [
        f"http://{service.name}.{service.namespace}:{port}/" for service in services for port, _ in service.ports[:1]
    ]


def _keep(cluster: Cluster) -> None:
    enter = f"nsenter --target $(pgrep --parent {PROCESS.read_text('utf-8')}) --net --mount"
    print(f"{enter} {cluster.node.kubernetes} kubectl --kubeconfig {cluster.node.kubeconfig} get pods --all-namespaces")
    print("Ctrl-C ends it")
    with suppress(KeyboardInterrupt):
        signal.pause()
