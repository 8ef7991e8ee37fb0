"""Rules for DestinationRules: what Istio refuses of one, and a subset without pods."""

from typing import Any

import pytest

from synth.manifest import Document
from synth.rules import traffic
from tests.synth.objects import WIKI_PODS, environment, istio, said

HOST = "wiki.wiki.svc.cluster.local"


def sentences(**spec: Any) -> list[str]:
    return said(traffic.RULES, [*environment(), istio("DestinationRule", host=HOST, **spec)])


def hashed(**by: Any) -> Document:
    return {"loadBalancer": {"consistentHash": by}}


def pooled(**http: Any) -> Document:
    return {"connectionPool": {"http": http}}


COOKIE = {"name": "user", "ttl": "0s"}


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({"outlierDetection": {"maxEjectionPercent": 100}}, "maxEjectionPercent 100, so that one page with an error"),
        ({"loadBalancer": {"consistentHash": {"httpHeaderName": ""}}}, "an httpHeaderName without a name: write one"),
        (
            {"loadBalancer": {"consistentHash": {"httpQueryParameterName": ""}}},
            "an httpQueryParameterName without a name: write one",
        ),
        ({"outlierDetection": {"maxEjectionPercent": 101}}, "maxEjectionPercent 101: a percentage is from 0 to 100"),
        ({"outlierDetection": {"minHealthPercent": -1}}, "minHealthPercent -1: a percentage is from 0 to 100"),
        ({"outlierDetection": {"consecutiveLocalOriginFailures": 3}}, "without splitExternalLocalOriginErrors"),
        (pooled(http2MaxRequests=-1), "http2MaxRequests -1: it is 0 at least"),
        ({"connectionPool": {"tcp": {"maxConnections": -5}}}, "maxConnections -5: it is 0 at least"),
        ({"connectionPool": {"tcp": {"maxConnections": 1}}}, "maxConnections 1, so that one visitor who waits keeps"),
        (pooled(http2MaxRequests=2), "http2MaxRequests 2, so that one visitor who waits keeps out all others"),
        (pooled(useClientProtocol=True, h2UpgradePolicy="UPGRADE"), "which contradict each other"),
        (hashed(httpCookie={"ttl": "0s"}), "an httpCookie without a name"),
        (hashed(maglev={"tableSize": 65536}), "a maglev table of 65536: the size is a prime number"),
        (hashed(httpCookie=COOKIE, maglev={"tableSize": 65537}, ringHash={}), "maglev and ringHash, of which Istio"),
        ({"loadBalancer": {"localityLbSetting": {"enabled": True}}}, "a localityLbSetting without outlierDetection"),
        ({"connectionPools": {}}, "a trafficPolicy without effect"),
        ({"portLevelSettings": [{"tls": {"mode": "ISTIO_MUTUAL"}}]}, "portLevelSettings without a port"),
        ({"portLevelSettings": [{"port": {"number": 80}}]}, "portLevelSettings for port 80 without effect"),
        (
            {"portLevelSettings": [{"port": {"number": 80}, "outlierDetection": {"maxEjectionPercent": 200}}]},
            "maxEjectionPercent 200",
        ),
    ],
)
def test_what_istio_refuses_gives_one_sentence(policy: Document, told: str) -> None:
    (sentence,) = sentences(trafficPolicy=policy)
    assert sentence.startswith("DestinationRule wiki has ")
    assert told in sentence
    (of_a_subset,) = sentences(subsets=[{"name": "all", "trafficPolicy": policy}])
    assert of_a_subset.startswith("DestinationRule wiki has subset all ")
    assert told in of_a_subset


@pytest.mark.parametrize(
    "policy",
    [
        {"outlierDetection": {"maxEjectionPercent": 99, "minHealthPercent": 0}},
        {"outlierDetection": {"maxEjectionPercent": 100, "minHealthPercent": 50}},
        {"outlierDetection": {"consecutiveLocalOriginFailures": 3, "splitExternalLocalOriginErrors": True}},
        {"connectionPool": {"http": {"http2MaxRequests": 0}, "tcp": {"maxConnections": 10}}},
        hashed(httpCookie=COOKIE, maglev={"tableSize": 65537}),
        {"loadBalancer": {"localityLbSetting": {"enabled": True}}, "outlierDetection": {"consecutive5xxErrors": 5}},
        {"portLevelSettings": [{"port": {"number": 80}, "tls": {"mode": "ISTIO_MUTUAL"}}]},
    ],
)
def test_what_istio_takes_is_left_alone(policy: Document) -> None:
    assert sentences(trafficPolicy=policy) == []


@pytest.mark.parametrize(
    ("subsets", "told"),
    [
        (
            [{"name": "v1", "labels": {"version": "v1"}}],
            ["has subset v1 for pods with version=v1, which those of Service wiki have not: they have app.kubernetes"],
        ),
        ([{"name": "v1"}, {"name": "v1"}], ["has two subsets named v1: rename one"]),
        ([{"name": "V_1"}], ["has a subset named 'V_1': use lower case letters, digits and -"]),
        ([{"name": "all"}, {"name": "wiki", "labels": WIKI_PODS["matchLabels"]}], []),
    ],
)
def test_a_subset_has_a_name_of_its_own_and_pods(subsets: list[Document], told: list[str]) -> None:
    found = sentences(subsets=subsets)
    assert len(found) == len(told)
    assert all(fragment in sentence for fragment, sentence in zip(told, found, strict=True))


def test_the_subsets_of_what_is_not_made_here_are_not_looked_at() -> None:
    subsets = [{"name": "v1", "labels": {"version": "v1"}}]
    rule = istio("DestinationRule", host="outside.istio-system.svc.cluster.local", subsets=subsets)
    assert said(traffic.RULES, [*environment(), rule]) == []


@pytest.mark.parametrize(("number", "told"), [(80, 0), (8000, 1)])
def test_what_is_said_of_a_port_is_of_one_that_the_service_has(number: int, told: int) -> None:
    policy = {"portLevelSettings": [{"port": {"number": number}, "tls": {"mode": "ISTIO_MUTUAL"}}]}
    found = sentences(trafficPolicy=policy)
    assert len(found) == told
    assert all("portLevelSettings for port 8000, but Service wiki offers 80: name that" in item for item in found)
