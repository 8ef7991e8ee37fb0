"""WebApp's shape, as a snapshot of its defaults and assertions on what its options change."""

from typing import Any

import pytest
from cdk8s import App, Chart
from syrupy.assertion import SnapshotAssertion

from charts.environments import LOCAL, Environment, Storage
from charts.resources import Range, Resources
from charts.web_app import Volume, WebApp
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


def test_nothing_comes_from_the_silent_defaults_of_cdk8s_plus() -> None:
    text = dump(objects().values())
    assert "cdk8s.io/metadata.addr" not in text
    assert "imagePullPolicy: Always" not in text
    assert "1000m" not in text


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="replica"):
        objects(replica=1)
