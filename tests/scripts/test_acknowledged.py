"""What the API server refuses in place: a fault of the gate, unless it is acknowledged, or asked for by `review`."""

import re

import pytest

from scripts.gate import kubernetes
from scripts.gate.judges import admission
from scripts.gate.judges.admission import to_be_acknowledged
from scripts.gate.judges.judging import Remark
from scripts.gate.judges.reconciliation import Applied, Step
from synth.changes.acceptances import read
from synth.manifest import Document
from tests.environments import PLAIN


def settings(value: str) -> Document:
    metadata = {"name": "shop", "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": value}}


def priority(value: int) -> Document:
    kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
    return {**kind, "metadata": {"name": "shop"}, "value": value}


@pytest.fixture(autouse=True)
def no_definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes, "definitions", list)


SETTINGS = Applied(settings("1"), "deploy/shop/settings.yaml", "charts/apps/shop.py")


def test_what_is_refused_in_place_is_a_fault_unless_it_is_acknowledged() -> None:
    """Here a change that only the server knows to be refused."""
    changed = Applied(settings("2"), SETTINGS.path, SETTINGS.source)
    sides, stuck = ([Step("shop", (changed,))], [Step("shop", (SETTINGS,))]), {changed: "field is immutable"}
    (fault,) = to_be_acknowledged(PLAIN, *sides, stuck, ())
    assert not isinstance(fault, Remark)
    assert fault.startswith(
        "deploy/shop/settings.yaml: ConfigMap shop/shop: cannot be changed in place to this: field is"
    )
    (line,) = re.findall(r"`(accepts: .*) WHY`", fault)
    assert list(to_be_acknowledged(PLAIN, *sides, stuck, read(f"{line} we make it anew on Sunday", "a test"))) == []
    assert list(to_be_acknowledged(PLAIN, *sides, stuck, read(f"{line}", "a test"))) == [fault]


def test_what_the_review_asks_to_acknowledge_is_noted_and_no_fault_of_the_gate() -> None:
    old, new = (Applied(priority(value), "deploy/shop/priority.yaml") for value in (1, 2))
    (remark,) = to_be_acknowledged(PLAIN, [Step("shop", (new,))], [Step("shop", (old,))], {new: "no"}, ())
    assert isinstance(remark, Remark)
    assert remark.endswith("cannot be changed in place to this: no; `./gw review` has what to do instead")


def test_where_there_is_no_base_the_judge_says_what_it_does_not_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "bases", list)
    monkeypatch.setattr(kubernetes, "minors", list)
    (remark,) = admission.kubernetes()
    assert isinstance(remark, Remark)
    assert remark.startswith(
        "not looked at: what cannot be changed in place, for there is no origin/main nor main here"
    )
