"""Several right edits at once in a copy of the project: they pass lint and the tests with no other edit.

    .venv/bin/python -m tests.right.batch [FOLDER]

The copy is what `git ls-files` has, with what `make` installed. The recipes come in as apps, the README's app, one's
own five values, a fourth environment and more memory; then runs what a person runs after an edit: `make format`,
`python -m scripts environments --write`, `main.py`, `make lint` and the tests. Left out are those that make edits of
their own, which stand on a ground of their own (tests/mistakes, tests/right), and those that this cannot turn red
(tests/infra, tests/containers) or that take the long way through tools (tests/test_verify.py).
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.right import Replaced, RightEdit, readmes_app, recipes, written_down
from tests.workshop import ROOT, Workshop

INSTALLED = (".venv", "node_modules")
LEFT_OUT = ("tests/mistakes", "tests/right", "tests/infra", "tests/containers", "tests/test_verify.py")
WITH = ("one's own five values", "a fourth environment", "more memory")
"""Right edits of this folder that go together, beside the apps."""


def edits() -> list[RightEdit]:
    """All that goes into one batch: apps first, then the environments that they have to run in."""
    named = {edit.name: edit for edit in written_down()}
    apps = recipes(lambda number: f"b{number}")
    (released,) = (edit.app for edit in apps if edit.name == "An image that releases change")
    image = f'  {released}-pages:\n    repository: blog/pages\n    tag: "1.4.2"\n'
    there = Replaced("images.yaml", "preview:\n", f"preview:\n{image}")
    fourth = RightEdit("its image in the fourth environment", [there])
    return [*apps, readmes_app().as_one_of_many(), *(named[name] for name in WITH), fourth]


def copy(root: Path) -> Workshop:
    """The project as it is, what is not committed yet included, in a repository of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, root / name
        if source.is_symlink() or not source.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        target.chmod(source.stat().st_mode)
    for name in INSTALLED:
        (root / name).symlink_to(ROOT / name)
    return Workshop(root)


def steps() -> Sequence[Sequence[str]]:
    """What a person runs after an edit."""
    python, ruff = sys.executable, str(Path(sys.executable).with_name("ruff"))
    left_out = [f"--ignore={path}" for path in LEFT_OUT]
    return (
        (ruff, "check", "--fix", "--quiet", "charts"),
        (ruff, "format", "--quiet", "charts"),
        (python, "main.py"),
        (python, "-m", "scripts", "environments", "--write"),
        (ruff, "check"),
        (ruff, "format", "--check"),
        (python, "-m", "mypy"),
        (python, "-m", "pytest", "-n", "auto", "-p", "no:cacheprovider", *left_out),
    )


def main() -> int:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(sys.argv[1] if sys.argv[1:] else temporary)
        workshop = copy(root)
        for edit in edits():
            edit.make(workshop)
        for git in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "Right edits")):
            who = ("-c", "user.name=right", "-c", "user.email=right@example.com", "-c", "core.autocrlf=false")
            subprocess.run(["git", *who, *git], cwd=root, check=True)  # noqa: S607
        for step in steps():
            said = " ".join(Path(word).name if word == step[0] else word for word in step)
            print(f"batch: {said}", flush=True)  # noqa: T201
            code = subprocess.run(step, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, check=False).returncode
            if code:
                print(f"batch: failed at {said}: a right edit turns it red, so it is what is wrong", file=sys.stderr)  # noqa: T201
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
