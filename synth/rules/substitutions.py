"""Rules for what Flux changes in what it applies: patches, images and variables that find what they are for."""

import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from synth.cluster import Cluster, Rule, Violation
from synth.manifest import Document
from synth.pods import containers
from synth.tree import Object

GROUP = "kustomize.toolkit.fluxcd.io"
# A variable without a default; $${ stands for ${ itself:
# https://fluxcd.io/flux/components/kustomize/kustomizations/#post-build-variable-substitution
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def changes_on_the_way_find_something(cluster: Cluster) -> Iterator[Violation]:
    """A patch or an image for what is not there changes nothing, and nothing reports it."""
    for item, applied in _applied(cluster, "patches", "images"):
        for patch in item.spec.get("patches") or []:
            target = patch.get("target") or {}
            if target and not any(_is_target(target, other) for other in applied):
                wanted = " ".join(str(target[field]) for field in ("kind", "name", "namespace") if target.get(field))
                yield Violation(item, f"patches {wanted}, of which it applies none: fit the target, or drop the patch")
        images = {_repository(c.get("image", "")) for other in applied for c in containers(other.document)}
        for image in item.spec.get("images") or []:
            if image.get("name") not in images:
                known = ", ".join(sorted(images)) or "none"
                yield Violation(
                    item, f"changes image {image.get('name')}, which nothing that it applies has: there are {known}"
                )


def variables_are_set(cluster: Cluster) -> Iterator[Violation]:
    """With postBuild every ${NAME} is taken for Flux's, a shell's too, and one that is not set becomes empty."""
    for item, applied in _applied(cluster, "postBuild"):
        build = item.spec["postBuild"]
        if build.get("substituteFrom"):
            continue
        for other in applied:
            metadata = other.document["metadata"]
            told = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
            names = dict.fromkeys(VARIABLE.findall(json.dumps(other.document)))
            missing = [name for name in names if name not in (build.get("substitute") or {})]
            if missing and told.get(f"{GROUP}/substitute") != "disabled":
                yield Violation(
                    other,
                    f"has ${{{missing[0]}}}, for which {item} puts nothing, as its postBuild does not set it: set it "
                    f"there, or write $${{{missing[0]}}}",
                )


def _applied(cluster: Cluster, *fields: str) -> Iterator[tuple[Object, list[Object]]]:
    """Kustomizations that have one of the fields, and what each applies.

    But for the one with Flux's own components, which no chart makes.
    """
    for item in cluster.of("Kustomization"):
        if not any(item.spec.get(field) for field in fields):
            continue
        path = PurePosixPath(item.spec.get("path", "."))
        below = "" if path == PurePosixPath() else f"{path}/"
        if item.group == GROUP and not item.path.startswith(below):
            yield item, [other for other in cluster.objects if other.path.startswith(below)]


def _is_target(target: Document, item: Object) -> bool:
    """As Kustomize chooses: each field is a whole regular expression, and one that is left out is for all."""
    found = {"kind": item.kind, "name": item.name, "namespace": item.namespace, "group": item.group}
    try:
        return all(re.fullmatch(target[f], text) is not None for f, text in found.items() if target.get(f))
    except re.error:
        return True


def _repository(image: str) -> str:
    name, _, _ = image.partition("@")
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"


RULES: tuple[Rule, ...] = (changes_on_the_way_find_something, variables_are_set)
