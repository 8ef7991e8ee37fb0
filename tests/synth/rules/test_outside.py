"""Rules for places outside the mesh: entries that contradict each other, or are for what is in it."""

from typing import Any

import pytest

from synth.manifest import Document
from synth.rules import outside
from tests.synth.objects import environment, istio, said

API = {"hosts": ["api.example.com"], "resolution": "DNS", "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}]}


def entry(name: str = "api", **spec: Any) -> Document:
    document = istio("ServiceEntry", **{**API, **spec})
    document["metadata"]["name"] = name
    return document


def sentences(*entries: Document) -> list[str]:
    return said(outside.RULES, [*environment(), *entries])


HTTP = [{"number": 443, "name": "http", "protocol": "HTTP"}]


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([entry(hosts=["wiki.wiki.svc.cluster.local"])], "which is a Service's name in the cluster"),
        ([entry(hosts=["gone.wiki.svc.cluster.local"])], "which is a Service's name in the cluster"),
        ([entry("b", resolution="NONE"), entry()], "finds api.example.com by DNS, and ServiceEntry b by NONE"),
        ([entry("b", ports=HTTP), entry()], "speaks TLS at port 443 of api.example.com, and ServiceEntry b HTTP"),
        ([entry(hosts=["localhost"])], "is for localhost, which is the pod itself and no place outside"),
        ([entry(hosts=["wiki.wiki.svc"])], "which is a Service's name in the cluster"),
        ([entry(ports=[{"number": 5432, "name": "a", "protocol": "POSTGRES"}])], "speaks POSTGRES, which Istio does"),
        ([entry(ports=[{"number": 80, "name": "a", "protocol": "TLS"}])], "speaks TLS at port 80, where servers speak"),
        ([entry(hosts=[])], "is for no host in particular"),
        ([entry(hosts=["*.example.com"])], "looks *.example.com up in DNS, which has no such name"),
        ([entry(addresses=["203.0.113.0/24"])], "has addresses 203.0.113.0/24 and looks its host up in DNS"),
        ([entry(resolution="NONE", endpoints=[{"address": "203.0.113.7"}])], "has endpoints, which resolution NONE"),
        ([entry(ports=[*API["ports"], *HTTP])], "has two ports of number 443"),
    ],
)
def test_an_entry_that_istio_cannot_follow_gives_one_sentence(entries: list[Document], told: str) -> None:
    (sentence,) = [s for s in sentences(*entries) if "speaks HTTP at port 443" not in s]
    assert sentence.startswith("ServiceEntry api ")
    assert told in sentence


def test_the_proxy_may_encrypt_what_an_app_sends() -> None:
    encrypts = istio("DestinationRule", host="api.example.com", trafficPolicy={"tls": {"mode": "SIMPLE"}})
    assert [told for told in sentences(entry(ports=HTTP)) if "speaks HTTP at port 443, where servers speak TLS" in told]
    assert sentences(entry(ports=HTTP), encrypts) == []


@pytest.mark.parametrize(
    "entries",
    [
        [entry(), entry("b")],
        [entry(ports=[{"number": 5432, "name": "db", "protocol": "tcp"}])],
        [entry(ports=[{"number": 443, "name": "any", "protocol": "TCP"}])],
        [entry(), entry("b", ports=[{"number": 80, "name": "http", "protocol": "HTTP"}])],
        [entry(hosts=["*.example.com"], resolution="NONE")],
        [entry(addresses=["203.0.113.0/24"], resolution="NONE")],
    ],
)
def test_entries_may_be_many(entries: list[Document]) -> None:
    assert sentences(*entries) == []
