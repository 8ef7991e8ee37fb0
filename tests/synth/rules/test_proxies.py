"""Rules for what pods say to Istio's proxy, and for ports that get past it."""

import pytest

from synth.manifest import Document
from synth.rules import proxies
from tests.synth.objects import DNS, FOR_OTHER, ISTIOD, WIKI_PODS, find, istio, other, policy, said, with_sidecars

TRAFFIC = "traffic.sidecar.istio.io/"
INJECT = {"sidecar.istio.io/inject": "true"}


def annotated(annotations: dict[str, str]) -> list[Document]:
    documents = with_sidecars(DNS, ISTIOD)
    find(documents, "Deployment")["spec"]["template"]["metadata"]["annotations"] = annotations
    return documents


@pytest.mark.parametrize(
    ("key", "text", "told"),
    [
        (f"{TRAFFIC}excludeOutboundPorts", "https", "write numbers of ports with commas between them"),
        (f"{TRAFFIC}excludeInboundPorts", "9000-9100", "write numbers of ports"),
        (f"{TRAFFIC}excludeOutboundIPRanges", "10.0.0.0/33", "write networks, as in 10.0.0.0/8"),
        (f"{TRAFFIC}includeOutboundIPRanges", "all", "write networks, as in 10.0.0.0/8,192.0.2.7/32, or *"),
        ("sidecar.istio.io/proxyMemory", "128 MB", "write an amount, as in 100m or 128Mi"),
        ("sidecar.istio.io/interceptionMode", "redirect", "write REDIRECT or TPROXY"),
        ("readiness.status.sidecar.istio.io/periodSeconds", "5s", "write a whole number"),
        ("proxy.istio.io/config", "concurrency=2", "write YAML with the fields of a ProxyConfig"),
        ("prometheus.istio.io/merge-metrics", "yes", "write true or false"),
    ],
)
def test_what_istio_cannot_read_gives_one_sentence(key: str, text: str, told: str) -> None:
    (sentence,) = said(proxies.RULES, annotated({key: text}))
    assert sentence.startswith(f"Deployment wiki has {key} {text!r} on its pods")
    assert told in sentence


@pytest.mark.parametrize(
    ("annotations", "told"),
    [
        ({f"{TRAFFIC}excludeInboundPorts": "9000, 8000"}, f"has {TRAFFIC}excludeInboundPorts 9000, 8000 on its pods"),
        ({f"{TRAFFIC}includeInboundPorts": "9000"}, f"has {TRAFFIC}includeInboundPorts 9000 on its pods"),
        ({f"{TRAFFIC}includeInboundPorts": ""}, f"has {TRAFFIC}includeInboundPorts of none on its pods"),
    ],
)
def test_a_port_that_a_service_leads_to_gets_past_nobody(annotations: dict[str, str], told: str) -> None:
    (sentence,) = said(proxies.RULES, annotated(annotations))
    assert told in sentence
    assert "requests to port 8000 get past Istio's proxy" in sentence


@pytest.mark.parametrize(
    "annotations",
    [
        {f"{TRAFFIC}excludeInboundPorts": "9000"},
        {f"{TRAFFIC}includeInboundPorts": "*"},
        {f"{TRAFFIC}includeInboundPorts": "8000,9000"},
        {f"{TRAFFIC}excludeOutboundIPRanges": "203.0.113.0/24"},
        {f"{TRAFFIC}includeOutboundIPRanges": "*"},
        {"proxy.istio.io/config": "concurrency: 2"},
        {"sidecar.istio.io/proxyMemory": "128Mi", "status.sidecar.istio.io/port": "0"},
    ],
)
def test_other_ports_and_values_are_left_alone(annotations: dict[str, str]) -> None:
    assert said(proxies.RULES, annotated(annotations)) == []


@pytest.mark.parametrize(("ports", "count"), [("80", 1), ("443,80", 1), ("8000", 0), ("443", 0)])
def test_what_is_sent_to_the_mesh_gets_past_nobody(ports: str, count: int) -> None:
    """The proxy sees the port of the Service."""
    caller = other("Deployment")
    annotations = {f"{TRAFFIC}excludeOutboundPorts": ports}
    caller["spec"]["template"]["metadata"] = {"labels": FOR_OTHER["matchLabels"], "annotations": annotations}
    rule = {"to": [{"podSelector": WIKI_PODS}], "ports": [{"port": 8000}]}
    lets_out = policy("to-wiki", podSelector=FOR_OTHER, policyTypes=["Egress"], egress=[rule])
    found = said(proxies.RULES, [*with_sidecars(DNS, ISTIOD), caller, lets_out])
    assert len(found) == count
    assert all("so that what they send to Deployment wiki gets past Istio's proxy" in told for told in found)


@pytest.mark.parametrize("field", ["labels", "annotations"])
def test_what_is_said_beside_the_pods_gives_its_sentence(field: str) -> None:
    documents = with_sidecars(DNS, ISTIOD)
    find(documents, "Deployment")["metadata"][field] = INJECT
    assert said(proxies.RULES, documents) == [
        "Deployment wiki has sidecar.istio.io/inject in its own metadata, where Istio does not read it: write "
        "sidecar.istio.io/inject on its pod template"
    ]
    find(documents, "Deployment")["metadata"][field] = {}
    find(documents, "Namespace")["metadata"]["labels"] |= INJECT
    assert said(proxies.RULES, documents) == [
        "Namespace wiki has sidecar.istio.io/inject in its own metadata, where Istio does not read it: write "
        "istio-injection on it"
    ]


@pytest.mark.parametrize(
    ("annotations", "told"),
    [
        ({"scrape": "true"}, ["has its metrics read at port 80, as it names none, by its annotations"]),
        ({"scrape": "true", "port": "9999"}, ["read at port 9999 by its annotations, but its pods listen on 8000"]),
        (
            {"scrape": "true", "port": "8000", "path": "metrics"},
            ["has its metrics read at 'metrics', which is no path"],
        ),
        ({"scrape": "true", "port": "8000"}, []),
        ({"scrape": "false", "port": "9999"}, []),
    ],
)
def test_metrics_are_read_where_pods_listen(annotations: dict[str, str], told: list[str]) -> None:
    found = said(proxies.RULES, annotated({f"prometheus.io/{key}": text for key, text in annotations.items()}))
    assert len(found) == len(told)
    assert all(fragment in sentence for fragment, sentence in zip(told, found, strict=True))


CALLED = {"podSelector": FOR_OTHER}


def calling() -> list[Document]:
    """The wiki, which calls the pods of another app by their Service."""
    called = other("Deployment")
    service = {"apiVersion": "v1", "kind": "Service", "metadata": called["metadata"]}
    service["spec"] = {"selector": FOR_OTHER["matchLabels"], "ports": [{"port": 80}]}
    out = policy("out", podSelector=WIKI_PODS, policyTypes=["Egress"], egress=[{"to": [CALLED]}])
    into = policy(
        "into", podSelector=FOR_OTHER, policyTypes=["Ingress"], ingress=[{"from": [{"podSelector": WIKI_PODS}]}]
    )
    return [*with_sidecars(DNS, ISTIOD), called, service, out, into]


@pytest.mark.parametrize(
    ("labels", "hosts", "told"),
    [
        (WIKI_PODS, ["istio-system/*"], "hides the Service of Deployment other from Deployment wiki, which calls it"),
        (WIKI_PODS, ["./wiki.wiki.svc.cluster.local"], "which calls it: add ./* to its egress"),
        (WIKI_PODS, ["other.wiki.svc.cluster.local"], "which Istio refuses: name the namespace too, as in ./other"),
        ({"matchLabels": {"app": "none"}}, ["*/*"], "is for pods with app=none in namespace wiki, but there are none"),
        (WIKI_PODS, ["./*", "istio-system/*"], ""),
        (WIKI_PODS, ["*/*"], ""),
        (WIKI_PODS, ["wiki/other.wiki.svc.cluster.local"], ""),
        (FOR_OTHER, ["istio-system/*"], ""),
    ],
)
def test_a_sidecar_knows_whom_its_pods_call(labels: Document, hosts: list[str], told: str) -> None:
    item = istio("Sidecar", workloadSelector={"labels": labels["matchLabels"]}, egress=[{"hosts": hosts}])
    found = said((proxies.sidecars_know_whom_pods_call,), [*calling(), item])
    assert bool(found) == bool(told)
    assert told in (found or [""])[0]
