"""Rules for how much runs in a namespace: a quota or a limit that does not fit gives its sentence."""

from typing import Any

import pytest

from synth.cluster import Provided
from synth.manifest import Document
from synth.rules import check, quotas
from tests.synth.objects import (
    NAMED_WIKI,
    POD,
    PROVIDED,
    autoscaled,
    environment,
    find,
    other,
    put,
    said,
    scaled,
    tree,
    unlimited,
)


def sentences(documents: list[Document], *provided: Provided) -> list[str]:
    return said(quotas.RULES, documents, *provided)


def test_a_sound_environment_breaks_no_rule() -> None:
    assert sentences(environment()) == []


def quota(resource: str, amount: str) -> Document:
    spec = {"hard": {resource: amount}}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": dict(NAMED_WIKI), "spec": spec}


def limit_range(**limit: Any) -> Document:
    spec = {"limits": [{"type": "Container", **limit}]}
    return {"apiVersion": "v1", "kind": "LimitRange", "metadata": dict(NAMED_WIKI), "spec": spec}


def assert_needs(documents: list[Document], resource: str, amount: str) -> None:
    """A quota of the amount is enough, and one of nothing says that it takes the amount."""
    fits = (quotas.quotas_fit_at_full_scale,)
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


def test_all_that_a_quota_lacks_is_one_sentence() -> None:
    small = quota("pods", "0")
    small["spec"]["hard"] |= {"requests.cpu": "1", "limits.cpu": "499m"}
    assert sentences([*unlimited(), small]) == [
        "ResourceQuota wiki allows pods 0 and limits.cpu 499m, but at full scale namespace wiki needs 1 and 500m: "
        "raise it, or run fewer or smaller pods"
    ]


def test_a_quota_is_not_blamed_for_a_workload_that_is_wrong_itself() -> None:
    documents = [*environment(), quota("pods", "0")]
    documents[-1]["metadata"]["name"] = "small"
    provided = (*PROVIDED,)
    assert any("allows pods 0" in str(found) for found in check(tree(documents), provided))
    put(find(documents, "Deployment"), f"{POD}/hostNetwork", True)
    (told,) = check(tree(documents), provided)
    assert "shares the node's Network" in str(told)


def service(**spec: Any) -> Document:
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "b", "namespace": "wiki"},
        "spec": {"ports": ports, **spec},
    }


@pytest.mark.parametrize(
    ("more", "resource", "amount"),
    [
        ([], "cpu", "50m"),
        ([], "memory", "64Mi"),
        ([], "services", "1"),
        ([service()], "count/services", "2"),
        ([service(type="NodePort")], "services.nodeports", "2"),
        ([service(type="LoadBalancer")], "services.nodeports", "2"),
        ([service(type="LoadBalancer")], "services.loadbalancers", "1"),
        ([], "count/deployments.apps", "1"),
        ([other("DaemonSet")], "pods", "2"),
    ],
)
def test_a_quota_counts_other_objects_too(more: list[Document], resource: str, amount: str) -> None:
    assert_needs([*unlimited(), *more], resource, amount)


def test_a_quota_counts_the_volumes_of_a_class() -> None:
    documents = unlimited()
    put(find(documents, "PersistentVolumeClaim"), "spec/storageClassName", "fast")
    assert_needs(documents, "fast.storageclass.storage.k8s.io/requests.storage", "1Gi")
    assert_needs(documents, "fast.storageclass.storage.k8s.io/persistentvolumeclaims", "1")
    assert sentences([*documents, quota("slow.storageclass.storage.k8s.io/requests.storage", "0")]) == []


def test_a_daemon_set_has_a_pod_on_each_node_that_is_known() -> None:
    nodes = [Provided("Node", name, by="the cluster") for name in ("a", "b", "c")]
    documents = [*unlimited(), other("DaemonSet"), quota("pods", "3")]
    assert sentences(documents) == []
    assert "needs 4:" in sentences(documents, *nodes)[0]


def test_a_quota_for_some_pods_is_left_alone() -> None:
    some = quota("pods", "0")
    some["spec"]["scopes"] = ["BestEffort"]
    assert sentences([*unlimited(), some]) == []


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
        (other("DaemonSet"), "2", "128Mi"),
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
        f"Deployment wiki has container wiki with {above} of LimitRange wiki in its namespace: raise the one or lower "
        "the other"
    ]


def test_init_containers_and_other_workloads_keep_to_the_maximum_too() -> None:
    documents = [*with_init_containers("25m"), limit_range(max={"cpu": "500m"})]
    assert sentences(documents) == [
        "Deployment wiki has container prepare-0 with limits.cpu 2, above the 500m of LimitRange wiki in its "
        "namespace: raise the one or lower the other"
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
    assert sentences([*in_mesh(unlimited()), limit_range(max={"cpu": "500m", "memory": "512Mi"})]) == [
        "Deployment wiki has Istio's proxy with limits.cpu 2 and limits.memory 1Gi, above the 500m and 512Mi of "
        "LimitRange wiki in its namespace: raise the one or name less in the annotations "
        "sidecar.istio.io/proxyCPULimit and sidecar.istio.io/proxyMemoryLimit of its pods"
    ]


@pytest.mark.parametrize(
    ("scopes", "ends", "count"),
    [
        (["NotTerminating"], None, 1),
        (["NotTerminating"], 60, 0),
        (["Terminating"], None, 0),
        (["Terminating"], 60, 1),
        (["BestEffort"], None, 0),
    ],
)
def test_a_quota_counts_the_pods_of_its_scopes(scopes: list[str], ends: int | None, count: int) -> None:
    documents = unlimited()
    find(documents, "Deployment")["spec"]["template"]["spec"] |= {"activeDeadlineSeconds": ends}
    given = quota("pods", "0")
    given["spec"]["scopes"] = scopes
    assert len(said((quotas.quotas_fit_at_full_scale,), [*documents, given])) == count


@pytest.mark.parametrize(
    ("ratio", "told"),
    [
        ({"memory": "1"}, "with 128Mi of memory at most and a request for 64Mi, more than 1 times apart"),
        ({"memory": "2"}, ""),
    ],
)
def test_a_limit_is_as_near_the_request_as_the_range_says(ratio: dict[str, str], told: str) -> None:
    documents = unlimited()
    put(find(documents, "Deployment"), f"{POD}/containers/0/resources/requests/memory", "64Mi")
    put(find(documents, "Deployment"), f"{POD}/containers/0/resources/limits/memory", "128Mi")
    found = sentences([*documents, limit_range(maxLimitRequestRatio=ratio)])
    assert len(found) == bool(told)
    assert told in "".join(found)


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ({"min": {"storage": "2Gi"}}, "asks for a volume of 1Gi, below the 2Gi of LimitRange wiki"),
        ({"max": {"storage": "512Mi"}}, "asks for a volume of 1Gi, above the 512Mi of LimitRange wiki"),
        ({"min": {"storage": "1Gi"}, "max": {"storage": "1Gi"}}, ""),
    ],
)
@pytest.mark.parametrize("kind", ["PersistentVolumeClaim", "StatefulSet"])
def test_a_volume_keeps_to_the_range_of_its_namespace(kind: str, limit: dict[str, Any], told: str) -> None:
    documents = unlimited()
    claim = find(documents, "PersistentVolumeClaim")
    if kind == "StatefulSet":
        documents.remove(claim)
        documents.append(other(kind, volumeClaimTemplates=[claim]))
    given = limit_range(**limit)
    given["spec"]["limits"][0]["type"] = "PersistentVolumeClaim"
    found = said((quotas.what_runs_keeps_to_the_limit_range,), [*documents, given])
    assert len(found) == bool(told)
    assert told in "".join(found)
