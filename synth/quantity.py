"""Kubernetes quantities, text to number and back, and durations."""

import re
from decimal import Decimal

from synth.names import DURATION

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]{1,3})?")
SUFFIXES = {
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("n", "u", "m", "", "k", *"MGTPE"), -3)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}


def quantity(text: object) -> Decimal:
    """The number that a Kubernetes quantity stands for: `quantity("250m")` is 0.25, in the resource's own unit.

    Raises:
        ValueError: it is not a quantity; Kubernetes would refuse it.
    """
    match = QUANTITY.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{str(text)!r} is not a quantity: write a number and a unit, as in 250m, 1.5, 64Mi or 1Gi")
    number, suffix = match[1], match[2] or ""
    if suffix not in SUFFIXES:
        return Decimal(number) * Decimal(10) ** int(suffix[1:])
    return Decimal(number) * SUFFIXES[suffix]


# https://pkg.go.dev/time#ParseDuration, in the units that Flux, Istio and cert-manager are written in.
UNITS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}


def seconds(duration: object) -> Decimal:
    """How long a duration is: `seconds("1m30s")` is 90.

    Raises:
        ValueError: it is not a duration.
    """
    if not DURATION.fullmatch(str(duration)):
        raise ValueError(f"{str(duration)!r} is not a duration: write a number and ms, s, m or h, as in 10s or 1m30s")
    parts = re.findall(r"([0-9.]+)(ms|s|m|h)", str(duration))
    return sum((Decimal(number) * UNITS[unit] for number, unit in parts), Decimal(0))


def as_quantity(number: Decimal | int, *, binary: bool) -> str:
    """A number as a quantity in the largest unit that keeps it whole: `192Mi` where `binary`, else `150m` or `2`.

    `number` is in the resource's own unit, bytes or cores. What is no whole number of thousandths or bytes stays so.
    """
    if number * (1 if binary else 1000) % 1:
        return format(Decimal(number).normalize(), "f")
    if not binary:
        return str(int(number)) if number % 1 == 0 else f"{int(number * 1000)}m"
    units = [(suffix, size) for suffix, size in SUFFIXES.items() if suffix.endswith("i") and number % size == 0]
    if number == 0 or not units:
        return str(int(number))
    suffix, size = units[-1]
    return f"{int(number / size)}{suffix}"
