"""Whether the projects behind versions.yaml still support what is pinned."""

from collections.abc import Iterator
from datetime import date, timedelta

from facts.versions import Version, versions
from scripts.cluster.findings import Finding

SOON = timedelta(days=60)
"""How long before its end a version is named: time enough to try the next one in staging."""


def support(today: date) -> Iterator[Finding]:
    """A finding for each version whose support has run out, or runs out soon; one that says so where none has.

    What runs out soon is for later.
    """
    dated = {name: entry.supported_until for name, entry in versions().items() if entry.supported_until}
    ending = {name: until for name, until in dated.items() if until <= today + SOON}
    for name, until in sorted(ending.items(), key=lambda item: item[1]):
        yield _finding(name, versions()[name], until, today)
    if not ending:
        yield Finding("support", f"nothing in versions.yaml runs out within {SOON.days} days")


def _finding(name: str, entry: Version, until: date, today: date) -> Finding:
    ended = until < today
    state = f"{entry.version}, support {'ended' if ended else 'ends'} on {until}"
    advice = f"choose a newer one from {entry.source} in versions.yaml, then as docs/operations.md#upgrades says"
    return Finding(f"support of {name}", state, advice, later=not ended)
