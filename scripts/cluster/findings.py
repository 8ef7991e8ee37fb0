"""What `doctor` says: one thing looked at, and what to do about it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `advice` says what to do where it is not as it should be, empty where it is.

    What is only `later` does not keep the local cluster from being made.
    """

    subject: str
    state: str
    advice: str = ""
    later: bool = False

    @property
    def mark(self) -> str:
        """The first word of its line."""
        return "ok" if not self.advice else "later" if self.later else "FIX"
