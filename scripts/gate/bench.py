"""Measure what a compile costs: against the bare floor of cdk8s itself, and for each object."""

import json
import os
import subprocess
import sys
import tempfile
import time
from statistics import median

import click

from scripts.programs import ROOT
from synth import ToolError
from synth.node import use_pinned_node

FLOOR = """
import sys, cdk8s, cdk8s_plus_27
app = cdk8s.App(outdir=sys.argv[1])
cdk8s.Chart(app, "empty")
app.synth()
"""
SYNTHETIC = "import sys; from scripts.gate.bench import compile_synthetic; compile_synthetic(int(sys.argv[1]))"
SIZES = (10, 100, 1000)
TARGET = 1.5


@click.command()
@click.option(
    "--rounds",
    default=7,
    type=click.IntRange(min=1),
    show_default=True,
    help="How often each command is timed, turn by turn.",
)
def bench(rounds: int) -> None:
    """Time the bare floor, `python main.py` and `cdk8s synth` side by side, and the cost of an object.

    The floor imports cdk8s and cdk8s-plus-27 and synthesizes one empty chart. Times are medians, in seconds.

    Example: ./gw bench --rounds 3
    """
    use_pinned_node()
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "bare floor": [sys.executable, "-c", FLOOR, folder],
            "python main.py": [sys.executable, "main.py"],
            "cdk8s synth": [str(ROOT / ".venv/bin/cdk8s"), "synth", "--output", f"{folder}/dist"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds + 1):
            for name, command in commands.items():
                times[name].append(_seconds(command))
    # The first round warms the file cache for everyone and counts for nobody.
    medians = {name: median(seconds[1:]) for name, seconds in times.items()}
    floor = medians["bare floor"]
    click.echo(f"{'':16}{'seconds':>9}{'x floor':>9}   {rounds} rounds")
    for name, seconds in medians.items():
        wanted = f"   wanted: at most {TARGET}" if name == "python main.py" else ""
        click.echo(f"{name:16}{seconds:9.2f}{seconds / floor:9.2f}{wanted}")
    click.echo(f"\n{'apps':>6}{'objects':>9}{'ms an object: charts':>22}{'tree':>7}{'checks':>8}{'YAML':>7}")
    for size in SIZES:
        _print_synthetic(size)


def _seconds(command: list[str]) -> float:
    # As on a person's machine, where Python keeps its compiled modules.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ToolError(f"{' '.join(command[:2])} failed, so there is nothing to measure:\n{done.stderr}")
    return time.perf_counter() - start


def _print_synthetic(size: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SYNTHETIC, str(size)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ToolError(f"{size} synthetic apps failed to compile:\n{done.stderr}")
    costs = json.loads(done.stdout)
    objects = costs.pop("objects")
    charts, tree, checks, text = (1000 * seconds / objects for seconds in costs.values())
    click.echo(f"{size:6}{objects:9}{charts:22.2f}{tree:7.2f}{checks:8.2f}{text:7.2f}")


def compile_synthetic(count: int) -> None:
    """Compile `count` apps of GraphWiki's shape in memory; print the seconds of each step as JSON."""
    from cdk8s import App as CompiledApp

    from charts.platform.gateway import IngressGateway
    from charts.platform.mesh import Mesh
    from charts.platform.priorities import Priorities
    from charts.shapes import App, Container, Pod, Range, Volume, WebApp
    from charts.shapes.app import connect
    from facts.environments import LOCAL
    from facts.images import Image
    from facts.provided import provided
    from synth.rules import check
    from synth.tree import Folder, render

    def app_chart(index: int) -> App:
        app = App(root, f"app-{index}", LOCAL)
        container = Container(
            app.name,
            Image("app", "1.0"),
            port=8000,
            cpu=Range("50m", "500m"),
            memory=Range("64Mi", "256Mi"),
            mounts={"/data": Volume(app, f"{app.name}-data", "1Gi")},
        )
        WebApp(app, host=app.name, pod=Pod(container))
        return app

    root = CompiledApp()
    clock = [time.perf_counter()]
    apps = [app_chart(index) for index in range(count)]
    connect(apps)
    for app in apps:
        app.finish()
    gateway = IngressGateway(root, [claim for app in apps for claim in app.claims])
    clock.append(time.perf_counter())
    tree = render(
        "deploy",
        [
            Folder("platform/priorities", Priorities(root)),
            Folder("platform/mesh", Mesh(root, LOCAL)),
            Folder("platform/gateway", gateway),
            *(Folder(f"apps/{app.name}", app) for app in apps),
        ],
        source="scripts/gate/bench.py",
        minor=LOCAL.minor,
    )
    clock.append(time.perf_counter())
    violations = check(tree, provided(LOCAL))
    clock.append(time.perf_counter())
    for file in tree.files.values():
        file.text()
    clock.append(time.perf_counter())
    if violations:
        raise AssertionError(f"a synthetic app breaks a rule: {violations[0]}")
    steps = zip(("charts", "tree", "checks", "yaml"), clock[1:], clock[:-1], strict=True)
    costs = {step: after - before for step, after, before in steps}
    print(json.dumps({**costs, "objects": len(list(tree.objects()))}))  # noqa: T201, read by the caller
