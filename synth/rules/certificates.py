"""Rules for certificates: each gateway has one for its hosts, and somebody issues it."""

from collections.abc import Iterator, Mapping

from synth.cluster import Cluster, Rule, Violation
from synth.manifest import Document
from synth.mesh import ServedHost
from synth.names import SUBDOMAIN
from synth.tree import Object

# What cert-manager makes: https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificatePrivateKey
KEY_SIZES = {"RSA": range(2048, 8193), "ECDSA": (256, 384, 521)}


def gateways_have_certificates(cluster: Cluster) -> Iterator[Violation]:
    for gateway in cluster.of("Gateway"):
        issued = {
            c.spec.get("secretName", ""): c for c in cluster.of("Certificate") if c.namespace == gateway.namespace
        }
        for server in gateway.spec.get("servers", []):
            tls = server.get("tls") or {}
            if tls.get("mode") not in ("SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"):
                continue
            if tls.get("serverCertificate") or tls.get("tlsCertificates"):
                continue  # A file of the gateway's pods.
            names = tls.get("credentialNames") or [tls.get("credentialName", "")]
            for name in names:
                if name not in issued:
                    yield Violation(
                        gateway,
                        f"takes its certificate from Secret {name or '(none named)'}, which no Certificate in "
                        f"namespace {gateway.namespace} makes; there are {', '.join(issued) or 'none'}",
                    )
            certificate = issued.get(names[0])
            if certificate is None:
                continue
            names = certificate.spec.get("dnsNames", [])
            for host in (ServedHost.of(entry).host for entry in server.get("hosts", [])):
                if names and host not in names and f"*.{host.partition('.')[2]}" not in names:
                    yield Violation(gateway, f"serves {host} with {certificate}, which is for {', '.join(names)}")


GROUP = "cert-manager.io"
KINDS = ("acme", "ca", "selfSigned", "vault", "venafi")
NAMED = ("dnsNames", "commonName", "ipAddresses", "uris", "emailAddresses", "otherNames", "literalSubject")
COMMON_NAME_LENGTH = 64


def _can_be_proved(item: Object, issuer: Object) -> Iterator[Violation]:
    """Whether an issuer's solvers, and of them those that are for its names, can prove them.

    https://cert-manager.io/docs/configuration/acme/#adding-multiple-solver-types
    """
    solvers = (issuer.spec.get("acme") or {}).get("solvers") or []
    names = item.spec.get("dnsNames") or []
    wild = [name for name in names if name.startswith("*")]
    if wild and solvers and not any("dns01" in solver for solver in solvers):
        yield Violation(
            item,
            f"is for {', '.join(wild)}, which {issuer} cannot prove: it has no dns01 solver, and http01 is for "
            "whole names only: list the hosts, or give the issuer a dns01 solver",
        )
        return
    labels = item.document["metadata"].get("labels") or {}
    for name in names if solvers else ():
        fitting = [solver for solver in solvers if can_be_proved_by(solver, name, labels)]
        if not fitting or (name.startswith("*") and not any("dns01" in solver for solver in fitting)):
            yield Violation(
                item,
                f"is for {name}, which none of the solvers of {issuer} is for: fit one's selector, or add a solver",
            )
    if "acme" in issuer.spec and item.spec.get("ipAddresses"):
        yield Violation(item, f"is for addresses, which {issuer} does not sign: name hosts in dnsNames alone")
    if "acme" in issuer.spec and item.spec.get("duration") and not issuer.spec["acme"].get("enableDurationFeature"):
        yield Violation(
            item,
            f"is to last {item.spec['duration']}, which {issuer} does not ask for, so that the authority decides: "
            "leave duration out",
        )
    if "acme" in issuer.spec and item.spec.get("isCA"):
        yield Violation(item, f"is to sign others, which {issuer} lets nobody: leave isCA out")


def _problems_of_names(item: Object) -> Iterator[str]:
    if not item.spec.get("secretName"):
        yield "names no Secret for what it gets: write spec.secretName"
    if not any(item.spec.get(field) for field in NAMED):
        yield "is for no name: list its hosts in dnsNames"
    common = item.spec.get("commonName", "")
    if len(common) > COMMON_NAME_LENGTH:
        yield f"has a commonName of {len(common)} characters, which has at most {COMMON_NAME_LENGTH}"
    for name in item.spec.get("dnsNames") or []:
        if name != "*" and not SUBDOMAIN.fullmatch(name.removeprefix("*.")):
            yield f"is for {name!r}, which is no host: wiki.example.com is one, without a scheme"
    group = (item.spec.get("issuerRef") or {}).get("group", GROUP)
    if group != GROUP:
        yield f"is to be signed by an issuer of {group}: the group is {GROUP}"


def can_be_proved_by(solver: Document, name: str, labels: Mapping[str, str]) -> bool:
    """Whether a solver's selector is for a name of a certificate with these labels."""
    selector = solver.get("selector") or {}
    hosts, zones = selector.get("dnsNames") or [], selector.get("dnsZones") or []
    plain = name.removeprefix("*.")
    by_host = not hosts or name in hosts
    by_zone = not zones or any(plain == zone or plain.endswith(f".{zone}") for zone in zones)
    return by_host and by_zone and (selector.get("matchLabels") or {}).items() <= labels.items()


def certificates_can_be_issued(cluster: Cluster) -> Iterator[Violation]:
    made: dict[tuple[str, str], Object] = {}
    for item in cluster.of("Certificate"):
        secret = item.spec.get("secretName", "")
        if (other := made.setdefault((item.namespace, secret), item)) is not item:
            yield Violation(item, f"writes Secret {secret}, as {other} does: give each its own")
        key = item.spec.get("privateKey") or {}
        algorithm, size = key.get("algorithm", "RSA"), key.get("size")
        if size and algorithm in KEY_SIZES and size not in KEY_SIZES[algorithm]:
            sizes = "2048 to 8192" if algorithm == "RSA" else "256, 384 or 521"
            yield Violation(item, f"wants a key of {size} bits for {algorithm}, which has {sizes}")
        reference = item.spec.get("issuerRef") or {}
        kind = reference.get("kind", "Issuer")
        namespace = "" if kind == "ClusterIssuer" else item.namespace
        if not cluster.find(kind, namespace, reference.get("name", "")):
            yield Violation(
                item,
                f"is to be signed by {kind} {reference.get('name', '')}, which does not exist; there are "
                f"{cluster.names(kind, namespace)}",
            )
        issuer = cluster.find(kind, namespace, reference.get("name", ""))
        if isinstance(issuer, Object):
            yield from _can_be_proved(item, issuer)
        for problem in _problems_of_names(item):
            yield Violation(item, problem)


def issuers_can_sign(cluster: Cluster) -> Iterator[Violation]:
    for item in (*cluster.of("ClusterIssuer"), *cluster.of("Issuer")):
        acme = item.spec.get("acme")
        if acme is not None and not acme.get("solvers"):
            yield Violation(item, "has no solvers, so that nothing can be proved: name http01 or dns01 in one")
        kinds = [field for field in KINDS if item.spec.get(field) is not None]
        if len(kinds) != 1:
            yield Violation(
                item, f"is of {' and '.join(kinds) or 'no'} kind: write one of {', '.join(KINDS)} in its spec"
            )
        for solver in (acme or {}).get("solvers") or []:
            if len(solver.keys() & {"http01", "dns01"}) != 1:
                yield Violation(item, "has a solver that is not one of http01 and dns01: write one of them in each")
            ingress = (solver.get("http01") or {}).get("ingress") or {}
            chosen = [field for field in ("ingressClassName", "class", "name") if ingress.get(field)]
            if len(chosen) > 1:
                yield Violation(item, f"has a solver with {' and '.join(chosen)}, which cert-manager refuses: keep one")
                continue
            if ingress.get("serviceType") not in (None, "ClusterIP", "NodePort"):
                yield Violation(
                    item,
                    f"answers challenges through a Service of type {ingress['serviceType']}: there are ClusterIP and "
                    "NodePort",
                )
            name = ingress.get("ingressClassName") or ingress.get("class")
            if name and not cluster.find("IngressClass", "", name):
                yield Violation(
                    item,
                    f"answers challenges through IngressClass {name}, which does not exist; there are "
                    f"{cluster.names('IngressClass', '')}",
                )


RULES: tuple[Rule, ...] = (
    gateways_have_certificates,
    certificates_can_be_issued,
    issuers_can_sign,
)
