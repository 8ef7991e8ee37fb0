"""Rules for mutual TLS: those who call and those who are called agree on it."""

from collections.abc import Iterator

from synth.cluster import Cluster, Rule, Violation, shown_selector
from synth.mesh import ROOT_NAMESPACE, Host
from synth.pods import containers, declared, pod_labels, selected_labels, selects
from synth.policies import authorizations, rules_of, ways
from synth.tree import Object

BY_IDENTITY = frozenset({"principals", "namespaces", "serviceAccounts"})
"""By what a policy knows a caller that has shown who it is."""


def clients_and_servers_agree(cluster: Cluster) -> Iterator[Violation]:
    """A client that sends plain text to a sidecar that wants mutual TLS gets 503, and the other way round too."""
    for rule in cluster.of("DestinationRule"):
        service = Host.of(rule.spec.get("host", ""), rule.namespace).service(cluster)
        if not isinstance(service, Object) or not service.spec.get("selector"):
            continue
        policies = [p.get("trafficPolicy") or {} for p in (rule.spec, *rule.spec.get("subsets", []))]
        policies += [level for p in policies for level in p.get("portLevelSettings") or []]
        modes = [(p.get("tls") or {}).get("mode") for p in policies]
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
    """The policy by which a workload takes mutual TLS alone."""
    policy = _deciding(cluster, workload)
    return policy if policy and policy.spec["mtls"]["mode"] == "STRICT" else None


def _deciding(cluster: Cluster, workload: Object) -> Object | None:
    """The policy that decides on a workload's mutual TLS: its own, its namespace's or the mesh's, in this order."""
    labels = pod_labels(workload.document)
    here = cluster.within(workload.namespace, "PeerAuthentication")
    own = [policy for policy in here if policy.spec.get("selector") and selects(policy.spec["selector"], labels)]
    everywhere = cluster.within(ROOT_NAMESPACE, "PeerAuthentication")
    wide = [policy for policy in (*here, *everywhere) if not policy.spec.get("selector")]
    for policy in (*own, *wide):
        mode = (policy.spec.get("mtls") or {}).get("mode", "UNSET")
        if mode != "UNSET":
            return policy
    return None


def policies_are_for_pods_and_their_ports(cluster: Cluster) -> Iterator[Violation]:
    """What Istio refuses or overlooks: https://istio.io/latest/docs/reference/config/security/peer_authentication/."""
    wide: dict[str, Object] = {}
    for item in cluster.of("PeerAuthentication"):
        selector, levels = item.spec.get("selector"), item.spec.get("portLevelMtls") or {}
        if not selected_labels(selector):
            if (other := wide.setdefault(item.namespace, item)) is not item:
                yield Violation(
                    item, f"is for all of namespace {item.namespace}, as {other} is, and the older one counts: drop one"
                )
            if levels:
                yield Violation(item, "has portLevelMtls without a selector, which Istio refuses: say for which pods")
            continue
        if not cluster.has_chosen(item.namespace, selector):
            yield Violation(
                item,
                f"is for pods with {shown_selector(selector)} in namespace {item.namespace}, but there are none: use "
                "the labels of a workload",
            )
        ports = [list(declared(containers(w.document))) for w in cluster.chosen(item.namespace, selector)]
        offered = [str(port.number) for own in ports for port in own]
        for number in levels if all(ports) else ():
            if offered and str(number) not in offered:
                yield Violation(
                    item,
                    f"has portLevelMtls for port {number}, but the pods listen on {', '.join(dict.fromkeys(offered))}: "
                    "name that instead of the Service's",
                )


def who_is_let_in_by_name_shows_it(cluster: Cluster) -> Iterator[Violation]:
    """A caller shows who it is by mutual TLS alone; where the server refuses that, nobody is who a policy wants."""
    for workload in cluster.workloads:
        refusing = _deciding(cluster, workload)
        if refusing is None or (refusing.spec.get("mtls") or {}).get("mode") != "DISABLE":
            continue
        for policy in authorizations(cluster, workload):
            sources = [s.get("source") or {} for rule in rules_of([policy], "rules") for s in rule.get("from") or []]
            if any(source.keys() & BY_IDENTITY for source in sources):
                yield Violation(
                    refusing,
                    f"lets the pods of {workload} speak plain text alone, in which {policy} finds no caller by name: "
                    "write STRICT",
                )
                break


def callers_have_a_sidecar(cluster: Cluster) -> Iterator[Violation]:
    """A caller without a sidecar speaks plain text, which pods that demand mutual TLS refuse."""
    told: set[int] = set()
    for way in ways(cluster):
        for caller in way.callers if way.direction == "Egress" and way.is_narrow else ():
            targets = [t for t in way.targets if cluster.has_sidecar(t) and _strict(cluster, t)]
            if targets and not cluster.has_sidecar(caller) and id(caller) not in told:
                told.add(id(caller))
                yield Violation(
                    caller,
                    f"calls {targets[0]}, of which {_strict(cluster, targets[0])} demands STRICT mutual TLS, and has "
                    "no sidecar to speak it: leave its proxy in",
                )


RULES: tuple[Rule, ...] = (
    clients_and_servers_agree,
    policies_are_for_pods_and_their_ports,
    who_is_let_in_by_name_shows_it,
    callers_have_a_sidecar,
)
