"""A compile in a warm process: what a cold one gives, each time, whatever was compiled before."""

import os
import py_compile
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from synth.node import start
from tests.workshop import Kept, Workshop

pytestmark = pytest.mark.slow
LEAVES = """
import os, sys
import facts.images
from charts.shapes import App
os.environ["LEFT"] = "1"
os.environ.pop("PATH")
os.chdir("/")
sys.path.insert(0, "/nowhere")
facts.images.UNKNOWN_DIGEST = "left"
def finish(self):
    raise ValueError('left')
App.finish = finish
"""
ENDS = {
    "where it has begun": "",
    "with an error": "raise ValueError('a mistake')",
    "with a wrong line": "this is no Python",
    "with the end of Python": "sys.exit(0)",
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return Kept(Workshop.at(tmp_path_factory.mktemp("warm")))


@pytest.fixture
def workshop(kept: Kept) -> Iterator[Workshop]:
    yield kept.workshop
    kept.put_back()


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_nothing_is_left_of_one_compile_for_the_next(workshop: Workshop, end: str) -> None:
    start()
    before = workshop.deployed()
    process = (dict(os.environ), [*sys.path], Path.cwd(), dict(sys.modules))
    apps = workshop.root / "charts/apps/__init__.py"
    right = apps.read_text("utf-8")
    apps.write_text(f"{right}{LEAVES}{end}\n", "utf-8")
    assert workshop.compile().code == 1
    apps.write_text(right, "utf-8")

    ended = workshop.compile()
    assert ended.code == 0, ended.err
    assert workshop.deployed() == before
    assert process[:3] == (dict(os.environ), [*sys.path], Path.cwd())
    definition = {name for name in sys.modules if name.partition(".")[0] in ("charts", "facts")}
    assert {name: sys.modules[name] for name in definition} == {
        name: module for name, module in process[3].items() if name.partition(".")[0] in ("charts", "facts")
    }


def test_every_save_counts_however_quickly_it_follows_and_whatever_its_length(workshop: Workshop) -> None:
    fact = workshop.root / "facts/layout.py"
    text = fact.read_text("utf-8")
    seen = fact.stat()
    py_compile.compile(str(fact))
    for mark in ("one", "two"):
        fact.write_text(f"{text}raise ValueError('{mark}')\n", "utf-8")
        os.utime(fact, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        ended = workshop.compile()
        assert (ended.code, ended.err.split()[0]) == (1, mark)


def test_a_chart_that_ends_python_is_told(workshop: Workshop) -> None:
    with (workshop.root / "charts/apps/__init__.py").open("a", encoding="utf-8") as chart:
        chart.write("import sys\nsys.exit(0)\n")
    ended = workshop.compile()
    assert ended.code == 1
    assert ended.err.startswith("sys.exit(0) would end the compile here: raise an error that says what is wrong")
