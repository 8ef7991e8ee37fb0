"""When nothing answers: pods that all go before the next are ready, what is renamed, hosts and ports that are gone."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from synth.changes.deletion import EXAMPLES
from synth.changes.sides import Hazard, Risk, Sides, code
from synth.cluster import Cluster
from synth.manifest import Document
from synth.pods import SERVING, containers, pod_labels, pod_template
from synth.scale import autoscaler, scale
from synth.tree import Object


def hazards(sides: Sides, explained: frozenset[int]) -> Iterator[Hazard]:
    """Every outage; `explained` are the removed objects of which somebody has spoken already."""
    if sides.stopped:
        return
    gone = [item for item in sides.going if id(item) not in explained]
    yield from _workloads_gone(sides, gone)
    yield from _services(sides, gone)
    yield from _hosts(sides, explained)
    yield from _ports_of_gateways(sides, gone)
    for old, new in sides.both:
        if new.kind in SERVING:
            yield from _no_pods(sides, old, new)
            yield from _all_at_once(sides, old, new)
            yield from _autoscaled(sides, old, new)


def successor(sides: Sides, item: Object) -> Object | None:
    """What came instead of a workload that is removed, in its namespace: of its labels, or with its images."""
    images = {container.get("image") for container in containers(item.document)}
    beside = [other for other in sides.added if other.namespace == item.namespace and other.kind in SERVING]
    for other in beside:
        if other.name == item.name or pod_labels(other.document) == pod_labels(item.document) != {}:
            return other
    return next((o for o in beside if images & {c.get("image") for c in containers(o.document)}), None)


def _workloads_gone(sides: Sides, gone: Iterable[Object]) -> Iterator[Hazard]:
    for item in gone:
        if item.kind not in SERVING:
            continue
        if heir := successor(sides, item):
            yield Hazard(
                Risk.OUTAGE,
                item,
                f"It is {heir.kind} {code(heir.name)} now. Flux deletes the old one as soon as the new one is applied, "
                "before its pods are ready: nothing answers meanwhile.",
                (
                    f"Add {heir.kind} {code(heir.name)} beside it in a first commit; wait until its pods are ready.",
                    "Let the Service, and what else selects its pods, mean the new ones.",
                    "Remove the old one in a second commit.",
                ),
            )
        else:
            yield Hazard(
                Risk.OUTAGE,
                item,
                "Flux deletes it and its pods: whoever calls them gets no answer.",
                ("Remove what calls it first: routes, other apps, people's bookmarks. Then acknowledge this.",),
            )


def _services(sides: Sides, gone: Iterable[Object]) -> Iterator[Hazard]:
    for item in gone:
        if item.kind != "Service":
            continue
        heir = _heir_of_a_service(sides, item)
        named, other = (f"It is called {code(heir)} now. ", code(heir)) if heir else ("", "another Service")
        yield Hazard(
            Risk.OUTAGE,
            item,
            f"{named}Its name and its address go at once: {code(f'{item.name}.{item.namespace}')} leads nowhere for "
            "whoever still calls it, and for the gateways until they have the new route.",
            (
                f"Add {other} beside it in a first commit, and let callers and routes name that one.",
                "Remove the old one in a second commit, when nobody calls it.",
            ),
        )
    for old, new in sides.same_name("Service"):
        before, after = (_ports(side) for side in (old, new))
        if lost := sorted(before - after):
            ports = " and ".join(code(f"{number}/{protocol}") for number, protocol in lost)
            yield Hazard(
                Risk.OUTAGE,
                new,
                f"Its port {ports} goes: whoever calls it there gets no answer.",
                (
                    "Add the new port beside the old one in a first commit, and let callers use that one.",
                    "Remove the old one in a second commit.",
                ),
            )
        outside = [side.spec.get("type", "ClusterIP") for side in (old, new)]
        if outside[0] == "LoadBalancer" and outside[1] != "LoadBalancer":
            yield Hazard(
                Risk.OUTAGE,
                new,
                "It is no LoadBalancer any more: its address outside the cluster is given up, and another one comes if "
                "it is made again.",
                ("Lead DNS to another address first, and wait until nobody uses the old one.",),
            )


def _heir_of_a_service(sides: Sides, service: Object) -> str:
    """The name of the new Service that came instead: for the same pods, or with the same ports."""
    beside = [item for item in sides.added if item.kind == "Service" and item.namespace == service.namespace]
    same = [item for item in beside if _selector(item) == _selector(service) != {}]
    ports = [item for item in beside if _ports(item) == _ports(service)]
    return next((item.name for item in (*same, *ports)), "")


def _selector(service: Object) -> Document:
    return service.spec.get("selector") or {}


def _ports(service: Object) -> set[tuple[int, str]]:
    return {(port["port"], port.get("protocol", "TCP")) for port in service.spec.get("ports") or []}


# Hosts


def _hosts(sides: Sides, explained: frozenset[int]) -> Iterator[Hazard]:
    after = [host for item in sides.after.objects for host in _hosts_of(item)]
    seen = set()
    for item in sides.before.objects:
        if id(item) in explained:
            continue
        now = sides.now(item)
        lost = [host for host in _hosts_of(item) if not any(_covers(other, host) for other in after)]
        come = [host for host in (_hosts_of(now) if now else []) if host not in _hosts_of(item)]
        lost = [host for host in lost if host not in seen and not (_is_example(host) and any(map(_is_real, come)))]
        seen |= set(lost)
        if lost:
            hosts, moved = " and ".join(map(code, lost)), " and ".join(map(code, come))
            yield Hazard(
                Risk.OUTAGE,
                now or item,
                f"Its host {'moves' if moved else 'goes'}: the gateway answers 404 there at once, for every bookmark, "
                "link and caller that has the old address.",
                MOVING if moved else GOING,
                f"{hosts} to {moved}" if moved else hosts,
            )


MOVING = (
    "Serve both hosts in a first commit, the old one beside the new one.",
    "Wait until the new one has DNS and a certificate, and until people use it.",
    "Remove the old host in a later commit.",
)
GOING = (
    "Tell whoever uses it, and let the host lead elsewhere first.",
    "Remove it in a later commit.",
)


def _hosts_of(item: Object) -> list[str]:
    """The hosts at which an object takes requests from outside the cluster."""
    match item.kind:
        case "VirtualService" if set(item.spec.get("gateways") or ["mesh"]) - {"mesh"}:
            found = item.spec.get("hosts") or []
        case "Ingress":
            found = [rule.get("host", "*") for rule in item.spec.get("rules") or []]
        case "HTTPRoute" | "GRPCRoute" | "TLSRoute":
            found = item.spec.get("hostnames") or []
        case _:
            found = []
    return [host for host in dict.fromkeys(map(str, found)) if host != "*"]


def _covers(pattern: str, host: str) -> bool:
    return pattern == host or (pattern.startswith("*.") and fnmatchcase(host, pattern))


def _is_example(host: str) -> bool:
    return any(host == name.lstrip(".") or host.endswith(f".{name.lstrip('.')}") for name in EXAMPLES)


def _is_real(host: str) -> bool:
    return not _is_example(host)


def _ports_of_gateways(sides: Sides, gone: Iterable[Object]) -> Iterator[Hazard]:
    for old in (*gone, *(old for old, _ in sides.same_name("Gateway"))):
        if old.kind != "Gateway":
            continue
        new = sides.now(old)
        lost = sorted(_servers(old) - (_servers(new) if new else set()))
        if lost:
            ports = " and ".join(code(f"{number} ({protocol})") for number, protocol in lost)
            yield Hazard(
                Risk.OUTAGE,
                new or old,
                f"The gateway no longer takes {ports}: whoever comes there gets no answer.",
                ("Lead callers to another port first, then remove this one.",),
            )


def _servers(gateway: Object) -> set[tuple[int, str]]:
    """The ports of a gateway of Istio's, or of the Gateway API's, with what is spoken there."""
    ports = [server.get("port") or {} for server in gateway.spec.get("servers") or []]
    listeners = gateway.spec.get("listeners") or []
    return {
        *((port.get("number", 0), port.get("protocol", "")) for port in ports),
        *((listener.get("port", 0), listener.get("protocol", "")) for listener in listeners),
    }


# Pods


def _no_pods(sides: Sides, old: Object, new: Object) -> Iterator[Hazard]:
    if new.kind != "DaemonSet" and scale(sides.before, old)[0] > 0 and scale(sides.after, new)[0] == 0:
        yield Hazard(
            Risk.OUTAGE,
            new,
            "It has no pods any more: whoever calls it gets no answer.",
            ("To stop it for an hour, scale it in the cluster, not in Git.", "To remove it, remove all of it."),
        )


def _all_at_once(sides: Sides, old: Object, new: Object) -> Iterator[Hazard]:
    """A rollout that ends the last pod before the next one is ready."""
    before, after = (pod_template(side.document) for side in (old, new))
    if before == after or min(scale(sides.before, old)[0], scale(sides.after, new)[0]) == 0:
        return
    if not (why := _ends_first(sides.after, new)):
        return
    released = _without_images(before) == _without_images(after)
    yield Hazard(
        Risk.OUTAGE,
        new,
        f"Its pods change, and {why}: nothing answers until a new pod is ready"
        f"{', which is what a release of it takes' if released else ''}.",
        (
            "Merge it when that is no trouble, and tell whoever uses it.",
            "If it has to go on: a rolling update, which takes no volume, or one that several nodes can mount.",
        ),
        notice=released,
    )


def _ends_first(cluster: Cluster, workload: Object) -> str:
    """Why a rollout leaves no pod, empty if one goes on."""
    pods = scale(cluster, workload)[0]
    match workload.kind:
        case "Deployment":
            strategy = workload.spec.get("strategy") or {}
            if strategy.get("type") == "Recreate":
                return "its strategy is Recreate"
            unavailable = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", "25%")
            # Rounded down: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-unavailable
            may_go = pods * int(unavailable.rstrip("%")) // 100 if isinstance(unavailable, str) else unavailable
            return f"{code('maxUnavailable')} lets all {pods} go at once" if may_go >= pods else ""
        case "StatefulSet":
            if (workload.spec.get("updateStrategy") or {}).get("type") == "OnDelete":
                return ""
            return "the one pod of a StatefulSet ends before the next starts" if pods == 1 else ""
        case _:
            rolling = (workload.spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
            every = rolling.get("maxUnavailable") == "100%"
            return f"{code('maxUnavailable')} lets the pods of all nodes go at once" if every else ""


def _without_images(template: Document) -> Document:
    spec = template.get("spec") or {}
    plain = {
        key: [{**container, "image": ""} for container in spec[key]]
        for key in ("containers", "initContainers")
        if spec.get(key)
    }
    return {**template, "spec": {**spec, **plain}}


def _autoscaled(sides: Sides, old: Object, new: Object) -> Iterator[Hazard]:
    """Whose number of pods changes hands: the server writes 1 where Flux gives up a number.

    https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/#migrating-deployments-and-statefulsets-to-horizontal-autoscaling
    """
    had = old.spec.get("replicas")
    if isinstance(had, int) and had > 1 and "replicas" not in new.spec:
        scaled = autoscaler(sides.after, new)
        yield Hazard(
            Risk.OUTAGE,
            new,
            f"{code('spec.replicas')} leaves the file: the server makes it 1, and {had - 1} of {had} pods end"
            + (" until the autoscaler has counted." if scaled else ", for good."),
            (
                "Merge it when one pod is enough for a minute.",
                *(() if scaled else (f"Or leave {code('spec.replicas')} in the file.",)),
            ),
            notice=bool(scaled),
        )
