"""The wiki's container image: build it, bring it to where a cluster finds it."""

import re
from pathlib import Path

import click

from facts.environments import LOCAL
from facts.images import image as image_of
from scripts import options
from scripts.cluster.local import k3d_cluster
from scripts.programs import ROOT, Programs
from synth.names import TAG

WIKI = "graphwiki"
DOCKERFILE = ROOT / "containers" / "graphwiki" / "Dockerfile"
# A repository with a registry's host before it, and a tag: https://github.com/distribution/reference
REMOTE = re.compile(rf"[a-z0-9.-]+(?::[0-9]+)?(?:/[a-z0-9._-]+)+:(?P<tag>{TAG.pattern})")


def checkout_option(command: options.Command) -> options.Command:
    """`--context FOLDER`: the command's parameter `checkout`, a checkout of the application."""
    return click.option(
        "--context",
        "checkout",
        envvar="GRAPHWIKI_SRC",
        required=True,
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        callback=_checkout,
        help="A checkout of GraphWiki; GRAPHWIKI_SRC names it as well.",
    )(command)


def _checkout(context: click.Context, option: click.Parameter, folder: Path) -> Path | None:
    for needed in ("pyproject.toml", "graphwiki"):
        if not (folder / needed).exists():
            raise click.BadParameter(f"{folder} has no {needed}: name a checkout of the GraphWiki application")
    return options.from_root(context, option, folder)


@click.group()
def image() -> None:
    """Build GraphWiki's image, import it into k3d, push it to a registry."""


@image.command("build")
@checkout_option
@options.dry_run
def build_command(checkout: Path, dry_run: bool) -> None:
    """Build the image that the local cluster runs.

    Example: ./gw image build --context ../graphwiki
    """
    build(Programs(dry_run), checkout)


@image.command("import")
@options.dry_run
def import_command(dry_run: bool) -> None:
    """Import the built image into the k3d cluster, which cannot see Docker's own images.

    Example: ./gw image import
    """
    import_(Programs(dry_run))


@image.command()
@click.argument("target")
@options.dry_run
def push(target: str, dry_run: bool) -> None:
    """Push the built image to a registry as TARGET, a repository with a release's tag.

    Example: ./gw image push registry.example.com/graphwiki/graphwiki:1.4.0
    """
    match = REMOTE.fullmatch(target)
    if match is None or match["tag"] == "latest":
        raise click.BadParameter(
            f"{target!r} is no place for a release: write registry, repository and tag, "
            "as in registry.example.com/graphwiki/graphwiki:1.4.0",
            param_hint="TARGET",
        )
    programs = Programs(dry_run)
    programs.run("docker", "tag", reference(), target, hint="`./gw image build` makes the image")
    programs.run("docker", "push", target, hint=f"`docker login {target.partition('/')[0]}` lets you in")


def reference() -> str:
    """The wiki's image as the local cluster names it."""
    return image_of(LOCAL, WIKI).reference(LOCAL.registry)


def build(programs: Programs, checkout: Path) -> None:
    """Build the checkout, tagged as the local cluster wants it."""
    programs.run(
        "docker",
        "buildx",
        "build",
        # Into Docker's own images, whatever builder is selected, and as one image: k3d cannot import an index.
        "--load",
        "--provenance=false",
        "--file",
        DOCKERFILE.relative_to(ROOT),
        "--tag",
        reference(),
        checkout,
        hint="does Docker run (`docker info`), has it its buildx plugin (`docker buildx version`), and has it room "
        "(`docker system df`; `docker system prune` makes some)?",
    )


def import_(programs: Programs) -> None:
    """`k3d image import` into the local cluster."""
    programs.run(
        "k3d",
        "image",
        "import",
        reference(),
        "--cluster",
        k3d_cluster(),
        hint="`./gw cluster status` shows whether the cluster runs",
    )
