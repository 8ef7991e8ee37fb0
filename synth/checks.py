"""Rules that hold across the objects of one environment. Each violation is one sentence; all are shown."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from synth.fields import check_fields, gateway_host
from synth.manifest import Document
from synth.pods import containers, pod_spec, pod_template
from synth.tree import KUSTOMIZATION_FILE, Object, Tree

# `kubectl api-resources --namespaced=false`, the kinds that a platform defines.
CLUSTER_SCOPED = frozenset(
    {
        "ClusterIssuer",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "IngressClass",
        "Namespace",
        "PersistentVolume",
        "PriorityClass",
        "StorageClass",
    }
)
WORKLOADS = frozenset({"Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"})
EVERYWHERE = frozenset({("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")})
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""The label that every namespace has with its own name as the value, set by Kubernetes."""


@dataclass(frozen=True)
class Provided:
    """An object that charts rely on and that something else puts into the cluster.

    `labels` are those of the pods, for kind Pod; `ports` are the port numbers, for kind Service; `by` says who
    brings it.
    """

    kind: str
    name: str
    by: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Sequence[int] = ()


@dataclass(frozen=True)
class Violation:
    """One broken rule: the object, and what is wrong and would be right, as the end of a sentence."""

    subject: Object
    problem: str

    def __str__(self) -> str:
        folder = PurePosixPath(self.subject.folder).name
        return f"{folder}: {self.subject} {self.problem} ({self.subject.source})"


class Cluster:
    """What is in one environment's cluster: the tree's objects, and what is provided from outside."""

    def __init__(self, tree: Tree, provided: Iterable[Provided]) -> None:
        self.tree = tree
        self.objects = list(tree.objects())
        self.provided = list(provided)
        self.workloads = [item for item in self.objects if item.kind in WORKLOADS]
        self._of_kind: dict[str, list[Object]] = defaultdict(list)
        self._placed: dict[tuple[str, str], dict[str, Object | Provided]] = defaultdict(dict)
        self._pods: dict[str, list[tuple[Mapping[str, str], Object | None]]] = defaultdict(list)
        for item in self.objects:
            self._of_kind[item.kind].append(item)
            self._placed[item.kind, item.namespace][item.name] = item
        for item in self.workloads:
            self._pods[item.namespace].append((pod_labels(item.document), item))
        for given in self.provided:
            self._placed[given.kind, given.namespace].setdefault(given.name, given)
            if given.kind == "Pod":
                self._pods[given.namespace].append((given.labels, None))

    def of(self, kind: str) -> list[Object]:
        """The tree's objects of a kind, in their order."""
        return self._of_kind[kind]

    def find(self, kind: str, namespace: str, name: str) -> Object | Provided | None:
        """An object by its identity, from the tree or from outside."""
        return self._placed[kind, namespace].get(name)

    def names(self, kind: str, namespace: str) -> str:
        """The objects of a kind in a namespace, for the part of a sentence that says what would be right."""
        return ", ".join(self._placed[kind, namespace]) or "none"

    def selected(self, namespace: str, labels: Mapping[str, str]) -> list[Object]:
        """The tree's workloads in a namespace whose pods have these labels."""
        return [item for own, item in self._pods[namespace] if item is not None and labels.items() <= own.items()]

    def has_pods(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether pods with these labels are made here or provided."""
        return any(labels.items() <= own.items() for own, _ in self._pods[namespace])


Rule = Callable[[Cluster], Iterator[Violation]]


def check(tree: Tree, provided: Iterable[Provided]) -> list[Violation]:
    """Every violation of every rule in one environment's tree, in the order of the objects."""
    cluster = Cluster(tree, provided)
    violations = [violation for rule in RULES for violation in rule(cluster)]
    order = {id(item): index for index, item in enumerate(cluster.objects)}
    return sorted(violations, key=lambda violation: order[id(violation.subject)])


def pod_labels(document: Document) -> dict[str, str]:
    return (pod_template(document).get("metadata") or {}).get("labels") or {}


def shown(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())


def fields_are_valid(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.objects:
        for problem in check_fields(item):
            yield Violation(item, problem)


def identities_are_unique(cluster: Cluster) -> Iterator[Violation]:
    first: dict[tuple[str, str, str, str], Object] = {}
    for item in cluster.objects:
        identity = (item.group, item.kind, item.namespace, item.name)
        if identity in first:
            other = first[identity]
            where = f" in namespace {item.namespace}" if item.namespace else ""
            yield Violation(
                item,
                f"is defined twice{where}, here and in {other.folder} ({other.source}): rename one or drop it",
            )
        first.setdefault(identity, item)


def nothing_provided_is_defined(cluster: Cluster) -> Iterator[Violation]:
    """Two owners of one object fight; an app in somebody's namespace would put its policies on all that is there."""
    provided = {(given.kind, given.namespace, given.name): given for given in cluster.provided}
    for item in cluster.objects:
        if given := provided.get((item.kind, item.namespace, item.name)):
            yield Violation(item, f"belongs to {given.by}, which brings it: choose another name or namespace")


def namespaces_exist(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.objects:
        if item.kind in CLUSTER_SCOPED:
            if item.namespace:
                yield Violation(item, f"is in namespace {item.namespace}, but its kind has none: leave it out")
        elif not item.namespace:
            yield Violation(item, "has no metadata.namespace: name the namespace it belongs to")
        elif not cluster.find("Namespace", "", item.namespace):
            yield Violation(
                item,
                f"is in namespace {item.namespace}, which is neither made here nor provided; "
                f"there are {cluster.names('Namespace', '')}",
            )


def pods_match_their_selector(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.workloads:
        wanted = (item.spec.get("selector") or {}).get("matchLabels") or {}
        if not wanted.items() <= pod_labels(item.document).items():
            yield Violation(
                item,
                f"selects pods with {shown(wanted)}, but its pods have "
                f"{shown(pod_labels(item.document)) or 'no labels'}: make them agree",
            )


def pods_find_what_they_name(cluster: Cluster) -> Iterator[Violation]:
    # A Secret may be the work of cert-manager; the two others Kubernetes puts into every namespace.
    issued = {(c.namespace, c.spec.get("secretName")) for c in cluster.of("Certificate")}
    for item in cluster.workloads:
        for kind, name in _references(item.document):
            if (kind, name) in EVERYWHERE or (kind == "Secret" and (item.namespace, name) in issued):
                continue
            if not cluster.find(kind, item.namespace, name):
                yield Violation(
                    item,
                    f"needs {kind} {name} in namespace {item.namespace}, which is neither made here nor provided; "
                    f"there are {cluster.names(kind, item.namespace)}",
                )


def _references(workload: Document) -> Iterator[tuple[str, str]]:
    """Kind and name of every object that the pods of a workload cannot start without."""
    pod = pod_spec(workload)
    if account := pod.get("serviceAccountName"):
        yield "ServiceAccount", account
    for secret in pod.get("imagePullSecrets", []):
        yield "Secret", secret["name"]
    for volume in pod.get("volumes", []):
        projected = (volume.get("projected") or {}).get("sources", [])
        for source in (volume, *projected):
            yield from _required(source.get("persistentVolumeClaim"), "PersistentVolumeClaim", "claimName")
            yield from _required(source.get("configMap"), "ConfigMap", "name")
            yield from _required(source.get("secret"), "Secret", "secretName" if source is volume else "name")
    for container in containers(workload):
        for source in (
            *container.get("envFrom", []),
            *(v.get("valueFrom") or {} for v in container.get("env", [])),
        ):
            for key in ("configMapRef", "configMapKeyRef"):
                yield from _required(source.get(key), "ConfigMap", "name")
            for key in ("secretRef", "secretKeyRef"):
                yield from _required(source.get(key), "Secret", "name")


def _required(reference: Document | None, kind: str, key: str) -> Iterator[tuple[str, str]]:
    if reference and not reference.get("optional"):
        yield kind, reference[key]


def volumes_have_one_pod(cluster: Cluster) -> Iterator[Violation]:
    """A ReadWriteOnce volume is for one pod at a time, during a rollout too."""
    for item in cluster.of("Deployment"):
        for kind, name in _references(item.document):
            claim = cluster.find(kind, item.namespace, name)
            if kind != "PersistentVolumeClaim" or not isinstance(claim, Object):
                continue
            if "ReadWriteMany" in claim.spec.get("accessModes", []):
                continue
            replicas = item.spec.get("replicas", 1)
            if replicas > 1:
                yield Violation(
                    item,
                    f"has {replicas} replicas on {claim}, which one node alone can mount: "
                    "run 1 replica, or declare the volume ReadWriteMany",
                )
            if item.spec.get("strategy", {}).get("type") != "Recreate":
                yield Violation(
                    item,
                    f"rolls out with two pods on {claim} for a while: set strategy Recreate, "
                    "or declare the volume ReadWriteMany",
                )


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
        offered = _ports(targets[0].document)
        for port in item.spec.get("ports", []):
            target = port.get("targetPort", port["port"])
            if target not in offered:
                yield Violation(
                    item,
                    f"sends port {port['port']} to target port {target}, but the pods of {targets[0]} offer "
                    f"{', '.join(map(str, offered)) or 'none'}",
                )


def _ports(workload: Document) -> list[str | int]:
    ports = [port for container in containers(workload) for port in container.get("ports", [])]
    return [*(port["name"] for port in ports if "name" in port), *(port["containerPort"] for port in ports)]


def network_policies_select_pods(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("NetworkPolicy"):
        labels = (item.spec.get("podSelector") or {}).get("matchLabels") or {}
        if not cluster.has_pods(item.namespace, labels):
            yield Violation(
                item,
                f"selects {f'pods with {shown(labels)}' if labels else 'all pods'} in namespace {item.namespace}, "
                "but there are none: use the labels of a workload",
            )
        for direction, key in (("ingress", "from"), ("egress", "to")):
            for rule in item.spec.get(direction, []):
                for peer in rule.get(key, []):
                    yield from _peer_exists(cluster, item, direction, peer)


def _peer_exists(cluster: Cluster, policy: Object, direction: str, peer: Document) -> Iterator[Violation]:
    namespaces = (peer.get("namespaceSelector") or {}).get("matchLabels") or {}
    if "namespaceSelector" in peer and NAMESPACE_LABEL not in namespaces:
        return
    namespace = namespaces.get(NAMESPACE_LABEL, policy.namespace)
    if not cluster.find("Namespace", "", namespace):
        yield Violation(
            policy,
            f"names namespace {namespace} for {direction}, which is neither made here nor provided; "
            f"there are {cluster.names('Namespace', '')}",
        )
    elif "podSelector" in peer:
        labels = peer["podSelector"].get("matchLabels") or {}
        if labels and not cluster.has_pods(namespace, labels):
            yield Violation(
                policy,
                f"names pods with {shown(labels)} in namespace {namespace} for {direction}, "
                "but there are none, made here or provided: use the labels of a workload",
            )


def routes_lead_to_services(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("VirtualService"):
        for route in (*item.spec.get("http", []), *item.spec.get("tls", []), *item.spec.get("tcp", [])):
            targets = [target["destination"] for target in route.get("route", [])]
            targets += [route["mirror"]] if "mirror" in route else []
            targets += [mirror["destination"] for mirror in route.get("mirrors", [])]
            for destination in targets:
                yield from _destination_exists(cluster, item, destination)


def _destination_exists(cluster: Cluster, route: Object, destination: Document) -> Iterator[Violation]:
    name, _, rest = destination["host"].partition(".")
    namespace = rest.partition(".")[0] if rest else route.namespace
    if rest and rest != f"{namespace}.svc.cluster.local":
        yield Violation(
            route,
            f"sends to {destination['host']}: name a Service of the cluster in full, as in "
            f"{name}.{route.namespace}.svc.cluster.local",
        )
        return
    ports = _service_ports(cluster, namespace, name)
    if ports is None:
        yield Violation(
            route,
            f"sends to Service {name} in namespace {namespace}, which is neither made here nor provided; "
            f"there are {cluster.names('Service', namespace)}",
        )
        return
    wanted = (destination.get("port") or {}).get("number")
    offered = ", ".join(map(str, ports))
    if wanted is None and len(ports) != 1:
        yield Violation(route, f"sends to Service {name} without a port: name one of {offered}")
    elif wanted is not None and wanted not in ports:
        yield Violation(route, f"sends to port {wanted}, but Service {name} offers {offered}")


def _service_ports(cluster: Cluster, namespace: str, name: str) -> list[int] | None:
    service = cluster.find("Service", namespace, name)
    if isinstance(service, Object):
        return [port["port"] for port in service.spec.get("ports", [])]
    return list(service.ports) if service else None


def gateways_list_the_routes(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("VirtualService"):
        for reference in item.spec.get("gateways", []):
            if reference == "mesh":
                continue
            namespace, _, name = reference.rpartition("/")
            gateway = cluster.find("Gateway", namespace or item.namespace, name)
            if not isinstance(gateway, Object):
                known = ", ".join(f"{g.namespace}/{g.name}" for g in cluster.of("Gateway")) or "none"
                yield Violation(item, f"goes through Gateway {reference}, which does not exist; there are {known}")
                continue
            entries = _gateway_hosts(gateway)
            for host in item.spec.get("hosts", []):
                if f"{item.namespace}/{host}" not in entries and not any(
                    _admits(entry, item.namespace, host) for entry in entries
                ):
                    yield Violation(
                        item,
                        f"answers for {host}, but {gateway} lists {', '.join(entries) or 'none'}: "
                        f"claim {item.namespace}/{host} there",
                    )


def gateways_lead_somewhere(cluster: Cluster) -> Iterator[Violation]:
    answered = {
        (route.namespace, host) for route in cluster.of("VirtualService") for host in route.spec.get("hosts", [])
    }
    for gateway in cluster.of("Gateway"):
        selector = gateway.spec.get("selector") or {}
        if not cluster.has_pods(gateway.namespace, selector):
            yield Violation(
                gateway,
                f"is for pods with {shown(selector)} in namespace {gateway.namespace}, "
                "but there are none, made here or provided: use the labels of the ingress gateway",
            )
        for entry in _gateway_hosts(gateway):
            if gateway_host(entry) not in answered and not any(_admits(entry, *pair) for pair in answered):
                yield Violation(gateway, f"lists {entry}, but no VirtualService there answers for that host: drop it")


def _gateway_hosts(gateway: Object) -> list[str]:
    return [host for server in gateway.spec.get("servers", []) for host in server.get("hosts", [])]


def _admits(entry: str, namespace: str, host: str) -> bool:
    """Whether a Gateway's host entry (`namespace/host`, `*/*.example.com`) lets a VirtualService bind a host."""
    where, pattern = gateway_host(entry)
    if where not in ("*", namespace):
        return False
    return pattern in ("*", host) or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def hosts_are_claimed_once(cluster: Cluster) -> Iterator[Violation]:
    claimed: dict[tuple[str, str], Object] = {}
    for item in cluster.of("VirtualService"):
        for gateway in item.spec.get("gateways", []):
            for host in item.spec.get("hosts", []):
                other = claimed.setdefault((gateway, host), item)
                if other is not item:
                    yield Violation(
                        item,
                        f"claims {host}, which {other} in namespace {other.namespace} claims already "
                        f"({other.source}): give one of them another host",
                    )


def flux_finds_what_it_applies(cluster: Cluster) -> Iterator[Violation]:
    """Flux's Kustomizations: source, path and dependencies exist, and what leaves the tree leaves the cluster."""
    kustomizations = [k for k in cluster.of("Kustomization") if k.group == "kustomize.toolkit.fluxcd.io"]
    for item in kustomizations:
        source = item.spec["sourceRef"]
        if not cluster.find(source["kind"], source.get("namespace", item.namespace), source["name"]):
            yield Violation(
                item,
                f"takes its files from {source['kind']} {source['name']}, which does not exist; "
                f"there are {cluster.names(source['kind'], item.namespace)}",
            )
        path = str(PurePosixPath(item.spec.get("path", ".")))
        if f"{path}/{KUSTOMIZATION_FILE}" not in cluster.tree.files:
            yield Violation(item, f"applies {path}, which is no folder of this tree with a {KUSTOMIZATION_FILE}")
        if item.spec.get("prune") is not True:
            yield Violation(item, "does not prune: set prune to true, so that what leaves the tree leaves the cluster")
        for needed in item.spec.get("dependsOn", []):
            if not cluster.find(item.kind, needed.get("namespace", item.namespace), needed["name"]):
                yield Violation(
                    item,
                    f"depends on Kustomization {needed['name']}, which does not exist; "
                    f"there are {cluster.names(item.kind, item.namespace)}",
                )
    yield from _dependency_circles(kustomizations)


def _dependency_circles(kustomizations: Sequence[Object]) -> Iterator[Violation]:
    needs = {item.name: [needed["name"] for needed in item.spec.get("dependsOn", [])] for item in kustomizations}
    for item in kustomizations:
        reached: list[str] = []
        waiting = list(needs[item.name])
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.append(name)
                waiting.extend(needs.get(name, []))
        if item.name in reached:
            yield Violation(item, "depends on itself through dependsOn, so Flux would never apply it: break the circle")


RULES: tuple[Rule, ...] = (
    identities_are_unique,
    nothing_provided_is_defined,
    namespaces_exist,
    fields_are_valid,
    pods_match_their_selector,
    pods_find_what_they_name,
    volumes_have_one_pod,
    services_reach_one_workload,
    network_policies_select_pods,
    routes_lead_to_services,
    gateways_list_the_routes,
    gateways_lead_somewhere,
    hosts_are_claimed_once,
    flux_finds_what_it_applies,
)
