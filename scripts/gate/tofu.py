"""OpenTofu and its providers from Go modules, for machines that have Go but cannot reach a provider registry."""

import shutil
from pathlib import Path

import click

from facts.versions import pinned
from scripts.gate.go import build, copied
from scripts.programs import CACHE

# The newest releases of the providers that are published as Go modules: null 2.1.2, helm 1.3.2, random 3.6.0. Later
# ones of the first two are in the registries only. They know every argument that infra/local uses. For helm, a domain
# that is gone has its one module elsewhere.
PROVIDERS: dict[str, tuple[str, dict[str, str]]] = {
    "null": ("github.com/terraform-providers/terraform-provider-null@v1.0.1-0.20190430203517-8d3d85a60e20", {}),
    "helm": (
        "github.com/hashicorp/terraform-provider-helm@v1.3.2",
        {"vbom.ml/util": "github.com/fvbommel/util@v0.0.0-20160121211510-db5cfe13f5cc"},
    ),
    "random": ("github.com/terraform-providers/terraform-provider-random@v1.3.2-0.20231204135814-c6e90de46687", {}),
}


def home() -> Path:
    """Where the build of the pinned version is: `tofu`, and `tofurc`, which names the providers beside it."""
    return CACHE / f"tofu-{pinned('opentofu')}"


@click.command()
def tofu() -> None:
    """Build OpenTofu and the providers of infra/local into .cache/, for the tests.

    Needs Go and the network, and about five minutes the first time.

    Example: ./gw tofu
    """
    make()
    click.echo(f"{home() / 'tofu'}: OpenTofu {pinned('opentofu')}, with the providers {', '.join(PROVIDERS)}")


def make() -> None:
    """Build what is not there yet.

    Raises:
        ToolError: Go is missing, or a build fails.
    """
    cli = home() / "tofu"
    if not cli.exists():
        source = copied(f"github.com/opentofu/opentofu@v{pinned('opentofu')}", CACHE / "source" / "opentofu")
        build(source, "./cmd/tofu", cli, ldflags="-s -w -X github.com/opentofu/opentofu/version.dev=no")
    folders = {name: _provider(name, module, replace) for name, (module, replace) in PROVIDERS.items()}
    # Overrides are taken whatever version is asked for, by OpenTofu and Terraform alike, and need no init:
    # https://opentofu.org/docs/cli/config/config-file/#development-overrides-for-provider-developers
    overrides = "".join(f'    "hashicorp/{name}" = "{folder}"\n' for name, folder in folders.items())
    configuration = f"provider_installation {{\n  dev_overrides {{\n{overrides}  }}\n}}\n"
    (home() / "tofurc").write_text(configuration, "utf-8")
    shutil.rmtree(CACHE / "source", ignore_errors=True)


def _provider(name: str, module: str, replace: dict[str, str]) -> Path:
    """Build a provider; the folder that it is alone in."""
    folder = home() / "providers" / name
    binary = folder / f"terraform-provider-{name}"
    if not binary.exists():
        build(copied(module, CACHE / "source" / binary.name), ".", binary, replace=replace)
    return folder
