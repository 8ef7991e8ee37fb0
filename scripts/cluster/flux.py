"""Flux in a cluster: install it, let it follow this repository, ask it to look now."""

import base64
import json
from pathlib import Path

import click

from facts.environments import Environment
from facts.layout import FLUX_FOLDER, SYNC_FILE, SYNC_NAME
from scripts import options
from scripts.cluster.apps import kubectl
from scripts.cluster.deployed import complete_app, controllers, deployed, kustomizations
from scripts.cluster.doctor import unset_values
from scripts.cluster.secrets import need_key
from scripts.programs import Programs
from synth import ROOT, DefinitionError

NAMESPACE = "flux-system"
RESUME_TIMEOUT = "15m"
"""How long the Kustomizations, one after the other, may take to be applied once they are resumed."""
SECRET = "flux-system"  # noqa: S105, the name of the Secret, as gotk-sync.yaml has it
TIMEOUT = "5m"
REMOTE = "origin"
"""What a clone calls the repository that the clusters read."""


@click.group()
def flux() -> None:
    """Install Flux, reconcile, and see what it does."""


@flux.command()
@options.environment
@click.option(
    "--private-key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=options.from_root,
    help="An SSH key that may read the repository. Without it a new one is made, for you to add as a deploy key.",
)
@options.dry_run
@options.yes
def bootstrap(environment: Environment, private_key_file: Path | None, dry_run: bool, yes: bool) -> None:
    """Install Flux's controllers, give them access to Git, and let them follow the branch, or the tags.

    Safe to run again. The Git address and what is followed are those in facts/environments.py.

    Example: ./gw flux bootstrap --private-key-file ~/.ssh/deploy_key
    """
    unset = [] if dry_run else unset_values(environment)
    if unset:
        raise DefinitionError(
            f"{environment.name} is not ready to be rolled out:\n"
            + "\n".join(f"{finding.subject} is {finding.state}: {finding.advice}" for finding in unset)
        )
    programs = Programs(dry_run)
    need_key(programs, environment)
    _need_tag(programs, environment)
    install = {"apiVersion": "v1", "kind": "List", "items": controllers(ROOT / environment.path)}
    _apply(programs, environment, "-", json.dumps(install))
    crds = [f"crd/{name}" for name in ("gitrepositories.source", "kustomizations.kustomize")]
    programs.run(
        *kubectl(environment),
        "wait",
        "--for=condition=Established",
        *(f"{crd}.toolkit.fluxcd.io" for crd in crds),
        f"--timeout={TIMEOUT}",
    )
    in_namespace = kubectl(environment, NAMESPACE)
    programs.run(
        *in_namespace,
        "wait",
        "--for=condition=Available",
        "deployment",
        "--all",
        f"--timeout={TIMEOUT}",
        hint=f"`{' '.join(in_namespace)} describe pods` says what they wait for",
    )
    _give_access(programs, environment, private_key_file, yes=yes)
    _apply(programs, environment, f"{environment.path}/{FLUX_FOLDER}/{SYNC_FILE}")
    _reconcile(programs, environment, SYNC_NAME, "--with-source")


def _need_tag(programs: Programs, environment: Environment) -> None:
    """Have a tag that an environment can follow, if it follows tags.

    Raises:
        DefinitionError: there is none yet.
    """
    if environment.tags is None:
        return
    pattern = f"refs/tags/v{environment.tags.line}.*"
    if not programs.output("git", "ls-remote", "--tags", REMOTE, pattern).strip() and not programs.dry_run:
        raise DefinitionError(
            f"{environment.name} follows the tags v{environment.tags.line}.*, and {REMOTE} has none: "
            f"`./gw promote --from ENVIRONMENT --to {environment.name}` gives one to what runs in another environment"
        )


def _apply(programs: Programs, environment: Environment, file: str, given: str | None = None) -> None:
    """Apply a file of Flux's, `-` for what is `given`, also where Flux itself has written the same fields since.

    It writes as the manager `kubectl`, whose fields Flux takes over: it applies the same from its folder.
    """
    programs.run(
        *kubectl(environment),
        "apply",
        "--server-side",
        "--force-conflicts",
        "--filename",
        file,
        given=given,
        hint=f"does `{' '.join(kubectl(environment))} get nodes` answer?",
    )


def _give_access(programs: Programs, environment: Environment, private_key_file: Path | None, *, yes: bool) -> None:
    secret = [*kubectl(environment, NAMESPACE), "get", "secret", SECRET]
    if private_key_file is None and programs.answers(*secret):
        public = programs.output(*secret, "--output", "jsonpath={.data.identity\\.pub}")
        click.echo(f"the key is there already: {base64.b64decode(public).decode().strip()}", err=True)
    else:
        key: list[str | Path] = ["--private-key-file", private_key_file] if private_key_file else []
        programs.run(
            "flux",
            "create",
            "secret",
            "git",
            SECRET,
            "--context",
            environment.context,
            "--namespace",
            NAMESPACE,
            "--url",
            environment.git_url,
            *key,
            hint="is git_url in facts/environments.py an address of your repository, and does its host answer?",
        )
    if not (private_key_file or yes or programs.dry_run):
        options.ask("Is the key above a deploy key of the repository?")


app_argument = click.argument("app", required=False, shell_complete=complete_app)


@flux.command()
@app_argument
@options.environment
@options.dry_run
def reconcile(app: str | None, environment: Environment, dry_run: bool) -> None:
    """Let Flux fetch the branch, or the tags, and apply it now instead of at the next interval: an APP of it, or all.

    Example: ./gw flux reconcile graphwiki --env staging
    """
    programs = Programs(dry_run)
    first, *others = [_of_app(environment, app)] if app else kustomizations(environment)
    _reconcile(programs, environment, first, "--with-source")
    for name in others:
        _reconcile(programs, environment, name)


def _of_app(environment: Environment, app: str) -> str:
    """The Kustomization of an app, which has its name.

    Raises:
        DefinitionError: there is no such app.
    """
    return deployed(environment).app(app).name


def _reconcile(programs: Programs, environment: Environment, kustomization: str, *more: str) -> None:
    programs.run(
        "flux",
        "reconcile",
        "kustomization",
        kustomization,
        *more,
        "--context",
        environment.context,
        hint=f"`./gw flux status --env {environment.name}` says what each Kustomization waits for; a "
        f"suspended one wants `./gw flux resume --env {environment.name}`",
    )


@flux.command()
@app_argument
@options.environment
@options.dry_run
def suspend(app: str | None, environment: Environment, dry_run: bool) -> None:
    """Let Flux apply nothing more, so that work by hand stays as it is until `flux resume`: of an APP, or at all.

    New commits wait as well. What the platform says of the app, its routes, policies and quota, is applied as before.

    Example: ./gw flux suspend graphwiki --env staging
    """
    programs = Programs(dry_run)
    if app:
        # `flux suspend` of a name that it does not find only says so and ends with 0.
        programs.run(
            *kubectl(environment, NAMESPACE),
            "get",
            f"kustomization/{_of_app(environment, app)}",
            hint=f"`./gw flux status --env {environment.name}` shows what Flux has",
        )
    programs.run(
        "flux",
        "suspend",
        "kustomization",
        app or "--all",
        "--context",
        environment.context,
        hint=f"`./gw flux bootstrap --env {environment.name}` installs Flux where it is not",
    )


@flux.command()
@app_argument
@options.environment
@options.dry_run
def resume(app: str | None, environment: Environment, dry_run: bool) -> None:
    """Let Flux apply what Git has again, and wait until it has: what was done by hand is put back. One APP, or all.

    Example: ./gw flux resume graphwiki --env staging
    """
    Programs(dry_run).run(
        "flux",
        "resume",
        "kustomization",
        _of_app(environment, app) if app else "--all",
        "--wait",
        "--context",
        environment.context,
        f"--timeout={RESUME_TIMEOUT}",
        hint=f"`./gw flux status --env {environment.name}` says what each Kustomization waits for",
    )


@flux.command()
@options.environment
@options.dry_run
def status(environment: Environment, dry_run: bool) -> None:
    """Show the state of the source and of every Kustomization, and whether it is suspended.

    Example: ./gw flux status
    """
    programs = Programs(dry_run)
    programs.run("flux", "get", "sources", "git", "--context", environment.context)
    programs.run("flux", "get", "kustomizations", "--context", environment.context)
