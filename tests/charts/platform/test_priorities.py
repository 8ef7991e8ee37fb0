"""The priority classes."""

from charts.platform.priorities import DESCRIPTIONS, VALUES
from charts.shapes import Priority
from tests.deployed import objects


def test_none_takes_the_place_of_the_gateway_or_is_too_low_for_a_new_node() -> None:
    # A pod without a class has 0: the gateway and istiod. An autoscaler of nodes makes no room for less than -10.
    assert all(0 >= value >= -10 for value in VALUES.values())
    assert VALUES[Priority.ESSENTIAL] > VALUES[Priority.ORDINARY]


def test_every_class_has_a_value_of_its_own_and_says_what_it_is_for() -> None:
    assert set(VALUES) == set(DESCRIPTIONS) == set(Priority)
    assert len(set(VALUES.values())) == len(VALUES)


def test_none_is_what_a_pod_without_a_class_gets() -> None:
    assert not any(d.get("globalDefault") for d in objects("platform/priorities"))
