"""The Node runtime: what is done for speed changes nothing but the time, and gives way where it does not fit."""

import os
import signal
import subprocess
import sys
import time
import typing
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typeguard
from cdk8s import App, Chart
from cdk8s_plus_27 import k8s

from scripts.definition.warm import read_anew
from synth import ROOT, node
from synth.node import _obvious, ahead, side_by_side, to_json
from synth.unchanged import seen
from tests.workshop import Workshop


def config_map(chart: Chart, name: str, **data: str) -> k8s.KubeConfigMap:
    return k8s.KubeConfigMap(chart, name, metadata=k8s.ObjectMeta(name=name), data=data)


def three_charts() -> list[Any]:
    app = App()
    charts = [Chart(app, name) for name in ("a", "b", "c")]
    for chart in charts:
        for index in range(200):
            config_map(chart, f"{chart.node.id}-{index}", text="é" * index)
    return list(to_json(charts))


def service() -> list[Any]:
    """Types that Node makes, numbers, lists and maps, and most fields left out."""
    chart = Chart(App(), "service")
    port = k8s.ServicePort(port=80, target_port=k8s.IntOrString.from_string("http"))
    k8s.KubeService(chart, "a", spec=k8s.ServiceSpec(ports=[port], selector={"a": "b"}))
    limits = {"cpu": k8s.Quantity.from_number(2), "memory": k8s.Quantity.from_string("1Gi")}
    k8s.KubeResourceQuota(chart, "q", spec=k8s.ResourceQuotaSpec(hard=limits))
    return list(to_json([chart]))


def duplicate() -> list[Any]:
    chart = Chart(App(), "chart")
    config_map(chart, "same")
    config_map(chart, "same", wrong="this one")
    config_map(chart, "other")
    return list(to_json([chart]))


@pytest.mark.parametrize("work", [pytest.param(three_charts, marks=pytest.mark.slow), service])
def test_what_is_sent_ahead_is_what_comes_call_by_call(work: Callable[[], list[Any]]) -> None:
    assert ahead(work) == work()


def test_what_goes_wrong_ahead_is_told_by_the_line_that_it_is_about() -> None:
    with pytest.raises(Exception, match="There is already a Construct with name 'same' in Chart") as told:
        ahead(duplicate)
    frames = [entry for entry in told.traceback if entry.name == "duplicate"]
    assert "this one" in str(frames[0].statement)
    assert ahead(service) == service()


def test_an_error_of_ones_own_is_raised_once() -> None:
    tried = []

    def work() -> None:
        tried.append(1)
        config_map(Chart(App(), "chart"), "a")
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        ahead(work)
    assert tried == [1]


def test_a_wrong_count_is_noticed_and_done_again_call_by_call() -> None:
    def work() -> list[Any]:
        chart = Chart(App(), "chart")
        config_map(chart, "a")
        if node._node and node._node.ahead:
            assert node._node._number
            node._node._number += 1
        config_map(chart, "b")
        return list(to_json([chart]))

    assert [item["metadata"]["name"] for item in ahead(work)[0]] == ["a", "b"]
    assert ahead(service) == service()


class OwnJson(Chart):
    def to_json(self) -> list[Any]:
        return ["own"]


def test_a_chart_that_writes_itself_down_is_asked() -> None:
    assert ahead(lambda: list(to_json([OwnJson(App(), "own")]))) == [["own"]]


@pytest.mark.slow
def test_more_than_fits_between_the_two_blocks_neither() -> None:
    def work() -> int:
        chart = Chart(App(), "chart")
        for index in range(3 * node.WAITING):
            config_map(chart, f"m{index}", text="x" * 5000)
        return len(next(to_json([chart])))

    assert ahead(work) == 3 * node.WAITING


WRONG = """
from cdk8s import App, Chart
from tests.synth.test_node import config_map
from synth import node
def work():
    chart = Chart(App(), "chart")
    for _ in range(4 * node.WAITING):
        config_map(chart, "same", text="x" * 1000)
try:
    node.ahead(work)
except RuntimeError as error:
    print(str(error).splitlines()[0])
"""


@pytest.mark.slow
def test_nor_do_long_answers_that_say_what_is_wrong() -> None:
    """In a process of its own, which can be ended where the two wait for each other."""
    before = "from synth.node import start; start()"
    command = [sys.executable, "-c", f"{before}{WRONG}"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert "There is already a Construct with name 'same' in Chart" in said.stdout, said.stderr


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few there are on this machine."""
    monkeypatch.setattr(node, "_cores", lambda: 2)


@pytest.mark.slow
@pytest.mark.usefixtures("cores")
def test_works_beside_each_other_give_what_they_give_one_by_one() -> None:
    here = os.getpid()
    pids = side_by_side([os.getpid, os.getpid, os.getpid])
    assert pids[0] == here
    assert len(set(pids)) == 3
    works: list[Callable[[], list[Any]]] = [service, three_charts, service]
    assert side_by_side(works) == [work() for work in works]
    assert service() == ahead(service)


@pytest.mark.slow
@pytest.mark.usefixtures("cores")
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_goes_wrong_beside_is_raised_here_by_its_line(place: int) -> None:
    works = [service, service, service]
    works[place] = duplicate
    with pytest.raises(Exception, match="There is already a Construct with name 'same' in Chart") as told:
        side_by_side(works)
    frames = [entry for entry in told.traceback if entry.name == "duplicate"]
    assert "this one" in str(frames[0].statement)
    assert ahead(service) == service()


@pytest.mark.slow
@pytest.mark.usefixtures("cores")
@pytest.mark.parametrize("ends", [lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: os._exit(0)])
def test_a_process_that_ends_is_done_without(ends: Callable[[], None]) -> None:
    here = os.getpid()

    def work() -> list[Any]:
        if os.getpid() != here:
            ends()
        return service()

    assert side_by_side([work, work]) == [service(), service()]


@pytest.mark.slow
@pytest.mark.usefixtures("cores")
def test_what_cannot_be_sent_is_made_here() -> None:
    made = side_by_side([lambda: None, lambda: lambda: "a function has no place in a pickle"])
    assert made[1] is not None


@pytest.mark.slow
@pytest.mark.usefixtures("cores")
def test_what_is_read_beside_counts_as_read(tmp_path: Path) -> None:
    file = tmp_path / "a.conf"
    file.touch()
    seen().begin(str(tmp_path))
    side_by_side([lambda: "", file.read_text])
    assert str(file) in seen().opened
    seen().end()


@pytest.mark.slow
@pytest.mark.usefixtures("cores")
def test_no_process_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    fork = os.fork

    def noted() -> int:
        started.append(fork())
        return started[-1]

    monkeypatch.setattr(os, "fork", noted)

    def wrong() -> None:
        raise ValueError("here")

    side_by_side([service, service])
    with pytest.raises(ValueError, match="here"):
        side_by_side([wrong, lambda: time.sleep(600)])
    assert len(started) == 2
    for pid in started:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


KILLED = """
import os, signal
from synth import ROOT, ToolError, node
node.start()
from tests.synth.test_node import service
before = node.ahead(service)
for work in (lambda: node.ahead(service), service):
    os.kill(node._node.pipes.pid, signal.SIGKILL)
    try:
        work()
    except ToolError as error:
        print(error)
    node._node.again()
    assert node.ahead(service) == before
"""


@pytest.mark.slow
def test_a_killed_node_is_a_sentence_and_can_be_started_again() -> None:
    """In a process of its own: what charts have made and kept in this one is known to its Node alone."""
    ended = Workshop(ROOT).run(sys.executable, "-c", KILLED)
    sentence = "Node, which cdk8s runs on, ended before it had answered: run the command again\n"
    assert (ended.code, ended.out, ended.err) == (0, 2 * sentence, "")


COUNTS_OTHERWISE = """
from synth import node
node.FIRST = {first}
node.start()
from tests.synth.test_node import service
made = node.ahead(service)
print(made == node.ahead(service) == service())
"""


@pytest.mark.slow
@pytest.mark.parametrize("first", [1, 10_001])
def test_a_kernel_that_begins_to_count_elsewhere_gives_the_same(first: int) -> None:
    ended = Workshop(ROOT).run(sys.executable, "-c", COUNTS_OTHERWISE.format(first=first))
    assert (ended.code, ended.out, ended.err) == (0, "True\n", "")


HINTS: list[Any] = [
    str,
    int,
    bool,
    str | None,
    # As the bindings write it:
    typing.Optional[str],  # noqa: UP045
    typing.Union[int, float],  # noqa: UP007
    typing.Sequence[str],
    typing.Mapping[str, str],
    typing.Mapping[str, typing.Sequence[int]],
    typing.Optional[typing.Sequence[k8s.EnvVar | dict[str, Any]]],  # noqa: UP045
    typing.Optional[k8s.ObjectMeta | dict[str, Any]],  # noqa: UP045
    k8s.Quantity,
    Any,
]
VALUES: list[Any] = [
    *("a", "", 1, 0, True, 1.5, None, b"a", (), ("a",), [], ["a"], [1], ["a", 1], [None], [["a"]], {1, 2}),
    *({}, {"a": "b"}, {"a": 1}, {1: "a"}, {"a": [1]}, {"a": ["b"]}, object(), str, k8s.ObjectMeta),
    *(k8s.EnvVar(name="A"), [k8s.EnvVar(name="A")], [k8s.EnvVar(name="A"), 1], k8s.ObjectMeta(name="a")),
]


@pytest.mark.parametrize("hint", HINTS, ids=str)
def test_nothing_is_obvious_that_typeguard_would_refuse(hint: Any) -> None:
    told = [value for value in VALUES if _obvious(hint)(value)]
    for value in told:
        typeguard_check(value, hint)
    assert told or hint is Any or hint is k8s.Quantity


def typeguard_check(value: object, hint: Any) -> None:
    """What typeguard itself says, without the short cut."""
    inner = typeguard.check_type.__closure__
    assert inner
    (original,) = (cell.cell_contents for cell in inner if callable(cell.cell_contents))
    original("value", value, hint)


def test_a_wrong_type_is_refused_as_before() -> None:
    with pytest.raises(TypeError, match="type of argument ports must be"):
        k8s.ServiceSpec(ports="http")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"type of argument name must be .*; got int instead"):
        k8s.EnvVar(name=1)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(
    "otherwise",
    [
        "import os; os.environ['PLATFORM_PLAIN_NODE'] = '1'",
        "from synth import node; node._program = lambda: None",
        "from synth import node; node._given_values = lambda convert: convert.nothing",
    ],
    ids=["no tricks", "jsii carries other files", "jsii has other parts"],
)
def test_without_the_tricks_the_same_comes_out(tmp_path: Path, otherwise: str) -> None:
    workshop = Workshop.at(tmp_path)
    before = workshop.deployed()
    node_before = "from synth.node import use_pinned_node; use_pinned_node(); "
    ended = workshop.run(sys.executable, "-c", f"{node_before}{otherwise}; import main; raise SystemExit(main.main())")
    assert ended.code == 0, ended.err
    assert ended.err.endswith(" files unchanged\n")
    assert workshop.deployed() == before


def test_this_process_runs_as_the_commands_do() -> None:
    assert node._node
    assert import_module("jsii._runtime").kernel.provider._process is node._node


@pytest.mark.slow
@pytest.mark.usefixtures("cores")
def test_many_apps_are_compiled_beside_each_other_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time by charts that have made nothing yet, as the commands do; and nothing is done a second time here."""
    with read_anew(ROOT):
        compose = import_module("charts.compose")
        before = compose.compile_platform()
    done_here, really = [], node.ahead

    def counted(work: Callable[[], object]) -> object:
        done_here.append(work)
        return really(work)

    monkeypatch.setattr(node, "ahead", counted)
    with read_anew(ROOT):
        compose = import_module("charts.compose")
        monkeypatch.setattr(compose, "MANY", 0)
        names = {environment.name for environment in compose.ENVIRONMENTS}
        beside = compose.compile_platform(str(tmp_path))
    assert len(done_here) == 1
    assert {path: file.text() for path, file in beside.files.items()} == {
        path: file.text() for path, file in before.files.items()
    }
    assert list(beside.files) == list(before.files)
    assert {folder.name for folder in tmp_path.iterdir()} == names


@pytest.mark.slow
@pytest.mark.parametrize("cold", [False, True], ids=["warm", "cold"])
@pytest.mark.parametrize("end", ["pass", "os._exit(0)"], ids=["in order", "at once"])
def test_an_end_right_after_the_start_is_quiet(tmp_path: Path, end: str, *, cold: bool) -> None:
    """The end of Node too, which says what it says before the pipe to here is closed."""
    workshop = Workshop.at(tmp_path) if cold else Workshop(ROOT)
    for _ in range(2):
        ended = workshop.run(sys.executable, "-c", f"import os; from synth.node import start; start(); {end}")
        assert (ended.code, ended.err) == (0, "")
