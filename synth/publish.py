"""A tree and the directory it belongs in: compare, write what differs, prune what is no longer made."""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from synth import DefinitionError, ToolError
from synth.tree import Tree, is_cut_off, is_generated
from synth.unchanged import Look, unchanged_files

DIFF_LINES = 40
BESIDE = re.compile(r"/\.[^/]+\.\d+$")
"""What a file is called while it is written beside its place. A publish that is killed leaves such files behind."""


class State(StrEnum):
    """How a path differs from the tree."""

    MISSING = "missing"
    CHANGED = "changed"
    EXTRA = "extra"
    """Generated once, by a definition that is no longer there: `publish` removes it."""
    FOREIGN = "foreign"
    """Without the generated header, so a person's own: `publish` never touches it."""


@dataclass(frozen=True)
class Difference:
    """A path from the repository's root where the directory is not what the tree says."""

    path: str
    state: State
    actual: str | None = None
    wanted: str | None = None

    def diff(self) -> str:
        """From what is there to what the charts give, as a unified diff of at most `DIFF_LINES` lines."""
        import difflib

        lines = list(
            difflib.unified_diff(
                (self.actual or "").splitlines(),
                (self.wanted or "").splitlines(),
                f"{self.path} (on disk)",
                f"{self.path} (from the charts)",
                lineterm="",
            )
        )
        if len(lines) > DIFF_LINES:
            lines[DIFF_LINES:] = [f"... {len(lines) - DIFF_LINES} more lines"]
        return "\n".join(lines).encode(errors="backslashreplace").decode()


def compare(tree: Tree, root: Path) -> list[Difference]:
    """Where the directory below `root` differs from the tree, by path. Reads only.

    A link is a difference wherever it is: Git would keep the link, not what is behind it.

    Raises:
        ToolError: a file or folder cannot be read.
    """
    differences = []
    read = _Disk(root).read
    for path, file in tree.files.items():
        actual, wanted = read(path), file.text()
        if actual is None:
            differences.append(Difference(path, State.MISSING, None, wanted))
        elif actual != wanted:
            state = State.CHANGED if is_generated(actual) else State.FOREIGN
            differences.append(Difference(path, state, actual, wanted))
    for path, external in tree.external.items():
        actual = read(path)
        if external.problem(actual):
            differences.append(Difference(path, State.MISSING if actual is None else State.CHANGED, actual))
    for path in _files_on_disk(tree, root):
        if path not in tree.files and path not in tree.external:
            actual = read(path) or ""
            ours = is_generated(actual) or (BESIDE.search(path) and is_cut_off(actual))
            differences.append(Difference(path, State.EXTRA if ours else State.FOREIGN, actual))
    return sorted(differences, key=lambda difference: difference.path)


def publish(tree: Tree, root: Path) -> list[Difference]:
    """Make the directory below `root` what the tree says; returns what differed before.

    All new content is first written beside its target, then renamed into place: whatever goes wrong, the
    directory is either as it was or as it will be. Where it is killed, every file is whole, and the next run
    finishes what it had begun. Files without the generated header are left alone.

    Raises:
        DefinitionError: a hand-written file stands where a generated one belongs, or an external one is not what
            it must be.
        ToolError: the directory cannot be written to.
    """
    differences = compare(tree, root)
    problems = [problem for d in differences if (problem := _problem(tree, d))]
    if problems:
        raise DefinitionError("\n".join(problems))
    written = [d for d in differences if d.path in tree.files]
    removed = [d for d in differences if d.state is State.EXTRA]
    _replace_all(root, written, removed)
    _remove_empty_folders(tree, root)
    return differences


def _problem(tree: Tree, difference: Difference) -> str:
    """What keeps a difference from being put right; empty where nothing does."""
    path = difference.path
    if external := tree.external.get(path):
        return f"{path} {external.problem(difference.actual)}"
    if difference.state is State.FOREIGN and path in tree.files:
        return (
            f"{path} does not say that it is generated, so it is somebody's own, and the charts want its place: "
            "move it away, or delete it if it is an old output"
        )
    return ""


def summary(tree: Tree, differences: Sequence[Difference]) -> str:
    """What `publish` did, for a person: a line for every file that it wrote, removed or left alone."""
    done = {State.MISSING: "added", State.CHANGED: "changed", State.EXTRA: "removed", State.FOREIGN: "left alone"}
    lines = [f"  {done[d.state]:10} {d.path}" for d in differences]
    unchanged = len(tree.files) - sum(d.path in tree.files for d in differences)
    return "\n".join([*lines, unchanged_files(unchanged)])


def remember(look: Look, tree: Tree, root: Path, before: Sequence[Difference]) -> None:
    """Let the next run know that the directory is what the tree says, where it is, after `before` was put right."""
    if all(d.state is not State.FOREIGN for d in before):
        texts = {path: file.text() for path, file in tree.files.items()}
        look.remember(texts, {path: text for path in tree.external if (text := _Disk(root).read(path)) is not None})


def write_file(path: Path, text: str) -> None:
    """Write a file beside its place and rename it there.

    Raises:
        ToolError: the folder cannot be written to; the file is as it was.
    """
    _replace_all(path.parent, [Difference(path.name, State.CHANGED, None, text)], [])


def _replace_all(root: Path, written: Sequence[Difference], removed: Sequence[Difference]) -> None:
    before = {d.path: d.actual for d in (*written, *removed)}
    staged: list[tuple[Path, Path]] = []
    folders: list[Path] = []
    there: set[Path] = set()
    done: list[str] = []
    try:
        for difference in written:
            target = root / difference.path
            if target.parent not in there:
                folders.extend(_make_folder(target.parent))
                there.add(target.parent)
            beside = target.with_name(f".{target.name}.{os.getpid()}")
            staged.append((beside, target))
            beside.write_bytes((difference.wanted or "").encode())
        for (beside, target), difference in zip(staged, written, strict=True):
            os.replace(beside, target)
            done.append(difference.path)
        for difference in removed:
            (root / difference.path).unlink()
            done.append(difference.path)
    except BaseException as error:
        for beside, _ in staged:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
        lost = [path for path in done if not _restored(root / path, before[path])]
        for folder in reversed(folders):
            with suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError):
            names = {str(beside): str(target) for beside, target in staged}
            place = str(error.filename2 or error.filename or root)
            state = f"{', '.join(lost)} could not be put back" if lost else "everything is left as it was"
            raise ToolError(f"{names.get(place, place)} cannot be written: {error.strerror}; {state}") from error
        raise


def _make_folder(folder: Path) -> Iterator[Path]:
    """Make a folder and what is missing above it, telling each one made."""
    if not folder.is_dir():
        yield from _make_folder(folder.parent)
        folder.mkdir()
        yield folder


def _restored(path: Path, content: str | None) -> bool:
    try:
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content.encode(errors="surrogateescape"))
    except OSError:
        return False
    return True


def _remove_empty_folders(tree: Tree, root: Path) -> None:
    for top in _tops(tree):
        for folder, _, names in os.walk(root / top, topdown=False):
            if not names:
                with suppress(OSError):
                    Path(folder).rmdir()


class _Disk:
    """What is below a root; whether a folder is behind a link is looked up once for all that is in it."""

    def __init__(self, root: Path) -> None:
        self._root = os.fspath(root)
        self._linked: dict[str, bool] = {"": False}

    def read(self, path: str) -> str | None:
        """The text of a file; None where there is none, empty for what is no file of its own: a link, a pipe."""
        place = f"{self._root}/{path}"
        try:
            mode = os.lstat(place).st_mode
            own = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
            if not own or self._behind_a_link(path.rpartition("/")[0]):
                return ""
            # A byte that is no UTF-8 makes a difference like any other, instead of an end with a traceback.
            return Path(place).read_bytes().decode(errors="surrogateescape")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ToolError(f"{path} cannot be read: {error.strerror}") from error

    def _behind_a_link(self, folder: str) -> bool:
        if folder not in self._linked:
            mode = os.lstat(f"{self._root}/{folder}").st_mode
            self._linked[folder] = stat.S_ISLNK(mode) or self._behind_a_link(folder.rpartition("/")[0])
        return self._linked[folder]


def _files_on_disk(tree: Tree, root: Path) -> Iterator[str]:
    """Every file below the tree's top folders, whoever made it, and every link to a folder."""
    for top in _tops(tree):
        for folder, folders, names in os.walk(root / top, onerror=_refuse):
            links = [name for name in folders if Path(folder, name).is_symlink()]
            below = os.path.relpath(folder, root)
            for name in (*names, *links):
                yield f"{below}/{name}"


def _tops(tree: Tree) -> list[str]:
    return sorted({path.partition("/")[0] for path in tree.files})


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise ToolError(f"{error.filename} cannot be read: {error.strerror}") from error
