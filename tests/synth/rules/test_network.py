"""Rules for NetworkPolicies: policies without effect, and ways in and out that are barred."""

from typing import Any

import pytest

from synth.cluster import Provided
from synth.manifest import Document
from synth.rules import network
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
    "port", [{"port": 8000}, {"port": "http"}, {"port": 7000, "endPort": 9000}, {"protocol": "UDP"}]
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
    assert [sentence for sentence in sentences(documents) if "listen on" in sentence] == []


@pytest.mark.parametrize(
    ("ports", "missing"),
    [
        ((ISTIOD,), ["DNS: let its pods out to port 53/UDP of namespace kube-system"]),
        (({"port": 53}, ISTIOD), ["DNS: let its pods out to port 53/UDP of namespace kube-system"]),
        ((DNS,), ["istiod: let its pods out to port 15012/TCP of namespace istio-system"]),
        (({"port": 15017}, DNS), ["istiod: let its pods out to port 15012/TCP of namespace istio-system"]),
        (
            ({"port": 443},),
            [
                "DNS: let its pods out to port 53/UDP of namespace kube-system",
                "istiod: let its pods out to port 15012/TCP of namespace istio-system",
            ],
        ),
    ],
)
def test_a_sidecar_that_cannot_reach_the_mesh_gives_its_sentence(ports: list[Document], missing: list[str]) -> None:
    told = "Deployment wiki has a sidecar that cannot reach"
    assert sentences(with_sidecars(*ports)) == [f"{told} {what} in a NetworkPolicy" for what in missing]


@pytest.mark.parametrize(("given", "told"), [("Default", 1), ("ClusterFirst", 0)])
def test_a_sidecar_asks_the_dns_of_the_cluster(given: str, told: int) -> None:
    documents = with_sidecars(DNS, ISTIOD)
    put(find(documents, "Deployment"), "spec/template/spec/dnsPolicy", given)
    found = sentences(documents)
    assert len(found) == told
    assert all("has a sidecar that asks its node's DNS, which knows no Service" in sentence for sentence in found)
    unmeshed = environment()
    put(find(unmeshed, "Deployment"), "spec/template/spec/dnsPolicy", given)
    assert sentences(unmeshed) == []


@pytest.mark.parametrize(
    "ports", [({"port": 5353, "protocol": "UDP"}, ISTIOD), (DNS, {"port": 1, "endPort": 65535}), ({}, DNS)]
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
        ({"istio-injection": "disabled", "istio.io/rev": "stable"}, {}, False),
        ({"istio-injection": "enabled"}, {"sidecar.istio.io/inject": "false"}, False),
        ({"istio.io/rev": "stable"}, {"sidecar.istio.io/inject": "false"}, False),
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
        ("spec/ingress/0/ports", [{"port": 15020}]),
        (
            "spec/ingress/0/from/0",
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "flux-system"}}},
        ),
        ("spec/ingress/0/from/0", {"podSelector": {}}),
        ("spec/ingress", []),
    ],
)
def test_a_policy_that_lets_in_somebody_else_bars_the_route(path: str, value: Any) -> None:
    documents = with_sidecars(DNS, ISTIOD)
    put(find(documents, "NetworkPolicy", "allow-ingress"), path, value)
    assert sentences(documents) == [BARRED]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec/ingress/0/ports", [{"port": 8000, "protocol": "UDP"}]),
        ("spec/ingress/0/ports", [{"port": "https"}]),
        ("spec/ingress/0/from/0/podSelector", {"matchLabels": {"istio": "egress"}}),
        ("spec/ingress/0/from/0/namespaceSelector", {"matchLabels": {"kubernetes.io/metadata.name": "flux-system"}}),
        ("spec/ingress/0/from/0/namespaceSelector", None),
        ("spec/policyTypes", ["Egress"]),
    ],
)
def test_a_fault_of_the_policy_itself_is_told_instead_of_what_it_bars(path: str, value: Any) -> None:
    documents = environment()
    put(find(documents, "NetworkPolicy", "allow-ingress"), path, value)
    found = sentences(documents)
    assert [sentence.startswith("NetworkPolicy allow-ingress ") for sentence in found] == [True]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec/ingress/0/ports", [{"port": "http"}]),
        ("spec/ingress/0/ports", [{"port": 7000, "endPort": 9000}]),
        ("spec/ingress/0/from", [{"ipBlock": {"cidr": "0.0.0.0/0"}}]),
        ("spec/ingress/0/from/0/podSelector", None),
        ("spec/ingress/0/from/0/namespaceSelector", {}),
        (
            "spec/ingress/0/from/0/namespaceSelector",
            {
                "matchExpressions": [
                    {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["istio-system"]}
                ]
            },
        ),
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


# what a policy says


def opened(direction: str, rule: Document) -> list[str]:
    """What is said of one more policy with this rule, by what comes behind its name."""
    more = policy("more", podSelector=WIKI_PODS, policyTypes=[direction])
    put(more, "spec/ingress" if direction == "Ingress" else "spec/egress", [rule])
    told = sentences([*environment(), more])
    assert all(sentence.startswith("NetworkPolicy more ") for sentence in told)
    return [sentence.removeprefix("NetworkPolicy more ") for sentence in told]


def block(cidr: str, *excepted: str) -> Document:
    return {"ipBlock": {"cidr": cidr, **({"except": list(excepted)} if excepted else {})}}


ALL: Document = {"namespaceSelector": {}}
GATEWAY_PODS = {"podSelector": {"matchLabels": {"istio": "ingress"}}}
OF_ISTIO = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "istio-system"}}}


@pytest.mark.parametrize(
    ("peers", "told"),
    [
        ([ALL], "names every pod of every namespace for ingress"),
        ([{**ALL, "podSelector": {}}], "names every pod of every namespace for ingress"),
        ([{}], "has an empty entry in from"),
        (
            [{"namespaceSelector": {"matchLabels": {"name": "istio-system"}}}],
            "names namespaces with name=istio-system for ingress, but none is known to have that",
        ),
        (
            [
                {
                    "namespaceSelector": {
                        "matchExpressions": [
                            {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["istio-sytem"]}
                        ]
                    }
                }
            ],
            "names namespaces with kubernetes.io/metadata.name in (istio-sytem) for ingress, but none",
        ),
        ([OF_ISTIO, GATEWAY_PODS], "put podSelector into the entry of the namespaceSelector whose pods are meant"),
        ([GATEWAY_PODS], "use the labels of a workload"),
        ([{**OF_ISTIO, "podSelector": {"matchExpressions": [{"key": "istio", "operator": "DoesNotExist"}]}}], "!istio"),
        ([block("10.0.0.0/33")], "names the addresses '10.0.0.0/33' for ingress, which are none"),
        ([block("payment.example.org")], "names the addresses 'payment.example.org' for ingress, which are none"),
        ([block("10.0.0.1")], "names the addresses 10.0.0.1 for ingress: write 10.0.0.1/32"),
        ([block("10.0.0.1/8")], "write 10.0.0.0/8, or 10.0.0.1/32 for the one address"),
        ([block("203.0.113.0/24", "10.0.0.0/8")], "leaves 10.0.0.0/8 out of 203.0.113.0/24 for ingress"),
        ([block("203.0.113.0/24", "203.0.113.0/24")], "leaves 203.0.113.0/24 out of 203.0.113.0/24"),
        ([block("203.0.113.0/24", "2001:db8::/32")], "leaves 2001:db8::/32 out of 203.0.113.0/24"),
        ([{**block("10.0.0.0/8"), **OF_ISTIO}], "has an entry in from with an ipBlock and a selector"),
    ],
)
def test_a_peer_that_is_not_what_it_seems_gives_one_sentence(peers: list[Document], told: str) -> None:
    (sentence,) = opened("Ingress", {"from": peers, "ports": [{"port": 8000}]})
    assert told in sentence


@pytest.mark.parametrize(
    "peer",
    [
        OF_ISTIO,
        {**OF_ISTIO, **GATEWAY_PODS},
        {**ALL, **GATEWAY_PODS},
        {"podSelector": {}},
        {"namespaceSelector": {"matchLabels": {"pod-security.kubernetes.io/enforce": "restricted"}}},
        {"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["other"]}]}},
        block("203.0.113.0/24"),
        block("0.0.0.0/0", "10.0.0.0/8", "192.168.0.0/16"),
        block("2001:db8::/32", "2001:db8:1::/48"),
    ],
)
def test_a_peer_may_be_named_in_many_ways(peer: Document) -> None:
    assert opened("Ingress", {"from": [peer], "ports": [{"port": 8000}]}) == []


def test_a_namespace_that_is_provided_may_have_labels() -> None:
    peer = {"namespaceSelector": {"matchLabels": {"team": "metrics"}}}
    more = policy("more", podSelector=WIKI_PODS, ingress=[{"from": [peer], "ports": [{"port": 8000}]}])
    metrics = Provided("Namespace", "metrics", by="somebody", labels={"team": "metrics"})
    assert sentences([*environment(), more], metrics) == []
    assert len(sentences([*environment(), more])) == 1


@pytest.mark.parametrize(
    ("ports", "told"),
    [
        (None, "has a rule for egress with no ports, which opens every port"),
        ([], "has a rule for egress with no ports, which opens every port"),
        ([{"port": "8080"}], "opens port '8080', which is the name of one"),
        ([{"port": 443, "protocol": "tcp"}], "opens port 443 for protocol 'tcp': there are TCP, UDP, SCTP"),
        ([{"port": 443, "endPort": 80}], "opens ports from 443 to 80, which is no range"),
        ([{"port": "https", "endPort": 444}], "opens ports from https to 444, which is no range"),
        ([{"endPort": 444}], "opens ports from none to 444, which is no range"),
    ],
)
def test_ports_that_are_not_what_they_seem_give_one_sentence(ports: Any, told: str) -> None:
    (sentence,) = opened("Egress", {"to": [block("203.0.113.0/24")], "ports": ports})
    assert told in sentence


def test_a_policy_for_pods_that_its_expression_does_not_find_gives_its_sentence() -> None:
    expression = {"key": "app.kubernetes.io/name", "operator": "In", "values": ["wikki"]}
    documents = [*environment(), policy("more", podSelector={"matchExpressions": [expression]})]
    assert sentences(documents) == [
        "NetworkPolicy more selects pods with app.kubernetes.io/name in (wikki) in namespace wiki, but there are none: "
        "use the labels of a workload"
    ]


# both ends of a call


def calling(*policies: Document) -> list[Document]:
    """The environment with one more workload, and these policies."""
    second = other("Deployment")
    put(second, "metadata/namespace", "wiki")
    return [*environment(), second, *policies]


def out_to_wiki(*ports: Document, **peer: Any) -> Document:
    rule = {"to": [{"podSelector": WIKI_PODS, **peer}], "ports": list(ports) or [{"port": 8000}]}
    return policy("to-wiki", podSelector=FOR_OTHER, policyTypes=["Egress"], egress=[rule])


def in_from_other(*ports: Document) -> Document:
    rule = {"from": [{"podSelector": FOR_OTHER}], "ports": list(ports) or [{"port": 8000}]}
    return policy("from-other", podSelector=WIKI_PODS, policyTypes=["Ingress"], ingress=[rule])


def test_a_call_is_let_through_at_both_ends() -> None:
    assert sentences(calling(out_to_wiki(), in_from_other())) == []
    assert sentences(calling(out_to_wiki())) == [
        "NetworkPolicy to-wiki lets Deployment other out to port 8000/TCP of Deployment wiki, but no NetworkPolicy in "
        "namespace wiki lets it in there"
    ]
    assert sentences(calling(in_from_other())) == [
        "NetworkPolicy from-other lets Deployment other in to port 8000/TCP of Deployment wiki, but no NetworkPolicy "
        "in namespace wiki lets it out to there"
    ]


def test_a_call_goes_to_a_port_of_the_pods_and_not_of_the_service() -> None:
    assert sentences(calling(out_to_wiki({"port": 80}), in_from_other())) == [
        "NetworkPolicy to-wiki lets pods out to port 80/TCP of Deployment wiki, but the pods there listen on 8000/TCP: "
        "name that, whatever the port of the Service",
        "NetworkPolicy from-other lets Deployment other in to port 8000/TCP of Deployment wiki, but no NetworkPolicy "
        "in namespace wiki lets it out to there",
    ]


@pytest.mark.parametrize(
    "policies",
    [
        (out_to_wiki({"port": "http"}), in_from_other({"port": 7000, "endPort": 9000})),
        (out_to_wiki(podSelector={}), in_from_other()),
        (policy("open", podSelector={}, policyTypes=["Ingress"], ingress=[{"ports": [{"port": 8000}]}]), out_to_wiki()),
    ],
)
def test_a_call_may_be_let_through_in_many_ways(policies: tuple[Document, ...]) -> None:
    assert sentences(calling(*policies)) == []


# outside


def outside(**spec: Any) -> Document:
    ports = [{"number": 443, "name": "tls", "protocol": "TLS"}]
    return istio("ServiceEntry", hosts=["payment.example.org"], ports=ports, **spec)


@pytest.mark.parametrize(
    ("peers", "reached"),
    [
        ([block("0.0.0.0/0", "10.0.0.0/8")], True),
        ([block("1.2.3.0/24")], True),
        ([block("10.0.0.0/8")], False),
        ([OF_ISTIO], False),
    ],
)
def test_a_place_outside_is_one_that_pods_are_let_out_to(peers: list[Document], reached: bool) -> None:
    away = policy(
        "away", podSelector=WIKI_PODS, policyTypes=["Egress"], egress=[{"to": peers, "ports": [{"port": 443}]}]
    )
    told = (
        "ServiceEntry wiki is for port 443 of payment.example.org, but no NetworkPolicy in namespace wiki lets pods "
        "out to that port there: add one with an ipBlock"
    )
    assert sentences([*environment(), outside(), away]) == ([] if reached else [told])


@pytest.mark.parametrize(("address", "reached"), [("203.0.113.7/32", True), ("198.51.100.7/32", False)])
def test_a_place_outside_has_the_addresses_that_it_says(address: str, reached: bool) -> None:
    rule = {"to": [block("203.0.113.0/24")], "ports": [{"port": 443}]}
    away = policy("away", podSelector=WIKI_PODS, policyTypes=["Egress"], egress=[rule])
    assert bool(sentences([*environment(), outside(addresses=[address]), away])) != reached


def test_what_has_a_token_reaches_the_api_server() -> None:
    documents = environment()
    put(find(documents, "Deployment"), "spec/template/spec/automountServiceAccountToken", True)
    (sentence,) = sentences(documents)
    assert "has the token of its ServiceAccount and cannot reach the API server" in sentence
    rule = {"to": [block("10.0.0.0/8")], "ports": [{"port": 6443}]}
    assert sentences([*documents, policy("api", podSelector=WIKI_PODS, policyTypes=["Egress"], egress=[rule])]) == []


def test_a_policy_may_be_for_the_pods_of_a_chart() -> None:
    release = {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": "store", "namespace": "flux-system"},
        "spec": {"targetNamespace": "wiki"},
    }
    documents = [*environment(), policy("store", podSelector=FOR_OTHER, policyTypes=["Ingress"])]
    assert len(sentences(documents)) == 1
    assert sentences([*documents, release]) == []
