"""The options that commands share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from facts.environments import ENVIRONMENTS, LOCAL, Environment
from synth import ROOT

NAMES = click.Choice([item.name for item in ENVIRONMENTS])

Command = TypeVar("Command", bound=Callable[..., Any])


def dry_run(command: Command) -> Command:
    """`--dry-run`: the command's parameter `dry_run`."""
    return click.option("--dry-run", is_flag=True, help="Print the commands and run none of them.")(command)


def yes(command: Command) -> Command:
    """`--yes`: the command's parameter `yes`."""
    return click.option("--yes", is_flag=True, help="Do not ask before something is destroyed or replaced.")(command)


def environment(command: Command) -> Command:
    """`--env NAME`: the command's parameter `environment`, an Environment."""
    return click.option(
        "--env",
        "environment",
        type=NAMES,
        default=LOCAL.name,
        show_default=True,
        callback=_environment,
        help="The cluster to work on.",
    )(command)


def environment_named(option: str, parameter: str) -> Callable[[Command], Command]:
    """An option that must name an environment, for commands that concern no cluster by default."""
    return click.option(
        option,
        parameter,
        type=NAMES,
        required=True,
        callback=_environment,
        help="The environment, as facts/environments.py has it.",
    )


def environment_argument(parameter: str) -> Callable[[Command], Command]:
    """The name of an environment as an argument."""
    return click.argument(parameter, type=NAMES, callback=_environment, metavar=parameter.upper())


def from_root(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
    """A path that a person gave, as it is from the project's folder, in which every program runs."""
    return path if path is None or path.is_absolute() else Path(os.path.relpath(path, ROOT))


class Declined(Exception):  # noqa: N818, an answer and no error
    """A person answered no: nothing more is done."""


def ask(question: str) -> None:
    """Ask a person who may say no.

    Raises:
        Declined: the answer is no.
    """
    if not click.confirm(question):
        raise Declined


def _environment(_context: click.Context, _parameter: click.Parameter, name: str) -> Environment:
    return next(item for item in ENVIRONMENTS if item.name == name)
