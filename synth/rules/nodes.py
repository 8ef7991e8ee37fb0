"""Rules for the nodes that pods run on: labels that some node has."""

from collections.abc import Iterator

from synth.cluster import Cluster, Rule, Violation
from synth.pods import pod_spec

# What every node has, with the values where they are known:
# https://kubernetes.io/docs/reference/labels-annotations-taints/
EVERY_NODE: dict[str, tuple[str, ...]] = {
    "kubernetes.io/hostname": (),
    "kubernetes.io/os": ("linux", "windows"),
    "kubernetes.io/arch": ("amd64", "arm64", "arm", "ppc64le", "riscv64", "s390x"),
    "node.kubernetes.io/instance-type": (),
    "topology.kubernetes.io/region": (),
    "topology.kubernetes.io/zone": (),
}


def selected_nodes_exist(cluster: Cluster) -> Iterator[Violation]:
    """Pods for a node with a label that no node has wait for ever; the nodes of a cluster are what it provides."""
    nodes = [given for given in cluster.provided if given.kind == "Node"]
    for item in cluster.workloads:
        for label, value in (pod_spec(item.document).get("nodeSelector") or {}).items():
            values = EVERY_NODE.get(label)
            known = values is not None and (not values or value in values)
            if not known and not any(node.labels.get(label) == value for node in nodes):
                labels = {f"{key}={text}" for node in nodes for key, text in node.labels.items()}
                there = ", ".join(sorted(labels)) or f"only {', '.join(EVERY_NODE)}"
                yield Violation(item, f"is for nodes with {label}={value}, which no node has; there are {there}")


RULES: tuple[Rule, ...] = (selected_nodes_exist,)
