"""Data that pods no longer see: a claim that nothing mounts any more, and claims that a StatefulSet starts anew."""

from collections.abc import Iterator

from synth.changes.outage import successor
from synth.changes.sides import Hazard, Risk, Sides, code, is_kept
from synth.cluster import Cluster
from synth.pods import WORKLOADS, pod_spec
from synth.scale import scale
from synth.tree import Object

Claim = tuple[str, str]
"""Namespace and name."""


def hazards(sides: Sides, explained: frozenset[int]) -> Iterator[Hazard]:
    """Every volume whose data is out of sight; `explained` are the removed objects of which somebody has spoken."""
    if sides.stopped:
        return
    yield from _unmounted(sides, explained)
    for old in sides.before.of("StatefulSet"):
        if id(old) not in explained:
            yield from _own_claims(sides, old)


def _unmounted(sides: Sides, explained: frozenset[int]) -> Iterator[Hazard]:
    before, after = (_mounts(side) for side in (sides.before, sides.after))
    for claim, owners in before.items():
        item = sides.before.find("PersistentVolumeClaim", *claim)
        if claim in after or (isinstance(item, Object) and id(item) in explained):
            continue
        for owner in owners:
            heir = sides.now(owner) or (successor(sides, owner) if id(owner) not in explained else None)
            if heir is None:
                continue
            news = [
                name for (_, name), mounting in after.items() if heir in mounting and (claim[0], name) not in before
            ]
            instead = " and ".join(map(code, news))
            mounts = f"{heir.kind} {code(heir.name)} mounts {instead or 'no claim'} instead of {code(claim[1])}"
            stays = (
                "the old claim stays in the cluster with its data"
                if isinstance(item, Object) and (sides.now(item) or is_kept(item))
                else "Flux deletes the old claim with its data"
            )
            yield Hazard(
                Risk.LOST,
                item if isinstance(item, Object) else heir,
                f"{mounts}: {'it starts empty' if news else 'what it wrote is out of its sight'}, and {stays}.",
                (
                    f"Leave the claim's name as it was, {code(claim[1])}.",
                    "To move to another volume: add the new claim in a first commit, and save the data.",
                    "Mount the new claim in a second commit, bring the data back, and see that it is there.",
                    "Remove the old claim in a third one.",
                ),
            )
            break


def _mounts(cluster: Cluster) -> dict[Claim, list[Object]]:
    """The workloads that mount each claim."""
    found: dict[Claim, list[Object]] = {}
    for item in cluster.objects:
        if item.kind in WORKLOADS:
            for volume in pod_spec(item.document).get("volumes") or []:
                if name := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
                    found.setdefault((item.namespace, str(name)), []).append(item)
    return found


def _own_claims(sides: Sides, old: Object) -> Iterator[Hazard]:
    """What becomes of the claims that a StatefulSet made.

    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention
    """
    templates = [template["metadata"]["name"] for template in old.spec.get("volumeClaimTemplates") or []]
    if not templates:
        return
    names = " and ".join(code(f"{name}-{old.name}-0") for name in templates)
    retention = old.spec.get("persistentVolumeClaimRetentionPolicy") or {}
    new = sides.now(old)
    if new is None:
        heir = successor(sides, old)
        deleted = retention.get("whenDeleted") == "Delete"
        if heir or deleted:
            what = f"It is {heir.kind} {code(heir.name)} now, whose volumes start empty. " if heir else ""
            yield Hazard(
                Risk.LOST,
                old,
                f"{what}The claims {names} and so on {'go with it, and their data' if deleted else 'stay'}.",
                (
                    "Leave its name as it was." if heir else "Save the data first.",
                    "If it has to change: save the data, merge, and bring it back.",
                ),
            )
        return
    now = new.spec.get("persistentVolumeClaimRetentionPolicy") or {}
    for key, when in (("whenDeleted", "with it"), ("whenScaled", "when it has fewer pods")):
        if retention.get(key, "Retain") == "Retain" and now.get(key, "Retain") == "Delete":
            yield Hazard(
                Risk.LOST,
                new,
                f"{code(f'spec.persistentVolumeClaimRetentionPolicy.{key}')} becomes Delete: from now on its claims go "
                f"{when}, and their data.",
                ("Leave it at Retain.",),
            )
    fewer = scale(sides.before, old)[0] > scale(sides.after, new)[0]
    if fewer and now.get("whenScaled") == "Delete":
        yield Hazard(
            Risk.LOST,
            new,
            f"It has fewer pods, and {code('whenScaled')} is Delete: the claims of those that end go, and their data.",
            ("Set `whenScaled` to Retain in a first commit.", "Save the data of the pods that end."),
        )
