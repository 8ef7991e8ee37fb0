"""What linters are told of a workload: each rule that it breaks on purpose, with a reason, and no other."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from charts.shapes import App, CronJob, Health, Pod, Port, Replicas, Secret, StatefulSet, WebApp, Worker
from facts.environments import Environment
from facts.images import Image
from tests.charts.shapes.app import IMAGE, Filled, compiled, container, pod
from tests.environments import MANAGED, PLAIN

TAGS = replace(MANAGED, digests=False)
ALIKE = "pod-probes-identical"
PULL = "container-image-pull-policy"
VARIABLE = "CKV_K8S_35"
NO_DIGEST = "CKV_K8S_43"
ALWAYS = "CKV_K8S_15"
TAG = ("CKV_K8S_14", "container-image-tag")
BY_TAG = Image("registry.test/blog", "1.0")


def told(fill: Filled, environment: Environment = PLAIN, workload: str = "Deployment/blog") -> list[str]:
    """The rules that linters are told of, each once for each linter that knows it."""
    annotations = compiled(fill, environment)[workload]["metadata"]["annotations"]
    checkov = [text.partition("=")[0] for key, text in annotations.items() if key.startswith("checkov.io/")]
    scored = annotations.get("kube-score/ignore", "")
    return [*checkov, *(line.partition(",")[0] for line in scored.splitlines())]


@pytest.mark.parametrize(
    ("make", "alike"),
    [
        (lambda app: WebApp(app, host="blog", pod=pod()), True),
        (lambda app: WebApp(app, host=None, pod=Pod(container(ports=[Port(9000, "tcp-mail")]))), True),
        (lambda app: WebApp(app, host="blog", pod=Pod(container(ports=[Port(9000, "grpc")]))), False),
        (lambda app: Worker(app, "blog", pod=Pod(container(health=Health(command=["alive"])))), True),
        (
            lambda app: Worker(
                app, "blog", pod=Pod(container(ports=[Port(9000, "grpc")], health=Health(command=["alive"])))
            ),
            True,
        ),
    ],
    ids=["a page", "TCP", "gRPC", "a command", "gRPC asked by a command"],
)
def test_one_check_for_both_questions_is_told_where_the_linter_sees_it(
    make: Callable[[App], object], *, alike: bool
) -> None:
    assert (ALIKE in told(make)) == alike


def test_several_pods_are_spread_and_the_linter_has_a_rule_of_its_own_for_each_kind() -> None:
    store = Pod(container(ports=[Port(5432, "tcp-store")]))
    rules = told(lambda app: StatefulSet(app, "blog", pod=store, replicas=2), workload="StatefulSet/blog")
    assert [rule for rule in rules if "antiaffinity" in rule] == ["statefulset-has-host-podantiaffinity"]
    rules = told(lambda app: WebApp(app, host="blog", pod=pod(), replicas=Replicas(2)))
    assert [rule for rule in rules if "antiaffinity" in rule] == ["deployment-has-host-podantiaffinity"]


def test_a_job_is_asked_nothing() -> None:
    nightly = told(lambda app: CronJob(app, "blog", schedule="0 3 * * *", pod=pod()), MANAGED, workload="CronJob/blog")
    assert ALIKE not in nightly


@pytest.mark.parametrize("place", ["containers", "init"])
def test_a_secret_in_a_variable_is_told_wherever_it_is_read(place: str) -> None:
    def fill(app: App) -> None:
        reading = container(
            "reading", variables={"TOKEN": Secret(app, "vault", by="somebody").key("token")}, ports=[Port(8001, "grpc")]
        )
        pods = {"containers": Pod(container(port=8000), reading), "init": Pod(container(port=8000), init=[reading])}
        WebApp(app, host="blog", pod=pods[place])

    assert told(fill).count(VARIABLE) == 1
    assert VARIABLE not in told(lambda app: WebApp(app, host="blog", pod=pod(variables={"A": "1"})))


@pytest.mark.parametrize(
    ("images", "imported", "told_of"),
    [
        ([IMAGE], True, {PULL}),
        ([IMAGE], False, {PULL}),
        ([BY_TAG], True, {NO_DIGEST, ALWAYS, PULL}),
        ([BY_TAG], False, {NO_DIGEST}),
        ([IMAGE, BY_TAG], True, {NO_DIGEST, ALWAYS, PULL}),
        ([IMAGE, BY_TAG], False, {NO_DIGEST, PULL}),
        ([Image("blog", "latest")], True, {NO_DIGEST, ALWAYS, PULL, *TAG}),
        ([Image("registry.test/blog", "latest", IMAGE.digest)], True, {PULL}),
    ],
)
def test_of_the_images_is_told_what_is_so_of_one_of_them(
    images: list[Image], told_of: set[str], *, imported: bool
) -> None:
    containers = [
        container(f"c{number}", image, ports=[Port(8000 + number, f"http-{number}")])
        for number, image in enumerate(images)
    ]
    environment = PLAIN if imported else TAGS
    rules = told(lambda app: WebApp(app, host="blog", pod=Pod(*containers)), environment)
    assert {rule for rule in rules if rule in {NO_DIGEST, ALWAYS, PULL, *TAG}} == told_of
