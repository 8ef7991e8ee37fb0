"""Rules for Helm's releases as Flux makes them: a chart, a version of it that can be, and a place to put it."""

import re
from collections.abc import Iterator

from synth.cluster import Cluster, Rule, Violation
from synth.tree import Object

GROUP = "helm.toolkit.fluxcd.io"
# https://github.com/Masterminds/semver#checking-version-constraints
_PART = r"(\d+|[xX*])"
_VERSION = rf"v?{_PART}(\.{_PART}){{0,2}}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
_ONE = rf"(=|!=|>=?|=>|<=?|=<|~>?|\^)?\s*{_VERSION}(\s+-\s+{_VERSION})?"
RANGE = re.compile(rf"\s*{_ONE}(\s*(,|\|\||\s)\s*{_ONE})*\s*")
"""What Helm and Flux take for a version or a range of versions."""
NO_RANGE = "which is no version and no range of versions: 1.4.2, 1.4.x and >=1.4.0 <2.0.0 are some"
RELEASE_LENGTH = 53
"""Of a release's name: https://helm.sh/docs/chart_best_practices/conventions/ and Helm's own validation."""


def releases_have_one_chart(cluster: Cluster) -> Iterator[Violation]:
    for item in _releases(cluster):
        chart, reference = item.spec.get("chart"), item.spec.get("chartRef")
        if not chart and not reference:
            yield Violation(item, "has no chart: name it in spec.chart, or in spec.chartRef")
        if chart and reference:
            yield Violation(item, "has a chart and a chartRef, which Flux refuses: leave one of them out")


def releases_name_a_version(cluster: Cluster) -> Iterator[Violation]:
    """What names no version is upgraded as soon as there is a new one, to whatever that changes."""
    for item in _releases(cluster):
        spec = (item.spec.get("chart") or {}).get("spec") or {}
        # What comes out of Git has the version that it has there.
        if (spec.get("sourceRef") or {}).get("kind") == "HelmRepository":
            yield from _is_version(item, "its chart", str(spec.get("version", "")))
    for item in cluster.of("OCIRepository"):
        reference = item.spec.get("ref") or {}
        if not (reference.get("digest") or reference.get("tag")):
            yield from _is_version(item, "what is in it", str(reference.get("semver", "")))


def _is_version(item: Object, what: str, version: str) -> Iterator[Violation]:
    if version in ("", "*"):
        yield Violation(
            item, f"names no version of {what}, so that it takes each new one at once: name it, as in 1.4.2"
        )
    elif not RANGE.fullmatch(version):
        yield Violation(item, f"names version {version!r} of {what}, {NO_RANGE}")


def repositories_are_reached(cluster: Cluster) -> Iterator[Violation]:
    # https://fluxcd.io/flux/components/source/helmrepositories/ and ocirepositories/
    for item in cluster.of("HelmRepository"):
        url = item.spec.get("url", "")
        is_oci = item.spec.get("type", "default") == "oci"
        if not re.match("(https?|oci)://.", url):
            yield Violation(item, f"is at {url!r}, which is no address of one: it begins with https:// or oci://")
        elif is_oci != url.startswith("oci://"):
            yield Violation(
                item,
                f"is at {url} and of type {'oci' if is_oci else 'default'}: oci:// goes with type oci, and no other",
            )
    for item in cluster.of("OCIRepository"):
        if not item.spec.get("url", "").startswith("oci://"):
            yield Violation(item, f"is at {item.spec.get('url', '')!r}: the address of one begins with oci://")


def releases_have_a_place(cluster: Cluster) -> Iterator[Violation]:
    for item in _releases(cluster):
        spec = item.spec
        made = (spec.get("install") or {}).get("createNamespace") is True
        for field in ("storageNamespace", *(() if made else ("targetNamespace",))):
            if (namespace := spec.get(field)) and not cluster.find("Namespace", "", namespace):
                yield Violation(
                    item, f"is for namespace {namespace} by its {field}, {cluster.unknown('Namespace', '')}"
                )
        if len(name := spec.get("releaseName", "")) > RELEASE_LENGTH:
            yield Violation(item, f"has a releaseName of {len(name)} characters: Helm takes at most {RELEASE_LENGTH}")


def _releases(cluster: Cluster) -> list[Object]:
    return [item for item in cluster.of("HelmRelease") if item.group == GROUP]


RULES: tuple[Rule, ...] = (
    releases_have_one_chart,
    releases_name_a_version,
    repositories_are_reached,
    releases_have_a_place,
)
