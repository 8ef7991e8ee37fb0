"""The clusters this platform runs on, and what differs between them."""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address

from synth.names import SUBDOMAIN
from synth.quantity import quantity

# Yours to set before a real roll-out: as long as one of them is an example.com name, `python -m scripts doctor` says
# so. The digests of images.yaml are the only other values of that sort.
DOMAIN = "graphwiki.example.com"
GIT_URL = "ssh://git@git.example.com/graphwiki/platform.git"
REGISTRY = "registry.example.com"
ACME_EMAIL = "platform@example.com"
STORAGE_CLASS = "storage.example.com"

UNITS = ("flux", "platform", "apps")
"""The folders of an environment's tree that Flux applies, each as a whole."""

EXAMPLE = re.compile(r"(^|[.@/])example\.com\b")
ACCESS_MODES = ("ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod")


@dataclass(frozen=True)
class Acme:
    """The certificate authority, as cert-manager's ACME issuer takes it.

    https://cert-manager.io/docs/configuration/acme/

    `server` is the authority's directory, `email` where it writes to about the account.

    Raises:
        ValueError: one of the two cannot be one.
    """

    server: str
    email: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"https://[^/\s]+/\S+", self.server):
            raise ValueError(f"ACME server {self.server!r} is no directory: https://HOST/directory is one")
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", self.email):
            raise ValueError(f"ACME email {self.email!r} is no address: platform@example.com is one")


LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
LETS_ENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
"""Issues certificates that no browser trusts, with limits that a new cluster does not reach."""


@dataclass(frozen=True)
class Replicas:
    """How many pods an app has: `minimum` of them, autoscaled up to `maximum` where that is more.

    Raises:
        ValueError: the minimum is below 1 or above the maximum.
    """

    minimum: int = 1
    maximum: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "maximum", self.maximum or self.minimum)
        if not 1 <= self.minimum <= self.maximum:
            raise ValueError(f"{self.minimum} to {self.maximum} replicas cannot be: write Replicas(2, 4) for 2 to 4")

    @property
    def autoscaled(self) -> bool:
        return self.maximum > self.minimum

    @property
    def several(self) -> bool:
        """Whether two pods may run at the same time."""
        return self.maximum > 1

    def __str__(self) -> str:
        return f"{self.minimum} to {self.maximum}" if self.autoscaled else str(self.minimum)


@dataclass(frozen=True)
class Storage:
    """A volume as the cluster provisions it: `size` is a Kubernetes quantity, no `storage_class` the cluster's default.

    Raises:
        ValueError: the size is no quantity, the class no name, or the access mode none that Kubernetes has.
    """

    size: str
    storage_class: str | None = None
    access_mode: str = "ReadWriteOnce"

    def __post_init__(self) -> None:
        try:
            size = quantity(self.size)
        except ValueError as error:
            raise ValueError(f"storage size {error}") from None
        if size < 1 or size != int(size):
            raise ValueError(f"storage size {self.size} is no number of bytes: 5Gi is one")
        if self.storage_class is not None and not SUBDOMAIN.fullmatch(self.storage_class):
            raise ValueError(
                f"storage class {self.storage_class!r} is no name of one: leave it out for the cluster's default class"
            )
        if self.access_mode not in ACCESS_MODES:
            raise ValueError(f"access mode {self.access_mode!r} is none of Kubernetes': {', '.join(ACCESS_MODES)}")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Environment:
    """The facts of one cluster. Charts ask for a fact, never for the name.

    `path` is the folder of the cluster's tree from the repository's root, which Flux reads. `context` is the
    cluster's name in a kubeconfig; a k3d cluster's begins with `k3d-`. `domain` is what every host name ends in.
    `git_url` is the address of this repository as the cluster reaches it, over SSH; `git_branch` the branch that Flux
    follows. `registry` is where images come from, `None` where they are imported; with `digests` every image is named
    by its digest as well (images.yaml has the images). `tls` is who signs the gateway's certificates, `None` for plain
    HTTP. `rancher` says whether Rancher runs here and wants a route, `prometheus` whether a Prometheus in namespace
    monitoring scrapes. `trace_sampling` is the percentage of requests that leave a trace. `dns_addresses` are where
    pods ask for names beside the pods of CoreDNS: the node's own cache (`169.254.20.10`), where the cluster has one.

    Raises:
        ValueError: a fact cannot be one, with what would be right.
    """

    name: str
    path: str
    context: str
    domain: str
    git_url: str
    git_branch: str
    wiki_storage: Storage
    trace_sampling: float
    wiki_replicas: Replicas = field(default_factory=Replicas)
    test_app_replicas: Replicas = field(default_factory=Replicas)
    registry: str | None = None
    digests: bool = False
    tls: Acme | None = None
    rancher: bool = False
    prometheus: bool = False
    dns_addresses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        scp = re.fullmatch(r"(\w+@[\w.-]+):(?!/)(.+)", self.git_url)
        if scp:
            right = f"ssh://{scp[1]}/{scp[2]}"
            raise ValueError(f"{self.name}: Flux does not know git_url {self.git_url!r}: write it as {right}")
        if not re.fullmatch(r"ssh://[^/\s]+/\S+", self.git_url):
            raise ValueError(f"{self.name}: git_url {self.git_url!r} is no SSH address: ssh://git@HOST/PATH.git is one")
        if not re.fullmatch(r"\w[\w./-]*", self.git_branch):
            raise ValueError(f"{self.name}: git_branch {self.git_branch!r} is no branch: write its name, as in main")
        if not re.fullmatch(r"deploy(/[a-z0-9-]+)?", self.path):
            raise ValueError(f"{self.name}: path {self.path!r} is no tree: it is deploy, or a folder just below it")
        if not SUBDOMAIN.fullmatch(self.domain):
            raise ValueError(
                f"{self.name}: domain {self.domain!r} is no domain: wiki.example.com is one, without a scheme"
            )
        if self.registry is not None and not re.fullmatch(rf"{SUBDOMAIN.pattern}(:\d+)?", self.registry):
            raise ValueError(f"{self.name}: registry {self.registry!r} is no host: registry.example.com is one")
        if self.path in [f"deploy/{unit}" for unit in UNITS]:
            raise ValueError(f"{self.name}: path {self.path} is part of the tree at deploy: choose another name")
        for address in self.dns_addresses:
            if not _is_address(address):
                raise ValueError(
                    f"{self.name}: dns_addresses has {address!r}, which is no IP address: 169.254.20.10 is one"
                )
        if not (isinstance(self.trace_sampling, int | float) and 0 <= self.trace_sampling <= 100):  # noqa: PLR2004, per cent
            raise ValueError(f"{self.name}: trace_sampling {self.trace_sampling} is no percentage: 0 to 100 is one")

    def host(self, label: str) -> str:
        """The full host name of one application: `wiki` becomes `wiki.localhost`."""
        return f"{label}.{self.domain}"

    @property
    def examples(self) -> dict[str, str]:
        """The values that are still the ones this repository is published with, by the names they have above."""
        values = {
            "DOMAIN": self.domain,
            "GIT_URL": self.git_url,
            "REGISTRY": self.registry or "",
            "ACME_EMAIL": self.tls.email if self.tls else "",
            "STORAGE_CLASS": self.wiki_storage.storage_class or "",
        }
        return {name: value for name, value in values.items() if EXAMPLE.search(value)}


LOCAL = Environment(
    name="local",
    path="deploy",
    context="k3d-graphwiki",
    domain="localhost",
    git_url=GIT_URL,
    git_branch="main",
    wiki_storage=Storage("1Gi"),
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
    registry=REGISTRY,
    tls=Acme(LETS_ENCRYPT_STAGING, ACME_EMAIL),
    wiki_storage=Storage("5Gi"),
    test_app_replicas=Replicas(2, 4),
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
    registry=REGISTRY,
    digests=True,
    tls=Acme(LETS_ENCRYPT, ACME_EMAIL),
    wiki_storage=Storage("20Gi", STORAGE_CLASS),
    test_app_replicas=Replicas(2, 6),
    trace_sampling=1,
    prometheus=True,
)

ENVIRONMENTS = (LOCAL, STAGING, PRODUCTION)


def root_of(path: str) -> str:
    """The folder of the environment whose tree has a path: `deploy`, or `deploy/staging`."""
    top, below, *_ = path.split("/")
    return top if below in UNITS else f"{top}/{below}"
