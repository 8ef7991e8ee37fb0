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
        ("http://wiki:8080", "port 8080 of Service wiki, which offers 80"),
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
        "s3://pages/wiki",
        "sqlite:///data/wiki.db",
        "search:9200",
    ],
)
def test_what_is_there_or_nobody_knows_of_is_left_alone(text: str) -> None:
    assert named(text) == []


def test_pods_may_name_their_own_service() -> None:
    documents: list[Document] = with_sidecars(DNS, ISTIOD)
    put(find(documents, "Deployment"), f"{POD}/containers/0/env", [{"name": "URL", "value": f"http://{WIKI}/"}])
    assert said(addresses.RULES, documents) == []
