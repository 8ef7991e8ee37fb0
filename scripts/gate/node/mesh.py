"""Istio in a cluster, before Flux comes: its own charts, with the values that people give them.

Upstream Envoy stands in for Istio's build of it, so what only that one has is switched off: statistics and the exchange
of metadata by Istio's own filters, and ALPN's.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from facts.environments import K3D, Environment
from facts.provided import INGRESS_GATEWAY, ISTIO_SYSTEM
from facts.versions import pinned
from scripts.gate.builds import Build, Wheel
from scripts.gate.node import charts, programs
from scripts.gate.node.charts import Release
from scripts.gate.node.images import Image
from scripts.gate.node.node import LOAD_BALANCER, Node
from synth import ToolError
from synth.manifest import Document

CHARTS = {
    "istio/base": "base",
    "istio/cni": "istio-cni",
    "istio/istiod": "istio-control/istio-discovery",
    "istio/gateway": "gateway",
}
"""Where the source of Istio has the charts that it releases."""
MANAGED = "infra/managed/"
LOCAL_VALUES = ("pilot.cni.enabled=true", "global.proxy.seccompProfile.type=RuntimeDefault")
"""What infra/local/istio.tf gives istiod."""
WITHOUT = ("PILOT_ENABLE_METADATA_EXCHANGE", "PILOT_ENABLE_ALPN_FILTER")
SMALL = ("pilot.resources.requests.cpu=50m", "pilot.resources.requests.memory=128Mi")

UPSTREAM = {
    "apiVersion": "networking.istio.io/v1alpha3",
    "kind": "EnvoyFilter",
    "metadata": {"name": "upstream-envoy", "namespace": ISTIO_SYSTEM.name},
    "spec": {
        "configPatches": [
            {
                "applyTo": "HTTP_FILTER",
                "match": {
                    "listener": {
                        "filterChain": {
                            "filter": {
                                "name": "envoy.filters.network.http_connection_manager",
                                "subFilter": {"name": "istio.stats"},
                            }
                        }
                    }
                },
                "patch": {"operation": "REMOVE"},
            },
            {
                "applyTo": "NETWORK_FILTER",
                "match": {"listener": {"filterChain": {"filter": {"name": "istio.stats"}}}},
                "patch": {"operation": "REMOVE"},
            },
        ]
    },
}
"""The filter istio.stats is in Istio's build of Envoy alone."""


def releases(environment: Environment, page: str) -> list[Release]:
    """Istio's releases in an environment's cluster, in their order, from the commands of a page.

    Raises:
        ToolError: the page has no such command.
    """
    found = [release for release in charts.releases(environment, page) if release.chart.startswith("istio/")]
    if [release.chart for release in found] != list(CHARTS):
        raise ToolError(f"docs/environments.md has no command for each of {', '.join(CHARTS)}, in this order")
    local = environment.context.startswith(K3D)
    return [replace(release, values=_local(release)) if local else release for release in found]


def _local(release: Release) -> tuple[str, ...]:
    """The values of the local cluster, which Terraform gives."""
    pairs = zip(release.values[::2], release.values[1::2], strict=True)
    kept = [part for pair in pairs if not pair[1].startswith(MANAGED) for part in pair]
    own = LOCAL_VALUES if release.chart == "istio/istiod" else ()
    return (*kept, *(part for value in own for part in ("--set", value)))


def parts() -> tuple[Build | Wheel, ...]:
    """What Istio's images are made of, and what renders its charts."""
    return (*map(programs.istio, programs.ISTIO), programs.HELM, programs.ENVOY)


def images(environment: Environment) -> Iterator[tuple[str, Image]]:
    """Istio's images by their references, as its Dockerfiles make them, but for Envoy."""
    built = {name: programs.istio(name).make() for name in programs.ISTIO}
    envoy = programs.ENVOY.make()
    local = "/usr/local/bin"
    proxy = {
        f"{local}/pilot-agent": built["pilot-agent"],
        f"{local}/envoy": envoy,
        "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json": _source() / "tools/packaging/common/envoy_bootstrap.json",
        **programs.libraries(envoy),
    }
    discovery, install = f"{local}/pilot-discovery", f"{local}/install-cni"
    plugin = {"/opt/cni/bin/istio-cni": built["istio-cni"]}
    for name, image in {
        "pilot": Image({discovery: built["pilot-discovery"]}, (discovery,), user=1337),
        "proxyv2": Image(proxy, (f"{local}/pilot-agent",), user=1337),
        "install-cni": Image({install: built["install-cni"], **plugin}, (install,), user=0),
    }.items():
        yield f"{environment.istio_hub}/{name}:{pinned('istio')}", image


def install(node: Node, environment: Environment) -> None:
    """Install Istio, and wait until it is there.

    Raises:
        ToolError: it does not come up.
    """
    for release in releases(environment, charts.PAGE.read_text("utf-8")):
        node.apply(_rendered(node, release, environment))
        if release.chart != "istio/base":
            node.wait(f"{release.name} is there", lambda: node.well(ISTIO_SYSTEM.name))
        if release.chart == "istio/istiod":
            node.wait("istiod takes objects", lambda: _taken(node))
    status = {"status": {"loadBalancer": {"ingress": [{"ip": str(LOAD_BALANCER)}]}}}
    service = ("service", INGRESS_GATEWAY.name, "--namespace", ISTIO_SYSTEM.name)
    node.kubectl("patch", *service, "--subresource=status", "--type=merge", f"--patch={json.dumps(status)}")


def _taken(node: Node) -> bool:
    node.apply([UPSTREAM])
    return True


def _rendered(node: Node, release: Release, environment: Environment) -> Sequence[Document]:
    own = {
        "istio/cni": (f"cniBinDir={node.folder / 'plugins'}", f"cniConfDir={node.folder / 'cni'}"),
        "istio/istiod": SMALL,
    }.get(release.chart, ())
    texts = [f"pilot.env.{name}=false" for name in WITHOUT] if release.chart == "istio/istiod" else []
    options = [
        *(part for value in (f"global.tag={pinned('istio')}", *own) for part in ("--set", value)),
        *(part for value in texts for part in ("--set-string", value)),
    ]
    return charts.rendered(release, _source() / "manifests/charts" / CHARTS[release.chart], environment, options)


def _source() -> Path:
    return charts.source("istio", "istio.io/istio")
