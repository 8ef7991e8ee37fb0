"""The pinned versions of versions.yaml."""

from functools import cache

import yaml

from synth import ROOT, DefinitionError

VERSIONS_FILE = ROOT / "versions.yaml"


@cache
def _versions() -> dict[str, str]:
    try:
        loaded = yaml.load(VERSIONS_FILE.read_text("utf-8"), yaml.CSafeLoader)
    except OSError as error:
        raise DefinitionError(f"versions.yaml cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise DefinitionError(f"versions.yaml is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(loaded, dict):
        raise DefinitionError("versions.yaml has no names with versions: write lines like flux: 2.9.4")
    for name, version in loaded.items():
        if not isinstance(version, str):
            raise DefinitionError(
                f"versions.yaml: {name} is {version!r}, read by YAML as a number: "
                f"write it in full or in quotes, as in {name}: '1.2'"
            )
    return dict(loaded)


def pinned(name: str) -> str:
    """The version of one third-party thing, spelled as that project spells its release.

    Raises:
        DefinitionError: versions.yaml has no such name.
    """
    try:
        return _versions()[name]
    except KeyError:
        known = ", ".join(sorted(_versions()))
        raise DefinitionError(f"versions.yaml has no version of {name}; it has {known}") from None
