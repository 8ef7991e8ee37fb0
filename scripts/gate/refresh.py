"""Renew what is kept here of other projects' releases, for the versions in versions.yaml."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from facts.versions import pinned
from scripts.gate.go import build, copied, module_file
from scripts.gate.tools import tool
from scripts.programs import CACHE, CRDS, ROOT, Programs, available, wanted
from synth import ToolError
from synth.manifest import Document, dump, load
from synth.publish import write_file

FLUX_MODULE = "github.com/fluxcd/flux2/v2"
FLUX_COMPONENTS = ("source-controller", "kustomize-controller", "helm-controller", "notification-controller")


@click.group()
def refresh() -> None:
    """Renew imports/crds/ and gotk-components.yaml for the versions in versions.yaml."""


@dataclass(frozen=True)
class Source:
    """A file of a released Go module that holds CRDs, and the kinds we use of one API group in it."""

    group: str
    module: Callable[[], str]
    file: str
    kinds: frozenset[str]


def _istio() -> str:
    return f"istio.io/api@v{pinned('istio-api')}"


def _cert_manager() -> str:
    return f"github.com/cert-manager/cert-manager@{pinned('cert-manager')}"


ISTIO_FILE = "kubernetes/customresourcedefinitions.gen.yaml"
SOURCES = (
    Source(
        "networking.istio.io",
        _istio,
        ISTIO_FILE,
        frozenset({"DestinationRule", "Gateway", "ServiceEntry", "VirtualService"}),
    ),
    Source("security.istio.io", _istio, ISTIO_FILE, frozenset({"AuthorizationPolicy", "PeerAuthentication"})),
    Source("telemetry.istio.io", _istio, ISTIO_FILE, frozenset({"Telemetry"})),
    Source(
        "source.toolkit.fluxcd.io",
        lambda: flux_controller("source-controller"),
        "config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml",
        frozenset({"GitRepository"}),
    ),
    Source(
        "kustomize.toolkit.fluxcd.io",
        lambda: flux_controller("kustomize-controller"),
        "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",
        frozenset({"Kustomization"}),
    ),
    Source(
        "cert-manager.io",
        _cert_manager,
        "deploy/crds/cert-manager.io_certificates.yaml",
        frozenset({"Certificate"}),
    ),
    Source(
        "cert-manager.io",
        _cert_manager,
        "deploy/crds/cert-manager.io_clusterissuers.yaml",
        frozenset({"ClusterIssuer"}),
    ),
)
SERVED_VERSION = "v1"


@refresh.command()
def crds() -> None:
    """Cut imports/crds/ from the released Go modules of Istio, Flux and cert-manager.

    Needs Go and the network. Afterwards `make imports` generates the typed bindings.

    Example: ./gw refresh crds
    """
    cut: dict[str, list[Document]] = {}
    origins: dict[str, dict[str, None]] = {}
    for source in SOURCES:
        module = source.module()
        text = module_file(module, source.file)
        found = {crd["spec"]["names"]["kind"]: crd for crd in load(text) if crd["spec"]["group"] == source.group}
        if missing := source.kinds - found.keys():
            raise ToolError(f"{module}: {source.file} has no CRD of {', '.join(sorted(missing))}")
        cut.setdefault(source.group, []).extend(cut_crd(found[kind]) for kind in sorted(source.kinds))
        origins.setdefault(source.group, {})[module] = None
    CRDS.mkdir(parents=True, exist_ok=True)
    for group, documents in cut.items():
        header = f"# Cut from {', '.join(origins[group])} by `./gw refresh crds`.\n"
        write_file(CRDS / f"{group}.yaml", header + dump(documents))
        click.echo(f"imports/crds/{group}.yaml: {', '.join(crd['spec']['names']['kind'] for crd in documents)}")


def cut_crd(crd: Document) -> Document:
    """A CRD with only its served v1 and without descriptions, printer columns, labels and annotations.

    Raises:
        ToolError: the CRD does not serve v1.
    """
    spec = crd["spec"]
    versions = [version for version in spec["versions"] if version["name"] == SERVED_VERSION]
    if not (versions and versions[0]["served"]):
        raise ToolError(f"{crd['metadata']['name']} does not serve version {SERVED_VERSION}")
    return {
        "apiVersion": crd["apiVersion"],
        "kind": crd["kind"],
        "metadata": {"name": crd["metadata"]["name"]},
        "spec": {
            "group": spec["group"],
            "names": spec["names"],
            "scope": spec["scope"],
            "versions": [
                {
                    "name": SERVED_VERSION,
                    "served": True,
                    "storage": True,
                    "schema": without_descriptions(versions[0]["schema"]),
                }
            ],
        },
    }


def without_descriptions(schema: Any, *, names_are_data: bool = False) -> Any:
    """An OpenAPI schema without its descriptions; a property that is called description stays."""
    if isinstance(schema, dict):
        return {
            key: without_descriptions(value, names_are_data=key == "properties" and not names_are_data)
            for key, value in schema.items()
            if names_are_data or key != "description"
        }
    if isinstance(schema, list):
        return [without_descriptions(item) for item in schema]
    return schema


@refresh.command()
def flux() -> None:
    """Renew gotk-components.yaml, Flux's own install manifest, in every environment.

    Uses the flux CLI where it is installed. Where it is not, builds the same CLI from Flux's released Go modules
    (needs Go and the network, and a few minutes the first time).

    Example: ./gw refresh flux
    """
    from charts.flux.system import FluxSystem
    from facts.environments import ENVIRONMENTS
    from facts.layout import COMPONENTS_FILE, FLUX_FOLDER

    if available("flux"):
        cli: str | Path = "flux"
    elif available("go"):
        cli = built_flux()
    else:
        raise ToolError(f"neither flux nor go is on PATH: install {wanted('flux')} or {wanted('go')}")
    version = f"v{pinned('flux')}"
    manifest = Programs().output(
        cli, "install", "--export", f"--version={version}", f"--components={','.join(FLUX_COMPONENTS)}"
    )
    documents = [
        without_descriptions(document) if document["kind"] == "CustomResourceDefinition" else document
        for document in load(manifest)
    ]
    header = (
        "# This manifest was generated by flux. DO NOT EDIT.\n"
        f"{FluxSystem.external_files()[COMPONENTS_FILE].line}\n"
        f"# Components: {','.join(FLUX_COMPONENTS)}\n"
        "# Descriptions in CRDs left out by `./gw refresh flux`.\n"
    )
    for environment in ENVIRONMENTS:
        path = f"{environment.path}/{FLUX_FOLDER}/{COMPONENTS_FILE}"
        write_file(ROOT / path, header + dump(documents))
        click.echo(f"{path}: Flux {version}, {len(documents)} objects")


def flux_controller(name: str) -> str:
    """The module `path@version` of a controller, as Flux's own bases name its release."""
    module = f"{FLUX_MODULE}@v{pinned('flux')}"
    kustomization = module_file(module, f"manifests/bases/{name}/kustomization.yaml")
    release = re.search(rf"fluxcd/{name}/releases/download/(v[0-9.]+)/", kustomization)
    if release is None:
        raise ToolError(f"{module}: manifests/bases/{name} names no release of {name}")
    return f"github.com/fluxcd/{name}@{release[1]}"


def built_flux() -> Path:
    """The flux CLI, built from the Go modules as Flux's Makefile builds it.

    A release of the CLI embeds the controllers' bases, built with kustomize; the bases name the controllers'
    manifests by download address, and the controllers' modules hold what is behind those addresses
    (config/crd and config/manager).
    """
    version = pinned("flux")
    cli = CACHE / f"flux-{version}"
    if cli.exists():
        return cli
    kustomize = tool("kustomize")
    work = CACHE / "source"
    source = copied(f"{FLUX_MODULE}@v{version}", work / "flux2")
    embedded = source / "cmd" / "flux" / "manifests"
    embedded.mkdir(exist_ok=True)
    for name in FLUX_COMPONENTS:
        config = copied(flux_controller(name), work / name, "config")
        base = source / "manifests" / "bases" / name
        (base / "crds.yaml").write_text(Programs().output(kustomize, "build", config / "crd"), "utf-8")
        (base / "deployment.yaml").write_text(Programs().output(kustomize, "build", config / "manager"), "utf-8")
        kustomization = base / "kustomization.yaml"
        local = re.sub(r"- https://\S+\.(crds|deployment)\.yaml", r"- \1.yaml", kustomization.read_text("utf-8"))
        kustomization.write_text(local, "utf-8")
        (embedded / f"{name}.yaml").write_text(Programs().output(kustomize, "build", base), "utf-8")
    for name in ("rbac", "policies"):
        built = Programs().output(kustomize, "build", source / "manifests" / name)
        (embedded / f"{name}.yaml").write_text(built, "utf-8")
    build(source, "./cmd/flux", cli, ldflags=f"-s -w -X main.VERSION={version}")
    shutil.rmtree(work)
    return cli
