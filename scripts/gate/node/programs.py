"""What a cluster is made of: each program, from the module of tools/ that pins it."""

import os
import re

from facts.environments import Environment
from scripts.gate.builds import Build
from scripts.gate.go import ENVIRONMENT
from scripts.gate.kubernetes import pinned_build
from scripts.programs import ROOT, Programs
from synth import ToolError

TOOLS = ROOT / "tools"
COREDNS = Build("coredns", "CoreDNS", TOOLS / "coredns")
PODS = Build("pods", "the stand-in for what runs in pods", TOOLS / "pods")
CONTROLLERS = ("source-controller", "kustomize-controller", "helm-controller", "notification-controller")
"""Flux's, as its install manifest has them."""


def kubernetes(environment: Environment) -> Build:
    """The programs of a control plane and of a node, in one, of the Kubernetes that an environment runs."""
    return pinned_build(environment.minor, "kubernetes-node", "./node")


def controller(name: str) -> Build:
    """A controller of Flux's."""
    return Build(name, f"Flux's {name}", TOOLS / "flux", f"github.com/fluxcd/{name}")


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
