"""Rules for mutual TLS: a client and a server that disagree give their sentence."""

from typing import Any

import pytest

from synth.manifest import Document
from synth.rules import encryption
from tests.synth.objects import (
    DNS,
    FOR_OTHER,
    ISTIOD,
    WIKI_PODS,
    environment,
    find,
    istio,
    other,
    policy,
    said,
    with_sidecars,
)

HOST = "wiki.wiki.svc.cluster.local"


def called(mode: str | None, *policies: Document, sidecar: bool = True) -> list[str]:
    """What is said where the wiki is called with a TLS mode, under these policies."""
    documents = environment()
    if sidecar:
        find(documents, "Namespace")["metadata"]["labels"]["istio-injection"] = "enabled"
    rule = istio("DestinationRule", host=HOST, **({"trafficPolicy": {"tls": {"mode": mode}}} if mode else {}))
    return said(encryption.RULES, [*documents, rule, *policies])


def demanded(mode: str, namespace: str = "wiki", **spec: Any) -> Document:
    metadata = {"name": f"in-{namespace}-{mode.lower()}", "namespace": namespace}
    document = {"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": metadata}
    return {**document, "spec": {"mtls": {"mode": mode}, **spec}}


@pytest.mark.parametrize("mode", ["DISABLE", "SIMPLE", "MUTUAL"])
@pytest.mark.parametrize(
    "policies",
    [
        [demanded("STRICT")],
        [demanded("STRICT", "istio-system")],
        [demanded("STRICT", selector=WIKI_PODS), demanded("PERMISSIVE")],
        [demanded("UNSET"), demanded("STRICT", "istio-system")],
    ],
)
def test_a_client_that_does_not_speak_what_is_demanded_gives_its_sentence(mode: str, policies: list[Document]) -> None:
    (told,) = called(mode, *policies)
    assert told.startswith(f"DestinationRule wiki has its callers speak TLS mode {mode} to Deployment wiki, of which")
    assert told.endswith("demands STRICT mutual TLS: write ISTIO_MUTUAL, or leave tls out")


@pytest.mark.parametrize(
    ("mode", "policies"),
    [
        ("ISTIO_MUTUAL", [demanded("STRICT")]),
        (None, [demanded("STRICT")]),
        ("DISABLE", [demanded("PERMISSIVE", selector=WIKI_PODS), demanded("STRICT", "istio-system")]),
        ("DISABLE", [demanded("PERMISSIVE", selector=WIKI_PODS), demanded("STRICT")]),
        ("DISABLE", [demanded("PERMISSIVE", selector=WIKI_PODS), demanded("STRICT", "flux-system")]),
    ],
)
def test_a_client_and_a_server_may_agree(mode: str | None, policies: list[Document]) -> None:
    assert called(mode, *policies) == []


def test_mutual_tls_needs_a_sidecar_that_answers() -> None:
    assert called("ISTIO_MUTUAL", sidecar=False) == [
        "DestinationRule wiki has its callers speak mutual TLS to Deployment wiki, which has no sidecar: leave tls out"
    ]
    assert called("DISABLE", demanded("STRICT", "istio-system"), sidecar=False) == []


def test_one_port_may_be_called_as_another_is_not() -> None:
    documents = with_sidecars(DNS, ISTIOD)
    levels = [{"port": {"number": 80}, "tls": {"mode": "DISABLE"}}]
    rule = istio("DestinationRule", host=HOST, trafficPolicy={"portLevelSettings": levels})
    (told,) = said(encryption.RULES, [*documents, rule, demanded("STRICT")])
    assert "speak TLS mode DISABLE" in told


@pytest.mark.parametrize(
    ("policies", "told"),
    [
        (
            [demanded("STRICT"), demanded("UNSET")],
            "is for all of namespace wiki, as PeerAuthentication in-wiki-strict is",
        ),
        ([demanded("STRICT", portLevelMtls={8000: {"mode": "DISABLE"}})], "has portLevelMtls without a selector"),
        (
            [demanded("STRICT", selector=WIKI_PODS, portLevelMtls={80: {"mode": "PERMISSIVE"}})],
            "has portLevelMtls for port 80, but the pods listen on 8000",
        ),
        ([demanded("STRICT", selector=FOR_OTHER), demanded("STRICT")], "is for pods with app.kubernetes.io/name=other"),
        ([demanded("PERMISSIVE", "istio-system")], "lets every pod of the mesh take plain text beside mutual TLS"),
        ([demanded("UNSET", "istio-system")], "lets every pod of the mesh take plain text beside mutual TLS"),
        ([], "takes plain text beside mutual TLS, which no PeerAuthentication demands"),
        ([demanded("PERMISSIVE")], "lets every pod of namespace wiki take plain text"),
        (
            [demanded("UNSET", selector=WIKI_PODS, portLevelMtls={"8000": {"mode": "DISABLE"}}), demanded("STRICT")],
            "speak plain text alone at port 8000, in which AuthorizationPolicy wiki finds no caller by name",
        ),
        (
            [demanded("STRICT", selector=WIKI_PODS, portLevelMtls={"8000": {"mode": "DISABLE"}})],
            "speak plain text alone at port 8000, in which AuthorizationPolicy wiki finds no caller by name",
        ),
        (
            [demanded("DISABLE", selector=WIKI_PODS)],
            "speak plain text alone, in which AuthorizationPolicy wiki finds no caller by name",
        ),
        ([demanded("DISABLE")], "speak plain text alone, in which AuthorizationPolicy wiki finds no caller by name"),
    ],
)
def test_a_policy_of_mutual_tls_that_is_not_what_it_seems_gives_one_sentence(
    policies: list[Document], told: str
) -> None:
    (sentence,) = said(encryption.RULES, [*with_sidecars(DNS, ISTIOD), *policies])
    assert told in sentence


@pytest.mark.parametrize(
    "policies",
    [
        [demanded("STRICT"), demanded("STRICT", "istio-system")],
        [demanded("STRICT", selector=WIKI_PODS, portLevelMtls={8000: {"mode": "PERMISSIVE"}})],
        [demanded("DISABLE", selector=WIKI_PODS, portLevelMtls={"8000": {"mode": "STRICT"}})],
        [demanded("PERMISSIVE", selector=WIKI_PODS), demanded("STRICT", "istio-system")],
    ],
)
def test_policies_of_mutual_tls_may_be_many(policies: list[Document]) -> None:
    assert said(encryption.RULES, [*with_sidecars(DNS, ISTIOD), *policies]) == []


@pytest.mark.parametrize("has_sidecar", [True, False])
def test_who_calls_what_demands_mutual_tls_can_speak_it(has_sidecar: bool) -> None:
    caller = other("Deployment")
    labels = {**FOR_OTHER["matchLabels"], "sidecar.istio.io/inject": str(has_sidecar).lower()}
    caller["spec"]["template"]["metadata"] = {"labels": labels}
    rule = {"to": [{"podSelector": WIKI_PODS}], "ports": [{"port": 8000}]}
    lets_out = policy("to-wiki", podSelector=FOR_OTHER, policyTypes=["Egress"], egress=[rule])
    found = said(encryption.RULES, [*with_sidecars(DNS, ISTIOD), caller, lets_out, demanded("STRICT")])
    told = (
        "Deployment other calls Deployment wiki, of which PeerAuthentication in-wiki-strict demands STRICT mutual TLS, "
        "and has no sidecar to speak it: leave sidecar.istio.io/inject out of its pods"
    )
    assert found == ([] if has_sidecar else [told])


STRICT = demanded("STRICT", "istio-system")


def in_the_mesh(labels: dict[str, str], pod: Document, **own: dict[str, str]) -> list[Document]:
    """The environment with these labels of the namespace, this metadata of the pods, and this of their Deployment."""
    documents = with_sidecars(DNS, ISTIOD)
    namespace, workload = find(documents, "Namespace"), find(documents, "Deployment")
    namespace["metadata"]["labels"] = labels
    template = workload["spec"]["template"]["metadata"]
    for field, values in pod.items():
        template[field] = {**template.get(field, {}), **values}
    workload["metadata"] |= own
    return [*documents, STRICT]


ENABLED = {"istio-injection": "enabled"}
TOLD_TO_THE_PROXY = {"sidecar.istio.io/inject": "true"}


@pytest.mark.parametrize(
    ("documents", "told"),
    [
        (
            in_the_mesh({**ENABLED, "istio.io/rev": "stable"}, {}),
            "Namespace wiki has the labels istio-injection and istio.io/rev, of which Istio takes istio-injection "
            "alone: keep one",
        ),
        (
            in_the_mesh({**ENABLED, "istio.io/dataplane-mode": "ambient"}, {}),
            "Namespace wiki has the labels istio-injection and istio.io/dataplane-mode, of which Istio takes "
            "istio-injection alone: keep one",
        ),
        (
            in_the_mesh(ENABLED, {"labels": {"istio.io/rev": "stable"}}),
            "Deployment wiki has istio.io/rev on its pods, which does nothing as Namespace wiki has istio-injection: "
            "put it on Namespace wiki instead of that",
        ),
    ],
)
def test_a_proxy_that_is_asked_for_where_nobody_reads_it_gives_one_sentence(
    documents: list[Document], told: str
) -> None:
    assert said(encryption.RULES, documents) == [told]


@pytest.mark.parametrize(
    "documents",
    [
        in_the_mesh({"istio.io/rev": "stable"}, {}),
        in_the_mesh({"istio-injection": "disabled", "istio.io/dataplane-mode": "ambient"}, {}),
        in_the_mesh({}, {"labels": {"istio.io/rev": "stable"}}),
        in_the_mesh(ENABLED, {"labels": TOLD_TO_THE_PROXY}),
        in_the_mesh(ENABLED, {"annotations": {"sidecar.istio.io/proxyCPU": "10m"}}),
    ],
)
def test_a_proxy_may_be_asked_for_in_many_ways(documents: list[Document]) -> None:
    assert said(encryption.RULES, documents) == []
