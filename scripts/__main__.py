"""`./gw`: the commands.

Exit codes: 0 done, 1 the definition or the tree is wrong, 2 the command line is wrong, 3 a tool or cluster is
missing or failed, 130 stopped by the person.
"""

import sys

from synth import ROOT
from synth.unchanged import Look, right

LOOK = None
if __name__ == "__main__" and sys.argv[1:] == ["check"]:
    # Before anything is imported that this command may not need, and that may have changed since.
    LOOK = Look(ROOT)
    if LOOK.files is not None:
        print(right(LOOK.files))  # noqa: T201, click is not there yet
        sys.exit(0)

try:
    import click
except ModuleNotFoundError:
    print("click is not installed: run `make setup`, and use ./gw", file=sys.stderr)  # noqa: T201
    sys.exit(3)

from scripts import options
from scripts.cluster.apps import deploy, logs, open_
from scripts.cluster.doctor import doctor
from scripts.cluster.flux import flux
from scripts.cluster.image import image
from scripts.cluster.local import cluster
from scripts.cluster.secrets import secrets
from scripts.cluster.up import up
from scripts.completion import NAME, VARIABLE, completion
from scripts.definition.check import check
from scripts.definition.diff import diff
from scripts.definition.environments import environments
from scripts.definition.promotion import promote, rollback
from scripts.definition.release import release
from scripts.definition.review import review
from scripts.definition.watch import watch
from scripts.gate.bench import bench
from scripts.gate.proof import proof
from scripts.gate.refresh import refresh
from scripts.gate.tofu import tofu
from scripts.gate.verify import verify
from synth.explain import explained

INTERRUPTED = 130
"""The exit code of what a person stopped, by Ctrl-C or by answering no; shells have it for the former."""


@click.group()
def cli() -> None:
    """Run the platform: the local cluster, images, Flux; and work on it: check, measure, renew."""


COMMANDS = (
    *(doctor, up, cluster),
    *(image, release, promote, rollback, deploy),
    *(flux, secrets, logs, open_),
    *(watch, check, diff, review, environments, bench, refresh, tofu, verify, proof),
    completion,
)
for command in COMMANDS:
    cli.add_command(command)


def execute(arguments: list[str]) -> int:
    """Run one command line; the exit code. What went wrong is said on standard error."""
    try:
        cli.main(arguments, prog_name=NAME, complete_var=VARIABLE, standalone_mode=False, obj=LOOK)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        click.echo("interrupted: the same command can be run again", err=True)
        return INTERRUPTED
    except options.Declined:
        click.echo("nothing more was done", err=True)
        return INTERRUPTED
    except Exception as error:
        if (known := explained(error)) is None:
            raise
        click.echo(known, err=True)
        return known.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(execute(sys.argv[1:]))
