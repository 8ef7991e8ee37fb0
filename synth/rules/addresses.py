"""Rules for the Services that variables and commands of pods name: each is there, on that port, and may be called.

Names that are not of the cluster are those of places outside, of which nobody here knows.
"""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher, get_close_matches
from typing import NamedTuple

from synth.cluster import Cluster, Provided, Rule, Violation
from synth.manifest import Document
from synth.mesh import CLUSTER_DOMAIN, service_host
from synth.pods import containers, declared, pod_labels
from synth.policies import lets_out
from synth.scale import scale
from synth.tree import Object

LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
# NAME.NAMESPACE.svc, with the cluster's domain or without, and scheme://NAME: what else has one label may be anything.
IN_FULL = re.compile(rf"(?<![\w-])({LABEL})\.({LABEL})\.svc(?:\.cluster\.local)?(?![\w.-])\.?(?::(\d+))?")
SCHEMES = (
    "https?|wss?|grpcs?|rediss?|postgres|postgresql|mysql|mariadb|mongodb|amqps?|nats|kafka|tcp|memcached|ldaps?|smtps?"
)
"""Of what is spoken with a host; behind others a word may be a bucket, a file or an image."""
URL = re.compile(
    rf"(?<![\w+])({SCHEMES})(?:\+\w+)?://(?:[^\s/@]*@)?({LABEL}(?:\.{LABEL})*)\.?(?::(\d+))?(?=[/?#,;\s]|$)"
)
# A pod of a StatefulSet, by the number in its name: the labels behind it are those of its Service.
OF_A_SET = re.compile(rf"(?<![\w.-])({LABEL})-(\d+)\.({LABEL})(?:\.[\w.-]+)?(?::(\d+))?(?![\w.-])")
ELSEWHERE = re.compile(rf"(?<![\w.-])({LABEL})\.({LABEL})\.((?:{LABEL}\.)*{LABEL})(?![\w-])")
"""NAME.NAMESPACE with any domain."""
HOSTS = re.compile(r"://|\.svc\b|\.local\b|-\d+\.")
"""What every text has that names one of these."""
ALIKE = 0.8
OF_THE_POD = "localhost"
PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
"""Where a scheme leads that is written without a port: https://www.rfc-editor.org/rfc/rfc9110#section-4.2."""
PLAINLY = {"https": "http", "wss": "ws", "grpcs": "grpc"}
PLAIN = ("http", "http2", "grpc")
"""What the name of a Service's port begins with where the app behind it takes no TLS, which is the mesh's."""


class Address(NamedTuple):
    """A Service that a pod calls, as it is written; `port` is 0 where the text does not say one."""

    name: str
    namespace: str
    port: int
    scheme: str = ""


def services_that_pods_name_are_there(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.workloads:
        for container in containers(item.document):
            for place, text in _texts(container):
                if not HOSTS.search(text):
                    continue
                for problem in dict.fromkeys(_problems(cluster, item, text)):
                    yield Violation(item, f"has container {container['name']} with {place} that names {problem}")


def _texts(container: Document) -> Iterator[tuple[str, str]]:
    for variable in container.get("env", []):
        yield variable["name"], str(variable.get("value", ""))
    for field in ("command", "args"):
        yield f"a {field}" if field == "command" else "args", " ".join(map(str, container.get(field, [])))


def _problems(cluster: Cluster, caller: Object, text: str) -> Iterator[str]:
    addresses: list[Address] = []
    for name, number, service, port in OF_A_SET.findall(text):
        if isinstance(of_pods := cluster.find("StatefulSet", caller.namespace, name), Object):
            addresses.append(Address(service, caller.namespace, int(port or 0)))
            if int(number) >= (most := scale(cluster, of_pods)[1]):
                yield f"pod {name}-{number}, and {of_pods} has {name}-0 to {name}-{most - 1}: name one of them"
    rest = OF_A_SET.sub("", text)
    for name, where, domain in ELSEWHERE.findall(rest):
        if _is_the_clusters_misspelt(domain) and cluster.find("Service", where, name):
            yield f"{name}.{where}.{domain}, which no name server knows: write {service_host(name, where)}"
    addresses += _in_urls(cluster, rest, caller.namespace)
    addresses += [Address(name, where, int(port or 0)) for name, where, port in IN_FULL.findall(URL.sub("", rest))]
    for address in dict.fromkeys(addresses):
        if problem := _problem(cluster, caller, address):
            yield problem


def _is_the_clusters_misspelt(domain: str) -> bool:
    if domain in ("svc", CLUSTER_DOMAIN):
        return False
    return domain.startswith("svc.") or SequenceMatcher(None, domain, CLUSTER_DOMAIN).ratio() >= ALIKE


def _in_urls(cluster: Cluster, text: str, home: str) -> Iterator[Address]:
    """The Services in what has a scheme: NAME, NAME.NAMESPACE or the name in full."""
    for scheme, host, written in URL.findall(text):
        name, _, rest = host.partition(".")
        where, _, domain = rest.partition(".")
        port = int(written or PORTS.get(scheme, 0))
        if not rest:
            if name != OF_THE_POD and not name.isdecimal():
                yield Address(name, home, port, scheme)
        elif domain in ("svc", CLUSTER_DOMAIN) or (not domain and _is_meant(cluster, name, where)):
            yield Address(name, where, port, scheme)


def _is_meant(cluster: Cluster, name: str, namespace: str) -> bool:
    """Whether NAME.NAMESPACE is a Service's, if a misspelt one: blog and shop are domains of the Internet as well."""
    return bool(get_close_matches(name, cluster.known("Service", namespace), 1, ALIKE))


def _problem(cluster: Cluster, caller: Object, address: Address) -> str:
    name, namespace, port, scheme = address
    if not isinstance(cluster.find("Namespace", "", namespace), Object):
        # What somebody else has there is not all known.
        unknown = "" if namespace in cluster.namespaces else cluster.unknown("Namespace", "")
        return unknown and f"Service {name} of namespace {namespace}, {unknown}"
    service = cluster.find("Service", namespace, name)
    if service is None:
        others = [s for s in cluster.of("Service") if s.name == name]
        meant = f": write {service_host(name, others[0].namespace)}" if others else ""
        return f"Service {name} of namespace {namespace}, {cluster.unknown('Service', namespace)}{meant}"
    offered = _offered(service)
    if scheme in PLAINLY and isinstance(service, Object) and (plain := _plain(service, port)):
        return (
            f"{service} by {scheme}, which takes no TLS at its port {plain}: write {PLAINLY[scheme]}, which the mesh "
            "encrypts"
        )
    if port and port not in offered:
        return f"port {port} of {service}, which offers {', '.join(map(str, offered))}"
    if isinstance(service, Object) and (target := _target(cluster, service)) and target is not caller:
        ports = list(declared(containers(target.document)))
        if ports and not any(lets_out(cluster, caller, target, own) for own in ports):
            return f"{service}, to which no NetworkPolicy lets its pods out: add {target.name} to the calls of the pod"
    return ""


def _plain(service: Object, number: int) -> int:
    """The port that a request by TLS leads to and that takes none; 0 where one of them may take it."""
    ports = service.spec.get("ports") or []
    meant = [port for port in ports if port["port"] == number] or ports
    plain = [port for port in meant if str(port.get("appProtocol") or port.get("name")).partition("-")[0] in PLAIN]
    return int(plain[0]["port"]) if plain and len(plain) == len(meant) else 0


def _offered(service: Object | Provided) -> list[int]:
    if isinstance(service, Provided):
        return list(service.ports)
    return [port["port"] for port in service.spec.get("ports") or []]


def _target(cluster: Cluster, service: Object) -> Object | None:
    """The workload that a Service leads to, where it is one."""
    selector = service.spec.get("selector")
    found = cluster.selected(service.namespace, selector) if selector else []
    return found[0] if len(found) == 1 and pod_labels(found[0].document) else None


RULES: tuple[Rule, ...] = (services_that_pods_name_are_there,)
