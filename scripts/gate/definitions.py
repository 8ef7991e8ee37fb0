"""The definitions of custom kinds, and where their projects release them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from facts.versions import pinned
from scripts.gate.go import module_file
from synth import ToolError

FLUX_MODULE = "github.com/fluxcd/flux2/v2"


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


FLUX_GROUPS = ".toolkit.fluxcd.io"
"""What Flux's API groups end in. Their definitions come with each tree, in gotk-components.yaml."""
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


def flux_controller(name: str) -> str:
    """The module `path@version` of a controller, as Flux's own bases name its release."""
    module = f"{FLUX_MODULE}@v{pinned('flux')}"
    kustomization = module_file(module, f"manifests/bases/{name}/kustomization.yaml")
    release = re.search(rf"fluxcd/{name}/releases/download/(v[0-9.]+)/", kustomization)
    if release is None:
        raise ToolError(f"{module}: manifests/bases/{name} names no release of {name}")
    return f"github.com/fluxcd/{name}@{release[1]}"


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
