"""What differs between two environments."""

import click

from facts.environments import Environment
from facts.layout import root_of
from scripts import options
from synth.diff import Change, as_text, compare_objects, counts, hosts
from synth.node import start
from synth.report import as_markdown

COLOURS = {Change.ADDED: "green", Change.REMOVED: "red", Change.CHANGED: None, None: None}


@click.command()
@options.environment_argument("first")
@options.environment_argument("second")
@click.option("--markdown", is_flag=True, help="Write Markdown, for a pull request.")
def diff(first: Environment, second: Environment, markdown: bool) -> None:
    """Show what differs between two environments, object by object and field by field.

    Compares what the charts give now, not what is in deploy/. A + is only in the second environment, a - only in the
    first.

    Example: ./gw diff local production
    """
    start()
    from charts.compose import compile_platform

    tree = compile_platform()
    before, after = ([item for item in tree.objects() if root_of(item.path) == e.path] for e in (first, second))
    changes = compare_objects(before, after, (first.path, second.path))
    names = (first.name, second.name)
    rows = _side_by_side(hosts(before), hosts(after), names)
    found = counts(changes)
    summary = (
        f"objects that differ: {found[Change.CHANGED]}, only in {first.name}: {found[Change.REMOVED]}, "
        f"only in {second.name}: {found[Change.ADDED]}"
    )
    if markdown:
        click.echo(f"### {first.name} and {second.name}\n\n{summary}.\n")
        head, *body = (f"| {' | '.join(row)} |" for row in rows)
        click.echo("\n".join([head, "|---" * len(rows[0]) + "|", *body, *as_markdown({"": changes}, names)]))
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for line, change in as_text(changes):
        click.secho(line, fg=COLOURS[change])
    click.echo(f"\n{summary}")


def _side_by_side(
    first: dict[str, tuple[str, str]], second: dict[str, tuple[str, str]], names: tuple[str, str]
) -> list[list[str]]:
    """A row for every route: its namespace and hosts in both environments."""
    rows = [["route", *(f"{what} in {name}" for what in ("namespace", "host") for name in names)]]
    for name in dict.fromkeys((*first, *second)):
        sides = [side.get(name, ("", "")) for side in (first, second)]
        rows.append([name, *(side[0] for side in sides), *(side[1] for side in sides)])
    return rows
