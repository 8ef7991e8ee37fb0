"""The test app: a page that shows whether the way into the cluster works."""

from constructs import Construct

from charts.shapes import App, Container, Pod, Range, Replicas, WebApp
from facts.environments import Environment


class AppForTests(App):
    """An nginx that runs without privileges and serves its own welcome page."""

    def __init__(self, scope: Construct, environment: Environment) -> None:
        super().__init__(scope, "test-app", environment)
        page = Container("test-app", self.image(), port=8080, cpu=Range("10m", "100m"), memory=Range("32Mi", "64Mi"))
        replicas = environment.tier.of(small=Replicas(1), medium=Replicas(2, 4), full=Replicas(2, 6))
        WebApp(self, host="test", pod=Pod(page), replicas=replicas)
