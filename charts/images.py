"""Which image runs where, as images.yaml has it: data that machines change too."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from charts import APPS, app_name
from charts.environments import ENVIRONMENTS, Environment
from synth import DefinitionError
from synth.names import DIGEST, TAG

IMAGES_FILE = Path(__file__).parent.parent / "images.yaml"

UNKNOWN_DIGEST = f"sha256:{'0' * 64}"
"""What stands for a digest that is not known yet; no image has it."""

# https://github.com/distribution/reference
REPOSITORY = re.compile(r"([a-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
APP_NAMES = tuple(map(app_name, APPS))
FIELDS = ("repository", "tag", "digest")


@dataclass(frozen=True)
class Image:
    """One image: `repository` with or without a registry's host, `tag`, and `digest` as `sha256:...`."""

    repository: str
    tag: str
    digest: str | None = None

    @property
    def names_its_registry(self) -> bool:
        """Whether the repository begins with a registry's host: `docker.io/nginxinc/nginx-unprivileged`."""
        first, slash, _ = self.repository.partition("/")
        return bool(slash) and ("." in first or ":" in first or first == "localhost")

    def reference(self, registry: str | None) -> str:
        """How a pod names it: `registry.example.com/graphwiki/graphwiki:1.4.0@sha256:...`."""
        own = registry is None or self.names_its_registry
        place = self.repository if own else f"{registry}/{self.repository}"
        return f"{place}:{self.tag}" + (f"@{self.digest}" if self.digest else "")


Images = Mapping[str, Mapping[str, Image]]
"""Images by environment and app."""


def image(environment: Environment, app: str) -> str:
    """The image of an app, by the app's name in charts/__init__.py, as a pod names it.

    Raises:
        DefinitionError: images.yaml has none for it, or is wrong.
    """
    known = images()[environment.name]
    if app not in known:
        raise DefinitionError(f"images.yaml: {environment.name} has no image of {app}: give it a repository and a tag")
    return known[app].reference(environment.registry)


def unknown_digests(environment: Environment) -> list[str]:
    """The apps of an environment whose digest is not known yet."""
    return [app for app, image in images()[environment.name].items() if image.digest == UNKNOWN_DIGEST]


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


def parse(text: str) -> Images:
    """The images of a text like images.yaml.

    Raises:
        DefinitionError: it is wrong; each mistake is a line.
    """
    try:
        node = yaml.compose(text, yaml.CSafeLoader)
        loaded = yaml.load(text, yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DefinitionError(f"images.yaml is no YAML: {' '.join(str(error).split())}") from error
    problems = [*_repeated(node), *_problems(loaded)]
    if problems:
        raise DefinitionError("\n".join(f"images.yaml: {problem}" for problem in problems))
    return {name: {app: Image(**fields) for app, fields in apps.items()} for name, apps in loaded.items()}


def _repeated(node: yaml.Node | None) -> Iterator[str]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield f"{key.value} stands there twice, again in line {key.start_mark.line + 1}: keep one"
            seen.add(key.value)
            yield from _repeated(value)


def _problems(loaded: object) -> Iterator[str]:
    known = {environment.name: environment for environment in ENVIRONMENTS}
    if not isinstance(loaded, dict):
        yield f"it has no environments: write one for each of {', '.join(known)}"
        return
    for name in loaded:
        if name not in known:
            yield f"there is no environment {name}; there are {', '.join(known)}"
    for name, environment in known.items():
        apps = loaded.get(name)
        if not isinstance(apps, dict):
            yield f"{name} has no images: write its apps below it, each with a repository and a tag"
            continue
        for app, fields in apps.items():
            if app not in APP_NAMES:
                yield f"{name}: there is no app {app}; there are {', '.join(APP_NAMES)}"
            for problem in _image_problems(environment, fields):
                yield f"{name}: {app} {problem}"


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
        yield f"has the tag {tag!r}, which YAML does not read as text: put it in quotes"
    elif not TAG.fullmatch(tag):
        yield f"has the tag {tag!r}: a tag is of letters, digits, _, . and -, at most 128"
    elif tag == "latest" and environment.registry is not None:
        yield "has the tag latest, which says nothing about what runs: name the release"
    if "digest" not in fields:
        if environment.digests:
            yield f"has no digest, and {environment.name} wants one: sha256: and 64 hexadecimal digits"
    elif not DIGEST.fullmatch(str(digest)):
        yield f"has the digest {digest!r}: a digest is sha256: and 64 hexadecimal digits"
