"""Rules for what pods need: labels that their selector finds, and everything that they cannot start without."""

from collections.abc import Iterator

from synth.cluster import CLUSTER_SCOPED, IN_EVERY_NAMESPACE, Cluster, Rule, Violation, shown
from synth.pods import pod_labels, references, selected_labels


def pods_match_their_selector(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.workloads:
        wanted = selected_labels(item.spec.get("selector"))
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
        for kind, name in references(item.document):
            if (kind, name) in IN_EVERY_NAMESPACE or (kind == "Secret" and (item.namespace, name) in issued):
                continue
            namespace = "" if kind in CLUSTER_SCOPED else item.namespace
            if not cluster.find(kind, namespace, name):
                where = f" in namespace {namespace}" if namespace else ""
                yield Violation(
                    item,
                    f"needs {kind} {name}{where}, {cluster.unknown(kind, namespace)}",
                )


def accounts_find_what_they_name(cluster: Cluster) -> Iterator[Violation]:
    """A pod of an account takes its keys of registries, and does without those that are not there."""
    for item in cluster.of("ServiceAccount"):
        for field in ("imagePullSecrets", "secrets"):
            for name in (entry.get("name", "") for entry in item.document.get(field) or []):
                if not cluster.find("Secret", item.namespace, name):
                    yield Violation(
                        item,
                        f"names Secret {name} in {field}, {cluster.unknown('Secret', item.namespace)}",
                    )


RULES: tuple[Rule, ...] = (
    pods_match_their_selector,
    pods_find_what_they_name,
    accounts_find_what_they_name,
)
