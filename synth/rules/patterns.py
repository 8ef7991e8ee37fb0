"""Rules for regular expressions: Istio's proxy reads them as RE2, which lacks some of what Python and others have."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

from synth.cluster import Cluster, Rule, Violation

# Of a string match, and of a rewrite: https://istio.io/latest/docs/reference/config/networking/virtual-service/
LONGEST = 1024
"""Of a pattern that Istio takes: validateStringRegexp in https://github.com/istio/istio pkg/config/validation."""
PATTERNS = ("regex", "match")


def patterns_are_of_re2(cluster: Cluster) -> Iterator[Violation]:
    """Istio refuses a VirtualService with a pattern that its proxy cannot read, long after the change is merged."""
    for item in cluster.of("VirtualService"):
        for path, pattern in _patterns(item.spec, "spec"):
            if problem := _problem(pattern):
                yield Violation(
                    item,
                    f"has {path} {pattern!r}, which is not of RE2 ({problem}): RE2 has no look-ahead, "
                    "look-behind and back-references, https://github.com/google/re2/wiki/Syntax has what there is",
                )


def _patterns(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _patterns(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in PATTERNS and isinstance(item, str):
                yield f"{path}.{key}", item
            else:
                yield from _patterns(item, f"{path}.{key}")


@cache
def _problem(pattern: str) -> str:
    """What RE2 has against a pattern; empty where it reads it."""
    if not pattern:
        return "it is empty"
    if len(pattern) > LONGEST:
        return f"it has more than {LONGEST} characters"
    re2 = import_module("re2")  # Here, so that a compile without patterns need not load it.
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        (said,) = error.args
        return said.decode() if isinstance(said, bytes) else str(said)
    return ""


RULES: tuple[Rule, ...] = (patterns_are_of_re2,)
