"""The pinned versions of versions.yaml: which one, where it comes from, and until when its project supports it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import yaml

from synth import DefinitionError
from synth.plain import is_text, parsed, repeated

VERSIONS_FILE = Path(__file__).parent.parent / "versions.yaml"

FIELDS = ("version", "source", "supported-until")
NUMBERS = r"\d+\.\d+\.\d+"
SPELLINGS = {
    "k3s": (rf"v{NUMBERS}[-+]k3s\d+", "v1.35.5-k3s1"),
    "cert-manager": (f"v{NUMBERS}", "v1.21.2, with the v that its releases have"),
    **dict.fromkeys(
        ("k3d", "istio", "istio-api", "rancher", "flux", "opentofu", "maturin"),
        (NUMBERS, "1.31.4, without a v: its releases are named so where they are fetched from"),
    ),
}
"""How a project spells its releases, and one for an example."""
ONE_LINE = ("istio", "istio-api")
"""Two that are released together: a minor version of the one goes with that of the other."""
DAY = "tag:yaml.org,2002:timestamp"
DAY_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Version:
    """One third-party thing: `version` as its project spells it, `source`, the address that it is fetched from.

    `supported_until` is the last day on which its project supports it, `None` where the project names no day.
    """

    version: str
    source: str
    supported_until: date | None = None


def pinned(name: str) -> str:
    """The version of one third-party thing, spelled as that project spells its release.

    Raises:
        DefinitionError: versions.yaml has no such name, or is wrong.
    """
    try:
        return versions()[name].version
    except KeyError:
        known = ", ".join(sorted(versions()))
        raise DefinitionError(f"versions.yaml has no version of {name}; it has {known}") from None


def kubernetes_version() -> str:
    """The `major.minor.patch` of the pinned k3s: v1.35.5-k3s1 is Kubernetes 1.35.5.

    Raises:
        DefinitionError: versions.yaml has something else than a k3s image tag.
    """
    match = re.fullmatch(r"v(\d+\.\d+\.\d+)[-+]k3s\d+", pinned("k3s"))
    if match is None:
        raise DefinitionError(f"versions.yaml: k3s {pinned('k3s')} is no k3s image tag: v1.35.5-k3s1 is one")
    return match[1]


def kubernetes_minor() -> str:
    """The `major.minor` of the pinned k3s.

    Raises:
        DefinitionError: versions.yaml has something else than a k3s image tag.
    """
    return kubernetes_version().rpartition(".")[0]


@cache
def versions() -> Mapping[str, Version]:
    """All of versions.yaml, by name.

    Raises:
        DefinitionError: it cannot be read or is wrong; each mistake is a line.
    """
    try:
        text = VERSIONS_FILE.read_text("utf-8")
    except OSError as error:
        raise DefinitionError(f"versions.yaml cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DefinitionError(f"versions.yaml is no text in UTF-8: {error.reason} at byte {error.start}") from error
    found = parse(text)
    if problems := list(misfits({name: version.version for name, version in found.items()})):
        raise DefinitionError("\n".join(f"versions.yaml: {problem}" for problem in problems))
    return found


def misfits(found: Mapping[str, str]) -> Iterator[str]:
    """What no release is called by its project, and what is not released together."""
    for name, (form, example) in SPELLINGS.items():
        if name in found and not re.fullmatch(form, found[name]):
            yield f"{name} has the version {found[name]}, which is none of its releases: write it as in {example}"
    first, second = (found.get(name, "").rpartition(".")[0] for name in ONE_LINE)
    if first and second and first != second:
        names = " and ".join(f"{name} {found[name]}" for name in ONE_LINE)
        yield f"{names} are of two lines, and their types do not fit each other: take both of one minor version"


def parse(text: str) -> Mapping[str, Version]:
    """The versions of a text like versions.yaml.

    Raises:
        DefinitionError: it is wrong; each mistake is a line.
    """
    node, loaded = parsed(text, "versions.yaml")
    if not isinstance(node, yaml.MappingNode) or not isinstance(loaded, dict):
        raise DefinitionError("versions.yaml has no names: write one for each thing, with its version and its source")
    problems = [
        *repeated(node),
        *(f"{key.value} {problem}" for key, value in node.value for problem in _problems(value)),
    ]
    if problems:
        raise DefinitionError("\n".join(f"versions.yaml: {problem}" for problem in problems))
    return {
        name: Version(fields["version"], fields["source"], fields.get("supported-until"))
        for name, fields in loaded.items()
    }


def _problems(entry: yaml.Node) -> Iterator[str]:
    if not isinstance(entry, yaml.MappingNode):
        yield "has no fields: write its version and its source below it, a line each"
        return
    fields = {key.value: value for key, value in entry.value}
    for name in fields:
        if name not in FIELDS:
            yield f"has {name}, which is no field; there are {', '.join(FIELDS)}"
    for name in ("version", "source"):
        if name not in fields:
            yield f"has no {name}: give it one"
        elif not is_text(fields[name]):
            yield f"has the {name} {fields[name].value}, which YAML does not read as text: put it in quotes"
    source, until = fields.get("source"), fields.get("supported-until")
    if source is not None and is_text(source) and not source.value.startswith("https://"):
        yield f"has the source {source.value}: write the https:// address that it is fetched from"
    if until is not None and not (until.tag == DAY and DAY_FORM.fullmatch(until.value)):
        yield f"has supported-until {until.value}: write a day without quotes, as in 2027-02-28, or leave the line out"
