"""Rules for the Services that variables and commands of pods name: each is there, on that port, and may be called.

Names that are not of the cluster are those of places outside, of which nobody here knows.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from synth.cluster import Cluster, Provided, Rule, Violation
from synth.manifest import Document
from synth.mesh import service_host
from synth.pods import containers, declared, pod_labels
from synth.policies import lets_out
from synth.tree import Object

LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
# NAME.NAMESPACE.svc, with the cluster's domain or without, and scheme://NAME: what else has one label may be anything.
IN_FULL = re.compile(rf"(?<![\w-])({LABEL})\.({LABEL})\.svc(?:\.cluster\.local)?(?![\w.-])\.?(?::(\d+))?")
SCHEMES = (
    "https?|wss?|grpcs?|rediss?|postgres|postgresql|mysql|mariadb|mongodb|amqps?|nats|kafka|tcp|memcached|ldaps?|smtps?"
)
"""Of what is spoken with a host; behind others a word may be a bucket, a file or an image."""
SHORT = re.compile(rf"(?<![\w+])(?:{SCHEMES})(?:\+\w+)?://(?:[^\s/@]*@)?({LABEL})(?::(\d+))?(?=[/?#,;\s]|$)")
OF_THE_POD = "localhost"


class Address(NamedTuple):
    """A Service that a pod calls, as it is written; `port` is 0 where the text does not say one."""

    name: str
    namespace: str
    port: int


def services_that_pods_name_are_there(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.workloads:
        for container in containers(item.document):
            for place, text in _texts(container):
                for address in dict.fromkeys(_addresses(text, item.namespace)):
                    if problem := _problem(cluster, item, address):
                        yield Violation(item, f"has container {container['name']} with {place} that names {problem}")


def _texts(container: Document) -> Iterator[tuple[str, str]]:
    for variable in container.get("env", []):
        yield variable["name"], str(variable.get("value", ""))
    for field in ("command", "args"):
        yield f"a {field}" if field == "command" else "args", " ".join(map(str, container.get(field, [])))


def _addresses(text: str, home: str) -> Iterator[Address]:
    for name, namespace, port in IN_FULL.findall(text):
        yield Address(name, namespace, int(port or 0))
    for name, port in SHORT.findall(text):
        if name != OF_THE_POD and not name.isdecimal():
            yield Address(name, home, int(port or 0))


def _problem(cluster: Cluster, caller: Object, address: Address) -> str:
    name, namespace, port = address
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
    if port and port not in offered:
        return f"port {port} of {service}, which offers {', '.join(map(str, offered))}"
    if isinstance(service, Object) and (target := _target(cluster, service)) and target is not caller:
        ports = list(declared(containers(target.document)))
        if ports and not any(lets_out(cluster, caller, target, own) for own in ports):
            return f"{service}, to which no NetworkPolicy lets its pods out: add {target.name} to the calls of the pod"
    return ""


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
