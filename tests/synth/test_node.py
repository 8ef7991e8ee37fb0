"""The Node runtime: what is done for speed changes nothing but the time, and gives way where it does not fit."""

import os
import signal
import sys
import typing
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typeguard
from cdk8s import App, Chart
from cdk8s_plus_27 import k8s

from synth import ToolError, node
from synth.node import _obvious, ahead, to_json
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


@pytest.mark.parametrize("work", [three_charts, service])
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


def test_more_than_fits_between_the_two_blocks_neither() -> None:
    def work() -> int:
        chart = Chart(App(), "chart")
        for index in range(3 * node.WAITING):
            config_map(chart, f"m{index}", text="x" * 5000)
        return len(next(to_json([chart])))

    assert ahead(work) == 3 * node.WAITING


@pytest.fixture
def killed() -> Iterator[None]:
    assert node._node
    os.kill(node._node.pipes.pid, signal.SIGKILL)
    yield
    node._node.again()


@pytest.mark.usefixtures("killed")
def test_a_killed_node_is_a_sentence_and_can_be_started_again() -> None:
    works: list[Callable[[], object]] = [lambda: ahead(service), service]
    for work in works:
        with pytest.raises(ToolError, match="Node, which cdk8s runs on, ended before it had answered"):
            work()
    assert node._node
    node._node.again()
    assert ahead(service) == service()


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
