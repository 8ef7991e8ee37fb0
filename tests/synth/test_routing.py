"""Rules for the way in: what leads nowhere, lets nobody in or has no certificate gives its sentence, and no other."""

from typing import Any

import pytest

from synth import routing
from synth.cluster import Provided
from synth.manifest import Document
from tests.synth.objects import environment, find, put, said


def sentences(documents: list[Document], *provided: Provided) -> list[str]:
    return said(routing.RULES, documents, *provided)


def istio(kind: str, **spec: Any) -> Document:
    group = "security" if kind == "AuthorizationPolicy" else "networking"
    metadata = {"name": "wiki", "namespace": "wiki"}
    return {"apiVersion": f"{group}.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def cert_manager(kind: str, name: str, namespace: str = "", **spec: Any) -> Document:
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def certificate(**spec: Any) -> Document:
    """A Certificate for the gateway, which a ClusterIssuer is to sign."""
    issuer = {"kind": "ClusterIssuer", "name": "acme"}
    given = {"secretName": "wiki-tls", "dnsNames": ["wiki.localhost"], "issuerRef": issuer, **spec}
    return cert_manager("Certificate", "wiki", "istio-system", **given)


ISSUER = cert_manager("ClusterIssuer", "acme")


# destination rules

OUTSIDE = "outside.istio-system.svc.cluster.local"


@pytest.mark.parametrize("host", ["wiki.wiki.svc.cluster.local", "outside.istio-system.svc.cluster.local"])
def test_a_destination_rule_is_for_a_service_in_full(host: str) -> None:
    assert sentences([*environment(), istio("DestinationRule", host=host)]) == []


@pytest.mark.parametrize(
    "host",
    [
        "wikki.wiki.svc.cluster.local",
        "wiki.istio-system.svc.cluster.local",
        "*.wiki.svc.cluster.local",
        "wiki.svc.cluster.local",
        "wiki.example.com",
        "wiki.wiki",
        "wiki",
    ],
)
def test_a_destination_rule_for_no_service_gives_its_sentence(host: str) -> None:
    assert sentences([*environment(), istio("DestinationRule", host=host)]) == [
        f"DestinationRule wiki is for host {host}, which is no Service in full: there are wiki.wiki.svc.cluster.local, "
        f"{OUTSIDE}"
    ]


def test_a_destination_rule_for_no_service_is_told_which_there_are() -> None:
    second = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cache", "namespace": "wiki"}}
    assert sentences([*environment(), second, istio("DestinationRule", host="cache")]) == [
        "DestinationRule wiki is for host cache, which is no Service in full: there are wiki.wiki.svc.cluster.local, "
        f"cache.wiki.svc.cluster.local, {OUTSIDE}"
    ]


def test_a_destination_rule_where_no_service_is_made_is_told_what_is_provided() -> None:
    leading = ("Service", "VirtualService", "Gateway")
    documents = [document for document in environment() if document["kind"] not in leading]
    assert sentences([*documents, istio("DestinationRule", host="wiki.wiki.svc.cluster.local")]) == [
        "DestinationRule wiki is for host wiki.wiki.svc.cluster.local, which is no Service in full: "
        f"there are {OUTSIDE}"
    ]


# authorization policies

WIKI_PODS = {"matchLabels": {"app.kubernetes.io/name": "wiki"}}


def lets_in(**source: list[str]) -> Document:
    return istio("AuthorizationPolicy", selector=WIKI_PODS, rules=[{"from": [{"source": source}]}])


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"selector": WIKI_PODS},
        {"selector": WIKI_PODS, "rules": [{}]},
        {"rules": [{"to": [{"operation": {"methods": ["GET"]}}]}]},
        {"rules": [{"from": [{"source": {"namespaces": ["istio-system"]}}]}]},
        {"rules": [{"from": [{"source": {"principals": ["cluster.local/ns/wiki/sa/wiki"]}}]}]},
    ],
)
def test_an_authorization_policy_may_name_pods_and_callers_or_none(spec: dict[str, Any]) -> None:
    assert sentences([*environment(), istio("AuthorizationPolicy", **spec)]) == []


def test_an_authorization_policy_for_a_whole_namespace_needs_no_pods_there() -> None:
    policy = istio("AuthorizationPolicy")
    put(policy, "metadata/namespace", "flux-system")
    assert sentences([*environment(), policy]) == []


@pytest.mark.parametrize(
    ("labels", "namespace", "sentence"),
    [
        (
            {"app.kubernetes.io/name": "wikki"},
            "wiki",
            "is for pods with app.kubernetes.io/name=wikki in namespace wiki",
        ),
        (
            {"app.kubernetes.io/name": "wiki", "tier": "web"},
            "wiki",
            "is for pods with app.kubernetes.io/name=wiki,tier=web in namespace wiki",
        ),
        (
            {"app.kubernetes.io/name": "wiki"},
            "istio-system",
            "is for pods with app.kubernetes.io/name=wiki in namespace istio-system",
        ),
    ],
)
def test_an_authorization_policy_for_no_pods_gives_its_sentence(
    labels: dict[str, str], namespace: str, sentence: str
) -> None:
    policy = istio("AuthorizationPolicy", selector={"matchLabels": labels})
    put(policy, "metadata/namespace", namespace)
    assert sentences([*environment(), policy]) == [
        f"AuthorizationPolicy wiki {sentence}, but there are none: use the labels of a workload"
    ]


@pytest.mark.parametrize(
    ("principal", "sentence"),
    [
        (
            "cluster.local/ns/wiki/sa/wikki",
            "names ServiceAccount wikki of namespace wiki, which is neither made here nor provided; there are wiki",
        ),
        (
            "cluster.local/ns/istio-system/sa/istio-ingress",
            "names ServiceAccount istio-ingress of namespace istio-system, which is neither made here nor provided; "
            "there are none",
        ),
        ("wiki", "names wiki, which is no principal: cluster.local/ns/NAMESPACE/sa/NAME is one"),
        ("ns/wiki/sa/wiki", "names ns/wiki/sa/wiki, which is no principal: cluster.local/ns/NAMESPACE/sa/NAME is one"),
        (
            "spiffe://cluster.local/ns/wiki/sa/wiki",
            "names spiffe://cluster.local/ns/wiki/sa/wiki, which is no principal: "
            "cluster.local/ns/NAMESPACE/sa/NAME is one",
        ),
    ],
)
def test_a_caller_that_does_not_exist_gives_its_sentence(principal: str, sentence: str) -> None:
    assert sentences([*environment(), lets_in(principals=[principal])]) == [f"AuthorizationPolicy wiki {sentence}"]


def test_each_caller_of_each_rule_is_looked_up() -> None:
    policy = lets_in(principals=["cluster.local/ns/wiki/sa/wiki", "cluster.local/ns/wiki/sa/one"])
    policy["spec"]["rules"][0]["from"].append({"source": {"principals": ["cluster.local/ns/wiki/sa/two"]}})
    policy["spec"]["rules"].append({"from": [{"source": {"principals": ["cluster.local/ns/wiki/sa/three"]}}]})
    found = sentences([*environment(), policy])
    assert [sentence.split()[3] for sentence in found] == ["ServiceAccount", "ServiceAccount", "ServiceAccount"]
    assert [sentence.split()[4] for sentence in found] == ["one", "two", "three"]


@pytest.mark.parametrize("principal", ["*", "cluster.local/ns/istio-system/*", "cluster.local/ns/wiki/sa/default"])
def test_a_pattern_and_the_account_of_every_namespace_need_not_be_made(principal: str) -> None:
    assert sentences([*environment(), lets_in(principals=[principal])]) == []


def test_a_caller_may_be_provided() -> None:
    documents = [*environment(), lets_in(principals=["cluster.local/ns/istio-system/sa/istio-ingress"])]
    account = Provided("ServiceAccount", "istio-ingress", by="Istio", namespace="istio-system")
    assert sentences(documents, account) == []


# certificates of gateways


def behind_tls(*certificates: Document, **tls: Any) -> list[Document]:
    documents = environment()
    put(find(documents, "Gateway"), "spec/servers/0/tls", {"mode": "SIMPLE", "credentialName": "wiki-tls", **tls})
    return [*documents, ISSUER, *certificates]


@pytest.mark.parametrize("mode", ["SIMPLE", "MUTUAL"])
@pytest.mark.parametrize("names", [["wiki.localhost"], ["*.localhost"], ["other.localhost", "wiki.localhost"]])
def test_a_gateway_has_a_certificate_for_its_hosts(mode: str, names: list[str]) -> None:
    assert sentences(behind_tls(certificate(dnsNames=names), mode=mode)) == []


@pytest.mark.parametrize("mode", ["SIMPLE", "MUTUAL"])
def test_a_gateway_without_a_certificate_gives_its_sentence(mode: str) -> None:
    assert sentences(behind_tls(mode=mode)) == [
        "Gateway main takes its certificate from Secret wiki-tls, which no Certificate in namespace istio-system "
        "makes; there are none"
    ]


def test_a_gateway_that_names_another_secret_is_told_which_there_are() -> None:
    second = certificate(secretName="docs-tls")
    put(second, "metadata/name", "docs")
    assert sentences(behind_tls(certificate(), second, credentialName="tls-wiki")) == [
        "Gateway main takes its certificate from Secret tls-wiki, which no Certificate in namespace istio-system "
        "makes; there are wiki-tls, docs-tls"
    ]


def test_a_gateway_names_the_secret_of_its_certificate() -> None:
    documents = behind_tls(certificate())
    put(find(documents, "Gateway"), "spec/servers/0/tls/credentialName", None)
    assert sentences(documents) == [
        "Gateway main takes its certificate from Secret (none named), which no Certificate in namespace istio-system "
        "makes; there are wiki-tls"
    ]


def test_the_certificate_is_in_the_gateways_namespace() -> None:
    elsewhere = certificate()
    put(elsewhere, "metadata/namespace", "wiki")
    assert sentences(behind_tls(elsewhere)) == [
        "Gateway main takes its certificate from Secret wiki-tls, which no Certificate in namespace istio-system "
        "makes; there are none"
    ]


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        (["wikki.localhost", "localhost"], "wikki.localhost, localhost"),
        (["*.wiki.localhost"], "*.wiki.localhost"),
        (["*.example.com"], "*.example.com"),
        ([], "no host"),
    ],
)
def test_a_certificate_for_other_hosts_gives_its_sentence(names: list[str], listed: str) -> None:
    assert sentences(behind_tls(certificate(dnsNames=names))) == [
        f"Gateway main serves wiki.localhost with Certificate wiki, which is for {listed}"
    ]


def test_a_wildcard_is_for_one_level_of_names_only() -> None:
    documents = behind_tls(certificate(dnsNames=["*.localhost"]))
    put(find(documents, "VirtualService"), "spec/hosts", ["wiki.docs.localhost"])
    put(find(documents, "Gateway"), "spec/servers/0/hosts", ["wiki/wiki.docs.localhost"])
    assert sentences(documents) == [
        "Gateway main serves wiki.docs.localhost with Certificate wiki, which is for *.localhost"
    ]


def test_a_gateway_for_every_host_below_a_name_has_a_certificate_for_all_of_them() -> None:
    documents = behind_tls(certificate(dnsNames=["*.localhost"]))
    put(find(documents, "Gateway"), "spec/servers/0/hosts", ["wiki/*.localhost"])
    assert sentences(documents) == []
    put(find(documents, "Certificate"), "spec/dnsNames", ["wiki.localhost"])
    assert sentences(documents) == [
        "Gateway main serves *.localhost with Certificate wiki, which is for wiki.localhost"
    ]


def test_every_server_of_a_gateway_has_its_certificate() -> None:
    documents = behind_tls(certificate())
    servers = find(documents, "Gateway")["spec"]["servers"]
    servers.append({**servers[0], "tls": {"mode": "SIMPLE", "credentialName": "second"}})
    assert sentences(documents) == [
        "Gateway main takes its certificate from Secret second, which no Certificate in namespace istio-system "
        "makes; there are wiki-tls"
    ]


@pytest.mark.parametrize("tls", [None, {}, {"httpsRedirect": True}, {"mode": "PASSTHROUGH"}, {"mode": "ISTIO_MUTUAL"}])
def test_a_server_that_ends_no_tls_needs_no_certificate(tls: Document | None) -> None:
    documents = environment()
    find(documents, "Gateway")["spec"]["servers"][0]["tls"] = tls
    assert sentences(documents) == []


# certificates

OF_ITS_NAMESPACE = {"kind": "Issuer", "name": "acme"}
WITHOUT_A_KIND = {"name": "acme"}


@pytest.mark.parametrize("reference", [OF_ITS_NAMESPACE, WITHOUT_A_KIND])
def test_an_issuer_signs_in_its_own_namespace(reference: dict[str, str]) -> None:
    documents = [*environment(), certificate(issuerRef=reference)]
    assert sentences([*documents, cert_manager("Issuer", "acme", "istio-system")]) == []
    assert sentences([*documents, cert_manager("Issuer", "acme", "wiki")]) == [
        "Certificate wiki is to be signed by Issuer acme, which does not exist; there are none"
    ]


@pytest.mark.parametrize("reference", [OF_ITS_NAMESPACE, WITHOUT_A_KIND])
def test_an_issuer_is_no_cluster_issuer(reference: dict[str, str]) -> None:
    assert sentences([*environment(), ISSUER, certificate(issuerRef=reference)]) == [
        "Certificate wiki is to be signed by Issuer acme, which does not exist; there are none"
    ]
    assert sentences([*environment(), cert_manager("Issuer", "acme", "istio-system"), certificate()]) == [
        "Certificate wiki is to be signed by ClusterIssuer acme, which does not exist; there are none"
    ]


def test_a_cluster_issuer_that_does_not_exist_gives_its_sentence() -> None:
    reference = {"kind": "ClusterIssuer", "name": "acne"}
    assert sentences([*environment(), ISSUER, certificate(issuerRef=reference)]) == [
        "Certificate wiki is to be signed by ClusterIssuer acne, which does not exist; there are acme"
    ]


def test_a_cluster_issuer_may_be_provided() -> None:
    assert sentences([*environment(), certificate()], Provided("ClusterIssuer", "acme", by="somebody")) == []


def test_two_certificates_for_one_secret_name_both() -> None:
    second = certificate()
    put(second, "metadata/name", "second")
    assert sentences([*environment(), ISSUER, certificate(), second]) == [
        "Certificate second writes Secret wiki-tls, as Certificate wiki does: give each its own"
    ]
    put(second, "metadata/namespace", "wiki")
    assert sentences([*environment(), ISSUER, certificate(), second]) == []


@pytest.mark.parametrize(
    ("key", "sizes"),
    [
        ({"algorithm": "RSA", "size": 256}, "256 bits for RSA, which has 2048 to 8192"),
        ({"size": 1024}, "1024 bits for RSA, which has 2048 to 8192"),
        ({"algorithm": "ECDSA", "size": 2048}, "2048 bits for ECDSA, which has 256, 384 or 521"),
    ],
)
def test_a_key_of_a_size_that_does_not_exist_gives_its_sentence(key: Document, sizes: str) -> None:
    documents = [*environment(), ISSUER, certificate(privateKey=key)]
    assert sentences(documents) == [f"Certificate wiki wants a key of {sizes}"]


@pytest.mark.parametrize(
    "key",
    [
        {},
        {"algorithm": "RSA"},
        {"algorithm": "RSA", "size": 4096},
        {"algorithm": "ECDSA", "size": 384},
        {"algorithm": "Ed25519"},
        {"rotationPolicy": "Always"},
    ],
)
def test_a_key_may_have_the_size_of_its_algorithm_or_none(key: Document) -> None:
    assert sentences([*environment(), ISSUER, certificate(privateKey=key)]) == []


def solved_by(*solvers: Document) -> Document:
    return cert_manager("ClusterIssuer", "acme", acme={"solvers": list(solvers)})


THROUGH_NGINX = {"http01": {"ingress": {"ingressClassName": "nginx"}}}


def test_an_issuer_answers_challenges_through_an_ingress_class() -> None:
    documents = [*environment(), solved_by({"dns01": {}}, THROUGH_NGINX)]
    assert sentences(documents) == [
        "ClusterIssuer acme answers challenges through IngressClass nginx, which does not exist; there are none"
    ]
    istio_class = Provided("IngressClass", "istio", by="Istio")
    assert sentences(documents, istio_class) == [
        "ClusterIssuer acme answers challenges through IngressClass nginx, which does not exist; there are istio"
    ]
    assert sentences(documents, istio_class, Provided("IngressClass", "nginx", by="somebody")) == []
    made = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "nginx"}}
    assert sentences([*documents, made]) == []


@pytest.mark.parametrize("solver", [{}, {"dns01": {"rfc2136": {}}}, {"http01": {}}, {"http01": {"ingress": {}}}])
def test_a_solver_may_need_no_ingress_class(solver: Document) -> None:
    assert sentences([*environment(), solved_by(solver)]) == []
