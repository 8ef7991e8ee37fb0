"""The priority classes."""

from charts.platform.priorities import DESCRIPTIONS, VALUES, Priority
from tests.deployed import objects, the


def test_the_wiki_goes_before_the_test_app() -> None:
    values = {d["metadata"]["name"]: d["value"] for d in objects("platform/priorities")}
    wiki, test = (
        values[the(f"apps/{app}", "Deployment")["spec"]["template"]["spec"]["priorityClassName"]]
        for app in ("graphwiki", "test-app")
    )
    # A pod without a class has 0: the gateway and istiod, of which no app may take the place.
    assert 0 >= wiki > test >= -10


def test_every_class_has_a_value_of_its_own_and_says_what_it_is_for() -> None:
    assert set(VALUES) == set(DESCRIPTIONS) == set(Priority)
    assert len(set(VALUES.values())) == len(VALUES)


def test_none_is_what_a_pod_gets_unasked() -> None:
    assert not any(d.get("globalDefault") for d in objects("platform/priorities"))
