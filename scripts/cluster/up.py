"""From nothing to both pages answering."""

from pathlib import Path

import click

from facts.environments import LOCAL
from scripts import options
from scripts.cluster import local
from scripts.cluster.apps import address_of, apply_manifests, restart, wait_for, wait_for_page
from scripts.cluster.deployed import deployed, hosts, lasting
from scripts.cluster.image import WIKI, build, checkout_option, import_
from scripts.programs import Programs, need

STEPS = 5


@click.command()
@checkout_option
@options.dry_run
@options.yes
def up(checkout: Path, dry_run: bool, yes: bool) -> None:
    """Make the cluster, build the wiki, deploy everything, and see the pages answer.

    Safe to run again: what is there stays, a run after a failure continues. Flux is not part of it, because it
    follows a repository of yours: `./gw flux bootstrap` is the step after. Once it runs, it puts back what
    Git has: docs/operations.md says what lasts.

    Example: ./gw up --context ../graphwiki
    """
    programs = Programs(dry_run)
    if not dry_run:
        need(local.terraform()[0], "docker", "k3d", "kubectl")
    _step(1, "the cluster, with Istio and Rancher (10 minutes the first time)")
    local.apply(programs, yes=yes)
    _step(2, "the wiki's image")
    build(programs, checkout)
    import_(programs)
    _step(3, "the manifests of deploy/")
    apply_manifests(programs, LOCAL)
    _step(4, "the pods")
    restart(programs, LOCAL)
    waited = {workload.party for workload in lasting(LOCAL, WIKI)[:1]}
    for app in deployed(LOCAL).apps:
        for workload in lasting(LOCAL, app.name):
            if workload.party not in waited:
                wait_for(programs, LOCAL, workload)
    _step(5, "the pages")
    urls = local.urls(programs)
    for host in () if dry_run else hosts(LOCAL):
        wait_for_page(address_of(urls, host))
    for url in urls.values():
        click.echo(url)


def _step(number: int, what: str) -> None:
    click.echo(f"[{number}/{STEPS}] {what}", err=True)
