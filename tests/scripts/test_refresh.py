"""Cutting CRDs, and renewing Flux's manifest, with stand-ins for flux and go on PATH."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facts.versions import pinned
from scripts.gate.definitions import SOURCES, without_descriptions
from scripts.gate.node.programs import CONTROLLERS, controllers_of
from scripts.gate.refresh import cut_crd
from synth import ROOT, ToolError
from synth.manifest import Document, dump, load
from synth.schemas import CRDS
from tests.stand_ins import StandIns, fails, says
from tests.workshop import Kept, Workshop


def crd(**version: Any) -> Document:
    schema = {
        "openAPIV3Schema": {
            "description": "gone",
            "type": "object",
            "properties": {
                "description": {"type": "string", "description": "gone"},
                "properties": {"type": "object", "properties": {"description": {"type": "string"}}},
                "spec": {"oneOf": [{"required": ["a"], "description": "gone"}]},
            },
        }
    }
    new = {"name": "v1", "served": True, "storage": True, "schema": schema, "additionalPrinterColumns": []}
    old = {"name": "v1beta1", "served": True, "storage": False, "schema": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com", "labels": {"a": "b"}, "annotations": {"c": "d"}},
        "spec": {
            "group": "example.com",
            "names": {"kind": "Thing", "plural": "things"},
            "scope": "Namespaced",
            "versions": [{**new, **version}, old],
        },
    }


def test_a_cut_crd_has_the_served_v1_and_nothing_to_read() -> None:
    cut = cut_crd(crd())
    assert cut["metadata"] == {"name": "things.example.com"}
    (version,) = cut["spec"]["versions"]
    assert set(version) == {"name", "served", "storage", "schema"}
    assert "gone" not in str(version)


def test_a_property_called_description_stays() -> None:
    properties = without_descriptions(crd())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    assert properties["description"] == {"type": "string"}
    assert properties["properties"]["properties"] == {"description": {"type": "string"}}


def test_a_crd_that_does_not_serve_v1_is_an_error() -> None:
    with pytest.raises(ToolError, match=r"things.example.com does not serve version v1"):
        cut_crd(crd(served=False))


def test_the_committed_crds_are_cut_and_are_those_that_the_bindings_come_from() -> None:
    wanted: dict[str, set[str]] = {}
    for source in SOURCES:
        wanted.setdefault(source.group, set()).update(source.kinds)
    assert {path.stem for path in CRDS.glob("*.yaml")} == set(wanted)
    for group, kinds in wanted.items():
        text = (CRDS / f"{group}.yaml").read_text("utf-8")
        documents = load(text)
        assert {document["spec"]["names"]["kind"] for document in documents} == kinds
        assert dump(cut_crd(document) for document in documents) == text.split("\n", 1)[1]
    imports = (ROOT / "cdk8s.yaml").read_text("utf-8")
    assert re.findall(r"- (imports/crds/\S+)", imports) == [f"imports/crds/{group}.yaml" for group in sorted(wanted)]


def test_the_committed_crds_are_of_the_pinned_versions() -> None:
    origin = {path.stem: path.read_text("utf-8").splitlines()[0] for path in CRDS.glob("*.yaml")}
    for group in ("networking", "security", "telemetry"):
        assert f"istio.io/api@v{pinned('istio-api')} " in origin[f"{group}.istio.io"]
    assert f"@{pinned('cert-manager')} " in origin["cert-manager.io"]
    # Flux pins its controllers; their versions are in the images of the release's own manifest.
    manifest = (ROOT / "deploy/flux/flux-system/gotk-components.yaml").read_text("utf-8")
    for group, name in (("source", "source-controller"), ("kustomize", "kustomize-controller")):
        version = re.search(rf"ghcr.io/fluxcd/{name}:(\S+)", manifest)
        assert version
        assert f"github.com/fluxcd/{name}@{version[1]} " in origin[f"{group}.toolkit.fluxcd.io"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return Kept(Workshop.at(tmp_path_factory.mktemp("refresh")))


@pytest.fixture
def workshop(kept: Kept) -> Iterator[Workshop]:
    yield kept.workshop
    kept.put_back()


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """The only tools that there are."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return StandIns(tmp_path / "bin")


IMAGES = "".join(
    f"---\nkind: Deployment\nspec:\n  containers:\n  - image: ghcr.io/fluxcd/{name}:v1.2.{number}\n"
    for number, name in enumerate(CONTROLLERS)
)
MANIFEST = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: flux-system}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: things.example.com}}
spec: {{versions: [{{schema: {{description: gone, properties: {{description: {{type: string}}}}}}}}]}}
{IMAGES}"""


@pytest.mark.slow
def test_flux_is_asked_for_the_pinned_version_and_its_controllers_are_pinned(
    workshop: Workshop, tools: StandIns
) -> None:
    tools.put("flux", says(MANIFEST))
    tools.put("go")
    ended = workshop.command("refresh", "flux")
    assert ended.code == 0, ended.err
    call, *pins = tools.calls()
    assert call == f"flux install --export --version=v{pinned('flux')} --components={','.join(CONTROLLERS)}"
    modules = " ".join(f"github.com/fluxcd/{name}@v1.2.{number}" for number, name in enumerate(CONTROLLERS))
    assert pins == [f"go get -tool {modules}", "go mod tidy"]
    assert f"$ {call}\n" in ended.err
    text = (workshop.root / "deploy/flux/flux-system/gotk-components.yaml").read_text()
    assert f"# Flux Version: v{pinned('flux')}\n" in text
    assert "gone" not in text
    kinds = ["Namespace", "CustomResourceDefinition", *["Deployment"] * len(CONTROLLERS)]
    assert [document["kind"] for document in load(text)] == kinds


@pytest.mark.slow
@pytest.mark.parametrize("failing", ["flux", "go"])
def test_a_failing_tool_is_told_and_the_manifest_stays(
    workshop: Workshop, tools: StandIns, failing: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before = workshop.deployed()
    for tool, script in {"flux": says(MANIFEST), "go": ""}.items():
        tools.put(tool, fails("no such version") if tool == failing else script)
    ended = workshop.command("refresh", "flux")
    assert ended.code == 3
    assert "no such version" in capfd.readouterr().err
    assert "failed with exit code 1; its output is above" in ended.err
    assert workshop.deployed() == before


def test_a_manifest_without_one_of_the_controllers_is_refused() -> None:
    without = IMAGES.replace(CONTROLLERS[1], "other")
    with pytest.raises(ToolError, match=rf"^Flux's manifest has no image of {CONTROLLERS[1]}$"):
        controllers_of(without)


@pytest.mark.slow
def test_without_go_flux_stays_and_go_is_named(workshop: Workshop, tools: StandIns) -> None:
    tools.put("flux", says(MANIFEST))
    ended = workshop.command("refresh", "flux")
    assert ended.code == 3
    assert ended.err == "go is not on PATH: install Go 1.26 or newer (https://go.dev/dl/)\n"
    assert tools.calls() == []


@pytest.mark.slow
@pytest.mark.usefixtures("tools")
def test_without_go_the_crds_stay_and_go_is_named(workshop: Workshop) -> None:
    before = {path.name: path.read_bytes() for path in CRDS.iterdir()}
    ended = workshop.command("refresh", "crds")
    assert ended.code == 3
    assert ended.err.splitlines()[-1] == "go is not on PATH: install Go 1.26 or newer (https://go.dev/dl/)"
    assert {path.name: path.read_bytes() for path in CRDS.iterdir()} == before


@pytest.mark.slow
def test_go_downloads_without_the_callers_flags(
    workshop: Workshop, tools: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = '[ "${GOFLAGS-unset}" = "" ] || exit 1\n' + says('{"Dir": "/nowhere"}')
    tools.put("go", script)
    monkeypatch.setenv("GOFLAGS", "-mod=vendor")
    ended = workshop.command("refresh", "crds")
    assert ended.code == 3
    assert ended.err.splitlines()[-1] == (
        f"istio.io/api@v{pinned('istio-api')} has no kubernetes/customresourcedefinitions.gen.yaml: "
        "its project moved the file, say where to in scripts/"
    )
    assert tools.calls() == [f"go mod download -json istio.io/api@v{pinned('istio-api')}"]


@pytest.mark.slow
def test_help_needs_neither_node_nor_cdk8s() -> None:
    ended = Workshop(ROOT).run(sys.executable, "-X", "importtime", "-m", "scripts", "refresh", "flux", "--help")
    assert ended.code == 0
    assert "Example: ./gw refresh flux" in ended.out
    assert "jsii" not in ended.err
