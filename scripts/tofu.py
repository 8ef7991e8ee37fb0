"""OpenTofu and its providers from Go modules, for machines that have Go but cannot reach a provider registry."""

import platform
import shutil
from pathlib import Path

import click

from scripts.go import build, copied
from scripts.tools import CACHE
from synth.versions import pinned

# The newest releases of the providers that are published as Go modules; later ones are in the registries only. They
# know every argument that infra/local uses.
NULL_VERSION = "2.1.2"
NULL_MODULE = "github.com/terraform-providers/terraform-provider-null@v1.0.1-0.20190430203517-8d3d85a60e20"
HELM_VERSION = "1.3.2"
HELM_MODULE = f"github.com/hashicorp/terraform-provider-helm@v{HELM_VERSION}"
# A domain that is gone, and where its one module moved to.
HELM_REPLACE = {"vbom.ml/util": "github.com/fvbommel/util@v0.0.0-20160121211510-db5cfe13f5cc"}

RANDOM_VERSION = "3.6.0"
RANDOM_MODULE = "github.com/terraform-providers/terraform-provider-random@v1.3.2-0.20231204135814-c6e90de46687"

REGISTRIES = ("registry.opentofu.org", "registry.terraform.io")


def home() -> Path:
    """Where the build of the pinned version is: `tofu`, and `tofurc`, which names the providers' mirror beside it."""
    return CACHE / f"tofu-{pinned('opentofu')}"


@click.command()
def tofu() -> None:
    """Build OpenTofu and the providers of infra/local into .cache/, for the tests.

    Needs Go and the network, and about five minutes the first time.

    Example: python -m scripts tofu
    """
    cli, mirror = home() / "tofu", home() / "providers"
    if not cli.exists():
        source = copied(f"github.com/opentofu/opentofu@v{pinned('opentofu')}", CACHE / "source" / "opentofu")
        build(source, "./cmd/tofu", cli, ldflags="-s -w -X github.com/opentofu/opentofu/version.dev=no")
    _provider(mirror, "null", NULL_VERSION, NULL_MODULE, {})
    _provider(mirror, "helm", HELM_VERSION, HELM_MODULE, HELM_REPLACE)
    _provider(mirror, "random", RANDOM_VERSION, RANDOM_MODULE, {})
    configuration = f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n'
    (home() / "tofurc").write_text(configuration, "utf-8")
    shutil.rmtree(CACHE / "source", ignore_errors=True)
    click.echo(
        f"{cli}: OpenTofu {pinned('opentofu')}; providers: null {NULL_VERSION}, "
        f"helm {HELM_VERSION}, random {RANDOM_VERSION}"
    )


def _provider(mirror: Path, name: str, version: str, module: str, replace: dict[str, str]) -> None:
    """Build a provider and place it in the mirror, under either registry's name.

    The folders are those of https://opentofu.org/docs/cli/config/config-file/#filesystem_mirror
    """
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    system = f"{platform.system().lower()}_{machine}"
    places = [mirror / registry / "hashicorp" / name / version / system for registry in REGISTRIES]
    binary, link = (place / f"terraform-provider-{name}_v{version}" for place in places)
    if not binary.exists():
        source = copied(module, CACHE / "source" / f"terraform-provider-{name}")
        build(source, ".", binary, replace=replace)
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(binary)
