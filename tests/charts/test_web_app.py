"""WebApp's shape, as a snapshot of its defaults and assertions on what its options change."""

from dataclasses import replace
from typing import Any

import pytest
from cdk8s import App, Chart
from syrupy.assertion import SnapshotAssertion

from facts.environments import LOCAL, PRODUCTION, STAGING, Environment, Replicas, Storage
from charts.shapes.resources import Range, Resources
from charts.shapes.web_app import Metrics, SecretKey, Volume, WebApp
from synth.manifest import Document, dump, ordered


def objects(environment: Environment = LOCAL, **options: Any) -> dict[str, Document]:
    chart = Chart(App(), "blog")
    defaults: dict[str, Any] = {
        "namespace": "blog",
        "host": "blog",
        "image": "blog:1.0",
        "port": 8000,
        "resources": Resources(cpu=Range("10m", "100m"), memory=Range("32Mi", "64Mi")),
    }
    WebApp(chart, "blog", environment, **{**defaults, **options})
    return {f"{document['kind']}/{document['metadata']['name']}": ordered(document) for document in chart.to_json()}


def container(found: dict[str, Document]) -> Document:
    first: Document = found["Deployment/blog"]["spec"]["template"]["spec"]["containers"][0]
    return first


def test_an_app_with_nothing_but_what_it_must_say(snapshot: SnapshotAssertion) -> None:
    assert dump(objects().values()) == snapshot


def test_a_volume_makes_a_claim_and_one_pod_at_a_time() -> None:
    found = objects(volume=Volume("blog-data", Storage("2Gi"), path="/data"))
    assert found["PersistentVolumeClaim/blog-data"]["spec"]["resources"] == {"requests": {"storage": "2Gi"}}
    assert found["Deployment/blog"]["spec"]["strategy"] == {"type": "Recreate"}
    assert {"name": "blog-data", "mountPath": "/data"} in container(found)["volumeMounts"]


def test_environment_variables_keep_their_order() -> None:
    assert container(objects(variables={"B": "1", "A": "2"}))["env"] == [
        {"name": "B", "value": "1"},
        {"name": "A", "value": "2"},
    ]


def test_a_variable_that_nobody_shall_read_comes_from_a_secret() -> None:
    assert container(objects(variables={"TOKEN": SecretKey("blog", "token")}))["env"] == [
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "blog", "key": "token"}}}
    ]


def test_one_port_is_the_containers_the_policys_and_by_name_the_probes_and_the_services() -> None:
    found = objects(port=9000)
    assert container(found)["ports"][0]["containerPort"] == 9000
    policy = found["NetworkPolicy/allow-ingress-gateway"]["spec"]
    assert policy["ingress"][0]["ports"] == [{"port": 9000, "protocol": "TCP"}]
    assert "9000" not in dump([found["Service/blog"], found["VirtualService/blog"]])


def test_the_health_path_is_every_probes() -> None:
    found = container(objects(health_path="/healthz"))
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert found[probe]["httpGet"]["path"] == "/healthz"


def test_the_namespace_may_have_another_name_than_the_app() -> None:
    found = objects(namespace="test-app")
    assert "Namespace/test-app" in found
    assert found["VirtualService/blog"]["spec"]["http"][0]["route"][0]["destination"]["host"] == (
        "blog.test-app.svc.cluster.local"
    )


def test_an_app_with_a_range_of_replicas_in_staging(snapshot: SnapshotAssertion) -> None:
    found = objects(STAGING, replicas=Replicas(2, 6), metrics=Metrics(9100))
    kinds = ("HorizontalPodAutoscaler", "Deployment", "VirtualService")
    assert dump(document for name, document in found.items() if name.startswith(kinds)) == snapshot


def test_metrics_on_the_apps_own_port_are_the_same_port() -> None:
    found = objects(STAGING, metrics=Metrics(8000))
    assert [port["containerPort"] for port in container(found)["ports"]] == [8000]
    annotations = found["Deployment/blog"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == "8000"


@pytest.mark.parametrize(
    ("environment", "image", "sentence"),
    [
        (
            STAGING,
            "blog:latest",
            "blog has the image blog:latest, whose tag says nothing about what runs: name the release",
        ),
        (PRODUCTION, "blog:1.0", "blog has the image blog:1.0 without a digest, which deploy/production wants"),
    ],
)
def test_an_image_that_an_environment_does_not_take_is_refused(
    environment: Environment, image: str, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        objects(environment, image=image)


def test_a_nodes_own_dns_cache_may_be_asked() -> None:
    environment = replace(STAGING, dns_addresses=("169.254.20.10", "fd00::10"))
    (rule,) = objects(environment)["NetworkPolicy/allow-dns"]["spec"]["egress"]
    assert [peer["ipBlock"]["cidr"] for peer in rule["to"] if "ipBlock" in peer] == ["169.254.20.10/32", "fd00::10/128"]
    assert len(rule["to"]) == 3


def test_metrics_are_offered_to_the_sidecar_which_offers_them_to_prometheus() -> None:
    found = objects(STAGING, metrics=Metrics(9100, "/stats"))
    assert container(found)["ports"][1] == {"name": "http-metrics", "containerPort": 9100, "protocol": "TCP"}
    annotations = found["Deployment/blog"]["spec"]["template"]["metadata"]["annotations"]
    assert {key: value for key, value in annotations.items() if key.startswith("prometheus.io/")} == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9100",
        "prometheus.io/path": "/stats",
    }
    policy = found["NetworkPolicy/allow-prometheus"]["spec"]
    assert policy["ingress"][0]["ports"] == [{"port": 15020, "protocol": "TCP"}]


def test_an_app_without_metrics_says_nothing_of_them() -> None:
    assert "prometheus.io" not in dump(objects(STAGING).values())


@pytest.mark.parametrize("metrics", [Metrics(80), Metrics(15020), Metrics(9100, "stats")])
def test_metrics_on_a_port_or_path_that_cannot_be_are_refused(metrics: Metrics) -> None:
    with pytest.raises(ValueError, match=r"blog (cannot listen on port|has the metrics path)"):
        objects(metrics=metrics)


def test_several_pods_cannot_share_a_volume_that_one_node_mounts() -> None:
    with pytest.raises(
        ValueError, match="ReadWriteOnce, which one node alone can mount: declare it ReadWriteMany"
    ) as e:
        objects(replicas=Replicas(2, 4), volume=Volume("blog-data", Storage("1Gi"), "/data"))
    assert str(e.value).startswith("blog cannot have 2 to 4 replicas: its volume blog-data is ReadWriteOnce")


def test_several_pods_cannot_share_what_one_keeps_to_itself() -> None:
    with pytest.raises(ValueError, match="blog cannot have 3 replicas: it keeps state in its process, which the other"):
        objects(replicas=Replicas(3), local_state=True)


def test_several_pods_on_a_shared_volume_roll_out_without_a_gap() -> None:
    volume = Volume("blog-data", Storage("1Gi", "shared", "ReadWriteMany"), "/data")
    found = objects(replicas=Replicas(3), volume=volume)
    assert found["Deployment/blog"]["spec"]["replicas"] == 3
    assert found["Deployment/blog"]["spec"]["strategy"]["type"] == "RollingUpdate"
    assert found["PersistentVolumeClaim/blog-data"]["spec"]["accessModes"] == ["ReadWriteMany"]
    assert found["PersistentVolumeClaim/blog-data"]["spec"]["storageClassName"] == "shared"
    assert "HorizontalPodAutoscaler/blog" not in found


def test_state_in_a_process_ends_before_the_next_one_starts() -> None:
    assert objects(local_state=True)["Deployment/blog"]["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize(
    ("environment", "image", "policy"),
    [
        (LOCAL, "blog:1.0", "IfNotPresent"),
        (STAGING, "blog:1.0", "Always"),
        (PRODUCTION, f"blog:1.0@sha256:{'a' * 64}", "IfNotPresent"),
    ],
)
def test_an_image_is_pulled_again_where_it_may_have_changed(environment: Environment, image: str, policy: str) -> None:
    assert container(objects(environment, image=image))["imagePullPolicy"] == policy


def test_what_the_linters_would_say_is_answered_on_the_object_with_the_reason() -> None:
    annotations = objects(image="blog:latest", local_state=True)["Deployment/blog"]["metadata"]["annotations"]
    assert annotations == {
        "checkov.io/skip1": "CKV_K8S_43=a tag is enough in this environment",
        "checkov.io/skip2": "CKV_K8S_15=the image is imported into the nodes",
        "checkov.io/skip3": "CKV_K8S_14=each build has this tag",
        "ignore-check.kube-linter.io/latest-tag": "each build has this tag",
        "ignore-check.kube-linter.io/minimum-three-replicas": "it has one pod",
        "ignore-check.kube-linter.io/no-rolling-update-strategy": "two pods at once would write to the same files",
        "kube-score/ignore": (
            "pod-probes-identical, one page answers both questions and liveness waits three times as long,\n"
            "deployment-replicas, it has one pod,\n"
            "deployment-strategy, two pods at once would write to the same files,\n"
            "container-image-pull-policy, the image is imported into the nodes,\n"
            "container-image-tag, each build has this tag"
        ),
        **{
            f"polaris.fairwinds.com/{rule}-exempt": "true"
            for rule in (
                "deploymentMissingReplicas",
                "metadataAndInstanceMismatched",
                "missingNetworkPolicy",
                "pullPolicyNotAlways",
                "tagNotSpecified",
                "topologySpreadConstraint",
            )
        },
    }


def test_nothing_comes_from_the_silent_defaults_of_cdk8s_plus() -> None:
    text = dump(objects().values())
    assert "cdk8s.io/metadata.addr" not in text
    assert "imagePullPolicy: Always" not in text
    assert "1000m" not in text


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="replica"):
        objects(replica=1)
