"""Compare deploy/ with what the charts give."""

import click

from scripts.programs import ROOT
from synth import DefinitionError
from synth.node import start
from synth.publish import State, compare, remember
from synth.unchanged import Look, right

ADVICE = {
    State.MISSING: "missing, run `make synth`",
    State.CHANGED: "not what the charts give, run `make synth`",
    State.EXTRA: "no longer made by any chart, run `make synth`",
    State.FOREIGN: "not generated, so Flux does not apply it: keep it outside deploy/",
}


@click.command()
@click.pass_obj
def check(look: Look | None) -> None:
    """Say how deploy/ differs from what the charts give; write nothing.

    Exit code 0 when nothing differs, 1 when something does.

    Example: ./gw check
    """
    start()
    from charts.compose import compile_platform

    tree = compile_platform()
    differences = compare(tree, ROOT)
    for difference in differences:
        external = tree.external.get(difference.path)
        if external:
            click.echo(f"{difference.path} {external.problem(difference.actual)}")
            continue
        click.echo(f"{difference.path}: {ADVICE[difference.state]}")
        if difference.state is not State.FOREIGN or difference.path in tree.files:
            click.echo(difference.diff())
    if differences:
        count = len(differences)
        raise DefinitionError(f"deploy/ differs from the charts in {count} {'file' if count == 1 else 'files'}")
    if look:
        remember(look, tree, ROOT, differences)
    click.echo(right(len(tree.files)))
