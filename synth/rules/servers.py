"""Rules for the servers of Gateways: which stand beside each other, how they encrypt, and what must get past them."""

import re
from collections.abc import Iterator

from synth.cluster import Cluster, Rule, Violation
from synth.manifest import Document
from synth.mesh import Route, ServedHost, routes
from synth.rules.certificates import can_be_proved_by
from synth.rules.gateways import ENCRYPTED
from synth.rules.matches import takes_path
from synth.tree import Object

# What Istio's proxies know, others of which they leave out in silence: ValidCipherSuites in
# https://github.com/istio/istio pkg/config/security
CIPHERS = frozenset(
    """
    ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384
    ECDHE-RSA-AES256-GCM-SHA384 ECDHE-ECDSA-CHACHA20-POLY1305 ECDHE-RSA-CHACHA20-POLY1305 ECDHE-ECDSA-AES128-SHA
    ECDHE-RSA-AES128-SHA ECDHE-ECDSA-AES256-SHA ECDHE-RSA-AES256-SHA AES128-GCM-SHA256 AES256-GCM-SHA384 AES128-SHA
    AES256-SHA DES-CBC3-SHA
    """.split()  # noqa: SIM905, a list of quoted strings is not read
)
# An expression in the words of OpenSSL, which Istio hands on as it is.
EXPRESSION = re.compile(r"ALL|[^0-9A-Za-z].*|")
VERSIONS = ("TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3")
SOURCES = ("credentialName", "credentialNames", "serverCertificate", "tlsCertificates")
WITHOUT_ONE = ("PASSTHROUGH", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL")
"""Modes in which the gateway shows no certificate of its own."""
HTTP_PORT = 80
CHALLENGE = "/.well-known/acme-challenge/"
"""Where an ACME server looks for the answer to its challenge: https://www.rfc-editor.org/rfc/rfc8555#section-8.3"""


def servers_stand_beside_each_other(cluster: Cluster) -> Iterator[Violation]:
    """Gateways for the same pods are one: of two servers that cannot share a port or a host, Istio skips the second.

    mergeGateways in https://github.com/istio/istio pilot/pkg/model/gateway.go.
    """
    ports: dict[tuple[object, ...], tuple[Object, Document]] = {}
    hosts: dict[tuple[object, ...], tuple[Object, Document]] = {}
    for gateway in cluster.of("Gateway"):
        pods = gateway.namespace, tuple(sorted((gateway.spec.get("selector") or {}).items()))
        for server in gateway.spec.get("servers", []):
            place = (*pods, server["port"]["number"], server.get("bind", ""))
            owner, first = ports.setdefault(place, (gateway, server))
            if first is not server and (_sort(first) != _sort(server) or _sort(server) == "TCP"):
                yield Violation(
                    gateway,
                    f"has server {_name(server)} at port {server['port']['number']}, which {_of(owner, gateway)}server "
                    f"{_name(first)} has, and Istio takes the first alone: give it another port",
                )
                continue
            for host in (ServedHost.of(entry).host for entry in server.get("hosts") or []):
                owner, other = hosts.setdefault((*place, host), (gateway, server))
                if other is not server and _sort(server) == "TLS" and not _is_claimed_twice(cluster, host):
                    yield Violation(
                        gateway,
                        f"has server {_name(server)} for {host}, which {_of(owner, gateway)}server {_name(other)} "
                        "answers for at that port, and Istio takes the first alone: drop one",
                    )


def _sort(server: Document) -> str:
    """What a server reads first of a connection, which is the same for all at one port."""
    protocol = server["port"]["protocol"].upper()
    return "TLS" if protocol in ENCRYPTED else "HTTP" if protocol.startswith(("HTTP", "GRPC")) else "TCP"


def _name(server: Document) -> str:
    return f"{server['port'].get('name', '')} ({server['port']['protocol']})"


def _of(owner: Object, gateway: Object) -> str:
    return "" if owner is gateway else f"{owner}'s "


def _is_claimed_twice(cluster: Cluster, host: str) -> bool:
    """Whether several routes want a host, which is told of."""
    return sum(host in item.spec.get("hosts", []) for item in cluster.of("VirtualService")) > 1


def servers_encrypt_as_they_say(cluster: Cluster) -> Iterator[Violation]:
    """What of a server's TLS Istio refuses or leaves out: validateTLSOptions in its pkg/config/validation."""
    for gateway in cluster.of("Gateway"):
        for server in gateway.spec.get("servers", []):
            if server["port"]["protocol"].upper() in ENCRYPTED and server.get("tls"):
                for problem in _problems_of_tls(server["tls"]):
                    yield Violation(gateway, f"has server {_name(server)} {problem}")


def _problems_of_tls(tls: Document) -> Iterator[str]:
    mode = tls.get("mode")
    sources = [field for field in SOURCES if tls.get(field)]
    if mode is None:
        yield "without a TLS mode, which Istio takes for PASSTHROUGH: write SIMPLE, or what is meant"
    elif mode in WITHOUT_ONE and sources:
        yield f"with {sources[0]}, which mode {mode} does not use: write SIMPLE, or leave it out"
    elif len(sources) > 1:
        yield f"with {' and '.join(sources)}, of which Istio takes one alone: leave the others out"
    lowest, highest = tls.get("minProtocolVersion"), tls.get("maxProtocolVersion")
    if lowest in VERSIONS and highest in VERSIONS and VERSIONS.index(lowest) > VERSIONS.index(highest):
        yield f"with versions of TLS from {lowest} to {highest}, which are none: turn them round"
    elif lowest in VERSIONS[:2] and not tls.get("cipherSuites"):
        yield f"from {lowest} on, for which Istio has no ciphers unless they are named: write TLSV1_2"
    ciphers = tls.get("cipherSuites") or []
    for cipher in dict.fromkeys(ciphers):
        if cipher not in CIPHERS and not EXPRESSION.fullmatch(cipher):
            known = ", ".join(sorted(CIPHERS))
            yield f"with cipher {cipher}, which Istio does not know and leaves out: there are {known}"


def visitors_show_certificates_of_somebody(cluster: Cluster) -> Iterator[Violation]:
    """With mutual TLS visitors are verified by the authority in the gateway's Secret, and ACME gives none."""
    for gateway in cluster.of("Gateway"):
        for server in gateway.spec.get("servers", []):
            tls = server.get("tls") or {}
            name = tls.get("credentialName", "")
            if tls.get("mode") not in ("MUTUAL", "OPTIONAL_MUTUAL"):
                continue
            authority = tls.get("caCertCredentialName") or f"{name}-cacert"
            for certificate in cluster.within(gateway.namespace, "Certificate"):
                issuer = _issuer(cluster, certificate)
                given = cluster.find("Secret", gateway.namespace, authority)
                if certificate.spec.get("secretName") == name and issuer and "acme" in issuer.spec and not given:
                    yield Violation(
                        gateway,
                        f"has server {_name(server)} verify its visitors by the authority in Secret {name}, and "
                        f"{issuer} gives none: bring Secret {authority} with it, or write SIMPLE",
                    )


def _issuer(cluster: Cluster, certificate: Object) -> Object | None:
    reference = certificate.spec.get("issuerRef") or {}
    kind = reference.get("kind", "Issuer")
    namespace = "" if kind == "ClusterIssuer" else certificate.namespace
    found = cluster.find(kind, namespace, reference.get("name", ""))
    return found if isinstance(found, Object) else None


def challenges_get_through(cluster: Cluster) -> Iterator[Violation]:
    """An ACME server asks for a host at port 80 whether it is ours; redirected, it goes away, and nothing is renewed.

    The answer is a route of its own, which the gateway takes before one for every path, but not before one that
    matches a method or a header.
    """
    issuers = _asked_over_http(cluster)
    for gateway in cluster.of("Gateway"):
        for server in gateway.spec.get("servers", []):
            hosts = [ServedHost.of(entry).host for entry in server.get("hosts") or []]
            proved = next((host for host in hosts if host in issuers), None)
            if (server.get("tls") or {}).get("httpsRedirect") and server["port"]["number"] == HTTP_PORT and proved:
                yield Violation(
                    gateway,
                    f"has server {_name(server)} redirect all to HTTPS, the challenges of {issuers[proved]} for "
                    f"{proved} too: leave httpsRedirect out, and redirect in the VirtualService",
                )
    for item in cluster.of("VirtualService"):
        proved = next((host for host in item.spec.get("hosts", []) if host in issuers), None)
        for route in routes(item, "http") if proved else ():
            if _goes_before_challenges(route):
                yield Violation(
                    item,
                    f"has http route {route.name} at port {HTTP_PORT} match more than that, so that it may take the "
                    f"challenges of {issuers[str(proved)]} for {proved} too: match the port alone, or port 443",
                )


def _asked_over_http(cluster: Cluster) -> dict[str, Object]:
    """The hosts of certificates, each with the issuer that proves it by a challenge over HTTP."""
    found: dict[str, Object] = {}
    for certificate in cluster.of("Certificate"):
        issuer = _issuer(cluster, certificate)
        labels = certificate.document["metadata"].get("labels") or {}
        for name in certificate.spec.get("dnsNames") or [] if issuer else ():
            solvers = ((issuer.spec.get("acme") or {}).get("solvers") or []) if issuer else []
            if issuer and any("http01" in solver for solver in solvers if can_be_proved_by(solver, name, labels)):
                found[name] = issuer
    return found


def _goes_before_challenges(route: Route) -> bool:
    return any(
        match.get("port", HTTP_PORT) == HTTP_PORT
        and any(match.get(key) for key in ("method", "headers", "queryParams", "withoutHeaders"))
        and takes_path(match, CHALLENGE)
        for match in route.matches
    )


RULES: tuple[Rule, ...] = (
    servers_stand_beside_each_other,
    servers_encrypt_as_they_say,
    visitors_show_certificates_of_somebody,
    challenges_get_through,
)
