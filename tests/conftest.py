"""What the tests share: the pinned Node, and one compile of the platform for the whole session."""

from pathlib import Path

import pytest

from synth.node import use_pinned_node
from synth.tree import Tree
from tests.scripts.desk import TOFU, TOOLS, Desk
from tests.stand_ins import StandIns


def pytest_configure() -> None:
    use_pinned_node()


@pytest.fixture(scope="session")
def platform() -> Tree:
    """Every environment, rendered in memory."""
    from charts.compose import compile_platform

    return compile_platform()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    checkout = tmp_path / "checkout"
    (checkout / "graphwiki").mkdir(parents=True)
    (checkout / "pyproject.toml").touch()
    tools = StandIns(tmp_path / "bin")
    for tool in TOOLS:
        tools.put(tool)
    tools.put("tofu", TOFU)
    return Desk(tools, checkout)
