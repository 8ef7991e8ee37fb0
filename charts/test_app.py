"""The test app: a page that shows whether the way into the cluster works."""

from cdk8s import Chart
from constructs import Construct

from charts.environments import Environment
from charts.web_app import Range, Resources, WebApp
from synth.versions import pinned


class TestApp(Chart):
    """`hello-world`, an nginx that runs without privileges and serves its own welcome page."""

    def __init__(self, scope: Construct, environment: Environment) -> None:
        super().__init__(scope, "test-app")
        self.app = WebApp(
            self,
            "hello-world",
            namespace="test-app",
            host=environment.host("test"),
            image=f"nginxinc/nginx-unprivileged:{pinned('nginx-unprivileged')}",
            port=8080,
            resources=Resources(cpu=Range("10m", "100m"), memory=Range("32Mi", "64Mi")),
        )
