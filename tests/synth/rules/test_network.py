"""Rules for NetworkPolicies: policies without effect, and ways in and out that are barred."""

from typing import Any

import pytest

from synth.cluster import Provided
from synth.manifest import Document
from synth.rules import network
from tests.synth.objects import (
    DNS,
    ISTIOD,
    WIKI_PODS,
    environment,
    find,
    policy,
    put,
    said,
    with_sidecars,
)

BARRED = (
    "VirtualService wiki leads to port 8000 of Deployment wiki, but no NetworkPolicy in namespace wiki lets the pods "
    "of Gateway main in there"
)


def sentences(documents: list[Document], *provided: Provided) -> list[str]:
    return said(network.RULES, documents, *provided)


def test_a_sound_environment_breaks_no_rule() -> None:
    assert sentences(environment()) == []


def test_a_policy_type_is_one_of_two() -> None:
    documents = environment()
    put(find(documents, "NetworkPolicy", "allow-ingress"), "spec/policyTypes", ["ingress", "Ingress"])
    assert sentences(documents) == [
        "NetworkPolicy allow-ingress has spec.policyTypes 'ingress': there are Ingress, Egress"
    ]


def test_rules_for_a_direction_that_a_policy_is_not_about_have_no_effect() -> None:
    documents = environment()
    put(find(documents, "NetworkPolicy", "allow-ingress"), "spec/policyTypes", ["Egress"])
    assert sentences(documents)[0] == (
        "NetworkPolicy allow-ingress has rules for ingress without effect: add Ingress to its policyTypes"
    )


@pytest.mark.parametrize(
    ("port", "shown"),
    [
        ({"port": 8080}, "8080/TCP"),
        ({"port": "web"}, "web/TCP"),
        ({"port": 8000, "protocol": "UDP"}, "8000/UDP"),
        ({"port": 8001, "endPort": 8100}, "8001/TCP"),
        ({"port": 15020}, "15020/TCP"),
    ],
)
def test_a_port_that_the_pods_do_not_have_gives_its_sentence(port: Document, shown: str) -> None:
    documents = [*environment(), policy("more", podSelector=WIKI_PODS, ingress=[{"ports": [port]}])]
    assert sentences(documents) == [
        f"NetworkPolicy more opens port {shown}, but the pods that it is for listen on 8000/TCP"
    ]


@pytest.mark.parametrize(
    "port", [{"port": 8000}, {"port": "http"}, {"port": 7000, "endPort": 9000}, {"protocol": "UDP"}, {"endPort": 1}]
)
def test_a_policy_opens_ports_by_number_by_name_in_ranges_or_all(port: Document) -> None:
    documents = [*environment(), policy("more", podSelector=WIKI_PODS, ingress=[{"ports": [port]}])]
    assert sentences(documents) == []


def test_in_the_mesh_the_sidecars_ports_are_there_too() -> None:
    ports = [{"port": 15020}, {"port": 15090}, {"port": 15021}]
    documents = [*with_sidecars(DNS, ISTIOD), policy("metrics", podSelector=WIKI_PODS, ingress=[{"ports": ports}])]
    assert sentences(documents) == []


def test_pods_that_declare_no_ports_may_listen_on_any() -> None:
    documents = environment()
    second = find(environment(), "Deployment")
    put(second, "metadata/name", "second")
    put(second, "spec/template/spec/containers/0/ports", None)
    documents += [second, policy("more", podSelector={}, ingress=[{"ports": [{"port": 9000}]}])]
    assert sentences(documents) == []


@pytest.mark.parametrize("labels", [{"matchLabels": {"app": "none"}}, {"matchLabels": {"istio": "ingress"}}])
def test_ports_of_pods_that_are_not_made_here_are_not_known(labels: Document) -> None:
    documents = [*environment(), policy("more", podSelector=labels, ingress=[{"ports": [{"port": 9000}]}])]
    assert said((network.network_policies_are_whole,), documents) == []


@pytest.mark.parametrize(
    ("ports", "missing"),
    [
        ((ISTIOD,), ["DNS: let its pods out to port 53/UDP"]),
        (({"port": 53}, ISTIOD), ["DNS: let its pods out to port 53/UDP"]),
        ((DNS,), ["istiod: let its pods out to port 15012/TCP"]),
        (({"port": 15017}, DNS), ["istiod: let its pods out to port 15012/TCP"]),
        (({"port": 443},), ["DNS: let its pods out to port 53/UDP", "istiod: let its pods out to port 15012/TCP"]),
    ],
)
def test_a_sidecar_that_cannot_reach_the_mesh_gives_its_sentence(ports: list[Document], missing: list[str]) -> None:
    told = "Deployment wiki has a sidecar that cannot reach"
    assert sentences(with_sidecars(*ports)) == [f"{told} {what} in a NetworkPolicy" for what in missing]


@pytest.mark.parametrize(
    "ports", [(), ({"port": 5353, "protocol": "UDP"}, ISTIOD), (DNS, {"port": 1, "endPort": 65535}), ({}, DNS)]
)
def test_a_sidecar_reaches_the_mesh_in_many_ways(ports: list[Document]) -> None:
    assert sentences(with_sidecars(*ports)) == []


def test_a_sidecar_reaches_everything_where_nothing_closes_its_pods() -> None:
    documents = [d for d in with_sidecars(DNS, ISTIOD) if d["metadata"]["name"] not in ("default-deny", "allow-out")]
    assert [sentence for sentence in sentences(documents) if "sidecar" in sentence] == []


@pytest.mark.parametrize(
    ("namespace", "pods", "has_one"),
    [
        ({"istio-injection": "enabled"}, {}, True),
        ({"istio.io/rev": "stable"}, {}, True),
        ({}, {"istio.io/rev": "stable"}, True),
        ({}, {"sidecar.istio.io/inject": "true"}, True),
        ({}, {}, False),
        ({"istio-injection": "disabled"}, {}, False),
        ({"istio-injection": "disabled"}, {"sidecar.istio.io/inject": "true"}, False),
        ({"istio-injection": "enabled"}, {"sidecar.istio.io/inject": "false"}, False),
    ],
)
def test_namespace_and_pods_say_whether_there_is_a_sidecar(
    namespace: dict[str, str], pods: dict[str, str], has_one: bool
) -> None:
    documents = environment()
    find(documents, "Namespace")["metadata"]["labels"] |= namespace
    find(documents, "Deployment")["spec"]["template"]["metadata"]["labels"] |= pods
    assert any("has a sidecar" in sentence for sentence in sentences(documents)) == has_one


def test_a_route_to_pods_that_nobody_may_reach_gives_its_sentence() -> None:
    documents = [d for d in environment() if d["metadata"]["name"] != "allow-ingress"]
    assert sentences(documents) == [BARRED]
    find(documents, "Gateway")["kind"] = "Thing"
    assert sentences(documents) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec/ingress/0/ports", [{"port": 8000, "protocol": "UDP"}]),
        ("spec/ingress/0/ports", [{"port": "https"}, {"port": 8080}]),
        ("spec/ingress/0/from/0/podSelector", {"matchLabels": {"istio": "egress"}}),
        ("spec/ingress/0/from/0/namespaceSelector", {"matchLabels": {"kubernetes.io/metadata.name": "flux-system"}}),
        ("spec/ingress/0/from/0/namespaceSelector", None),
        ("spec/ingress", []),
        ("spec/policyTypes", ["Egress"]),
    ],
)
def test_a_policy_that_lets_in_somebody_else_bars_the_route(path: str, value: Any) -> None:
    documents = environment()
    put(find(documents, "NetworkPolicy", "allow-ingress"), path, value)
    assert BARRED in sentences(documents)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec/ingress/0/ports", None),
        ("spec/ingress/0/ports", [{"port": "http"}]),
        ("spec/ingress/0/ports", [{"port": 7000, "endPort": 9000}]),
        ("spec/ingress/0/from", [{"ipBlock": {"cidr": "0.0.0.0/0"}}]),
        ("spec/ingress/0/from/0/podSelector", None),
        ("spec/ingress/0/from/0/namespaceSelector", {}),
        ("spec/ingress/0/from/0/namespaceSelector", {"matchLabels": {"team": "platform"}}),
        ("spec/ingress/0/from/0", {"ipBlock": {"cidr": "10.0.0.0/8"}}),
        ("spec/podSelector", {}),
        ("spec/policyTypes", None),
    ],
)
def test_a_policy_may_let_the_gateway_in_in_many_ways(path: str, value: Any) -> None:
    documents = environment()
    put(find(documents, "NetworkPolicy", "allow-ingress"), path, value)
    assert sentences(documents) == []


def test_a_route_to_a_port_by_its_number_and_without_a_port_is_followed() -> None:
    documents = [d for d in environment() if d["metadata"]["name"] != "allow-ingress"]
    put(find(documents, "VirtualService"), "spec/http/0/route/0/destination/port", None)
    put(find(documents, "Service"), "spec/ports/0/targetPort", 8000)
    assert sentences(documents) == [BARRED]


@pytest.mark.parametrize("gateways", [["mesh"], None])
def test_a_route_inside_the_mesh_has_no_gateway_to_let_in(gateways: list[str] | None) -> None:
    documents = [d for d in environment() if d["metadata"]["name"] != "allow-ingress"]
    put(find(documents, "VirtualService"), "spec/gateways", gateways)
    assert sentences(documents) == []


@pytest.mark.parametrize("peers", [None, []])
def test_a_rule_says_whom_it_lets_in(peers: list[Document] | None) -> None:
    documents = environment()
    put(find(documents, "NetworkPolicy", "allow-ingress"), "spec/ingress/0/from", peers)
    assert sentences(documents) == [
        "NetworkPolicy allow-ingress has a rule for ingress with no from, which lets everybody in: name who may, or "
        "write ipBlock 0.0.0.0/0 where everybody is meant"
    ]


@pytest.mark.parametrize("rule", [{}, {"ports": [DNS]}, {"to": [], "ports": [DNS]}])
def test_a_rule_says_where_it_lets_pods_out(rule: Document) -> None:
    open_to_all = policy("allow-out", podSelector={}, policyTypes=["Egress"])
    put(open_to_all, "spec/egress", [rule])
    assert sentences([*environment(), open_to_all]) == [
        "NetworkPolicy allow-out has a rule for egress with no to, which lets pods out to everywhere: name where, or "
        "write ipBlock 0.0.0.0/0 where everywhere is meant"
    ]
