"""The local cluster: make it, destroy it, see it. Terraform does the work, see infra/local."""

import json
import os
from pathlib import Path

import click

from facts.environments import LOCAL
from scripts import options
from scripts.programs import ROOT, Programs, available
from synth import ToolError

INFRA = ROOT / "infra" / "local"
PORTS = {"http_port": 8080, "https_port": 8443}
"""The ports of this machine that lead to the gateway, as infra/local/variables.tf has them by default."""


@click.group()
def cluster() -> None:
    """Make, destroy and look at the local k3d cluster."""


@cluster.command()
@options.dry_run
@options.yes
def up(dry_run: bool, yes: bool) -> None:
    """Make the cluster with Istio and Rancher, or bring it to what infra/local says.

    Safe to run again: a second run changes nothing, a run after a failure continues.

    Example: ./gw cluster up
    """
    apply(Programs(dry_run), yes=yes)


@cluster.command()
@options.dry_run
@options.yes
def down(dry_run: bool, yes: bool) -> None:
    """Destroy the cluster and everything in it, the wiki's pages too.

    Example: ./gw cluster down --yes
    """
    if not (yes or dry_run):
        options.ask(f"Destroy the cluster {LOCAL.context} with all its data?")
    programs = Programs(dry_run)
    programs.run(*terraform(), "init", "-input=false")
    # What is in the cluster goes with it, whether the cluster still answers or not.
    state = json.loads(programs.output(*terraform(), "show", "-json") or "{}")
    resources = state.get("values", {}).get("root_module", {}).get("resources", [])
    known = [resource["address"] for resource in resources]
    if inside := [address for address in known if address.startswith(("helm_release.", "null_resource.platform"))]:
        programs.run(*terraform(), "state", "rm", *inside)
    programs.run(
        *terraform(),
        "destroy",
        "-refresh=false",
        "-auto-approve",
        environment=_environment(),
        hint=f"`k3d cluster delete {k3d_cluster()}` says why the cluster stays",
    )


@cluster.command()
@options.dry_run
def status(dry_run: bool) -> None:
    """Show the cluster, its nodes and workloads, and the addresses.

    Example: ./gw cluster status
    """
    programs = Programs(dry_run)
    programs.run("k3d", "cluster", "list", k3d_cluster(), hint="`./gw cluster up` makes the cluster")
    programs.run("kubectl", "--context", LOCAL.context, "get", "nodes")
    programs.run("kubectl", "--context", LOCAL.context, "get", "deployments", "--all-namespaces")
    for url in urls(programs).values():
        click.echo(url)


def apply(programs: Programs, *, yes: bool) -> None:
    """`terraform init` and `apply`; Terraform asks before it changes anything unless `yes`."""
    programs.run(*terraform(), "init", "-input=false", hint="is the network there? Terraform loads its providers once")
    programs.run(
        *terraform(),
        "apply",
        *(["-auto-approve"] if yes else []),
        environment=_environment(),
        hint="fix what it says, then run the same command again: it continues from here",
    )


def _environment() -> dict[str, str]:
    """Terraform's variables for what is known here already: the cluster's name, and the file that kubectl reads."""
    files = [file for file in os.environ.get("KUBECONFIG", "").split(os.pathsep) if file]
    kubeconfig = str(Path(files[0]).absolute()) if files else "~/.kube/config"
    return {**os.environ, "TF_VAR_cluster_name": k3d_cluster(), "TF_VAR_kubeconfig": kubeconfig}


def urls(programs: Programs) -> dict[str, str]:
    """The addresses by host, as Terraform knows them; none in a dry run."""
    answer = programs.output(*terraform(), "output", "-json", "urls")
    return json.loads(answer) if answer else {}


def terraform() -> list[str]:
    """The start of every Terraform command: OpenTofu where it is installed, otherwise Terraform."""
    cli = "terraform" if available("terraform") and not available("tofu") else "tofu"
    return [cli, f"-chdir={INFRA.relative_to(ROOT)}"]


def k3d_cluster() -> str:
    """The name of the k3d cluster behind the local context.

    Raises:
        ToolError: the context is no k3d cluster's.
    """
    prefix, _, name = LOCAL.context.partition("k3d-")
    if prefix or not name:
        raise ToolError(f"{LOCAL.context} is no context of a k3d cluster: facts/environments.py names it")
    return name
