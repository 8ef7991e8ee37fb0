"""deploy/ as it is here, and as it was where this branch left its base; what the branch acknowledges of its change."""

import io
import re
import subprocess
import tarfile
from pathlib import Path

from scripts.programs import ROOT
from synth import ToolError
from synth.changes.acceptances import Acceptance, read

BASES = ("origin/main", "main")
"""What a change is for where nobody says it: the first of these branches that is there."""
ACCEPTED_FILE = "accepted.md"
"""The file in which a change may acknowledge what it does, beside the pull request's text."""

OBJECTS = re.compile(r"/[^./][^/]*\.yaml$")
"""The files that have objects; one whose name begins with a dot is a tool's."""

Files = dict[str, str]
"""The text of each file by its path."""


def left(base: str | None) -> str:
    """The commit at which this branch left the base.

    Raises:
        ToolError: git does not know the base.
    """
    return _git("merge-base", base or next(iter(bases()), "HEAD"), "HEAD").decode().strip()


def bases() -> list[str]:
    """The branches of this clone that a change may be for; none where it is no clone, or one of a single branch."""
    try:
        return [name for name in BASES if _git("for-each-ref", f"refs/heads/{name}", f"refs/remotes/{name}")]
    except (ToolError, OSError):
        return []


def files_of(commit: str) -> Files:
    """The files of deploy/ as they were in a commit."""
    if not _git("ls-tree", "--name-only", commit, "deploy/"):
        return {}
    with tarfile.open(fileobj=io.BytesIO(_git("archive", "--format=tar", commit, "deploy"))) as archive:
        members = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        return {name: file.read().decode() for name, file in sorted(members.items()) if file and OBJECTS.search(name)}


def acceptances(commit: str, text: Path | None) -> list[Acceptance]:
    """What this change acknowledges: in the pull request's text, and in the lines that it adds to the file.

    A line that the base has was for an earlier change.
    """
    found = read(text.read_text("utf-8"), "the pull request's text") if text else []
    file = ROOT / ACCEPTED_FILE
    if file.exists():
        earlier = _git("show", f"{commit}:{ACCEPTED_FILE}") if _git("ls-tree", commit, ACCEPTED_FILE) else b""
        old = set(map(str, read(earlier.decode(), ACCEPTED_FILE)))
        found += [line for line in read(file.read_text("utf-8"), ACCEPTED_FILE) if str(line) not in old]
    return found


def acknowledged(commit: str, later: str) -> list[Acceptance]:
    """What the commits after one, up to a later one, acknowledge in the file, be the line still there or not."""
    texts = [
        _git("show", f"{each}:{ACCEPTED_FILE}").decode()
        for each in _git("rev-list", f"{commit}..{later}", "--", ACCEPTED_FILE).decode().split()
        if _git("ls-tree", each, ACCEPTED_FILE)
    ]
    lines = [line for text in texts for line in read(text, ACCEPTED_FILE)]
    return list({str(line): line for line in lines}.values())


def files_here() -> Files:
    files = sorted((ROOT / "deploy").rglob("[!.]*.yaml"))
    return {file.relative_to(ROOT).as_posix(): file.read_text("utf-8") for file in files}


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)  # noqa: S607
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip() or "the two have no commit in common"
        right = "--base names a branch or a commit of this clone, which has its history"
        raise ToolError(f"git {' '.join(arguments)} failed: {said}; {right}")
    return done.stdout
