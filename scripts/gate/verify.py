"""The gate: other projects' tools judge what is committed."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import click

from scripts.gate import tools
from scripts.gate.judges import JUDGES
from scripts.gate.judges.judging import Judge, Remark
from synth import DefinitionError, ToolError


@click.command()
@click.option("--only", multiple=True, help="One judge by its name; may be given again. Without it all of them.")
@click.option("--built", is_flag=True, help="Build nothing, and leave out judges whose tools are not built yet.")
def verify(only: tuple[str, ...], *, built: bool) -> None:
    """Let an API server, kustomize, istioctl, kube-score, checkov and the others judge what is committed.

    Builds and installs them the first time, below .cache/ and in the user's cache, which needs Go and the network and
    takes up to a quarter of an hour. Exit code 1 when one of them has a finding, 3 when one cannot be had.

    Example: ./gw verify --only kustomize
    """
    if unknown := [name for name in only if name not in JUDGES]:
        raise click.BadParameter(f"{', '.join(unknown)}: there are {', '.join(JUDGES)}", param_hint="--only")
    judges = [judge for judge in JUDGES.values() if not only or judge.name in only]
    if built:
        left_out = [judge for judge in judges if not tools.all_there(list(judge.tools))]
        judges = [judge for judge in judges if judge not in left_out]
        for judge in left_out:
            click.echo(f"{judge.name:12}not built, `make verify` builds it: {judge.what} was not looked at")
    tools.prepare(sorted({name for judge in judges for name in judge.tools}))
    faults, broken = 0, []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for judge, (findings, seconds, failed) in zip(judges, pool.map(_timed, judges), strict=True):
            wrong = sum(not isinstance(finding, Remark) for finding in findings)
            verdict = "failed" if failed else f"{wrong} wrong" if wrong else "ok"
            broken += [f"{judge.name}: {failed}"] if failed else []
            click.echo(f"{judge.name:12}{seconds:5.1f} s  {verdict:10} {judge.what}")
            for finding in findings:
                click.echo(f"  {finding}")
            faults += wrong
    if broken:
        raise ToolError("\n".join(broken))
    if faults:
        raise DefinitionError(f"{faults} {'fault' if faults == 1 else 'faults'}; the lines above say where")


def _timed(judge: Judge) -> tuple[list[str], float, str]:
    """What a judge finds, in how many seconds, and why it could not, empty where it could."""
    start, failed = time.monotonic(), ""
    try:
        findings = list(judge.findings())
    except DefinitionError as error:
        findings = [str(error)]
    except (ToolError, OSError) as error:
        findings, failed = [], str(error)
    return findings, time.monotonic() - start, failed
