"""What a change does to a cluster that a difference of files does not show.

What the API server refuses because it cannot be changed in place, what Flux deletes and what goes with it, data that is
lost or out of sight, outages, and images that are no longer certain. Each is a `Hazard` with what to do instead.
"""

from collections.abc import Iterable

from synth.changes import data, images, immutable, outage
from synth.changes.deletion import deletions
from synth.changes.sides import Hazard, Risk, Sides
from synth.manifest import Document
from synth.tree import Object

__all__ = ["Hazard", "Risk", "deleted", "hazards"]


def hazards(before: Iterable[Object], after: Iterable[Object], definitions: Iterable[Document] = ()) -> list[Hazard]:
    """Every hazard of a change of one environment, the worst kind first.

    Arguments:
        before: its objects as the cluster has them.
        after: its objects as they would be.
        definitions: CRDs that are in the cluster and not among the objects.
    """
    sides = Sides(before, after)
    going, explained = deletions(sides)
    found = [
        *immutable.hazards(sides, definitions),
        *going,
        *data.hazards(sides, explained),
        *outage.hazards(sides, explained),
        *images.hazards(sides),
    ]
    order = list(Risk)
    return sorted(found, key=lambda hazard: (hazard.notice, order.index(hazard.risk)))


def deleted(before: Iterable[Object], after: Iterable[Object]) -> list[Object]:
    """The objects of before that Flux would delete; what else is no longer there stays in the cluster."""
    return Sides(before, after).going
