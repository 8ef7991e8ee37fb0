"""The clusters this platform runs on, and what differs between them."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Environment:
    """The facts of one cluster. Charts ask for a fact, never for the name.

    `path` is the folder of the cluster's tree from the repository's root, which Flux reads. `domain` is what
    every host name ends in. `git_url` is the address of this repository as the cluster reaches it, over SSH;
    `git_branch` the branch that Flux follows. `graphwiki_image` is the wiki's image with its tag, `wiki_storage`
    the size of its volume as a Kubernetes quantity. `rancher` says whether Rancher runs here and wants a route.
    `context` is the cluster's name in a kubeconfig; a k3d cluster's begins with `k3d-`.

    Raises:
        ValueError: a fact cannot be one, with what would be right.
    """

    name: str
    path: str
    domain: str
    git_url: str
    git_branch: str
    graphwiki_image: str
    wiki_storage: str
    rancher: bool
    context: str

    def __post_init__(self) -> None:
        scp = re.fullmatch(r"(\w+@[\w.-]+):(?!/)(.+)", self.git_url)
        if scp:
            right = f"ssh://{scp[1]}/{scp[2]}"
            raise ValueError(f"{self.name}: Flux does not know git_url {self.git_url!r}: write it as {right}")
        if not re.fullmatch(r"ssh://[^/\s]+/\S+", self.git_url):
            raise ValueError(f"{self.name}: git_url {self.git_url!r} is no SSH address: ssh://git@HOST/PATH.git is one")
        if not re.fullmatch(r"[\w./-]+", self.git_branch):
            raise ValueError(f"{self.name}: git_branch {self.git_branch!r} is no branch: write its name, as in main")
        if not re.fullmatch(r"deploy(/[a-z0-9-]+)?", self.path):
            raise ValueError(f"{self.name}: path {self.path!r} is no tree: it is deploy, or a folder just below it")

    @property
    def git_url_is_example(self) -> bool:
        """Whether `git_url` is still the one that this repository is published with."""
        return ".example.com/" in self.git_url

    def host(self, label: str) -> str:
        """The full host name of one application: `wiki` becomes `wiki.localhost`."""
        return f"{label}.{self.domain}"


LOCAL = Environment(
    name="local",
    path="deploy",
    domain="localhost",
    git_url="ssh://git@git.example.com/graphwiki/platform.git",
    git_branch="main",
    graphwiki_image="graphwiki:latest",
    wiki_storage="1Gi",
    rancher=True,
    context="k3d-graphwiki",
)

ENVIRONMENTS = (LOCAL,)
