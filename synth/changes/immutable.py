"""What cannot be changed in place: the API server refuses it, and Flux stops at it.

From the validation of Kubernetes 1.35, `pkg/apis/*/validation` of k8s.io/kubernetes, of cert-manager's webhook, and
from the rules in CRDs that compare with `oldSelf`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from synth.changes.remedies import remedy
from synth.changes.sides import Hazard, Risk, Sides, applied_by, code, says
from synth.diff import FieldChange, as_yaml, compare_fields
from synth.manifest import Document
from synth.pods import SERVING
from synth.quantity import quantity
from synth.tree import Object

Refused = Iterator[FieldChange]


@dataclass(frozen=True)
class Fixed:
    """A field that stays as it is made, but for the fields in it that are `free`.

    `defaults` are what the API server writes into it where a file says nothing; `default` for the field as a whole.
    """

    path: str
    free: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    default: Any = None

    def of(self, document: Document) -> Any:
        """The field as a file has it, without what is free in it."""
        value = _at(document, self.path)
        return {key: item for key, item in value.items() if key not in self.free} if isinstance(value, dict) else value

    def stored(self, document: Document) -> Any:
        """The field as the server has it."""
        value = self.of(document)
        if value is None:
            value = self.default
        return _settled({**self.defaults, **(value or {})} if self.defaults else value)


def _fixed(*paths: str) -> tuple[Fixed, ...]:
    return tuple(map(Fixed, paths))


POD_TEMPLATE_OF_A_WAITING_JOB = Fixed(
    "spec.template.spec", frozenset({"affinity", "nodeSelector", "tolerations", "schedulingGates"})
)
SOURCES_OF_A_VOLUME = Fixed(
    "spec",
    frozenset(
        {
            "accessModes",
            "capacity",
            "claimRef",
            "mountOptions",
            "nodeAffinity",
            "persistentVolumeReclaimPolicy",
            "storageClassName",
            "volumeAttributesClassName",
        }
    ),
    {"volumeMode": "Filesystem"},
)

FIXED: Mapping[tuple[str, str], tuple[Fixed, ...]] = {
    ("apps", "Deployment"): _fixed("spec.selector"),
    ("apps", "DaemonSet"): _fixed("spec.selector"),
    ("apps", "ReplicaSet"): _fixed("spec.selector"),
    ("apps", "StatefulSet"): (
        Fixed(
            "spec",
            frozenset(
                {
                    "replicas",
                    "template",
                    "updateStrategy",
                    "minReadySeconds",
                    "ordinals",
                    "revisionHistoryLimit",
                    "persistentVolumeClaimRetentionPolicy",
                }
            ),
            {"podManagementPolicy": "OrderedReady", "serviceName": ""},
        ),
    ),
    ("apps", "ControllerRevision"): _fixed("data"),
    ("batch", "Job"): (
        Fixed("spec.completionMode", default="NonIndexed"),
        *_fixed(
            "spec.selector",
            "spec.podFailurePolicy",
            "spec.backoffLimitPerIndex",
            "spec.managedBy",
            "spec.successPolicy",
        ),
    ),
    ("", "PersistentVolumeClaim"): (
        Fixed("spec", frozenset({"resources", "volumeAttributesClassName"}), {"volumeMode": "Filesystem"}),
        Fixed("spec.resources", frozenset({"requests"})),
    ),
    ("", "PersistentVolume"): (SOURCES_OF_A_VOLUME,),
    ("", "Pod"): (Fixed("spec", frozenset({"containers", "initContainers", "tolerations", "activeDeadlineSeconds"})),),
    ("", "Secret"): (Fixed("type", default="Opaque"),),
    ("storage.k8s.io", "StorageClass"): (
        *_fixed("provisioner", "parameters"),
        Fixed("reclaimPolicy", default="Delete"),
        Fixed("volumeBindingMode", default="Immediate"),
    ),
    ("storage.k8s.io", "VolumeAttributesClass"): _fixed("driverName", "parameters"),
    ("storage.k8s.io", "VolumeAttachment"): _fixed("spec"),
    ("storage.k8s.io", "CSIStorageCapacity"): _fixed("nodeTopology", "storageClassName"),
    ("storage.k8s.io", "CSIDriver"): (
        Fixed("spec.attachRequired", default=True),
        Fixed("spec.volumeLifecycleModes", default=["Persistent"]),
    ),
    ("scheduling.k8s.io", "PriorityClass"): (
        Fixed("value", default=0),
        Fixed("preemptionPolicy", default="PreemptLowerPriority"),
    ),
    ("node.k8s.io", "RuntimeClass"): _fixed("handler"),
    ("networking.k8s.io", "IngressClass"): _fixed("spec.controller"),
    ("networking.k8s.io", "IPAddress"): _fixed("spec.parentRef"),
    ("discovery.k8s.io", "EndpointSlice"): _fixed("addressType"),
    ("rbac.authorization.k8s.io", "RoleBinding"): _fixed("roleRef"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _fixed("roleRef"),
    ("certificates.k8s.io", "ClusterTrustBundle"): _fixed("spec.signerName"),
    ("resource.k8s.io", "ResourceClaim"): _fixed("spec"),
    ("resource.k8s.io", "ResourceClaimTemplate"): _fixed("spec"),
    ("storagemigration.k8s.io", "StorageVersionMigration"): _fixed("spec"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _fixed(
        "spec.group", "spec.scope", "spec.names.kind", "spec.names.plural"
    ),
    # https://github.com/cert-manager/cert-manager/tree/v1.21.2/internal/apis: ValidateUpdate of each.
    ("cert-manager.io", "CertificateRequest"): _fixed("spec"),
    ("acme.cert-manager.io", "Order"): _fixed("spec"),
    ("acme.cert-manager.io", "Challenge"): _fixed("spec"),
}
"""The fields that the API server compares with what it has, by group and kind. What depends on more is below."""


def _claim(old: Object, new: Object) -> Refused:
    """A claim's size, which may grow alone."""
    before, after = (_size(side.spec) for side in (old, new))
    if before is not None and (after is None or after < before):
        yield _change("spec.resources.requests.storage", old, new)


def _size(spec: Document) -> Decimal | None:
    text = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    return None if text is None else _quantity(text)


def _volume(old: Object, new: Object) -> Refused:
    """Which nodes reach a volume: said once, it stays."""
    if old.spec.get("nodeAffinity"):
        yield from _compared(Fixed("spec.nodeAffinity"), old, new)


def _job(old: Object, new: Object) -> Refused:
    if new.spec.get("completionMode") != "Indexed":
        # https://kubernetes.io/docs/concepts/workloads/controllers/job/#parallel-jobs: neither means one.
        default = None if "parallelism" in new.spec or "parallelism" in old.spec else 1
        yield from _compared(Fixed("spec.completions", default=default), old, new)
    waits = old.spec.get("suspend") is True
    yield from _compared(POD_TEMPLATE_OF_A_WAITING_JOB if waits else Fixed("spec.template"), old, new)


def _pod(old: Object, new: Object) -> Refused:
    """Of a pod's containers the images may change, and tolerations may come."""
    for path in ("containers", "initContainers"):
        before, after = ([{**container, "image": ""} for container in side.spec.get(path) or []] for side in (old, new))
        if _settled(before) != _settled(after):
            yield from compare_fields(f"spec.{path}", before, after)
    kept = [item for item in old.spec.get("tolerations") or [] if item not in (new.spec.get("tolerations") or [])]
    if kept:
        yield _change("spec.tolerations", old, new)


def _service(old: Object, new: Object) -> Refused:
    """The addresses of a Service. ExternalName has none, and a headless one may have another family.

    https://kubernetes.io/docs/concepts/services-networking/dual-stack/
    """
    types = [side.spec.get("type", "ClusterIP") for side in (old, new)]
    if "ExternalName" in types:
        return
    headless = [_addresses(side)[:1] == ["None"] for side in (old, new)]
    if headless[0] != headless[1]:
        yield _change("spec.clusterIP", old, new)
    elif not headless[0]:
        for path, values in (("clusterIP", map(_addresses, (old, new))), ("ipFamilies", map(_families, (old, new)))):
            before, after = values
            shared = min(len(before), len(after)) or (len(before) if path == "clusterIP" else 0)
            if before[:shared] != after[:shared]:
                yield _change(f"spec.{path}", old, new)
        single = new.spec.get("ipFamilyPolicy") == "SingleStack"
        if len(_families(old)) > len(_families(new)) > 0 and not single:
            yield _change("spec.ipFamilies", old, new)
    class_before, class_after = (side.spec.get("loadBalancerClass") for side in (old, new))
    if types == ["LoadBalancer", "LoadBalancer"] and class_before != class_after:
        yield _change("spec.loadBalancerClass", old, new)
    local = [side.spec.get("externalTrafficPolicy") == "Local" for side in (old, new)]
    port = "healthCheckNodePort"
    if all(local) and types == ["LoadBalancer", "LoadBalancer"] and old.spec.get(port) != new.spec.get(port):
        yield _change(f"spec.{port}", old, new)


def _addresses(service: Object) -> list[str]:
    single = service.spec.get("clusterIP")
    return list(service.spec.get("clusterIPs") or ([single] if single else []))


def _families(service: Object) -> list[str]:
    return list(service.spec.get("ipFamilies") or [])


def _sealed(old: Object, new: Object) -> Refused:
    """A ConfigMap or a Secret that says that it is immutable."""
    if old.document.get("immutable") is True:
        for path in ("immutable", "data", "binaryData", "stringData"):
            yield from _compared(Fixed(path), old, new)


def _quota(old: Object, new: Object) -> Refused:
    before, after = (sorted(side.spec.get("scopes") or []) for side in (old, new))
    if before != after:
        yield _change("spec.scopes", old, new)


def _addresses_of_services(old: Object, new: Object) -> Refused:
    """A range of the cluster's addresses: a second family may come."""
    before, after = (list(side.spec.get("cidrs") or []) for side in (old, new))
    if before != after and (after[: len(before)] != before or len(before) != 1):
        yield _change("spec.cidrs", old, new)


def _stored(old: Object, new: Object) -> Refused:
    """The version in which a CRD's objects are stored cannot leave while there are any."""
    stored = [version["name"] for version in old.spec.get("versions") or [] if version.get("storage")]
    names = [version["name"] for version in new.spec.get("versions") or []]
    for name in stored:
        if name not in names:
            yield FieldChange(f"spec.versions[{name}]", "stored", "")


SPECIAL: Mapping[tuple[str, str], Callable[[Object, Object], Refused]] = {
    ("", "PersistentVolumeClaim"): _claim,
    ("", "PersistentVolume"): _volume,
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("", "ConfigMap"): _sealed,
    ("", "Secret"): _sealed,
    ("", "ResourceQuota"): _quota,
    ("batch", "Job"): _job,
    ("networking.k8s.io", "ServiceCIDR"): _addresses_of_services,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _stored,
}


def hazards(sides: Sides, definitions: Iterable[Document]) -> Iterator[Hazard]:
    """Every change that the API server would refuse; `definitions` are CRDs that the tree does not have itself."""
    schemas = _schemas([*definitions, *(item.document for item in sides.after.of("CustomResourceDefinition"))])
    for old, new in sides.both:
        if old.document == new.document:
            continue
        refused = list(_refused(old, new))
        maybe: list[FieldChange] = []
        if schema := schemas.get((new.group, new.kind, str(new.document["apiVersion"]).rpartition("/")[2])):
            for is_sure, change in _transitions(schema, "", old.document, new.document):
                (refused if is_sure else maybe).append(change)
        if refused:
            yield from _hazard(sides, old, new, refused)
        elif maybe:
            path, rule = maybe[0].path, maybe[0].after
            what = f"The CRD has a rule for how {code(path)} may change: {rule}."
            yield Hazard(Risk.REFUSED, new, what, ("Read the rule, and see that the change keeps to it.",), notice=True)


def _refused(old: Object, new: Object) -> Refused:
    key = (new.group, new.kind)
    for fixed in FIXED.get(key, ()):
        yield from _compared(fixed, old, new)
    if special := SPECIAL.get(key):
        yield from special(old, new)


def _compared(fixed: Fixed, old: Object, new: Object) -> Refused:
    if fixed.stored(old.document) != fixed.stored(new.document):
        for change in compare_fields(fixed.path, fixed.of(old.document), fixed.of(new.document)):
            default = fixed.defaults.get(change.path.removeprefix(f"{fixed.path}."))
            # What the server writes where a file says nothing is no change.
            if default is None or not {change.before, change.after} <= {"", '""', "null", str(default)}:
                yield change


def _change(path: str, old: Object, new: Object) -> FieldChange:
    """A field with the values that the files have."""
    return FieldChange(path, *(_text(_at(side.document, path)) for side in (old, new)))


def _text(value: Any) -> str:
    return "" if value is None else as_yaml(value)


def _quantity(text: Any) -> Decimal | None:
    try:
        return quantity(text)
    except ValueError:
        return None


def _settled(value: Any, *, amounts: bool = False) -> Any:
    """A value as the server compares it: nothing for what is empty, and a quantity by its amount."""
    if isinstance(value, dict):
        parts = {key: _settled(item, amounts=key in ("requests", "limits")) for key, item in value.items()}
        if amounts:
            parts = {key: _quantity(item) if _quantity(item) is not None else item for key, item in value.items()}
        # A claim in a list says its own kind or does not, which is the same.
        if parts.get("kind") == "PersistentVolumeClaim":
            parts = {key: item for key, item in parts.items() if key not in ("apiVersion", "kind")}
        return {key: item for key, item in parts.items() if item not in (None, {}, [])} or None
    if isinstance(value, list):
        return [_settled(item) for item in value] or None
    return value


def _hazard(sides: Sides, old: Object, new: Object, refused: list[FieldChange]) -> Iterator[Hazard]:
    owner = applied_by(sides.before, old)
    forced = says(new, "force", "enabled") or bool(owner and owner.spec.get("force"))
    steps = remedy(old, [change.path for change in refused])
    paths = " and ".join(dict.fromkeys(code(change.path) for change in refused))
    what, detail = f"{paths} cannot be changed once the object is there.", _values(refused)
    if not forced:
        still = f", and Kustomization {code(owner.name)} stands still until it is taken back" if owner else ""
        what += f" The API server refuses it{still}."
        yield Hazard(Risk.REFUSED, new, what, steps, detail)
        return
    what += " With `force` Flux deletes the object and makes it anew"
    if new.kind in ("PersistentVolumeClaim", "PersistentVolume"):
        yield Hazard(Risk.LOST, new, f"{what}: the data is gone.", steps, detail)
    elif new.kind in SERVING or new.kind in ("Service", "Pod", "CustomResourceDefinition"):
        yield Hazard(Risk.OUTAGE, new, f"{what}: nothing answers meanwhile.", steps, detail)


def _values(changes: Iterable[FieldChange]) -> str:
    return ", ".join(f"{code(change.before or 'nothing')} to {code(change.after or 'nothing')}" for change in changes)


# What a CRD says itself


EQUAL = re.compile(r"self((?:\.\w+)*)\s*==\s*oldSelf\1")
"""A rule by which a field stays as it is: https://kubernetes.io/docs/reference/using-api/cel/"""


def _schemas(definitions: Iterable[Document]) -> dict[tuple[str, str, str], Document]:
    """The schemas of CRDs that have a rule about what was before, by group, kind and version."""
    found = {}
    for definition in definitions:
        spec = definition.get("spec") or {}
        for version in spec.get("versions") or []:
            schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
            if "oldSelf" in str(schema):
                found[str(spec.get("group")), str((spec.get("names") or {}).get("kind")), str(version["name"])] = schema
    return found


def _transitions(schema: Document, path: str, before: Any, after: Any) -> Iterator[tuple[bool, FieldChange]]:
    """What the rules of a schema say to a change: whether it is sure that they refuse it, and the field.

    A rule with `oldSelf` is asked where there is a value before and after.
    """
    if before is None or after is None or before == after:
        return
    for entry in schema.get("x-kubernetes-validations") or []:
        rule = str(entry.get("rule", ""))
        if "oldSelf" not in rule:
            continue
        message = str(entry.get("message") or rule)
        if match := EQUAL.fullmatch(rule.strip()):
            inner = match[1].removeprefix(".")
            old, new = (_at(side, inner) for side in (before, after))
            if old != new:
                yield True, FieldChange(".".join(filter(None, (path, inner))), _text(old), _text(new))
        else:
            yield False, FieldChange(path, _text(before), message)
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() & after.keys():
            below = (schema.get("properties") or {}).get(key) or schema.get("additionalProperties")
            if isinstance(below, dict):
                yield from _transitions(below, f"{path}.{key}" if path else key, before[key], after[key])
    keys = schema.get("x-kubernetes-list-map-keys")
    if isinstance(before, list) and isinstance(after, list) and keys and isinstance(schema.get("items"), dict):
        entries = [{tuple(str(item.get(key)) for key in keys): item for item in side} for side in (before, after)]
        for name in entries[0].keys() & entries[1].keys():
            place = f"{path}[{','.join(name)}]"
            yield from _transitions(schema["items"], place, entries[0][name], entries[1][name])


def _at(value: Any, path: str) -> Any:
    for name in filter(None, path.split(".")):
        value = value.get(name) if isinstance(value, dict) else None
    return value
