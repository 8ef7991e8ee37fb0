"""Rules for what controllers bring that no object stands for."""

import pytest

from synth.cluster import Provided
from synth.manifest import Document
from synth.rules import providers
from tests.synth.objects import environment, istio, said

BROUGHT = (
    Provided("ExtensionProvider", "envoy", by="the mesh"),
    Provided("IngressController", "example.com/controller", by="the mesh"),
)


def ingress_class(controller: str) -> Document:
    metadata = {"name": "class"}
    spec = {"controller": controller}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": metadata, "spec": spec}


def telemetry(field: str, name: str) -> Document:
    return istio("Telemetry", **{field: [{"providers": [{"name": name}]}]})


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        (telemetry("accessLogging", "envoy"), telemetry("accessLogging", "envoi"), "sends logs to the provider envoi"),
        (telemetry("metrics", "envoy"), telemetry("metrics", "envoi"), "sends metrics to the provider envoi"),
        (telemetry("tracing", "envoy"), telemetry("tracing", "envoi"), "sends traces to the provider envoi"),
        (
            istio("AuthorizationPolicy", action="CUSTOM", provider={"name": "envoy"}),
            istio("AuthorizationPolicy", action="CUSTOM", provider={"name": "envoi"}),
            "asks the provider envoi",
        ),
        (
            ingress_class("example.com/controller"),
            ingress_class("example.com/contoller"),
            "is for the controller example.com/contoller",
        ),
    ],
)
def test_what_is_named_is_brought(right: Document, wrong: Document, told: str) -> None:
    assert said(providers.RULES, [*environment(), right], *BROUGHT) == []
    (sentence,) = said(providers.RULES, [*environment(), wrong], *BROUGHT)
    assert f"{told}, which is neither made here nor provided; there are e" in sentence


@pytest.mark.parametrize(
    ("version", "kind", "told"),
    [
        ("apps/v1", "Deploymnet", "is of no kind that there is of group apps: did you mean that of deployments?"),
        ("v1", "Thing", "is of no kind that there is of group ''"),
        ("extensions/v1beta1", "Ingress", "is of API group extensions, which is neither made here nor provided"),
        ("batch/v1beta1", "CronJob", "is of version v1beta1 of group batch, which is not served: write batch/v1"),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler", "which is not served: write autoscaling/v2"),
        ("keda.sh/v1alpha1", "ScaledObject", "is of API group keda.sh, which is neither made here nor provided"),
        ("autoscaling/v1", "HorizontalPodAutoscaler", ""),
        ("networking.istio.io/v1", "Sidecar", ""),
        ("example.com/v1", "Thing", ""),
    ],
)
def test_an_object_is_of_a_kind_that_the_server_takes(version: str, kind: str, told: str) -> None:
    item = {"apiVersion": version, "kind": kind, "metadata": {"name": "it", "namespace": "wiki"}}
    group = Provided("APIGroup", "example.com", by="somebody")
    found = said((providers.kinds_are_known,), [*environment(), item], group)
    assert len(found) == bool(told)
    assert told in "".join(found)


@pytest.mark.parametrize(
    "bringing",
    [
        {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": {"group": "example.com"}},
        {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "spec": {}},
    ],
)
def test_a_group_may_come_with_a_definition_or_a_release(bringing: Document) -> None:
    item = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "it", "namespace": "wiki"}}
    documents = [*environment(), item, {**bringing, "metadata": {"name": "it"}}]
    assert said((providers.kinds_are_known,), documents) == []
