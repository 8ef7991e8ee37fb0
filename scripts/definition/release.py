"""Which image runs where: name a release for an environment, or carry over what runs in another one."""

import re

import click
import yaml

from facts.environments import Environment
from facts.images import IMAGES_FILE, UNKNOWN_DIGEST, Image, images, parse, read
from scripts import options
from scripts.programs import ROOT
from synth import DefinitionError
from synth.names import DIGEST, TAG
from synth.node import start
from synth.plain import quoted
from synth.publish import publish, summary, write_file
from synth.tree import Page

RELEASE = re.compile(rf"(?P<tag>{TAG.pattern})(@(?P<digest>{DIGEST.pattern}))?")

NOT_PLAIN = "images.yaml: {environment}: {app} is not written with a line for each field: do so"


@click.command()
@click.argument("app")
@click.argument("version", metavar="TAG[@DIGEST]")
@options.environment_named("--env", "environment")
@options.dry_run
def release(app: str, version: str, environment: Environment, dry_run: bool) -> None:
    """Let an environment run a release of an APP: sets its tag and digest in images.yaml, and compiles deploy/.

    Example: ./gw release graphwiki 1.4.0 --env staging
    """
    match = RELEASE.fullmatch(version)
    if match is None:
        raise click.BadParameter(
            f"{version!r} is no release: write a tag and, where it is known, @ and its digest, sha256: and 64 "
            "hexadecimal digits",
            param_hint="TAG[@DIGEST]",
        )
    if environment.digests and match["digest"] == UNKNOWN_DIGEST:
        raise DefinitionError(f"{environment.name} wants the digest of {app} {match['tag']}: zeros stand for none")
    now = _running(environment, app)
    _change(environment, app, Image(now.repository, match["tag"], match["digest"]), dry_run=dry_run)


def carry_over(app: str, source: Environment, target: Environment, *, dry_run: bool) -> None:
    """Let an environment run the image of an app that runs in another one: the same repository, tag and digest.

    Raises:
        DefinitionError: one of them has no such app, or the image is not one that the other can pull.
    """
    running = _running(source, app)
    _running(target, app)
    if source.registry != target.registry and not running.names_its_registry:
        raise DefinitionError(
            f"images.yaml: {source.name} takes {app} from another registry than {target.name} would: name the registry "
            f"in the repository {running.repository}"
        )
    if running.digest == UNKNOWN_DIGEST:
        raise DefinitionError(
            f"images.yaml: {source.name} runs {app} {running.tag} with a digest that is not known yet, so nothing can "
            f"pull it: `./gw release {app} {running.tag}@DIGEST --env {source.name}` first"
        )
    if target.digests and running.digest is None:
        raise DefinitionError(
            f"images.yaml: {source.name} runs {app} {running.tag} without a digest, and {target.name} wants one: "
            f"`./gw release {app} {running.tag}@DIGEST --env {source.name}` first"
        )
    _change(target, app, running, dry_run=dry_run)


def _running(environment: Environment, app: str) -> Image:
    known = images()[environment.name]
    if app not in known:
        raise DefinitionError(f"images.yaml: {environment.name} has no app {app}; there are {', '.join(known)}")
    return known[app]


def _change(environment: Environment, app: str, image: Image, *, dry_run: bool) -> None:
    """Write one entry of images.yaml, compile, and show what that changes; on any error everything is as it was."""
    before = read()
    after = with_image(before, environment.name, app, image)
    wanted = {name: dict(apps) for name, apps in images().items()}
    wanted[environment.name][app] = image
    if parse(after) != wanted:
        raise DefinitionError(NOT_PLAIN.format(environment=environment.name, app=app))
    if dry_run:
        click.echo(f"images.yaml: {environment.name} would run {image.reference(environment.registry)}")
        return
    start()
    from charts.compose import compile_platform

    write_file(IMAGES_FILE, after)
    try:
        images.cache_clear()
        tree = compile_platform()
        differences = publish(tree, ROOT)
    except BaseException:
        write_file(IMAGES_FILE, before)
        raise
    click.echo(f"images.yaml: {environment.name} runs {image.reference(environment.registry)}")
    for difference in differences:
        # The page about the environment follows from its objects, and the summary names it.
        if not isinstance(tree.files.get(difference.path), Page):
            click.echo(difference.diff())
    click.echo(summary(tree, differences), err=True)


def with_image(text: str, environment: str, app: str, image: Image) -> str:
    """The text of images.yaml with another image in one entry, every other character as it was.

    Raises:
        DefinitionError: the entry is not a block with a line for each field.
    """
    # The positions come from the pure Python reader, which counts characters.
    entry = _child(_child(yaml.compose(text, yaml.SafeLoader), environment), app)
    if not isinstance(entry, yaml.MappingNode) or entry.flow_style or not all(map(_is_a_line, entry.value)):
        raise DefinitionError(NOT_PLAIN.format(environment=environment, app=app))
    lines = text.splitlines(keepends=True)
    newline = "\r\n" if lines[0].endswith("\r\n") else "\n"
    indent = " " * entry.value[0][0].start_mark.column
    values = {"repository": image.repository, "tag": image.tag, "digest": image.digest}
    places = {key.value: value for key, value in entry.value}
    # From the last line to the first, so that the earlier ones keep their numbers.
    if values["digest"] and "digest" not in places:
        last = max(value.end_mark.line for value in places.values())
        if not lines[last].endswith(newline):
            lines[last] += newline
        lines.insert(last + 1, f"{indent}digest: {values['digest']}{newline}")
    for field, node in reversed(places.items()):
        line, start, end = node.start_mark.line, node.start_mark.column, node.end_mark.column
        if field == "digest" and not values["digest"]:
            del lines[line]
        elif field in values and node.value != values[field]:
            lines[line] = f"{lines[line][:start]}{_scalar(str(values[field]))}{lines[line][end:]}"
    return "".join(lines)


def _is_a_line(field: tuple[yaml.Node, yaml.Node]) -> bool:
    """Whether a key and its value are plain or quoted text on one line."""
    key, value = field
    plain = isinstance(value, yaml.ScalarNode) and value.style in (None, "'", '"')
    return plain and key.start_mark.line == value.start_mark.line == value.end_mark.line


def _child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for key, value in pairs if key.value == name), None)


def _scalar(text: str) -> str:
    """A value as every reader of YAML takes it for text: in quotes, but for what nobody takes for anything else."""
    return text if "/" in text or DIGEST.fullmatch(text) else quoted(text)
