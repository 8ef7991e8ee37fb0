"""The environments side by side, as docs/environments.md shows them."""

from collections.abc import Callable

import click

from charts.environments import ENVIRONMENTS, Environment, Storage
from scripts.tools import ROOT
from synth import DefinitionError
from synth.manifest import load
from synth.publish import write_file

DOCUMENT = ROOT / "docs" / "environments.md"
BEGIN, END = "<!-- begin: python -m scripts environments -->", "<!-- end -->"


def _hosts(environment: Environment) -> str:
    routes = sorted((ROOT / environment.path).glob("*/*/virtualservice.yaml"))
    return ", ".join(host for route in routes for host in load(route.read_text("utf-8"))[0]["spec"]["hosts"])


def _images(environment: Environment) -> str:
    if environment.registry is None:
        return "imported into the nodes"
    by = "by tag and digest" if environment.digests else "by tag"
    return f"{by}, from {environment.registry} where images.yaml names no other registry"


def _storage(storage: Storage) -> str:
    return f"{storage.storage_class or 'the default class'}, {storage.size}, {storage.access_mode}"


ROWS: dict[str, Callable[[Environment], str]] = {
    "tree": lambda e: f"`{e.path}`",
    "kubeconfig context": lambda e: f"`{e.context}`",
    "follows": lambda e: f"`{e.git_branch}` of {e.git_url}",
    "hosts": _hosts,
    "TLS": lambda e: e.tls.server if e.tls else "none, Rancher's own passed through",
    "images": _images,
    "volume of the wiki": lambda e: _storage(e.wiki_storage),
    "pods of the wiki": lambda e: str(e.wiki_replicas),
    "pods of the test app": lambda e: str(e.test_app_replicas),
    "route to Rancher": lambda e: "yes" if e.rancher else "no",
    "Prometheus": lambda e: "may scrape" if e.prometheus else "none",
    "DNS beside CoreDNS": lambda e: ", ".join(e.dns_addresses) or "none",
    "HTTP proxies before the gateway": lambda e: ", ".join(e.http_proxies) or "none",
    "traces": lambda e: f"{e.trace_sampling:g} % of the requests",
}


def table() -> str:
    """The environments' facts as a Markdown table, a row for each fact."""
    names = [environment.name for environment in ENVIRONMENTS]
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines += [f"| {fact} | {' | '.join(map(of, ENVIRONMENTS))} |" for fact, of in ROWS.items()]
    return "\n".join(lines) + "\n"


def with_table(text: str) -> str:
    """The text of docs/environments.md with the table of today between its two marks.

    Raises:
        DefinitionError: a mark is missing.
    """
    before, begin, rest = text.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise DefinitionError(f"docs/environments.md: lines {BEGIN} and {END} mark the table's place: put them back")
    return f"{before}{begin}\n{table()}\n{end}{after}"


@click.command()
@click.option("--write", is_flag=True, help="Put the table into docs/environments.md.")
def environments(write: bool) -> None:
    """Show what differs between the environments, as a Markdown table.

    Example: python -m scripts environments --write
    """
    if write:
        write_file(DOCUMENT, with_table(DOCUMENT.read_text("utf-8")))
    click.echo(table(), nl=False)
