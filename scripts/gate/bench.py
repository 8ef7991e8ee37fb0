"""Measure what a compile costs: against the floor of cdk8s, of many apps against plain cdk8s, of one object more."""

import gc
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import click

from scripts.programs import ROOT
from synth import ToolError
from synth.node import PLAIN, use_pinned_node
from synth.unchanged import RECORD

FLOOR = """
import sys, cdk8s, cdk8s_plus_27
app = cdk8s.App(outdir=sys.argv[1])
cdk8s.Chart(app, "empty")
app.synth()
"""
COMPILE = "from scripts.gate.bench import {0}; {0}({1})"
MANY = 100
SIZES = (100, 300, 1000)
STEPS = ("charts", "tree", "checks", "YAML")
SAVED = "charts/__init__.py"
PATIENCE = 60
"""How many seconds watch may take to show something."""


@click.command()
@click.option(
    "--rounds",
    default=7,
    type=click.IntRange(min=1),
    show_default=True,
    help="How often each command is timed, turn by turn; those with many apps a third as often.",
)
def bench(rounds: int) -> None:
    """Time what a compile costs, side by side with cdk8s itself.

    The floor imports cdk8s and cdk8s-plus-27 and synthesizes one empty chart. Plain cdk8s makes the same objects of
    many apps with the same typed classes, and writes them by app.synth(), without a tree and without a check. Times
    are medians, in seconds; the machine's load stands beside them, because it moves them.

    Example: ./gw bench --rounds 3
    """
    use_pinned_node()
    with tempfile.TemporaryDirectory() as folder, _watching() as save:
        _compare(
            "bare floor",
            {
                "bare floor": _command([sys.executable, "-c", FLOOR, folder]),
                "python main.py": _command([sys.executable, "main.py"], anew=True),
                "cdk8s synth": _command([str(ROOT / ".venv/bin/cdk8s"), "synth"], anew=True),
                "nothing to do": _command([sys.executable, "main.py"]),
                "a save": save,
            },
            {"python main.py": "at most 1.25 floors", "nothing to do": "at most 0.15 s", "a save": "at most 0.4 s"},
            rounds,
        )
    _compare(
        "plain cdk8s",
        {
            "plain cdk8s": _command([sys.executable, "-c", COMPILE.format("synthesize_plainly", MANY)], plain=True),
            f"{MANY} apps": _command([sys.executable, "-c", COMPILE.format("compile_and_publish", MANY)]),
        },
        {f"{MANY} apps": "at most 0.5 of plain cdk8s"},
        max(1, rounds // 3),
    )
    click.echo(
        f"\nMilliseconds an object, in one environment\n{'apps':>6}{'objects':>9}"
        + "".join(f"{s:>9}" for s in (*STEPS, "all"))
    )
    for size in SIZES:
        _print_synthetic(size)


def _compare(base: str, timed: dict[str, Callable[[], float]], wanted: dict[str, str], rounds: int) -> None:
    times: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(rounds + 1):
        for name, time_once in timed.items():
            times[name].append(time_once())
    # The first round warms the file cache for everyone and counts for nobody.
    medians = {name: median(seconds[1:]) for name, seconds in times.items()}
    click.echo(f"\n{'':16}{'seconds':>9}{'x ' + base:>15}   {rounds} rounds, load {os.getloadavg()[0]:.1f}")
    for name, seconds in medians.items():
        wish = f"   wanted: {wanted[name]}" if name in wanted else ""
        click.echo(f"{name:16}{seconds:9.2f}{seconds / medians[base]:15.2f}{wish}")


def _command(command: Sequence[str], *, anew: bool = False, plain: bool = False) -> Callable[[], float]:
    """How long a command takes; `anew` with nothing known of an earlier one, `plain` without what is done for speed."""
    # As on a person's machine, where Python keeps its compiled modules.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def seconds() -> float:
        if anew:
            (ROOT / RECORD).unlink(missing_ok=True)
        start = time.perf_counter()
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment | ({PLAIN: "1"} if plain else {}),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ToolError(f"{' '.join(command[:2])} failed, so there is nothing to measure:\n{done.stderr}")
        return time.perf_counter() - start

    return seconds


@contextmanager
def _watching() -> Iterator[Callable[[], float]]:
    """How long it takes from a save to what `watch` shows of it."""
    watch = subprocess.Popen(
        [sys.executable, "-u", "-m", "scripts", "watch"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert watch.stdout  # noqa: S101, a pipe was asked for
    pipe = watch.stdout.fileno()

    def said(seconds: float) -> bytes:
        ready, _, _ = select.select([pipe], [], [], seconds)
        return os.read(pipe, 65536) if ready else b""

    def wait() -> None:
        text = b""
        while b", after " not in text:
            more = said(PATIENCE)
            if not more:
                raise ToolError(f"watch shows nothing, so there is nothing to measure:\n{text.decode()}")
            text += more

    def save() -> float:
        time.sleep(0.5)  # What is saved during a compile is looked at after it.
        while said(0):
            pass
        start = time.perf_counter()
        os.utime(ROOT / SAVED)
        wait()
        return time.perf_counter() - start

    try:
        wait()
        yield save
    finally:
        watch.terminate()
        watch.wait()
        watch.stdout.close()


def _print_synthetic(size: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMPILE.format("compile_synthetic", size)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ToolError(f"{size} synthetic apps failed to compile:\n{done.stderr}")
    costs = json.loads(done.stdout)
    objects = costs.pop("objects")
    each = [1000 * seconds / objects for seconds in (*costs.values(), sum(costs.values()))]
    click.echo(f"{size:6}{objects:9}" + "".join(f"{milliseconds:9.2f}" for milliseconds in each))


@contextmanager
def _with_apps(count: int) -> Iterator[Any]:
    """`charts.compose`, which has `count` apps more within this, of GraphWiki's shape."""
    from charts.shapes import App, Container, Pod, Range, Volume, WebApp
    from facts.images import UNKNOWN_DIGEST, Image

    image = Image.parse(f"registry.example.com/app:1.0@{UNKNOWN_DIGEST}")

    def app(name: str, root: Any, environment: Any) -> App:
        made = App(root, name, environment)
        container = Container(
            name,
            image,
            port=8000,
            cpu=Range("50m", "500m"),
            memory=Range("64Mi", "256Mi"),
            mounts={"/data": Volume(made, f"{name}-data", "1Gi")},
        )
        WebApp(made, host=name, pod=Pod(container))
        return made

    compose: Any = import_module("charts.compose")
    own = compose.APPS
    compose.APPS = (*own, *(partial(app, f"app-{index}") for index in range(count)))
    try:
        yield compose
    finally:
        compose.APPS = own


def synthesize_plainly(count: int) -> None:
    """Make `count` apps in every environment, and let cdk8s write them as it does, from one app of its own for each."""
    from synth.node import leave, start

    start()
    from cdk8s import App

    from facts.environments import ENVIRONMENTS

    with tempfile.TemporaryDirectory() as folder, _with_apps(count) as compose:
        for environment in ENVIRONMENTS:
            root = App(outdir=f"{folder}/{environment.name}")
            compose.folders(lambda root=root: root, environment)
            root.synth()
    leave(0)


def compile_and_publish(count: int) -> None:
    """Compile `count` apps in every environment as main.py does, and publish them in an empty folder."""
    from synth.node import end, leave, start

    gc.disable()
    start()
    from synth.publish import publish

    with _with_apps(count) as compose:
        tree = compose.compile_platform()
    end()
    with tempfile.TemporaryDirectory() as folder:
        for path in tree.external:
            place = Path(folder, path)
            place.parent.mkdir(parents=True)
            shutil.copy(ROOT / path, place)
        publish(tree, Path(folder))
    leave(0)


def compile_synthetic(count: int) -> None:
    """Compile `count` apps in one environment in memory; print the seconds of each step as JSON."""
    from synth.node import ahead, start

    start()
    from cdk8s import App

    from facts.environments import LOCAL
    from synth.rules import check
    from synth.tree import render

    clock = [time.perf_counter()]

    def work() -> int:
        filled, given = compose.folders(App, LOCAL)
        clock.append(time.perf_counter())
        tree = render(LOCAL.path, filled, source="scripts/gate/bench.py", minor=LOCAL.minor)
        clock.append(time.perf_counter())
        violations = check(tree, given)
        clock.append(time.perf_counter())
        for file in tree.files.values():
            file.text()
        clock.append(time.perf_counter())
        if violations:
            raise AssertionError(f"a synthetic app breaks a rule: {violations[0]}")
        return len(list(tree.objects()))

    with _with_apps(count) as compose:
        clock[0] = time.perf_counter()
        objects = ahead(work)
    steps = zip(STEPS, clock[1:], clock[:-1], strict=True)
    costs = {step: after - before for step, after, before in steps}
    print(json.dumps({**costs, "objects": objects}))  # noqa: T201, read by the caller
