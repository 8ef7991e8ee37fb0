"""Whether there is anything to do: all that the last compile read and wrote, and whether it is still as it was.

Imports next to nothing, so that a run with nothing to do ends at once. When in doubt there is something to do: the
answer "unchanged" needs every file to have the size, times and number (inode) that it had, or the same content. What
cannot be seen is the clock and chance: a chart that asks them gives another tree each time.

`python -m synth.unchanged [OUTPUT]` answers by its exit code: 0 where there is nothing to do.
"""

import contextlib
import json
import os
import stat
import sys
import time
from typing import Any

Stamp = list[int]
"""What the file system says of a file without reading it. Its time of change (ctime) cannot be set back by hand."""
Entry = list[Any]
"""A file as remembered: its stamp, None where that says too little, and the hash of its content, empty if unknown."""

RECORD = ".cache/unchanged.json"
FORMAT = 2
DEFINITION = ("charts", "facts")
SOURCES = (*DEFINITION, "imports", "synth")
SOURCE_ENDS = (".py", ".yaml", ".yml", ".txt", ".in", ".toml", ".json")
SKIPPED = ("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache")
SETTINGS = ("CDK8S_", "JSII_", "LANG", "LC_", "NODE_", "PYTHON", "TZ")
"""What the names of the variables begin with that Python, Node, jsii and cdk8s look at themselves."""
OUTPUT_ONLY = ("CDK8S_OUTDIR", "CDK8S_RECORD_CONSTRUCT_METADATA", "CDK8S_CHECK_UPGRADE")
"""Those of them that the cdk8s CLI sets, and that change nothing in deploy/."""
FLAGS = ("optimize", "dev_mode", "utf8_mode", "bytes_warning", "hash_randomization", "no_site", "no_user_site")
INSTALLED = f"{os.sep}site-packages{os.sep}"
SETTLED = 2_000_000_000
"""How many nanoseconds old a change must be for a stamp to be trusted: within one tick a second one would not show."""
ABSENT = "absent"
BEYOND = ("subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "os.spawn", "socket.connect")


class Seen:
    """What this process has read from a look until what came of it is remembered, for the definition below its root."""

    def __init__(self) -> None:
        self.begin("")
        self.end()
        sys.addaudithook(self._note)
        self._note_variables()

    def begin(self, root: str) -> None:
        self._definition: tuple[str, ...] = tuple(os.path.join(root, name) + os.sep for name in DEFINITION)
        self._runtime = os.path.join(root, "synth", "node.py")
        self.opened: set[str] = set()
        self.listed: set[str] = set()
        self.variables: set[str] = set()
        self.relative = False
        """Whether a path was taken from the folder that the process is in."""
        self.beyond = False
        """Whether another program or the network was asked: nobody can look at what they say the next time."""

    def end(self) -> None:
        """Note nothing more: to know who asks takes longer than most of what is asked."""
        self._definition = ()

    def add(self, other: "Seen") -> None:
        self.opened |= other.opened
        self.listed |= other.listed
        self.variables |= other.variables
        self.relative |= other.relative
        self.beyond |= other.beyond

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        # What the events mean: https://docs.python.org/3/library/audit_events.html
        if not self._definition:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, str | bytes) and flags & os.O_ACCMODE == os.O_RDONLY:
                self._add(self.opened, path)
        elif event in ("os.listdir", "os.scandir"):
            path = arguments[0] or "."
            frame = sys._getframe(1)
            importing = "importlib" in frame.f_code.co_filename  # Python's own search for modules and packages
            if isinstance(path, str | bytes) and not importing and self._asked_by_definition(frame):
                self._add(self.listed, path)
        elif event in BEYOND and arguments[0] != os.environ.get("JSII_NODE"):
            self.beyond = True

    def _add(self, paths: set[str], path: str | bytes) -> None:
        self.relative = self.relative or not os.path.isabs(path)
        paths.add(os.path.abspath(os.fsdecode(path)))

    def _note_variables(self) -> None:
        kind: Any = type(os.environ)
        read = kind.__getitem__

        def noted(environment: Any, name: Any) -> Any:
            if self._definition and self._asked_by_definition(sys._getframe(1)):
                self.variables.add(os.fsdecode(name))
            return read(environment, name)

        kind.__getitem__ = noted

    def _asked_by_definition(self, frame: Any) -> bool:
        """Whether it is a chart or a fact that asks, through whatever it calls except the Node runtime."""
        while frame and frame.f_code.co_filename != self._runtime:
            if frame.f_code.co_filename.startswith(self._definition):
                return True
            frame = frame.f_back
        return False


_seen: Seen | None = None


def seen() -> Seen:
    """The one of this process: an audit hook cannot be taken away again."""
    global _seen  # noqa: PLW0603
    if _seen is None:
        _seen = Seen()
    return _seen


def carried_away() -> Seen | None:
    """What a copy of this process has read, for `carry_home` in the first one."""
    if _seen:
        _seen.opened |= _modules()
    return _seen


def carry_home(other: Seen | None) -> None:
    """Take what a copy of this process has read as read by this one."""
    if _seen and other:
        _seen.add(other)


class Look:
    """The files of a checkout as they are now, before anything of it is compiled, against those of the last compile.

    `files` is the number of generated files where nothing has changed since they were last found to be right, else
    None; `output`, where given, is cdk8s's own output, which must be there as well. To be made before the modules of
    the definition are imported: what is read later may be newer.
    """

    def __init__(self, root: str | os.PathLike[str], output: str | None = None) -> None:
        self._root = os.fspath(root)
        self._output = os.path.abspath(output) if output else None
        self._started = time.time_ns()
        self._variables = dict(os.environ)
        self._folder = os.getcwd()
        self._settings = _settings(self._root)
        self._sources = {path: _stamp(path) for path in _sources(self._root)}
        self._known: dict[str, Entry]
        self.files: int | None = None
        # A change within the tick of an earlier one shows in the content alone, so that is taken down now.
        self._fresh = {path: _hash_of(path) for path, stamp in self._sources.items() if not self._settled(stamp)}
        try:
            record = _read(self._record)
            if record and self._is_as(record):
                self.files = int(record["files"])
            self._known = dict(record.get("sources", {}))
        except (AttributeError, KeyError, TypeError, ValueError):
            self._known = {}
        if self.files is None:
            seen().begin(self._root)
            self._distrust_compiled()

    @property
    def _record(self) -> str:
        return os.path.join(self._root, RECORD)

    def _is_as(self, record: dict[str, Any]) -> bool:
        if (
            record["settings"] != self._settings
            or record["folder"] not in (None, self._folder)
            or any(os.environ.get(name) != value for name, value in record["variables"].items())
            or record["sources"].keys() != self._sources.keys()
            or record["written"].keys() != _files_below(os.path.join(self._root, top) for top in record["tops"])
        ):
            return False
        parts = ["sources", "others", "written"]
        if self._output:
            if record["output"] != self._output or record["left"].keys() != _files_below([self._output]):
                return False
            parts.append("left")
        renewed = False
        for name in parts:
            for path, entry in record[name].items():
                stamp = self._sources[path] if name == "sources" else _stamp(path, link=name in ("written", "left"))
                if not _same(path, stamp, entry):
                    return False
                if entry[0] != stamp and self._settled(stamp):
                    entry[0] = stamp
                    renewed = True
        if renewed:
            with contextlib.suppress(OSError):
                _write(self._record, json.dumps(record))
        return True

    def _settled(self, stamp: Stamp | None) -> bool:
        return stamp is not None and max(stamp[1], stamp[2]) < self._started - SETTLED

    def _distrust_compiled(self) -> None:
        """Keep Python from taking what it compiled of another text for that of a file with the same size and second.

        Python knows no more of the source: https://docs.python.org/3/reference/import.html#pyc-invalidation.
        """
        if self._fresh:
            sys.dont_write_bytecode = True
        for path, (stamp, _) in self._known.items():
            now = self._sources.get(path)
            if path.endswith(".py") and now and stamp != now:
                import importlib.util

                with contextlib.suppress(OSError):
                    os.unlink(importlib.util.cache_from_source(path))

    def remember(self, texts: dict[str, str], others: dict[str, str]) -> None:
        """Keep in mind that the files below the root are right: `texts` by their paths, `others` by their content.

        Only what is on disk now is remembered. Where that cannot be done, the next run compiles.
        """
        read = seen()
        read.end()
        if read.beyond:
            return
        try:
            written = {}
            for path, text in {**texts, **others}.items():
                place = os.path.join(self._root, path)
                written[place] = self._entry(_stamp(place, link=True), _hash(text.encode(errors="surrogateescape")))
            left = _files_below([self._output]) if self._output else set()
            others_read = _modules() | _packages() | self._elsewhere(read.opened | read.listed)
            record = {
                "format": FORMAT,
                "settings": self._settings,
                "folder": self._folder if read.relative else None,
                "variables": {name: self._variables.get(name) for name in sorted(read.variables)},
                "files": len(texts),
                "tops": sorted({path.partition("/")[0] for path in texts}),
                "sources": {path: self._source(path, stamp) for path, stamp in self._sources.items()},
                "others": {path: self._other(path, read) for path in sorted(others_read - self._sources.keys())},
                "written": written,
                "output": self._output,
                "left": {path: self._entry(_stamp(path, link=True), _hash_of(path)) for path in sorted(left)},
            }
            _write(self._record, json.dumps(record))
        except OSError:
            return

    def _source(self, path: str, stamp: Stamp | None) -> Entry:
        known = self._known.get(path)
        if known and known[0] is not None and known[0] == stamp:
            return known
        if path not in self._fresh and _stamp(path) != stamp:
            return [None, ""]  # Changed since the look, so nobody knows what was compiled.
        return self._entry(stamp, self._fresh.get(path) or _hash_of(path))

    def _other(self, path: str, read: Seen) -> Entry:
        stamp = _stamp(path)
        if stamp is None:
            return [None, ABSENT]
        return self._entry(stamp, _hash_of(path) if path in read.listed and self._settled(stamp) else "")

    def _entry(self, stamp: Stamp | None, content: str) -> Entry:
        return [stamp if self._settled(stamp) else None, content]

    def _elsewhere(self, paths: set[str]) -> set[str]:
        """What was read and is neither this project's output, nor a cache, nor of the machine."""
        apart = [os.path.join(self._root, name) + os.sep for name in ("deploy", "dist", ".cache", *SOURCES)]
        apart += ["/proc/", "/dev/", "/sys/"]
        apart += [self._output + os.sep] if self._output else []
        return {path for path in paths if not path.startswith(tuple(apart)) and not path.endswith(".pyc")} - {
            os.path.join(self._root, name) for name in ("deploy", *SOURCES)
        }


def unchanged_files(count: int) -> str:
    return f"{count} {'file' if count == 1 else 'files'} unchanged"


def right(files: int) -> str:
    return f"deploy/ is what the charts give: {files} {'file' if files == 1 else 'files'}"


def _same(path: str, now: Stamp | None, then: Entry) -> bool:
    stamp, content = then
    if now is None:
        return bool(content == ABSENT)
    if stamp == now:
        return True
    return bool(content) and not stat.S_ISLNK(now[4]) and _hash_of(path) == content


def _stamp(path: str, *, link: bool = False) -> Stamp | None:
    """The stamp of a file, of the link itself where one is asked for; None where there is none."""
    try:
        found = os.lstat(path) if link else os.stat(path)
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_mode]


def _settings(root: str) -> list[Any]:
    """What a compile depends on beside files: the Python, how it was started, and the variables that it looks at."""
    variables = [[name, value] for name, value in sorted(os.environ.items()) if name.startswith(SETTINGS)]
    python = [sys.version, sys.executable, sys.prefix, sys.base_prefix, *(getattr(sys.flags, name) for name in FLAGS)]
    return [FORMAT, root, python, [pair for pair in variables if pair[0] not in OUTPUT_ONLY]]


def _sources(root: str) -> list[str]:
    """The files that a definition is made of: those of its folders, those beside them, and packages found first."""
    found = []
    for entry in os.scandir(root):
        if entry.name in SOURCES:
            found += _walk(entry.path)
        elif entry.is_dir():
            package = os.path.join(entry.path, "__init__.py")
            found += [package] if os.path.exists(package) else []
        elif entry.name.endswith(SOURCE_ENDS):
            found.append(entry.path)
    return found


def _files_below(folders: Any) -> set[str]:
    return {path for folder in folders for path in _walk(folder, links=False)}


def _walk(folder: str, *, links: bool = True) -> list[str]:
    found: list[str] = []
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return found
    for entry in entries:
        if entry.is_dir(follow_symlinks=links):
            if entry.name not in SKIPPED:
                found += _walk(entry.path, links=links)
        elif not entry.name.endswith(".pyc"):
            found.append(entry.path)
    return found


def _modules() -> set[str]:
    """The modules that this process has loaded, and the Python and the Node that run them."""
    loaded = {file for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}
    return loaded | {os.path.realpath(path) for path in (sys.executable, os.environ.get("JSII_NODE")) if path}


def _packages() -> set[str]:
    """The folders of the packages of those modules, which change when one is installed or removed, and what Node reads.

    Node reads the archives that bindings carry; Python itself, before it looks here, what an installation begins with.
    """
    files = [file for file in _modules() if INSTALLED in file]
    folders = {os.path.dirname(file) for file in files}
    installations = {file.partition(INSTALLED)[0] + INSTALLED.rstrip(os.sep) for file in files}
    begun = {entry.path for folder in installations for entry in os.scandir(folder) if entry.name.endswith(".pth")}
    carrying = {folder for folder in folders if os.path.basename(folder) in ("_jsii", "jsii")}
    carried = {path for folder in carrying for path in _walk(folder) if path.endswith((".tgz", ".js"))}
    return folders | installations | begun | carried | {os.path.join(sys.prefix, "pyvenv.cfg")}


def _hash(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def _hash_of(path: str) -> str:
    """The hash of a file's content, of the names in a folder; empty for what cannot be read."""
    try:
        if os.path.isdir(path):
            return _hash("\0".join(sorted(os.listdir(path))).encode(errors="surrogateescape"))
        with open(path, "rb") as file:
            return _hash(file.read())
    except OSError:
        return ""


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) and record.get("format") == FORMAT else {}


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    beside = f"{path}.{os.getpid()}"
    with open(beside, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(beside, path)


if __name__ == "__main__":
    from synth import ROOT

    look = Look(ROOT, *sys.argv[1:2])
    if look.files is not None:
        print(unchanged_files(look.files), file=sys.stderr)  # noqa: T201, this is a command
    sys.exit(look.files is None)
