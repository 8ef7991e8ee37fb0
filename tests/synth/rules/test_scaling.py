"""Rules for how many pods run: replicas, autoscalers and budgets that do not fit give their sentence."""

from typing import Any

import pytest

from synth.cluster import Provided
from synth.manifest import Document
from synth.rules import scaling
from tests.synth.objects import (
    FOR_OTHER,
    POD,
    SPREAD,
    autoscaled,
    budget,
    environment,
    find,
    other,
    put,
    said,
    scaled,
    unlimited,
)

NO_BUDGET = "has several pods and no PodDisruptionBudget: a drain could take all of them at once"

NOT_SPREAD = "has several pods and no topologySpreadConstraints: one node could have them all, spread them"


def sentences(documents: list[Document], *provided: Provided) -> list[str]:
    return said(scaling.RULES, documents, *provided)


def test_a_sound_environment_breaks_no_rule() -> None:
    assert sentences(environment()) == []


def test_an_autoscaler_in_charge_breaks_no_rule() -> None:
    assert sentences(autoscaled()) == []


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("spec/minReplicas", 5, "has minReplicas 5 above maxReplicas 4: swap or change them"),
        (
            "spec/scaleTargetRef/name",
            "wikki",
            "scales Deployment wikki, which does not exist in namespace wiki; there are wiki",
        ),
        (
            "spec/scaleTargetRef/kind",
            "StatefulSet",
            "scales StatefulSet wiki, which does not exist in namespace wiki; there are none",
        ),
        (
            "metadata/namespace",
            "flux-system",
            "scales Deployment wiki, which does not exist in namespace flux-system; there are none",
        ),
        (
            "spec/metrics",
            [{"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "app"}}],
            "measures container app, but the pods of Deployment wiki have wiki",
        ),
    ],
)
def test_an_autoscaler_that_is_not_in_charge_gives_its_sentence(path: str, value: Any, sentence: str) -> None:
    documents = autoscaled()
    put(find(documents, "HorizontalPodAutoscaler"), path, value)
    assert said((scaling.autoscalers_are_in_charge,), documents) == [f"HorizontalPodAutoscaler wiki {sentence}"]


def test_the_least_and_the_most_pods_of_an_autoscaler_may_be_the_same() -> None:
    assert sentences(autoscaled(minReplicas=4)) == []


@pytest.mark.parametrize(
    "metric",
    [
        {"type": "Resource", "resource": {"name": "cpu"}},
        {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "wiki"}},
    ],
)
def test_an_autoscaler_measures_all_containers_or_one_that_the_pods_have(metric: Document) -> None:
    assert sentences(autoscaled(metrics=[metric])) == []


def test_an_autoscaler_that_measures_an_unknown_container_is_told_which_there_are() -> None:
    documents = autoscaled(metrics=[{"type": "ContainerResource", "containerResource": {"container": "app"}}])
    containers = find(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    containers.append({**containers[0], "name": "cache"})
    assert sentences(documents) == [
        "HorizontalPodAutoscaler wiki measures container app, but the pods of Deployment wiki have wiki, cache"
    ]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_somebody_says_how_many_pods_there_are(kind: str) -> None:
    documents = unlimited()
    wiki = find(documents, "Deployment")
    wiki["kind"] = kind
    assert sentences(documents) == []
    put(wiki, "spec/replicas", None)
    assert sentences(documents) == [f"{kind} wiki has no replicas and no autoscaler: say how many pods it has"]


def test_replicas_are_the_autoscalers_alone() -> None:
    documents = autoscaled()
    put(find(documents, "Deployment"), "spec/replicas", 3)
    assert sentences(documents) == [
        "Deployment wiki sets replicas 3, and HorizontalPodAutoscaler wiki sets it too: leave it out, or Flux and the "
        "autoscaler undo each other's number"
    ]


@pytest.mark.parametrize(
    ("replicas", "spec"),
    [
        (1, {"maxUnavailable": 1}),
        (3, {"maxUnavailable": 1}),
        (3, {"maxUnavailable": "1%"}),
        (3, {"maxUnavailable": "100%"}),
        (3, {"minAvailable": 0}),
        (3, {"minAvailable": 2}),
        (3, {"minAvailable": "66%"}),
        (4, {"minAvailable": "75%"}),
    ],
)
def test_a_budget_lets_a_pod_go(replicas: int, spec: dict[str, Any]) -> None:
    assert sentences([*scaled(replicas)[:-1], budget(**spec)]) == []


@pytest.mark.parametrize(
    ("replicas", "spec"),
    [
        (3, {"maxUnavailable": 0}),
        (3, {"maxUnavailable": "0%"}),
        (1, {"minAvailable": 1}),
        (3, {"minAvailable": 3}),
        (3, {"minAvailable": 4}),
        (3, {"minAvailable": "67%"}),
        (3, {"minAvailable": "100%"}),
        (1, {"minAvailable": "50%"}),
    ],
)
def test_a_budget_that_lets_no_pod_go_gives_its_sentence(replicas: int, spec: dict[str, Any]) -> None:
    assert sentences([*scaled(replicas)[:-1], budget(**spec)]) == [
        f"PodDisruptionBudget wiki lets no pod of Deployment wiki go while it has {replicas}, so that its node can "
        "never be drained: set maxUnavailable to 1"
    ]


@pytest.mark.parametrize(("least", "given"), [(2, {"minReplicas": 2}), (1, {"minReplicas": 1})])
def test_a_budget_fits_the_least_pods_of_an_autoscaler(least: int, given: dict[str, int]) -> None:
    documents = autoscaled(**given)
    put(find(documents, "PodDisruptionBudget"), "spec/maxUnavailable", None)
    put(find(documents, "PodDisruptionBudget"), "spec/minAvailable", 2)
    assert sentences(documents) == [
        f"PodDisruptionBudget wiki lets no pod of Deployment wiki go while it has {least}, so that its node can "
        "never be drained: set maxUnavailable to 1"
    ]
    put(find(documents, "HorizontalPodAutoscaler"), "spec/minReplicas", 3)
    assert sentences(documents) == []


def test_an_autoscaler_that_names_no_least_may_have_one_pod() -> None:
    documents = autoscaled()
    put(find(documents, "HorizontalPodAutoscaler"), "spec/minReplicas", None)
    put(find(documents, "HorizontalPodAutoscaler"), "spec/maxReplicas", 1)
    assert sentences(documents) == []
    put(find(documents, "HorizontalPodAutoscaler"), "spec/maxReplicas", 4)
    find(documents, "PodDisruptionBudget")["spec"] = budget(minAvailable=1)["spec"]
    assert sentences(documents) == [
        "PodDisruptionBudget wiki lets no pod of Deployment wiki go while it has 1, so that its node can never be "
        "drained: set maxUnavailable to 1"
    ]


@pytest.mark.parametrize(
    ("path", "value", "who"),
    [
        (
            "spec/selector/matchLabels",
            {"app.kubernetes.io/name": "wikki"},
            "app.kubernetes.io/name=wikki in namespace wiki",
        ),
        ("metadata/namespace", "flux-system", "app.kubernetes.io/name=wiki in namespace flux-system"),
    ],
)
def test_a_budget_is_for_pods_of_its_namespace(path: str, value: Any, who: str) -> None:
    documents = [*unlimited(), budget(maxUnavailable=1)]
    put(find(documents, "PodDisruptionBudget"), path, value)
    assert sentences(documents) == [
        f"PodDisruptionBudget wiki is for pods with {who}, but there are none: use the labels of a workload"
    ]


def test_two_budgets_for_the_same_pods_name_both() -> None:
    documents = [*scaled(), budget(maxUnavailable=2)]
    put(documents[-1], "metadata/name", "second")
    assert sentences(documents) == [
        "PodDisruptionBudget second is for the pods of Deployment wiki, as PodDisruptionBudget wiki is: "
        "Kubernetes would evict none of them"
    ]


def test_one_budget_may_be_for_two_workloads() -> None:
    second = other("StatefulSet", replicas=1)
    put(second, "spec/template/metadata/labels", {"part": "store"})
    documents = [*scaled(), second]
    put(find(documents, "PodDisruptionBudget"), "spec/selector", {})
    assert sentences(documents) == []


def test_several_pods_have_a_budget() -> None:
    assert sentences(scaled()[:-1]) == [f"Deployment wiki {NO_BUDGET}"]
    without = [document for document in autoscaled() if document["kind"] != "PodDisruptionBudget"]
    assert sentences(without) == [f"Deployment wiki {NO_BUDGET}"]


def test_several_pods_of_a_stateful_set_have_a_budget_and_are_spread() -> None:
    workload = other("StatefulSet", replicas=2)
    assert sentences([*unlimited(), workload]) == [
        f"StatefulSet other {NO_BUDGET}",
        f"StatefulSet other {NOT_SPREAD}",
    ]
    put(workload, f"{POD}/topologySpreadConstraints", SPREAD)
    assert sentences([*unlimited(), workload, budget(selector=FOR_OTHER, maxUnavailable=1)]) == []


@pytest.mark.parametrize(
    "workload",
    [other("Job", parallelism=3), other("DaemonSet"), other("StatefulSet", replicas=1)],
)
def test_one_pod_or_one_to_a_node_or_a_job_needs_no_budget_and_no_spread(workload: Document) -> None:
    assert sentences([*unlimited(), workload]) == []


def test_several_pods_are_spread_over_nodes() -> None:
    documents = scaled()
    put(find(documents, "Deployment"), f"{POD}/topologySpreadConstraints", None)
    assert sentences(documents) == [f"Deployment wiki {NOT_SPREAD}"]
    put(find(documents, "Deployment"), f"{POD}/affinity", {"podAffinity": {}})
    assert sentences(documents) == [f"Deployment wiki {NOT_SPREAD}"]
    apart = {"requiredDuringSchedulingIgnoredDuringExecution": SPREAD}
    put(find(documents, "Deployment"), f"{POD}/affinity", {"podAntiAffinity": apart})
    assert sentences(documents) == []


def test_the_pods_of_an_autoscaler_are_spread_over_nodes() -> None:
    documents = autoscaled(minReplicas=1, maxReplicas=2)
    put(find(documents, "Deployment"), f"{POD}/topologySpreadConstraints", [])
    assert sentences(documents) == [f"Deployment wiki {NOT_SPREAD}"]
    put(find(documents, "HorizontalPodAutoscaler"), "spec/maxReplicas", 1)
    assert sentences(documents) == []


def test_no_pods_need_not_let_one_go() -> None:
    documents = [document for document in unlimited() if document["kind"] != "VirtualService"]
    put(find(documents, "Deployment"), "spec/replicas", 0)
    assert sentences([*documents, budget(maxUnavailable="50%")]) == []


def test_a_route_leads_to_pods() -> None:
    documents = unlimited()
    put(find(documents, "Deployment"), "spec/replicas", 0)
    assert sentences(documents) == [
        "Deployment wiki has 0 replicas, and VirtualService wiki leads to it: run one, or take the app out of the "
        "environment"
    ]


def test_a_budget_has_one_bound() -> None:
    assert sentences([*scaled()[:-1], budget(minAvailable=1, maxUnavailable=1)]) == [
        "PodDisruptionBudget wiki has minAvailable and maxUnavailable: Kubernetes takes one, keep maxUnavailable"
    ]


@pytest.mark.parametrize(
    ("rolling", "told"),
    [
        (
            {"maxUnavailable": "100%"},
            "lets a rollout end all of its 2 pods before others serve, by maxUnavailable 100%",
        ),
        ({"maxUnavailable": 2}, "lets a rollout end all of its 2 pods"),
        ({"maxUnavailable": "50%"}, ""),
        ({"maxUnavailable": 1, "maxSurge": 0}, ""),
        ({}, ""),
    ],
)
def test_a_rollout_leaves_some_pods(rolling: Document, told: str) -> None:
    documents = scaled(2)
    put(find(documents, "Deployment"), "spec/strategy", {"rollingUpdate": rolling})
    assert [told in sentence for sentence in sentences(documents)] == ([True] if told else [])
    documents.remove(find(documents, "Service"))
    assert sentences(documents) == []


def of_type(kind: str) -> dict[str, Any]:
    return {"metrics": [{"type": kind}]}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (
            {"behavior": {"scaleDown": {"selectPolicy": "Disabled"}}},
            "never takes a pod away again, by the selectPolicy",
        ),
        ({"behavior": {"scaleUp": {"selectPolicy": "Disabled"}}}, "never adds a pod, by the selectPolicy Disabled"),
        (
            {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 3601}}},
            "looks back 3601 seconds before it decides",
        ),
        (of_type("Pods"), "by a metric of type Pods, which custom.metrics.k8s.io answers for, and nobody"),
        (of_type("Object"), "by a metric of type Object, which custom.metrics.k8s.io answers for"),
        (of_type("External"), "by a metric of type External, which external.metrics.k8s.io answers for"),
        (of_type("Resource"), ""),
        (
            {"metrics": [{"type": "Resource", "resource": {"name": "gpu"}}]},
            "measures gpu of its pods, and metrics-server",
        ),
        (
            {"metrics": [{"type": "ContainerResource", "containerResource": {"name": "disk", "container": "wiki"}}]},
            "disk",
        ),
        ({"metrics": [{"type": "Resource", "resource": {"name": "memory"}}]}, ""),
        ({"behavior": {"scaleDown": {"selectPolicy": "Min", "stabilizationWindowSeconds": 3600}}}, ""),
    ],
)
def test_an_autoscaler_can_do_what_it_is_for(spec: dict[str, Any], told: str) -> None:
    found = said((scaling.autoscalers_are_in_charge,), autoscaled(**spec))
    assert len(found) == bool(told)
    assert told in "".join(found)


def test_a_metric_of_pods_may_be_served() -> None:
    served = Provided("APIService", "v1beta1.custom.metrics.k8s.io", by="somebody")
    assert said((scaling.autoscalers_are_in_charge,), autoscaled(**of_type("Pods")), served) == []
    assert len(said((scaling.autoscalers_are_in_charge,), autoscaled(**of_type("External")), served)) == 1
