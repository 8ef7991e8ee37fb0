"""Rules for Helm's releases: charts, versions and places that cannot be."""

from typing import Any

import pytest

from synth.cluster import Provided
from synth.manifest import Document
from synth.rules import flux, helm
from tests.synth.objects import environment, said

INSTALLER = Provided("ServiceAccount", "installer", by="somebody", namespace="wiki")
CHART = {"spec": {"chart": "store", "version": "20.1.0", "sourceRef": {"kind": "HelmRepository", "name": "charts"}}}


def source(kind: str = "HelmRepository", **spec: Any) -> Document:
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": kind,
        "metadata": {"name": "charts", "namespace": "wiki"},
        "spec": {"interval": "1h", "url": "https://charts.example.com", **spec},
    }


def release(**spec: Any) -> Document:
    return {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": "store", "namespace": "wiki"},
        "spec": {"interval": "1h", "serviceAccountName": INSTALLER.name, **spec},
    }


def versioned(version: str | None) -> Document:
    chart = {key: value for key, value in CHART["spec"].items() if key != "version"}
    return release(chart={"spec": {**chart, **({"version": version} if version is not None else {})}})


def sentences(*documents: Document) -> list[str]:
    return said((*helm.RULES, *flux.RULES), [*environment(), *documents], INSTALLER)


@pytest.mark.parametrize(
    "version", ["20.1.0", "v20.1.0", "20.x", "^20.1", "~20.1.0", ">=20.1.0 <21.0.0", ">= 20, < 21", "1 || 2", "1.2 - 2"]
)
def test_a_version_may_be_written_in_many_ways(version: str) -> None:
    assert sentences(source(), versioned(version)) == []


@pytest.mark.parametrize("version", ["latest", "20.1.0.4", "twenty", "20.1.", "=>", "20.1.0 or 21"])
def test_a_version_that_cannot_be_gives_its_sentence(version: str) -> None:
    assert sentences(source(), versioned(version)) == [
        f"HelmRelease store names version {version!r} of its chart, which is no version and no range of versions: "
        "1.4.2, 1.4.x and >=1.4.0 <2.0.0 are some"
    ]


@pytest.mark.parametrize("version", [None, "", "*"])
def test_a_release_names_a_version(version: str | None) -> None:
    assert sentences(source(), versioned(version)) == [
        "HelmRelease store names no version of its chart, so that it takes each new one at once: name it, as in 1.4.2"
    ]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({}, "has no chart: name it in spec.chart, or in spec.chartRef"),
        ({"chart": CHART, "chartRef": {"kind": "HelmRepository", "name": "charts"}}, "has a chart and a chartRef"),
        ({"chartRef": {"kind": "OCIRepository", "name": "gone"}}, "takes its chart from OCIRepository gone"),
        ({"chart": CHART, "interval": "1hour"}, "has spec.interval '1hour'"),
        ({"chart": CHART, "suspend": True}, "is suspended"),
        ({"chart": CHART, "dependsOn": [{"name": "gone"}]}, "depends on HelmRelease gone"),
        ({"chart": CHART, "dependsOn": [{"name": "store"}]}, "depends on itself"),
        ({"chart": CHART, "valuesFrom": [{"kind": "Secret", "name": "gone"}]}, "takes values from Secret gone"),
        ({"chart": CHART, "targetNamespace": "gone"}, "is for namespace gone by its targetNamespace"),
        ({"chart": CHART, "storageNamespace": "gone"}, "is for namespace gone by its storageNamespace"),
        ({"chart": CHART, "serviceAccountName": "gone"}, "works as ServiceAccount gone"),
        ({"chart": CHART, "releaseName": "a" * 54}, "has a releaseName of 54 characters: Helm takes at most 53"),
    ],
)
def test_what_a_release_names_is_there(spec: Document, told: str) -> None:
    (sentence,) = sentences(source(), release(**spec))
    assert sentence.startswith("HelmRelease store ")
    assert told in sentence


@pytest.mark.parametrize(
    "spec",
    [
        {"chart": CHART, "valuesFrom": [{"kind": "Secret", "name": "key"}]},
        {"chart": CHART, "targetNamespace": "istio-system"},
        {"chart": CHART, "targetNamespace": "made-by-it", "install": {"createNamespace": True}},
        {
            "chart": {
                "spec": {"chart": "./store", "sourceRef": {"kind": "HelmRepository", "name": "charts"}, "version": "1"}
            }
        },
    ],
)
def test_a_release_may_name_what_is_there(spec: Document) -> None:
    assert sentences(source(), release(**spec)) == []


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (source(url="charts.example.com"), "is at 'charts.example.com', which is no address"),
        (source(url="oci://charts.example.com"), "of type default: oci:// goes with type oci"),
        (source(type="oci"), "of type oci: oci:// goes with type oci"),
        (source("OCIRepository", ref={"tag": "1"}), "the address of one begins with oci://"),
        (source("OCIRepository", url="oci://x.example.com/y"), "names no version of what is in it"),
        (source("OCIRepository", url="oci://x.example.com/y", ref={"semver": "x.y"}), "names version 'x.y'"),
    ],
)
def test_a_repository_can_be_reached(one: Document, told: str) -> None:
    (sentence,) = sentences(one)
    assert told in sentence


@pytest.mark.parametrize(
    "one",
    [
        source(type="oci", url="oci://charts.example.com"),
        source("OCIRepository", url="oci://x.example.com/y", ref={"semver": "1.x"}),
        source("OCIRepository", url="oci://x.example.com/y", ref={"digest": "sha256:0"}),
    ],
)
def test_a_repository_may_be_of_many_kinds(one: Document) -> None:
    assert sentences(one) == []
