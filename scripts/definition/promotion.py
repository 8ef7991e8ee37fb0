"""What a cluster that follows tags runs: the state of another cluster by `promote`, an earlier one by `rollback`."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import click

from facts.environments import Environment, Tags
from facts.layout import SYNC_NAME
from scripts import options
from scripts.cluster.apps import kubectl
from scripts.cluster.deployed import complete_app
from scripts.cluster.flux import REMOTE
from scripts.definition.release import carry_over
from scripts.definition.review import changed
from scripts.programs import Programs
from synth import ROOT, DefinitionError, ToolError
from synth.manifest import Document

REVISION = re.compile(r"[^@]+@sha1:(?P<commit>[0-9a-f]{40})")
"""What Flux calls a commit: https://fluxcd.io/flux/components/source/gitrepositories/#artifact."""
SHORT = 10
"""How much of a commit's name is shown."""


class Version(NamedTuple):
    """The numbers of a tag: which line of tags, which promotion on it, and which rollback from that."""

    line: int
    promotion: int
    rollback: int

    @property
    def tag(self) -> str:
        return f"v{self.line}.{self.promotion}.{self.rollback}"


would = click.option("--dry-run", "show", is_flag=True, help="Show what would change, and change nothing.")


@click.command()
@click.argument("app", required=False, shell_complete=complete_app)
@options.environment_named("--from", "source")
@options.environment_named("--to", "target")
@would
@options.yes
def promote(app: str | None, source: Environment, target: Environment, show: bool, yes: bool) -> None:
    """Let an environment run what another one runs: with an APP its image, without one the whole repository.

    The image of an APP is written into images.yaml, with its tag and digest, and deploy/ is compiled: to be committed.

    The whole is for an environment that follows tags: the commit that the other cluster has applied gets the next tag,
    once everything there has been well for `soak_hours` without a change.

    Example: ./gw promote --from staging --to production
    """
    if app:
        carry_over(app, source, target, dry_run=show)
        return
    tags = _tags(target, "name the APP whose image it is to run")
    commit, since = _applied(source)
    if (soaked := datetime.now(UTC) - since) < timedelta(hours=tags.soak_hours):
        raise DefinitionError(
            f"{source.name} has run {commit[:SHORT]} as it is for {_shown(soaked)}, and {target.name} wants "
            f"{tags.soak_hours} h: wait, or set soak_hours of {target.name} in facts/environments.py"
        )
    _fetch(target)
    branch = f"{REMOTE}/{target.git_branch}"
    if not _is_within(commit, branch):
        raise DefinitionError(
            f"{source.name} runs {commit[:SHORT]}, which is not on {branch}, the branch that {target.name} is promoted "
            "from: merge it there first"
        )
    past = _versions(tags)
    now = past[max(past)] if past else ""
    if now and _is_within(commit, now):
        raise DefinitionError(
            f"{target.name} has {commit[:SHORT]} already, by {max(past).tag}"
            if commit == now
            else f"{target.name} is further than {commit[:SHORT]} of {source.name}, by {max(past).tag}: `./gw rollback "
            f"--env {target.name}` goes back"
        )
    version = Version(tags.line, max(past).promotion + 1 if past else 0, 0)
    why = f"{target.name}: what {source.name} has run for {_shown(soaked)}"
    _tag(target, version, commit, now, why, show=show, yes=yes)


@click.command()
@options.environment_named("--env", "environment")
@would
@options.yes
def rollback(environment: Environment, show: bool, yes: bool) -> None:
    """Let an environment that follows tags run again what it ran before: the earlier commit gets the next tag.

    Once more, it goes back one promotion further. What the clusters hold, volumes and what is in them, stays as it is.

    Example: ./gw rollback --env production
    """
    tags = _tags(environment, f"`git revert` the commit on {environment.git_branch} and push it")
    _fetch(environment)
    past = _versions(tags)
    order = [past[version] for version in sorted(past)]
    # What was rolled back to has two tags: before its first one is what was before it.
    earlier = order[: order.index(order[-1])] if order else []
    if not earlier:
        raise DefinitionError(
            f"{environment.name} has run nothing before {max(past).tag if past else 'its first tag'}: `git revert` the "
            f"commit on {environment.git_branch}, and promote that"
        )
    last = max(past)
    version = Version(tags.line, last.promotion, last.rollback + 1)
    why = f"{environment.name}: back from {last.tag}"
    _tag(environment, version, earlier[-1], order[-1], why, show=show, yes=yes)


def _tags(environment: Environment, instead: str) -> Tags:
    if environment.tags is None:
        raise DefinitionError(
            f"{environment.name} follows every commit of {environment.git_branch}: {instead}, or give it tags in "
            "facts/environments.py"
        )
    return environment.tags


def _applied(environment: Environment) -> tuple[str, datetime]:
    """The commit that all of a cluster's Kustomizations have applied, and since when what they apply is the same.

    Raises:
        DefinitionError: one of them is not ready, is suspended, or has applied another commit.
        ToolError: the cluster does not answer.
    """
    asked = (*kubectl(environment, SYNC_NAME), "get", "kustomizations.kustomize.toolkit.fluxcd.io", "--output=json")
    found = json.loads(Programs().output(*asked, hint=f"is the context {environment.context} in your kubeconfig?"))
    if not found["items"]:
        raise DefinitionError(
            f"{environment.name} has no Kustomization: `./gw flux bootstrap --env {environment.name}`"
        )
    applied: dict[str, str] = {}
    for item in found["items"]:
        name, status = item["metadata"]["name"], item.get("status") or {}
        said: Document = next((it for it in status.get("conditions") or [] if it["type"] == "Ready"), {})
        if item["spec"].get("suspend"):
            raise DefinitionError(
                f"{environment.name}: Kustomization {name} is suspended, so nobody knows how its commit does: "
                f"`./gw flux resume --env {environment.name}` first"
            )
        if said.get("status") != "True":
            raise DefinitionError(
                f"{environment.name}: Kustomization {name} is not ready, and what is not well is not promoted: "
                f"{said.get('message') or 'Flux has said nothing yet'}"
            )
        if not status.get("history"):
            raise DefinitionError(
                f"{environment.name}: Kustomization {name} does not say since when it applies what it applies: Flux "
                f"there is older than 2.7, `./gw flux bootstrap --env {environment.name}` installs the pinned one"
            )
        match = REVISION.fullmatch(status.get("lastAppliedRevision", ""))
        applied[name] = match["commit"] if match else "no commit"
    if len(set(applied.values())) > 1:
        told = ", ".join(f"{name} {commit[:SHORT]}" for name, commit in applied.items())
        raise DefinitionError(f"{environment.name} is between two commits, {told}: wait until all are at one")
    return next(iter(applied.values())), max(_since(item["status"]) for item in found["items"])


def _since(status: Document) -> datetime:
    """Since when a Kustomization has applied what it applies now, and has been well.

    Its history has the latest first, an entry for each digest of what was built and each outcome:
    https://fluxcd.io/flux/components/kustomize/kustomizations/#history
    """
    now, *before = status["history"]
    moments = [now["firstReconciled"], *(entry["lastReconciled"] for entry in before[:1])]
    return max(map(datetime.fromisoformat, moments))


def _fetch(environment: Environment) -> None:
    branch = environment.git_branch
    Programs().run(
        *("git", "fetch", "--quiet", "--tags", REMOTE, f"+refs/heads/{branch}:refs/remotes/{REMOTE}/{branch}"),
        hint=f"is {REMOTE} the repository that {environment.name} reads, and does its host answer?",
    )


def _versions(tags: Tags) -> dict[Version, str]:
    """The commit of every tag of a line."""
    listed = Programs().output(
        "git", "for-each-ref", "--format=%(refname:short) %(objectname) %(*objectname)", "refs/tags"
    )
    found = {}
    for name, own, *meant in map(str.split, listed.splitlines()):
        if (match := re.fullmatch(rf"v{tags.line}\.(\d+)\.(\d+)", name)) is not None:
            found[Version(tags.line, int(match[1]), int(match[2]))] = meant[0] if meant else own
    return found


def _is_within(commit: str, other: str) -> bool:
    """Whether a commit is another one, or comes before it."""
    return Programs().answers("git", "-C", ROOT, "merge-base", "--is-ancestor", commit, other)


def _tag(environment: Environment, version: Version, commit: str, now: str, why: str, *, show: bool, yes: bool) -> None:
    """Show what a cluster would get, and let it have it."""
    if now:
        page, is_harmless = changed(now, commit, environment)
        click.echo(page)
        if not (is_harmless or yes or show):
            options.ask(f"Does {environment.name} get this all the same?")
    programs = Programs(show)
    programs.run("git", "tag", "--annotate", "--message", why, version.tag, commit)
    try:
        programs.run(
            *("git", "push", "--quiet", REMOTE, f"refs/tags/{version.tag}"),
            hint="has somebody else been quicker? The same command says what there is now",
        )
    except ToolError:
        Programs().run("git", "tag", "--delete", version.tag)
        raise
    if not show:
        click.echo(
            f"{environment.name} gets {commit[:SHORT]} as {version.tag}: `./gw flux status --env {environment.name}` "
            "says when it has it",
            err=True,
        )


def _shown(duration: timedelta) -> str:
    hours, minutes = divmod(int(duration.total_seconds()) // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
