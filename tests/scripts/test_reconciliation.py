"""A tree as Flux applies it: its Kustomizations one after another, and the objects of each in Flux's order."""

import pytest

from scripts.gate.judges.reconciliation import Files, Reconciliation, Step
from synth import DefinitionError
from synth.manifest import Document, dump

HEADER = "# Generated from charts/apps/wiki.py by `cdk8s synth`. Change that, not this file.\n"


def kustomization(name: str, path: str, *needs: str, **spec: object) -> Document:
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": {
            "path": f"./{path}",
            "dependsOn": [{"name": need} for need in needs],
            "sourceRef": {"kind": "GitRepository", "name": "flux-system"},
            **spec,
        },
    }


def thing(kind: str, name: str = "one", namespace: str = "") -> Document:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


def folder(path: str, *documents: Document, **listing: object) -> dict[str, str]:
    names = [f"{number}.yaml" for number, _ in enumerate(documents)]
    texts = {f"{path}/{name}": HEADER + dump([item]) for name, item in zip(names, documents, strict=True)}
    return {f"{path}/kustomization.yaml": dump([{"resources": names, **listing}]), **texts}


def steps(files: Files) -> tuple[Step, ...]:
    return Reconciliation(files, "deploy/test").steps


def test_a_kustomization_comes_after_those_that_it_depends_on() -> None:
    files = folder(
        "deploy/test/flux",
        kustomization("flux-system", "deploy/test/flux"),
        kustomization("apps", "deploy/test/apps", "platform"),
        kustomization("platform", "deploy/test/platform"),
    )
    files |= folder("deploy/test/apps", thing("Service")) | folder("deploy/test/platform", thing("Namespace"))
    assert [step.name for step in steps(files)] == ["flux-system", "platform", "apps"]


def test_a_kustomization_that_a_kustomization_applies_is_applied_as_well() -> None:
    files = folder("deploy/test/flux", kustomization("tenants", "deploy/test/tenants"))
    files |= folder("deploy/test/tenants", kustomization("wiki", "deploy/test/wiki", serviceAccountName="wiki"))
    files |= folder("deploy/test/wiki", thing("Service"))
    *_, last = steps(files)
    assert last.name == "wiki"
    assert last.user == "system:serviceaccount:flux-system:wiki"


def test_a_circle_or_a_name_that_is_not_there_keeps_nothing_from_being_judged() -> None:
    files = folder(
        "deploy/test/flux",
        kustomization("one", "deploy/test/one", "two"),
        kustomization("two", "deploy/test/two", "one"),
        kustomization("three", "deploy/test/three", "nobody"),
    )
    assert {step.name for step in steps(files)} == {"flux-system", "one", "two", "three"}


def test_what_reads_another_source_is_not_of_this_tree() -> None:
    other = kustomization("other", "deploy/test/other", sourceRef={"kind": "OCIRepository", "name": "other"})
    assert [step.name for step in steps(folder("deploy/test/flux", other))] == ["flux-system"]


def test_objects_come_in_fluxs_order_and_not_in_that_of_the_files() -> None:
    given = ["VirtualService", "Deployment", "ServiceAccount", "PriorityClass", "ClusterRole", "Namespace"]
    (step,) = steps(folder("deploy/test/flux", *map(thing, given)))
    assert [item.document["kind"] for item in step.objects] == [
        *("Namespace", "ClusterRole", "PriorityClass", "ServiceAccount", "Deployment", "VirtualService"),
    ]


def test_an_object_knows_its_file_and_its_chart_and_has_the_patches_of_its_folder() -> None:
    patch = {"kind": "Namespace", "metadata": {"name": "any", "annotations": {"kept": "yes"}}}
    patches = [{"target": {"kind": "Namespace"}, "patch": dump([patch])}]
    (step,) = steps(folder("deploy/test/flux", thing("Namespace"), patches=patches))
    (item,) = step.objects
    assert item.document["metadata"]["annotations"] == {"kept": "yes"}
    assert item.says("is refused") == "deploy/test/flux/0.yaml: Namespace one: is refused (charts/apps/wiki.py)"


def test_folders_in_folders_are_read() -> None:
    files = folder("deploy/test/flux/inner", thing("Service", namespace="wiki"))
    files["deploy/test/flux/kustomization.yaml"] = dump([{"resources": ["inner"]}])
    (step,) = steps(files)
    assert [item.title for item in step.objects] == ["Service wiki/one"]


def test_where_there_is_no_tree_there_is_nothing_to_apply() -> None:
    assert steps({}) == ()


def test_a_file_that_is_no_yaml_is_named() -> None:
    files = folder("deploy/test/flux", thing("Service")) | {"deploy/test/flux/0.yaml": "a: ["}
    with pytest.raises(DefinitionError, match=r"^deploy/test/flux/0.yaml is no YAML: "):
        steps(files)
