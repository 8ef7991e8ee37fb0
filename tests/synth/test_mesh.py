"""The model of the mesh: what a host, a gateway's name, an entry of a server and a route mean."""

import pytest

from synth.cluster import Cluster
from synth.mesh import (
    SECTIONS,
    Destination,
    GatewayReference,
    Host,
    ServedHost,
    destinations,
    ends,
    gateway_references,
    gateways,
    routes,
    service_host,
)
from synth.tree import Object
from tests.synth.objects import PROVIDED, environment, find, istio, put, tree

FULL = "wiki.wiki.svc.cluster.local"


def cluster(*more: dict[str, object]) -> Cluster:
    return Cluster(tree([*environment(), *more]), PROVIDED)


def route(**spec: object) -> Object:
    return Object(istio("VirtualService", **spec), "charts/wiki.py", "deploy/apps/wiki/it.yaml")


@pytest.mark.parametrize(
    ("text", "name", "namespace"),
    [
        ("wiki", "wiki", "here"),
        (FULL, "wiki", "wiki"),
        ("wiki.wiki", "", ""),
        ("wiki.wiki.svc", "", ""),
        ("wiki.example.com", "", ""),
        ("wiki.svc.cluster.local", "", ""),
        ("*.wiki.svc.cluster.local.", "", ""),
    ],
)
def test_a_host_is_a_service_by_its_name_or_in_full(text: str, name: str, namespace: str) -> None:
    host = Host.of(text, "here")
    assert (host.name, host.namespace) == (name, namespace)
    assert host.in_full == (service_host(name, namespace) if name else text)


def test_a_host_finds_its_service_made_here_or_provided() -> None:
    here = cluster()
    assert Host.of("wiki", "wiki").service(here) is here.find("Service", "wiki", "wiki")
    assert Host.of("outside.istio-system.svc.cluster.local", "wiki").service(here) in PROVIDED
    assert Host.of("wiki", "istio-system").service(here) is None
    assert Host.of("wiki.wiki", "wiki").service(here) is None


def test_a_gateway_is_named_with_its_namespace_in_its_own_or_is_the_mesh() -> None:
    assert GatewayReference.of("istio-system/main", "wiki") == GatewayReference("istio-system", "main")
    assert GatewayReference.of("main", "istio-system") == GatewayReference("istio-system", "main")
    assert GatewayReference.of("mesh", "wiki").is_mesh
    assert not GatewayReference.of("wiki/mesh", "wiki").is_mesh


def test_the_gateways_of_a_route_are_those_that_are_made_here() -> None:
    here = cluster()
    item = route(gateways=["mesh", "istio-system/main", "istio-system/other", "main"])
    assert list(gateway_references(item)) == ["mesh", "istio-system/main", "istio-system/other", "main"]
    assert gateways(here, item) == here.of("Gateway")


@pytest.mark.parametrize(
    ("text", "exact", "admitted"),
    [
        ("wiki/wiki.localhost", True, True),
        ("wiki.localhost", False, True),
        ("*/wiki.localhost", False, True),
        ("wiki/*.localhost", False, True),
        ("wiki/*", False, True),
        ("other/wiki.localhost", True, False),
        ("wiki/localhost", True, False),
        ("wiki/*.wiki.localhost", False, False),
    ],
)
def test_an_entry_of_a_server_admits_hosts_of_namespaces(text: str, exact: bool, admitted: bool) -> None:
    entry = ServedHost.of(text)
    assert entry.is_exact == exact
    assert entry.admits("wiki", "wiki.localhost") == admitted


def test_the_routes_of_every_section_are_read_alike() -> None:
    to_wiki = [{"destination": {"host": "wiki", "port": {"number": 80}, "subset": "stable"}}]
    item = route(**{section: [{"route": to_wiki}] for section in SECTIONS})
    found = list(routes(item))
    assert [one.section for one in found] == list(SECTIONS)
    there = Destination(Host("wiki", "wiki", "wiki"), 80, "stable")
    assert [one.destinations for one in found] == [(there,)] * len(SECTIONS)
    assert destinations(item) == [there]
    assert [one.section for one in routes(item, "tcp")] == ["tcp"]


def test_a_route_has_a_name_or_its_number_and_matches_everything_unless_it_says_what() -> None:
    match = [{"uri": {"prefix": "/a"}}]
    first, second = routes(route(http=[{"name": "a", "match": match}, {"redirect": {"uri": "/"}}]))
    assert (first.name, first.matches) == ("a", match)
    assert (second.name, second.matches, second.destinations) == ("2", [{}], ())


def test_mirrors_are_no_destinations() -> None:
    copies = {"mirror": {"host": "one"}, "mirrors": [{"destination": {"host": "two"}}]}
    (only,) = routes(route(http=[{**copies, "route": [{"destination": {"host": "wiki"}}]}]))
    assert [place.host.name for place in only.destinations] == ["wiki"]
    assert [place.host.name for place in only.mirrors] == ["one", "two"]


def test_a_route_ends_at_the_ports_of_the_pods_behind_its_services() -> None:
    here = cluster()
    (workload,) = here.workloads
    (item,) = here.of("VirtualService")
    assert [(end, port.number, port.name) for end, port in ends(here, item)] == [(workload, 8000, "http")]
    elsewhere = find(environment(), "VirtualService")
    put(elsewhere, "spec/http/0/route/0/destination/port/number", 81)
    assert list(ends(here, Object(elsewhere, "charts/wiki.py", "it.yaml"))) == []
