"""Rules for Services: what a port says that is spoken there."""

from typing import Any

import pytest

from synth.rules import services
from tests.synth.objects import environment, find, put, said, with_sidecars


def sentences(**port: str) -> list[str]:
    documents = environment()
    put(find(documents, "Service"), "spec/ports/0", {"port": 80, "targetPort": "http", **port})
    return said(services.RULES, documents)


@pytest.mark.parametrize(
    ("port", "told"),
    [
        ({"name": "htpp"}, "speak htpp, which Istio does not know: write http"),
        ({"name": "gprc-orders"}, "speak gprc-orders, which Istio does not know: write grpc"),
        ({"name": "http", "appProtocol": "htttp"}, "speak htttp, which Istio does not know: write http"),
        ({"name": "db", "appProtocol": "postgres"}, "speak postgres, which Istio does not know: there are http, http2"),
    ],
)
def test_a_word_that_is_like_a_protocol_gives_its_sentence(port: dict[str, str], told: str) -> None:
    (sentence,) = sentences(**port)
    assert sentence.startswith("Service wiki has port 80 ")
    assert told in sentence


@pytest.mark.parametrize(
    "port",
    [
        {},
        {"name": "http"},
        {"name": "grpc-web-orders"},
        {"name": "web"},
        {"name": "metrics"},
        {"name": "tcp-postgres"},
        {"name": "web", "appProtocol": "kubernetes.io/h2c"},
        {"name": "web", "appProtocol": "HTTP"},
        {"name": "web", "appProtocol": "example.com/orders"},
    ],
)
def test_any_other_word_istio_has_to_guess_from(port: dict[str, str]) -> None:
    assert sentences(**port) == []


@pytest.mark.parametrize(
    ("kind", "port", "told"),
    [
        ("Service", {"name": "http", "port": 5432}, "has port 5432 speak http, where everybody else speaks PostgreSQL"),
        ("Service", {"name": "web", "appProtocol": "HTTP2", "port": 6379}, "speaks Redis: say tcp, as in tcp-redis"),
        ("Service", {"name": "grpc-store", "port": 80, "targetPort": 27017}, "has port 27017 speak grpc-store"),
        ("Service", {"name": "tcp-store", "port": 5432}, ""),
        ("Service", {"name": "http", "port": 8000}, ""),
        ("ServiceEntry", {"name": "store", "number": 5432, "protocol": "HTTP"}, "has port 5432 speak http"),
        ("ServiceEntry", {"name": "http", "number": 5432, "protocol": "TCP"}, ""),
    ],
)
def test_no_http_is_spoken_where_everybody_speaks_something_else(kind: str, port: dict[str, Any], told: str) -> None:
    version = {"Service": "v1", "ServiceEntry": "networking.istio.io/v1"}[kind]
    metadata = {"name": "store", "namespace": "wiki"}
    document = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": {"ports": [port]}}
    found = said((services.ports_of_others_speak_no_http,), [document])
    assert len(found) == bool(told)
    assert told in "".join(found)


@pytest.mark.parametrize(("protocol", "told"), [("UDP", 1), ("TCP", 0)])
def test_a_port_leads_to_one_of_its_protocol(protocol: str, told: int) -> None:
    found = sentences(protocol=protocol)
    assert len(found) == told
    assert all(
        "sends port 80/UDP to target port http, which the pods of Deployment wiki have for another" in f for f in found
    )


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"publishNotReadyAddresses": True}, "sends requests to pods that are not ready"),
        ({"internalTrafficPolicy": "Local"}, "leads to pods on the caller's node alone, and Deployment wiki has none"),
        ({"publishNotReadyAddresses": True, "clusterIP": "None", "ports": [{"port": 8000}]}, ""),
        ({"internalTrafficPolicy": "Cluster", "trafficDistribution": "PreferClose"}, ""),
    ],
)
def test_requests_go_to_pods_that_serve(spec: dict[str, Any], told: str) -> None:
    documents = environment()
    find(documents, "Service")["spec"] |= spec
    assert [told in sentence for sentence in said(services.RULES, documents)] == ([True] if told else [])


@pytest.mark.parametrize(
    ("port", "told"),
    [
        ({"port": 80, "targetPort": "http"}, "at port 80, and these listen on 8000: write port 8000"),
        ({"port": 80, "targetPort": 8000}, "at port 80, and these listen on 8000: write port 8000"),
        ({"port": 8000, "targetPort": "http"}, ""),
        ({"port": 8000}, ""),
    ],
)
def test_nothing_turns_one_port_into_another_where_a_service_is_headless(port: dict[str, Any], told: str) -> None:
    documents = environment()
    find(documents, "Service")["spec"] |= {"clusterIP": "None", "ports": [port]}
    found = said((services.headless_services_have_the_ports_of_their_pods,), documents)
    assert len(found) == bool(told)
    assert told in "".join(found)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({}, "EndpointSlice it is of no Service, and so nobody is sent to it"),
        ({"kubernetes.io/service-name": "wikki"}, "is of Service wikki, which is neither made here nor provided"),
        ({"kubernetes.io/service-name": "wiki"}, "is of Service wiki, whose selector finds the pods by itself"),
        ({"kubernetes.io/service-name": "elsewhere"}, ""),
    ],
)
def test_a_slice_is_of_a_service_that_has_no_selector(labels: dict[str, str], told: str) -> None:
    metadata = {"name": "it", "namespace": "wiki", "labels": labels}
    item = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "elsewhere", "namespace": "wiki"}}
    service["spec"] = {"ports": [{"port": 80}]}
    found = said((services.slices_are_of_a_service,), [*environment(), service, item])
    assert len(found) == bool(told)
    assert told in "".join(found)


@pytest.mark.parametrize(("affinity", "count"), [("ClientIP", 1), ("None", 0)])
def test_istio_does_not_go_by_a_session_affinity(affinity: str, count: int) -> None:
    documents = with_sidecars()
    find(documents, "Service")["spec"]["sessionAffinity"] = affinity
    found = said((services.visitors_stay_where_istio_keeps_them,), documents)
    assert len(found) == count
    assert all("write loadBalancer.consistentHash in its DestinationRule" in told for told in found)


def test_without_a_proxy_kubernetes_goes_by_it() -> None:
    documents = environment()
    find(documents, "Service")["spec"]["sessionAffinity"] = "ClientIP"
    assert said((services.visitors_stay_where_istio_keeps_them,), documents) == []
