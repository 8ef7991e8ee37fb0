"""The cluster that a scenario runs in: one for all scenarios, from nothing, on a node of its own."""

import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from facts.environments import ENVIRONMENTS
from scripts.gate.node.cluster import Cluster, running
from scripts.gate.node.enclosure import PROCESS
from synth import ToolError

DID_NOT_COME_UP = 3


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


def _keep(cluster: Cluster) -> None:
    enter = f"nsenter --target $(pgrep --parent {PROCESS.read_text('utf-8')}) --net --mount"
    print(f"{enter} {cluster.node.kubernetes} kubectl --kubeconfig {cluster.node.kubeconfig} get pods --all-namespaces")
    print("Ctrl-C ends it")
    with suppress(KeyboardInterrupt):
        signal.pause()
