"""Rules that hold across the objects of one environment. Each violation is one sentence; all are shown."""

from collections.abc import Iterable

from synth.cluster import Cluster, Provided, Rule, Violation
from synth.rules import (
    authorization,
    certificates,
    destinations,
    encryption,
    fields,
    flux,
    gateways,
    helm,
    identities,
    images,
    matches,
    namespaces,
    network,
    nodes,
    patterns,
    quotas,
    rights,
    scaling,
    services,
    storage,
    workloads,
)
from synth.tree import Tree

RULES: tuple[Rule, ...] = (
    *identities.RULES,
    *namespaces.RULES,
    *fields.RULES,
    *workloads.RULES,
    *images.RULES,
    *nodes.RULES,
    *storage.RULES,
    *scaling.RULES,
    *quotas.RULES,
    *rights.RULES,
    *services.RULES,
    *network.RULES,
    *gateways.RULES,
    *destinations.RULES,
    *matches.RULES,
    *patterns.RULES,
    *authorization.RULES,
    *encryption.RULES,
    *certificates.RULES,
    *flux.RULES,
    *helm.RULES,
)


def check(tree: Tree, provided: Iterable[Provided]) -> list[Violation]:
    """Every violation of every rule in one environment's tree, in the order of the objects."""
    cluster = Cluster(tree, provided)
    violations = [violation for rule in RULES for violation in rule(cluster)]
    order = {id(item): index for index, item in enumerate(cluster.objects)}
    return sorted(violations, key=lambda violation: order[id(violation.subject)])
