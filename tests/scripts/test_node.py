"""What is said when something of a cluster does not come up: the first cause that can be found, in its own words."""

from pathlib import Path
from typing import Any

import pytest

from scripts.gate.node.node import Node, causes, unready
from synth import ToolError
from synth.manifest import Document


def pod(**status: Any) -> Document:
    return {"metadata": {"namespace": "blog", "name": "page-1"}, "status": status}


def waiting(reason: str, message: str = "") -> Document:
    return {"name": "page", "state": {"waiting": {"reason": reason, "message": message}}}


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]},
            "pod blog/page-1: 0/1 nodes are available",
        ),
        (
            {"containerStatuses": [waiting("ImagePullBackOff", "not found")]},
            "pod blog/page-1: container page is waiting: ImagePullBackOff: not found",
        ),
        (
            {"initContainerStatuses": [waiting("CrashLoopBackOff")]},
            "pod blog/page-1: container page is waiting: CrashLoopBackOff",
        ),
        (
            {"containerStatuses": [{"name": "page", "state": {"terminated": {"reason": "OOMKilled"}}}]},
            "pod blog/page-1: container page is terminated: OOMKilled",
        ),
    ],
)
def test_a_pod_that_is_not_well_says_why(status: Document, cause: str) -> None:
    assert list(causes([pod(**status)])) == [cause]


def test_a_pod_that_is_well_or_on_its_way_is_no_cause() -> None:
    done = {"name": "tidy", "state": {"terminated": {"reason": "Completed"}}}
    running = {"name": "page", "state": {"running": {}}}
    scheduled = {"type": "PodScheduled", "status": "True"}
    statuses = [{"conditions": [scheduled]}, {"containerStatuses": [waiting("PodInitializing"), running, done]}, {}]
    assert list(causes(pod(**status) for status in statuses)) == []


def test_a_kustomization_that_is_not_ready_says_why() -> None:
    def item(name: str, status: str, message: str) -> Document:
        condition = {"type": "Ready", "status": status, "message": message}
        return {"metadata": {"name": name}, "status": {"conditions": [condition]}}

    items = [item("apps", "False", "no such file"), item("platform", "True", "Applied"), {"metadata": {"name": "new"}}]
    assert list(unready(items)) == ["Kustomization apps: no such file"]


KUBECTL = """#!/bin/sh
case "$*" in
  *" pods "*) echo '{"items": [{"metadata": {"namespace": "blog", "name": "page"}, "status": {"containerStatuses": [
    {"name": "page", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]}}]}' ;;
  *" events "*) echo '{"items": [{"involvedObject": {"kind": "Pod", "name": "page"}, "reason": "Failed",
    "message": "no image"}]}' ;;
  *" missing"*) echo 'Error from server (NotFound): nothing' >&2; exit 1 ;;
  *) echo '{"items": []}' ;;
esac
"""


@pytest.fixture
def node(tmp_path: Path) -> Node:
    kubernetes = tmp_path / "kubernetes"
    kubernetes.write_text(KUBECTL)
    kubernetes.chmod(0o755)
    (tmp_path / "logs").mkdir()
    return Node(kubernetes, tmp_path / "logs", tmp_path, say=lambda _: None)


def test_what_is_not_so_in_time_is_told_with_its_causes_and_where_the_logs_are(node: Node) -> None:
    with pytest.raises(ToolError) as error:
        node.wait("the page is there", lambda: False, 0)
    assert str(error.value).splitlines() == [
        "not reached after 0 s: the page is there",
        "  pod blog/page: container page is waiting: ImagePullBackOff",
        "  Pod page: Failed: no image",
        f"  logs: {node.logs}",
    ]


def test_what_is_so_is_waited_for_and_an_answer_that_fails_is_no_end(node: Node) -> None:
    asked = []

    def reached() -> bool:
        asked.append(True)
        if len(asked) == 1:
            node.kubectl("get", "missing")
        return len(asked) == 3

    assert node.wait("third time", reached, 20) > 0
    assert len(asked) == 3


def test_a_part_that_ends_is_told_with_its_last_words(node: Node) -> None:
    node.start("etcd", "sh", "-c", "echo first; echo the disk is full >&2; echo; exit 4")
    with pytest.raises(ToolError, match=rf"^etcd ended with exit code 4: the disk is full \({node.logs}/etcd\.log\)$"):
        node.wait("it answers", lambda: False, 20)


def test_kubectl_fails_in_its_own_words(node: Node) -> None:
    with pytest.raises(ToolError, match=r"^kubectl get missing: Error from server \(NotFound\): nothing$"):
        node.kubectl("get", "missing")
