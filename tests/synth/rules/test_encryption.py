"""Rules for mutual TLS: a client and a server that disagree give their sentence."""

from typing import Any

import pytest

from synth.manifest import Document
from synth.rules import encryption
from tests.synth.objects import WIKI_PODS, environment, find, istio, said

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
        [demanded("STRICT", selector=WIKI_PODS), demanded("PERMISSIVE", "istio-system")],
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
        ("DISABLE", []),
        ("DISABLE", [demanded("PERMISSIVE"), demanded("STRICT", "istio-system")]),
        ("DISABLE", [demanded("PERMISSIVE", selector=WIKI_PODS), demanded("STRICT")]),
        ("DISABLE", [demanded("STRICT", "flux-system")]),
    ],
)
def test_a_client_and_a_server_may_agree(mode: str | None, policies: list[Document]) -> None:
    assert called(mode, *policies) == []


def test_mutual_tls_needs_a_sidecar_that_answers() -> None:
    assert called("ISTIO_MUTUAL", sidecar=False) == [
        "DestinationRule wiki has its callers speak mutual TLS to Deployment wiki, which has no sidecar: leave tls out"
    ]
    assert called("DISABLE", demanded("STRICT", "istio-system"), sidecar=False) == []
