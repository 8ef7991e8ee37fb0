"""Rules for the Services that variables and commands name."""

from typing import Any

import pytest

from synth.manifest import Document
from synth.rules import addresses
from tests.synth.objects import DNS, FOR_OTHER, ISTIOD, POD, WIKI_PODS, find, other, policy, put, said, with_sidecars

WIKI = "wiki.wiki.svc.cluster.local"


def named(text: str, *, calls: bool = True, field: str = "env") -> list[str]:
    """What is said where another workload of the namespace names something, and may call the wiki or not."""
    caller = other("Deployment")
    value: Any = [{"name": "WIKI_URL", "value": text}] if field == "env" else ["serve", f"--wiki={text}"]
    put(caller, f"{POD}/containers/0/{field}", value)
    rule = {"to": [{"podSelector": WIKI_PODS}], "ports": [{"port": 8000}]}
    lets_out = policy("to-wiki", podSelector=FOR_OTHER, policyTypes=["Egress"], egress=[rule])
    return said(addresses.RULES, [*with_sidecars(DNS, ISTIOD), caller, *([lets_out] if calls else [])])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "http://wikki.wiki.svc.cluster.local/",
            "Service wikki of namespace wiki, which is neither made here nor prov",
        ),
        (
            "wikki.wiki.svc:80",
            "Service wikki of namespace wiki, which is neither made here nor provided; there are wiki",
        ),
        ("wiki.wikki.svc:80", "Service wiki of namespace wikki, which is neither made here nor provided; there are"),
        ("http://search:9200/", "Service search of namespace wiki, which is neither made here nor provided"),
        ("redis://:secret@cache:6379/0", "Service cache of namespace wiki, which is neither made here nor provided"),
        ("postgresql+psycopg://store/db", "Service store of namespace wiki, which is neither made here nor provided"),
        (f"http://{WIKI}:8000/", "port 8000 of Service wiki, which offers 80"),
        (
            "http://wiki.wiki.svc.cluster/",
            "wiki.wiki.svc.cluster, which no name server knows: write wiki.wiki.svc.clus",
        ),
        ("wiki.wiki.cluster.local:80", "wiki.wiki.cluster.local, which no name server knows"),
        ("http://wiki:8080", "port 8080 of Service wiki, which offers 80"),
        ("http://wiki.wiki:8080", "port 8080 of Service wiki, which offers 80"),
        ("http://wikis.wiki/", "Service wikis of namespace wiki, which is neither made here nor provided"),
        ("ws://wiki.wiki:8000", "port 8000 of Service wiki, which offers 80"),
        ("https://wiki", "Service wiki by https, which takes no TLS at its port 80: write http, which the mesh encr"),
        (f"wss://{WIKI}:80/", "Service wiki by wss, which takes no TLS at its port 80: write ws, which the mesh encr"),
    ],
)
@pytest.mark.parametrize("field", ["env", "args"])
def test_a_service_that_is_not_there_gives_its_sentence(text: str, told: str, field: str) -> None:
    (sentence,) = named(text, field=field)
    place = "WIKI_URL" if field == "env" else "args"
    assert sentence.startswith(f"Deployment other has container wiki with {place} that names {told}")


def test_a_service_that_may_not_be_called_gives_its_sentence() -> None:
    assert named(f"http://{WIKI}/", calls=False) == [
        "Deployment other has container wiki with WIKI_URL that names Service wiki, to which no NetworkPolicy lets its "
        "pods out: add wiki to the calls of the pod"
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"http://{WIKI}/pages",
        f"http://{WIKI}:80",
        "http://wiki",
        "wiki-0.wiki.wiki.svc.cluster.local:80",
        "http://outside.istio-system.svc:9999",
        "http://localhost:8000",
        "http://$(HOST):80/",
        "http://0.0.0.0:8000",
        "https://wiki.example.com:8443/",
        "https://my.wiki/",
        "http://wiki.wiki/pages",
        "http://outside.istio-system:9999",
        "https://10.20.0.7/",
        "s3://pages/wiki",
        "sqlite:///data/wiki.db",
        "search:9200",
    ],
)
def test_what_is_there_or_nobody_knows_of_is_left_alone(text: str) -> None:
    assert named(text) == []


def of_a_set(text: str) -> list[str]:
    """What is said where a workload names something of the two pods of a StatefulSet with a Service."""
    caller, store = other("Deployment"), other("StatefulSet", replicas=2, serviceName="store")
    store["metadata"]["name"] = "store"
    put(store, f"{POD}/containers/0/ports", [{"name": "tcp-store", "containerPort": 5432}])
    put(store, "spec/template/metadata/labels", {"app.kubernetes.io/name": "store"})
    put(caller, f"{POD}/containers/0/env", [{"name": "STORE", "value": text}])
    service: Document = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "store", "namespace": "wiki"}}
    service["spec"] = {"selector": {"app.kubernetes.io/name": "store"}, "ports": [{"name": "tcp-store", "port": 5432}]}
    rule = {"to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "store"}}}], "ports": [{"port": 5432}]}
    lets_out = policy("to-store", podSelector=FOR_OTHER, policyTypes=["Egress"], egress=[rule])
    return said(addresses.RULES, [*with_sidecars(DNS, ISTIOD), caller, store, service, lets_out])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("store-0.store:5433", "port 5433 of Service store, which offers 5432"),
        ("store-0.stores:5432", "Service stores of namespace wiki, which is neither made here nor provided"),
        ("postgres://store-2.store/db", "pod store-2, and StatefulSet store has store-0 to store-1: name one of them"),
    ],
)
def test_a_pod_of_a_set_that_is_not_there_gives_its_sentence(text: str, told: str) -> None:
    (sentence,) = of_a_set(text)
    assert f"with STORE that names {told}" in sentence


@pytest.mark.parametrize("text", ["store-1.store:5432", "postgres://me@store-0.store.wiki.svc/db", "v-1.store:1"])
def test_the_pods_of_a_set_may_be_named(text: str) -> None:
    assert of_a_set(text) == []


def test_pods_may_name_their_own_service() -> None:
    documents: list[Document] = with_sidecars(DNS, ISTIOD)
    put(find(documents, "Deployment"), f"{POD}/containers/0/env", [{"name": "URL", "value": f"http://{WIKI}/"}])
    assert said(addresses.RULES, documents) == []


@pytest.mark.parametrize("text", ["http://wiki.wiki.example.com/", f"http://{WIKI}./", "wiki.wiki.local-news.org"])
def test_a_host_of_another_domain_may_begin_as_a_service_does(text: str) -> None:
    assert named(text) == []
