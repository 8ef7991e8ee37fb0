"""What Flux would delete and what goes with it, and what it would no longer apply.

How kustomize-controller does it: an object that left the files is deleted once all others are applied, before anybody
waits for them to be ready; unless an annotation on it says otherwise, or another Kustomization has applied it by then.
A Kustomization that is deleted deletes what it applied. https://fluxcd.io/flux/components/kustomize/kustomizations/
"""

from collections.abc import Iterator
from typing import NamedTuple

from synth.changes.sides import (
    FLUX,
    Hazard,
    Risk,
    Sides,
    applied_by,
    code,
    deletes,
    folder_of,
    is_below,
    is_kept,
    kustomizations,
    listed,
    says,
)
from synth.cluster import Cluster
from synth.pods import SERVING
from synth.tree import Object

KEEPING = "kustomize.toolkit.fluxcd.io/prune: disabled"
EXAMPLES = ("example.com", "example.org", "example.net", ".example", ".invalid", ".test")
"""Names that nobody has: what stands below them was never set up. https://www.rfc-editor.org/rfc/rfc2606"""


class Deletions(NamedTuple):
    """The hazards, and the removed objects that they are about, each with all that goes with it."""

    hazards: list[Hazard]
    explained: frozenset[int]


def deletions(sides: Sides) -> Deletions:
    """What goes and what is no longer applied."""
    if whole := list(_whole_tree(sides)):
        return Deletions(whole, frozenset(map(id, sides.removed)))
    found: list[Hazard] = []
    explained: set[int] = set()
    for hazard, covered in (*_kustomizations(sides), *_namespaces(sides)):
        if id(hazard.item) not in explained:
            found.append(hazard)
        explained |= set(map(id, covered))
    for item in sides.going:
        if id(item) not in explained and (taking := _with_others(item)):
            found.append(taking)
            explained.add(id(item))
    return Deletions([*found, *_no_longer_kept(sides), *_no_longer_applied(sides)], frozenset(explained))


Covering = Iterator[tuple[Hazard, list[Object]]]


def _whole_tree(sides: Sides) -> Iterator[Hazard]:
    if item := sides.stopped:
        yield Hazard(
            Risk.STOPPED,
            item,
            f"Its folder {code(folder_of(item))} has nothing any more. Flux in this cluster reads it, finds no "
            "path there and stands still: it deletes nothing, and it applies nothing that comes later.",
            (
                "To give the folder another name: keep the old one, add the new one beside it, and merge.",
                "Point the cluster to the new one: change `spec.path` of this Kustomization in the old folder.",
                "Remove the old folder in a later commit, when Flux says that it applied the new one.",
                "To give up the cluster: take it down first, then remove its folder.",
            ),
        )


def _kustomizations(sides: Sides) -> Covering:
    for item in kustomizations(sides.before):
        now = sides.now(item)
        if now is None:
            if not is_kept(item) and deletes(item):
                yield _kustomization_gone(sides, item)
            continue
        folder = folder_of(now)
        if not any(is_below(other.path, folder) for other in sides.after.objects):
            yield (
                Hazard(
                    Risk.STOPPED,
                    now,
                    f"Its folder {code(folder)} has nothing. Flux finds no path there and stands still: what it "
                    "applied before stays as it is, and no later change arrives.",
                    (
                        f"Let `spec.path` name the folder that has the objects, or put them into {code(folder)}.",
                        "To remove all of it: remove the Kustomization as well.",
                    ),
                ),
                [other for other in sides.removed if is_below(other.path, folder_of(item))],
            )
        elif renaming := [
            key for key in ("targetNamespace", "namePrefix", "nameSuffix") if item.spec.get(key) != now.spec.get(key)
        ]:
            yield (
                Hazard(
                    Risk.DELETED,
                    now,
                    f"{' and '.join(code(f'spec.{key}') for key in renaming)} changes, so all that it applies gets "
                    "another name or namespace: Flux makes all of it anew, volumes empty, and deletes what was there.",
                    ("Leave it as it was.", *_MOVING),
                ),
                [],
            )
    yield from _moved(sides)


_MOVING = (
    "If it has to change: save the data of its volumes first.",
    "Set `prune: false` in the Kustomization in a first commit, and wait until Flux has applied it.",
    "Make the change in a second commit; when the new objects answer, bring the data back.",
    "Delete the old objects by hand, and set `prune: true` again.",
)


def _kustomization_gone(sides: Sides, item: Object) -> tuple[Hazard, list[Object]]:
    taken = list(_all_of(sides.before, item))
    lost = [other for other in taken if not is_kept(other)]
    heirs = [other for other in kustomizations(sides.after) if other.identity not in _identities(sides.before)]
    follows = next((other for other in heirs if folder_of(other) == folder_of(item)), None)
    serving = [other for other in lost if other.kind in SERVING]
    among = f", among them {listed(serving)}" if serving else ""
    kept = [other for other in taken if is_kept(other)]
    stay = f" What stays is {listed(kept)}." if kept else ""
    if follows:
        what = (
            f"It is called {code(follows.name)} now. Flux deletes the old one, and with it what that applied"
            f"{among}. Whether the new one has taken them over by then is chance.{stay}"
        )
    else:
        what = f"Flux deletes it and with it all that it applied{among}.{stay}"
    steps = (
        "To remove all of it: save the data of its volumes first, then acknowledge this.",
        "To rename it, or to split it: set `deletionPolicy: Orphan` in the old one in a first commit.",
        f"Wait until {code(f'flux get kustomization {item.name}')} shows that commit.",
        "Put the new one in its place in a second commit: it takes over the objects, which stay.",
    )
    gone = [other for other in taken if sides.now(other) is None]
    return Hazard(Risk.DELETED, item, what, steps, f"{len(lost)} objects"), [item, *gone]


def _identities(cluster: Cluster) -> set[tuple[str, str, str, str]]:
    return {item.identity for item in cluster.objects}


def _all_of(cluster: Cluster, kustomization: Object) -> Iterator[Object]:
    """What a Kustomization applies, and what the Kustomizations among that apply."""
    for item in cluster.objects:
        if item is not kustomization and applied_by(cluster, item) is kustomization:
            yield item
            if item.kind == "Kustomization" and item.group == FLUX and deletes(item):
                yield from _all_of(cluster, item)


def _moved(sides: Sides) -> Covering:
    """Objects that another Kustomization applies now, while the first one is still there to delete them."""
    moves: dict[tuple[int, int], tuple[Object, Object, list[Object]]] = {}
    for old, new in sides.both:
        before, after = applied_by(sides.before, old), applied_by(sides.after, new)
        if before is None or after is None or before.identity == after.identity or is_kept(old):
            continue
        if sides.now(before) is not None and before.spec.get("prune") and not before.spec.get("suspend"):
            moves.setdefault((id(before), id(after)), (before, after, []))[2].append(old)
    for before, after, items in moves.values():
        yield (
            Hazard(
                Risk.DELETED,
                before,
                f"{len(items)} of its objects move to Kustomization {code(after.name)}: {listed(items)}. It deletes "
                "what is no longer in its folder; whether the other one has taken that over by then is chance.",
                (
                    "Set `prune: false` in it in a first commit.",
                    f"Wait until {code(f'flux get kustomization {before.name}')} shows that commit.",
                    f"Move the objects in a second commit, and wait until {code(after.name)} has applied them.",
                    "Set `prune: true` again in a third one.",
                ),
            ),
            [],
        )


def _namespaces(sides: Sides) -> Covering:
    for item in sides.removed:
        if item.kind != "Namespace":
            continue
        within = [other for other in sides.before.objects if other.namespace == item.name]
        gone = [other for other in within if sides.now(other) is None]
        heir = _heir_of_a_namespace(sides, item, within)
        going = set(map(id, sides.going))
        kept = [other for other in gone if id(other) not in going]
        lost = [other for other in gone if id(other) in going]
        answering = listed(other for other in lost if other.kind in (*SERVING, "Service"))
        claims = [other for other in within if other.kind == "PersistentVolumeClaim"]
        if id(item) not in going:
            if not lost and not heir:
                continue
            risk = Risk.LOST if heir and claims else Risk.DELETED
            stays = f"The namespace stays, with {listed(kept)}." if kept else "The namespace stays, without them."
            what = f"All of it goes{f', among them {answering}' if answering else ''}. {stays}"
        else:
            risk = Risk.LOST if claims else Risk.DELETED
            among = f", {listed(claims)} with the data as well" if claims else ""
            what = f"Flux deletes the namespace and with it everything in it, made by Flux or by hand{among}."
        if heir:
            what = (
                f"It is called {code(heir.name)} now. {what} In {code(heir.name)} everything is made anew, volumes "
                "empty, and Secrets that were made by hand are not there."
            )
            steps: tuple[str, ...] = (
                "Save the data of its volumes, and the Secrets that were made by hand.",
                f"Add {code(heir.name)} beside the old one in a first commit, under another host.",
                "Make the Secrets there, bring the data back, and see that it answers.",
                "Let the host name the new one, and remove the old one, in a second commit.",
                f"{code(f'kubectl delete namespace {item.name}')} when nobody wants the old data any more.",
            )
        else:
            steps = (
                "Save the data of its volumes, if anybody may want it again.",
                "Tell whoever calls it; then acknowledge this and merge.",
                f"{code(f'kubectl delete namespace {item.name}')} removes what stays, when nobody wants its data.",
            )
        yield Hazard(risk, item, what, steps, f"{len(lost)} objects"), [item, *gone]


def _heir_of_a_namespace(sides: Sides, namespace: Object, within: list[Object]) -> Object | None:
    """The new namespace that has what the old one had, under the same names or its own."""
    had = {part for item in within for part in _parts(item, namespace)}
    for item in sides.added:
        if item.kind == "Namespace":
            new = [other for other in sides.added if other.namespace == item.name]
            if had & {part for other in new for part in _parts(other, item)}:
                return item
    return None


def _parts(item: Object, namespace: Object) -> set[tuple[str, str]]:
    """A workload as a part of its namespace: by its name, and by what is its own of it."""
    names = {item.name, item.name.replace(namespace.name, "*")}
    return {(item.kind, name) for name in names} if item.kind in SERVING else set()


def _with_others(item: Object) -> Hazard | None:
    """The hazard of an object that takes more with it than itself."""
    known = TAKING.get((item.group, item.kind))
    return Hazard(known[0], item, known[1], known[2]) if known else None


TAKING = {
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (
        Risk.DELETED,
        "With the CRD go all objects of its kind in the cluster, whoever made them.",
        (
            "See what there is, with `kubectl get` for its kind in all namespaces.",
            "Remove those first, in a commit before this one.",
        ),
    ),
    ("helm.toolkit.fluxcd.io", "HelmRelease"): (
        Risk.DELETED,
        "Flux uninstalls the release: all that the chart made goes, but for its CRDs.",
        (
            "To remove all of it: save its data first, then acknowledge this.",
            "To keep what it made: set `suspend: true` in a first commit; a suspended release is not uninstalled.",
        ),
    ),
    ("", "PersistentVolumeClaim"): (
        Risk.LOST,
        "Flux deletes the claim, and with it the volume and all data on it, unless its class says Retain.",
        (
            f"To keep the data: annotate it with {code(KEEPING)} in a first commit, and let Flux apply that.",
            "Remove it in a second commit: it then stays in the cluster, until somebody deletes it by hand.",
        ),
    ),
    ("", "PersistentVolume"): (
        Risk.LOST,
        "The cluster forgets the volume; no claim finds its data any more.",
        ("Write down where the data is, or save it, before this is merged.",),
    ),
    ("", "Secret"): (
        Risk.DELETED,
        "What it holds goes with it, and pods that want it no longer start.",
        ("See that nothing names it, and that somebody else has what it holds.",),
    ),
}
"""What takes more with it than itself: how bad that is, what happens, and what to do instead."""

HOLDING = ("PersistentVolumeClaim", "Namespace", "CustomResourceDefinition")
"""Kinds with which more goes than a file can bring back."""


def _no_longer_kept(sides: Sides) -> Iterator[Hazard]:
    """What was safe from a mistaken removal and is no longer."""
    for old, new in sides.both:
        if new.kind in HOLDING and is_kept(old) and not is_kept(new):
            yield Hazard(
                Risk.LOST,
                new,
                f"It loses {code(KEEPING)}. Nothing happens now; the day it leaves Git, Flux deletes it with all that "
                "is in it.",
                (f"Leave {code(KEEPING)} on it, unless it is to be deleted next.",),
            )
    for old, new in sides.same_name("PersistentVolume"):
        policy = "persistentVolumeReclaimPolicy"
        if old.spec.get(policy, "Retain") == "Retain" and new.spec.get(policy, "Retain") != "Retain":
            yield Hazard(
                Risk.LOST,
                new,
                f"{code(f'spec.{policy}')} is no longer Retain: the data goes with the claim.",
                ("Leave it at Retain.",),
            )


SWITCHES = (
    ("Kustomization", "suspend", "Flux applies nothing of its folder any more, and puts back nothing."),
    ("HelmRelease", "suspend", "Flux neither upgrades the release nor puts back what somebody changed."),
    ("GitRepository", "suspend", "Flux fetches nothing any more: no later commit arrives."),
    ("OCIRepository", "suspend", "Flux fetches nothing any more: no later version arrives."),
    ("HelmRepository", "suspend", "Flux fetches nothing any more: no later version arrives."),
    ("HelmChart", "suspend", "Flux fetches nothing any more: no later version arrives."),
    ("Bucket", "suspend", "Flux fetches nothing any more: no later version arrives."),
    ("CronJob", "suspend", "It no longer runs."),
    ("Job", "suspend", "Its pods are deleted, and it waits."),
    ("Deployment", "paused", "No later change of its pods arrives."),
)
"""The fields that stop something, and what then does not happen."""


def _no_longer_applied(sides: Sides) -> Iterator[Hazard]:
    for kind, key, effect in SWITCHES:
        for old, new in sides.same_name(kind):
            if new.spec.get(key) is True and old.spec.get(key) is not True:
                yield Hazard(
                    Risk.STOPPED,
                    new,
                    f"{code(f'spec.{key}')} becomes true. {effect}",
                    ("Leave it out. To stop it for an hour, stop it in the cluster, not in Git.",),
                )
    for old, new in sides.both:
        for name, value in (("reconcile", "disabled"), ("ssa", "ignore")):
            if says(new, name, value) and not says(old, name, value):
                yield Hazard(
                    Risk.STOPPED,
                    new,
                    f"{code(f'{FLUX}/{name}: {value}')} comes: Flux no longer applies this object, whatever Git says.",
                    ("Leave the annotation out; what Git does not say of an object, Flux leaves alone anyway.",),
                )
        if new.kind == "HelmRelease" and (keys := _release_moves(old, new)):
            yield Hazard(
                Risk.DELETED,
                new,
                f"{' and '.join(code(f'spec.{key}') for key in keys)} changes: Flux uninstalls the release and "
                "installs another one, without the data of the first.",
                ("Leave it as it was.", "If it has to change: save its data first."),
            )
        if new.kind == "GitRepository":
            yield from _source(old, new)
        if new.kind == "Kustomization" and new.group == FLUX and old.spec.get("sourceRef") != new.spec.get("sourceRef"):
            yield Hazard(
                Risk.STOPPED,
                new,
                "It reads another source, which must have the same folder: what is not there, Flux deletes.",
                (f"See that the other source has {code(folder_of(new))} with the same objects.",),
            )


def _release_moves(old: Object, new: Object) -> list[str]:
    """The fields that make it another release: https://fluxcd.io/flux/components/helm/helmreleases/#release-name."""
    keys = ("releaseName", "targetNamespace", "storageNamespace")
    return [key for key in keys if old.spec.get(key) != new.spec.get(key)]


def _source(old: Object, new: Object) -> Iterator[Hazard]:
    """A source that was set up and is another one now."""
    if any(name in str(old.spec.get("url", "")) for name in EXAMPLES):
        return
    for key, what in (("url", "another repository"), ("ref", "another branch or commit"), ("secretRef", "another key")):
        if old.spec.get(key) != new.spec.get(key):
            yield Hazard(
                Risk.STOPPED,
                new,
                f"{code(f'spec.{key}')} names {what}. If Flux cannot fetch it, it stands still and cannot be told "
                "otherwise; what that state of the files does not have, it deletes.",
                (
                    "See that the other one is there, with all of this commit, and that Flux may read it.",
                    "Merge, and watch `flux get source git` until it says which commit it has.",
                ),
            )
