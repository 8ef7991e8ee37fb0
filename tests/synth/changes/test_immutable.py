"""What the API server refuses to change in place, by kind: each wrong edit beside a right one."""

from typing import Any

import pytest

from synth.changes import Risk, hazards
from synth.changes.immutable import FIXED, SPECIAL
from synth.manifest import Document
from synth.tree import Object
from tests.synth.changes import objects, the_only, told

GROUPS = {
    "Deployment": "apps/v1",
    "DaemonSet": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "ControllerRevision": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "StorageClass": "storage.k8s.io/v1",
    "VolumeAttributesClass": "storage.k8s.io/v1",
    "VolumeAttachment": "storage.k8s.io/v1",
    "CSIStorageCapacity": "storage.k8s.io/v1",
    "CSIDriver": "storage.k8s.io/v1",
    "PriorityClass": "scheduling.k8s.io/v1",
    "RuntimeClass": "node.k8s.io/v1",
    "IngressClass": "networking.k8s.io/v1",
    "IPAddress": "networking.k8s.io/v1",
    "ServiceCIDR": "networking.k8s.io/v1",
    "EndpointSlice": "discovery.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
    "ClusterRoleBinding": "rbac.authorization.k8s.io/v1",
    "ClusterTrustBundle": "certificates.k8s.io/v1beta1",
    "ResourceClaim": "resource.k8s.io/v1",
    "ResourceClaimTemplate": "resource.k8s.io/v1",
    "StorageVersionMigration": "storagemigration.k8s.io/v1beta1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "CertificateRequest": "cert-manager.io/v1",
    "Order": "acme.cert-manager.io/v1",
    "Challenge": "acme.cert-manager.io/v1",
}


def item(kind: str, **fields: Any) -> Object:
    metadata = {"name": "one", "namespace": "wiki", **fields.pop("metadata", {})}
    return Object(
        {"apiVersion": GROUPS.get(kind, "v1"), "kind": kind, "metadata": metadata, **fields}, "", "deploy/a.yaml"
    )


def spec(kind: str, **fields: Any) -> Object:
    return item(kind, spec=fields)


def selecting(kind: str, app: str, **fields: Any) -> Object:
    return spec(kind, selector={"matchLabels": {"app": app}}, **fields)


def template(image: str, **more: Any) -> Document:
    return {"spec": {"containers": [{"name": "a", "image": image}], **more}}


def claim(size: Any = "1Gi", **fields: Any) -> Object:
    known = {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", **fields}
    return spec("PersistentVolumeClaim", resources={"requests": {"storage": size}}, **known)


def store(size: str = "1Gi", **fields: Any) -> Object:
    own = [{"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": size}}}}]
    known = {"serviceName": "store", "replicas": 1, "volumeClaimTemplates": own, **fields}
    return selecting("StatefulSet", "a", **known)


def role(name: str) -> Document:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}


def crd(scope: str = "Namespaced", versions: tuple[str, ...] = ("v1",), kind: str = "Thing") -> Object:
    served = [{"name": name, "served": True, "storage": name == "v1"} for name in versions]
    names = {"kind": kind, "plural": "things"}
    return spec("CustomResourceDefinition", group="example.com", scope=scope, names=names, versions=served)


CASES = [
    # before, refused, taken
    (selecting("Deployment", "a"), selecting("Deployment", "b"), selecting("Deployment", "a", replicas=2)),
    (selecting("DaemonSet", "a"), selecting("DaemonSet", "b"), selecting("DaemonSet", "a", minReadySeconds=2)),
    (selecting("ReplicaSet", "a"), selecting("ReplicaSet", "b"), selecting("ReplicaSet", "a", replicas=2)),
    (store(), store("2Gi"), store(minReadySeconds=9)),
    (store(), store(serviceName="other"), store(replicas=3)),
    (store(), store(podManagementPolicy="Parallel"), store(podManagementPolicy="OrderedReady")),
    (store(), store(volumeClaimTemplates=None), store("1024Mi")),
    (
        item("ControllerRevision", data={"a": 1}),
        item("ControllerRevision", data={"a": 2}),
        item("ControllerRevision", data={"a": 1}, revision=2),
    ),
    (
        spec("Job", template=template("a:1")),
        spec("Job", template=template("a:2")),
        spec("Job", template=template("a:1"), backoffLimit=2),
    ),
    (spec("Job"), spec("Job", completions=2), spec("Job", completions=1)),
    (
        spec("Job", completionMode="Indexed", completions=2),
        spec("Job", completions=2),
        spec("Job", completionMode="Indexed", completions=3),
    ),
    (
        spec("Job", podFailurePolicy={"rules": []}),
        spec("Job", podFailurePolicy={"rules": [{"action": "Ignore"}]}),
        spec("Job", podFailurePolicy={"rules": []}, suspend=False),
    ),
    (
        spec("Job", suspend=True, template=template("a:1")),
        spec("Job", suspend=True, template=template("a:2")),
        spec("Job", suspend=True, template=template("a:1", nodeSelector={"disk": "ssd"})),
    ),
    (claim("2Gi"), claim("1Gi"), claim("3Gi")),
    (claim("1Gi"), claim("1000Mi"), claim("1024Mi")),
    (claim("1Gi"), claim("1G"), claim(1073741824)),
    (claim(), claim(accessModes=["ReadWriteMany"]), claim(volumeAttributesClassName="gold")),
    (claim(), claim(storageClassName="slow"), claim()),
    (claim(), claim(volumeMode="Block"), claim(volumeMode="Filesystem")),
    (claim(), claim(volumeName="pv-1"), claim()),
    (claim(), claim(selector={"matchLabels": {"a": "b"}}), claim(selector={})),
    (
        spec("PersistentVolume", nfs={"path": "/a"}, capacity={"storage": "1Gi"}),
        spec("PersistentVolume", nfs={"path": "/b"}, capacity={"storage": "1Gi"}),
        spec("PersistentVolume", nfs={"path": "/a"}, capacity={"storage": "2Gi"}),
    ),
    (
        spec("PersistentVolume", nodeAffinity={"required": {"a": 1}}),
        spec("PersistentVolume", nodeAffinity={"required": {"a": 2}}),
        spec("PersistentVolume", nodeAffinity={"required": {"a": 1}}, mountOptions=["ro"]),
    ),
    (
        spec("PersistentVolume"),
        spec("PersistentVolume", volumeMode="Block"),
        spec("PersistentVolume", nodeAffinity={"required": {"a": 1}}),
    ),
    (
        spec("Pod", containers=[{"name": "a", "image": "a:1", "command": ["x"]}]),
        spec("Pod", containers=[{"name": "a", "image": "a:1", "command": ["y"]}]),
        spec("Pod", containers=[{"name": "a", "image": "a:2", "command": ["x"]}]),
    ),
    (
        spec("Pod", hostNetwork=False),
        spec("Pod", hostNetwork=True),
        spec("Pod", hostNetwork=False, activeDeadlineSeconds=9),
    ),
    (
        spec("Pod", tolerations=[{"key": "a"}]),
        spec("Pod", tolerations=[]),
        spec("Pod", tolerations=[{"key": "a"}, {"key": "b"}]),
    ),
    (item("Secret"), item("Secret", type="kubernetes.io/tls"), item("Secret", type="Opaque")),
    (
        item("Secret", immutable=True, data={"a": "b"}),
        item("Secret", immutable=True, data={"a": "c"}),
        item("Secret", immutable=True, data={"a": "b"}, metadata={"labels": {"a": "b"}}),
    ),
    (
        item("ConfigMap", immutable=True, data={"a": "b"}),
        item("ConfigMap", data={"a": "b"}),
        item("ConfigMap", immutable=True, data={"a": "b"}),
    ),
    (
        item("ConfigMap", immutable=True, binaryData={"a": "b"}),
        item("ConfigMap", immutable=True, binaryData={}),
        item("ConfigMap", immutable=True, binaryData={"a": "b"}),
    ),
    (
        item("StorageClass", provisioner="a"),
        item("StorageClass", provisioner="b"),
        item("StorageClass", provisioner="a", allowVolumeExpansion=True),
    ),
    (
        item("StorageClass", parameters={"a": "b"}),
        item("StorageClass", parameters={"a": "c"}),
        item("StorageClass", parameters={"a": "b"}, mountOptions=["ro"]),
    ),
    (item("StorageClass"), item("StorageClass", reclaimPolicy="Retain"), item("StorageClass", reclaimPolicy="Delete")),
    (
        item("StorageClass"),
        item("StorageClass", volumeBindingMode="WaitForFirstConsumer"),
        item("StorageClass", volumeBindingMode="Immediate"),
    ),
    (
        item("VolumeAttributesClass", driverName="a"),
        item("VolumeAttributesClass", driverName="b"),
        item("VolumeAttributesClass", driverName="a", metadata={"labels": {"a": "b"}}),
    ),
    (
        spec("VolumeAttachment", attacher="a"),
        spec("VolumeAttachment", attacher="b"),
        spec("VolumeAttachment", attacher="a"),
    ),
    (
        item("CSIStorageCapacity", storageClassName="a"),
        item("CSIStorageCapacity", storageClassName="b"),
        item("CSIStorageCapacity", storageClassName="a", capacity="1Gi"),
    ),
    (spec("CSIDriver"), spec("CSIDriver", attachRequired=False), spec("CSIDriver", attachRequired=True)),
    (
        spec("CSIDriver"),
        spec("CSIDriver", volumeLifecycleModes=["Ephemeral"]),
        spec("CSIDriver", volumeLifecycleModes=["Persistent"]),
    ),
    (item("PriorityClass", value=1), item("PriorityClass", value=2), item("PriorityClass", value=1, description="new")),
    (
        item("PriorityClass", value=1),
        item("PriorityClass", value=1, preemptionPolicy="Never"),
        item("PriorityClass", value=1, preemptionPolicy="PreemptLowerPriority"),
    ),
    (
        item("RuntimeClass", handler="a"),
        item("RuntimeClass", handler="b"),
        item("RuntimeClass", handler="a", overhead={}),
    ),
    (
        spec("IngressClass", controller="a"),
        spec("IngressClass", controller="b"),
        spec("IngressClass", controller="a", parameters={"name": "x"}),
    ),
    (
        spec("IPAddress", parentRef={"name": "a"}),
        spec("IPAddress", parentRef={"name": "b"}),
        spec("IPAddress", parentRef={"name": "a"}),
    ),
    (
        spec("ServiceCIDR", cidrs=["10.0.0.0/16"]),
        spec("ServiceCIDR", cidrs=["10.1.0.0/16"]),
        spec("ServiceCIDR", cidrs=["10.0.0.0/16", "fd00::/112"]),
    ),
    (
        item("EndpointSlice", addressType="IPv4"),
        item("EndpointSlice", addressType="IPv6"),
        item("EndpointSlice", addressType="IPv4", endpoints=[]),
    ),
    (
        item("RoleBinding", roleRef=role("a")),
        item("RoleBinding", roleRef=role("b")),
        item("RoleBinding", roleRef=role("a"), subjects=[{"name": "x"}]),
    ),
    (
        item("ClusterRoleBinding", roleRef=role("a")),
        item("ClusterRoleBinding", roleRef=role("b")),
        item("ClusterRoleBinding", roleRef=role("a")),
    ),
    (
        spec("ClusterTrustBundle", signerName="a"),
        spec("ClusterTrustBundle", signerName="b"),
        spec("ClusterTrustBundle", signerName="a", trustBundle="x"),
    ),
    (
        spec("ResourceClaim", devices={"a": 1}),
        spec("ResourceClaim", devices={"a": 2}),
        spec("ResourceClaim", devices={"a": 1}),
    ),
    (
        spec("ResourceClaimTemplate", spec={"a": 1}),
        spec("ResourceClaimTemplate", spec={"a": 2}),
        spec("ResourceClaimTemplate", spec={"a": 1}),
    ),
    (
        spec("StorageVersionMigration", resource={"a": 1}),
        spec("StorageVersionMigration", resource={"a": 2}),
        spec("StorageVersionMigration", resource={"a": 1}),
    ),
    (
        spec("ResourceQuota", scopes=["BestEffort"]),
        spec("ResourceQuota", scopes=["NotBestEffort"]),
        spec("ResourceQuota", scopes=["BestEffort"], hard={"pods": "9"}),
    ),
    (crd(), crd(scope="Cluster"), crd(versions=("v1", "v2"))),
    (crd(), crd(kind="Other"), crd()),
    (crd(versions=("v1beta1", "v1")), crd(versions=("v1beta1",)), crd(versions=("v1",))),
    (
        spec("CertificateRequest", request="a"),
        spec("CertificateRequest", request="b"),
        spec("CertificateRequest", request="a"),
    ),
    (spec("Order", request="a"), spec("Order", request="b"), spec("Order", request="a")),
    (spec("Challenge", key="a"), spec("Challenge", key="b"), spec("Challenge", key="a")),
    # The addresses of a Service.
    (
        spec("Service", clusterIP="10.0.0.1"),
        spec("Service", clusterIP="10.0.0.2"),
        spec("Service", clusterIP="10.0.0.1", ports=[]),
    ),
    (
        spec("Service", clusterIP="10.0.0.1"),
        spec("Service"),
        spec("Service", type="ExternalName", externalName="a.example.com"),
    ),
    (spec("Service"), spec("Service", clusterIP="None"), spec("Service", selector={"app": "a"})),
    (spec("Service", clusterIP="None"), spec("Service"), spec("Service", clusterIP="None", ipFamilies=["IPv6"])),
    (
        spec("Service", ipFamilies=["IPv4"]),
        spec("Service", ipFamilies=["IPv6"]),
        spec("Service", ipFamilies=["IPv4", "IPv6"]),
    ),
    (
        spec("Service", ipFamilies=["IPv4", "IPv6"]),
        spec("Service", ipFamilies=["IPv4"]),
        spec("Service", ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack"),
    ),
    (
        spec("Service", type="LoadBalancer", loadBalancerClass="a"),
        spec("Service", type="LoadBalancer", loadBalancerClass="b"),
        spec("Service", type="LoadBalancer", loadBalancerClass="a", loadBalancerSourceRanges=["10.0.0.0/8"]),
    ),
    (
        spec("Service", type="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=30001),
        spec("Service", type="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=30002),
        spec("Service", type="LoadBalancer", externalTrafficPolicy="Cluster"),
    ),
]


@pytest.mark.parametrize(("before", "refused", "taken"), CASES)
def test_what_is_fixed_is_refused_and_the_rest_is_not(before: Object, refused: Object, taken: Object) -> None:
    assert f"refused {refused}" in told([before], [refused])
    assert not [said for said in told([before], [taken]) if said.startswith("refused")]


def test_every_kind_that_is_known_has_a_case() -> None:
    assert FIXED.keys() | SPECIAL.keys() == {(before.group, before.kind) for before, _, _ in CASES}


def test_it_says_the_field_both_values_and_what_to_do() -> None:
    found = the_only([claim("2Gi")], [claim("1Gi")], Risk.REFUSED)
    assert found.what.startswith("`spec.resources.requests.storage` cannot be changed")
    assert found.detail == "`2Gi` to `1Gi`"
    assert found.steps[0] == "Leave the size as it was: a volume can grow, never shrink."


def test_what_the_cluster_may_have_written_itself_is_said() -> None:
    bare = claim()
    del bare.document["spec"]["storageClassName"]
    assert "If `storageClassName` is what" in the_only([bare], [claim()], Risk.REFUSED).steps[1]
    assert not any("If `storageClassName`" in step for step in the_only([claim()], [bare], Risk.REFUSED).steps)


KUSTOMIZATION = """
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec: {path: ./deploy/somewhere/apps, prune: true}
"""


def test_it_says_what_flux_no_longer_applies() -> None:
    flux = objects(KUSTOMIZATION, "flux/flux-system")
    before = [*flux, *objects("{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: a}, value: 1}")]
    after = [*flux, *objects("{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: a}, value: 2}")]
    assert "Kustomization `apps` stands still" in the_only(before, after, Risk.REFUSED).what


FORCE = {"annotations": {"kustomize.toolkit.fluxcd.io/force": "Enabled"}}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (claim("2Gi"), claim("1Gi"), ["lost"]),
        (selecting("Deployment", "a"), selecting("Deployment", "b"), ["outage"]),
        (spec("Job", template=template("a:1")), spec("Job", template=template("a:2")), []),
        (item("PriorityClass", value=1), item("PriorityClass", value=2), []),
    ],
)
def test_what_flux_may_make_anew_is_deleted_first(before: Object, after: Object, expected: list[str]) -> None:
    forced = Object({**after.document, "metadata": {**after.document["metadata"], **FORCE}}, "", after.path)
    assert [str(hazard.risk) for hazard in hazards([before], [forced])] == expected


def ruled(rule: str) -> Document:
    """A CRD with a rule about a field of its objects, and about an entry of a list."""
    entry = {"type": "object", "properties": {"value": {"x-kubernetes-validations": [{"rule": rule, "message": "no"}]}}}
    fields = {
        "plain": {"x-kubernetes-validations": [{"rule": rule, "message": "it must not"}]},
        "listed": {"type": "array", "x-kubernetes-list-map-keys": ["name"], "items": entry},
        "free": {"type": "string"},
    }
    schema = {"properties": {"spec": {"properties": fields}}}
    versions = [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]
    return {"spec": {"group": "example.com", "names": {"kind": "Thing"}, "versions": versions}}


def thing(**fields: Any) -> list[Object]:
    document = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": fields}
    return [Object(document, "", "deploy/a.yaml")]


def test_a_rule_of_a_crd_that_compares_with_what_was_is_kept() -> None:
    crds = [ruled("self == oldSelf")]
    assert told(thing(plain="a"), thing(plain="b"), crds) == ["refused Thing a"]
    assert told(thing(plain="a"), thing(plain="a", free="b"), crds) == []
    # It is asked where there is a value on both sides.
    assert told(thing(), thing(plain="b"), crds) == []
    entries = [[{"name": "x", "value": value}] for value in ("a", "b")]
    assert told(thing(listed=entries[0]), thing(listed=entries[1]), crds) == ["refused Thing a"]


def test_another_rule_of_a_crd_about_a_change_is_told() -> None:
    crds = [ruled("self >= oldSelf")]
    (found,) = hazards(thing(plain="a"), thing(plain="b"), crds)
    assert (found.risk, found.notice) == (Risk.REFUSED, True)
    assert "it must not" in found.what
    assert hazards(thing(plain="a", free="a"), thing(plain="a", free="b"), crds) == []
