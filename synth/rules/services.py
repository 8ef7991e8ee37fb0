"""Rules for Services: each leads to the pods of one workload, on a port that they offer."""

from collections.abc import Iterator
from difflib import get_close_matches

from synth.cluster import Cluster, Provided, Rule, Violation, shown
from synth.manifest import Document
from synth.mesh import SPOKEN
from synth.pods import Port, containers, declared, port_names
from synth.tree import Object


def services_reach_one_workload(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("Service"):
        selector = item.spec.get("selector")
        if not selector:
            continue
        targets = cluster.selected(item.namespace, selector)
        if len(targets) != 1:
            found = ", ".join(map(str, targets)) or "none"
            yield Violation(
                item,
                f"selects pods with {shown(selector)}, which must be those of one workload in namespace "
                f"{item.namespace}, but are those of {found}",
            )
            continue
        offered = port_names(containers(targets[0].document))
        for port in item.spec.get("ports", []):
            target = port.get("targetPort", port["port"])
            if target not in offered:
                yield Violation(
                    item,
                    f"sends port {port['port']} to target port {target}, but the pods of {targets[0]} offer "
                    f"{', '.join(map(str, offered)) or 'none'}",
                )
            elif not any(_is_for(port, own) for own in declared(containers(targets[0].document))):
                yield Violation(
                    item,
                    f"sends port {port['port']}/{port.get('protocol', 'TCP')} to target port {target}, which the pods "
                    f"of {targets[0]} have for another protocol: let the two agree",
                )


def _is_for(port: Document, own: Port) -> bool:
    """Whether a Service's port leads to a port of pods, protocol and all."""
    target = port.get("targetPort", port["port"])
    return target in (own.number, own.name) and port.get("protocol", "TCP") == own.protocol


def services_lead_to_pods_that_serve(cluster: Cluster) -> Iterator[Violation]:
    """Where pods are chosen beside their readiness, or on the caller's node alone, calls fail while others could serve.

    https://kubernetes.io/docs/concepts/services-networking/service-traffic-policy/
    """
    for item in cluster.of("Service"):
        if item.spec.get("publishNotReadyAddresses") is True and item.spec.get("clusterIP") != "None":
            yield Violation(
                item,
                "sends requests to pods that are not ready: leave publishNotReadyAddresses out, it is for the members "
                "of a store that find each other by a headless Service",
            )
        if item.spec.get("internalTrafficPolicy") == "Local" and (selector := item.spec.get("selector")):
            for target in cluster.selected(item.namespace, selector):
                if target.kind != "DaemonSet":
                    yield Violation(
                        item,
                        f"leads to pods on the caller's node alone, and {target} has none on most nodes: leave "
                        "internalTrafficPolicy out, or prefer near ones with trafficDistribution PreferSameNode",
                    )


def headless_services_have_the_ports_of_their_pods(cluster: Cluster) -> Iterator[Violation]:
    """Whoever asks for one gets the addresses of its pods, and nothing is there that turns one port into another."""
    for item in cluster.of("Service"):
        selector = item.spec.get("selector")
        if item.spec.get("clusterIP") != "None" or not selector:
            continue
        for target in cluster.selected(item.namespace, selector):
            own = {port.name: port.number for port in declared(containers(target.document))}
            for port in item.spec.get("ports") or []:
                given = port.get("targetPort", port["port"])
                number = own.get(given, given)
                if isinstance(number, int) and number != port["port"]:
                    yield Violation(
                        item,
                        f"is headless, so that its callers ask the pods of {target} at port {port['port']}, and these "
                        f"listen on {number}: write port {number}, or leave clusterIP out",
                    )


def slices_are_of_a_service(cluster: Cluster) -> Iterator[Violation]:
    """Nobody reads the addresses of an EndpointSlice that names no Service, and a selector's are written by Kubernetes.

    https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors
    """
    for item in cluster.of("EndpointSlice"):
        name = (item.document["metadata"].get("labels") or {}).get(OF_SERVICE)
        service = cluster.find("Service", item.namespace, name) if name else None
        if not name:
            yield Violation(item, f"is of no Service, and so nobody is sent to it: name one in the label {OF_SERVICE}")
        elif service is None:
            yield Violation(item, f"is of Service {name}, {cluster.unknown('Service', item.namespace)}")
        elif isinstance(service, Object) and service.spec.get("selector"):
            yield Violation(
                item,
                f"is of {service}, whose selector finds the pods by itself: leave out the one or the other",
            )


def visitors_stay_where_istio_keeps_them(cluster: Cluster) -> Iterator[Violation]:
    """Who calls through a proxy is sent to a pod by it, and that goes by a DestinationRule alone.

    Of a headless Service the caller takes a pod itself.
    """
    for item in cluster.of("Service"):
        if (
            item.spec.get("clusterIP") != "None"
            and item.spec.get("sessionAffinity") == "ClientIP"
            and any(map(cluster.has_sidecar, cluster.selected(item.namespace, item.spec.get("selector") or {})))
        ):
            yield Violation(
                item,
                "has sessionAffinity ClientIP, by which no proxy of Istio goes: write loadBalancer.consistentHash in "
                "its DestinationRule, as in useSourceIp or httpCookie",
            )


OF_SERVICE = "kubernetes.io/service-name"


def who_names_a_service_finds_it(cluster: Cluster) -> Iterator[Violation]:
    """The Service that gives a StatefulSet's pods their names, and those that an Ingress leads to."""
    for item in cluster.of("StatefulSet"):
        name = item.spec.get("serviceName")
        if name and not cluster.find("Service", item.namespace, name):
            yield Violation(
                item, f"takes the names of its pods from Service {name}, {cluster.unknown('Service', item.namespace)}"
            )
    for item in cluster.of("Ingress"):
        kind = item.spec.get("ingressClassName")
        if kind and not cluster.find("IngressClass", "", kind):
            yield Violation(item, f"is of IngressClass {kind}, {cluster.unknown('IngressClass', '')}")
        paths = [path for rule in item.spec.get("rules") or [] for path in (rule.get("http") or {}).get("paths") or []]
        backends = [item.spec.get("defaultBackend") or {}, *(path.get("backend") or {} for path in paths)]
        for backend in (backend["service"] for backend in backends if "service" in backend):
            service = cluster.find("Service", item.namespace, backend["name"])
            if service is None:
                unknown = cluster.unknown("Service", item.namespace)
                yield Violation(item, f"leads to Service {backend['name']}, {unknown}")
            elif (port := _port(backend)) not in (offered := _offered(service)):
                known = ", ".join(map(str, offered))
                yield Violation(item, f"leads to port {port} of Service {backend['name']}, which offers {known}")


def ports_say_what_is_spoken(cluster: Cluster) -> Iterator[Violation]:
    """Istio guesses where nothing says what is spoken; a word that is like one of its own was meant to say it.

    https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/
    """
    known = [name.lower() for name in SPOKEN]
    for item in cluster.of("Service"):
        for port in item.spec.get("ports") or []:
            said = port.get("appProtocol")
            first = str(said or port.get("name", "")).lower()
            if first.startswith("grpc-web") or (said and "/" in said):
                continue
            word = first.partition("-")[0]
            other = str(port.get("name", "")).lower().partition("-")[0]
            if said and other in known and word in known and {word, other} != {"http", "http2"} and word != other:
                yield Violation(
                    item,
                    f"has port {port.get('port')} called {port['name']} and with appProtocol {said}, which alone "
                    "counts: let them agree",
                )
            near = get_close_matches(word, known, 1, ALIKE)
            if word not in known and (near or said):
                yield Violation(
                    item,
                    f"has port {port.get('port')} speak {said or port['name']}, which Istio does not know: "
                    + (f"write {near[0]}" if near else f"there are {', '.join(known)}"),
                )


def ports_of_others_speak_no_http(cluster: Cluster) -> Iterator[Violation]:
    """Where Istio is told HTTP it waits for the beginning of a request, which the likes of a database never send."""
    for item in cluster.objects:
        ports = item.spec.get("ports") or [] if (item.kind, item.group) in PORTS_OF else []
        for port in ports:
            said = str(port.get("appProtocol") or port.get("protocol" if item.group else "name", "")).lower()
            if said.partition("-")[0] not in OVER_HTTP:
                continue
            numbers = [port.get(field) for field in ("port", "number", "targetPort")]
            numbers += _named(cluster, item, str(port.get("targetPort")))
            if known := next((number for number in numbers if number in WELL_KNOWN), None):
                name = WELL_KNOWN[known]
                yield Violation(
                    item,
                    f"has port {known} speak {said}, where everybody else speaks {name}: say tcp, as in "
                    f"tcp-{name.lower()}, or choose another port for HTTP",
                )


def _named(cluster: Cluster, service: Object, name: str) -> list[int]:
    """The ports of that name of the pods that a Service selects."""
    selector = service.spec.get("selector")
    pods = cluster.selected(service.namespace, selector) if selector else []
    return [port.number for pod in pods for port in declared(containers(pod.document)) if port.name == name]


PORTS_OF = {("Service", ""), ("ServiceEntry", "networking.istio.io")}
OVER_HTTP = ("http", "http2", "grpc")
# https://www.iana.org/assignments/service-names-port-numbers/, and what each comes with
WELL_KNOWN = {
    22: "SSH",
    25: "SMTP",
    389: "LDAP",
    587: "SMTP",
    1433: "MSSQL",
    1521: "Oracle",
    3306: "MySQL",
    5432: "PostgreSQL",
    5672: "AMQP",
    6379: "Redis",
    9092: "Kafka",
    11211: "memcached",
    27017: "MongoDB",
}
"""Ports at which nobody expects HTTP, by what is spoken there."""

ALIKE = 0.75
"""From which share of equal letters on a word is taken for another one misspelt."""


def _port(backend: Document) -> str | int | None:
    port = backend.get("port") or {}
    found: str | int | None = port.get("number") or port.get("name")
    return found


def _offered(service: Object | Provided) -> list[str | int]:
    """What a port of a Service may be called: its number, and its name where it has one."""
    if isinstance(service, Provided):
        return list(service.ports)
    ports = service.spec.get("ports") or []
    return [*(port["port"] for port in ports), *(port["name"] for port in ports if port.get("name"))]


WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def webhooks_are_answered(cluster: Cluster) -> Iterator[Violation]:
    """What nobody answers for is refused, or let through unseen; if that is everything, the cluster stands still.

    https://kubernetes.io/docs/concepts/cluster-administration/admission-webhooks-good-practices/
    """
    for item in (item for kind in WEBHOOKS for item in cluster.of(kind)):
        for webhook in item.document.get("webhooks") or []:
            name, client = webhook.get("name"), webhook.get("clientConfig") or {}
            service = client.get("service")
            if service and not cluster.find("Service", service.get("namespace", ""), service.get("name", "")):
                where = service.get("namespace", "")
                yield Violation(
                    item,
                    f"has webhook {name} asked of Service {service.get('name')} in namespace {where}, "
                    f"{cluster.unknown('Service', where)}",
                )
            everything = any("*" in (rule.get("resources") or []) for rule in webhook.get("rules") or [])
            narrowed = webhook.get("namespaceSelector") or webhook.get("objectSelector")
            if everything and not narrowed and webhook.get("failurePolicy", "Fail") == "Fail":
                yield Violation(
                    item,
                    f"has webhook {name} asked of everything in every namespace, so that nothing can be changed while "
                    "nobody answers, its own pods neither: name its resources, or the namespaces in namespaceSelector",
                )


RULES: tuple[Rule, ...] = (
    services_reach_one_workload,
    services_lead_to_pods_that_serve,
    headless_services_have_the_ports_of_their_pods,
    slices_are_of_a_service,
    visitors_stay_where_istio_keeps_them,
    who_names_a_service_finds_it,
    ports_say_what_is_spoken,
    ports_of_others_speak_no_http,
    webhooks_are_answered,
)
