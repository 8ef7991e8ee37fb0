"""A digest that is given up: each wrong edit beside a right one."""

import pytest

from tests.synth.changes import edited, objects, told

WIKI = objects("""
apiVersion: apps/v1
kind: Deployment
metadata: {name: wiki, namespace: wiki}
spec:
  replicas: 2
  template: {spec: {containers: [{name: wiki, image: "wiki:1"}], initContainers: [{name: first, image: "wiki:1"}]}}
""")
REAL, OTHER = (f"sha256:{digit * 64}" for digit in "12")
NONE = f"sha256:{'0' * 64}"


@pytest.mark.parametrize("field", ["containers", "initContainers"])
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (f"wiki:1@{REAL}", f"wiki:1@{NONE}", ["unpinned Deployment wiki"]),
        (f"wiki:1@{REAL}", "wiki:1", ["unpinned Deployment wiki"]),
        (f"wiki:1@{REAL}", "wiki:2", ["unpinned Deployment wiki"]),
        (f"wiki:1@{REAL}", f"wiki:2@{OTHER}", []),
        (f"wiki:1@{NONE}", f"wiki:1@{REAL}", []),
        (f"wiki:1@{NONE}", "wiki:1", []),
        ("wiki:1", "wiki:2", []),
        ("wiki:1", f"wiki:1@{NONE}", []),
    ],
)
def test_a_digest_that_is_given_up(field: str, before: str, after: str, expected: list[str]) -> None:
    sides = [
        edited(WIKI, "Deployment", "wiki", **{f"spec__template__spec__{field}__0__image": i}) for i in (before, after)
    ]
    assert told(sides[0], sides[1]) == expected
