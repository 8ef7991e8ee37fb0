"""Rules for what Flux applies: every folder once, in an order in which each finds what it needs."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from synth.cluster import CLUSTER_SCOPED, Cluster, Rule, Violation
from synth.manifest import Document
from synth.mesh import gateway_references
from synth.names import DURATION
from synth.pods import WORKLOADS, references
from synth.rules.fields import TIMED
from synth.rules.helm import NO_RANGE, RANGE
from synth.tree import KUSTOMIZATION_FILE, Object

FLUX = "toolkit.fluxcd.io"
GROUP = f"kustomize.{FLUX}"
PRUNE = f"{GROUP}/prune"
FORCE = f"{GROUP}/force"
HOLDING = frozenset(
    {"Namespace", "PersistentVolume", "PersistentVolumeClaim", "StatefulSet", "CustomResourceDefinition"}
)
"""Kinds that hold what is lost with them."""
TIMES = ("interval", "retryInterval", "timeout")
SECRETS = ("secretRef", "certSecretRef", "proxySecretRef")
WATCHED = ("eventSources", "resources")
COMMIT = re.compile(r"[0-9a-f]{40}")


def _kustomizations(cluster: Cluster) -> list[Object]:
    return [item for item in cluster.of("Kustomization") if item.group == GROUP]


def _path(kustomization: Object) -> str:
    return str(PurePosixPath(kustomization.spec.get("path", ".")))


def kustomizations_find_what_they_apply(cluster: Cluster) -> Iterator[Violation]:
    """The path exists, and what leaves the tree leaves the cluster."""
    for item in _kustomizations(cluster):
        if f"{_path(item)}/{KUSTOMIZATION_FILE}" not in cluster.tree.files:
            yield Violation(
                item, f"applies {_path(item)}, which is not a folder of this tree with a {KUSTOMIZATION_FILE}"
            )
        if item.spec.get("prune") is not True:
            yield Violation(item, "does not prune: set prune to true, so that what leaves the tree leaves the cluster")


def everything_is_applied_once(cluster: Cluster) -> Iterator[Violation]:
    owners: dict[str, Object] = {}
    applied = by_path(cluster)
    for item in _kustomizations(cluster):
        # With one of these the same files become other objects.
        if item.spec.get("targetNamespace") or item.spec.get("postBuild") or item.spec.get("patches"):
            continue
        if (other := owners.setdefault(_path(item), item)) is not item:
            yield Violation(item, f"applies {_path(item)}, as {other} does: one would undo what the other does")
        for above in PurePosixPath(_path(item)).parents:
            listed = all(f"{path}/{KUSTOMIZATION_FILE}" in cluster.tree.files for path in (above, _path(item)))
            if listed and str(above) in applied:
                yield Violation(
                    item,
                    f"applies {_path(item)}, as {applied[str(above)]} does with all of {above}: give the two folders "
                    "that are beside each other",
                )
    appliers = by_path(cluster)
    for folder, items in by_folder(cluster).items():
        if appliers and applier_of(appliers, folder) is None:
            yield Violation(
                items[0], f"is in {folder}, which no Kustomization applies: there are {', '.join(appliers)}"
            )


def by_path(cluster: Cluster) -> dict[str, Object]:
    """The Kustomizations by their paths."""
    return {_path(item): item for item in _kustomizations(cluster)}


def applier_of(appliers: Mapping[str, Object], folder: str) -> Object | None:
    """The Kustomization that applies a folder."""
    places = (PurePosixPath(folder), *PurePosixPath(folder).parents)
    return next((appliers[str(place)] for place in places if str(place) in appliers), None)


def by_folder(cluster: Cluster) -> dict[str, list[Object]]:
    """The objects by the folder that they are in."""
    found: dict[str, list[Object]] = {}
    for item in cluster.objects:
        found.setdefault(item.path.rpartition("/")[0], []).append(item)
    return found


def dependencies_are_ready_in_time(cluster: Cluster) -> Iterator[Violation]:
    """What a Kustomization depends on exists, is ready only when it works, and does not depend on it in turn."""
    known = {(item.namespace, item.name): item for item in _kustomizations(cluster)}
    needs = {item.name: [needed["name"] for needed in item.spec.get("dependsOn", [])] for item in known.values()}
    appliers = by_path(cluster)
    told: set[str] = set()
    for item in known.values():
        for needed in item.spec.get("dependsOn", []):
            found = known.get((needed.get("namespace", item.namespace), needed["name"]))
            if found and applier_of(appliers, item.folder) is found and found is not item:
                yield Violation(
                    item,
                    f"depends on {found}, which applies it and so has begun before it: drop {found.name} from its "
                    "dependsOn",
                )
            elif not found:
                yield Violation(
                    item,
                    f"depends on Kustomization {needed['name']}, which does not exist; "
                    f"there are {cluster.names(item.kind, item.namespace)}",
                )
            elif not found.spec.get("wait") and not found.spec.get("healthChecks"):
                yield Violation(
                    found,
                    f"is what {item} depends on and does not wait for what it applies: set wait to true, so that it is "
                    "ready when that works",
                )
        reached = _reached(needs, item.name)
        if item.name in reached and item.name not in told:
            circle = [name for name in reached if item.name in _reached(needs, name)]
            told.update(circle)
            others = [name for name in circle if name != item.name]
            way = f" of {', '.join(others)}" if others else ""
            yield Violation(
                item, f"depends on itself through dependsOn{way}, so Flux would never apply it: break the circle"
            )


def nothing_waits_for_certificates(cluster: Cluster) -> Iterator[Violation]:
    """One comes when its host's DNS leads here, which may be after all else or never."""
    appliers = by_path(cluster)
    certificates = {
        applier.name: item for item in cluster.of("Certificate") if (applier := applier_of(appliers, item.folder))
    }
    waiting: dict[str, list[Object]] = defaultdict(list)
    for item in _kustomizations(cluster):
        for name in {needed["name"] for needed in item.spec.get("dependsOn", [])} & certificates.keys():
            waiting[name].append(item)
    for name, (item, *others) in waiting.items():
        remedy = "may never be: put certificates into a Kustomization that nothing depends on"
        if others:
            them = ", ".join(each.name for each in (item, *others))
            yield Violation(
                certificates[name], f"is what Kustomizations {them} wait for in that of {name}, and {remedy}"
            )
        else:
            ready = f"which is ready when {certificates[name]} is issued"
            yield Violation(item, f"waits for Kustomization {name}, {ready}, and so {remedy}")


def what_applies_others_does_not_wait_for_them(cluster: Cluster) -> Iterator[Violation]:
    """It would not look at the commit that mends one of them before it has waited for that in vain."""
    appliers = by_path(cluster)
    for item in _kustomizations(cluster):
        above = applier_of(appliers, item.folder)
        if above and above is not item and above.spec.get("wait") is True:
            yield Violation(
                above,
                f"waits for {item}, which it applies, so that a commit that mends what that one has is held back: "
                "leave wait out, as others say in dependsOn what they wait for",
            )
            return


def _reached(needs: Mapping[str, list[str]], name: str) -> list[str]:
    """What comes before a Kustomization, directly or through others."""
    reached: list[str] = []
    waiting = list(needs.get(name, []))
    while waiting:
        found = waiting.pop()
        if found not in reached:
            reached.append(found)
            waiting.extend(needs.get(found, []))
    return reached


def what_objects_need_is_applied_before(cluster: Cluster) -> Iterator[Violation]:
    appliers = by_path(cluster)
    needs = {item.name: [needed["name"] for needed in item.spec.get("dependsOn", [])] for item in appliers.values()}
    before = {name: {name, *_reached(needs, name)} for name in needs}
    applied_by = {
        id(item): applier
        for folder, items in by_folder(cluster).items()
        if (applier := applier_of(appliers, folder))
        for item in items
    }
    provided = {(given.kind, given.namespace, given.name) for given in cluster.provided}
    for item in cluster.objects:
        mine = applied_by.get(id(item))
        for kind, namespace, name in _needed_by(item) if mine else ():
            found = cluster.find(kind, namespace, name)
            other = applied_by.get(id(found))
            if (kind, namespace, name) in provided:
                continue
            if mine and other and other.name not in before[mine.name]:
                before[mine.name].add(other.name)
                if mine.name in _reached(needs, mine.name):
                    continue  # The circle is told of.
                needed = f"applies {item}, which needs {found} of {other}"
                if mine.name in _reached(needs, other.name) or applier_of(appliers, other.folder) is mine:
                    yield Violation(mine, f"{needed}, which comes after it: put {item} below {_path(other)} as well")
                else:
                    yield Violation(mine, f"{needed}, and does not wait for it: put {other.name} into its dependsOn")


def _needed_by(item: Object) -> Iterator[tuple[str, str, str]]:
    """Kind, namespace and name of what must be there for an object to be of use."""
    if item.namespace:
        yield "Namespace", "", item.namespace
    if item.kind in WORKLOADS:
        for kind, name in references(item.document):
            yield kind, "" if kind in CLUSTER_SCOPED else item.namespace, name
    if item.kind == "VirtualService":
        for reference in gateway_references(item).values():
            yield "Gateway", reference.namespace, reference.name
    if item.kind == "Certificate":
        kind = item.spec["issuerRef"].get("kind", "Issuer")
        yield kind, "" if kind in CLUSTER_SCOPED else item.namespace, item.spec["issuerRef"]["name"]


def nothing_is_suspended(cluster: Cluster) -> Iterator[Violation]:
    """Suspended in Git, an object is never applied again, and nothing reports it."""
    for item in cluster.objects:
        if item.group.endswith(FLUX) and item.spec.get("suspend") is True:
            yield Violation(
                item, "is suspended, so Flux leaves it as it is for ever: leave suspend out, and use `flux suspend`"
            )


def nothing_waits_for_what_it_applies(cluster: Cluster) -> Iterator[Violation]:
    appliers = by_path(cluster)
    known = {(item.namespace, item.name): item for item in _kustomizations(cluster)}
    needs = {item.name: [needed["name"] for needed in item.spec.get("dependsOn", [])] for item in known.values()}
    for item in known.values():
        circle = item.name in _reached(needs, item.name)
        for needed in item.spec.get("dependsOn", []):
            found = known.get((needed.get("namespace", item.namespace), needed["name"]))
            if found and not circle and applier_of(appliers, found.folder) is item:
                yield Violation(item, f"waits for {found}, which it applies itself: drop that from its dependsOn")


def what_flux_reads_is_there(cluster: Cluster) -> Iterator[Violation]:
    """What Flux's objects name: sources, charts, variables, values, keys, accounts, and what they wait for."""
    for item in cluster.objects:
        if not item.group.endswith(FLUX):
            continue
        for reference, takes in _named_by(item):
            yield from _is_there(cluster, item, reference, takes)
        account = item.spec.get("serviceAccountName")
        if account and not cluster.find("ServiceAccount", item.namespace, account):
            yield Violation(
                item,
                f"works as ServiceAccount {account} of namespace {item.namespace}, "
                f"{cluster.unknown('ServiceAccount', item.namespace)}",
            )


def drawn_from(item: Object) -> Iterator[tuple[Document, str]]:
    """What an object of Flux's takes files, a chart or events from, each with the words for it."""
    spec = item.spec
    if item.group == GROUP and spec.get("sourceRef"):
        yield spec["sourceRef"], "takes its files from"
    if chart := ((spec.get("chart") or {}).get("spec") or {}).get("sourceRef") or spec.get("chartRef"):
        yield chart, "takes its chart from"
    for field in WATCHED:
        yield from ((entry, "watches") for entry in spec.get(field) or [])


def _named_by(item: Object) -> Iterator[tuple[Document, str]]:
    """What an object of Flux's names, each with the words for it."""
    spec = item.spec
    yield from ((entry, takes) for entry, takes in drawn_from(item) if entry.get("name") != "*")
    if spec.get("providerRef"):
        yield {"kind": "Provider", **spec["providerRef"]}, "reports to"
    for place in (spec, spec.get("decryption"), spec.get("kubeConfig"), spec.get("verify")):
        for field in SECRETS:
            if key := (place or {}).get(field):
                yield {"kind": "Secret", "name": key["name"]}, "takes a key from"
    included = [{"kind": "GitRepository", **entry["repository"]} for entry in spec.get("include") or []]
    needed = [{"kind": item.kind, **entry} for entry in spec.get("dependsOn") or [] if item.group != GROUP]
    for named, takes in (
        ((spec.get("postBuild") or {}).get("substituteFrom"), "takes variables from"),
        (spec.get("valuesFrom"), "takes values from"),
        (spec.get("healthChecks"), "waits for"),
        (included, "includes"),
        (needed, "depends on"),
    ):
        for reference in named or []:
            yield reference, takes


def _is_there(cluster: Cluster, item: Object, reference: Document, takes: str) -> Iterator[Violation]:
    kind, name = reference.get("kind", ""), reference.get("name", "")
    namespace = "" if kind in CLUSTER_SCOPED else reference.get("namespace") or item.namespace
    if not reference.get("optional") and not cluster.find(kind, namespace, name):
        where = f" in namespace {namespace}" if namespace else ""
        yield Violation(item, f"{takes} {kind} {name}{where}, {cluster.unknown(kind, namespace)}")


def what_flux_applies_stays_what_it_is(cluster: Cluster) -> Iterator[Violation]:
    """The tree is what the cluster gets: nothing is renamed or moved on the way, and nothing made anew by force."""
    folders = by_folder(cluster)
    appliers = by_path(cluster)
    for item in _kustomizations(cluster):
        for field in ("namePrefix", "nameSuffix"):
            if item.spec.get(field):
                yield Violation(
                    item,
                    f"renames all that it applies by {field}, and what names those objects does not follow: write the "
                    "names in the charts",
                )
        if target := item.spec.get("targetNamespace"):
            applied = (o for folder, items in folders.items() if applier_of(appliers, folder) is item for o in items)
            if moved := next((other for other in applied if other.namespace not in ("", target)), None):
                yield Violation(
                    item,
                    f"moves all that it applies to namespace {target}, and {moved} is for {moved.namespace}: leave "
                    "targetNamespace out",
                )
        if item.spec.get("force") is True:
            yield Violation(
                item,
                "deletes what cannot be changed in place and makes it anew, volumes too: leave force out, and annotate "
                f"the one object with {FORCE} enabled",
            )
    for item in cluster.objects:
        annotations = item.document["metadata"].get("annotations") or {}
        if item.kind in HOLDING and annotations.get(FORCE, "").lower() == "enabled":
            yield Violation(
                item,
                f"is deleted with all that it holds when it cannot be changed in place, for its annotation {FORCE}: "
                "leave that out",
            )


def git_repositories_say_what_they_follow(cluster: Cluster) -> Iterator[Violation]:
    # https://fluxcd.io/flux/components/source/gitrepositories/
    for item in cluster.of("GitRepository"):
        reference = {key: value for key, value in (item.spec.get("ref") or {}).items() if value}
        if "url" not in item.spec:
            continue
        taken = next((key for key in ("commit", "name", "semver", "tag", "branch") if key in reference), None)
        if taken is None:
            yield Violation(item, "follows branch master, for it names none: write the branch in spec.ref")
        # A branch beside a commit says where to look for it.
        elif others := [key for key in reference if key != taken and (taken, key) != ("commit", "branch")]:
            yield Violation(
                item, f"follows {taken} {reference[taken]} and never its {' or '.join(others)}: leave one of them out"
            )
        elif taken == "commit" and not COMMIT.fullmatch(str(reference["commit"])):
            yield Violation(
                item, f"follows commit {reference['commit']!r}, which is none: it has 40 hexadecimal digits"
            )
        elif taken == "semver" and not RANGE.fullmatch(str(reference["semver"])):
            yield Violation(item, f"follows semver {reference['semver']!r}, {NO_RANGE}")
        if item.spec["url"].startswith("ssh://") and not item.spec.get("secretRef"):
            yield Violation(item, "is reached by SSH without a key: name the Secret that has it in spec.secretRef")
        for path, applier in by_path(cluster).items():
            if ignored := _ignored(str(item.spec.get("ignore") or ""), path):
                yield Violation(
                    item,
                    f"leaves out {path}, which {applier} applies, by {ignored} of its ignore: drop that line, or write "
                    f"!/{path} behind it",
                )
        kept = item.spec.get("sparseCheckout") or []
        for path, applier in by_path(cluster).items():
            if kept and not any(PurePosixPath(path).is_relative_to(PurePosixPath(folder)) for folder in kept):
                yield Violation(
                    item, f"checks out {', '.join(kept)} alone, without {path} of {applier}: add it to sparseCheckout"
                )


def _ignored(patterns: str, path: str) -> str:
    """The line by which a source leaves out a folder or what is around it; nothing where it has it.

    Lines as those of a .gitignore, of which the last one that is for a folder counts.
    """
    found = ""
    for line in (line.strip() for line in patterns.splitlines()):
        pattern = line.removeprefix("!").rstrip("/").removesuffix("/**")
        for place in (path, *map(str, list(PurePosixPath(path).parents)[:-1])):
            whole = pattern.removeprefix("/")
            near = fnmatchcase(place, whole) if "/" in pattern else fnmatchcase(PurePosixPath(place).name, pattern)
            if line and not line.startswith("#") and near and place.count("/") == whole.count("/"):
                found = "" if line.startswith("!") else line
            elif line.startswith("!") and PurePosixPath(whole).is_relative_to(path):
                found = ""
    return found


def releases_do_not_wait_for_themselves(cluster: Cluster) -> Iterator[Violation]:
    releases = cluster.of("HelmRelease")
    needs = {item.name: [needed["name"] for needed in item.spec.get("dependsOn") or []] for item in releases}
    for item in releases:
        if item.name in _reached(needs, item.name):
            yield Violation(
                item, "depends on itself through dependsOn, so Flux would never install it: break the circle"
            )


def times_are_durations(cluster: Cluster) -> Iterator[Violation]:
    """Those of the kinds whose other fields may be anything."""
    for item in cluster.objects:
        for field in TIMES if item.group.endswith(FLUX) and item.kind not in TIMED else ():
            text = item.spec.get(field)
            if text is not None and not DURATION.fullmatch(str(text)):
                yield Violation(
                    item, f"has spec.{field} {text!r}: a duration is a number and ms, s, m or h, as in 10s or 1m30s"
                )


def what_git_says_is_applied_again(cluster: Cluster) -> Iterator[Violation]:
    """Of what holds data somebody else may write on; of all else a change in Git is meant to arrive.

    https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources
    """
    for item in cluster.objects:
        annotations = item.document["metadata"].get("annotations") or {}
        if annotations.get(f"{GROUP}/ssa") == "IfNotPresent" and item.kind not in WRITTEN_ON:
            yield Violation(
                item,
                f"is made once and never changed by Flux, for its annotation {GROUP}/ssa IfNotPresent, so that no "
                "release and no rule after that arrives: leave it out",
            )


WRITTEN_ON = HOLDING | {"ConfigMap", "Secret", "Job", "Lease"}


def what_is_kept_has_a_namespace_that_is(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.objects:
        namespace = cluster.find("Namespace", "", item.namespace)
        if isinstance(namespace, Object) and _is_kept(item) and not _is_kept(namespace):
            yield Violation(
                namespace,
                f"may be pruned by Flux, and {item} in it, which may not, would go with it: annotate it with "
                f"{PRUNE} disabled",
            )


def _is_kept(item: Object) -> bool:
    return bool((item.document["metadata"].get("annotations") or {}).get(PRUNE) == "disabled")


RULES: tuple[Rule, ...] = (
    what_flux_applies_stays_what_it_is,
    git_repositories_say_what_they_follow,
    kustomizations_find_what_they_apply,
    everything_is_applied_once,
    dependencies_are_ready_in_time,
    nothing_waits_for_certificates,
    what_applies_others_does_not_wait_for_them,
    what_objects_need_is_applied_before,
    nothing_is_suspended,
    nothing_waits_for_what_it_applies,
    what_flux_reads_is_there,
    releases_do_not_wait_for_themselves,
    times_are_durations,
    what_git_says_is_applied_again,
    what_is_kept_has_a_namespace_that_is,
)
