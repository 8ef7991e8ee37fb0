"""What holds for every shape that an app can be made of: a value of a wrong type is told by its name."""

import inspect
from enum import Enum
from typing import Any

import cdk8s
import pytest

from charts import shapes
from charts.shapes import App, Range
from tests.charts.shapes.app import IMAGE, container, pod
from tests.environments import PLAIN

SHAPES = [shape for name in shapes.__all__ if inspect.isclass(shape := getattr(shapes, name))]
PARAMETERS = [
    pytest.param(shape, name, id=f"{shape.__name__}.{name}")
    for shape in SHAPES
    if not issubclass(shape, Enum)
    for name in list(inspect.signature(shape.__init__).parameters)[1:]
]


class Stray:
    """What no shape takes."""


@pytest.fixture(scope="module")
def right() -> dict[str, Any]:
    """A value for each parameter that some shape has to be given."""
    return {
        "app": App(cdk8s.App(), "blog", PLAIN),
        "by": "somebody",
        "containers": container(),
        "cpu": Range("50m", "500m"),
        "environment": PLAIN,
        "files": {},
        "host": None,
        "image": IMAGE,
        "keys": ["token"],
        "limit": "2",
        "memory": Range("64Mi", "256Mi"),
        "name": "a",
        "number": 8000,
        "pod": pod(),
        "port": 8000,
        "request": "1",
        "resources": ["pods"],
        "schedule": "0 3 * * *",
        "scope": cdk8s.App(),
        "size": "1Gi",
        "verbs": ["get"],
    }


@pytest.mark.parametrize("wrong", [Stray(), [Stray()], {"a": Stray()}], ids=["itself", "in a list", "in a mapping"])
@pytest.mark.parametrize(("shape", "name"), PARAMETERS)
def test_a_value_of_a_wrong_type_is_told_by_its_name(
    shape: Any, name: str, wrong: object, right: dict[str, Any]
) -> None:
    parameters = list(inspect.signature(shape.__init__).parameters.values())[1:]
    given = {p.name: right[p.name] for p in parameters if p.default is p.empty} | {name: wrong}
    several = [given.pop(p.name) for p in parameters if p.kind is p.VAR_POSITIONAL]
    with pytest.raises((TypeError, ValueError), match=rf"^{shape.__name__}\b.*: {name}\b.* is no "):
        shape(*several, **given)
