"""Rules for mutual TLS: those who call and those who are called agree on it."""

from collections.abc import Iterator

from synth.cluster import AMBIENT, REVISION, Cluster, Rule, Violation, shown_selector
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
    return policy if policy and _mode(policy) == "STRICT" else None


def _mode(policy: Object) -> str:
    mode: str = (policy.spec.get("mtls") or {}).get("mode", "UNSET")
    return mode


def _deciding(cluster: Cluster, workload: Object) -> Object | None:
    """The policy that decides on a workload's mutual TLS: its own, its namespace's or the mesh's, in this order."""
    labels = pod_labels(workload.document)
    here = cluster.within(workload.namespace, "PeerAuthentication")
    own = [policy for policy in here if policy.spec.get("selector") and selects(policy.spec["selector"], labels)]
    everywhere = cluster.within(ROOT_NAMESPACE, "PeerAuthentication")
    wide = [policy for policy in (*here, *everywhere) if not policy.spec.get("selector")]
    for policy in (*own, *wide):
        if _mode(policy) != "UNSET":
            return policy
    return None


def policies_are_for_pods_and_their_ports(cluster: Cluster) -> Iterator[Violation]:
    """What Istio refuses or overlooks: https://istio.io/latest/docs/reference/config/security/peer_authentication/."""
    wide: dict[str, Object] = {}
    for item in cluster.of("PeerAuthentication"):
        selector, levels = item.spec.get("selector"), _levels(item)
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
        refusing, ports = _refusing(cluster, workload)
        for policy in authorizations(cluster, workload) if refusing else ():
            sources = [s.get("source") or {} for rule in rules_of([policy], "rules") for s in rule.get("from") or []]
            if refusing and any(source.keys() & BY_IDENTITY for source in sources):
                yield Violation(
                    refusing,
                    f"lets the pods of {workload} speak plain text alone{ports}, in which {policy} finds no caller by "
                    "name: write STRICT",
                )
                break


def _refusing(cluster: Cluster, workload: Object) -> tuple[Object | None, str]:
    """The policy by which a workload speaks plain text alone, and at which port, for a sentence, where not at all."""
    deciding = _deciding(cluster, workload)
    everywhere = deciding is not None and _mode(deciding) == "DISABLE"
    labels = pod_labels(workload.document)
    for policy in cluster.within(workload.namespace, "PeerAuthentication"):
        if policy.spec.get("selector") and selects(policy.spec["selector"], labels):
            levels = {str(number): level.get("mode") for number, level in _levels(policy).items()}
            own = [str(port.number) for port in declared(containers(workload.document))]
            if plain := [number for number in own if levels.get(number) == "DISABLE"]:
                return policy, f" at port {', '.join(plain)}"
            everywhere = everywhere and not all(number in levels for number in own)
    return (deciding if everywhere else None), ""


def _levels(policy: Object) -> dict[str | int, dict[str, str]]:
    return policy.spec.get("portLevelMtls") or {}


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
                    f"no sidecar to speak it: {cluster.way_to_a_sidecar(caller)}",
                )


def plain_text_is_the_exception(cluster: Cluster) -> Iterator[Violation]:
    """By itself Istio takes plain text beside mutual TLS, and so from callers that nobody can name."""
    wide = [item for item in cluster.within(ROOT_NAMESPACE, "PeerAuthentication") if not item.spec.get("selector")]
    for item in wide:
        if _mode(item) in ("PERMISSIVE", "UNSET"):
            yield Violation(
                item,
                "lets every pod of the mesh take plain text beside mutual TLS: write STRICT, and PERMISSIVE for the "
                "pods alone that somebody without a sidecar calls",
            )
    with_proxy = [workload for workload in cluster.workloads if cluster.has_sidecar(workload)]
    decided = {id(item): item for item in filter(None, (_deciding(cluster, workload) for workload in with_proxy))}
    for item in decided.values():
        if item.namespace != ROOT_NAMESPACE and not item.spec.get("selector") and _mode(item) == "PERMISSIVE":
            yield Violation(
                item,
                f"lets every pod of namespace {item.namespace} take plain text: name in its selector the pods alone "
                "that somebody without a sidecar calls, or write STRICT",
            )
    open_ones = (workload for workload in with_proxy if _deciding(cluster, workload) is None)
    if not wide and (open_one := next(open_ones, None)):
        yield Violation(
            open_one,
            "takes plain text beside mutual TLS, which no PeerAuthentication demands: write a STRICT one in namespace "
            f"{ROOT_NAMESPACE}, for the whole mesh",
        )


def namespaces_choose_their_proxy_in_one_way(cluster: Cluster) -> Iterator[Violation]:
    """As istio-injection goes before a revision, and both before what a pod says of its revision.

    https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/#controlling-the-injection-policy
    """
    for item in cluster.of("Namespace"):
        labels = item.document["metadata"].get("labels") or {}
        chosen = [key for key in ("istio-injection", REVISION, AMBIENT) if key in labels]
        if labels.get("istio-injection") == "disabled" and labels.get(AMBIENT):
            continue
        if len(chosen) > 1:
            yield Violation(
                item, f"has the labels {' and '.join(chosen)}, of which Istio takes {chosen[0]} alone: keep one"
            )
        for workload in cluster.selected(item.name, {}) if chosen else ():
            if REVISION in pod_labels(workload.document):
                yield Violation(
                    workload,
                    f"has {REVISION} on its pods, which does nothing as {item} has {chosen[0]}: put it on {item} "
                    "instead of that",
                )


RULES: tuple[Rule, ...] = (
    clients_and_servers_agree,
    policies_are_for_pods_and_their_ports,
    who_is_let_in_by_name_shows_it,
    callers_have_a_sidecar,
    plain_text_is_the_exception,
    namespaces_choose_their_proxy_in_one_way,
)
