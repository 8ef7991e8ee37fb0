"""Several right edits at once in a copy of the project, through the whole gate, with no hand edit of anything else.

    python -m tests.right.batch [FOLDER]

The copy is what Git has or would take, with what `make` installed. Recipes of docs/recipes.md and the README's app come
in as apps of it, other edits change values; none knows what the values are today. Then runs what a person runs after
an edit and before a push. What it turns red is wrong, not the edit. FOLDER keeps the copies to look at.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from facts.layout import COMPONENTS_FILE, FLUX_FOLDER
from synth import ROOT
from synth.node import start
from tests.right import Copied, Replaced, RightEdit, readmes_app, recipes
from tests.workshop import Workshop

BATCHES = 3
INSTALLED = (".venv", "node_modules")
MYPY = ".mypy_cache"
ENVIRONMENTS, IMAGES = "facts/environments.py", "images.yaml"
OWN = {
    "DOMAIN": "wiki.acme.test",
    "GIT_URL": "ssh://git@git.acme.test/acme/platform.git",
    "REGISTRY": "harbor.acme.test",
    "ACME_EMAIL": "ops@acme.test",
    "STORAGE_CLASS": "gp3-retain",
}
"""The values that the README calls one's own."""
FOURTH = """TRIAL = Environment(
    name="trial",
    path="deploy/trial",
    context="trial",
    domain=f"trial.{DOMAIN}",
    git_url=GIT_URL,
    git_branch="trial",
    tier=Tier.MEDIUM,
    registry=REGISTRY,
    tls=Acme(LETS_ENCRYPT_STAGING, ACME_EMAIL),
    trace_sampling=10,
    gateway_ports=(5432,),
)

"""
CORPORA = ("mistakes", "right")
"""They stand on a house of their own, to which no edit of a copy makes a difference."""
GATE: Sequence[Sequence[str]] = (
    ("make", "format"),
    ("make", "synth"),
    ("./gw", "environments", "--write"),
    ("git", "add", "--all"),
    ("make", "lint"),
    ("make", "test", f"MORE={' '.join(f'--ignore=tests/{name}' for name in CORPORA)}"),
    ("make", "verify"),
    ("make", "check"),
)
GIT = ("git", "-c", "user.name=right", "-c", "user.email=right@example.com", "-c", "commit.gpgsign=false")


@dataclass(frozen=True)
class Change:
    """An edit of the project's own files, whatever stands in them."""

    name: str
    apply: Callable[[Path], None]


def own_values(root: Path) -> None:
    for name, value in OWN.items():
        _replace(root / ENVIRONMENTS, rf'^{name} = ".*"$', f'{name} = "{value}"')


def a_fourth_environment(root: Path) -> None:
    """As docs/environments.md says it; Flux's own manifest is the same for every cluster, so it is copied."""
    _replace(root / ENVIRONMENTS, r"^ENVIRONMENTS = \(([^)]*?),?\)$", rf"{FOURTH}ENVIRONMENTS = (\1, TRIAL)")
    images = root / IMAGES
    text = images.read_text("utf-8")
    *_, last = yaml.safe_load(text).values()
    images.write_text(f"{text}\n{yaml.safe_dump({'trial': last}, sort_keys=False)}", "utf-8")
    source = next((root / "deploy").rglob(COMPONENTS_FILE)).relative_to(root)
    Copied(f"deploy/trial/{FLUX_FOLDER}/{COMPONENTS_FILE}", str(source)).apply(Workshop(root))


def sizes(root: Path) -> None:
    """More memory, more replicas and a bigger volume for the apps that are there."""
    for app in (root / "charts/apps").glob("*.py"):
        _every(app, r'memory=Range\("\w+", "\w+"\)', lambda _: 'memory=Range("512Mi", "2Gi")')
        _every(app, r"Replicas\((\d+), (\d+)\)", lambda found: f"Replicas({int(found[1]) + 1}, {int(found[2]) + 4})")
        _every(app, r'(full=|size=)"(\d+)Gi"', lambda found: f'{found[1]}"{2 * int(found[2])}Gi"')


CHANGES = (
    Change("one's own five values", own_values),
    Change("a fourth environment", a_fourth_environment),
    Change("more memory, more replicas, a bigger volume", sizes),
)


def batches() -> Iterator[tuple[Sequence[RightEdit], Sequence[Change]]]:
    """The apps of each batch and the changes behind them: every recipe is in one, the first two have all else."""
    apps = recipes(lambda number: f"b{number}")
    for number in range(BATCHES):
        more = [readmes_app().as_one_of_many()] if number == 0 else []
        changes = {0: (CHANGES[0], CHANGES[1]), 1: (CHANGES[2],)}.get(number, CHANGES)
        yield [*more, *apps[number::BATCHES]], changes


def copied(root: Path) -> Workshop:
    """The project as it is, what is not committed yet included, with the times that files have, by which make goes."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name, follow_symlinks=False)
    for name in INSTALLED:
        (root / name).symlink_to(ROOT / name)
    if (ROOT / MYPY).exists():
        # What mypy knows of each file it keeps by what is in it.
        shutil.copytree(ROOT / MYPY, root / MYPY)
    (root / ".cache").mkdir()
    for tool in (ROOT / ".cache").iterdir():
        # What a file says is of this project alone.
        if tool.is_dir():
            (root / ".cache" / tool.name).symlink_to(tool)
    return Workshop(root)


def edited(workshop: Workshop, apps: Sequence[RightEdit], changes: Sequence[Change]) -> Iterator[str]:
    """Make the edits; what is left out, because the project is not as the page that it is from takes it to be."""
    for edit in apps:
        replaced = [step for step in edit.steps if isinstance(step, Replaced)]
        if all((workshop.root / step.file).read_text("utf-8").count(step.old) == 1 for step in replaced):
            edit.make(workshop)
        else:
            yield edit.name
    for change in changes:
        change.apply(workshop.root)


def passes(root: Path, apps: Sequence[RightEdit], changes: Sequence[Change]) -> bool:
    workshop = copied(root)
    for arguments in ("init --quiet", "add --all", "commit --quiet --message Before"):
        subprocess.run([*GIT, *arguments.split()], cwd=root, check=True)
    left_out = list(edited(workshop, apps, changes))
    _say(f"{', '.join(change.name for change in changes)}; apps: {len(apps) - len(left_out)}")
    for name in left_out:
        _say(f"left out, because it is for another file than the one here: {name}")
    for command in GATE:
        began = time.monotonic()
        code = subprocess.run(command, cwd=root, check=False).returncode
        _say(f"{' '.join(command)}: {time.monotonic() - began:.0f} s")
        if code:
            _say(f"failed at {' '.join(command)}: a right edit turns it red, so it is what is wrong")
            return False
    return True


def main() -> int:
    start()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1] if sys.argv[1:] else temporary)
        for number, (apps, changes) in enumerate(batches(), 1):
            root = folder / f"batch-{number}"
            root.mkdir(parents=True)
            if not passes(root, apps, changes):
                return 1
    return 0


def _replace(file: Path, pattern: str, new: str) -> None:
    text, count = re.subn(pattern, new, file.read_text("utf-8"), flags=re.MULTILINE)
    assert count == 1, f"{file.name} has {count} places that are like {pattern}"
    file.write_text(text, "utf-8")


def _every(file: Path, pattern: str, new: Callable[[re.Match[str]], str]) -> None:
    file.write_text(re.sub(pattern, new, file.read_text("utf-8")), "utf-8")


def _say(text: str) -> None:
    print(f"batch: {text}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
