"""What the name of an image says of what runs, and for how long."""

from dataclasses import dataclass

PLACEHOLDER = "sha256:" + "0" * 64
"""What stands for a digest until the image is built."""
LATEST = "latest"
MOVING = frozenset(
    {LATEST, *("canary", "current", "dev", "devel", "develop", "edge", "head", "lts", "main", "master", "mainline")}
    | {
        *(
            "next",
            "nightly",
            "prod",
            "production",
            "release",
            "rolling",
            "snapshot",
            "stable",
            "staging",
            "test",
            "trunk",
        )
    }
)
"""Tags that are named after a branch or a stage, and given to one image after the other."""


@dataclass(frozen=True)
class Reference:
    """An image as a pod names it: `registry.example.com:5000/app:1.2@sha256:...`."""

    repository: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> "Reference":
        named, _, digest = text.partition("@")
        head, colon, tag = named.rpartition(":")
        tagged = colon and "/" not in tag
        return cls(head if tagged else named, tag if tagged else "", digest)

    @property
    def is_pulled(self) -> bool:
        """Whether it names a registry; what names none may be imported into the nodes."""
        first, slash, _ = self.repository.partition("/")
        return bool(slash) and ("." in first or ":" in first or first == "localhost")
