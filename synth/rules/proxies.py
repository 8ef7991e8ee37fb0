"""Rules for what pods say to Istio's proxy: values that it reads, and no port that gets past it.

https://istio.io/latest/docs/reference/config/annotations/
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import ip_network

import yaml

from synth.cluster import Cluster, Rule, Violation, shown
from synth.mesh import ROOT_NAMESPACE, ServedHost, service_host
from synth.pods import containers, declared, pod_labels, pod_template
from synth.policies import ways
from synth.quantity import quantity
from synth.tree import Object

TRAFFIC = "traffic.sidecar.istio.io/"
KEYS_ARE_OF = ("sidecar.istio.io/", TRAFFIC, "readiness.status.sidecar.istio.io/", "status.sidecar.istio.io/")
"""What the keys begin with that Istio reads of a pod alone."""
CONFIG = "proxy.istio.io/config"
SIZES = ("proxyCPU", "proxyCPULimit", "proxyMemory", "proxyMemoryLimit")
HIGHEST_PORT = 65535


def _is_size(text: str) -> bool:
    try:
        quantity(text)
    except ValueError:
        return False
    return True


def _is_port(text: str) -> bool:
    return text.isdecimal() and int(text) <= HIGHEST_PORT


def _are_ports(text: str) -> bool:
    return all(_is_port(port) for port in _parts(text))


def _are_networks(text: str) -> bool:
    try:
        return all(ip_network(part, strict=False) for part in _parts(text))
    except ValueError:
        return False


def _is_mapping(text: str) -> bool:
    try:
        return isinstance(yaml.load(text, yaml.CSafeLoader), dict)
    except yaml.YAMLError:
        return False


def _or_all(form: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda text: text == "*" or form(text)


PORTS, NETWORKS = (
    "numbers of ports with commas between them, as in 9000,9100",
    "networks, as in 10.0.0.0/8,192.0.2.7/32",
)
FORMS: dict[str, tuple[Callable[[str], bool], str]] = {
    f"{TRAFFIC}excludeInboundPorts": (_are_ports, PORTS),
    f"{TRAFFIC}excludeOutboundPorts": (_are_ports, PORTS),
    f"{TRAFFIC}includeInboundPorts": (_or_all(_are_ports), f"{PORTS}, or *"),
    f"{TRAFFIC}includeOutboundPorts": (_or_all(_are_ports), f"{PORTS}, or *"),
    f"{TRAFFIC}excludeOutboundIPRanges": (_are_networks, NETWORKS),
    f"{TRAFFIC}includeOutboundIPRanges": (_or_all(_are_networks), f"{NETWORKS}, or *"),
    **{f"sidecar.istio.io/{size}": (_is_size, "an amount, as in 100m or 128Mi") for size in SIZES},
    "sidecar.istio.io/interceptionMode": (lambda text: text in ("REDIRECT", "TPROXY"), "REDIRECT or TPROXY"),
    "status.sidecar.istio.io/port": (_is_port, "the number of a port, or 0 for none"),
    "prometheus.istio.io/merge-metrics": (lambda text: text in ("true", "false"), "true or false"),
    **{
        f"readiness.status.sidecar.istio.io/{field}": (str.isdecimal, "a whole number")
        for field in ("failureThreshold", "initialDelaySeconds", "periodSeconds")
    },
    CONFIG: (_is_mapping, "YAML with the fields of a ProxyConfig, as in concurrency: 2"),
}
"""What each may be, or no pod is made: AnnotationValidation in https://github.com/istio/istio pkg/kube/inject."""


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _annotations(workload: Object) -> dict[str, str]:
    return (pod_template(workload.document).get("metadata") or {}).get("annotations") or {}


def what_is_said_to_the_proxy_can_be_read(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.workloads:
        for key, text in _annotations(item).items():
            form, right = FORMS.get(key, (None, ""))
            if form and isinstance(text, str) and not form(text):
                yield Violation(
                    item,
                    f"has {key} {text!r} on its pods, which Istio cannot read, so that none is made: write {right}",
                )


def what_is_said_to_the_proxy_is_said_on_pods(cluster: Cluster) -> Iterator[Violation]:
    """Istio reads these of a pod: on the object that makes the pods they do nothing, and nothing reports it."""
    for item in (*cluster.workloads, *cluster.of("Namespace")):
        metadata = item.document["metadata"]
        written = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
        for key in written if item.kind != "Pod" else ():
            if key.startswith(KEYS_ARE_OF) or key == CONFIG:
                where = f"{key} on its pod template"
                if item.kind == "Namespace":
                    where = "istio-injection on it" if key.startswith(KEYS_ARE_OF[0]) else "it on the pods"
                yield Violation(item, f"has {key} in its own metadata, where Istio does not read it: write {where}")


def requests_pass_the_proxy(cluster: Cluster) -> Iterator[Violation]:
    """A port that gets past the proxy answers who is refused elsewhere, and not those who speak mutual TLS to it."""
    for item in cluster.workloads:
        if not cluster.has_sidecar(item):
            continue
        for number in _served(cluster, item):
            if problem := _past_the_proxy(_annotations(item), number):
                yield Violation(
                    item,
                    f"has {problem} on its pods, so that requests to port {number} get past Istio's proxy, which "
                    "decrypts them and says who may call: leave it out",
                )
    for way in ways(cluster):
        for caller in way.callers if way.direction == "Egress" and way.is_narrow else ():
            ports = [port for target in way.targets for port in _ports_of_services(cluster, target)]
            if port := _leaving_past_the_proxy(cluster, caller, ports):
                yield Violation(
                    caller,
                    f"has {TRAFFIC}excludeOutboundPorts {port} on its pods, so that what they send to "
                    f"{way.targets[0]} gets past Istio's proxy, which encrypts it: leave that port out",
                )


def calls_to_places_outside_pass_the_proxy(cluster: Cluster) -> Iterator[Violation]:
    """What gets past it is not counted and not logged, and goes to any host at that port."""
    for entry in cluster.of("ServiceEntry"):
        ports = [port["number"] for port in entry.spec.get("ports") or []]
        for item in (item for item in cluster.workloads if item.namespace == entry.namespace):
            if port := _leaving_past_the_proxy(cluster, item, ports):
                yield Violation(
                    item,
                    f"has {TRAFFIC}excludeOutboundPorts {port} on its pods, so that what they send to "
                    f"{', '.join(entry.spec.get('hosts') or [])} gets past Istio's proxy, which knows that host by "
                    f"{entry}: leave that port out",
                )


def _leaving_past_the_proxy(cluster: Cluster, workload: Object, ports: Iterable[int]) -> str:
    """The first of these ports to which a workload's pods send past the proxy that they have; none is empty."""
    barred = _parts(_annotations(workload).get(f"{TRAFFIC}excludeOutboundPorts", ""))
    wanted = set(map(str, ports)) if barred and cluster.has_sidecar(workload) else set()
    return next((port for port in barred if port in wanted), "")


def metrics_are_where_they_are_looked_for(cluster: Cluster) -> Iterator[Violation]:
    """https://istio.io/latest/docs/ops/integrations/prometheus/#option-1-metrics-merging."""
    for item in cluster.workloads:
        annotations = _annotations(item)
        if annotations.get(f"{METRICS}scrape") != "true":
            continue
        numbers = [str(port.number) for port in declared(containers(item.document))]
        port, path = annotations.get(f"{METRICS}port"), annotations.get(f"{METRICS}path", "/metrics")
        if port is None or (numbers and port not in numbers):
            yield Violation(
                item,
                f"has its metrics read at port {port or '80, as it names none,'} by its annotations, but its pods "
                f"listen on {', '.join(numbers) or 'none'}: write one of those in {METRICS}port",
            )
        elif not path.startswith("/"):
            yield Violation(item, f"has its metrics read at {path!r}, which is no path: it begins with /")


METRICS = "prometheus.io/"


def _past_the_proxy(annotations: dict[str, str], number: int) -> str:
    """The annotation by which a port gets past the proxy, with its value; nothing where it does not."""
    excluded, included = f"{TRAFFIC}excludeInboundPorts", f"{TRAFFIC}includeInboundPorts"
    if str(number) in _parts(annotations.get(excluded, "")):
        return f"{excluded} {annotations[excluded]}"
    if (wanted := annotations.get(included, "*")) != "*" and str(number) not in _parts(wanted):
        return f"{included} {wanted or 'of none'}"
    return ""


def _served(cluster: Cluster, workload: Object) -> Sequence[int]:
    """The ports of a workload's pods that a Service leads to."""
    offered = list(declared(containers(workload.document)))
    targets = {
        port.get("targetPort", port["port"])
        for service in _services(cluster, workload)
        for port in service.spec.get("ports") or []
    }
    return list(dict.fromkeys(port.number for port in offered if port.number in targets or port.name in targets))


def _services(cluster: Cluster, workload: Object) -> list[Object]:
    labels = pod_labels(workload.document)
    services = cluster.within(workload.namespace, "Service")
    return [item for item in services if item.spec.get("selector") and item.spec["selector"].items() <= labels.items()]


def _ports_of_services(cluster: Cluster, workload: Object) -> list[int]:
    return [port["port"] for service in _services(cluster, workload) for port in service.spec.get("ports") or []]


def filters_find_their_proxies(cluster: Cluster) -> Iterator[Violation]:
    """https://istio.io/latest/docs/reference/config/networking/envoy-filter/ says which proxies a filter is for."""
    for item in cluster.of("EnvoyFilter"):
        contexts = {(patch.get("match") or {}).get("context", "ANY") for patch in item.spec.get("configPatches") or []}
        gateways = [
            pod for pod in cluster.provided if pod.kind == "Pod" and pod.namespace == item.namespace and pod.labels
        ]
        if not contexts:
            yield Violation(item, "has no configPatches, and so changes nothing: write them, or drop it")
        elif contexts == {"GATEWAY"} and not gateways:
            yield Violation(
                item,
                f"is for gateways of namespace {item.namespace}, which has none: put it into that of the gateway, or "
                "write the context SIDECAR_INBOUND",
            )


def sidecars_know_whom_pods_call(cluster: Cluster) -> Iterator[Violation]:
    """A sidecar that does not know a Service sends what is for it as it is, which one of the mesh refuses.

    https://istio.io/latest/docs/reference/config/networking/sidecar/#IstioEgressListener
    """
    for item in cluster.of("Sidecar"):
        labels = (item.spec.get("workloadSelector") or {}).get("labels") or {}
        places = cluster.namespaces if item.namespace == ROOT_NAMESPACE and not labels else (item.namespace,)
        pods = [workload for place in places for workload in cluster.selected(place, labels)]
        if not pods:
            yield Violation(
                item,
                f"is for {f'pods with {shown(labels)}' if labels else 'all pods'} in namespace {item.namespace}, but "
                "there are none: use the labels of a workload",
            )
        hosts = [str(host) for listener in item.spec.get("egress") or [] for host in listener.get("hosts") or []]
        for host in (host for host in hosts if "/" not in host):
            yield Violation(item, f"has egress to {host}, which Istio refuses: name the namespace too, as in ./{host}")
        told: set[int] = set()
        for way in ways(cluster) if hosts else ():
            for caller in way.callers if way.is_narrow and way.direction == "Egress" else ():
                for target in way.targets if any(caller is pod for pod in pods) else ():
                    if id(target) not in told and not _knows(hosts, caller, _services(cluster, target)):
                        told.add(id(target))
                        yield Violation(
                            item,
                            f"hides the Service of {target} from {caller}, which calls it: add "
                            f"{'.' if target.namespace == caller.namespace else target.namespace}/* to its egress",
                        )


def _knows(hosts: Iterable[str], caller: Object, services: Sequence[Object]) -> bool:
    """Whether a sidecar with these hosts in its egress knows one of the Services, where there are some."""
    served = [ServedHost.of(f"{caller.namespace}{host[1:]}" if host.startswith("./") else host) for host in hosts]
    return not services or any(
        entry.admits(service.namespace, service_host(service.name, service.namespace))
        for entry in served
        for service in services
    )


RULES: tuple[Rule, ...] = (
    sidecars_know_whom_pods_call,
    filters_find_their_proxies,
    what_is_said_to_the_proxy_can_be_read,
    what_is_said_to_the_proxy_is_said_on_pods,
    requests_pass_the_proxy,
    calls_to_places_outside_pass_the_proxy,
    metrics_are_where_they_are_looked_for,
)
