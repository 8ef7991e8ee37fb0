"""The mesh as its objects describe it: hosts, what a gateway serves, and where a VirtualService's routes lead."""

from collections.abc import Iterator
from dataclasses import dataclass

from synth.cluster import Cluster, Provided
from synth.manifest import Document
from synth.pods import Port, containers, declared
from synth.tree import Object

SECTIONS = ("http", "tls", "tcp")
"""The fields of a VirtualService that have routes."""
ROOT_NAMESPACE = "istio-system"
"""Where Istio's policies are for the whole mesh."""
CLUSTER_DOMAIN = "svc.cluster.local"
SPOKEN = ("HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTPS", "TLS", "TCP", "UDP", "MONGO", "MYSQL", "REDIS", "HTTP_PROXY")
"""What Istio knows to be spoken at a port: pkg/config/protocol in https://github.com/istio/istio."""


@dataclass(frozen=True)
class Host:
    """What a destination names: a Service by its own name or in full; any other host has no `name`.

    https://istio.io/latest/docs/reference/config/networking/virtual-service/#Destination
    """

    text: str
    name: str = ""
    namespace: str = ""

    @classmethod
    def of(cls, text: str, namespace: str) -> "Host":
        """A host as an object in a namespace writes it; a name without a dot is of a Service beside the object."""
        name, _, rest = text.partition(".")
        if not rest:
            return cls(text, name, namespace)
        where, _, domain = rest.partition(".")
        return cls(text, name, where) if domain == CLUSTER_DOMAIN else cls(text)

    @property
    def in_full(self) -> str:
        """`wiki.wiki.svc.cluster.local` for a Service, and any other host as it is."""
        return service_host(self.name, self.namespace) if self.name else self.text

    def service(self, cluster: Cluster) -> Object | Provided | None:
        """The Service, made here or provided."""
        return cluster.find("Service", self.namespace, self.name) if self.name else None


def service_host(name: str, namespace: str) -> str:
    """The host of a Service in full, which means the same from every namespace."""
    return f"{name}.{namespace}.{CLUSTER_DOMAIN}"


@dataclass(frozen=True)
class GatewayReference:
    """What a VirtualService names as its gateway: `namespace/name`, a name in its own namespace, or `mesh`."""

    namespace: str
    name: str

    @classmethod
    def of(cls, text: str, namespace: str) -> "GatewayReference":
        where, _, name = text.rpartition("/")
        return cls("", name) if text == "mesh" else cls(where or namespace, name)

    @property
    def is_mesh(self) -> bool:
        """Whether it means the sidecars of the mesh, which no Gateway stands for."""
        return not self.namespace

    def gateway(self, cluster: Cluster) -> Object | None:
        found = cluster.find("Gateway", self.namespace, self.name)
        return found if isinstance(found, Object) else None


def gateway_references(route: Object) -> dict[str, GatewayReference]:
    """The gateways of a VirtualService, by the text that names each."""
    return {text: GatewayReference.of(text, route.namespace) for text in route.spec.get("gateways", [])}


def gateways(cluster: Cluster, route: Object) -> list[Object]:
    """The Gateways of a VirtualService that are made here."""
    found = (reference.gateway(cluster) for reference in gateway_references(route).values())
    return [gateway for gateway in found if gateway]


@dataclass(frozen=True)
class ServedHost:
    """One entry of a Gateway server's hosts: `namespace/host`, with `*` in either part."""

    namespace: str
    host: str

    @classmethod
    def of(cls, text: str) -> "ServedHost":
        namespace, slash, host = text.partition("/")
        return cls(namespace, host) if slash else cls("*", text)

    @property
    def is_exact(self) -> bool:
        """Whether it lets one host of one namespace in, and no other."""
        return "*" not in self.namespace + self.host

    def admits(self, namespace: str, host: str) -> bool:
        """Whether a VirtualService in a namespace may bind a host."""
        return self.namespace in ("*", namespace) and covers(self.host, host)


def covers(pattern: str, host: str) -> bool:
    """Whether a host, or a pattern like `*.example.com`, is for a host."""
    return pattern in ("*", host) or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def served_hosts(gateway: Object) -> list[str]:
    """The entries of all servers of a Gateway, as they are written."""
    return [host for server in gateway.spec.get("servers", []) for host in server.get("hosts", [])]


@dataclass(frozen=True)
class Destination:
    """Where a route sends requests, or copies of them; without a port, to the only one that the Service has."""

    host: Host
    port: int | None
    subset: str

    @classmethod
    def of(cls, document: Document, namespace: str) -> "Destination":
        port = (document.get("port") or {}).get("number")
        return cls(Host.of(document["host"], namespace), port, document.get("subset") or "")


@dataclass(frozen=True)
class Route:
    """One entry of a VirtualService's `http`, `tls` or `tcp`; `name` is its number where it has none."""

    section: str
    name: str
    entry: Document
    destinations: tuple[Destination, ...]
    mirrors: tuple[Destination, ...]

    @property
    def matches(self) -> list[Document]:
        """What it matches, one condition of which is enough; one without conditions where it takes everything."""
        return self.entry.get("match") or [{}]


def routes(item: Object, *sections: str) -> Iterator[Route]:
    """The routes of a VirtualService, of these sections or of all."""
    for section in sections or SECTIONS:
        for number, entry in enumerate(item.spec.get(section, []), 1):
            mirrors = [entry["mirror"]] if "mirror" in entry else []
            mirrors += [mirror["destination"] for mirror in entry.get("mirrors", [])]
            yield Route(
                section,
                str(entry.get("name", number)),
                entry,
                tuple(Destination.of(target["destination"], item.namespace) for target in entry.get("route", [])),
                tuple(Destination.of(mirror, item.namespace) for mirror in mirrors),
            )


def destinations(item: Object, *sections: str) -> list[Destination]:
    """Where the routes of a VirtualService send requests, each place once."""
    return list(dict.fromkeys(place for route in routes(item, *sections) for place in route.destinations))


def ends(cluster: Cluster, item: Object) -> Iterator[tuple[Object, Port]]:
    """The workloads that a VirtualService leads to, each with the port of its pods, where both are made here."""
    found: dict[tuple[str, str, Port], tuple[Object, Port]] = {}
    for destination in destinations(item):
        for workload, port in _ends_of(cluster, destination):
            found[workload.kind, workload.name, port] = workload, port
    yield from found.values()


def _ends_of(cluster: Cluster, destination: Destination) -> Iterator[tuple[Object, Port]]:
    service = destination.host.service(cluster)
    if not isinstance(service, Object) or not service.spec.get("selector"):
        return
    ports = [port for port in service.spec.get("ports", []) if destination.port in (None, port["port"])]
    targets = [port.get("targetPort", port["port"]) for port in ports]
    for workload in cluster.selected(service.namespace, service.spec["selector"]):
        for port in declared(containers(workload.document)):
            if port.number in targets or (port.name and port.name in targets):
                yield workload, port
