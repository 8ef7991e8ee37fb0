"""What the tests share: the pinned Node, and one compile of the platform for the whole session."""

import gc
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.runner import runtestprotocol

from synth.node import start
from synth.tree import Tree
from tests.stand_ins import StandIns

if TYPE_CHECKING:
    from tests.scripts.desk import Desk


def pytest_configure(config: pytest.Config) -> None:
    """Start cdk8s as the commands do, once in each process that runs tests; the one that hands them out runs none."""
    # What a shell starts in the background ignores Ctrl-C, and hands that down; the commands are tried with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput") or not getattr(config.option, "numprocesses", None):
        start()


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Tell the process that hands tests out what a test came to, not each step to it: a tenth of the time of all.

    Whoever asks how long the steps took, by `--durations`, gets them.
    """
    if not hasattr(item.config, "workerinput") or item.config.option.durations:
        return None
    for report in runtestprotocol(item, log=False, nextitem=nextitem):
        if report.when == "call" or not report.passed:
            item.ihook.pytest_runtest_logreport(report=report)
    return True


def pytest_collection_finish() -> None:
    """What is collected stays: it need not be looked through for garbage again and again. A tenth of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def platform() -> Tree:
    """Every environment, rendered in memory."""
    from charts.compose import compile_platform

    return compile_platform()


@pytest.fixture
def desk(tmp_path: Path) -> "Desk":
    from tests.scripts.desk import TOFU, TOOLS, Desk

    checkout = tmp_path / "checkout"
    (checkout / "graphwiki").mkdir(parents=True)
    (checkout / "pyproject.toml").touch()
    tools = StandIns(tmp_path / "bin")
    for tool in TOOLS:
        tools.put(tool)
    tools.put("tofu", TOFU)
    return Desk(tools, checkout)
