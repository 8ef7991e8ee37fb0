"""How the charts of an environment are put together."""

import cdk8s
import pytest

from charts import compose
from facts.environments import ENVIRONMENTS, Environment


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: str(environment.name))
def test_each_chart_is_in_an_app_of_cdk8s_of_its_own(environment: Environment) -> None:
    """For every chart that it writes down, cdk8s goes through all that is in the same app."""
    roots: list[cdk8s.App] = []

    def root() -> cdk8s.App:
        roots.append(cdk8s.App())
        return roots[-1]

    filled, _ = compose.folders(root, environment)
    assert [len(made.charts) for made in roots] == [1] * len(filled)
