"""Rules for the nodes that pods run on: labels that some node has, and neighbours that are there."""

from collections.abc import Iterator

from synth.cluster import Cluster, Rule, Violation, shown
from synth.manifest import Document
from synth.pods import pod_labels, pod_spec, selected_labels
from synth.tree import Object

# What every node has, with the values that are not a cluster's own:
# https://kubernetes.io/docs/reference/labels-annotations-taints/
EVERY_NODE: dict[str, tuple[str, ...]] = {
    "kubernetes.io/os": ("linux",),
    "kubernetes.io/arch": ("amd64", "arm64", "arm", "ppc64le", "riscv64", "s390x"),
    "kubernetes.io/hostname": (),
    "node.kubernetes.io/instance-type": (),
    "topology.kubernetes.io/region": (),
    "topology.kubernetes.io/zone": (),
}
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
SCHEDULER = "default-scheduler"


def selected_nodes_exist(cluster: Cluster) -> Iterator[Violation]:
    """Pods for a node with a label that no node has wait for ever; the nodes of a cluster are what it provides."""
    for item in cluster.workloads:
        pod = pod_spec(item.document)
        for label, value in (pod.get("nodeSelector") or {}).items():
            if not _is_there(cluster, label, value):
                yield Violation(item, f"is for nodes with {label}={value}, {_no_node(cluster)}")
        affinity = ((pod.get("affinity") or {}).get("nodeAffinity") or {}).get(REQUIRED) or {}
        terms = affinity.get("nodeSelectorTerms") or []
        problems = [_term_problem(cluster, term) for term in terms]
        # One term is enough.
        if problems and all(problems):
            yield Violation(item, problems[0])
        if name := pod.get("nodeName"):
            yield Violation(
                item, f"names its node, {name}, past the scheduler and all that it looks at: use nodeSelector instead"
            )
        if (scheduler := pod.get("schedulerName", SCHEDULER)) != SCHEDULER:
            yield Violation(
                item, f"waits for the scheduler {scheduler}, which no cluster has here: leave schedulerName out"
            )


def _is_there(cluster: Cluster, label: str, value: str) -> bool:
    own = any(node.kind == "Node" and node.labels.get(label) == value for node in cluster.provided)
    return own or value in EVERY_NODE.get(label, ())


def _no_node(cluster: Cluster) -> str:
    known = [f"{label}={value}" for label, values in EVERY_NODE.items() for value in values[:2]]
    labels = {f"{key}={text}" for node in cluster.provided if node.kind == "Node" for key, text in node.labels.items()}
    return (
        f"which no node has: there are {', '.join([*sorted(labels), *known])}; what the nodes have beside these is a "
        "fact of the environment, node_labels"
    )


def _term_problem(cluster: Cluster, term: Document) -> str:
    for expression in term.get("matchExpressions") or []:
        label, operator, values = expression.get("key", ""), expression.get("operator"), expression.get("values") or []
        if operator not in OPERATORS:
            return f"is for nodes by the operator {operator!r}: there are {', '.join(OPERATORS)}"
        if operator == "In" and not any(_is_there(cluster, label, value) for value in values):
            return f"is for nodes with {label} {' or '.join(values)}, {_no_node(cluster)}"
        if operator == "Exists" and not _is_known(cluster, label):
            return f"is for nodes that have {label}, {_no_node(cluster)}"
    return ""


def _is_known(cluster: Cluster, label: str) -> bool:
    return label in EVERY_NODE or any(node.kind == "Node" and label in node.labels for node in cluster.provided)


def pods_leave_nodes_that_fail(cluster: Cluster) -> Iterator[Violation]:
    """Who tolerates every taint goes to nodes that are broken, full or kept for the control plane, and stays there.

    https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
    """
    for item in cluster.workloads:
        for toleration in pod_spec(item.document).get("tolerations") or [] if item.kind != "DaemonSet" else ():
            key, effect = toleration.get("key", ""), toleration.get("effect", "")
            if toleration.get("operator") != "Exists" or toleration.get("tolerationSeconds") is not None:
                continue
            if not key or (key in BROKEN and effect in ("", "NoExecute")):
                yield Violation(
                    item,
                    f"tolerates {f'{key} for ever' if key else 'every taint'}, so that its pods stay on a node that is "
                    "gone: " + ("write a tolerationSeconds" if key else "name the key of the taint that is meant"),
                )


BROKEN = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
"""The taints of a node that does not answer."""


def neighbours_exist(cluster: Cluster) -> Iterator[Violation]:
    """Pods that must be beside others, or spread over something, find those others and that something."""
    for item in cluster.workloads:
        pod = pod_spec(item.document)
        affinity = pod.get("affinity") or {}
        beside = (affinity.get("podAffinity") or {}).get(REQUIRED) or []
        apart = (affinity.get("podAntiAffinity") or {}).get(REQUIRED) or []
        spread = pod.get("topologySpreadConstraints") or []
        for term in beside:
            yield from _someone_is_there(cluster, item, term)
        for term in spread:
            labels = selected_labels(term.get("labelSelector"))
            if not labels.items() <= pod_labels(item.document).items():
                yield Violation(
                    item,
                    f"spreads pods with {shown(labels)}, which are not its own: use {shown(pod_labels(item.document))}",
                )
        hard = [term for term in spread if term.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"]
        for term in (*beside, *apart, *hard):
            key = term.get("topologyKey", "")
            if not _is_known(cluster, key):
                yield Violation(
                    item, f"is placed by {key}, a label that no node has: as in {', '.join(list(EVERY_NODE)[2:])}"
                )


def _someone_is_there(cluster: Cluster, item: Object, term: Document) -> Iterator[Violation]:
    labels = selected_labels(term.get("labelSelector"))
    namespaces = term.get("namespaces") or [item.namespace]
    if (
        labels
        and not term.get("namespaceSelector")
        and not any(cluster.has_pods(space, labels) for space in namespaces)
    ):
        yield Violation(
            item,
            f"must run beside pods with {shown(labels)} in namespace {', '.join(namespaces)}, but there are none: "
            "use the labels of a workload",
        )


RULES: tuple[Rule, ...] = (selected_nodes_exist, pods_leave_nodes_that_fail, neighbours_exist)
