"""A tree and its directory: what differs is written, what is not generated is safe, and it is all or nothing."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from synth import DefinitionError, ToolError
from synth.publish import DIFF_LINES, State, compare, publish, summary, write_file
from synth.tree import File, Page, Tree, Versioned, header

SOURCE = "charts/wiki.py"
OURS = header(SOURCE)


def tree(**values: int) -> Tree:
    """`tree(a=1)`: the file deploy/apps/a.yaml with `value: 1`."""
    return Tree({f"deploy/apps/{name}.yaml": File(({"value": value},), SOURCE) for name, value in values.items()})


def content(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text("utf-8") for path in sorted(root.rglob("*")) if path.is_file()
    }


def states(tree: Tree, root: Path) -> dict[str, State]:
    return {difference.path: difference.state for difference in compare(tree, root)}


def test_a_first_publish_writes_everything_and_a_second_nothing(tmp_path: Path) -> None:
    differences = publish(tree(a=1, b=2), tmp_path)
    assert [d.state for d in differences] == [State.MISSING, State.MISSING]
    assert content(tmp_path) == {
        "deploy/apps/a.yaml": f"{OURS}value: 1\n",
        "deploy/apps/b.yaml": f"{OURS}value: 2\n",
    }
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert publish(tree(a=1, b=2), tmp_path) == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    publish(tree(a=1, b=2), tmp_path)
    untouched = (tmp_path / "deploy/apps/a.yaml").stat()
    publish(tree(a=1, b=3), tmp_path)
    assert (tmp_path / "deploy/apps/a.yaml").stat() == untouched
    assert content(tmp_path)["deploy/apps/b.yaml"] == f"{OURS}value: 3\n"


def test_a_hand_edit_of_a_generated_file_is_put_right(tmp_path: Path) -> None:
    publish(tree(a=1), tmp_path)
    (tmp_path / "deploy/apps/a.yaml").write_text(f"{OURS}value: 2\n")
    assert states(tree(a=1), tmp_path) == {"deploy/apps/a.yaml": State.CHANGED}
    publish(tree(a=1), tmp_path)
    assert content(tmp_path) == {"deploy/apps/a.yaml": f"{OURS}value: 1\n"}


def test_a_deleted_file_is_written_again(tmp_path: Path) -> None:
    publish(tree(a=1, b=2), tmp_path)
    (tmp_path / "deploy/apps/a.yaml").unlink()
    assert states(tree(a=1, b=2), tmp_path) == {"deploy/apps/a.yaml": State.MISSING}
    publish(tree(a=1, b=2), tmp_path)
    assert compare(tree(a=1, b=2), tmp_path) == []


def test_a_generated_file_that_no_chart_makes_any_more_goes_with_its_folder(tmp_path: Path) -> None:
    publish(Tree({**tree(a=1).files, "deploy/apps/old/x.yaml": File(({"value": 1},), SOURCE)}), tmp_path)
    assert states(tree(a=1), tmp_path) == {"deploy/apps/old/x.yaml": State.EXTRA}
    publish(tree(a=1), tmp_path)
    assert content(tmp_path) == {"deploy/apps/a.yaml": f"{OURS}value: 1\n"}
    assert not (tmp_path / "deploy/apps/old").exists()


def test_a_persons_own_file_is_told_and_left_alone(tmp_path: Path) -> None:
    publish(tree(a=1), tmp_path)
    own = tmp_path / "deploy/apps/notes.md"
    own.write_text("mine\n")
    assert states(tree(a=1), tmp_path) == {"deploy/apps/notes.md": State.FOREIGN}
    differences = publish(tree(a=1), tmp_path)
    assert own.read_text() == "mine\n"
    assert summary(tree(a=1), differences) == "  left alone deploy/apps/notes.md\n1 file unchanged"


def test_a_page_is_written_put_right_and_removed_as_other_files_are(tmp_path: Path) -> None:
    page = Page("# Wiki\n", SOURCE)
    with_page = Tree({**tree(a=1).files, "deploy/README.md": page})
    publish(with_page, tmp_path)
    assert content(tmp_path)["deploy/README.md"] == page.text()
    (tmp_path / "deploy/README.md").write_text(f"{page.text()}more\n")
    assert states(with_page, tmp_path) == {"deploy/README.md": State.CHANGED}
    assert states(tree(a=1), tmp_path) == {"deploy/README.md": State.EXTRA}
    publish(tree(a=1), tmp_path)
    assert content(tmp_path) == {"deploy/apps/a.yaml": f"{OURS}value: 1\n"}


def test_a_persons_own_page_is_safe(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy/README.md").write_text("# Mine\n")
    with pytest.raises(DefinitionError, match=r"^deploy/README.md does not say that it is generated"):
        publish(Tree({"deploy/README.md": Page("# Wiki\n", SOURCE)}), tmp_path)
    assert content(tmp_path) == {"deploy/README.md": "# Mine\n"}


def test_a_persons_own_file_in_the_way_stops_everything(tmp_path: Path) -> None:
    publish(tree(a=1), tmp_path)
    own = tmp_path / "deploy/apps/b.yaml"
    own.write_text("mine: true\n")
    before = content(tmp_path)
    with pytest.raises(DefinitionError) as error:
        publish(tree(a=2, b=2), tmp_path)
    assert str(error.value).startswith("deploy/apps/b.yaml does not say that it is generated, so it is somebody's own")
    assert content(tmp_path) == before


EXTERNAL = Versioned("# Version: 2", "make components")


@pytest.mark.parametrize(
    ("content", "state", "said"),
    [
        (None, State.MISSING, "is missing"),
        ("# Version: 1\n", State.CHANGED, "has no line '# Version: 2'"),
        ("", State.CHANGED, "has no line '# Version: 2'"),
    ],
)
def test_an_external_file_that_is_not_as_it_must_be_stops_everything(
    tmp_path: Path, content: str | None, state: State, said: str
) -> None:
    with_external = Tree(tree(a=1).files, {"deploy/apps/external.yaml": EXTERNAL})
    (tmp_path / "deploy/apps").mkdir(parents=True)
    external = tmp_path / "deploy/apps/external.yaml"
    if content is not None:
        external.write_text(content)
    assert states(with_external, tmp_path)["deploy/apps/external.yaml"] == state
    with pytest.raises(DefinitionError) as error:
        publish(with_external, tmp_path)
    assert str(error.value) == (f"deploy/apps/external.yaml {said}, and charts do not make it: `make components` does")
    assert not (tmp_path / "deploy/apps/a.yaml").exists()
    external.write_text("# Version: 2\ntheirs: 1\n")
    publish(with_external, tmp_path)
    assert compare(with_external, tmp_path) == []
    assert external.read_text() == "# Version: 2\ntheirs: 1\n"


def test_links_and_pipes_are_told_and_left_alone(tmp_path: Path) -> None:
    publish(tree(a=1, b=1), tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "own.txt").write_text("mine\n")
    apps = tmp_path / "deploy/apps"
    (apps / "a.yaml").rename(elsewhere / "a.yaml")
    (apps / "a.yaml").symlink_to(elsewhere / "a.yaml")
    (apps / "folder").symlink_to(elsewhere)
    (apps / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(apps / "pipe")
    assert states(tree(a=1, b=1), tmp_path) == dict.fromkeys(
        ("deploy/apps/a.yaml", "deploy/apps/dangling", "deploy/apps/folder", "deploy/apps/pipe"), State.FOREIGN
    )
    with pytest.raises(DefinitionError, match=r"deploy/apps/a.yaml does not say that it is generated"):
        publish(tree(a=2, b=2), tmp_path)
    assert (elsewhere / "a.yaml").read_text() == f"{OURS}value: 1\n"


def test_what_cannot_be_put_back_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tree(a=1, b=1), tmp_path)
    really_replace, really_write = os.replace, Path.write_bytes

    def replace(source: Path, target: Path) -> None:
        if target.name == "b.yaml":
            raise OSError(28, "No space left on device", str(source))
        really_replace(source, target)

    def write(path: Path, data: bytes) -> int:
        if path.name == "a.yaml":
            raise OSError(28, "No space left on device", str(path))
        return really_write(path, data)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(ToolError) as error:
        publish(tree(a=2, b=2), tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/deploy/apps/b.yaml cannot be written: No space left on device; "
        "deploy/apps/a.yaml could not be put back"
    )


def test_a_byte_that_is_no_text_is_a_difference(tmp_path: Path) -> None:
    publish(tree(a=1), tmp_path)
    (tmp_path / "deploy/apps/a.yaml").write_bytes(OURS.encode() + b"value: \xff\n")
    (difference,) = compare(tree(a=1), tmp_path)
    assert "\\udcff" in difference.diff()


def test_other_line_ends_are_a_difference(tmp_path: Path) -> None:
    publish(tree(a=1), tmp_path)
    (tmp_path / "deploy/apps/a.yaml").write_bytes(f"{OURS}value: 1\n".replace("\n", "\r\n").encode())
    assert states(tree(a=1), tmp_path) == {"deploy/apps/a.yaml": State.CHANGED}


def test_a_difference_shows_a_short_diff(tmp_path: Path) -> None:
    publish(tree(a=1), tmp_path)
    (difference,) = compare(tree(a=2), tmp_path)
    assert difference.diff().splitlines()[-2:] == ["-value: 1", "+value: 2"]
    (tmp_path / "deploy/apps/a.yaml").write_text(OURS + "line\n" * 500)
    (difference,) = compare(tree(a=1), tmp_path)
    assert len(difference.diff().splitlines()) == DIFF_LINES + 1
    assert difference.diff().endswith("more lines")


@pytest.mark.parametrize("failing_call", [1, 2, 3])
def test_a_failure_half_way_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_call: int
) -> None:
    publish(tree(a=1, b=1, gone=1), tmp_path)
    before = content(tmp_path)
    calls = 0
    really_replace = os.replace

    def replace(source: Path, target: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == failing_call:
            raise PermissionError(13, "Permission denied", str(target))
        really_replace(source, target)

    monkeypatch.setattr(os, "replace", replace)
    wanted = Tree({**tree(a=2, b=2).files, "deploy/new/c.yaml": File(({"value": 3},), SOURCE)})
    with pytest.raises(ToolError, match=r"cannot be written: Permission denied; everything is left as it was"):
        publish(wanted, tmp_path)
    assert content(tmp_path) == before
    assert not (tmp_path / "deploy/new").exists()


@pytest.mark.parametrize(("code", "reason"), [(28, "No space left on device"), (13, "Permission denied")])
def test_a_folder_that_takes_no_file_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, reason: str
) -> None:
    publish(tree(a=1, b=1), tmp_path)
    before = content(tmp_path)
    really_write = Path.write_bytes

    def write(path: Path, data: bytes) -> int:
        if "b.yaml" in path.name:
            really_write(path, data[:3])
            raise OSError(code, reason, str(path))
        return really_write(path, data)

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(ToolError, match=f"cannot be written: {reason}; everything is left as it was"):
        publish(tree(a=2, b=2), tmp_path)
    assert content(tmp_path) == before


def test_an_interruption_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tree(a=1, b=1), tmp_path)
    before = content(tmp_path)

    def interrupt(_source: Path, _target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        publish(tree(a=2, b=2), tmp_path)
    assert content(tmp_path) == before


def test_a_deploy_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "deploy").write_text("in the way\n")
    with pytest.raises(ToolError, match="cannot be written"):
        publish(tree(a=1), tmp_path)
    assert content(tmp_path) == {"deploy": "in the way\n"}


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "deploy/apps/a.yaml").mkdir(parents=True)
    with pytest.raises(ToolError, match=r"deploy/apps/a.yaml cannot be read: Is a directory"):
        publish(tree(a=1), tmp_path)


def test_a_single_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file.yaml"
    write_file(file, "old\n")

    def replace(_source: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied", str(target))

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(ToolError, match="Permission denied"):
        write_file(file, "new\n")
    assert content(tmp_path) == {"file.yaml": "old\n"}


OLD = Tree({**tree(a=1, b=1, gone=1).files, "deploy/old/x.yaml": File(({"value": 1},), SOURCE)})
NEW = Tree({**tree(a=2, b=1, more=1).files, "deploy/new/y.yaml": File(({"value": 2},), SOURCE)})
FORKS = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
"""Python warns of a copy without the other threads: a publish waits for none of them."""
OPERATIONS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir")


def killed(root: Path, prepare: Callable[[], None]) -> bool:
    """Publish `NEW` in a process of its own; whether it was killed, which `prepare` arranges there."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            prepare()
            publish(NEW, root)
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


def before_an_operation(root: Path, number: int) -> Callable[[], None]:
    """Be killed before the so-many-th time that a file or folder below the root is opened, made, renamed or removed."""
    left = number

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in OPERATIONS and str(arguments[0]).startswith(str(root)):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return lambda: sys.addaudithook(count)


def within_a_write(number: int, length: int) -> Callable[[], None]:
    """Be killed when so many bytes of the so-many-th file are written."""
    left = number
    really_write = Path.write_bytes

    def write(path: Path, data: bytes) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            really_write(path, data[:length])
            os.kill(os.getpid(), signal.SIGKILL)
        return really_write(path, data)

    return lambda: setattr(Path, "write_bytes", write)


def heals(root: Path, begin: Callable[[], None], then: Tree) -> bool:
    """Whether it was killed, and then every file was whole and the next publish left exactly what it should."""
    publish(OLD, root)
    (root / "deploy/notes.md").write_text("mine\n")
    if not killed(root, begin):
        return False
    for path, text in content(root).items():
        if path in OLD.files or path in NEW.files:
            assert text in {made.files[path].text() for made in (OLD, NEW) if path in made.files}, path
    publish(then, root)
    texts = {path: file.text() for path, file in then.files.items()}
    assert content(root) == {**texts, "deploy/notes.md": "mine\n"}
    assert [folder for folder in root.rglob("*") if folder.is_dir() and not any(folder.iterdir())] == []
    return True


@pytest.mark.slow
@FORKS
@pytest.mark.parametrize("then", [NEW, OLD], ids=["the same once more", "what there was before"])
def test_a_publish_that_is_killed_before_any_operation_is_healed_by_the_next(tmp_path: Path, then: Tree) -> None:
    number = 0
    while heals(tmp_path / str(number), before_an_operation(tmp_path / str(number), number), then):
        number += 1
    assert number > 2 * len(NEW.files)


@pytest.mark.slow
@FORKS
@pytest.mark.parametrize("then", [NEW, OLD], ids=["the same once more", "what there was before"])
def test_a_publish_that_is_killed_within_a_write_is_healed_by_the_next(tmp_path: Path, then: Tree) -> None:
    for length in (0, 1, 10, 30, len(OURS) - 1, len(OURS), 10**6):
        number = 0
        while heals(tmp_path / f"{length}-{number}", within_a_write(number, length), then):
            number += 1
        assert number == len([path for path in NEW.files if path not in OLD.files or "a.yaml" in path])


def test_a_persons_file_of_such_a_name_is_safe(tmp_path: Path) -> None:
    publish(tree(a=1), tmp_path)
    own = tmp_path / "deploy/apps/.a.yaml.2026"
    own.write_text("mine\n")
    assert states(tree(a=1), tmp_path) == {"deploy/apps/.a.yaml.2026": State.FOREIGN}
    publish(tree(a=2), tmp_path)
    assert own.read_text() == "mine\n"
