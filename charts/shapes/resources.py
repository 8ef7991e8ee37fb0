"""What containers get and may take."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from synth.forms import Form, formed
from synth.pods import RESOURCES
from synth.quantity import as_quantity, quantity


@formed
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


def _of_cpu(amounts: Range) -> str | None:
    for amount in (amounts.request, amounts.limit):
        cores = quantity(amount)
        if cores > LARGEST_CPU or not amount.rstrip("m").replace(".", "").isdecimal():
            return f"has {amount}, {_plain(cores)} cores: write m for thousandths of a core, as in Range('50m', '500m')"
        if cores == 0:
            return "has 0, with which nothing runs: Range('50m', '500m') is a twentieth of a core to half of one"
        if cores * 1000 % 1:
            return f"has {amount}, finer than Kubernetes counts: write whole thousandths, as in 50m"
    return None


def _of_bytes(largest: str, example: str, *, most_times: int | None = None) -> Form:
    def problem(amounts: Range) -> str | None:
        for amount in (amounts.request, amounts.limit):
            size = quantity(amount)
            if size % 1 or size < LEAST_BYTES:
                return f"has {amount}, which is {_plain(size)} bytes: write Mi for mebibytes, as in {example}"
            if size > quantity(largest):
                return f"has {amount}, more than the {largest} of a large node: {example} is in mebibytes"
        if most_times and quantity(amounts.limit) > most_times * quantity(amounts.request):
            return (
                f"is sure to get {amounts.request} and may take {amounts.limit}, over {most_times} times as much, "
                f"which no node keeps free for it: bring them nearer to each other, as in {example}"
            )
        return None

    return Form(problem)


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")


LARGEST_CPU = 48
LEAST_BYTES = 1024 * 1024
Cpu = Annotated[Range, Form(_of_cpu)]
Memory = Annotated[Range, _of_bytes("512Gi", "Range('64Mi', '256Mi')", most_times=32)]
Storage = Annotated[Range, _of_bytes("1Ti", "Range('64Mi', '1Gi')")]

LITTLE_STORAGE = Range("64Mi", "256Mi")
"""The ephemeral storage of a container that writes logs and a little to /tmp."""


@formed
@dataclass(frozen=True)
class Resources:
    """The resources of a container; `ephemeral_storage` holds its /tmp and its logs."""

    cpu: Cpu
    memory: Memory
    ephemeral_storage: Storage = LITTLE_STORAGE

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


@dataclass(frozen=True)
class Room:
    """What one pod needs on a node: its requests and its limits, and the largest limit of a container of it."""

    requests: Amounts
    limits: Amounts
    largest: Amounts


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
