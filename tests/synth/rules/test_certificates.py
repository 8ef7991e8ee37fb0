"""Rules for certificates: a gateway without one, and one that nobody issues, give their sentence."""

from typing import Any

import pytest

from synth.cluster import Provided
from synth.manifest import Document
from synth.rules import certificates
from tests.synth.objects import (
    environment,
    find,
    put,
    said,
)


def sentences(documents: list[Document], *provided: Provided) -> list[str]:
    return said(certificates.RULES, documents, *provided)


def cert_manager(kind: str, name: str, namespace: str = "", **spec: Any) -> Document:
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def certificate(**spec: Any) -> Document:
    """A Certificate for the gateway, which a ClusterIssuer is to sign."""
    issuer = {"kind": "ClusterIssuer", "name": "acme"}
    given = {"secretName": "wiki-tls", "dnsNames": ["wiki.localhost"], "issuerRef": issuer, **spec}
    return cert_manager("Certificate", "wiki", "istio-system", **given)


ISSUER = cert_manager("ClusterIssuer", "acme", selfSigned={})


def test_a_sound_environment_breaks_no_rule() -> None:
    assert sentences(environment()) == []


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


OF_ITS_NAMESPACE = {"kind": "Issuer", "name": "acme"}

WITHOUT_A_KIND = {"name": "acme"}


@pytest.mark.parametrize("reference", [OF_ITS_NAMESPACE, WITHOUT_A_KIND])
def test_an_issuer_signs_in_its_own_namespace(reference: dict[str, str]) -> None:
    documents = [*environment(), certificate(issuerRef=reference)]
    assert sentences([*documents, cert_manager("Issuer", "acme", "istio-system", selfSigned={})]) == []
    assert sentences([*documents, cert_manager("Issuer", "acme", "wiki", selfSigned={})]) == [
        "Certificate wiki is to be signed by Issuer acme, which does not exist; there are none"
    ]


@pytest.mark.parametrize("reference", [OF_ITS_NAMESPACE, WITHOUT_A_KIND])
def test_an_issuer_is_no_cluster_issuer(reference: dict[str, str]) -> None:
    assert sentences([*environment(), ISSUER, certificate(issuerRef=reference)]) == [
        "Certificate wiki is to be signed by Issuer acme, which does not exist; there are none"
    ]
    assert sentences(
        [*environment(), cert_manager("Issuer", "acme", "istio-system", selfSigned={}), certificate()]
    ) == ["Certificate wiki is to be signed by ClusterIssuer acme, which does not exist; there are none"]


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


@pytest.mark.parametrize("solver", [{"dns01": {"rfc2136": {}}}, {"http01": {}}, {"http01": {"ingress": {}}}])
def test_a_solver_may_need_no_ingress_class(solver: Document) -> None:
    assert sentences([*environment(), solved_by(solver)]) == []


def test_a_name_for_all_hosts_takes_an_issuer_that_asks_dns() -> None:
    wild = certificate(dnsNames=["*.example.com", "example.com"])
    (told,) = sentences([*environment(), solved_by({"http01": {}}), wild])
    assert told.startswith("Certificate wiki is for *.example.com, which ClusterIssuer acme cannot prove")
    assert sentences([*environment(), solved_by({"http01": {}}, {"dns01": {"rfc2136": {}}}), wild]) == []
    assert sentences([*environment(), ISSUER, wild]) == []
    assert sentences([*environment(), solved_by({"http01": {}}), certificate(dnsNames=["example.com"])]) == []


# what an issuer can prove


def proving(*solvers: Document, **spec: Any) -> list[str]:
    """What is said of a certificate and of its issuer with these solvers."""
    issuer = cert_manager("ClusterIssuer", "acme", acme={"solvers": list(solvers)})
    return said(
        (certificates.certificates_can_be_issued, certificates.issuers_can_sign),
        [*environment(), issuer, certificate(**spec)],
    )


HTTP01: Document = {"http01": {"ingress": {}}}
DNS01: Document = {"dns01": {"rfc2136": {}}}


@pytest.mark.parametrize(
    ("solvers", "names", "told"),
    [
        ([{**HTTP01, "selector": {"dnsZones": ["other.example.com"]}}], ["wiki.example.com"], "none of the solvers"),
        ([{**HTTP01, "selector": {"dnsNames": ["other.example.com"]}}], ["wiki.example.com"], "none of the solvers"),
        ([{**HTTP01, "selector": {"matchLabels": {"use": "dns"}}}], ["wiki.example.com"], "none of the solvers"),
        ([HTTP01, {**DNS01, "selector": {"dnsZones": ["other.org"]}}], ["*.example.com"], "none of the solvers"),
        ([HTTP01], ["https://wiki.example.com"], "which is no host"),
        ([HTTP01], [], "is for no name"),
        ([{**HTTP01, **DNS01}], ["wiki.example.com"], "has a solver that is not one of http01 and dns01"),
        ([{}], ["wiki.example.com"], "has a solver that is not one of http01 and dns01"),
        ([], ["wiki.example.com"], "has no solvers"),
    ],
)
def test_what_an_issuer_cannot_prove_gives_one_sentence(solvers: list[Document], names: list[str], told: str) -> None:
    (sentence,) = proving(*solvers, dnsNames=names)
    assert told in sentence


@pytest.mark.parametrize(
    ("solvers", "names"),
    [
        ([HTTP01], ["wiki.example.com", "example.com"]),
        ([HTTP01, {**DNS01, "selector": {"dnsZones": ["example.com"]}}], ["*.example.com", "wiki.example.org"]),
        ([{**HTTP01, "selector": {"dnsZones": ["example.com"]}}], ["a.wiki.example.com"]),
        ([DNS01], ["*.example.com"]),
    ],
)
def test_an_issuer_proves_what_its_solvers_are_for(solvers: list[Document], names: list[str]) -> None:
    assert proving(*solvers, dnsNames=names) == []


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"commonName": "a" * 65}, "has a commonName of 65 characters, which has at most 64"),
        ({"ipAddresses": ["192.0.2.1"]}, "is for addresses, which ClusterIssuer acme does not sign"),
        ({"isCA": True}, "is to sign others, which ClusterIssuer acme lets nobody"),
        ({"secretName": ""}, "names no Secret for what it gets"),
        (
            {"issuerRef": {"kind": "ClusterIssuer", "name": "acme", "group": "certmanager.k8s.io"}},
            "is to be signed by an issuer of certmanager.k8s.io",
        ),
    ],
)
def test_what_no_certificate_can_be_gives_one_sentence(spec: Document, told: str) -> None:
    (sentence,) = proving(HTTP01, **spec)
    assert told in sentence


@pytest.mark.parametrize(("spec", "kinds"), [({}, "no"), ({"selfSigned": {}, "ca": {}}, "ca and selfSigned")])
def test_an_issuer_is_of_one_kind(spec: Document, kinds: str) -> None:
    issuer = cert_manager("ClusterIssuer", "acme", **spec)
    (sentence,) = said((certificates.issuers_can_sign,), [*environment(), issuer])
    assert sentence.startswith(f"ClusterIssuer acme is of {kinds} kind")


def signed_by_acme(solver: Document, **spec: Any) -> list[Document]:
    issuer = cert_manager("ClusterIssuer", "acme", acme={"solvers": [solver], **spec.pop("acme", {})})
    ingress_class = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "istio"}}
    return [*environment(), issuer, ingress_class, certificate(**spec)]


@pytest.mark.parametrize(
    ("ingress", "spec", "told"),
    [
        ({"class": "istio", "ingressClassName": "istio"}, {}, "with ingressClassName and class, which cert-manager"),
        ({"class": "nginx"}, {}, "through IngressClass nginx, which does not exist; there are istio"),
        ({"ingressClassName": "istio", "serviceType": "LoadBalancer"}, {}, "a Service of type LoadBalancer"),
        ({"ingressClassName": "istio"}, {"duration": "8760h"}, "is to last 8760h, which ClusterIssuer acme does not"),
    ],
)
def test_what_an_acme_issuer_does_not_do_gives_one_sentence(ingress: Document, spec: Document, told: str) -> None:
    (sentence,) = sentences(signed_by_acme({"http01": {"ingress": ingress}}, **spec))
    assert told in sentence


@pytest.mark.parametrize(
    "spec", [{}, {"renewBefore": "720h"}, {"duration": "720h", "acme": {"enableDurationFeature": True}}]
)
def test_an_acme_issuer_may_be_asked(spec: Document) -> None:
    solver = {"http01": {"ingress": {"class": "istio", "serviceType": "NodePort"}}}
    assert sentences(signed_by_acme(solver, **spec)) == []
