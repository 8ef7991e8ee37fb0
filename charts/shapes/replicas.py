"""How many pods a workload has."""

from dataclasses import dataclass
from typing import Annotated

from synth.forms import formed, within

MOST = 100
"""More pods of one workload are a typing error here."""

Count = Annotated[int, within(range(MOST + 1), f"is no number of pods: 1 to {MOST} are")]


@formed
@dataclass(frozen=True)
class Replicas:
    """How many pods an app has: `minimum` of them, autoscaled up to `maximum` where that is more.

    Raises:
        ValueError: the minimum is below 1 or above the maximum.
    """

    minimum: Count = 1
    maximum: Count = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "maximum", self.maximum or self.minimum)
        if not 1 <= self.minimum <= self.maximum:
            raise ValueError(f"{self.minimum} to {self.maximum} replicas cannot be: write Replicas(2, 4) for 2 to 4")

    @property
    def autoscaled(self) -> bool:
        return self.maximum > self.minimum

    @property
    def several(self) -> bool:
        """Whether two pods may run at the same time."""
        return self.maximum > 1

    def __str__(self) -> str:
        return f"{self.minimum} to {self.maximum}" if self.autoscaled else str(self.minimum)
