"""Rules for certificates: each gateway has one for its hosts, and somebody issues it."""

from collections.abc import Iterator

from synth.cluster import Cluster, Rule, Violation
from synth.mesh import ServedHost
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
            name = tls.get("credentialName", "")
            certificate = issued.get(name)
            if certificate is None:
                yield Violation(
                    gateway,
                    f"takes its certificate from Secret {name or '(none named)'}, which no Certificate in namespace "
                    f"{gateway.namespace} makes; there are {', '.join(issued) or 'none'}",
                )
                continue
            names = certificate.spec.get("dnsNames", [])
            for host in (ServedHost.of(entry).host for entry in server.get("hosts", [])):
                if host not in names and f"*.{host.partition('.')[2]}" not in names:
                    yield Violation(
                        gateway, f"serves {host} with {certificate}, which is for {', '.join(names) or 'no host'}"
                    )


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
        solvers = ((issuer.spec.get("acme") or {}).get("solvers") or []) if isinstance(issuer, Object) else []
        wild = [name for name in item.spec.get("dnsNames", []) if name.startswith("*")]
        if wild and solvers and not any("dns01" in solver for solver in solvers):
            yield Violation(
                item,
                f"is for {', '.join(wild)}, which {issuer} cannot prove: it has no dns01 solver, and http01 is for "
                "whole names only: list the hosts, or give the issuer a dns01 solver",
            )
    for item in (*cluster.of("ClusterIssuer"), *cluster.of("Issuer")):
        for solver in (item.spec.get("acme") or {}).get("solvers", []):
            name = ((solver.get("http01") or {}).get("ingress") or {}).get("ingressClassName")
            if name and not cluster.find("IngressClass", "", name):
                yield Violation(
                    item,
                    f"answers challenges through IngressClass {name}, which does not exist; there are "
                    f"{cluster.names('IngressClass', '')}",
                )


RULES: tuple[Rule, ...] = (
    gateways_have_certificates,
    certificates_can_be_issued,
)
