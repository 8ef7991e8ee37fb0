"""A store that comes as a chart of Helm's."""

from cdk8s import ApiObject, JsonPatch
from constructs import Construct

from charts.shapes import App
from facts.environments import Environment


class Chart(App):
    """A release of a chart, and the repository that the chart is in."""

    def __init__(self, scope: Construct, environment: Environment) -> None:
        super().__init__(scope, "chart", environment)
        repository = self._object("source.toolkit.fluxcd.io/v1", "HelmRepository", "charts")
        repository.add_json_patch(JsonPatch.add("/spec", {"interval": "1h", "url": "https://charts.example.com"}))
        source = {"kind": "HelmRepository", "name": "charts", "namespace": "chart"}
        chart = {"chart": "store", "version": "20.1.0", "sourceRef": source}
        release = self._object("helm.toolkit.fluxcd.io/v2", "HelmRelease", "store")
        release.add_json_patch(JsonPatch.add("/spec", {"interval": "1h", "chart": {"spec": chart}}))

    def _object(self, version: str, kind: str, name: str) -> ApiObject:
        return ApiObject(self, kind, api_version=version, kind=kind, metadata=self.custom_metadata(name))
