"""Rules that hold across the objects of one environment. Each violation is one sentence; all are shown."""

from collections.abc import Iterable

from synth.cluster import ANY_IMAGE, Cluster, ImagesWanted, Provided, Rule, Violation
from synth.rules import (
    accounts,
    addresses,
    authorization,
    certificates,
    contents,
    destinations,
    encryption,
    fields,
    flux,
    gateways,
    helm,
    identities,
    images,
    jobs,
    listening,
    matches,
    namespaces,
    network,
    nodes,
    outside,
    patterns,
    providers,
    proxies,
    quotas,
    rights,
    routes,
    scaling,
    servers,
    services,
    shells,
    storage,
    substitutions,
    traffic,
    unused,
    variables,
    workloads,
)
from synth.tree import Tree

FOUNDATION: tuple[Rule, ...] = (
    *identities.RULES,
    *namespaces.PLACES,
)
"""Which object is where: as long as that is wrong, what the other rules would say follows from it."""
RULES: tuple[Rule, ...] = (
    *namespaces.RULES,
    *fields.RULES,
    *workloads.RULES,
    *variables.RULES,
    *unused.RULES,
    *contents.RULES,
    *addresses.RULES,
    *listening.RULES,
    *shells.RULES,
    *images.RULES,
    *nodes.RULES,
    *storage.RULES,
    *scaling.RULES,
    *jobs.RULES,
    *quotas.RULES,
    *rights.RULES,
    *services.RULES,
    *network.RULES,
    *gateways.RULES,
    *servers.RULES,
    *destinations.RULES,
    *traffic.RULES,
    *outside.RULES,
    *matches.RULES,
    *routes.RULES,
    *patterns.RULES,
    *authorization.RULES,
    *encryption.RULES,
    *proxies.RULES,
    *providers.RULES,
    *certificates.RULES,
    *flux.RULES,
    *accounts.RULES,
    *substitutions.RULES,
    *helm.RULES,
)


def check(tree: Tree, provided: Iterable[Provided], images: ImagesWanted = ANY_IMAGE) -> list[Violation]:
    """Every violation of every rule in one environment's tree, in the order of the objects, without what follows."""
    cluster = Cluster(tree, provided, images)
    violations = [violation for rule in FOUNDATION for violation in rule(cluster)]
    violations = violations or [violation for rule in RULES for violation in rule(cluster)]
    wrong = {id(violation.subject) for violation in violations}
    violations = [found for found in violations if not any(id(item) in wrong for item in found.relies_on)]
    order = {id(item): index for index, item in enumerate(cluster.objects)}
    return sorted(violations, key=lambda violation: order[id(violation.subject)])
