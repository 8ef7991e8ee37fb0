"""Rules for mutual TLS: those who call and those who are called agree on it."""

from collections.abc import Iterator

from synth.cluster import Cluster, Rule, Violation
from synth.mesh import ROOT_NAMESPACE, Host
from synth.pods import pod_labels, selects
from synth.tree import Object


def clients_and_servers_agree(cluster: Cluster) -> Iterator[Violation]:
    """A client that sends plain text to a sidecar that wants mutual TLS gets 503, and the other way round too."""
    for rule in cluster.of("DestinationRule"):
        service = Host.of(rule.spec.get("host", ""), rule.namespace).service(cluster)
        if not isinstance(service, Object) or not service.spec.get("selector"):
            continue
        policies = [rule.spec, *rule.spec.get("subsets", [])]
        modes = [((p.get("trafficPolicy") or {}).get("tls") or {}).get("mode") for p in policies]
        for workload in cluster.selected(service.namespace, service.spec["selector"]):
            for mode in dict.fromkeys(filter(None, modes)):
                strict = _strict(cluster, workload)
                if mode != "ISTIO_MUTUAL" and strict and cluster.has_sidecar(workload):
                    yield Violation(
                        rule,
                        f"has its callers speak TLS mode {mode} to {workload}, of which {strict} demands STRICT mutual "
                        "TLS: write ISTIO_MUTUAL, or leave tls out",
                    )
                if mode == "ISTIO_MUTUAL" and not cluster.has_sidecar(workload):
                    yield Violation(
                        rule,
                        f"has its callers speak mutual TLS to {workload}, which has no sidecar: leave tls out",
                    )


def _strict(cluster: Cluster, workload: Object) -> Object | None:
    """The policy by which a workload takes mutual TLS alone: its own, its namespace's or the mesh's, in this order."""
    labels = pod_labels(workload.document)
    here = cluster.within(workload.namespace, "PeerAuthentication")
    own = [policy for policy in here if policy.spec.get("selector") and selects(policy.spec["selector"], labels)]
    everywhere = cluster.within(ROOT_NAMESPACE, "PeerAuthentication")
    wide = [policy for policy in (*here, *everywhere) if not policy.spec.get("selector")]
    for policy in (*own, *wide):
        mode = (policy.spec.get("mtls") or {}).get("mode", "UNSET")
        if mode != "UNSET":
            return policy if mode == "STRICT" else None
    return None


RULES: tuple[Rule, ...] = (clients_and_servers_agree,)
