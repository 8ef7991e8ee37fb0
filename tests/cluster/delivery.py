"""What Flux does with commits and with changes made by hand: they arrive, they are put back, what is broken is said."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from facts.layout import FLUX_FOLDER, SYNC_NAME
from facts.provided import KEEP
from scripts.gate.node.cluster import Cluster, applied, ready
from synth.manifest import Document

SECONDS = 180
"""How long Flux may take over a commit: it looks again at a Kustomization whose dependency was not ready after 30 s."""
BROKEN_TIMEOUT = "45s"
"""How long the Kustomizations of a broken tree wait for what does not come, here: minutes would prove no more."""


@pytest.fixture(autouse=True)
def _put_back(cluster: Cluster) -> Iterator[None]:
    """Begin and end with what is committed: the commit that mends a broken one arrives."""
    before = cluster.git.revision
    yield
    if cluster.git.revision != before:
        revision = cluster.git.revert_to(before)
        cluster.reconcile()
        cluster.wait_applied(revision, SECONDS)


def test_a_commit_arrives(cluster: Cluster) -> None:
    def labelled(service: Document) -> None:
        service["metadata"].setdefault("labels", {})["proof"] = "delivery"

    services = edited(cluster, "Service", labelled)
    cluster.wait_applied(cluster.publish("A label on every Service"), SECONDS)
    for service in services:
        assert live(cluster, service)["metadata"]["labels"]["proof"] == "delivery"


def test_what_depends_waits_until_the_other_is_well_again(cluster: Cluster) -> None:
    dependents = [item for item in cluster.kustomizations() if item["spec"].get("dependsOn")]
    assert dependents
    before = {item["metadata"]["name"]: applied(item) for item in dependents}
    broken = {other["name"] for item in dependents for other in item["spec"]["dependsOn"]} - set(before)
    for item in cluster.kustomizations():
        if item["metadata"]["name"] in broken:
            kustomization(cluster, item, lambda resources: [*resources, "missing.yaml"])
    cluster.publish("A file that is missing")
    for name in broken:
        assert "missing.yaml" in said(cluster, name)
    for item in cluster.kustomizations():
        name = item["metadata"]["name"]
        if name in before:
            assert applied(item) == before[name]
    assert_serving(cluster)


def test_drift_is_put_back(cluster: Cluster) -> None:
    changes = {
        "Deployment": ("spec", "replicas", 0),
        "ResourceQuota": ("spec", "hard", {"pods": "99"}),
        "VirtualService": ("spec", "hosts", ["drift.example.com"]),
    }
    changed = []
    for kind, (*path, value) in changes.items():
        for document in apps(cluster, kind):
            above, field = path
            if field in document[above]:
                patch(cluster, document, {above: {field: value}})
                changed.append((document, above, field))
    deleted = apps(cluster, "NetworkPolicy")
    for document in deleted:
        delete(cluster, document)
    assert changed
    cluster.reconcile(*(item["metadata"]["name"] for item in cluster.kustomizations()))

    def back() -> bool:
        return all(
            live(cluster, document)[above][field] == document[above][field] for document, above, field in changed
        ) and all(live(cluster, document) for document in deleted)

    cluster.node.wait("drift is put back", back, SECONDS)
    cluster.wait_applied(cluster.git.revision, SECONDS)


def test_what_leaves_git_goes_and_what_must_stay_stays(cluster: Cluster) -> None:
    folder = with_data(cluster)
    documents = [document for _, document in documents_of(folder)]
    kept = [item for item in documents if item["metadata"].get("annotations", {}).items() >= KEEP.items()]
    gone = [item for item in documents if item not in kept]
    assert {"Namespace"} <= {item["kind"] for item in kept}
    before = {identity(item): live(cluster, item)["metadata"]["uid"] for item in kept}
    index = folder.parent / "kustomization.yaml"
    rewritten(index, lambda file: file["resources"].remove(folder.name))
    cluster.wait_applied(cluster.publish(f"No {folder.name}"), SECONDS)
    cluster.node.wait("pruned", lambda: not any(exists(cluster, item) for item in gone), SECONDS)
    assert {identity(item): live(cluster, item)["metadata"]["uid"] for item in kept} == before


def test_an_image_that_nobody_has_is_said_and_what_ran_goes_on(cluster: Cluster) -> None:
    def broken(deployment: Document) -> None:
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            container["image"] = re.sub(r":[^:/]+$", ":nobody-has-this", container["image"].partition("@")[0])

    rolling = [item for item in apps(cluster, "Deployment") if item["spec"]["strategy"]["type"] == "RollingUpdate"]
    edited(cluster, "Deployment", broken, rolling)
    owners = hurried(cluster, rolling)
    cluster.publish("An image that nobody has")
    for owner in owners:
        assert any(item["metadata"]["name"] in said(cluster, owner) for item in rolling)
    assert_serving(cluster, rolling)


def test_a_value_that_is_refused_is_said_and_what_ran_goes_on(cluster: Cluster) -> None:
    def refused(service: Document) -> None:
        service["spec"]["ports"][0]["port"] = 70000

    services = edited(cluster, "Service", refused)
    owners = hurried(cluster, services)
    cluster.publish("A port that there is not")
    for owner in owners:
        assert "70000" in said(cluster, owner)
    assert_serving(cluster)


def apps(cluster: Cluster, kind: str) -> list[Document]:
    """The objects of a kind that the apps have, as the tree has them."""
    found = [document for _, document in documents_of(cluster.tree / "apps") if document["kind"] == kind]
    assert found, kind
    return found


def documents_of(folder: Path) -> Iterator[tuple[Path, Document]]:
    for file in sorted(folder.rglob("*.yaml")):
        if file.name != "kustomization.yaml":
            yield from ((file, document) for document in yaml.safe_load_all(file.read_text("utf-8")))


def identity(document: Document) -> tuple[str, ...]:
    return document["kind"], document["metadata"].get("namespace", ""), document["metadata"]["name"]


def address(document: Document) -> list[str]:
    """How kubectl is told which object it is."""
    group = document["apiVersion"].partition("/")[0] if "/" in document["apiVersion"] else ""
    kind = f"{document['kind']}.{document['apiVersion'].rpartition('/')[2]}.{group}"
    return [kind, document["metadata"]["name"], f"--namespace={document['metadata'].get('namespace', 'default')}"]


def live(cluster: Cluster, document: Document) -> Document:
    return cluster.node.get(*address(document))


def exists(cluster: Cluster, document: Document) -> bool:
    return bool(cluster.node.kubectl("get", *address(document), "--ignore-not-found", "--output=name"))


def patch(cluster: Cluster, document: Document, change: dict[str, Any]) -> None:
    cluster.node.kubectl("patch", *address(document), "--type=merge", f"--patch={yaml.safe_dump(change)}")


def delete(cluster: Cluster, document: Document) -> None:
    cluster.node.kubectl("delete", *address(document))


def rewritten(file: Path, change: Callable[[Document], object]) -> None:
    content = yaml.safe_load(file.read_text("utf-8"))
    change(content)
    file.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")


def edited(
    cluster: Cluster, kind: str, change: Callable[[Document], object], only: list[Document] | None = None
) -> list[Document]:
    """Change the apps' objects of a kind in the tree; the objects as they were."""
    wanted = list(map(identity, apps(cluster, kind) if only is None else only))
    found = []
    for file, document in documents_of(cluster.tree / "apps"):
        if identity(document) in wanted:
            rewritten(file, change)
            found.append(document)
    assert found
    return found


def kustomization(cluster: Cluster, item: Document, change: Callable[[list[str]], list[str]]) -> None:
    """Change the list of resources in the folder that a Kustomization applies."""
    file = cluster.git.work / item["spec"]["path"] / "kustomization.yaml"
    rewritten(file, lambda content: content.update(resources=change(content["resources"])))


def owners_of(cluster: Cluster, documents: list[Document]) -> list[str]:
    """The names of the Kustomizations that apply objects."""
    labels = (live(cluster, item)["metadata"]["labels"] for item in documents)
    return sorted({found["kustomize.toolkit.fluxcd.io/name"] for found in labels})


def hurried(cluster: Cluster, documents: list[Document]) -> list[str]:
    """Let the Kustomizations that apply objects give up soon; their names."""
    names = owners_of(cluster, documents)
    for file, document in documents_of(cluster.tree / FLUX_FOLDER):
        if document["kind"] == "Kustomization" and document["metadata"]["name"] in names:
            assert document["metadata"]["name"] != SYNC_NAME
            rewritten(file, lambda content: content["spec"].update(timeout=BROKEN_TIMEOUT))
    return names


def said(cluster: Cluster, name: str) -> str:
    """What a Kustomization says of the commit that was published last, once it is not ready with it."""
    message = ""

    def fails() -> bool:
        nonlocal message
        item = cluster.node.get("kustomizations.kustomize.toolkit.fluxcd.io", name, f"--namespace={SYNC_NAME}")
        state, message = ready(item)
        return state == "False" and item["status"].get("lastAttemptedRevision") == cluster.git.revision

    cluster.node.wait(f"Kustomization {name} says what is wrong", fails, SECONDS)
    print(f"  {message}")
    return message


def with_data(cluster: Cluster) -> Path:
    """The folder of an app that has data."""
    found = [
        file.parent for file, item in documents_of(cluster.tree / "apps") if item["kind"] == "PersistentVolumeClaim"
    ]
    assert found
    return found[0]


def assert_serving(cluster: Cluster, deployments: list[Document] | None = None) -> None:
    """What ran before is available still."""
    for deployment in apps(cluster, "Deployment") if deployments is None else deployments:
        status = live(cluster, deployment)["status"]
        assert status.get("availableReplicas", 0) >= 1, deployment["metadata"]["name"]
