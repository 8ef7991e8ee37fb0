"""What containers get and may take."""

from collections.abc import Iterable
from dataclasses import dataclass

from synth.pods import RESOURCES
from synth.quantity import as_quantity, quantity


@dataclass(frozen=True)
class Range:
    """What a container is sure to get, and what it may take at most, as Kubernetes quantities.

    Raises:
        ValueError: one of them is not a quantity, or the limit is below the request.
    """

    request: str
    limit: str

    def __post_init__(self) -> None:
        try:
            too_low = quantity(self.limit) < quantity(self.request)
        except ValueError as error:
            raise ValueError(str(error)) from None
        if too_low:
            raise ValueError(
                f"limit {self.limit} is below its request {self.request}: raise the limit or lower the request"
            )


LITTLE_STORAGE = Range("64Mi", "256Mi")
"""The ephemeral storage of a container that writes logs and a little to /tmp."""


@dataclass(frozen=True)
class Resources:
    """The resources of a container; `ephemeral_storage` holds its /tmp and its logs."""

    cpu: Range
    memory: Range
    ephemeral_storage: Range = LITTLE_STORAGE

    @property
    def requests(self) -> dict[str, str]:
        ranges = (self.cpu, self.memory, self.ephemeral_storage)
        return {name: range_.request for name, range_ in zip(RESOURCES, ranges, strict=True)}

    @property
    def limits(self) -> dict[str, str]:
        ranges = (self.cpu, self.memory, self.ephemeral_storage)
        return {name: range_.limit for name, range_ in zip(RESOURCES, ranges, strict=True)}


PROXY = Resources(cpu=Range("50m", "500m"), memory=Range("64Mi", "256Mi"))
"""Istio's proxy beside each app: enough for a few hundred requests a second.

Also what a container gets that names no resources, because LimitRange gives the proxy its ephemeral storage.
"""

Amounts = dict[str, str]
"""Kubernetes quantities by resource."""


def total(amounts: Iterable[tuple[int, Amounts]]) -> Amounts:
    """So many times each of these amounts, added up."""
    listed = list(amounts)
    return {
        name: as_quantity(sum(times * quantity(each.get(name, "0")) for times, each in listed), binary=name != "cpu")
        for name in RESOURCES
    }


def largest(amounts: Iterable[Amounts]) -> Amounts:
    """Of each resource the largest amount."""
    listed = list(amounts)
    return {name: max((each[name] for each in listed), key=quantity) for name in RESOURCES}
