"""JSON patches: what a patch says is what is written, whatever the typed classes of cdk8s know."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from cdk8s import ApiObject, App, Chart, JsonPatch
from cdk8s_plus_27 import Deployment, k8s

from synth import DefinitionError
from synth.manifest import Document
from synth.node import ahead, to_json
from synth.patches import PATCHES, Patch, patched

CONTAINER = "/spec/template/spec/containers/0"


def deployment(chart: Chart, name: str = "blog", **options: Any) -> k8s.KubeDeployment:
    pod = k8s.PodSpec(containers=[k8s.Container(name="blog", image="blog:1")])
    template = k8s.PodTemplateSpec(metadata=k8s.ObjectMeta(labels={"app": "blog"}), spec=pod)
    selector = k8s.LabelSelector(match_labels={"app": "blog"})
    metadata = k8s.ObjectMeta(name=name, **options)
    return k8s.KubeDeployment(
        chart,
        f"{name}-{len(options)}",
        metadata=metadata,
        spec=k8s.DeploymentSpec(selector=selector, template=template),
    )


def written(*patches: JsonPatch) -> Any:
    chart = Chart(App(), "chart")
    deployment(chart).add_json_patch(*patches)
    (document,) = chart.to_json()
    return document


def at(document: Any, path: str) -> Any:
    for part in path.split("/")[1:]:
        document = document[int(part)] if part.isdigit() else document[part]
    return document


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/spec/minReadySeconds", 10),
        ("/spec/minReadySeconds", 0),
        ("/spec/paused", False),
        ("/metadata/annotations", {"a/b": "c"}),
        ("/spec/template/spec/hostPID", False),
        ("/spec/strategy", {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"}}),
        (f"{CONTAINER}/resources", {"limits": {"memory": "64Mi", "cpu": 1}}),
        (f"{CONTAINER}/lifecycle", {"preStop": {"sleep": {"seconds": 3}}}),
        ("/spec/template/spec/volumes", [{"name": "a", "emptyDir": {"sizeLimit": "1Mi"}}]),
        ("/spec/template/spec/newerThanTheTypedClasses", {"x": [{"y": None}]}),
        ("/spec/template/spec/hostAliases", ({"ip": "192.0.2.1", "hostnames": ("a", "b")},)),
    ],
)
def test_a_plain_value_is_written_as_it_is(path: str, value: Any) -> None:
    assert at(written(JsonPatch.add(path, value)), path) == yaml.safe_load(yaml.safe_dump(_lists(value)))


def _lists(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_lists(item) for item in value]
    return {key: _lists(item) for key, item in value.items()} if isinstance(value, dict) else value


def test_what_stands_for_one_value_is_that_value() -> None:
    surge = {"maxSurge": k8s.IntOrString.from_number(2), "maxUnavailable": k8s.IntOrString.from_string("10%")}
    document = written(
        JsonPatch.add("/spec/strategy", {"rollingUpdate": surge}),
        JsonPatch.add(f"{CONTAINER}/resources", {"limits": {"memory": k8s.Quantity.from_string("64Mi")}}),
    )
    assert at(document, "/spec/strategy/rollingUpdate") == {"maxSurge": 2, "maxUnavailable": "10%"}
    assert at(document, f"{CONTAINER}/resources/limits") == {"memory": "64Mi"}


def test_a_typed_value_is_written_as_cdk8s_does() -> None:
    aliases = [k8s.HostAlias(ip="192.0.2.1", hostnames=["a"])]
    document = written(JsonPatch.add("/spec/template/spec/hostAliases", aliases))
    assert at(document, "/spec/template/spec/hostAliases") == [{"ip": "192.0.2.1", "hostnames": ["a"]}]


def test_a_typed_value_after_a_plain_one_is_refused_because_it_would_come_first() -> None:
    chart = Chart(App(), "chart")
    blog = deployment(chart)
    blog.add_json_patch(JsonPatch.add("/spec/minReadySeconds", 10))
    with pytest.raises(TypeError, match="Deployment blog has patches with plain values already: give the values"):
        blog.add_json_patch(JsonPatch.add("/spec/template/spec/hostAliases", [k8s.HostAlias(ip="192.0.2.1")]))


def test_the_operations_come_in_their_order() -> None:
    document = written(
        JsonPatch.add("/metadata/annotations", {"a": "1", "b": "2", "c~/d": "3"}),
        JsonPatch.test("/metadata/annotations/a", "1"),
        JsonPatch.copy(from_="/metadata/annotations/a", path="/metadata/annotations/e"),
        JsonPatch.move("/metadata/annotations/b", "/metadata/annotations/f"),
        JsonPatch.replace("/metadata/annotations/a", "4"),
        JsonPatch.remove("/metadata/annotations/c~0~1d"),
    )
    assert document["metadata"]["annotations"] == {"a": "4", "e": "1", "f": "2"}


def test_what_a_person_says_comes_after_what_the_shapes_say() -> None:
    target = ("v1", "ConfigMap", "one")
    places = ("charts/apps/shop.py line 9", "charts/shapes/workload.py line 1")
    operations = [{"op": "add", "path": "/data/said", "value": place} for place in places]
    chart = SimpleNamespace(**{PATCHES: [Patch(target, *each) for each in zip(operations, places, strict=True)]})
    documents: list[Document] = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {}}]
    assert patched(chart, documents)[0]["data"] == {"said": places[0]}


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        (lambda: JsonPatch.replace("/spec/tmplate/spec", {}), "/spec has no tmplate, it has selector, template"),
        (lambda: JsonPatch.remove("/spec/replicas"), "/spec has no replicas, it has"),
        (lambda: JsonPatch.add("/spec/template/spec/containers/7/image", "a"), "containers has no 7, it has 1 entries"),
        (lambda: JsonPatch.add(f"{CONTAINER}/image/x", "a"), "/image is 'blog:1' and has nothing below"),
        (lambda: JsonPatch.move("/spec/x", "/spec/y"), "/spec has no x"),
        (lambda: JsonPatch.test(f"{CONTAINER}/image", "blog:2"), "blog:2"),
        (lambda: JsonPatch.add("spec/paused", True), "must begin with /"),
    ],
)
def test_a_patch_that_does_not_fit_says_object_place_and_line(patch: Callable[[], JsonPatch], reason: str) -> None:
    with pytest.raises(
        DefinitionError, match=rf"^Deployment blog: the patch \w+ \S+ cannot be applied: .*{reason}"
    ) as no:
        written(patch())
    assert f"({__name__.replace('.', '/')}.py line " in str(no.value)


def test_the_object_is_found_among_its_chart_by_all_that_names_it() -> None:
    chart = Chart(App(), "chart")
    deployment(chart)
    deployment(chart, namespace="other").add_json_patch(JsonPatch.add("/spec/minReadySeconds", 10))
    deployment(chart, "wiki")
    patched = [document["metadata"] for document in chart.to_json() if "minReadySeconds" in document["spec"]]
    assert patched == [{"name": "blog", "namespace": "other"}]


def test_the_object_of_a_construct_is_patched_too() -> None:
    chart = Chart(App(), "chart")
    made = Deployment(chart, "blog", containers=[{"image": "blog:1"}])
    ApiObject.of(made).add_json_patch(JsonPatch.add("/spec/strategy/rollingUpdate/maxSurge", 1))
    (document,) = chart.to_json()
    assert document["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 1


def test_it_is_so_where_node_works_beside_python_and_each_time(tmp_path: Path) -> None:
    def work() -> list[Any]:
        app = App(outdir=str(tmp_path))
        charts = [Chart(app, name) for name in ("a", "b")]
        for chart in charts:
            deployment(chart).add_json_patch(JsonPatch.add("/spec/template/spec/hostPID", True))
        return [*to_json(charts), *to_json(charts)]

    documents = [document for documents in ahead(work) for document in documents]
    assert [at(document, "/spec/template/spec/hostPID") for document in documents] == [True] * 4


def test_cdk8s_own_output_has_what_its_typed_classes_know(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    chart = Chart(app, "chart")
    deployment(chart).add_json_patch(JsonPatch.add("/spec/minReadySeconds", 10))
    chart.to_json()
    app.synth()
    (file,) = tmp_path.iterdir()
    assert yaml.safe_load(file.read_text())["spec"]["minReadySeconds"] == 10
