"""A compile in a process that compiled before: cdk8s and its Node stay, the definition is read anew."""

import gc
import importlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType

import main
from synth import ROOT
from synth.node import start

DEFINITION = ("charts", "facts")


def compile_again(root: Path = ROOT) -> tuple[int, str]:
    """Compile the definition below `root` as its files are now and publish it there: the exit code, and what to say.

    Raises:
        ToolError: cdk8s cannot start.
    """
    start()
    with read_anew(root):
        return main.compiled(root)


def serve() -> None:
    """Compile once for every line on standard input, and answer with a line of JSON: the exit code and what to say.

    What charts print goes to standard error, so that it does not get between the answers.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    start()
    gc.collect()
    gc.freeze()
    # What a compile leaves is collected after the answer: who saves does not wait for it.
    gc.disable()
    for _ in sys.stdin:
        print(json.dumps(compile_again()), file=answers, flush=True)
        gc.collect()


@contextmanager
def read_anew(root: Path, packages: Sequence[str] = DEFINITION) -> Iterator[None]:
    """Let the definition, or other packages, be those below `root`, as their files are now.

    Only cdk8s, the bindings and `synth` are those that this process has. Nothing of the packages, nor of what they did
    to the process's variables, folder or modules, is left afterwards.
    """
    modules = {name: sys.modules.pop(name) for name in _loaded(packages)}
    path, variables, folder = [*sys.path], dict(os.environ), Path.cwd()
    get_code = SourceFileLoader.get_code

    def code_of(loader: SourceFileLoader, name: str) -> CodeType | None:
        if name.partition(".")[0] not in packages:
            return get_code(loader, name)
        file = loader.get_filename(name)
        return _code(loader.get_data(file), file)

    sys.path.insert(0, str(root))
    SourceFileLoader.get_code = code_of  # type: ignore[assignment, method-assign]
    importlib.invalidate_caches()
    try:
        yield
    finally:
        SourceFileLoader.get_code = get_code  # type: ignore[method-assign]
        os.chdir(folder)
        for name in os.environ.keys() - variables.keys():
            del os.environ[name]
        os.environ.update(variables)
        sys.path[:] = path
        for name in _loaded(packages):
            del sys.modules[name]
        sys.modules.update(modules)


@lru_cache(maxsize=1024)
def _code(source: bytes, file: str) -> CodeType:
    """What Python compiles a source to: from one compile to the next most sources are the same, to the byte.

    Python itself tells one by its second and its size, which is not enough for who saves twice in a second.
    """
    return compile(source, file, "exec", dont_inherit=True)


def _loaded(packages: Sequence[str]) -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] in packages]
