"""metrics-server in a cluster, by its own chart: what autoscalers go by."""

from collections.abc import Iterable

from facts.environments import Environment
from scripts.gate.builds import Build
from scripts.gate.node import charts, programs
from scripts.gate.node.images import Image, Registry
from scripts.gate.node.node import Node
from synth.manifest import Document

MODULE = "sigs.k8s.io/metrics-server"
RELEASE = charts.Release("metrics-server", "metrics-server/metrics-server", "kube-system", ())
INSECURE = "--set=args={--kubelet-insecure-tls}"
"""The kubelet here has a certificate that nobody has signed, as k3d's has."""


def parts() -> tuple[Build, ...]:
    """What it takes beside Helm."""
    return (programs.METRICS_SERVER,)


def is_asked(objects: Iterable[Document]) -> bool:
    """Whether a tree has an autoscaler."""
    return any(item["kind"] == "HorizontalPodAutoscaler" for item in objects)


def install(node: Node, environment: Environment, registry: Registry) -> None:
    """Install it: it has its first figures some time later.

    Raises:
        ToolError: its chart cannot be rendered, or is refused.
    """
    chart = charts.source("metrics-server", MODULE) / "charts" / "metrics-server"
    objects = charts.rendered(RELEASE, chart, environment, [INSECURE])
    for item in objects:
        if item["kind"] == "Deployment":
            (container,) = item["spec"]["template"]["spec"]["containers"]
            program = "/metrics-server"
            registry.add(container["image"], Image({program: programs.METRICS_SERVER.make()}, (program,), user=1000))
    node.apply(objects)
