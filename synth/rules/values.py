"""Rules for single values of Kubernetes' own kinds: the words that a field takes, and the least that a number can be.

The schemas have neither; the API server refuses what is not so: pkg/apis/*/validation in
https://github.com/kubernetes/kubernetes.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from synth.manifest import Document
from synth.names import SUBDOMAIN
from synth.pods import containers, pod_spec
from synth.tree import Object

OWN_GROUPS = frozenset(
    {
        *("", "apps", "autoscaling", "batch", "discovery.k8s.io", "networking.k8s.io", "policy", "scheduling.k8s.io"),
        "storage.k8s.io",
    }
)

WORDS: dict[str, tuple[str, ...]] = {
    "accessModes": ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"),
    "completionMode": ("NonIndexed", "Indexed"),
    "concurrencyPolicy": ("Allow", "Forbid", "Replace"),
    "dnsPolicy": ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    "effect": ("NoSchedule", "PreferNoSchedule", "NoExecute"),
    "externalTrafficPolicy": ("Cluster", "Local"),
    "fsGroupChangePolicy": ("OnRootMismatch", "Always"),
    "imagePullPolicy": ("Always", "IfNotPresent", "Never"),
    "internalTrafficPolicy": ("Cluster", "Local"),
    "mountPropagation": ("None", "HostToContainer", "Bidirectional"),
    "pathType": ("Exact", "Prefix", "ImplementationSpecific"),
    "podManagementPolicy": ("OrderedReady", "Parallel"),
    "policyTypes": ("Ingress", "Egress"),
    "preemptionPolicy": ("PreemptLowerPriority", "Never"),
    "protocol": ("TCP", "UDP", "SCTP"),
    "reclaimPolicy": ("Delete", "Retain"),
    "sessionAffinity": ("None", "ClientIP"),
    "terminationMessagePolicy": ("File", "FallbackToLogsOnError"),
    "trafficDistribution": ("PreferClose", "PreferSameZone", "PreferSameNode"),
    "unhealthyPodEvictionPolicy": ("IfHealthyBudget", "AlwaysAllow"),
    "volumeBindingMode": ("Immediate", "WaitForFirstConsumer"),
    "volumeMode": ("Filesystem", "Block"),
    "whenUnsatisfiable": ("DoNotSchedule", "ScheduleAnyway"),
}
LEAST = {
    **dict.fromkeys(
        (
            *("backoffLimit", "completions", "failedJobsHistoryLimit", "initialDelaySeconds", "minReadySeconds"),
            *("parallelism", "replicas", "revisionHistoryLimit", "successfulJobsHistoryLimit"),
            *("stabilizationWindowSeconds", "terminationGracePeriodSeconds", "ttlSecondsAfterFinished"),
        ),
        0,
    ),
    **dict.fromkeys(
        (
            *("activeDeadlineSeconds", "failureThreshold", "maxReplicas", "maxSkew", "minReplicas", "periodSeconds"),
            *("progressDeadlineSeconds", "successThreshold", "timeoutSeconds", "averageUtilization"),
        ),
        1,
    ),
    # The controller looks every ten seconds: with less a run may never start.
    # https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#starting-deadline
    "startingDeadlineSeconds": 10,
}
RESTARTED = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
ENDS = {
    **dict.fromkeys(RESTARTED, ("Always",)),
    **dict.fromkeys(("Job", "CronJob"), ("Never", "OnFailure")),
}
"""How the pods of a workload may be restarted; where nothing is said it is always."""
TYPES = {"Service": ("ClusterIP", "ExternalName"), "Deployment.strategy": ("RollingUpdate", "Recreate")}
MODES = ("defaultMode", "mode")
"""Who may read and write a file of a volume: a number that people know in octal and YAML and JSON have in decimal."""
MOST_OF_A_MODE = 0o777
FORGOTTEN = (400, 440, 444, 500)
"""Modes as people know them: in decimal each is one that nobody gives a file."""
FROM_OUTSIDE = (
    *("allocateLoadBalancerNodePorts", "externalTrafficPolicy", "healthCheckNodePort", "loadBalancerClass"),
    *("loadBalancerIP", "loadBalancerSourceRanges"),
)
"""What of a Service is for requests that come to it from outside the cluster, past the ingress gateway."""
GIVEN_WITH = {"NodePort": "opens a port of every node", "LoadBalancer": "asks the cloud for an address of its own"}


def check_values(subject: Object, mappings: list[tuple[str, Document]]) -> Iterator[str]:
    """Which values of one object the API server refuses, each as the end of a sentence."""
    if subject.group not in OWN_GROUPS:
        return
    for path, mapping in mappings:
        # An object has few of the fields that there are, so they are looked up, and not looked for.
        for field, given in mapping.items():
            if known := WORDS.get(field):
                for value in _texts(given):
                    if value not in known:
                        yield f"has {_at(path, field)} {value!r}: there are {', '.join(known)}"
            if field in MODES and isinstance(given, int) and (problem := _problem_of_mode(given)):
                yield f"has {_at(path, field)} {given}, {problem}"
            least = LEAST.get(field)
            if least is not None and isinstance(given, int) and not isinstance(given, bool) and given < least:
                yield f"has {_at(path, field)} {given}: it is {least} at least"
    yield from _check_kind(subject)
    yield from _check_addresses(subject)
    yield from _check_data(subject)
    yield from _check_pod(subject.document)


def _problem_of_mode(mode: int) -> str:
    """What is wrong with a file's mode, as the end of a sentence; nothing where it is one that files have."""
    meant = f"write 0o{mode} for what is {mode} in octal"
    if not 0 <= mode <= MOST_OF_A_MODE:
        known = str(mode).isdecimal() and not set(str(mode)) - set("01234567")
        return f"which is no mode of a file: {meant if known else 'there are 0o000 to 0o777, as in 0o644'}"
    return f"which is {mode:o} in octal: {meant}" if mode in FORGOTTEN else ""


def _texts(value: Any) -> list[str]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]


def _at(path: str, field: str) -> str:
    return f"{path}.{field}" if path else field


def _check_kind(subject: Object) -> Iterator[str]:
    spec = subject.spec
    allowed = ENDS.get(subject.kind)
    restart = pod_spec(subject.document).get("restartPolicy", "Always")
    if allowed and restart not in allowed:
        yield f"has pods with restartPolicy {restart}: a {subject.kind} takes {' or '.join(allowed)}"
    strategy = spec.get("strategy") or {}
    if subject.kind == "Deployment" and strategy:
        if strategy.get("type", "RollingUpdate") not in TYPES["Deployment.strategy"]:
            yield f"has the strategy {strategy['type']!r}: there are {', '.join(TYPES['Deployment.strategy'])}"
        elif strategy.get("type") == "Recreate" and strategy.get("rollingUpdate"):
            yield "has strategy Recreate and rollingUpdate, which is for the other one: leave one of them out"
        elif _none(strategy, "maxSurge") and _none(strategy, "maxUnavailable"):
            yield "has a rollout with maxSurge and maxUnavailable 0, which can never begin: set one of them to 1"
    ready, progress = spec.get("minReadySeconds", 0), spec.get("progressDeadlineSeconds", 600)
    if subject.kind == "Deployment" and ready >= progress:
        yield f"has minReadySeconds {ready}, which no rollout lasts with progressDeadlineSeconds {progress}: lower it"
    if subject.kind in RESTARTED and "activeDeadlineSeconds" in pod_spec(subject.document):
        yield (
            "has pods with activeDeadlineSeconds, which those of a Job alone may have, as they are not started again: "
            "leave it out"
        )
    selector = spec.get("selector")
    if subject.kind in RESTARTED and not any((selector or {}).values()):
        yield "has an empty selector, which would be for every pod: name the labels of its own"
    if subject.kind == "Service":
        yield from _check_service(spec)


def _none(strategy: Document, field: str) -> bool:
    default = {"maxSurge": "25%", "maxUnavailable": "25%"}[field]
    return str((strategy.get("rollingUpdate") or {}).get(field, default)) in ("0", "0%")


def _check_service(spec: Document) -> Iterator[str]:
    kind = spec.get("type", "ClusterIP")
    ports = spec.get("ports", [])
    if kind in GIVEN_WITH:
        yield f"is of type {kind}, which {GIVEN_WITH[kind]}: leave type out, the ingress gateway is the way in"
    elif kind not in TYPES["Service"]:
        yield f"is of type {kind!r}: leave type out"
    elif any(port.get("nodePort") for port in ports):
        yield "has a nodePort, which a Service of type ClusterIP cannot have: leave it out"
    for field in FROM_OUTSIDE if kind not in GIVEN_WITH else ():
        if field in spec:
            yield (
                f"has {field}, which is for a Service that is reached from outside the cluster: leave it out, the "
                "ingress gateway is the way in"
            )
    if spec.get("clusterIP", "None") not in ("", "None"):
        yield f"names its own address, {spec['clusterIP']}, which the cluster gives: leave clusterIP out"
    if spec.get("externalIPs"):
        yield f"takes what is for {', '.join(map(str, spec['externalIPs']))} from every node: leave externalIPs out"
    if spec.get("sessionAffinityConfig") and spec.get("sessionAffinity") != "ClientIP":
        yield "has a sessionAffinityConfig, which sessionAffinity ClientIP alone has: write that too, or leave it out"
    if kind == "ExternalName":
        yield from _check_external_name(str(spec.get("externalName") or ""))
    if len(ports) > 1 and not all(port.get("name") for port in ports):
        yield "has several ports, one of them without a name: name each"
    for what in ("name", "port"):
        values = [(port.get(what), port.get("protocol", "TCP") if what == "port" else "") for port in ports]
        for value, protocol in sorted({item for item in values if item[0] and values.count(item) > 1}, key=str):
            yield f"has two ports with the {what} {value}{f'/{protocol}' if protocol else ''}: give each its own"


def _check_external_name(host: str) -> Iterator[str]:
    if not host:
        yield "is of type ExternalName and has no externalName: write the host that it stands for"
    elif _is_address(host):
        yield (
            f"stands for {host}, which is an address, and DNS would look for a host of that name: write a host, or "
            "leave type and selector out and list the address in an EndpointSlice"
        )
    elif not SUBDOMAIN.fullmatch(host.removesuffix(".")):
        yield f"stands for {host!r}, which is no host: write its name alone, as in db.example.org"


def _is_address(text: str) -> bool:
    with suppress(ValueError):
        return bool(ip_address(text))
    return False


def _check_addresses(subject: Object) -> Iterator[str]:
    """Whom an Endpoints or an EndpointSlice sends requests to: a place that every node has of its own is nobody."""
    listed = subject.document.get("subsets" if subject.kind == "Endpoints" else "endpoints") or []
    for entry in listed if subject.kind in ("Endpoints", "EndpointSlice") else ():
        for address in entry.get("addresses") or []:
            text = str(address.get("ip") if isinstance(address, dict) else address)
            try:
                found = ip_address(text)
            except ValueError:
                continue
            if found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified:
                yield f"leads to {text}, which the API server refuses: write the address that others reach it at"


def _check_data(subject: Object) -> Iterator[str]:
    if subject.kind not in ("ConfigMap", "Secret"):
        return
    fields = [subject.document.get(field) or {} for field in ("data", "binaryData", "stringData")]
    for field in fields:
        for key, text in field.items():
            if not isinstance(text, str):
                yield f"has data[{key}] {text!r}, which is no text: put it in quotes"
    if subject.kind == "ConfigMap":
        for key in sorted(fields[0].keys() & fields[1].keys()):
            yield f"has {key} in data and in binaryData: keep one"
    size = sum(len(str(text).encode()) for field in fields for text in field.values())
    if size > MOST_DATA:
        yield f"has {size} bytes of data, and the API server takes {MOST_DATA} at most: put it into the image"


MOST_DATA = 1024 * 1024
"""https://kubernetes.io/docs/concepts/configuration/configmap/#motivation"""


MEDIUM = re.compile(r"Memory|HugePages(-\d+[KMG]i)?")
"""Where an emptyDir is: https://kubernetes.io/docs/concepts/storage/volumes/#emptydir"""
OF_THE_POD = re.compile(
    r"metadata\.(name|namespace|uid|labels\['[^']+'\]|annotations\['[^']+'\])"
    r"|spec\.(nodeName|serviceAccountName)|status\.(hostIPs?|podIPs?)"
)
OF_THE_CONTAINER = re.compile(r"(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-\d+[KMG]i)")
"""What a variable may say of its own: https://kubernetes.io/docs/concepts/workloads/pods/downward-api/"""


def _check_own(container: Document) -> Iterator[str]:
    for variable in container.get("env", []):
        where = f"has container {container['name']} take variable {variable['name']} from"
        source = variable.get("valueFrom") or {}
        path, resource = (source.get("fieldRef") or {}).get("fieldPath"), source.get("resourceFieldRef") or {}
        if path and not OF_THE_POD.fullmatch(path):
            yield f"{where} {path}, which pods do not have: metadata.name, status.podIP and spec.nodeName are some"
        if resource and not OF_THE_CONTAINER.fullmatch(str(resource.get("resource"))):
            yield f"{where} {resource.get('resource')}, which containers do not have: limits.memory is one"


def _check_pod(document: Document) -> Iterator[str]:
    pod = pod_spec(document)
    used = [mount for container in containers(document) for mount in container.get("volumeMounts") or []]
    used += [device for container in containers(document) for device in container.get("volumeDevices") or []]
    mounted = {mount.get("name") for mount in used}
    # One that is mounted by another name than it has is told of as that.
    unknown = mounted - {volume["name"] for volume in pod.get("volumes", [])}
    for volume in pod.get("volumes", []):
        sources = sorted(volume.keys() - {"name"})
        if len(sources) > 1:
            yield f"has volume {volume['name']} with {' and '.join(sources)}: a volume has one source"
        medium = (volume.get("emptyDir") or {}).get("medium") or ""
        if medium and not MEDIUM.fullmatch(medium):
            yield f"has volume {volume['name']} of medium {medium!r}: there are Memory, HugePages, or none for the disk"
        if volume["name"] not in mounted and not unknown and "emptyDir" not in volume:
            yield f"has volume {volume['name']}, which no container mounts: mount it, or leave it out"
    if pod.get("dnsPolicy") == "None" and not (pod.get("dnsConfig") or {}).get("nameservers"):
        yield "has dnsPolicy None and no nameservers in dnsConfig, so that its pods find no name: leave dnsPolicy out"
    if pod.get("ephemeralContainers"):
        yield "has ephemeralContainers, which are added to a running pod alone: make it one of its containers"
    for toleration in pod.get("tolerations", []):
        yield from _check_toleration(toleration)
    for container in containers(document):
        for variable in container.get("env", []):
            if variable.get("value") and variable.get("valueFrom"):
                yield f"has container {container['name']} with value and valueFrom for {variable['name']}: keep one"
        yield from _check_own(container)
        yield from _check_devices(container)


def _check_toleration(toleration: Document) -> Iterator[str]:
    key, operator = toleration.get("key", ""), toleration.get("operator", "Equal")
    if operator not in ("Equal", "Exists"):
        yield f"tolerates {key} by the operator {operator!r}: there are Equal, Exists"
    if operator == "Exists" and toleration.get("value"):
        yield f"tolerates that {key} exists, and names the value {toleration['value']}: leave the value out"
    if operator == "Equal" and not key:
        yield "tolerates a taint without its key: name it, or write operator Exists for every one"
    if "tolerationSeconds" in toleration and toleration.get("effect") != "NoExecute":
        yield f"tolerates {key} for some seconds, which the effect NoExecute alone has: leave tolerationSeconds out"


def _check_devices(container: Document) -> Iterator[str]:
    """Devices and other resources of a cluster's own, which are whole and never more than is asked for."""
    resources = container.get("resources") or {}
    asked, most = resources.get("requests") or {}, resources.get("limits") or {}
    for name in sorted(asked.keys() | most.keys()):
        if name in ("cpu", "memory", "ephemeral-storage") or name.startswith("hugepages-"):
            continue
        if "/" not in name:
            yield f"has container {container['name']} ask for {name}, which no node has: as in nvidia.com/gpu"
        elif name not in most or asked.get(name, most[name]) != most[name]:
            yield f"has container {container['name']} with a request for {name} that is not its limit: write both alike"
        elif not str(most[name]).isdecimal():
            yield f"has container {container['name']} with {most[name]} of {name}: it comes whole, as in 1"
