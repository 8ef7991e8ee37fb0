"""Rules for the values inside one object, as the Kubernetes API server and Istio have them.

The typed classes take any string for a quantity, a name or a host; here is where a wrong one is caught.
"""

import re
from collections.abc import Iterator
from typing import Any

from synth.cluster import Cluster, Rule, Violation
from synth.manifest import Document
from synth.mesh import ServedHost
from synth.names import (
    DATA_KEY,
    DURATION,
    LABEL,
    LABEL_LENGTH,
    SERVICE_LABEL,
    SUBDOMAIN,
    SUBDOMAIN_LENGTH,
)
from synth.pods import containers
from synth.quantity import quantity
from synth.rules.containers import check_containers
from synth.rules.metadata import check_metadata
from synth.rules.pods import check_pods
from synth.rules.secrets import check_secrets
from synth.rules.times import check_times
from synth.rules.values import check_values
from synth.tree import Object

# What cdk8s appends to a name that it makes up from a construct's path.
MADE_UP_NAME = re.compile(r".*-c[0-9a-f]{7}")


# Kinds whose name becomes part of a host name or the value of a label, both of at most 63 characters.
LABEL_NAMED = frozenset({"Namespace", "Service", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"})
# Controllers lengthen a name, by a number or a hash, and put what comes out into a label or a host name.
LENGTHS = {"CronJob": 52, "StatefulSet": 52}
# What Flux applies carries the Kustomization's name in a label.
LABELLED = frozenset({"Kustomization", "HelmRelease"})
# Kinds whose name is a path segment, like system:auth-delegator.
FREELY_NAMED = frozenset({"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"})

PORT_FIELDS = ("port", "containerPort", "targetPort", "hostPort", "nodePort", "number", "endPort")
QUANTITY_MAPS = ("requests", "limits", "hard")
BYTES = frozenset({"memory", "storage", "ephemeral-storage"})
DURATIONS = (
    *("interval", "retryInterval", "timeout", "duration", "renewBefore"),
    *("connectTimeout", "idleTimeout", "maxConnectionDuration", "baseEjectionTime", "perTryTimeout", "fixedDelay"),
)
TIMED = frozenset({"GitRepository", "Kustomization", "Certificate", "VirtualService", "DestinationRule"})
"""Kinds in which those fields are durations wherever they stand; a HelmRelease's values may be anything."""

LEAST_BYTES = 1024 * 1024
"""Less than this of memory or storage is of no use: somebody forgot the unit."""
LARGEST = {
    "cpu": ("48", "write m for thousandths of a core, as in 500m"),
    "memory": ("512Gi", "write Mi for mebibytes, as in 256Mi"),
}
"""What no container can have, with what may have been meant."""
DATA_MAPS = frozenset({"labels", "matchLabels", "annotations", "data", "stringData"})
PORT_NUMBERS = range(1, 65536)
PORTS = frozenset(PORT_FIELDS)
AMOUNTS = frozenset({"sizeLimit", "requests", "limits", *QUANTITY_MAPS})
HIGHEST_PRIORITY = 1_000_000_000
"""Of a PriorityClass that is not the cluster's own: https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/"""


def fields_are_valid(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.objects:
        for problem in check_fields(item):
            yield Violation(item, problem)


def check_fields(subject: Object) -> Iterator[str]:
    """What is wrong with the values of one object, each as the end of a sentence that names the object."""
    document = subject.document
    yield from _check_name(subject)
    yield from _check_of_the_cluster(document)
    if subject.kind == "CustomResourceDefinition":
        yield from _check_definition(subject)
        return
    mappings = list(_mappings(document, ""))
    for path, mapping in mappings:
        # Most have nothing of either: to ask for that first halves the time.
        if not DATA_MAPS.isdisjoint(mapping):
            yield from check_metadata(mapping, path)
        if not PORTS.isdisjoint(mapping):
            yield from _check_ports(mapping, path)
        if not AMOUNTS.isdisjoint(mapping):
            yield from _check_quantities(mapping, path)
            yield from _check_limits(mapping, path)
        if subject.kind in TIMED:
            yield from _check_durations(mapping, path)
    yield from _check_hosts(subject)
    yield from _check_priority(subject)
    yield from _check_keys(subject)
    yield from check_values(subject, mappings)
    yield from check_times(subject)
    yield from check_secrets(document)
    if containers(document):
        yield from check_containers(document)
        yield from check_pods(document)


def _check_of_the_cluster(document: Document) -> Iterator[str]:
    """What `kubectl get -o yaml` shows and the cluster writes, which somebody has copied into the definition."""
    metadata = document["metadata"]
    written = [f"metadata.{field}" for field in WRITTEN if metadata.get(field) is not None]
    written += [
        f"metadata.annotations[{key}]" for key in WRITTEN_ANNOTATIONS if key in (metadata.get("annotations") or {})
    ]
    written += ["status"] if document.get("status") else []
    if written:
        yield f"has {', '.join(written)}, which the cluster writes: leave {'them' if written[1:] else 'it'} out"
    if metadata.get("ownerReferences"):
        yield (
            "has metadata.ownerReferences, and the cluster deletes what is owned by a uid that it does not have: leave "
            "it out"
        )
    if metadata.get("finalizers"):
        yield (
            f"has the finalizer {metadata['finalizers'][0]}, so it stays after its deletion until somebody takes that "
            "off: leave it out, who does so also writes it"
        )


WRITTEN = (
    *("creationTimestamp", "deletionTimestamp", "generateName", "generation"),
    *("managedFields", "resourceVersion", "selfLink", "uid"),
)
WRITTEN_ANNOTATIONS = ("deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration")


def _check_definition(subject: Object) -> Iterator[str]:
    """https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/."""
    group, plural = subject.spec.get("group"), (subject.spec.get("names") or {}).get("plural")
    if group and plural and subject.name != f"{plural}.{group}":
        yield f"defines {plural} of group {group}, and a definition is called after both: {plural}.{group}"
    kept = [version.get("name") for version in subject.spec.get("versions") or [] if version.get("storage") is True]
    if "versions" in subject.spec and len(kept) != 1:
        yield f"keeps objects in {len(kept)} of its versions: write storage true in one, and false in all others"


def _check_name(subject: Object) -> Iterator[str]:
    name = subject.name
    if subject.kind in FREELY_NAMED:
        return
    if subject.kind == "Service":
        pattern, sort = SERVICE_LABEL, "lower case letters, digits and -, a letter first,"
    elif subject.kind in LABEL_NAMED:
        pattern, sort = LABEL, "lower case letters, digits and -,"
    else:
        pattern, sort = SUBDOMAIN, "lower case letters, digits, - and .,"
    short = subject.kind in LABEL_NAMED | LABELLED
    length = LENGTHS.get(subject.kind, LABEL_LENGTH if short else SUBDOMAIN_LENGTH)
    if not name:
        yield "has no metadata.name: give it one"
    elif len(name) > length:
        yield f"has a name of {len(name)} characters: Kubernetes takes at most {length}"
    elif not pattern.fullmatch(name):
        yield f"is not a valid name: use {sort} with a letter or digit at both ends"
    elif MADE_UP_NAME.fullmatch(name):
        yield "has a name that cdk8s made up: give it a metadata.name of its own"


def _mappings(value: Any, path: str) -> Iterator[tuple[str, Document]]:
    """Every mapping in a document with its path, except those whose keys are a person's data."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _mappings(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        yield path, value
        for key, item in value.items():
            if key not in DATA_MAPS:
                yield from _mappings(item, _join(path, key))


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _check_ports(mapping: Document, path: str) -> Iterator[str]:
    for field in PORT_FIELDS:
        port = mapping.get(field)
        if isinstance(port, int | float) and port not in PORT_NUMBERS:
            yield f"has {_join(path, field)} {port}: a port is a number from 1 to 65535"


def _check_quantities(mapping: Document, path: str) -> Iterator[str]:
    if "sizeLimit" in mapping:
        yield from _check_quantity(_join(path, "sizeLimit"), mapping["sizeLimit"], in_bytes=True)
    for field in QUANTITY_MAPS:
        amounts = mapping.get(field)
        for resource, amount in amounts.items() if isinstance(amounts, dict) else ():
            yield from _check_quantity(f"{_join(path, field)}.{resource}", amount, in_bytes=resource in BYTES)
    yield from _check_size(mapping, path)


def _check_quantity(path: str, amount: object, *, in_bytes: bool) -> Iterator[str]:
    try:
        number = quantity(amount)
    except ValueError as error:
        yield f"has {path} {error}"
        return
    if in_bytes and number != number.to_integral_value():
        yield f"has {path} {amount}, which is {number} bytes: m is for thousandths, write Mi for mebibytes"
    elif in_bytes and 0 < number < LEAST_BYTES:
        yield f"has {path} {amount}, which is {number:f} bytes: write Mi for mebibytes, as in 64Mi"


def _check_size(resources: Document, path: str) -> Iterator[str]:
    for field in ("requests", "limits"):
        amounts = resources.get(field)
        for resource, amount in amounts.items() if isinstance(amounts, dict) else ():
            most, meant = LARGEST.get(resource, ("", ""))
            try:
                too_much = most and quantity(amount) > quantity(most)
            except ValueError:
                continue
            if too_much:
                yield f"has {_join(path, field)}.{resource} {amount}, more than the {most} of a large node: {meant}"


def _check_limits(resources: Document, path: str) -> Iterator[str]:
    requests, limits = resources.get("requests"), resources.get("limits")
    if not (isinstance(requests, dict) and isinstance(limits, dict)):
        return
    for resource in sorted(requests.keys() & limits.keys()):
        try:
            too_low = quantity(limits[resource]) < quantity(requests[resource])
        except ValueError:
            continue
        if too_low:
            yield (
                f"has {_join(path, 'limits')}.{resource} {limits[resource]} below its request {requests[resource]}: "
                "raise the limit or lower the request"
            )


def _check_durations(mapping: Document, path: str) -> Iterator[str]:
    for field in DURATIONS:
        text = mapping.get(field)
        if isinstance(text, str) and not DURATION.fullmatch(text):
            yield f"has {_join(path, field)} {text!r}: a duration is a number and ms, s, m or h, as in 10s or 1m30s"


def _check_keys(subject: Object) -> Iterator[str]:
    for field in ("data", "binaryData", "stringData") if subject.kind in ("ConfigMap", "Secret") else ():
        for key in subject.document.get(field) or {}:
            if not DATA_KEY.fullmatch(key):
                yield f"has {field}[{key}], which is not a key: use letters, digits, -, _ and ., as in settings.yaml"


LEAST_WITH_A_NODE = -10
"""https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md, on pods of low priority."""


def _check_priority(subject: Object) -> Iterator[str]:
    value = subject.document.get("value", 0)
    if subject.kind != "PriorityClass":
        return
    if subject.document.get("globalDefault") is True:
        yield (
            "is the globalDefault, the priority of every pod of the cluster that names none, the gateway's and "
            "cert-manager's too: leave that out, and name it where it is meant"
        )
    if value > HIGHEST_PRIORITY:
        yield f"has the value {value}: above {HIGHEST_PRIORITY} are the cluster's own classes"
    elif value < LEAST_WITH_A_NODE:
        yield (
            f"has the value {value}: below {LEAST_WITH_A_NODE} a cluster's autoscaler adds no node for a pod, and "
            f"takes one away under it: write {LEAST_WITH_A_NODE} or more"
        )


def _check_hosts(subject: Object) -> Iterator[str]:
    for path, host in _hosts(subject):
        name = host.removeprefix("*.")
        if host != "*" and not (len(name) <= SUBDOMAIN_LENGTH and SUBDOMAIN.fullmatch(name)):
            yield (
                f"has {path} {host!r}: a host name is of lower case letters, digits, - and ., as in "
                "wiki.example.com, without a scheme, a port or a path"
            )
        elif subject.kind == "Gateway" and "." not in host and host != "*":
            yield f"has {path} {host!r}, which Istio refuses: write it with its domain, as in {host}.example.com"


def _hosts(subject: Object) -> Iterator[tuple[str, str]]:
    if not subject.group.endswith("istio.io"):
        return
    if subject.kind == "VirtualService":
        for host in subject.spec.get("hosts", []):
            yield "spec.hosts", str(host)
        for path, match in _sni_matches(subject.spec):
            for host in match.get("sniHosts", []):
                yield path, str(host)
    if subject.kind == "Gateway":
        for index, server in enumerate(subject.spec.get("servers", [])):
            for host in server.get("hosts", []):
                yield f"spec.servers[{index}].hosts", ServedHost.of(str(host)).host


def _sni_matches(spec: Document) -> Iterator[tuple[str, Document]]:
    for index, route in enumerate(spec.get("tls", [])):
        for match in route.get("match", []):
            yield f"spec.tls[{index}].match.sniHosts", match


RULES: tuple[Rule, ...] = (fields_are_valid,)
