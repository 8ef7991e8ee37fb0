"""What the rules at `make synth` keep from a cluster: each wrong edit does there what its sentence says.

A rule that is wrong itself would show here: it would speak of a tree that works.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import pytest

from facts.layout import COMPONENTS_FILE
from facts.provided import provided
from scripts.gate.node.cluster import Cluster
from synth.manifest import Document
from synth.overview import Overview
from synth.overview.model import Address, App
from synth.rules import check
from synth.tree import File, Tree
from tests.cluster.conftest import IN_MESH, ask, called, urls_of
from tests.cluster.delivery import apps, documents_of, edited, rewritten

SECONDS = 60
"""How long the proxies may take to hear of a change."""
NOTHING = 0
"""The status of no answer at all."""


@dataclass(frozen=True)
class Edit:
    """A wrong edit of an app's objects of one kind: what the rules say, and what a visitor gets."""

    kind: str
    change: Callable[[Document, App], object]
    told: str
    status: int

    def __str__(self) -> str:
        return f"{self.status} {self.told}"


def rules_of(document: Document, *rules: Document) -> None:
    document["spec"]["rules"] = list(rules)


def routes(document: Document, change: Callable[[Document], object]) -> None:
    """Change what leads to an app, and not what leads from HTTP to HTTPS."""
    for entry in document["spec"].get("http", ()):
        if "route" in entry:
            change(entry)


def into_the_root(document: Document, app: App) -> None:
    document["metadata"].update(namespace="istio-system")
    document["spec"] = {"rules": [{"from": [{"source": {"namespaces": [app.namespace]}}]}]}


BROKEN = {"abort": {"percentage": {"value": 100}, "httpStatus": 418}}
GATEWAY = {"from": [{"source": {"namespaces": ["istio-system"]}}]}

EDITS = (
    Edit("Service", lambda it, _: it["spec"]["ports"][0].update(targetPort=9), "sends port", 503),
    Edit("Service", lambda it, _: it["spec"].update(selector={"app": "nobody"}), "selects pods with app=nobody", 503),
    Edit(
        "AuthorizationPolicy",
        lambda it, _: rules_of(it, GATEWAY | {"to": [{"operation": {"ports": ["80"]}}]}),
        "is for requests to port 80",
        403,
    ),
    Edit(
        "AuthorizationPolicy",
        lambda it, _: rules_of(it, {"from": [{"source": {"principals": ["cluster.local/ns/istio-system/sa/ingres"]}}]}),
        "names ServiceAccount ingres",
        403,
    ),
    Edit(
        "AuthorizationPolicy",
        lambda it, _: rules_of(it, {"from": [{"source": {"requestPrincipals": ["*"]}}]}),
        "asks for a token by requestPrincipals",
        403,
    ),
    Edit("AuthorizationPolicy", into_the_root, "so that everybody gets 403", 403),
    Edit(
        "DestinationRule",
        lambda it, _: it["spec"]["trafficPolicy"].update(tls={"mode": "DISABLE"}),
        "has its callers speak TLS mode DISABLE",
        503,
    ),
    Edit(
        "VirtualService",
        lambda it, _: routes(
            it, lambda entry: entry["route"][0]["destination"].update(host="nobody.x.svc.cluster.local")
        ),
        "sends to Service nobody",
        503,
    ),
    Edit(
        "VirtualService",
        lambda it, _: routes(it, lambda entry: entry.update(fault=BROKEN)),
        "let requests fail on purpose",
        418,
    ),
    Edit(
        "VirtualService",
        lambda it, _: routes(it, lambda entry: entry.update(timeout="1ms", retries={"attempts": 0})),
        "in which hardly anything answers",
        504,
    ),
    Edit(
        "VirtualService",
        lambda it, _: it["spec"].update(gateways=["istio-system/mian"]),
        "Gateway istio-system/mian",
        404,
    ),
    Edit(
        "VirtualService",
        lambda it, _: it["spec"].update(hosts=["other.example.org"]),
        "answers for other.example.org",
        404,
    ),
)


@pytest.fixture
def app(overview: Overview, addresses: list[Address]) -> App:
    """An app that visitors reach."""
    return next(app for app in overview.apps if set(addresses).intersection(app.addresses))


@pytest.fixture(autouse=True)
def _put_back(cluster: Cluster, addresses: list[Address]) -> Iterator[None]:
    before = cluster.git.revision
    yield
    revision = cluster.git.revert_to(before)
    cluster.reconcile()
    cluster.wait_applied(revision)
    for one in addresses:
        becomes(cluster, one, 200)


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_a_wrong_edit_does_what_its_sentence_says(
    cluster: Cluster, app: App, addresses: list[Address], edit: Edit
) -> None:
    own = owned(cluster, app, edit.kind)
    edited(cluster, edit.kind, lambda it: edit.change(it, app), own)
    assert any(edit.told in sentence for sentence in sentences(cluster))
    cluster.wait_applied(cluster.publish(f"A wrong {edit.kind}"))
    for one in set(addresses).intersection(app.addresses):
        becomes(cluster, one, edit.status)


def test_the_gateway_of_no_pods_answers_nobody(cluster: Cluster, addresses: list[Address]) -> None:
    for file, document in documents_of(cluster.tree / "platform"):
        if document["kind"] == "Gateway":
            rewritten(file, lambda it: it["spec"].update(selector={"istio": "ingres"}), "Gateway")
    assert any("is for pods with istio=ingres" in sentence for sentence in sentences(cluster))
    cluster.wait_applied(cluster.publish("A gateway of no pods"))
    for one in addresses:
        becomes(cluster, one, NOTHING, 404)


@pytest.mark.usefixtures("clients")
def test_who_may_call_is_everybody_where_it_is_only_written_down(cluster: Cluster, app: App) -> None:
    policies = owned(cluster, app, "AuthorizationPolicy")
    edited(cluster, "AuthorizationPolicy", lambda it: it["spec"].update(action="AUDIT"), policies)
    assert any("may be called by every pod in the mesh" in sentence for sentence in sentences(cluster))
    cluster.wait_applied(cluster.publish("A policy that writes down"))
    urls = urls_of([service for service in app.services if service.workloads][:1])
    cluster.node.wait(
        "a stranger gets in", lambda: called(cluster, IN_MESH, "deployment/client", "client", *urls) == ["200"], SECONDS
    )


def owned(cluster: Cluster, app: App, kind: str) -> list[Document]:
    """An app's objects of a kind."""
    return [item for item in apps(cluster, kind) if item["metadata"].get("namespace") == app.namespace]


def becomes(cluster: Cluster, one: Address, *statuses: int) -> None:
    """Wait until a visitor gets one of these."""

    def is_so() -> bool:
        return status(one) in statuses

    cluster.node.wait(f"{one} answers with {' or '.join(map(str, statuses))}", is_so, SECONDS)


def status(one: Address) -> int:
    try:
        return ask(one.host, one.path, one.port, one.protocol).status
    except OSError:
        return NOTHING


def sentences(cluster: Cluster) -> list[str]:
    """What the rules say of the tree as it is now; Flux's own manifest is nobody's chart."""
    found: dict[str, File] = {}
    for item in (item for item in cluster.files if not item.path.endswith(f"/{COMPONENTS_FILE}")):
        others = found[item.path].documents if item.path in found else ()
        found[item.path] = File((*others, item.document), PurePosixPath(item.path).parent.name)
    return [str(violation) for violation in check(Tree(found), provided(cluster.environment))]
