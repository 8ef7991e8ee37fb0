"""Which image runs where, as images.yaml has it: data that machines change too."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated

import yaml

from facts.environments import ENVIRONMENTS, Environment
from synth import DefinitionError
from synth.forms import formed, matches
from synth.images import LATEST, MOVING
from synth.names import DIGEST, TAG
from synth.plain import is_text, parsed, repeated

IMAGES_FILE = Path(__file__).parent.parent / "images.yaml"

UNKNOWN_DIGEST = f"sha256:{'0' * 64}"
"""What stands for a digest that is not known yet; no image has it."""

# https://github.com/distribution/reference
REPOSITORY = re.compile(r"([a-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
REFERENCE = re.compile(rf"(?P<repository>{REPOSITORY.pattern}):(?P<tag>{TAG.pattern})(@(?P<digest>{DIGEST.pattern}))?")
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
FIELDS = ("repository", "tag", "digest")


@formed
@dataclass(frozen=True)
class Image:
    """One image: `repository` with or without a registry's host, `tag`, and `digest` as `sha256:...`."""

    repository: Annotated[
        str, matches(REPOSITORY.pattern, "is no repository: registry.example.com/team/app is one, without a tag")
    ]
    tag: Annotated[str, matches(TAG.pattern, "is no tag: use letters, digits, _, . and -, at most 128")]
    digest: Annotated[str, matches(DIGEST.pattern, "is no digest: sha256: and 64 hexadecimal digits are")] | None = None

    @property
    def moves(self) -> bool:
        """Whether it may be another image tomorrow, because its tag is named after a branch or a stage."""
        return self.tag in MOVING and self.digest is None

    @classmethod
    def parse(cls, text: str) -> "Image":
        """An image that is written down where it runs: `Image.parse("docker.io/library/redis:8.2@sha256:...")`.

        Raises:
            ValueError: it is no repository with a tag and, where it has one, a digest.
        """
        match = REFERENCE.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ValueError(
                f"the image {text} is none that can be pulled for certain: write REPOSITORY:TAG, and @sha256: with its "
                "digest where it is known"
            )
        return cls(match["repository"], match["tag"], match["digest"])

    @property
    def names_its_registry(self) -> bool:
        """Whether the repository begins with a registry's host: `docker.io/nginxinc/nginx-unprivileged`."""
        first, slash, _ = self.repository.partition("/")
        return bool(slash) and ("." in first or ":" in first or first == "localhost")

    def taken_by(self, environment: Environment) -> "Image":
        """The image as an environment takes it: by its tag alone where no digest is wanted and none is known yet."""
        placeholder = self.digest == UNKNOWN_DIGEST and not environment.digests
        return replace(self, digest=None) if placeholder else self

    def reference(self, registry: str | None) -> str:
        """How a pod names it: `registry.example.com/graphwiki/graphwiki:1.4.0@sha256:...`."""
        own = registry is None or self.names_its_registry
        place = self.repository if own else f"{registry}/{self.repository}"
        return f"{place}:{self.tag}" + (f"@{self.digest}" if self.digest else "")


Images = Mapping[str, Mapping[str, Image]]
"""Images by environment and name."""


def image(environment: Environment, name: str) -> Image:
    """An image of images.yaml, by its name there.

    Raises:
        DefinitionError: images.yaml has none of that name for the environment, or is wrong.
    """
    known = images()[environment.name]
    if name not in known:
        raise DefinitionError(
            f"images.yaml: {environment.name} has no image {name}; give it a repository and a tag, or write the image "
            f"down in its chart (there are {', '.join(known) or 'none'})"
        )
    return known[name]


def unknown_digests(environment: Environment) -> list[str]:
    """The images of an environment whose digest is not known yet."""
    return [name for name, image in images()[environment.name].items() if image.digest == UNKNOWN_DIGEST]


@cache
def images() -> Images:
    """All of images.yaml.

    Raises:
        DefinitionError: it cannot be read or is wrong; each mistake is a line.
    """
    try:
        return parse(read())
    except OSError as error:
        raise DefinitionError(f"images.yaml cannot be read: {error.strerror}") from error


def read() -> str:
    """The text of images.yaml, with the ends of lines that it has.

    Raises:
        DefinitionError: it is no text.
    """
    try:
        return IMAGES_FILE.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise DefinitionError(f"images.yaml is no text in UTF-8: {error.reason} at byte {error.start}") from error


def parse(text: str, environments: Sequence[Environment] = ENVIRONMENTS) -> Images:
    """The images of a text like images.yaml, for these environments.

    Raises:
        DefinitionError: it is wrong; each mistake is a line.
    """
    node, loaded = parsed(text, "images.yaml")
    problems = [*repeated(node), *_problems(loaded, environments), *_no_text(node)]
    if problems:
        raise DefinitionError("\n".join(f"images.yaml: {problem}" for problem in problems))
    return {name: {app: Image(**fields) for app, fields in apps.items()} for name, apps in loaded.items()}


def _no_text(node: yaml.Node | None) -> Iterator[str]:
    """Tags that some reader takes for a number, by environment and app."""
    for environment, apps in _pairs(node):
        for app, fields in _pairs(apps):
            for field, value in _pairs(fields):
                if field == "tag" and not is_text(value):
                    tag = value.value or "nothing" if isinstance(value, yaml.ScalarNode) else "of more than one value"
                    yield f"{environment}: {app} has the tag {tag}, which YAML does not read as text: put it in quotes"


def _pairs(node: yaml.Node | None) -> list[tuple[str, yaml.Node]]:
    return [(key.value, value) for key, value in node.value] if isinstance(node, yaml.MappingNode) else []


def _problems(loaded: object, environments: Sequence[Environment]) -> Iterator[str]:
    known = {environment.name: environment for environment in environments}
    if not isinstance(loaded, dict):
        yield f"it has no environments: write one for each of {', '.join(known)}"
        return
    for name in loaded:
        if name not in known:
            yield f"there is no environment {name}; there are {', '.join(known)}"
    for name, environment in known.items():
        entries = loaded.get(name)
        if not isinstance(entries, dict):
            yield f"{name} has no images: write each below it, with a repository and a tag"
            continue
        for entry, fields in entries.items():
            if not (isinstance(entry, str) and NAME.fullmatch(entry)):
                yield f"{name}: {entry!r} is no name of an image: write lower case letters, digits and -"
            for problem in _image_problems(environment, fields):
                yield f"{name}: {entry} {problem}"


def _image_problems(environment: Environment, fields: object) -> Iterator[str]:
    if not isinstance(fields, dict):
        yield "has no fields: write its repository and its tag"
        return
    for name in fields:
        if name not in FIELDS:
            yield f"has {name}, which is no field; there are {', '.join(FIELDS)}"
    missing = [name for name in ("repository", "tag") if name not in fields]
    if missing:
        yield f"has no {' and no '.join(missing)}: an image is named by its repository and a tag"
        return
    repository, tag, digest = (fields.get(name) for name in FIELDS)
    if not (isinstance(repository, str) and REPOSITORY.fullmatch(repository)):
        yield f"has the repository {repository!r}: registry.example.com/team/app is one, without a tag"
    if not isinstance(tag, str):
        return
    if not TAG.fullmatch(tag):
        yield f"has the tag {tag!r}: a tag is of letters, digits, _, . and -, at most 128"
    elif environment.registry is not None and (tag == LATEST or (tag in MOVING and "digest" not in fields)):
        yield f"has the tag {tag}, which says nothing about what runs: name the release"
    if "digest" not in fields:
        if environment.digests:
            yield f"has no digest, and {environment.name} wants one: sha256: and 64 hexadecimal digits"
    elif not DIGEST.fullmatch(str(digest)):
        yield f"has the digest {digest!r}: a digest is sha256: and 64 hexadecimal digits"
