"""A store that comes as a chart of Helm's."""

from cdk8s import ApiObject, JsonPatch
from cdk8s_plus_27 import k8s
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
        spec = {"interval": "1h", "chart": {"spec": chart}, "serviceAccountName": "installer"}
        release.add_json_patch(JsonPatch.add("/spec", spec))
        self._allow("installer")

    def _allow(self, account: str) -> None:
        """Let an account put what the chart has into the namespace."""
        metadata = k8s.ObjectMeta(name=account, namespace=self.name, labels=self.app_labels)
        rule = k8s.PolicyRule(
            api_groups=["", "apps"],
            resources=["configmaps", "secrets", "serviceaccounts", "services", "statefulsets"],
            verbs=["get", "list", "watch", "create", "patch", "update", "delete"],
        )
        k8s.KubeServiceAccount(self, "account", metadata=metadata, automount_service_account_token=False)
        k8s.KubeRole(self, "role", metadata=metadata, rules=[rule])
        k8s.KubeRoleBinding(
            self,
            "binding",
            metadata=metadata,
            role_ref=k8s.RoleRef(api_group="rbac.authorization.k8s.io", kind="Role", name=account),
            subjects=[k8s.Subject(kind="ServiceAccount", name=account, namespace=self.name)],
        )

    def _object(self, version: str, kind: str, name: str) -> ApiObject:
        return ApiObject(self, kind, api_version=version, kind=kind, metadata=self.custom_metadata(name))
