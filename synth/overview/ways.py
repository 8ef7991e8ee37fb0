"""The ways into the cluster: gateways, and which address leads to which Service."""

from collections.abc import Iterator

from synth.cluster import Cluster
from synth.manifest import Document
from synth.mesh import Route as MeshRoute
from synth.mesh import ServedHost, gateways, routes
from synth.overview.model import Address, Gateway, Party, Route
from synth.tree import Object

SECTIONS = {"TLS": "tls", "TCP": "tcp", "MONGO": "tcp", "MYSQL": "tcp"}
"""Which routes of a VirtualService a server is for, by what is spoken there; the others are for `http`."""


def gateway_of(item: Object) -> Gateway:
    ports = {(server["port"]["number"], _spoken(server)): None for server in item.spec.get("servers", [])}
    return Gateway(item.namespace, item.name, tuple(ports))


def _spoken(server: Document) -> str:
    """What is spoken at a server's port; TLS where the gateway reads no more than the name in the greeting."""
    mode = str((server.get("tls") or {}).get("mode", ""))
    return "TLS" if mode.endswith("PASSTHROUGH") else str(server["port"]["protocol"])


def ways(cluster: Cluster, root: str) -> Iterator[Route]:
    """Every way from a gateway to a Service, each once; what is only sent elsewhere, as to HTTPS, is none."""
    doors = {id(gateway): _Doors(gateway) for gateway in cluster.of("Gateway")}
    found: dict[Route, None] = {}
    for item in cluster.of("VirtualService"):
        for gateway in gateways(cluster, item):
            party = Party("Gateway", gateway.namespace, gateway.name)
            for way in routes(item):
                for address in _addresses(item, doors[id(gateway)], way):
                    for place in way.destinations:
                        service = Party("Service", place.host.namespace, place.host.name or place.host.text)
                        folder = item.folder.removeprefix(f"{root}/")
                        found[Route(item.name, folder, party, address, service, place.port)] = None
    yield from found


class _Doors:
    """The servers of a gateway by the hosts that they let in, since there may be a server for each host."""

    def __init__(self, gateway: Object) -> None:
        self._exact: dict[ServedHost, list[Document]] = {}
        self._wide: list[tuple[ServedHost, Document]] = []
        for server in gateway.spec.get("servers", []):
            for entry in map(ServedHost.of, server.get("hosts", [])):
                if entry.is_exact:
                    self._exact.setdefault(entry, []).append(server)
                else:
                    self._wide.append((entry, server))

    def of(self, namespace: str, host: str) -> list[Document]:
        """The servers that let a VirtualService of a namespace bind a host."""
        wide = [server for entry, server in self._wide if entry.admits(namespace, host)]
        return [*self._exact.get(ServedHost(namespace, host), []), *wide]


def _addresses(item: Object, doors: _Doors, way: MeshRoute) -> Iterator[Address]:
    """Where a gateway takes the requests that one route of a VirtualService is for."""
    for match in way.matches:
        for host in match.get("sniHosts") or item.spec.get("hosts", []):
            for server in doors.of(item.namespace, host):
                number, spoken = server["port"]["number"], _spoken(server)
                if SECTIONS.get(spoken, "http") == way.section and match.get("port", number) == number:
                    yield Address(host, _path(match.get("uri") or {}), number, spoken)


def _path(uri: Document) -> str:
    """The path that a match is for: the same for a path itself and for all that is below it."""
    text = str(uri.get("exact") or uri.get("prefix") or "").rstrip("/")
    return f" matching {uri['regex']}" if "regex" in uri else text
