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
