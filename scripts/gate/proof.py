"""A real cluster of one's own: Flux reconciles the committed tree in it, and scenarios prove what is said of it."""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from facts.environments import Environment
from scripts import options
from scripts.gate.node import enclosure
from scripts.programs import CACHE, ROOT
from synth import DefinitionError, ToolError

SCENARIOS = ROOT / "tests" / "cluster"
LOGS = CACHE / "cluster"
"""What each part of the last cluster of an environment said, in a folder of its name."""

FIRST = "start"
"""The scenario that looks at a cluster which nobody has changed yet."""

FAILED = 1
"""The exit code of pytest that says so: https://docs.pytest.org/en/stable/reference/exit-codes.html"""


def scenarios() -> dict[str, Path]:
    """The file of each scenario by its name, in their order. None is called test_*: `make test` starts no cluster."""
    files = {file.stem: file for file in SCENARIOS.glob("*.py") if file.stem not in ("__init__", "conftest")}
    return {name: files[name] for name in sorted(files, key=lambda name: (name != FIRST, name))}


@click.command()
@click.argument("scenario", nargs=-1)
@options.environment
@click.option("--keep", is_flag=True, help="Leave the cluster up afterwards, until Ctrl-C, and say how to get into it.")
@click.option(
    "--if-possible", is_flag=True, help="Where no cluster can be started now, or it would have to be built, say why."
)
def proof(scenario: tuple[str, ...], environment: Environment, *, keep: bool, if_possible: bool) -> None:
    """Bring up a real cluster on this machine, let Flux apply what is committed, and try SCENARIO in it, or all.

    Without Docker and without a network, in namespaces of its own; as root, on Linux. Builds Kubernetes, Flux and Istio
    from their source the first time. Exit code 1 when something is not as it is said to be, 3 when the cluster does not
    come up.

    Example: ./gw proof delivery --env staging
    """
    known = scenarios()
    if unknown := [name for name in scenario if name not in known]:
        raise click.BadParameter(f"{', '.join(unknown)}: there are {', '.join(known)}", param_hint="SCENARIO")
    files = [known[name] for name in known if name in (scenario or known)]
    try:
        enclosure.refuse_elsewhere()
        _prove(files, environment, keep=keep, build=not if_possible)
    except enclosure.NotHere as error:
        if not if_possible:
            raise
        click.echo(f"no cluster was started: {error}", err=True)


def _prove(files: Sequence[Path], environment: Environment, *, keep: bool, build: bool) -> None:
    # Here, where the network is.
    from scripts.gate.node import cluster

    if build:
        cluster.make(environment)
    elif missing := cluster.missing(environment):
        raise enclosure.NotHere(f"{', '.join(missing)} would have to be built: `make cluster-test` does that")
    logs = (LOGS / environment.name).resolve()
    with enclosure.entered():
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir(parents=True)
        code = enclosure.run(
            [
                *("env", "PYTHONDONTWRITEBYTECODE=1", sys.executable, "-m", "pytest", *map(str, files)),
                *("--capture=no", "--no-header", "--exitfirst", "-p", "no:xdist", "-p", "no:cacheprovider", "-v"),
                *(f"--rootdir={ROOT}", f"--env={environment.name}", f"--logs={logs}", *(["--keep"] if keep else [])),
            ]
        )
    if code == FAILED:
        raise DefinitionError(
            f"not all is as it is said to be; what each part of the cluster said is in {os.path.relpath(logs)}"
        )
    if code != 0:
        raise ToolError(f"the cluster did not come up; what each part of it said is in {os.path.relpath(logs)}")
