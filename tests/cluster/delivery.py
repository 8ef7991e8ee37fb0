"""What Flux does with commits and with changes made by hand: they arrive, they are put back, what is broken is said."""

import base64
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from facts.environments import Tags
from facts.layout import FLUX_FOLDER, OF_APPS, SYNC_FILE, SYNC_NAME
from facts.provided import AGE_KEY, KEEP
from scripts import options, programs
from scripts.cluster import secrets
from scripts.definition import committed, promotion
from scripts.gate.node.cluster import RECONCILE, Cluster, applied, ready
from scripts.gate.node.git_server import ALONE, AUTHOR
from scripts.gate.tools import SOPS, tool
from synth import ToolError
from synth.encrypted import EncryptedFile
from synth.manifest import Document
from tests.cluster.conftest import COMMIT_SECONDS as SECONDS
from tests.scripts.desk import Desk
from tests.stand_ins import StandIns

KUSTOMIZATION = (f"--namespace={SYNC_NAME}", "kustomizations.kustomize.toolkit.fluxcd.io")
PLATFORMS = (
    "namespaces",
    "resourcequotas",
    "limitranges",
    "roles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "networkpolicies.networking.k8s.io",
    "authorizationpolicies.security.istio.io",
    "destinationrules.networking.istio.io",
    "virtualservices.networking.istio.io",
)
"""What says how much may run, who reaches whom, and who may do what: the platform's."""
BROKEN_TIMEOUT = "45s"
"""How long the Kustomizations of a broken tree wait for what does not come, here: minutes would prove no more."""


pytestmark = pytest.mark.usefixtures("put_back")


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
    name = with_data(cluster)
    folders = [cluster.tree / "apps", cluster.tree / OF_APPS]
    documents = [document for folder in folders for _, document in documents_of(folder / name)]
    documents += yaml.safe_load_all((cluster.tree / FLUX_FOLDER / f"{name}.yaml").read_text("utf-8"))
    kept = [item for item in documents if item["metadata"].get("annotations", {}).items() >= KEEP.items()]
    gone = [item for item in documents if item not in kept]
    assert {"Namespace"} <= {item["kind"] for item in kept}
    before = {identity(item): live(cluster, item)["metadata"]["uid"] for item in kept}
    for folder in folders:
        rewritten(folder / "kustomization.yaml", lambda file: file["resources"].remove(name))
    flux = cluster.tree / FLUX_FOLDER / "kustomization.yaml"
    rewritten(flux, lambda file: file["resources"].remove(f"{name}.yaml"))
    cluster.wait_applied(cluster.publish(f"No {name}"), SECONDS)
    cluster.node.wait("pruned", lambda: not any(exists(cluster, item) for item in gone), SECONDS)
    assert {identity(item): live(cluster, item)["metadata"]["uid"] for item in kept} == before


def test_what_an_apps_account_may_not_do_is_refused_and_said(cluster: Cluster) -> None:
    """Something of the platform's in an app's own folder: it does not arrive, and nothing else is held back."""
    *others, name = of_apps(cluster)
    quota = next(item for item in apps(cluster, "ResourceQuota") if item["metadata"]["namespace"] == name)
    wider = quota | {"metadata": {**quota["metadata"], "name": "wider"}}
    folder = cluster.tree / "apps" / name
    (folder / "resourcequota.yaml").write_text(yaml.safe_dump(wider), "utf-8")
    rewritten(folder / "kustomization.yaml", lambda file: file["resources"].append("resourcequota.yaml"))
    revision = cluster.publish("A wider quota in an app's own folder")
    assert "forbidden" in said(cluster, name)
    assert not exists(cluster, wider)
    for other in others:
        cluster.node.wait(f"{other} goes on", partial(is_applied, cluster, other, revision), SECONDS)
    account = f"--as=system:serviceaccount:{SYNC_NAME}:{name}"
    refused = {kind: may(cluster, account, kind, name) for kind in PLATFORMS}
    assert not any(refused.values()), refused
    elsewhere = next(iter(others), SYNC_NAME)
    assert may(cluster, account, "deployments.apps", name)
    assert not may(cluster, account, "deployments.apps", elsewhere)


def test_who_gets_an_object_of_fluxs_into_a_cluster_gets_no_more_by_it(cluster: Cluster) -> None:
    """Flux takes no source of another namespace, and works as an account that may do nothing where none is named."""
    namespace = apps(cluster, "Namespace")[0]["metadata"]["name"]
    spec = {"interval": "10m", "path": f"./{cluster.environment.path}/platform", "prune": True}
    source = {"kind": "GitRepository", "name": SYNC_NAME}
    theirs = {
        namespace: spec | {"sourceRef": {**source, "namespace": SYNC_NAME}, "serviceAccountName": "default"},
        SYNC_NAME: spec | {"sourceRef": source},
    }
    messages = {}
    for place, wanted in theirs.items():
        item = {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": "not-ours", "namespace": place},
            "spec": wanted,
        }
        cluster.node.apply([item])
        try:
            messages[place] = refusal(cluster, item)
        finally:
            delete(cluster, item)
    assert "cross-namespace references have been blocked" in messages[namespace]
    assert f"system:serviceaccount:{SYNC_NAME}:default" in messages[SYNC_NAME]
    assert "forbidden" in messages[SYNC_NAME]


def test_a_secret_in_git_is_decrypted_with_the_clusters_key(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `./gw secrets` makes the key, encrypts, and hands the key over; before that, no value arrives."""
    name, *_ = of_apps(cluster)
    values = {"mail": "007", "token": "first line\nsecond: line\n"}
    folder, desk = cluster.tree / "apps" / name, at_the_cluster(cluster, tmp_path)
    keys = [tmp_path / f"{owner}.agekey" for owner in ("cluster", "safe")]
    recipients = tuple(commanded(desk, "secrets", "keygen", str(key)).split()[0] for key in keys)
    known = replace(cluster.environment, age_recipients=recipients)
    monkeypatch.setattr(options, "ENVIRONMENTS", (known,))
    file = EncryptedFile(name, "proof", tuple(values), recipients, known.name)
    monkeypatch.setattr(secrets, "ROOT", cluster.git.work)
    monkeypatch.setattr(secrets, "_wanted", lambda _: {f"{folder.relative_to(cluster.git.work)}/secret.yaml": file})
    commanded(desk, "secrets", "set", name, file.name, f"--env={known.name}", answer=yaml.safe_dump(values))
    rewritten(folder / "kustomization.yaml", lambda content: content["resources"].append("secret.yaml"))
    decryption = {"provider": "sops", "secretRef": {"name": AGE_KEY.name}}
    flux = cluster.tree / FLUX_FOLDER / f"{name}.yaml"
    rewritten(flux, lambda content: content["spec"].update(decryption=decryption), "Kustomization")
    revision = cluster.publish("An encrypted Secret")
    secret = file.manifest(values)
    assert AGE_KEY.name in said(cluster, name)
    assert not exists(cluster, secret)
    commanded(desk, "secrets", "install", f"--key-file={keys[0]}", f"--env={known.name}")
    try:
        cluster.reconcile(name)
        cluster.wait_applied(revision, SECONDS)
        found = live(cluster, secret)["data"]
        assert {key: base64.b64decode(value).decode() for key, value in found.items()} == values
    finally:
        cluster.node.kubectl("delete", "secret", AGE_KEY.name, f"--namespace={AGE_KEY.namespace}")


LINE = 77
"""A line of tags that no cluster follows."""


def test_a_cluster_that_follows_tags_gets_what_is_promoted_and_goes_back(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `./gw promote`, which asks the cluster, and `./gw rollback`. What is on the branch alone does not come.

    The second tag is made as by another cluster's promotion: this one cannot run first what it is promoted to.
    """
    desk, work, before = at_the_cluster(cluster, tmp_path), cluster.git.work, cluster.git.revision
    known = replace(cluster.environment, tags=Tags(line=LINE, soak_hours=0))
    monkeypatch.setattr(options, "ENVIRONMENTS", (known,))
    for module in (programs, committed, promotion):
        monkeypatch.setattr(module, "ROOT", work)
    (service, *_) = apps(cluster, "Service")

    def labelled(value: str) -> None:
        edited(cluster, "Service", lambda it: it["metadata"].setdefault("labels", {}).update(proof=value))

    def arrives(tag: str, value: str) -> None:
        commit = subprocess.check_output(["git", "-C", work, "rev-list", "-1", tag], text=True)  # noqa: S607
        cluster.reconcile()
        cluster.wait_applied(f"{tag}@sha1:{commit.strip()}", SECONDS)
        assert live(cluster, service)["metadata"]["labels"]["proof"] == value

    sync = cluster.tree / FLUX_FOLDER / SYNC_FILE
    rewritten(sync, lambda it: it["spec"].update(ref={"semver": f"{LINE}.x"}), "GitRepository")
    labelled("first")
    cluster.wait_applied(cluster.publish("It follows tags, of which there are none"), SECONDS)
    try:
        commanded(desk, "promote", f"--from={known.name}", f"--to={known.name}")
        arrives(f"v{LINE}.0.0", "first")
        labelled("second")
        cluster.publish("Nobody has promoted this")
        assert fetched(cluster).startswith(f"v{LINE}.0.0@")
        cluster.git.tag(LINE)
        arrives(f"v{LINE}.1.0", "second")
        commanded(desk, "rollback", f"--env={known.name}")
        arrives(f"v{LINE}.1.1", "first")
    finally:
        cluster.git.revert_to(before)
        cluster.git.tag(LINE)
        cluster.reconcile()


def test_one_app_can_be_suspended_while_the_others_go_on(cluster: Cluster) -> None:
    def labelled(service: Document) -> None:
        service["metadata"].setdefault("labels", {})["proof"] = "suspended"

    services = {item["metadata"]["namespace"]: item for item in edited(cluster, "Service", labelled)}
    one = next(iter(services))
    suspend(cluster, one, True)
    revision = cluster.publish("A label on every Service")
    for name, service in services.items():
        if name != one:
            cluster.node.wait(f"{name} goes on", partial(is_applied, cluster, name, revision), SECONDS)
            assert live(cluster, service)["metadata"]["labels"]["proof"] == "suspended"
    assert "proof" not in live(cluster, services[one])["metadata"]["labels"]
    suspend(cluster, one, False)
    cluster.wait_applied(revision, SECONDS)
    assert live(cluster, services[one])["metadata"]["labels"]["proof"] == "suspended"


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
    found = [document for _, document in of_the_apps(cluster) if document["kind"] == kind]
    assert found, kind
    return found


def of_the_apps(cluster: Cluster) -> Iterator[tuple[Path, Document]]:
    """What is the apps' own, and what the platform says of them."""
    for folder in ("apps", OF_APPS):
        yield from documents_of(cluster.tree / folder)


def is_applied(cluster: Cluster, name: str, revision: str) -> bool:
    item = cluster.node.get(*KUSTOMIZATION, name)
    return applied(item) == revision and ready(item)[0] == "True"


def of_apps(cluster: Cluster) -> list[str]:
    """The names of the apps, which their Kustomizations have too."""
    found = [item["metadata"]["name"] for item in cluster.kustomizations() if "/apps/" in item["spec"]["path"]]
    assert found
    return found


def may(cluster: Cluster, account: str, kind: str, namespace: str) -> bool:
    """Whether an account may write a kind in a namespace."""
    answers = []
    for verb in ("create", "patch", "delete"):
        try:
            cluster.node.kubectl("auth", "can-i", verb, kind, account, f"--namespace={namespace}")
            answers.append(True)
        except ToolError:
            answers.append(False)
    return any(answers)


def suspend(cluster: Cluster, name: str, suspended: bool) -> None:
    """Let Flux leave what a Kustomization applies, as `flux suspend` does, or go on with it."""
    change = yaml.safe_dump({"spec": {"suspend": suspended}})
    cluster.node.kubectl("patch", *KUSTOMIZATION, name, "--type=merge", f"--patch={change}", "--field-manager=flux")


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


def rewritten(file: Path, change: Callable[[Document], object], kind: str = "") -> None:
    """Change the documents of a file, or those of a kind."""
    documents = list(yaml.safe_load_all(file.read_text("utf-8")))
    for document in documents:
        if kind in ("", document["kind"]):
            change(document)
    file.write_text(yaml.safe_dump_all(documents, sort_keys=False), "utf-8")


def edited(
    cluster: Cluster, kind: str, change: Callable[[Document], object], only: list[Document] | None = None
) -> list[Document]:
    """Change the apps' objects of a kind in the tree; the objects as they were."""
    wanted = list(map(identity, apps(cluster, kind) if only is None else only))
    found = []
    for file, document in of_the_apps(cluster):
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
            rewritten(file, lambda content: content["spec"].update(timeout=BROKEN_TIMEOUT), "Kustomization")
    return names


def said(cluster: Cluster, name: str) -> str:
    """What a Kustomization says of the commit that was published last, once it is not ready with it."""
    message = ""

    def fails() -> bool:
        nonlocal message
        item = cluster.node.get(*KUSTOMIZATION, name)
        state, message = ready(item)
        return state == "False" and item["status"].get("lastAttemptedRevision") == cluster.git.revision

    cluster.node.wait(f"Kustomization {name} says what is wrong", fails, SECONDS)
    print(f"  {message}")
    return message


def at_the_cluster(cluster: Cluster, folder: Path) -> Desk:
    """Where somebody sits who has SOPS and age, and kubectl with the right to everything."""
    tools = StandIns(folder / "bin")
    tools.put(
        "kubectl", f'shift 2; exec {cluster.node.kubernetes} kubectl --kubeconfig {cluster.node.kubeconfig} "$@"\n'
    )
    for name in SOPS:
        (tools.folder / name).symlink_to(tool(name))
    return Desk(tools, folder)


def commanded(desk: Desk, *arguments: str, answer: str = "") -> str:
    """What a command of `./gw` says."""
    ended = desk.run(*arguments, answer=answer, **ALONE, **AUTHOR)
    assert ended.code == 0, ended.err
    return ended.out


def fetched(cluster: Cluster) -> str:
    """The revision that Flux has, once it has looked at Git again."""
    one = (f"--namespace={SYNC_NAME}", "gitrepositories.source.toolkit.fluxcd.io", SYNC_NAME)
    cluster.reconcile()
    wanted = cluster.node.get(*one)["metadata"]["annotations"][RECONCILE]
    handled = lambda: cluster.node.get(*one)["status"].get("lastHandledReconcileAt") == wanted  # noqa: E731
    cluster.node.wait("Flux has looked at Git", handled, SECONDS)
    return str(cluster.node.get(*one)["status"]["artifact"]["revision"])


def refusal(cluster: Cluster, item: Document) -> str:
    """What a Kustomization says of why it is not ready."""
    message = ""

    def refused() -> bool:
        nonlocal message
        state, message = ready(live(cluster, item))
        return state == "False"

    cluster.node.wait(f"Kustomization {item['metadata']['name']} is refused", refused, SECONDS)
    print(f"  {message}")
    return message


def with_data(cluster: Cluster) -> str:
    """The name of an app that has data."""
    found = [
        file.parent.name
        for file, item in documents_of(cluster.tree / "apps")
        if item["kind"] == "PersistentVolumeClaim"
    ]
    assert found
    return found[0]


def assert_serving(cluster: Cluster, deployments: list[Document] | None = None) -> None:
    """What ran before is available still."""
    for deployment in apps(cluster, "Deployment") if deployments is None else deployments:
        status = live(cluster, deployment)["status"]
        assert status.get("availableReplicas", 0) >= 1, deployment["metadata"]["name"]
