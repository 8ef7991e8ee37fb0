"""Rules for the way into the cluster: routes, gateways, certificates, and who may call whom."""

import re
from collections.abc import Iterator

from synth.cluster import EVERYWHERE, Cluster, Rule, Violation, shown
from synth.fields import gateway_host
from synth.manifest import Document
from synth.tree import Object

# A workload's identity in the mesh: https://istio.io/latest/docs/concepts/security/#istio-identity
PRINCIPAL = re.compile(r"[^/]+/ns/([^/]+)/sa/([^/]+)")
# What cert-manager makes: https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificatePrivateKey
KEY_SIZES = {"RSA": range(2048, 8193), "ECDSA": (256, 384, 521)}


def routes_lead_to_services(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("VirtualService"):
        for route in (*item.spec.get("http", []), *item.spec.get("tls", []), *item.spec.get("tcp", [])):
            targets = [target["destination"] for target in route.get("route", [])]
            targets += [route["mirror"]] if "mirror" in route else []
            targets += [mirror["destination"] for mirror in route.get("mirrors", [])]
            for destination in targets:
                yield from _destination_exists(cluster, item, destination)


def _destination_exists(cluster: Cluster, route: Object, destination: Document) -> Iterator[Violation]:
    name, _, rest = destination["host"].partition(".")
    namespace = rest.partition(".")[0] if rest else route.namespace
    if rest and rest != f"{namespace}.svc.cluster.local":
        yield Violation(
            route,
            f"sends to {destination['host']}: name a Service of the cluster in full, as in "
            f"{name}.{route.namespace}.svc.cluster.local",
        )
        return
    ports = _service_ports(cluster, namespace, name)
    if ports is None:
        yield Violation(
            route,
            f"sends to Service {name} in namespace {namespace}, {cluster.unknown('Service', namespace)}",
        )
        return
    wanted = (destination.get("port") or {}).get("number")
    offered = ", ".join(map(str, ports))
    if wanted is None and len(ports) != 1:
        yield Violation(route, f"sends to Service {name} without a port: name one of {offered}")
    elif wanted is not None and wanted not in ports:
        yield Violation(route, f"sends to port {wanted}, but Service {name} offers {offered}")


def _service_ports(cluster: Cluster, namespace: str, name: str) -> list[int] | None:
    service = cluster.find("Service", namespace, name)
    if isinstance(service, Object):
        return [port["port"] for port in service.spec.get("ports", [])]
    return list(service.ports) if service else None


def gateways_list_the_routes(cluster: Cluster) -> Iterator[Violation]:
    listed = {id(gateway): dict.fromkeys(_gateway_hosts(gateway)) for gateway in cluster.of("Gateway")}
    for item in cluster.of("VirtualService"):
        for reference in item.spec.get("gateways", []):
            if reference == "mesh":
                continue
            namespace, _, name = reference.rpartition("/")
            gateway = cluster.find("Gateway", namespace or item.namespace, name)
            if not isinstance(gateway, Object):
                known = ", ".join(f"{g.namespace}/{g.name}" for g in cluster.of("Gateway")) or "none"
                yield Violation(item, f"goes through Gateway {reference}, which does not exist; there are {known}")
                continue
            entries = listed[id(gateway)]
            for host in item.spec.get("hosts", []):
                if f"{item.namespace}/{host}" not in entries and not any(
                    admits(entry, item.namespace, host) for entry in entries
                ):
                    yield Violation(
                        item,
                        f"answers for {host}, but {gateway} lists {', '.join(entries) or 'none'}: "
                        f"claim {item.namespace}/{host} there",
                    )


def gateways_lead_somewhere(cluster: Cluster) -> Iterator[Violation]:
    answered = {
        (route.namespace, host) for route in cluster.of("VirtualService") for host in route.spec.get("hosts", [])
    }
    for gateway in cluster.of("Gateway"):
        selector = gateway.spec.get("selector") or {}
        if not cluster.has_pods(gateway.namespace, selector):
            yield Violation(
                gateway,
                f"is for pods with {shown(selector)} in namespace {gateway.namespace}, "
                "but there are none, made here or provided: use the labels of the ingress gateway",
            )
        for entry in _gateway_hosts(gateway):
            if gateway_host(entry) not in answered and not any(admits(entry, *pair) for pair in answered):
                yield Violation(gateway, f"lists {entry}, but no VirtualService there answers for that host: drop it")


def _gateway_hosts(gateway: Object) -> list[str]:
    return [host for server in gateway.spec.get("servers", []) for host in server.get("hosts", [])]


def admits(entry: str, namespace: str, host: str) -> bool:
    """Whether a Gateway's host entry (`namespace/host`, `*/*.example.com`) lets a VirtualService bind a host."""
    where, pattern = gateway_host(entry)
    if where not in ("*", namespace):
        return False
    return pattern in ("*", host) or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def is_exact(entry: str) -> bool:
    """Whether a Gateway's host entry lets one host of one namespace in, and no other."""
    return "/" in entry and "*" not in entry


def hosts_are_claimed_once(cluster: Cluster) -> Iterator[Violation]:
    claimed: dict[tuple[str, str], Object] = {}
    for item in cluster.of("VirtualService"):
        for gateway in item.spec.get("gateways", []):
            for host in item.spec.get("hosts", []):
                other = claimed.setdefault((gateway, host), item)
                if other is not item:
                    yield Violation(
                        item,
                        f"claims {host}, which {other} in namespace {other.namespace} claims already "
                        f"({other.source}): give one of them another host",
                    )


def destination_rules_are_for_services(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("DestinationRule"):
        host = item.spec.get("host", "")
        name, _, rest = host.partition(".")
        namespace, whole, _ = rest.partition(".svc.cluster.local")
        if not (whole and cluster.find("Service", namespace, name)):
            here = [(service.name, service.namespace) for service in cluster.of("Service")]
            given = [(service.name, service.namespace) for service in cluster.provided if service.kind == "Service"]
            known = ", ".join(f"{name}.{namespace}.svc.cluster.local" for name, namespace in (*here, *given))
            yield Violation(item, f"is for host {host}, which is no Service in full: there are {known or 'none'}")


def authorization_policies_name_what_exists(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("AuthorizationPolicy"):
        labels = (item.spec.get("selector") or {}).get("matchLabels") or {}
        if labels and not cluster.has_pods(item.namespace, labels):
            yield Violation(
                item,
                f"is for pods with {shown(labels)} in namespace {item.namespace}, but there are none: use the labels "
                "of a workload",
            )
        for rule in item.spec.get("rules", []):
            for source in rule.get("from", []):
                for principal in (source.get("source") or {}).get("principals", []):
                    # With a * it is a pattern, for accounts that nobody needs to have now.
                    if "*" not in principal:
                        yield from _account_exists(cluster, item, principal)


def _account_exists(cluster: Cluster, policy: Object, principal: str) -> Iterator[Violation]:
    match = PRINCIPAL.fullmatch(principal)
    if match is None:
        yield Violation(policy, f"names {principal}, which is no principal: cluster.local/ns/NAMESPACE/sa/NAME is one")
        return
    namespace, name = match.groups()
    if ("ServiceAccount", name) not in EVERYWHERE and not cluster.find("ServiceAccount", namespace, name):
        yield Violation(
            policy,
            f"names ServiceAccount {name} of namespace {namespace}, {cluster.unknown('ServiceAccount', namespace)}",
        )


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
            for host in (gateway_host(entry)[1] for entry in server.get("hosts", [])):
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
    routes_lead_to_services,
    gateways_list_the_routes,
    gateways_lead_somewhere,
    hosts_are_claimed_once,
    destination_rules_are_for_services,
    authorization_policies_name_what_exists,
    gateways_have_certificates,
    certificates_can_be_issued,
)
