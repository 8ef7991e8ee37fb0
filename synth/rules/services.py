"""Rules for Services: each leads to the pods of one workload, on a port that they offer."""

from collections.abc import Iterator

from synth.cluster import Cluster, Rule, Violation, shown
from synth.pods import containers, port_names


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
        offered = port_names(containers(targets[0].document))
        for port in item.spec.get("ports", []):
            target = port.get("targetPort", port["port"])
            if target not in offered:
                yield Violation(
                    item,
                    f"sends port {port['port']} to target port {target}, but the pods of {targets[0]} offer "
                    f"{', '.join(map(str, offered)) or 'none'}",
                )


RULES: tuple[Rule, ...] = (services_reach_one_workload,)
