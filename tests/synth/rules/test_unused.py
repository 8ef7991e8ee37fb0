"""Rules for what is there and nobody reads."""

from typing import Any

import pytest

from synth.cluster import Provided
from synth.manifest import Document
from synth.rules import unused
from tests.synth.objects import POD, environment, find, put, said

TOLD = ["ConfigMap settings is read by nobody: name it in a volume or in envFrom of the pods of namespace wiki, or"]


def settings(**metadata: Any) -> Document:
    named = {"name": "settings", "namespace": "wiki", **metadata}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": {"a": "b"}}


def role(resources: list[str], **rule: Any) -> Document:
    rules = [{"apiGroups": [""], "resources": resources, "verbs": ["get"], **rule}]
    metadata = {"name": "reader", "namespace": "wiki"}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules}


@pytest.mark.parametrize(
    ("documents", "told"),
    [
        ([settings()], TOLD),
        ([settings(labels={"app.kubernetes.io/name": "wiki"})], TOLD),
        ([settings(), role(["secrets"])], TOLD),
        ([settings(), role(["configmaps"], resourceNames=["others"])], TOLD),
        ([settings(), role(["configmaps"])], []),
        ([settings(), role(["configmaps"], resourceNames=["settings"])], []),
        ([settings(labels={"grafana_dashboard": "1"})], []),
        ([settings(annotations={"example.com/for": "reports"})], []),
        ([settings(namespace="flux-system")], [TOLD[0].replace("namespace wiki", "namespace flux-system")]),
    ],
)
def test_a_config_map_is_for_somebody(documents: list[Document], told: list[str]) -> None:
    found = said(unused.RULES, [*environment(), *documents])
    assert len(found) == len(told)
    assert all(sentence.startswith(start) for sentence, start in zip(found, told, strict=True))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{POD}/volumes/0", {"name": "pages", "configMap": {"name": "settings", "optional": True}}),
        (f"{POD}/volumes/0", {"name": "pages", "projected": {"sources": [{"configMap": {"name": "settings"}}]}}),
        (f"{POD}/containers/0/envFrom", [{"configMapRef": {"name": "settings"}}]),
        (f"{POD}/containers/0/args", ["settings"]),
    ],
)
def test_who_names_it_reads_it(path: str, value: Any) -> None:
    documents = environment()
    put(find(documents, "Deployment"), path, value)
    assert said(unused.RULES, [*documents, settings()]) == []


def test_flux_may_read_it_from_elsewhere() -> None:
    documents = environment()
    put(find(documents, "Kustomization"), "spec/postBuild", {"substituteFrom": [{"name": "settings"}]})
    assert said(unused.RULES, [*documents, settings(namespace="flux-system")]) == []


def test_a_secret_that_somebody_makes_is_for_somebody() -> None:
    more = Provided("Secret", "more", by="the owner", namespace="wiki")
    assert said(unused.RULES, environment(), more) == [
        "Namespace wiki has Secret more, made by the owner, which nobody there reads: mount it, or take it out"
    ]
