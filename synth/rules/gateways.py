"""Rules for Gateways: their servers, the pods behind them, and the hosts that they list."""

from collections.abc import Iterator

from synth.cluster import Cluster, Rule, Violation, shown
from synth.mesh import ServedHost, gateway_references, routes, served_hosts

ENCRYPTED = frozenset({"HTTPS", "TLS"})


# https://istio.io/latest/docs/reference/config/networking/gateway/#Port
PROTOCOLS = ENCRYPTED | {"HTTP", "HTTP2", "GRPC", "GRPC-WEB", "MONGO", "MYSQL", "REDIS", "TCP"}


def servers_are_whole(cluster: Cluster) -> Iterator[Violation]:
    """What Istio's own validation refuses, hours after the change is merged."""
    for gateway in cluster.of("Gateway"):
        names: set[str] = set()
        for server in gateway.spec.get("servers", []):
            name, protocol = server["port"].get("name", ""), server["port"]["protocol"].upper()
            tls = server.get("tls") or {}
            if name in names:
                yield Violation(gateway, f"has two servers named {name}: rename one")
            names.add(name)
            if not name:
                yield Violation(gateway, f"has a server on port {server['port']['number']} without a name: give it one")
            if protocol not in PROTOCOLS:
                yield Violation(
                    gateway, f"has server {name} of protocol {protocol}: there are {', '.join(sorted(PROTOCOLS))}"
                )
            if not server.get("hosts"):
                yield Violation(gateway, f"has server {name} without hosts: list them, or drop it")
            if protocol in ENCRYPTED and not tls:
                yield Violation(
                    gateway, f"has server {name} of protocol {protocol} without tls: say how it is encrypted"
                )
            if protocol not in ENCRYPTED and tls.keys() - {"httpsRedirect"}:
                yield Violation(
                    gateway, f"has server {name} of protocol {protocol} with tls: write HTTPS, or TLS, or leave tls out"
                )


def gateways_list_the_routes(cluster: Cluster) -> Iterator[Violation]:
    listed = {
        id(gateway): {text: ServedHost.of(text) for text in served_hosts(gateway)} for gateway in cluster.of("Gateway")
    }
    for item in cluster.of("VirtualService"):
        for text, reference in gateway_references(item).items():
            if reference.is_mesh:
                continue
            gateway = reference.gateway(cluster)
            if gateway is None:
                known = ", ".join(f"{g.namespace}/{g.name}" for g in cluster.of("Gateway")) or "none"
                yield Violation(item, f"goes through Gateway {text}, which does not exist; there are {known}")
                continue
            entries = listed[id(gateway)]
            for host in item.spec.get("hosts", []):
                if f"{item.namespace}/{host}" not in entries and not any(
                    entry.admits(item.namespace, host) for entry in entries.values()
                ):
                    ports = sorted(
                        {match["port"] for route in routes(item, "tcp") for match in route.matches if "port" in match}
                    )
                    if ports and not (item.spec.get("http") or item.spec.get("tls")):
                        known = ", ".join(map(str, dict.fromkeys(s["port"]["number"] for s in gateway.spec["servers"])))
                        yield Violation(
                            item,
                            f"takes connections at port {', '.join(map(str, ports))} of {gateway}, which has no server "
                            f"for them in namespace {item.namespace}: its ports are {known}",
                        )
                        continue
                    yield Violation(
                        item,
                        f"answers for {host}, but {gateway} lists {', '.join(entries) or 'none'}: "
                        f"claim {item.namespace}/{host} there",
                    )


def gateways_lead_somewhere(cluster: Cluster) -> Iterator[Violation]:
    through: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for route in cluster.of("VirtualService"):
        for reference in gateway_references(route).values():
            pairs = ((route.namespace, host) for host in route.spec.get("hosts", []))
            through.setdefault((reference.namespace, reference.name), set()).update(pairs)
    for gateway in cluster.of("Gateway"):
        answered = through.get((gateway.namespace, gateway.name), set())
        selector = gateway.spec.get("selector") or {}
        if not cluster.has_pods(gateway.namespace, selector):
            yield Violation(
                gateway,
                f"is for pods with {shown(selector)} in namespace {gateway.namespace}, "
                "but there are none, made here or provided: use the labels of the ingress gateway",
            )
        for text in served_hosts(gateway):
            entry = ServedHost.of(text)
            if (entry.namespace, entry.host) not in answered and not any(entry.admits(*pair) for pair in answered):
                yield Violation(
                    gateway, f"lists {text}, but no VirtualService there answers for that host through it: drop it"
                )


def nothing_comes_in_by_another_way(cluster: Cluster) -> Iterator[Violation]:
    """An Ingress goes past the Gateway: past its certificates, the redirect to HTTPS, and what routes take away."""
    for item in cluster.of("Ingress"):
        name = item.spec.get("ingressClassName")
        if name and cluster.find("IngressClass", "", name):
            yield Violation(
                item,
                "leads from the ingress gateway to a Service without the Gateway's certificates and its redirect to "
                "HTTPS: give the app's WebApp a host instead",
            )
        else:
            yield Violation(
                item,
                f"is of IngressClass {name or 'none'}, {cluster.unknown('IngressClass', '')}, so that nobody serves "
                "it: give the app's WebApp a host instead",
            )


RULES: tuple[Rule, ...] = (
    nothing_comes_in_by_another_way,
    servers_are_whole,
    gateways_list_the_routes,
    gateways_lead_somewhere,
)
