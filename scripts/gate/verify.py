"""The gate: other projects' tools judge what is committed."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import click

from scripts.gate import tools
from scripts.gate.judges import JUDGES
from scripts.gate.judges.judging import Judge
from synth import DefinitionError, ToolError


@click.command()
@click.option("--only", multiple=True, help="One judge by its name; may be given again. Without it all of them.")
def verify(only: tuple[str, ...]) -> None:
    """Let kustomize, kubeconform, istioctl, kube-score, checkov and the others judge what is committed.

    Builds and installs them below .cache/ the first time, which needs Go and the network and takes some minutes.
    Exit code 1 when one of them has a finding, 3 when one cannot be had.

    Example: ./gw verify --only kustomize
    """
    if unknown := [name for name in only if name not in JUDGES]:
        raise click.BadParameter(f"{', '.join(unknown)}: there are {', '.join(JUDGES)}", param_hint="--only")
    judges = [judge for judge in JUDGES.values() if not only or judge.name in only]
    tools.prepare(sorted({name for judge in judges for name in judge.tools}))
    faults, broken = 0, []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for judge, (findings, seconds, failed) in zip(judges, pool.map(_timed, judges), strict=True):
            verdict = "failed" if failed else f"{len(findings)} wrong" if findings else "ok"
            broken += [f"{judge.name}: {failed}"] if failed else []
            click.echo(f"{judge.name:12}{seconds:5.1f} s  {verdict:10} {judge.what}")
            for finding in findings:
                click.echo(f"  {finding}")
            faults += len(findings)
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
