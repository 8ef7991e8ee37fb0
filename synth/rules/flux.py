"""Rules for what Flux applies: every folder once, in an order in which each finds what it needs."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from synth.cluster import CLUSTER_SCOPED, Cluster, Rule, Violation
from synth.manifest import Document
from synth.mesh import gateway_references
from synth.pods import WORKLOADS, references
from synth.tree import KUSTOMIZATION_FILE, Object

GROUP = "kustomize.toolkit.fluxcd.io"
PRUNE = f"{GROUP}/prune"


def _kustomizations(cluster: Cluster) -> list[Object]:
    return [item for item in cluster.of("Kustomization") if item.group == GROUP]


def _path(kustomization: Object) -> str:
    return str(PurePosixPath(kustomization.spec.get("path", ".")))


def kustomizations_find_what_they_apply(cluster: Cluster) -> Iterator[Violation]:
    """Source and path exist, and what leaves the tree leaves the cluster."""
    for item in _kustomizations(cluster):
        source = item.spec["sourceRef"]
        if not cluster.find(source["kind"], source.get("namespace", item.namespace), source["name"]):
            yield Violation(
                item,
                f"takes its files from {source['kind']} {source['name']}, which does not exist; "
                f"there are {cluster.names(source['kind'], item.namespace)}",
            )
        if f"{_path(item)}/{KUSTOMIZATION_FILE}" not in cluster.tree.files:
            yield Violation(
                item, f"applies {_path(item)}, which is not a folder of this tree with a {KUSTOMIZATION_FILE}"
            )
        if item.spec.get("prune") is not True:
            yield Violation(item, "does not prune: set prune to true, so that what leaves the tree leaves the cluster")


def everything_is_applied_once(cluster: Cluster) -> Iterator[Violation]:
    owners: dict[str, Object] = {}
    for item in _kustomizations(cluster):
        # With one of these the same files become other objects.
        if item.spec.get("targetNamespace") or item.spec.get("postBuild") or item.spec.get("patches"):
            continue
        if (other := owners.setdefault(_path(item), item)) is not item:
            yield Violation(item, f"applies {_path(item)}, as {other} does: one would undo what the other does")
    appliers = _appliers(cluster)
    for folder, items in _folders(cluster).items():
        if appliers and _applier(appliers, folder) is None:
            yield Violation(
                items[0], f"is in {folder}, which no Kustomization applies: there are {', '.join(appliers)}"
            )


def _appliers(cluster: Cluster) -> dict[str, Object]:
    """The Kustomizations by their paths."""
    return {_path(item): item for item in _kustomizations(cluster)}


def _applier(appliers: Mapping[str, Object], folder: str) -> Object | None:
    """The Kustomization that applies a folder."""
    places = (PurePosixPath(folder), *PurePosixPath(folder).parents)
    return next((appliers[str(place)] for place in places if str(place) in appliers), None)


def _folders(cluster: Cluster) -> dict[str, list[Object]]:
    found: dict[str, list[Object]] = {}
    for item in cluster.objects:
        found.setdefault(item.path.rpartition("/")[0], []).append(item)
    return found


def dependencies_are_ready_in_time(cluster: Cluster) -> Iterator[Violation]:
    """What a Kustomization depends on exists, is ready only when it works, and does not depend on it in turn."""
    known = {(item.namespace, item.name): item for item in _kustomizations(cluster)}
    needs = {item.name: [needed["name"] for needed in item.spec.get("dependsOn", [])] for item in known.values()}
    for item in known.values():
        for needed in item.spec.get("dependsOn", []):
            found = known.get((needed.get("namespace", item.namespace), needed["name"]))
            if not found:
                yield Violation(
                    item,
                    f"depends on Kustomization {needed['name']}, which does not exist; "
                    f"there are {cluster.names(item.kind, item.namespace)}",
                )
            elif not found.spec.get("wait") and not found.spec.get("healthChecks"):
                yield Violation(
                    found,
                    f"is what {item} depends on and does not wait for what it applies: set wait to true, so that it is "
                    "ready when that works",
                )
        if item.name in _reached(needs, item.name):
            yield Violation(item, "depends on itself through dependsOn, so Flux would never apply it: break the circle")


def _reached(needs: Mapping[str, list[str]], name: str) -> list[str]:
    """What comes before a Kustomization, directly or through others."""
    reached: list[str] = []
    waiting = list(needs.get(name, []))
    while waiting:
        found = waiting.pop()
        if found not in reached:
            reached.append(found)
            waiting.extend(needs.get(found, []))
    return reached


def what_objects_need_is_applied_before(cluster: Cluster) -> Iterator[Violation]:
    appliers = _appliers(cluster)
    needs = {item.name: [needed["name"] for needed in item.spec.get("dependsOn", [])] for item in appliers.values()}
    before = {name: {name, *_reached(needs, name)} for name in needs}
    applied_by = {
        id(item): applier
        for folder, items in _folders(cluster).items()
        if (applier := _applier(appliers, folder))
        for item in items
    }
    for item in cluster.objects:
        mine = applied_by.get(id(item))
        for kind, namespace, name in _needed_by(item) if mine else ():
            found = cluster.find(kind, namespace, name)
            other = applied_by.get(id(found))
            if mine and other and other.name not in before[mine.name]:
                before[mine.name].add(other.name)
                yield Violation(
                    mine,
                    f"applies {item}, which needs {found} of {other}, and does not wait for it: put {other.name} into "
                    "its dependsOn",
                )


def _needed_by(item: Object) -> Iterator[tuple[str, str, str]]:
    """Kind, namespace and name of what must be there for an object to be of use."""
    if item.namespace:
        yield "Namespace", "", item.namespace
    if item.kind in WORKLOADS:
        for kind, name in references(item.document):
            yield kind, "" if kind in CLUSTER_SCOPED else item.namespace, name
    if item.kind == "VirtualService":
        for reference in gateway_references(item).values():
            yield "Gateway", reference.namespace, reference.name
    if item.kind == "Certificate":
        kind = item.spec["issuerRef"].get("kind", "Issuer")
        yield kind, "" if kind in CLUSTER_SCOPED else item.namespace, item.spec["issuerRef"]["name"]


def nothing_is_suspended(cluster: Cluster) -> Iterator[Violation]:
    """Suspended in Git, an object is never applied again, and nothing reports it."""
    for item in cluster.objects:
        if item.group.endswith("toolkit.fluxcd.io") and item.spec.get("suspend") is True:
            yield Violation(
                item, "is suspended, so Flux leaves it as it is for ever: leave suspend out, and use `flux suspend`"
            )


def nothing_waits_for_what_it_applies(cluster: Cluster) -> Iterator[Violation]:
    appliers = _appliers(cluster)
    known = {(item.namespace, item.name): item for item in _kustomizations(cluster)}
    needs = {item.name: [needed["name"] for needed in item.spec.get("dependsOn", [])] for item in known.values()}
    for item in known.values():
        circle = item.name in _reached(needs, item.name)
        for needed in item.spec.get("dependsOn", []):
            found = known.get((needed.get("namespace", item.namespace), needed["name"]))
            if found and not circle and _applier(appliers, found.folder) is item:
                yield Violation(item, f"waits for {found}, which it applies itself: drop that from its dependsOn")


def what_flux_reads_is_there(cluster: Cluster) -> Iterator[Violation]:
    """Where Flux takes variables, values and charts from."""
    for item in _kustomizations(cluster):
        for source in (item.spec.get("postBuild") or {}).get("substituteFrom") or []:
            yield from _is_there(cluster, item, source, "takes variables from")
    for item in cluster.of("HelmRelease"):
        for source in item.spec.get("valuesFrom") or []:
            yield from _is_there(cluster, item, source, "takes values from")
        chart = ((item.spec.get("chart") or {}).get("spec") or {}).get("sourceRef") or item.spec.get("chartRef") or {}
        if chart:
            yield from _is_there(cluster, item, chart, "takes its chart from")
        else:
            yield Violation(item, "has no chart: name it in spec.chart, or in spec.chartRef")


def _is_there(cluster: Cluster, item: Object, reference: Document, takes: str) -> Iterator[Violation]:
    kind, name = reference.get("kind", ""), reference.get("name", "")
    namespace = reference.get("namespace", item.namespace)
    if not reference.get("optional") and not cluster.find(kind, namespace, name):
        yield Violation(item, f"{takes} {kind} {name} in namespace {namespace}, {cluster.unknown(kind, namespace)}")


def what_is_kept_has_a_namespace_that_is(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.objects:
        namespace = cluster.find("Namespace", "", item.namespace)
        if isinstance(namespace, Object) and _is_kept(item) and not _is_kept(namespace):
            yield Violation(
                namespace,
                f"may be pruned by Flux, and {item} in it, which may not, would go with it: annotate it with "
                f"{PRUNE} disabled",
            )


def _is_kept(item: Object) -> bool:
    return bool((item.document["metadata"].get("annotations") or {}).get(PRUNE) == "disabled")


RULES: tuple[Rule, ...] = (
    kustomizations_find_what_they_apply,
    everything_is_applied_once,
    dependencies_are_ready_in_time,
    what_objects_need_is_applied_before,
    nothing_is_suspended,
    nothing_waits_for_what_it_applies,
    what_flux_reads_is_there,
    what_is_kept_has_a_namespace_that_is,
)
