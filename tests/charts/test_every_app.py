"""What holds for every app in every environment: a new one is tested by being there."""

import pytest

from tests.charts.properties import PROPERTIES, Deployed, deployed, trees
from tests.deployed import APPS, DEPLOY

EVERY_APP = deployed(DEPLOY)


@pytest.mark.parametrize("app", EVERY_APP, ids=str)
def test_every_app(app: Deployed) -> None:
    for holds in PROPERTIES:
        holds(app)


def test_every_environment_has_every_app() -> None:
    assert APPS
    assert len(EVERY_APP) == len(APPS) * len(trees(DEPLOY))
