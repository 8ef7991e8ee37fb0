"""The test app: a page that shows whether the way into the cluster works."""

from cdk8s import Chart
from constructs import Construct

from charts.environments import Environment
from charts.images import image
from charts.resources import Range, Resources
from charts.web_app import WebApp


class TestApp(Chart):
    """`hello-world`, an nginx that runs without privileges and serves its own welcome page."""

    def __init__(self, scope: Construct, environment: Environment) -> None:
        super().__init__(scope, "test-app")
        self.app = WebApp(
            self,
            "hello-world",
            environment,
            namespace="test-app",
            host="test",
            image=image(environment, "test-app"),
            port=8080,
            resources=Resources(cpu=Range("10m", "100m"), memory=Range("32Mi", "64Mi")),
            replicas=environment.test_app_replicas,
        )
