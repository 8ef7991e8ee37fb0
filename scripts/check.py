"""Compare deploy/ with what the charts give."""

import click

from scripts.tools import ROOT
from synth import DefinitionError
from synth.publish import State, compare
from synth.runtime import use_pinned_node

WHAT_TO_DO = {
    State.MISSING: "missing",
    State.CHANGED: "not what the charts give",
    State.EXTRA: "no longer made by any chart",
    State.FOREIGN: "not generated: Flux would not apply it, keep it outside deploy/",
}


@click.command()
def check() -> None:
    """Say how deploy/ differs from what the charts give; write nothing.

    Exit code 0 when nothing differs, 1 when something does.

    Example: python -m scripts check
    """
    use_pinned_node()
    from charts.platform import compile_platform

    tree = compile_platform()
    differences = compare(tree, ROOT)
    for difference in differences:
        click.echo(f"{difference.path}: {WHAT_TO_DO[difference.state]}")
        if difference.path in tree.external:
            click.echo("  run `python -m scripts refresh flux`")
        elif difference.state is not State.FOREIGN or difference.path in tree.files:
            click.echo(difference.diff())
    if differences:
        raise DefinitionError(
            f"deploy/ differs from the charts in {len(differences)} files: run `make synth` and commit what it writes"
        )
    click.echo(f"deploy/ is what the charts give: {len(tree.files)} files")
