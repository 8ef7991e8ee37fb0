"""Rules for images: a digest is of one repository, and a pod whose images have digests has one for each."""

from collections.abc import Iterator

from synth.cluster import Cluster, Rule, Violation
from synth.pods import containers
from synth.tree import Object

PLACEHOLDER = "sha256:" + "0" * 64
"""What stands for a digest until the image is built."""


def digests_belong_to_their_images(cluster: Cluster) -> Iterator[Violation]:
    first: dict[str, tuple[str, Object]] = {}
    for item in cluster.workloads:
        images = {container["name"]: container.get("image", "") for container in containers(item.document)}
        with_digest = [image for image in images.values() if "@" in image]
        for name, image in images.items():
            if with_digest and "@" not in image:
                yield Violation(
                    item,
                    f"has container {name} with image {image} without a digest, beside {with_digest[0]}: add its "
                    "digest, or the tag may be another image tomorrow",
                )
        for image in with_digest:
            named, _, digest = image.partition("@")
            head, colon, tag = named.rpartition(":")
            repository = head if colon and "/" not in tag else named
            other, owner = first.setdefault(digest, (repository, item))
            if other != repository and digest != PLACEHOLDER:
                yield Violation(
                    item,
                    f"has image {repository} with the digest of {other} in {owner}: a digest is of one image, copy the "
                    "right one",
                )


RULES: tuple[Rule, ...] = (digests_belong_to_their_images,)
