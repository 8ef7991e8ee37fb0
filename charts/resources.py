"""What containers get and may take."""

from dataclasses import dataclass
from functools import cache

from cdk8s_plus_27 import k8s

from synth.pods import RESOURCES
from synth.quantity import quantity


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


@dataclass(frozen=True)
class Resources:
    """The resources of a container; `ephemeral_storage` holds its /tmp and its logs."""

    cpu: Range
    memory: Range
    ephemeral_storage: Range = Range("64Mi", "256Mi")

    @property
    def requests(self) -> dict[str, str]:
        ranges = (self.cpu, self.memory, self.ephemeral_storage)
        return {name: range_.request for name, range_ in zip(RESOURCES, ranges, strict=True)}

    @property
    def limits(self) -> dict[str, str]:
        ranges = (self.cpu, self.memory, self.ephemeral_storage)
        return {name: range_.limit for name, range_ in zip(RESOURCES, ranges, strict=True)}


SIDECAR = Resources(cpu=Range("50m", "500m"), memory=Range("64Mi", "256Mi"))
"""Istio's proxy beside each app: enough for a few hundred requests a second.

Also what a container gets that names no resources, because LimitRange gives the proxy its ephemeral storage.
"""


# A quantity lives in Node: one crossing for each that is different, not for each use.
@cache
def _quantity(text: str) -> k8s.Quantity:
    return k8s.Quantity.from_string(text)


def quantities(amounts: dict[str, str]) -> dict[str, k8s.Quantity]:
    """Kubernetes quantities, as the typed classes take them."""
    return {name: _quantity(amount) for name, amount in amounts.items()}
