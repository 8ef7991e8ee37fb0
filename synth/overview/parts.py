"""What stands in one folder of an environment's tree: workloads, Services, volumes, and what they reach outside."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_network

from synth.cluster import Cluster
from synth.manifest import Document
from synth.overview.calls import party
from synth.overview.model import APPS, App, Container, Outside, Party, Route, Service, Volume, Workload
from synth.pods import RESOURCES, WORKLOADS, Port, containers, declared, pod_spec
from synth.policies import closing, opens, rules_of
from synth.quantity import as_quantity
from synth.scale import scale
from synth.takes import pod_takes
from synth.tree import Object

PRUNE = "kustomize.toolkit.fluxcd.io/prune"
"""Annotation that keeps an object in the cluster when it leaves Git, with the value `disabled`."""


def app_of(cluster: Cluster, folder: str, items: list[Object], ways: Mapping[Party, list[Route]]) -> App:
    namespaces = [item.name for item in items if item.kind == "Namespace"] + [item.namespace for item in items]
    services = tuple(_service(cluster, item) for item in items if item.kind == "Service")
    workloads = tuple(_workload(cluster, item) for item in items if item.kind in WORKLOADS)
    claims = [_volume(item.document, item.namespace) for item in items if item.kind == "PersistentVolumeClaim"]
    made = [volume for workload in workloads for volume in workload.volumes if volume not in claims]
    return App(
        name=folder.removeprefix(f"{APPS}/"),
        folder=folder,
        namespace=next(filter(None, namespaces), ""),
        workloads=workloads,
        services=services,
        volumes=tuple(dict.fromkeys((*claims, *made))),
        outside=tuple(_outside(cluster, items)),
        routes=tuple(way for service in services for way in ways.get(service.party, [])),
    )


def _service(cluster: Cluster, item: Object) -> Service:
    selector = item.spec.get("selector")
    leads_to = cluster.selected(item.namespace, selector) if selector else []
    named = {port.name: port.number for workload in leads_to for port in declared(containers(workload.document))}
    targets = [(port["port"], port.get("targetPort", port["port"])) for port in item.spec.get("ports", [])]
    ports = tuple((number, named.get(target, target)) for number, target in targets)
    return Service(item.namespace, item.name, ports, tuple(map(party, leads_to)))


def _workload(cluster: Cluster, item: Object) -> Workload:
    pod = pod_spec(item.document)
    least, most = scale(cluster, item)
    return Workload(
        party(item),
        tuple(
            Container(container["name"], container.get("image", ""), first=field == "initContainers")
            for field in ("initContainers", "containers")
            for container in pod.get(field, [])
        ),
        least,
        most,
        _at_full_scale(cluster, item, most, "requests"),
        _at_full_scale(cluster, item, most, "limits"),
        tuple(_volumes(cluster, item, most)),
        item.spec.get("schedule", ""),
    )


def _at_full_scale(cluster: Cluster, workload: Object, pods: int, kind: str) -> dict[str, str]:
    takes = pod_takes(cluster, workload, kind)
    known = [resource for resource in RESOURCES if resource in takes]
    return {
        resource: as_quantity(pods * takes[resource], binary=resource != "cpu")
        for resource in (*known, *sorted(takes.keys() - RESOURCES))
    }


def _volumes(cluster: Cluster, workload: Object, pods: int) -> Iterator[Volume]:
    """The volumes that stay when a pod of a workload goes: claims that it mounts, and those that it makes."""
    for volume in pod_spec(workload.document).get("volumes", []):
        name = (volume.get("persistentVolumeClaim") or {}).get("claimName", "")
        claim = cluster.find("PersistentVolumeClaim", workload.namespace, name) if name else None
        if isinstance(claim, Object):
            yield _volume(claim.document, claim.namespace)
    # https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention
    kept = (workload.spec.get("persistentVolumeClaimRetentionPolicy") or {}).get("whenDeleted", "Retain") == "Retain"
    for template in workload.spec.get("volumeClaimTemplates", []):
        # The claims are called so, with the number of the pod behind it.
        name = f"{template['metadata']['name']}-{workload.name}"
        yield replace(_volume(template, workload.namespace, kept=kept), name=name, count=pods)


def _volume(claim: Document, namespace: str, *, kept: bool = False) -> Volume:
    spec = claim["spec"]
    return Volume(
        namespace,
        claim["metadata"]["name"],
        str(((spec.get("resources") or {}).get("requests") or {}).get("storage", "")),
        tuple(spec.get("accessModes", [])),
        kept or (claim["metadata"].get("annotations") or {}).get(PRUNE) == "disabled",
    )


def _outside(cluster: Cluster, items: list[Object]) -> Iterator[Outside]:
    for item in items:
        if item.kind == "ServiceEntry":
            for host in item.spec.get("hosts", []):
                for port in item.spec.get("ports", []):
                    addresses = item.spec.get("addresses", [])
                    name = ", ".join(addresses) if addresses else host
                    going = tuple(_going(cluster, item.namespace, addresses, port["number"]))
                    yield Outside(name, port["number"], str(port.get("protocol", "TCP")), going)


def _going(cluster: Cluster, namespace: str, addresses: list[str], port: int) -> Iterator[Party]:
    """The workloads of a namespace that NetworkPolicies let go to addresses; to public ones where none is known."""
    for workload in cluster.selected(namespace, {}):
        policies = closing(cluster, workload, "Egress")
        if not policies or any(_leads_out(rule, addresses, port) for rule in rules_of(policies, "egress")):
            yield party(workload)


def _leads_out(rule: Document, addresses: list[str], port: int) -> bool:
    if not opens(rule, Port(port)):
        return False
    blocks = [ip_network(peer["ipBlock"]["cidr"]) for peer in rule.get("to") or [] if "ipBlock" in peer]
    if not rule.get("to"):
        return True
    if not addresses:
        return any(not block.is_private for block in blocks)
    return any(_within(address, str(block)) for address in addresses for block in blocks)


def _within(address: str, block: str) -> bool:
    inner, outer = ip_network(address), ip_network(block)
    return inner.version == outer.version and outer.supernet_of(inner)  # type: ignore[arg-type]
