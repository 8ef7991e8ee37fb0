"""What the tests share: the pinned Node, and one compile of the platform for the whole session."""

import pytest

from synth.runtime import use_pinned_node
from synth.tree import Tree


def pytest_configure() -> None:
    use_pinned_node()


@pytest.fixture(scope="session")
def platform() -> Tree:
    """Every environment, rendered in memory."""
    from charts.platform import compile_platform

    return compile_platform()
