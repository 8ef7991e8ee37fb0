"""The applications in a cluster: deploy a build, follow the logs, open the page."""

import http.client
import ssl
import time
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import click

from facts.environments import LOCAL, Environment
from facts.layout import UNITS
from scripts import options
from scripts.cluster.deployed import complete_app, complete_page, deployed, lasting, page
from scripts.cluster.image import WIKI, build, checkout_option, import_
from scripts.cluster.local import urls
from scripts.programs import Programs
from synth import ROOT, DefinitionError, ToolError
from synth.overview.model import Workload

KEPT_BY_FLUX = "--field-manager=flux-client-side-apply"
"""What makes a field last that kubectl writes into an object that Flux applies.

At its next reconcile Flux takes away the fields of every manager whose name begins with `kubectl`, which all of
kubectl's own names do. The fields of this one it leaves: https://fluxcd.io/flux/faq/#why-are-kubectl-edits-rolled-back-by-flux
"""
ROLLOUT_LIMIT = "5m"
MOST_PODS = 50
"""How many pods' logs are followed at once; kubectl stops at 5 unless it is told."""
FROM_A_POD = "x-envoy-upstream-service-time"
ANSWER_LIMIT = 180.0
"""How long, in seconds, a page may take from its rollout to its first answer."""


@click.command()
@checkout_option
@click.option(
    "--manifests",
    is_flag=True,
    help="Apply deploy/ with kubectl first, for a change that is not pushed yet. Where Flux runs, suspend it before.",
)
@options.dry_run
def deploy(checkout: Path, manifests: bool, dry_run: bool) -> None:
    """Build the wiki's image, import it, restart the wiki on it and wait until it is there.

    Example: ./gw deploy --context ../graphwiki
    """
    programs = Programs(dry_run)
    build(programs, checkout)
    import_(programs)
    if manifests:
        apply_manifests(programs, LOCAL)
    restart(programs, LOCAL)
    if manifests:
        click.echo(
            "deploy/ is applied as it is here; where Flux runs and is not suspended, it puts back what Git has at its "
            "next reconcile: push the change, or run `./gw flux suspend` and then this again",
            err=True,
        )


@click.command()
@click.argument("app", shell_complete=complete_app)
@click.argument("workload", required=False)
@options.environment
@options.dry_run
def logs(app: str, workload: str | None, environment: Environment, dry_run: bool) -> None:
    """Follow the logs of an APP, by the name of its folder in deploy/apps: of all pods of one of its workloads.

    Without WORKLOAD it is the one that has the app's name, or else its first.

    Example: ./gw logs graphwiki
    """
    known = lasting(environment, app)
    chosen = [item for item in known if workload in (None, item.name)]
    if not chosen:
        names = ", ".join(item.name for item in known) or "none"
        raise DefinitionError(f"{app} has no workload {workload or 'that runs all the time'}; there are {names}")
    Programs(dry_run).run(
        *kubectl(environment, chosen[0].party.namespace),
        "logs",
        "--follow",
        _name(chosen[0]),
        "--all-pods",
        "--container",
        next(container.name for container in chosen[0].containers if not container.first),
        f"--max-log-requests={MOST_PODS}",
        hint=f"`./gw flux status --env {environment.name}` shows whether the app has arrived",
    )


@click.command("open")
@click.argument("name", metavar="[PAGE]", required=False, shell_complete=complete_page)
@options.dry_run
def open_(name: str | None, dry_run: bool) -> None:
    """Open a page of the local cluster in the browser, by its host without the domain; the wiki where none is named.

    Example: ./gw open rancher
    """
    host = page(name) if name else deployed(LOCAL).app(WIKI).addresses[0].host
    programs = Programs(dry_run)
    known = urls(programs)
    if not dry_run:
        address = address_of(known, host)
        click.echo(address)
        webbrowser.open(address)


def address_of(urls: Mapping[str, str], host: str) -> str:
    """The address of a host's page.

    Raises:
        ToolError: Terraform knows none, so there is no cluster.
    """
    try:
        return urls[host]
    except KeyError:
        raise ToolError(f"Terraform knows no address of {host}: `./gw cluster up` makes the cluster") from None


def kubectl(environment: Environment, namespace: str | None = None) -> list[str]:
    """The start of every kubectl command: never the context that happens to be selected."""
    return ["kubectl", "--context", environment.context, *(["--namespace", namespace] if namespace else [])]


def apply_manifests(programs: Programs, environment: Environment) -> None:
    """`kubectl apply -k` of all but Flux itself, in Flux's order.

    It writes as the manager `kubectl`, on purpose: where Flux runs, Git has the last word on these objects.
    """
    for folder in (unit for unit in UNITS[1:] if (ROOT / environment.path / unit).exists()):
        programs.run(
            *kubectl(environment),
            "apply",
            "--server-side",
            "--force-conflicts",
            "--kustomize",
            f"{environment.path}/{folder}",
            hint="`./gw cluster status` shows whether the cluster runs",
        )


def restart(programs: Programs, environment: Environment) -> None:
    """Restart the wiki, so that it takes the image that was imported under the same tag, and wait for it.

    The restart is an annotation of the pods. Flux must not take it away again: that would be a second restart, back to
    the pods of before, minutes after this one was done.
    """
    wiki = lasting(environment, WIKI)[0]
    programs.run(
        *kubectl(environment, wiki.party.namespace),
        "rollout",
        "restart",
        _name(wiki),
        KEPT_BY_FLUX,
        hint="`./gw deploy --manifests` puts the wiki into a cluster where Flux has not",
    )
    wait_for(programs, environment, wiki)


def wait_for(programs: Programs, environment: Environment, workload: Workload) -> None:
    """Wait until the rollout of a workload is complete, `ROLLOUT_LIMIT` at most."""
    start = kubectl(environment, workload.party.namespace)
    programs.run(
        *start,
        "rollout",
        "status",
        _name(workload),
        f"--timeout={ROLLOUT_LIMIT}",
        hint=f"`{' '.join(start)} describe pods` says what it waits for",
    )


def _name(workload: Workload) -> str:
    """A workload as kubectl takes it: `deployment/graphwiki`."""
    return f"{workload.kind.lower()}/{workload.name}"


def wait_for_page(address: str, limit: float = ANSWER_LIMIT) -> None:
    """Ask a page until its app answers GET, on this machine's loopback and with the page's own Host.

    An app may say that this is nothing for everybody (401), or that it has nothing at this place (404). The name need
    not resolve, and a certificate need not be trusted. `limit` is in seconds.

    Raises:
        ToolError: it does not answer so within the limit.
    """
    end, pause = time.monotonic() + limit, 0.05
    click.echo(f"waiting for {address} ", nl=False, err=True)
    while True:
        answered, said = _answer(urlsplit(address))
        if answered:
            click.echo(" answers", err=True)
            return
        if time.monotonic() >= end:
            click.echo(err=True)
            raise ToolError(
                f"{address} did not answer within {limit:.0f} seconds, the last it said was: {said}; "
                "docs/operations.md lists causes by symptom"
            )
        click.echo(".", nl=False, err=True)
        time.sleep(pause)
        pause = min(0.5, 2 * pause)


def _answer(url: SplitResult) -> tuple[bool, str]:
    """Whether the app behind a page answers, and what was said.

    The gateway's own 404, for a host that it does not know yet, is none: it has not the header that Envoy writes into
    what comes from a pod. https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter
    """
    connection = http.client.HTTPConnection("127.0.0.1", url.port, timeout=5)
    try:
        if url.scheme == "https":
            # The host name goes into the TLS greeting, by which the gateway chooses the way.
            context = ssl._create_unverified_context()  # noqa: S323, the certificate is the local cluster's own
            connection.connect()
            connection.sock = context.wrap_socket(connection.sock, server_hostname=url.hostname)
        connection.request("GET", "/", headers={"Host": url.netloc})
        response = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        return False, str(error) or type(error).__name__
    finally:
        connection.close()
    said = f"{response.status} {response.reason}"
    missing = response.status == http.HTTPStatus.NOT_FOUND and response.getheader(FROM_A_POD) is None
    return response.status < http.HTTPStatus.INTERNAL_SERVER_ERROR and not missing, said
