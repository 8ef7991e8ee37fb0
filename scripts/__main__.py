"""`python -m scripts`: the commands, and the exit codes 0 done, 1 wrong definition, 2 wrong command line, 3 tool."""

import sys

try:
    import click
except ModuleNotFoundError:
    print("click is not installed: run `make setup`, and use .venv/bin/python -m scripts", file=sys.stderr)  # noqa: T201
    sys.exit(3)

from scripts.bench import bench
from scripts.check import check
from scripts.refresh import refresh
from scripts.tofu import tofu
from synth.runtime import explained


@click.group()
def cli() -> None:
    """Work on the platform: see what a compile would change, and renew what comes from outside."""


for command in (check, bench, refresh, tofu):
    cli.add_command(command)


def main() -> None:
    try:
        cli.main(prog_name="python -m scripts", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except Exception as error:
        if (known := explained(error)) is None:
            raise
        click.echo(known, err=True)
        sys.exit(known.exit_code)


if __name__ == "__main__":
    main()
