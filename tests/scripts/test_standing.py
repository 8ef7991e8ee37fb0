"""The API server beside `watch`: what changes is asked about, once, and what it refuses is said."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from copy import deepcopy

import pytest

from facts.environments import ENVIRONMENTS
from facts.layout import OF_APPS
from scripts.definition.committed import files_here
from scripts.gate import kubernetes
from scripts.gate.judges.admission import prepared
from scripts.gate.judges.reconciliation import Applied, Files, Reconciliation
from scripts.gate.standing import Standing
from synth.manifest import Document, dump
from tests.workshop import Workshop

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not kubernetes.is_built(), reason="Kubernetes is not built yet; `make verify` builds it where there is Go"
    ),
]
FIRST, *_ = ENVIRONMENTS
LIMIT = 240
"""How many seconds a busy machine may take."""


@pytest.fixture(scope="module")
def standing() -> Iterator[Standing]:
    (minor, *others) = kubernetes.minors()
    specs = [definition["spec"] for definition in kubernetes.definitions()]
    kinds = {(spec["group"], spec["names"]["kind"]) for spec in specs}
    with prepared(minor, kinds) as server:
        yield Standing(dict.fromkeys((minor, *others), server))


def changed(files: Files, kind: str, change: Callable[[Document], object]) -> tuple[str, Files]:
    """The files with one object of a kind, of an app in the first environment, changed; and its path."""
    item = next(item for item in Reconciliation(files, FIRST.path).objects if _is_of_an_app(item, kind))
    document = deepcopy(item.document)
    change(document)
    return item.path, {**files, item.path: dump([document])}


def _is_of_an_app(item: Applied, kind: str) -> bool:
    folders = tuple(f"{FIRST.path}/{folder}/" for folder in ("apps", OF_APPS))
    return item.document["kind"] == kind and item.path.startswith(folders)


def test_what_is_committed_is_taken_and_a_change_is_asked_about_once(standing: Standing) -> None:
    files = files_here()
    assert list(standing.refusals(files)) == []
    path, wrong = changed(files, "Service", lambda it: it["spec"].update(externalTrafficPolicy="Local"))
    (refusal,) = standing.refusals(wrong)
    assert refusal.startswith(f"{path}: Service ")
    assert "externalTrafficPolicy" in refusal
    assert list(standing.refusals(wrong)) == []
    assert list(standing.refusals(files)) == []


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("Deployment", lambda it: it["spec"].update(noField=1), "noField"),
        ("Namespace", lambda it: it["metadata"]["labels"].update({"no label": "x"}), "no label"),
        ("VirtualService", lambda it: it["spec"].update(hosts="all"), "hosts"),
        ("Deployment", lambda it: it["spec"]["template"]["spec"].update(priorityClassName="nobodys"), "its Pod"),
    ],
    ids=["an unknown field", "a namespace", "a custom kind", "the pods of a workload"],
)
def test_every_kind_is_asked_about(
    standing: Standing, kind: str, change: Callable[[Document], object], words: str
) -> None:
    path, wrong = changed(files_here(), kind, change)
    assert any(path in refusal and words in refusal for refusal in standing.refusals(wrong))
    assert list(standing.refusals(files_here())) == []


def test_watch_shows_what_it_refuses(tmp_path_factory: pytest.TempPathFactory) -> None:
    workshop = Workshop.at(tmp_path_factory.mktemp("watched"))
    # Whatever rules there are, the server is to be the one that refuses it.
    workshop.edit("charts/compose.py", "from synth.rules import check\n", "check = lambda *_: []\n")
    workshop.edit(
        "charts/compose.py",
        "        app.finish()\n",
        "        app.finish()\n"
        "    from cdk8s import JsonPatch\n"
        "    for app in apps:\n"
        "        for item in app.api_objects:\n"
        "            if item.kind == 'Service':\n"
        "                item.add_json_patch(JsonPatch.add('/spec/externalTrafficPolicy', 'Local'))\n",
    )
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "scripts", "watch"],
        cwd=workshop.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as watch:
        assert watch.stdout
        too_late = threading.Timer(LIMIT, watch.kill)
        too_late.start()
        try:
            line = next((line for line in watch.stdout if line.startswith("the API server refuses ")), "")
        finally:
            too_late.cancel()
            watch.send_signal(signal.SIGINT)
        assert "externalTrafficPolicy" in line
        watch.stdout.read()
    assert watch.returncode == 130
