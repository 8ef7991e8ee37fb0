"""An image that had a digest and has none any more: what is pulled tomorrow may be another one."""

from collections.abc import Iterator

from synth.changes.sides import Hazard, Risk, Sides, code
from synth.images import PLACEHOLDER
from synth.pods import WORKLOADS, containers
from synth.tree import Object


def hazards(sides: Sides) -> Iterator[Hazard]:
    """Every container whose image goes from a digest to none, or to what stands for one that is not known."""
    for old, new in sides.both:
        if new.kind in WORKLOADS:
            before = _digests(old)
            for name, (image, digest) in _digests(new).items():
                had = before.get(name, ("", ""))[1]
                if had not in ("", PLACEHOLDER) and digest in ("", PLACEHOLDER):
                    became = "stands for one that is not known: no node can pull it" if digest else "is by tag alone"
                    yield Hazard(
                        Risk.UNPINNED,
                        new,
                        f"Container {code(name)} had an image with a digest; now it {became}.",
                        (
                            "Copy the digest of the image that is to run, as its registry says it.",
                            "For an image of ours: `release` it, or `promote` the one that was tried.",
                        ),
                        f"{code(had)} to {code(image)}",
                    )


def _digests(item: Object) -> dict[str, tuple[str, str]]:
    """Each container's image, and its digest if it has one."""
    return {
        str(container.get("name")): (str(container.get("image", "")), str(container.get("image", "")).partition("@")[2])
        for container in containers(item.document)
    }
