"""Rules for how much runs: replicas, autoscalers, budgets, quotas and limits that do not fit give their sentence."""

from typing import Any

import pytest

from synth import capacity
from synth.manifest import Document
from tests.synth.objects import budget, environment, find, put, said

POD = "spec/template/spec"
NAMED_WIKI = {"name": "wiki", "namespace": "wiki"}
SPREAD = [{"topologyKey": "kubernetes.io/hostname"}]
FOR_OTHER = {"matchLabels": {"app.kubernetes.io/name": "other"}}

NO_BUDGET = "has several pods and no PodDisruptionBudget: a drain could take all of them at once"
NOT_SPREAD = "has several pods and no topologySpreadConstraints: one node could have them all, spread them"


def sentences(documents: list[Document]) -> list[str]:
    return said(capacity.RULES, documents)


def unlimited() -> list[Document]:
    """The environment without a quota and limits of its own."""
    return [document for document in environment() if document["kind"] not in ("ResourceQuota", "LimitRange")]


def scaled(replicas: int = 3) -> list[Document]:
    """The environment with several pods of the wiki: on a volume for all of them, spread, and with a budget."""
    documents = unlimited()
    put(find(documents, "PersistentVolumeClaim"), "spec/accessModes", ["ReadWriteMany"])
    wiki = find(documents, "Deployment")
    put(wiki, "spec/replicas", replicas)
    put(wiki, "spec/strategy", {"type": "RollingUpdate"})
    put(wiki, f"{POD}/topologySpreadConstraints", SPREAD)
    return [*documents, budget(maxUnavailable=1)]


def autoscaled(**spec: Any) -> list[Document]:
    """The same with an autoscaler in charge, of 2 to 4 pods unless told otherwise."""
    documents = scaled()
    put(find(documents, "Deployment"), "spec/replicas", None)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "wiki"}
    autoscaler = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": dict(NAMED_WIKI)}
    autoscaler["spec"] = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 4, **spec}
    return [*documents, autoscaler]


def other(kind: str, **spec: Any) -> Document:
    """One more workload, with pods like the wiki's."""
    workload = find(environment(), "Deployment")
    template = {**workload["spec"]["template"], "metadata": {"labels": FOR_OTHER["matchLabels"]}}
    metadata = {"name": "other", "namespace": "wiki"}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {"template": template, **spec}}


# volumes


def test_an_autoscaler_gives_a_volume_for_one_node_too_many_pods() -> None:
    documents = autoscaled(maxReplicas=2)
    put(find(documents, "PersistentVolumeClaim"), "spec/accessModes", ["ReadWriteOnce"])
    put(find(documents, "Deployment"), "spec/strategy", {"type": "Recreate"})
    assert sentences(documents) == [
        "Deployment wiki has 2 replicas on PersistentVolumeClaim pages, which one node alone can mount: "
        "run 1 replica, or declare the volume ReadWriteMany"
    ]


def test_an_autoscaler_of_one_pod_suits_a_volume_for_one_node() -> None:
    documents = autoscaled(minReplicas=1, maxReplicas=1)
    put(find(documents, "PersistentVolumeClaim"), "spec/accessModes", ["ReadWriteOnce"])
    put(find(documents, "Deployment"), "spec/strategy", {"type": "Recreate"})
    assert sentences(documents) == []


def test_a_deployment_without_a_strategy_rolls_out_with_two_pods() -> None:
    documents = unlimited()
    put(find(documents, "Deployment"), "spec/strategy", None)
    assert sentences(documents) == [
        "Deployment wiki rolls out with two pods on PersistentVolumeClaim pages for a while: set strategy Recreate, "
        "or declare the volume ReadWriteMany"
    ]


def test_a_volume_that_is_not_made_here_may_be_for_many_nodes() -> None:
    documents = scaled()
    put(find(documents, "Deployment"), f"{POD}/volumes/0/persistentVolumeClaim/claimName", "shared")
    assert sentences(documents) == []


# autoscalers


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
    assert said((capacity.autoscalers_are_in_charge,), documents) == [f"HorizontalPodAutoscaler wiki {sentence}"]


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


# disruption budgets


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


# spread


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


# quotas


def quota(resource: str, amount: str) -> Document:
    spec = {"hard": {resource: amount}}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": dict(NAMED_WIKI), "spec": spec}


def limit_range(**limit: Any) -> Document:
    spec = {"limits": [{"type": "Container", **limit}]}
    return {"apiVersion": "v1", "kind": "LimitRange", "metadata": dict(NAMED_WIKI), "spec": spec}


def assert_needs(documents: list[Document], resource: str, amount: str) -> None:
    """A quota of the amount is enough, and one of nothing says that it takes the amount."""
    fits = (capacity.quotas_fit_at_full_scale,)
    assert said(fits, [*documents, quota(resource, amount)]) == []
    assert said(fits, [*documents, quota(resource, "0")]) == [
        f"ResourceQuota wiki allows {resource} 0, but at full scale namespace wiki needs {amount}: raise it, or run "
        "fewer or smaller pods"
    ]


def test_a_quota_below_what_is_needed_gives_its_sentence() -> None:
    assert sentences([*scaled(), quota("requests.memory", "255Mi")]) == [
        "ResourceQuota wiki allows requests.memory 255Mi, but at full scale namespace wiki needs 256Mi: raise it, or "
        "run fewer or smaller pods"
    ]


def test_every_resource_of_a_quota_has_its_own_sentence() -> None:
    small = quota("pods", "0")
    small["spec"]["hard"] |= {"requests.cpu": "1", "limits.cpu": "499m"}
    assert [sentence.split(",")[0] for sentence in sentences([*unlimited(), small])] == [
        "ResourceQuota wiki allows pods 0",
        "ResourceQuota wiki allows limits.cpu 499m",
    ]


@pytest.mark.parametrize(
    ("resource", "amount"),
    [
        ("pods", "1"),
        ("requests.cpu", "50m"),
        ("requests.memory", "64Mi"),
        ("requests.ephemeral-storage", "64Mi"),
        ("limits.cpu", "500m"),
        ("limits.memory", "256Mi"),
        ("limits.ephemeral-storage", "256Mi"),
        ("persistentvolumeclaims", "1"),
        ("requests.storage", "1Gi"),
    ],
)
def test_a_quota_counts_pods_their_resources_and_volumes(resource: str, amount: str) -> None:
    assert_needs(unlimited(), resource, amount)


@pytest.mark.parametrize(
    ("replicas", "strategy", "pods"),
    [
        (3, {"type": "Recreate"}, 3),
        (3, {"type": "RollingUpdate"}, 4),
        (5, {"type": "RollingUpdate"}, 7),
        (8, {"type": "RollingUpdate"}, 10),
        (3, None, 4),
        (3, {"rollingUpdate": {"maxUnavailable": 0}}, 4),
        (3, {"rollingUpdate": {"maxSurge": 0}}, 3),
        (3, {"rollingUpdate": {"maxSurge": 2}}, 5),
        (3, {"rollingUpdate": {"maxSurge": "0%"}}, 3),
        (3, {"rollingUpdate": {"maxSurge": "34%"}}, 5),
        (3, {"rollingUpdate": {"maxSurge": "100%"}}, 6),
    ],
)
def test_a_rollout_has_pods_beyond_the_replicas(replicas: int, strategy: Document | None, pods: int) -> None:
    documents = scaled(replicas)
    put(find(documents, "Deployment"), "spec/strategy", strategy)
    assert_needs(documents, "pods", str(pods))
    assert_needs(documents, "limits.memory", f"{256 * pods}Mi" if pods % 4 else f"{pods // 4}Gi")


def test_pods_are_counted_in_tens() -> None:
    documents = scaled(1024)
    put(find(documents, "Deployment"), "spec/strategy", {"type": "Recreate"})
    assert_needs(documents, "pods", "1024")
    assert_needs(documents, "requests.memory", "64Gi")


def test_a_deployment_without_replicas_has_one_pod_and_one_more_in_a_rollout() -> None:
    documents = scaled()
    put(find(documents, "Deployment"), "spec/replicas", None)
    assert_needs(documents, "pods", "2")


@pytest.mark.parametrize(("most", "pods", "cpu"), [(4, "5", "250m"), (10, "13", "650m"), (16, "20", "1")])
def test_full_scale_is_the_autoscalers_maximum_and_a_rollout(most: int, pods: str, cpu: str) -> None:
    assert_needs(autoscaled(maxReplicas=most), "pods", pods)
    assert_needs(autoscaled(maxReplicas=most), "requests.cpu", cpu)


@pytest.mark.parametrize(
    ("workload", "pods", "memory"),
    [
        (other("Job", parallelism=3), "4", "256Mi"),
        (other("Job"), "2", "128Mi"),
        (other("StatefulSet", replicas=1), "2", "128Mi"),
        (other("DaemonSet"), "1", "64Mi"),
    ],
)
def test_other_workloads_count_by_their_pods_without_a_rollout(workload: Document, pods: str, memory: str) -> None:
    assert_needs([*unlimited(), workload], "pods", pods)
    assert_needs([*unlimited(), workload], "requests.memory", memory)


def container(name: str, cpu: str) -> Document:
    """A container like the wiki's that serves nothing."""
    wiki = find(environment(), "Deployment")["spec"]["template"]["spec"]["containers"][0]
    requests = {"cpu": cpu, "memory": "64Mi", "ephemeral-storage": "64Mi"}
    resources = {"requests": requests, "limits": {**requests, "cpu": "2"}}
    same = {key: wiki[key] for key in ("image", "securityContext")}
    return {"name": name, "resources": resources, **same}


def with_init_containers(*cpu: str) -> list[Document]:
    documents = unlimited()
    containers = [container(f"prepare-{index}", amount) for index, amount in enumerate(cpu)]
    put(find(documents, "Deployment"), f"{POD}/initContainers", containers)
    return documents


def test_the_containers_of_a_pod_add_up() -> None:
    job = other("Job")
    job["spec"]["template"]["spec"]["containers"] += [container("send", "25m")]
    assert_needs([*unlimited(), job], "requests.cpu", "125m")
    assert_needs([*unlimited(), job], "limits.cpu", "3")
    assert_needs([*unlimited(), job], "limits.memory", "576Mi")


@pytest.mark.parametrize(
    ("cpu", "needed"), [(["25m"], "50m"), (["50m"], "50m"), (["200m"], "200m"), (["200m", "25m"], "200m")]
)
def test_of_init_containers_only_the_largest_counts_and_only_beyond_the_others(cpu: list[str], needed: str) -> None:
    assert_needs(with_init_containers(*cpu), "requests.cpu", needed)


def in_mesh(documents: list[Document], label: str = "enabled") -> list[Document]:
    find(documents, "Namespace")["metadata"].setdefault("labels", {})["istio-injection"] = label
    return documents


@pytest.mark.parametrize(
    ("resource", "amount"),
    [
        ("requests.cpu", "150m"),
        ("requests.memory", "192Mi"),
        ("limits.cpu", "2500m"),
        ("limits.memory", "1280Mi"),
        ("requests.ephemeral-storage", "64Mi"),
        ("limits.ephemeral-storage", "256Mi"),
        ("pods", "1"),
    ],
)
def test_in_the_mesh_a_pod_takes_what_istio_gives_its_proxy(resource: str, amount: str) -> None:
    assert_needs(in_mesh(unlimited()), resource, amount)


def test_every_pod_in_the_mesh_has_a_proxy() -> None:
    assert_needs(in_mesh(scaled(3)), "requests.cpu", "600m")
    job = other("Job", parallelism=2)
    assert_needs(in_mesh([*unlimited(), job]), "requests.cpu", "450m")
    del job["spec"]["template"]["metadata"]
    assert_needs(in_mesh([*unlimited(), job]), "requests.cpu", "450m")


def test_the_proxy_runs_beside_the_init_containers_too() -> None:
    assert_needs(in_mesh(with_init_containers("200m")), "requests.cpu", "300m")


def test_a_namespace_with_injection_disabled_has_no_proxies() -> None:
    assert_needs(in_mesh(unlimited(), "disabled"), "requests.cpu", "50m")


@pytest.mark.parametrize(
    ("resource", "amount"),
    [
        ("requests.cpu", "70m"),
        ("requests.memory", "96Mi"),
        ("limits.cpu", "700m"),
        ("limits.memory", "384Mi"),
    ],
)
def test_annotations_of_the_pod_say_what_its_proxy_takes(resource: str, amount: str) -> None:
    documents = in_mesh(unlimited())
    annotations = {
        "sidecar.istio.io/proxyCPU": "20m",
        "sidecar.istio.io/proxyMemory": "32Mi",
        "sidecar.istio.io/proxyCPULimit": "200m",
        "sidecar.istio.io/proxyMemoryLimit": "128Mi",
    }
    put(find(documents, "Deployment"), "spec/template/metadata/annotations", annotations)
    assert_needs(documents, resource, amount)


def test_the_limit_range_gives_a_proxy_its_ephemeral_storage() -> None:
    given = limit_range(defaultRequest={"ephemeral-storage": "32Mi"}, default={"ephemeral-storage": "128Mi"})
    documents = [*in_mesh(unlimited()), given]
    assert_needs(documents, "requests.ephemeral-storage", "96Mi")
    assert_needs(documents, "limits.ephemeral-storage", "384Mi")
    given["spec"]["limits"] += [{"type": "Pod", "max": {"cpu": "8"}}, {"type": "Container", "default": {"cpu": "1"}}]
    assert_needs(documents, "requests.ephemeral-storage", "96Mi")
    assert_needs([*unlimited(), given], "requests.ephemeral-storage", "64Mi")
    put(given, "metadata/namespace", "flux-system")
    assert_needs(documents, "requests.ephemeral-storage", "64Mi")


def test_the_volumes_of_a_namespace_add_up() -> None:
    second = find(environment(), "PersistentVolumeClaim")
    put(second, "metadata/name", "images")
    put(second, "spec/resources/requests/storage", "512Mi")
    documents = [*unlimited(), second]
    assert_needs(documents, "persistentvolumeclaims", "2")
    assert_needs(documents, "requests.storage", "1536Mi")
    put(second, "metadata/namespace", "flux-system")
    assert_needs(documents, "persistentvolumeclaims", "1")
    assert_needs(documents, "requests.storage", "1Gi")


def test_what_says_nothing_of_its_resources_takes_none() -> None:
    documents = in_mesh(with_init_containers("25m", "50m"))
    put(find(documents, "Deployment"), f"{POD}/initContainers/1/resources", None)
    put(find(documents, "Deployment"), f"{POD}/containers/0/resources", None)
    put(find(documents, "PersistentVolumeClaim"), "spec/resources", None)
    documents += [quota("requests.cpu", "0"), limit_range(max={"cpu": "4"})]
    documents[-2]["spec"]["hard"]["requests.storage"] = "0"
    assert sentences(documents) == [
        "ResourceQuota wiki allows requests.cpu 0, but at full scale namespace wiki needs 125m: raise it, or run fewer "
        "or smaller pods"
    ]


@pytest.mark.parametrize("resource", ["pods", "requests.cpu", "requests.storage", "persistentvolumeclaims"])
def test_a_quota_is_for_its_own_namespace(resource: str) -> None:
    elsewhere = quota(resource, "0")
    put(elsewhere, "metadata/namespace", "flux-system")
    assert sentences([*unlimited(), elsewhere]) == []


@pytest.mark.parametrize("resource", ["services.loadbalancers", "services.nodeports", "requests.nvidia.com/gpu"])
def test_a_quota_may_forbid_what_nothing_takes(resource: str) -> None:
    assert sentences([*unlimited(), quota(resource, "0")]) == []


def test_a_request_that_is_no_quantity_takes_nothing() -> None:
    documents = unlimited()
    put(find(documents, "Deployment"), f"{POD}/containers/0/resources/requests/memory", "64MB")
    assert sentences([*documents, quota("requests.memory", "0")]) == []


def test_a_quota_may_be_of_nothing() -> None:
    empty = quota("pods", "0")
    put(empty, "spec/hard", None)
    assert sentences([*unlimited(), empty]) == []


def test_a_quota_that_is_no_quantity_is_left_to_the_rules_for_fields() -> None:
    assert sentences([*unlimited(), quota("pods", "many")]) == []


def test_a_quota_of_ephemeral_storage_finds_what_the_sidecar_takes() -> None:
    refused = (
        "of which the sidecar of Deployment wiki names none, so that no pod would start: give a LimitRange of the "
        "namespace a default for containers"
    )
    documents = [*in_mesh(unlimited()), quota("requests.ephemeral-storage", "1Gi")]
    assert sentences(documents) == [f"ResourceQuota wiki counts requests.ephemeral-storage, {refused}"]
    put(documents[-1], "spec/hard", {"limits.ephemeral-storage": "1Gi"})
    assert sentences(documents) == [f"ResourceQuota wiki counts limits.ephemeral-storage, {refused}"]
    assert sentences([*documents, limit_range(default={"ephemeral-storage": "64Mi"})]) == []
    assert sentences([*unlimited(), documents[-1]]) == []


# limit ranges


@pytest.mark.parametrize(
    "most",
    [
        {},
        {"cpu": "500m", "memory": "256Mi", "ephemeral-storage": "256Mi"},
        {"cpu": "0.5", "memory": "268435456"},
        {"memory": "1Gi"},
    ],
)
def test_containers_below_the_maximum_break_no_rule(most: dict[str, str]) -> None:
    assert sentences([*unlimited(), limit_range(max=most)]) == []


@pytest.mark.parametrize(
    ("most", "above"),
    [
        ({"cpu": "499m"}, "limits.cpu 500m, above the 499m"),
        ({"memory": "255Mi", "cpu": "1"}, "limits.memory 256Mi, above the 255Mi"),
        ({"ephemeral-storage": "268435455"}, "limits.ephemeral-storage 256Mi, above the 268435455"),
    ],
)
def test_a_container_above_the_maximum_gives_its_sentence(most: dict[str, str], above: str) -> None:
    assert sentences([*unlimited(), limit_range(max=most)]) == [
        f"Deployment wiki has container wiki with {above} of LimitRange wiki in its namespace: raise that or lower this"
    ]


def test_init_containers_and_other_workloads_keep_to_the_maximum_too() -> None:
    documents = [*with_init_containers("25m"), limit_range(max={"cpu": "500m"})]
    assert sentences(documents) == [
        "Deployment wiki has container prepare-0 with limits.cpu 2, above the 500m of LimitRange wiki in its "
        "namespace: raise that or lower this"
    ]
    documents = [*unlimited(), other("Job"), other("DaemonSet"), limit_range(max={"cpu": "100m"})]
    assert [sentence.split(" with ")[0] for sentence in sentences(documents)] == [
        "Deployment wiki has container wiki",
        "Job other has container wiki",
        "DaemonSet other has container wiki",
    ]


def test_a_limit_range_is_for_containers_of_its_own_namespace() -> None:
    elsewhere = limit_range(max={"cpu": "100m"})
    put(elsewhere, "metadata/namespace", "flux-system")
    assert sentences([*unlimited(), elsewhere]) == []
    assert sentences([*unlimited(), limit_range(type="Pod", max={"cpu": "100m"})]) == []
    assert sentences([*unlimited(), limit_range()]) == []


# what is easily overlooked


def test_a_volume_that_many_nodes_read_suits_several_pods() -> None:
    documents = scaled()
    put(find(documents, "PersistentVolumeClaim"), "spec/accessModes", ["ReadOnlyMany"])
    assert sentences(documents) == []


def test_no_pods_need_not_let_one_go() -> None:
    documents = unlimited()
    put(find(documents, "Deployment"), "spec/replicas", 0)
    assert sentences([*documents, budget(maxUnavailable="50%")]) == []


def test_the_volumes_of_a_stateful_set_count_for_each_pod() -> None:
    template = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "10Gi"}}}}
    workload = other("StatefulSet", replicas=1, volumeClaimTemplates=[template])
    assert_needs([*unlimited(), workload], "requests.storage", "11Gi")
    assert_needs([*unlimited(), workload], "persistentvolumeclaims", "2")


def test_a_cron_job_counts_by_its_parallelism() -> None:
    pods = other("Job")["spec"]
    job = {**other("CronJob"), "spec": {"jobTemplate": {"spec": {**pods, "parallelism": 3}}}}
    assert_needs([*unlimited(), job], "pods", "4")


def test_an_init_container_that_goes_on_counts_beside_the_others() -> None:
    documents = unlimited()
    beside = {**container("beside", "100m"), "restartPolicy": "Always"}
    put(find(documents, "Deployment"), f"{POD}/initContainers", [beside])
    assert_needs(documents, "requests.cpu", "150m")


def test_with_one_annotation_istio_gives_its_proxy_no_defaults() -> None:
    documents = in_mesh(unlimited())
    annotations = {"sidecar.istio.io/proxyCPU": "10m"}
    put(find(documents, "Deployment"), "spec/template/metadata/annotations", annotations)
    assert sentences([*documents, quota("limits.cpu", "500m"), quota("requests.cpu", "60m")]) == []


def test_the_proxy_keeps_to_the_limit_range_as_well() -> None:
    assert sentences([*in_mesh(unlimited()), limit_range(max={"cpu": "500m"})]) == [
        "Deployment wiki has Istio's proxy with limits.cpu 2, above the 500m of LimitRange wiki in its namespace: "
        "raise that or lower this"
    ]


@pytest.mark.parametrize("broken", [("HorizontalPodAutoscaler", "spec/maxReplicas"), ("Deployment", "spec/strategy")])
def test_what_is_left_out_ends_no_check(broken: tuple[str, str]) -> None:
    documents = autoscaled()
    kind, path = broken
    put(find(documents, kind), path, None)
    sentences(documents)
