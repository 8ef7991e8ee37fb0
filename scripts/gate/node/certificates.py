"""cert-manager in a cluster, by its own chart, and an ACME server at the very address that the tree names.

That is Pebble, which Let's Encrypt has for tests: it asks for each challenge, and refuses. cert-manager's packages are
real; its programs are not published as modules, so that tools/cert-manager/ has one in their place.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import trustme

from facts.environments import Environment
from facts.versions import pinned
from scripts.gate.builds import Build
from scripts.gate.node import charts, programs
from scripts.gate.node.enclosure import FOLDER
from scripts.gate.node.images import Image
from scripts.gate.node.node import ADDRESS, DNS, Node
from synth import ToolError
from synth.manifest import Document

AUTHORITY = FOLDER / "authority.pem"
"""The certificate by which those are trusted that the server issues."""
ROOTS = "/etc/ssl/certs/ca-certificates.crt"
CHART, MODULE = "jetstack/cert-manager", "github.com/cert-manager/cert-manager"
REFUSED = "refused"
"""A name below an environment's domain that the server issues no certificate for."""
LEFT_OUT = ("cainjector", "startupapicheck", "webhook")
"""The components of the chart that check what people write, and that see to the certificates of who checks."""


def parts() -> tuple[Build, ...]:
    """What an environment with certificates takes beside Helm."""
    return programs.CERT_MANAGER, programs.ACME


def hosts(objects: Iterable[Document]) -> list[str]:
    """The hosts of the ACME servers that a tree names."""
    servers = (item["spec"].get("acme", {}).get("server", "") for item in objects if item["kind"] == "ClusterIssuer")
    return [urlsplit(server).hostname or "" for server in servers if server]


def images() -> Iterator[tuple[str, Image]]:
    """cert-manager's images by their references; the one that asks trusts nobody but the server here."""
    program = "/cert-manager"
    for name, more in {"controller": {ROOTS: _own_root()}, "acmesolver": {}}.items():
        files = {program: programs.CERT_MANAGER.make(), **more}
        yield (
            f"quay.io/jetstack/cert-manager-{name}:{pinned('cert-manager')}",
            Image(files, (program, name), user=1000),
        )


def serve(node: Node, names: Sequence[str], environment: Environment) -> None:
    """Answer at the address of the node to these names, which the cluster's DNS leads there.

    Raises:
        ToolError: it does not come up.
    """
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(_own_root()))
    own = authority.issue_cert(*names)
    chain, key = FOLDER / "acme.pem", FOLDER / "acme.key"
    for number, part in enumerate(own.cert_chain_pems):
        part.write_to_path(str(chain), append=number > 0)
    own.private_key_pem.write_to_path(str(key))
    node.start(
        "acme",
        programs.ACME.make(),
        *(f"--address={ADDRESS}:443", f"--certificate={chain}", f"--key={key}"),
        *(f"--resolver={DNS}:53", f"--root={AUTHORITY}", f"--refused={REFUSED}.{environment.domain}"),
        environment={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
    )
    node.wait("the ACME server is there", AUTHORITY.exists)


def install(node: Node, environment: Environment) -> None:
    """Install cert-manager, and wait until it is there.

    Raises:
        ToolError: the page has no command for it, or it does not come up.
    """
    page = charts.PAGE.read_text("utf-8")
    found = [release for release in charts.releases(environment, page) if release.chart == CHART]
    if len(found) != 1:
        raise ToolError(f"docs/{charts.PAGE.name} has {len(found)} commands for {CHART}, and should have one")
    # The source has no version of its own.
    tags = (f"--set={part}.tag={pinned('cert-manager')}" for part in ("image", "acmesolver.image"))
    chart = charts.source("cert-manager", MODULE) / "deploy" / "charts" / "cert-manager"
    objects = charts.rendered(found[0], chart, environment, tuple(tags))
    node.apply(item for item in objects if not _is_left_out(item))
    node.wait("cert-manager is there", lambda: node.well(found[0].namespace))


def _is_left_out(item: Document) -> bool:
    return item["metadata"].get("labels", {}).get("app.kubernetes.io/component") in LEFT_OUT


def _own_root() -> Path:
    """The certificate by which the server itself is trusted."""
    return FOLDER / "acme-root.pem"
