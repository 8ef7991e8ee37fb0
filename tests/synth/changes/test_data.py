"""Data that pods no longer see: each wrong edit beside a right one."""

from typing import Any

import pytest

from synth.changes import Risk
from tests.synth.changes import edited, objects, renamed, the_only, told, without

WIKI = objects("""
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: pages, namespace: wiki, annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}}
spec: {resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: wiki, namespace: wiki}
spec:
  replicas: 2
  selector: {matchLabels: {app: wiki}}
  template:
    metadata: {labels: {app: wiki}}
    spec:
      containers: [{name: wiki, image: "wiki:1", volumeMounts: [{name: pages, mountPath: /data}]}]
      volumes: [{name: pages, persistentVolumeClaim: {claimName: pages}}]
""")
CLAIM = "spec__template__spec__volumes__0__persistentVolumeClaim__claimName"


def test_a_claim_that_is_renamed_starts_empty() -> None:
    after = edited(renamed(WIKI, "PersistentVolumeClaim", "pages", "posts"), "Deployment", "wiki", **{CLAIM: "posts"})
    found = the_only(WIKI, after, Risk.LOST)
    assert str(found.item) == "PersistentVolumeClaim pages"
    assert "Deployment `wiki` mounts `posts` instead of `pages`: it starts empty" in found.what
    assert "the old claim stays in the cluster with its data" in found.what


def test_a_claim_that_is_not_kept_is_lost_once() -> None:
    loose = edited(WIKI, "PersistentVolumeClaim", "pages", metadata__annotations=None)
    after = edited(renamed(loose, "PersistentVolumeClaim", "pages", "posts"), "Deployment", "wiki", **{CLAIM: "posts"})
    assert "Flux deletes the claim" in the_only(loose, after, Risk.LOST).what


def test_a_volume_that_is_no_longer_mounted() -> None:
    after = edited(WIKI, "Deployment", "wiki", spec__template__spec__volumes=[{"name": "pages", "emptyDir": {}}])
    assert "mounts no claim instead of `pages`" in the_only(WIKI, after, Risk.LOST).what


def test_a_claim_that_a_second_one_joins_is_not_lost() -> None:
    more = objects("{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: posts, namespace: wiki}, spec: {}}")
    volumes = [
        *WIKI[1].spec["template"]["spec"]["volumes"],
        {"name": "b", "persistentVolumeClaim": {"claimName": "posts"}},
    ]
    assert told(WIKI, [*edited(WIKI, "Deployment", "wiki", spec__template__spec__volumes=volumes), *more]) == []


def test_a_claim_at_another_place_of_the_same_pods_is_not_lost() -> None:
    mounts = [{"name": "pages", "mountPath": "/pages"}]
    after = edited(WIKI, "Deployment", "wiki", spec__template__spec__containers__0__volumeMounts=mounts)
    assert told(WIKI, after) == []


def test_a_claim_of_a_renamed_workload_is_not_lost() -> None:
    assert told(WIKI, renamed(WIKI, "Deployment", "wiki", "pages")) == ["outage Deployment wiki"]


STORE = objects("""
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store, namespace: wiki}
spec:
  replicas: 3
  selector: {matchLabels: {app: store}}
  template: {metadata: {labels: {app: store}}, spec: {containers: [{name: store, image: "store:1"}]}}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {}}]
""")


def retention(**policy: str) -> dict[str, Any]:
    return {"spec__persistentVolumeClaimRetentionPolicy": policy}


def test_a_stateful_set_that_is_renamed_has_new_volumes() -> None:
    said = told(STORE, renamed(STORE, "StatefulSet", "store", "shop"))
    assert said == ["lost StatefulSet store", "outage StatefulSet store"]


def test_a_stateful_set_that_goes_may_take_its_claims() -> None:
    assert told(STORE, []) == ["outage StatefulSet store"]
    taking = edited(STORE, "StatefulSet", "store", **retention(whenDeleted="Delete"))
    assert told(taking, []) == ["lost StatefulSet store", "outage StatefulSet store"]


@pytest.mark.parametrize("when", ["whenDeleted", "whenScaled"])
def test_claims_that_will_go(when: str) -> None:
    taking = edited(STORE, "StatefulSet", "store", **retention(**{when: "Delete"}))
    assert told(STORE, taking) == ["lost StatefulSet store"]
    assert told(taking, STORE) == []


def test_claims_that_go_with_their_pods() -> None:
    taking = edited(STORE, "StatefulSet", "store", **retention(whenScaled="Delete"))
    assert told(taking, edited(taking, "StatefulSet", "store", spec__replicas=2)) == ["lost StatefulSet store"]
    assert told(taking, edited(taking, "StatefulSet", "store", spec__replicas=4)) == []
    assert told(STORE, edited(STORE, "StatefulSet", "store", spec__replicas=2)) == []


def test_a_stateful_set_that_stays_keeps_its_claims() -> None:
    assert told([*WIKI, *STORE], [*without(WIKI), *STORE]) == []
