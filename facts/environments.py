"""The clusters this platform runs on, and what differs between them. Nothing here names an app."""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from itertools import pairwise
from typing import TypeVar

from facts.forms import (
    AcmeDirectory,
    AgeRecipient,
    Branch,
    Context,
    Domain,
    EmailAddress,
    Folder,
    Hours,
    IpAddress,
    Line,
    Minor,
    Name,
    NodeLabel,
    Percentage,
    ProxyNetwork,
    Registry,
    RegistryPath,
    SshAddress,
    StorageClass,
)
from facts.layout import UNITS
from facts.versions import kubernetes_minor
from synth.forms import PortNumber, formed
from synth.quantity import quantity

# Yours to set before a real roll-out: as long as one of them is an example.com name, `./gw doctor` says
# so. The digests of images.yaml are the only other values of that sort.
DOMAIN = "graphwiki.example.com"
GIT_URL = "ssh://git@git.example.com/graphwiki/platform.git"
REGISTRY = "registry.example.com"
ACME_EMAIL = "platform@example.com"
STORAGE_CLASS = "storage.example.com"

EXAMPLE = re.compile(r"(^|[.@/])example\.com\b")

K3D = "k3d-"
"""What the context of a k3d cluster begins with."""

OF_EVERY_GATEWAY = (80, 443, 15021)
"""The ports for HTTP and HTTPS, and that at which the gateway says that it is ready."""

OF_THE_PROXY = range(15000, 15100)
"""https://istio.io/latest/docs/ops/deployment/application-requirements/#ports-used-by-istio"""

TOP_LEVEL = ("app", "com", "dev", "internal", "io", "local", "localhost", "net", "org")
"""What a whole host name ends with, and the part of one does not."""

T = TypeVar("T")


class Tier(IntEnum):
    """How much a cluster is for: one person's machine, a rehearsal, or what people work with.

    An app says beside its definition what it takes at which tier: `environment.tier.of(small="1Gi", full="20Gi")`.
    """

    SMALL = 1
    MEDIUM = 2
    FULL = 3

    def of(self, *, small: T, medium: T | None = None, full: T | None = None) -> T:
        """The size for this tier: what is left out is as at the tier below.

        Raises:
            ValueError: a larger tier has fewer bytes (`20Gi`) than a smaller one.
        """
        given = [size for size in (small, medium, full) if size is not None]
        for lower, upper in pairwise(given):
            if _bytes(lower) > _bytes(upper) > 0:
                raise ValueError(
                    f"the sizes by tier are {', '.join(map(str, given))}, where a larger tier has less than a smaller "
                    "one: write them from small to full"
                )
        return [size for size in (small, medium, full)[:self] if size is not None][-1]


def _bytes(size: object) -> Decimal:
    """How many bytes a size is that is written with its unit; 0 for anything else, of which more may be less."""
    return quantity(size) if isinstance(size, str) and re.fullmatch(r"[0-9.]+[KMGT]i", size) else Decimal(0)


@formed
@dataclass(frozen=True)
class Acme:
    """The certificate authority, as cert-manager's ACME issuer takes it.

    https://cert-manager.io/docs/configuration/acme/

    `server` is the authority's directory, `email` the address of the account with it.

    Raises:
        ValueError: one of the two cannot be one.
    """

    server: AcmeDirectory
    email: EmailAddress


@formed
@dataclass(frozen=True)
class Tags:
    """The tags of this repository that a cluster follows, always the highest: `v1.4.0` is of line 1.

    `line` is the first number of the tags; clusters of one line get the same. `soak_hours` is how long another cluster
    must have run a state without a change before `./gw promote` lets this one have it.
    """

    line: Line
    soak_hours: Hours


LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
LETS_ENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
"""Issues certificates that no browser trusts, with limits that a new cluster does not reach."""


@formed
@dataclass(frozen=True)
class Environment:
    """The facts of one cluster. Charts ask for a fact, never for the name.

    `path` is the folder of the cluster's tree from the repository's root, which Flux reads. `context` is the
    cluster's name in a kubeconfig; a k3d cluster's begins with `k3d-`. `domain` is what every host name ends in.
    `git_url` is the address of this repository as the cluster reaches it, over SSH; `git_branch` the branch that Flux
    follows. With `tags` it follows these instead, which `./gw promote` gives to commits of that branch. `tier`
    decides how large each app is. `kubernetes` is the minor version that the cluster runs, `None` for that of the k3s
    in versions.yaml; `kubernetes_next` the one that it is about to run: until the upgrade is done its tree has to be
    right for both. `registry` is where images come from, `None` where they are imported; with `digests` every image
    is named by its digest as well (images.yaml has the images). `istio_hub` is where Istio's own images come from, a
    mirror of docker.io/istio if need be: infra/environments/ hands it to Istio's charts. `tls` is who signs the
    gateway's certificates, `None` for plain HTTP. `storage_class` is the class of the volumes, `None` for the
    cluster's default; `shared_storage_class` that of volumes that several nodes mount, `None` where there is none.
    `rancher` says whether Rancher runs here and wants a route, `prometheus` whether a Prometheus in namespace
    monitoring scrapes. `trace_sampling` is the percentage of requests that leave a trace. `dns_addresses` are where
    pods ask for names beside the pods of CoreDNS: the node's own cache (`169.254.20.10`), where the cluster has one.
    `http_proxies` are the networks of what speaks HTTP to the gateway for the visitors, a cloud's application load
    balancer or a CDN; none where visitors' connections reach the gateway.
    `gateway_ports` are the ports for plain TCP that the gateway's Service has beside 80 and 443.
    `age_recipients` are the public keys of age for which Secrets in Git are encrypted: the cluster's own, and one whose
    private key is kept in a safe; none where Secrets are made by hand.
    `node_labels` are labels that some of the nodes have (`disk=fast`, `topology.kubernetes.io/zone=eu-1a`): apps can
    ask for no others, but for the system and the architecture of a node.

    Raises:
        ValueError: a fact cannot be one, with what would be right.
    """

    name: Name
    path: Folder
    context: Context
    domain: Domain
    git_url: SshAddress
    git_branch: Branch
    tier: Tier
    trace_sampling: Percentage
    kubernetes: Minor | None = None
    kubernetes_next: Minor | None = None
    tags: Tags | None = None
    registry: Registry | None = None
    digests: bool = False
    istio_hub: RegistryPath = "docker.io/istio"
    tls: Acme | None = None
    storage_class: StorageClass | None = None
    shared_storage_class: StorageClass | None = None
    rancher: bool = False
    prometheus: bool = False
    dns_addresses: tuple[IpAddress, ...] = ()
    http_proxies: tuple[ProxyNetwork, ...] = ()
    gateway_ports: tuple[PortNumber, ...] = ()
    age_recipients: tuple[AgeRecipient, ...] = ()
    node_labels: tuple[NodeLabel, ...] = ()

    def __post_init__(self) -> None:
        if self.path in [f"deploy/{unit}" for unit in UNITS]:
            raise ValueError(f"{self.name}: path {self.path} is part of the tree at deploy: choose another name")
        if len(set(self.age_recipients)) == 1:
            raise ValueError(
                f"{self.name}: age_recipients has one key, with which the Secrets would be lost: name the cluster's, "
                "and that of a second pair, whose private key is kept in a safe"
            )
        for port in self.gateway_ports:
            if port in OF_THE_PROXY and port not in OF_EVERY_GATEWAY:
                raise ValueError(
                    f"{self.name}: port {port} is one that Istio's proxy itself may listen on, {OF_THE_PROXY.start} to "
                    f"{OF_THE_PROXY.stop - 1}: take another one for gateway_ports"
                )
            if port in OF_EVERY_GATEWAY:
                raise ValueError(
                    f"{self.name}: port {port} is one that every gateway has: leave it out of gateway_ports"
                )
        if self.tls and self.digests and self.tier is Tier.FULL and "staging" in self.tls.server.split("/")[2]:
            raise ValueError(
                f"{self.name}: no browser trusts the certificates of {self.tls.server}, so that visitors "
                "get a warning instead of a page: write LETS_ENCRYPT where people work with it"
            )
        if self.kubernetes and self.context.startswith(K3D):
            raise ValueError(f"{self.name}: k3d runs the k3s of versions.yaml: leave kubernetes {self.kubernetes} out")
        if self.kubernetes_next and self.context.startswith(K3D):
            raise ValueError(
                f"{self.name}: a cluster of k3d is made anew and never upgraded: leave kubernetes_next "
                f"{self.kubernetes_next} out"
            )
        following = f"1.{int(self.minor.partition('.')[2]) + 1}"
        if self.kubernetes_next not in (None, following):
            raise ValueError(
                f"{self.name}: kubernetes_next is {self.kubernetes_next}, and a cluster is upgraded from {self.minor} "
                f"to {following}, one minor version at a time: write that"
            )

    @property
    def minor(self) -> str:
        """The minor version of Kubernetes that the cluster runs: `1.35`."""
        return self.kubernetes or kubernetes_minor()

    @property
    def minors(self) -> tuple[str, ...]:
        """The minor versions of Kubernetes that its tree has to be right for, the oldest first."""
        return tuple(filter(None, (self.minor, self.kubernetes_next)))

    def host(self, label: str) -> str:
        """The full name of a host: `wiki` becomes `wiki.localhost`, and the empty label the domain itself.

        Raises:
            ValueError: it is a full name already.
        """
        own, dot, last = label.rpartition(".")
        if f".{label}".endswith(f".{self.domain}"):
            short = label.removesuffix(self.domain).removesuffix(".")
            raise ValueError(f"the host {label} ends with the domain of {self.name} already: write {short!r}")
        if dot and last in {*TOP_LEVEL, self.domain.rpartition(".")[2]}:
            raise ValueError(
                f"the host {label} is a whole name, and would be {label}.{self.domain} in {self.name}: write "
                f"{own.partition('.')[0]!r}, every host of a cluster is of its domain"
            )
        return f"{label}.{self.domain}" if label else self.domain

    @property
    def examples(self) -> dict[str, str]:
        """The values that are still the ones this repository is published with, by the names they have above."""
        values = {
            "DOMAIN": self.domain,
            "GIT_URL": self.git_url,
            "REGISTRY": self.registry or "",
            "ACME_EMAIL": self.tls.email if self.tls else "",
            "STORAGE_CLASS": self.storage_class or "",
        }
        return {name: value for name, value in values.items() if EXAMPLE.search(value)}


LOCAL = Environment(
    name="local",
    path="deploy",
    context="k3d-graphwiki",
    domain="localhost",
    git_url=GIT_URL,
    git_branch="main",
    tier=Tier.SMALL,
    trace_sampling=100,
    rancher=True,
)

STAGING = Environment(
    name="staging",
    path="deploy/staging",
    context="graphwiki-staging",
    domain=f"staging.{DOMAIN}",
    git_url=GIT_URL,
    git_branch="main",
    tier=Tier.MEDIUM,
    registry=REGISTRY,
    tls=Acme(LETS_ENCRYPT_STAGING, ACME_EMAIL),
    trace_sampling=100,
    prometheus=True,
)

PRODUCTION = Environment(
    name="production",
    path="deploy/production",
    context="graphwiki-production",
    domain=DOMAIN,
    git_url=GIT_URL,
    git_branch="main",
    tags=Tags(line=1, soak_hours=24),
    tier=Tier.FULL,
    registry=REGISTRY,
    digests=True,
    tls=Acme(LETS_ENCRYPT, ACME_EMAIL),
    storage_class=STORAGE_CLASS,
    trace_sampling=1,
    prometheus=True,
)

ENVIRONMENTS = (LOCAL, STAGING, PRODUCTION)
