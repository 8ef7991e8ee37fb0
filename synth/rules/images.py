"""Rules for images: a digest is of one repository, a tag of one image, and each can be pulled and stays what it is."""

from collections.abc import Iterator

from synth.cluster import Cluster, Rule, Violation
from synth.images import MOVING, PLACEHOLDER, Reference
from synth.pods import containers
from synth.tree import Object


def digests_belong_to_their_images(cluster: Cluster) -> Iterator[Violation]:
    first: dict[str, tuple[str, Object]] = {}
    tagged: dict[tuple[str, str], tuple[str, Object]] = {}
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
        for image in dict.fromkeys(map(Reference.parse, with_digest)):
            other, owner = first.setdefault(image.digest, (image.repository, item))
            if other != image.repository and image.digest != PLACEHOLDER:
                yield Violation(
                    item,
                    f"has image {image.repository} with the digest of {other} in {owner}: a digest is of one image, "
                    "copy the right one",
                )
            known, user = tagged.setdefault((image.repository, image.tag), (image.digest, item))
            if image.tag and known != image.digest and PLACEHOLDER not in (known, image.digest):
                yield Violation(
                    item,
                    f"has image {image.repository}:{image.tag} with another digest than {user}: a release is one "
                    "image, use one digest for both",
                )


def images_can_be_pulled_and_stay(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.workloads:
        for container in containers(item.document):
            image = Reference.parse(container.get("image", ""))
            if not image.is_pulled:
                continue
            if image.tag in MOVING and not image.digest:
                yield Violation(
                    item,
                    f"has container {container['name']} with the tag {image.tag}, which is another image after the "
                    f"next build: name the release of {image.repository}",
                )
            if container.get("imagePullPolicy") == "Never":
                yield Violation(
                    item,
                    f"has container {container['name']} with imagePullPolicy Never, so that no node gets "
                    f"{image.repository} from its registry: leave it out",
                )


def images_are_named_as_the_cluster_wants(cluster: Cluster) -> Iterator[Violation]:
    wanted = cluster.images
    for item in cluster.workloads:
        every = containers(item.document)
        # Beside one with a digest it is told of already.
        mixed = any("@" in container.get("image", "") for container in every)
        for container in every:
            image = Reference.parse(container.get("image", ""))
            if wanted.registry and not image.is_pulled:
                yield Violation(
                    item,
                    f"has container {container['name']} with image {container.get('image')}, which names no registry: "
                    f"write where it is pulled from, as in registry.example.com/{container.get('image')}",
                )
            elif wanted.digests and not image.digest and not mixed:
                yield Violation(
                    item,
                    f"has container {container['name']} with image {container.get('image')} without a digest, which "
                    "this cluster wants: write @sha256: and 64 hexadecimal digits behind it",
                )


RULES: tuple[Rule, ...] = (
    digests_belong_to_their_images,
    images_can_be_pulled_and_stay,
    images_are_named_as_the_cluster_wants,
)
