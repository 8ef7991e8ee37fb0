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
    found: dict[Route, None] = {}
    for item in cluster.of("VirtualService"):
        for gateway in gateways(cluster, item):
            for way in routes(item):
                for address in _addresses(item, gateway, way):
                    for place in way.destinations:
                        service = Party("Service", place.host.namespace, place.host.name or place.host.text)
                        folder = item.folder.removeprefix(f"{root}/")
                        found[
                            Route(
                                item.name,
                                folder,
                                Party("Gateway", gateway.namespace, gateway.name),
                                address,
                                service,
                                place.port,
                            )
                        ] = None
    yield from found


def _addresses(item: Object, gateway: Object, way: MeshRoute) -> Iterator[Address]:
    """Where a gateway takes the requests that one route of a VirtualService is for."""
    for match in way.matches:
        for host in match.get("sniHosts") or item.spec.get("hosts", []):
            for server in gateway.spec.get("servers", []):
                number, spoken = server["port"]["number"], _spoken(server)
                serves = any(ServedHost.of(entry).admits(item.namespace, host) for entry in server.get("hosts", []))
                if serves and SECTIONS.get(spoken, "http") == way.section and match.get("port", number) == number:
                    yield Address(host, _path(match.get("uri") or {}), number, spoken)


def _path(uri: Document) -> str:
    """The path that a match is for: the same for a path itself and for all that is below it."""
    text = str(uri.get("exact") or uri.get("prefix") or "").rstrip("/")
    return f" matching {uri['regex']}" if "regex" in uri else text
