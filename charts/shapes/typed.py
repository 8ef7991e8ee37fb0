"""Values of the typed classes that live in Node: one crossing for each that is different, not for each use."""

from collections.abc import Mapping
from functools import cache

from cdk8s_plus_27 import k8s


@cache
def _quantity(text: str) -> k8s.Quantity:
    return k8s.Quantity.from_string(text)


def quantities(amounts: Mapping[str, str]) -> dict[str, k8s.Quantity]:
    """Kubernetes quantities, as the typed classes take them."""
    return {name: _quantity(amount) for name, amount in amounts.items()}


@cache
def int_or_string(value: int | str) -> k8s.IntOrString:
    """A port by number or name, or a count of pods, as the typed classes take them."""
    return k8s.IntOrString.from_string(value) if isinstance(value, str) else k8s.IntOrString.from_number(value)
