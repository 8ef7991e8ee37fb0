"""The apps, one module each. A new one adds its class to APPS."""

from collections.abc import Callable

from constructs import Construct

from charts.apps.graphwiki import GraphWiki
from charts.apps.test_app import AppForTests
from charts.shapes import App
from facts.environments import Environment

APPS: tuple[Callable[[Construct, Environment], App], ...] = (
    AppForTests,
    GraphWiki,
)
