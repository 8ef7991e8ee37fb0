"""The command line in a shell: `gw` from every folder, and what the Tab key adds to it."""

import shlex

import click
from click.shell_completion import get_completion_class

from synth import ROOT

NAME = "gw"
"""What the commands are called: the file in the project's folder that starts them."""
VARIABLE = "_GW_COMPLETE"
"""By which a shell asks for what could follow: https://click.palletsprojects.com/en/stable/shell-completion/"""
SHELLS = {
    "bash": 'PATH="$PATH":{folder}',
    "zsh": "path+=({folder})",
    "fish": "set --append PATH {folder}",
}


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Write what lets a SHELL find `gw` from every folder and complete commands, apps, environments and pages.

    The shell evaluates it: `eval "$(./gw completion bash)"`, in zsh the same after its `compinit`, and
    `./gw completion fish | source`. Bash must be 4.4 or newer.

    Example: ./gw completion bash
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.BadParameter(f"{shell} is no shell that click completes", param_hint="SHELL")
    click.echo(SHELLS[shell].format(folder=shlex.quote(str(ROOT))))
    click.echo(kind(context.find_root().command, {}, NAME, VARIABLE).source())
