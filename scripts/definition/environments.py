"""The environments for those who do not read Python: docs/environments.md, and infra/environments/ for Helm."""

from collections.abc import Callable
from pathlib import Path

import click

from facts.environments import ENVIRONMENTS, Environment
from scripts.cluster.deployed import hosts
from scripts.programs import ROOT
from synth import DefinitionError
from synth.manifest import dump
from synth.publish import write_file

DOCUMENT = ROOT / "docs" / "environments.md"
HELM_VALUES = ROOT / "infra" / "environments"
HEADER = "# Generated from facts/environments.py by `./gw environments --write`. Change that, not this file.\n"
BEGIN, END = "<!-- begin: ./gw environments -->", "<!-- end -->"


def _hosts(environment: Environment) -> str:
    return ", ".join(hosts(environment))


def _images(environment: Environment) -> str:
    if environment.registry is None:
        return "imported into the nodes"
    by = "by tag and digest" if environment.digests else "by tag"
    return f"{by}, from {environment.registry} where images.yaml names no other registry"


def _followed(environment: Environment) -> str:
    if environment.tags is None:
        return f"`{environment.git_branch}`"
    soak = f"after {environment.tags.soak_hours} h elsewhere"
    return f"tags `v{environment.tags.line}.*`, {soak}, on `{environment.git_branch}`"


ROWS: dict[str, Callable[[Environment], str]] = {
    "tree": lambda e: f"`{e.path}`",
    "kubeconfig context": lambda e: f"`{e.context}`",
    "follows": lambda e: f"{_followed(e)} of {e.git_url}",
    "hosts": _hosts,
    "TLS": lambda e: e.tls.server if e.tls else "none, Rancher's own passed through",
    "images": _images,
    "tier": lambda e: e.tier.name.lower(),
    "Kubernetes": lambda e: ", soon ".join(e.minors),
    "storage class": lambda e: e.storage_class or "the default class",
    "shared storage class": lambda e: e.shared_storage_class or "none",
    "ports of the gateway for plain TCP": lambda e: ", ".join(map(str, e.gateway_ports)) or "none",
    "Istio's images": lambda e: f"from {e.istio_hub}",
    "labels of some of its nodes": lambda e: ", ".join(e.node_labels) or "none",
    "Secrets in Git": lambda e: f"encrypted for {len(e.age_recipients)} keys" if e.age_recipients else "none",
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


def helm_values(environment: Environment) -> str:
    """What an environment says to Istio's charts, as a file of Helm values; Terraform reads that of local."""
    return HEADER + dump([{"global": {"hub": environment.istio_hub}}])


def differing() -> list[Path]:
    """The files of infra/environments/ that are not as the environments say, those of no environment among them."""
    wanted = {HELM_VALUES / f"{environment.name}.yaml": helm_values(environment) for environment in ENVIRONMENTS}
    found = {file: file.read_text("utf-8") for file in HELM_VALUES.glob("*")}
    return sorted(file for file in wanted.keys() | found.keys() if wanted.get(file) != found.get(file))


def _write_helm_values() -> None:
    """Make infra/environments/ what the environments say; a file of none of them goes, if it is a generated one."""
    HELM_VALUES.mkdir(exist_ok=True)
    known = {f"{environment.name}.yaml": environment for environment in ENVIRONMENTS}
    for file in differing():
        if environment := known.get(file.name):
            write_file(file, helm_values(environment))
        elif file.read_text("utf-8").startswith(HEADER):
            file.unlink()


@click.command()
@click.option("--write", is_flag=True, help="Put the table into docs/environments.md, renew infra/environments/.")
def environments(write: bool) -> None:
    """Show what differs between the environments, as a Markdown table.

    Example: ./gw environments --write
    """
    if write:
        write_file(DOCUMENT, with_table(DOCUMENT.read_text("utf-8")))
        _write_helm_values()
    click.echo(table(), nl=False)
