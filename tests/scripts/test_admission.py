"""What the API server finds in a tree that is wrong, each with its sentence; and nothing in one that is right."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from scripts.gate import kubernetes
from scripts.gate.api_server import Answer, ApiServer, running
from scripts.gate.judges.admission import judge
from scripts.gate.judges.reconciliation import Applied, Step
from synth.manifest import Document

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not kubernetes.is_built(), reason="Kubernetes is not built yet; `make verify` builds it where there is Go"
    ),
]

NAME = {"app.kubernetes.io/name": "shop"}
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
AMOUNTS = {"cpu": "100m", "memory": "64Mi"}


def thing(api: str, kind: str, name: str = "shop", **fields: Any) -> Document:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, **fields}


def cluster_wide(api: str, kind: str, name: str, **fields: Any) -> Document:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **fields}


CONTAINER: Document = {
    "name": "shop",
    "image": "registry.example.com/shop:1",
    "ports": [{"name": "http", "containerPort": 8080}],
    "resources": {"requests": AMOUNTS, "limits": AMOUNTS},
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    "livenessProbe": {"httpGet": {"path": "/", "port": "http"}},
}
POD: Document = {
    "serviceAccountName": "shop",
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [CONTAINER],
}
TEMPLATE: Document = {"metadata": {"labels": {**NAME, "part": "web"}}, "spec": POD}
WIDGETS = cluster_wide(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "widgets.example.com",
    spec={
        "group": "example.com",
        "names": {"kind": "Widget", "plural": "widgets"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {"size": {"type": "integer", "minimum": 1}, "side": {"type": "string"}},
                                "x-kubernetes-validations": [
                                    {"rule": "self.size < 100", "message": "no widget is that large"}
                                ],
                            }
                        },
                    }
                },
            }
        ],
    },
)


def shop() -> dict[str, Document]:
    """A small tree that a cluster takes: one of each kind that matters here."""
    job = {"template": {"metadata": {"labels": NAME}, "spec": {**POD, "restartPolicy": "Never"}}}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}
    selector = {"matchLabels": NAME}
    documents = {
        "crd": WIDGETS,
        "namespace": cluster_wide("v1", "Namespace", "shop") | {"metadata": {"name": "shop", "labels": RESTRICTED}},
        "priority": cluster_wide("scheduling.k8s.io/v1", "PriorityClass", "shop", value=10),
        "quota": thing("v1", "ResourceQuota", spec={"hard": {"limits.cpu": "1", "pods": "4"}}),
        "account": thing("v1", "ServiceAccount"),
        "limits": thing("v1", "LimitRange", spec={"limits": [{"type": "Container", "max": {"memory": "1Gi"}}]}),
        "service": thing("v1", "Service", spec={"selector": NAME, "ports": [{"port": 80, "targetPort": "http"}]}),
        "deployment": thing("apps/v1", "Deployment", spec={"selector": selector, "template": TEMPLATE}),
        "stateful": thing(
            "apps/v1",
            "StatefulSet",
            spec={
                "serviceName": "shop",
                "selector": selector,
                "template": TEMPLATE,
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
            },
        ),
        "cron": thing("batch/v1", "CronJob", spec={"schedule": "0 3 * * *", "jobTemplate": {"spec": job}}),
        "claim": thing("v1", "PersistentVolumeClaim", spec=claim),
        "pdb": thing("policy/v1", "PodDisruptionBudget", spec={"maxUnavailable": 1, "selector": selector}),
        "widget": thing("example.com/v1", "Widget", spec={"size": 1}),
    }
    # Each its own: they share a template.
    return {name: deepcopy(document) for name, document in documents.items()}


def step(documents: dict[str, Document]) -> list[Step]:
    applied = (Applied(item, f"deploy/shop/{name}.yaml", "charts/apps/shop.py") for name, item in documents.items())
    return [Step("shop", tuple(applied))]


PROVIDED = [
    cluster_wide("storage.k8s.io/v1", "StorageClass", "default", provisioner="example.com/x", allowVolumeExpansion=True)
]
PROVIDED[0]["metadata"]["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with running(kubernetes.program(kubernetes.minors()[0])) as server:
        server.mark()
        yield server


def found(server: ApiServer, documents: dict[str, Document], before: dict[str, Document] | None = None) -> list[str]:
    verdict = judge(server, step(documents), PROVIDED, step(before) if before else ())
    return [*verdict.findings, *(f"{item.path}: stuck: {words}" for item, words in verdict.stuck.items())]


Edit = Callable[[dict[str, Document]], None]


def put(name: str, *path: str | int, to: Any) -> Edit:
    def edit(documents: dict[str, Document]) -> None:
        place: Any = documents[name]
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to

    return edit


POD_OF = ("spec", "template", "spec")
CONTAINER_OF = (*POD_OF, "containers", 0)

WRONG: dict[str, tuple[Edit, str, str]] = {
    "a name that the kind does not take": (
        put("service", "metadata", "name", to="2048"),
        "service.yaml: Service shop/2048: ",
        'Service "2048" is invalid: metadata.name: Invalid value: "2048"',
    ),
    "a name that controllers lengthen too far": (
        put("cron", "metadata", "name", to="c" * 60),
        "cron.yaml: CronJob shop/ccc",
        "must be no more than 52 characters",
    ),
    "a probe that no kubelet takes": (
        put("deployment", *CONTAINER_OF, "livenessProbe", "successThreshold", to=2),
        "deployment.yaml: Deployment shop/shop: ",
        "livenessProbe.successThreshold: Invalid value: 2: must be 1",
    ),
    "both bounds of a budget": (
        put("pdb", "spec", "minAvailable", to=1),
        "pdb.yaml: PodDisruptionBudget shop/shop: ",
        "minAvailable and maxUnavailable cannot be both set",
    ),
    "a field that is not there": (
        put("deployment", "spec", "replicasx", to=1),
        "deployment.yaml: Deployment shop/shop: ",
        ".spec.replicasx: field not declared in schema",
    ),
    "a field of a custom kind that is not there": (
        put("widget", "spec", "colour", to="red"),
        "widget.yaml: Widget shop/shop: ",
        ".spec.colour: field not declared in schema",
    ),
    "a value that a custom kind's schema refuses": (
        put("widget", "spec", "size", to=0),
        "widget.yaml: Widget shop/shop: ",
        "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1",
    ),
    "a value that a custom kind's own rule refuses": (
        put("widget", "spec", "size", to=100),
        "widget.yaml: Widget shop/shop: ",
        "no widget is that large",
    ),
    "a version that is not served": (
        put("widget", "apiVersion", to="example.com/v2"),
        "widget.yaml: Widget shop/shop: ",
        "no matches for kind 'Widget' in version 'example.com/v2'",
    ),
    "a namespace that nobody makes": (
        put("limits", "metadata", "namespace", to="elsewhere"),
        "limits.yaml: LimitRange elsewhere/shop: ",
        'namespaces "elsewhere" not found',
    ),
    "what is deprecated": (
        put("deployment", *POD_OF, "nodeSelector", to={"beta.kubernetes.io/arch": "amd64"}),
        "deployment.yaml: Deployment shop/shop: warning: ",
        "deprecated",
    ),
    "a pod that is privileged": (
        put("deployment", *CONTAINER_OF, "securityContext", to={"privileged": True}),
        "deployment.yaml: Deployment shop/shop: its Pod shop-",
        'violates PodSecurity "restricted:latest": privileged',
    ),
    "a pod over the quota": (
        put("deployment", *CONTAINER_OF, "resources", "limits", "cpu", to="2"),
        "deployment.yaml: Deployment shop/shop: its Pod shop-",
        "exceeded quota: shop, requested: limits.cpu=2",
    ),
    "a pod over the limits of its namespace": (
        put("cron", "spec", "jobTemplate", *CONTAINER_OF, "resources", "limits", "memory", to="2Gi"),
        "cron.yaml: CronJob shop/shop: its Pod shop-",
        "maximum memory usage per Container is 1Gi",
    ),
    "a pod whose account is not there": (
        put("stateful", *POD_OF, "serviceAccountName", to="nobody"),
        "stateful.yaml: StatefulSet shop/shop: its Pod shop-0: ",
        'serviceaccount "nobody" not found',
    ),
    "a pod of a class that is not there": (
        put("deployment", *POD_OF, "priorityClassName", to="urgent"),
        "deployment.yaml: Deployment shop/shop: its Pod shop-",
        "no PriorityClass with name urgent was found",
    ),
}


def test_what_is_right_is_taken_anew_and_over_itself(server: ApiServer) -> None:
    assert found(server, shop(), shop()) == []


@pytest.mark.parametrize(("edit", "place", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_found_once_with_its_place_and_the_servers_words(
    server: ApiServer, edit: Edit, place: str, words: str
) -> None:
    documents = shop()
    edit(documents)
    findings = found(server, documents)
    assert len(findings) == 1, findings
    assert findings[0].startswith(f"deploy/shop/{place}")
    assert words in findings[0]
    assert findings[0].endswith("(charts/apps/shop.py)")


def test_everything_in_a_namespace_that_is_refused_is_one_finding(server: ApiServer) -> None:
    documents = shop()
    for document in documents.values():
        document["metadata"] |= {"namespace": "Shop"} if "namespace" in document["metadata"] else {}
    documents["namespace"]["metadata"]["name"] = "Shop"
    (finding,) = found(server, documents)
    assert finding.startswith("deploy/shop/namespace.yaml: Namespace Shop: ")


IN_PLACE: dict[str, tuple[Edit, str]] = {
    "a selector": (
        put("deployment", "spec", "selector", "matchLabels", to={"part": "web"}),
        "deployment.yaml",
    ),
    "a priority": (
        put("priority", "value", to=11),
        "priority.yaml",
    ),
    "a claim that shrinks": (
        put("claim", "spec", "resources", "requests", "storage", to="1Gi"),
        "claim.yaml",
    ),
    "another class of a claim": (
        put("claim", "spec", "storageClassName", to="other"),
        "claim.yaml",
    ),
    "the claims of a set": (
        put("stateful", "spec", "volumeClaimTemplates", 0, "spec", "resources", "requests", "storage", to="1Gi"),
        "stateful.yaml",
    ),
}


@pytest.mark.parametrize(("edit", "place"), IN_PLACE.values(), ids=IN_PLACE)
def test_what_cannot_be_changed_in_place_shows_itself(server: ApiServer, edit: Edit, place: str) -> None:
    documents = shop()
    edit(documents)
    assert found(server, documents) == []
    (finding,) = found(server, documents, shop())
    assert finding.startswith(f"deploy/shop/{place}: stuck: ")


@pytest.mark.parametrize(
    "edit",
    [
        put("claim", "spec", "resources", "requests", "storage", to="3Gi"),
        put("deployment", *CONTAINER_OF, "image", to="registry.example.com/shop:2"),
        put("quota", "spec", "hard", "pods", to="5"),
    ],
    ids=["a claim that grows", "an image", "a quota"],
)
def test_what_can_be_changed_in_place_is_no_finding(server: ApiServer, edit: Edit) -> None:
    documents = shop()
    edit(documents)
    assert found(server, documents, shop()) == []


def test_what_flux_makes_anew_needs_no_change_in_place(server: ApiServer) -> None:
    documents = shop()
    put("priority", "value", to=11)(documents)
    documents["priority"]["metadata"]["annotations"] = {"kustomize.toolkit.fluxcd.io/force": "enabled"}
    assert found(server, documents, shop()) == []


def test_a_fault_that_is_there_either_way_is_said_once(server: ApiServer) -> None:
    documents = shop()
    put("pdb", "spec", "minAvailable", to=1)(documents)
    assert len(found(server, documents, shop())) == 1


def test_what_was_wrong_before_is_not_the_changes_fault(server: ApiServer) -> None:
    before = shop()
    put("pdb", "spec", "minAvailable", to=1)(before)
    assert found(server, shop(), before) == []


def test_an_account_that_may_not_apply_is_refused(server: ApiServer) -> None:
    (given,) = step(shop())
    limited = Step("tenant", given.objects[-1:], "system:serviceaccount:shop:shop")
    findings = judge(server, [Step("shop", given.objects[:-1]), limited], PROVIDED).findings
    assert len(findings) == 1
    assert 'User "system:serviceaccount:shop:shop" cannot patch resource "widgets"' in findings[0]


def test_an_object_that_is_never_as_it_was_applied_is_found(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    apply, times = server.apply, count()

    def restless(document: Document, **given: Any) -> Answer:
        """As where a webhook changes a kind at every time."""
        answer = apply(document, **given)
        return replace(answer, body=answer.body | {"data": next(times)}) if document["kind"] == "Widget" else answer

    monkeypatch.setattr(server, "apply", restless)
    (finding,) = found(server, shop())
    assert finding.startswith("deploy/shop/widget.yaml: Widget shop/shop: its data changes when it is applied again")
