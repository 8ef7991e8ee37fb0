"""One environment's cluster as its tree will make it: what rules look up, and what they say."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

from synth.manifest import Document
from synth.pods import WORKLOADS, pod_labels, pod_spec, pod_template, selected_labels, selects
from synth.tree import Object, Tree

# `kubectl api-resources --namespaced=false`, and what managed clusters have beyond Kubernetes.
CLUSTER_SCOPED = frozenset(
    {
        *("APIService", "CSIDriver", "CSINode", "CertificateSigningRequest", "ClusterIssuer", "ClusterRole"),
        *("ClusterRoleBinding", "ClusterTrustBundle", "CustomResourceDefinition", "DeviceClass", "FlowSchema"),
        *("GatewayClass", "IPAddress", "IngressClass", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"),
        *("MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume", "PriorityClass"),
        *("PriorityLevelConfiguration", "ResourceSlice", "RuntimeClass", "ServiceCIDR", "StorageClass"),
        *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration"),
        *("VolumeAttachment", "VolumeAttributesClass", "VolumeSnapshotClass", "VolumeSnapshotContent"),
    }
)
IN_EVERY_NAMESPACE = frozenset({("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")})
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""The label that every namespace has with its own name as the value, set by Kubernetes."""
INJECT = "sidecar.istio.io/inject"
"""What pods say for themselves about Istio's proxy: a label, or an annotation, which counts where there is no label."""
REVISION = "istio.io/rev"
"""The label by which a namespace or a pod chooses one of several versions of Istio."""
AMBIENT = "istio.io/dataplane-mode"
"""The label of a namespace whose pods share their node's proxy: https://istio.io/latest/docs/ambient/"""
SHARED = "shared"
"""What a StorageClass that is provided is labelled with, where its volumes are for several nodes at once."""


@dataclass(frozen=True)
class Provided:
    """An object that charts rely on and that something else puts into the cluster.

    `labels` are those of the pods for kind Pod, and its own for any other kind; `ports` are the port numbers, for kind
    Service; `by` says who brings it.
    """

    kind: str
    name: str
    by: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Sequence[int] = ()


@dataclass(frozen=True)
class ImagesWanted:
    """How a cluster names its images: with the host of the `registry` that they are pulled from, by their `digests`."""

    registry: bool = False
    digests: bool = False


ANY_IMAGE = ImagesWanted()


@dataclass(frozen=True)
class Violation:
    """One broken rule: the object, and what is wrong and would be right, as the end of a sentence.

    `relies_on` are the objects that the rule was told by: where one of them is wrong itself, that may be all.
    """

    subject: Object
    problem: str
    relies_on: Sequence[Object] = ()

    def __str__(self) -> str:
        folder = PurePosixPath(self.subject.folder).name
        return f"{folder}: {self.subject} {self.problem} ({self.subject.source})"


class Cluster:
    """What is in one environment's cluster: the tree's objects, and what is provided from outside."""

    def __init__(self, tree: Tree, provided: Iterable[Provided], images: ImagesWanted = ANY_IMAGE) -> None:
        self.tree = tree
        self.images = images
        self.objects = list(tree.objects())
        self.provided = list(provided)
        self.workloads = [item for item in self.objects if item.kind in WORKLOADS]
        self._of_kind: dict[str, list[Object]] = defaultdict(list)
        self._placed: dict[tuple[str, str], dict[str, Object | Provided]] = defaultdict(dict)
        self._pods: dict[str, list[tuple[Mapping[str, str], Object | None]]] = defaultdict(list)
        for item in self.objects:
            self._of_kind[item.kind].append(item)
            self._placed[item.kind, item.namespace][item.name] = item
        for item in self.workloads:
            self._pods[item.namespace].append((pod_labels(item.document), item))
        for given in self.provided:
            self._placed[given.kind, given.namespace].setdefault(given.name, given)
            if given.kind == "Pod":
                self._pods[given.namespace].append((given.labels, None))

    def of(self, kind: str) -> list[Object]:
        """The tree's objects of a kind, in their order."""
        return self._of_kind[kind]

    def within(self, namespace: str, kind: str) -> list[Object]:
        """The tree's objects of a kind in one namespace."""
        return [item for item in self._placed[kind, namespace].values() if isinstance(item, Object)]

    def find(self, kind: str, namespace: str, name: str) -> Object | Provided | None:
        """An object by its identity, from the tree or from outside."""
        return self._placed[kind, namespace].get(name)

    def known(self, kind: str, namespace: str) -> list[str]:
        """The names of the objects of a kind in a namespace, made here or provided."""
        return list(self._placed[kind, namespace])

    def names(self, kind: str, namespace: str) -> str:
        """The objects of a kind in a namespace, for the part of a sentence that says what would be right."""
        return ", ".join(self.known(kind, namespace)) or "none"

    def unknown(self, kind: str, namespace: str) -> str:
        """The part of a sentence about an object of a kind that is not there, with those that are."""
        return f"which is neither made here nor provided; there are {self.names(kind, namespace)}"

    @cached_property
    def namespaces(self) -> dict[str, Mapping[str, str]]:
        """The labels of every namespace, made here or provided, by its name."""
        return {
            name: {**_own_labels(item), NAMESPACE_LABEL: name} for name, item in self._placed["Namespace", ""].items()
        }

    def chosen(self, namespace: str, selector: Document | None) -> list[Object]:
        """The tree's workloads in a namespace whose pods a label selector is for."""
        return [item for own, item in self._pods[namespace] if item is not None and selects(selector, own)]

    def has_chosen(self, namespace: str, selector: Document | None) -> bool:
        """Whether pods that a label selector is for are made here or provided."""
        return any(selects(selector, own) for own, _ in self._pods[namespace])

    def selected(self, namespace: str, labels: Mapping[str, str]) -> list[Object]:
        """The tree's workloads in a namespace whose pods have these labels."""
        return [item for own, item in self._pods[namespace] if item is not None and labels.items() <= own.items()]

    def has_sidecar(self, workload: Object) -> bool:
        """Whether the pods of a workload get Istio's proxy, as far as the tree says."""
        return not self.way_to_a_sidecar(workload)

    def way_to_a_sidecar(self, workload: Object) -> str:
        """What to change for the pods of a workload to get Istio's proxy; nothing where they do.

        https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/#controlling-the-injection-policy
        """
        namespace = self.find("Namespace", "", workload.namespace)
        of_namespace = namespace.document["metadata"].get("labels") or {} if isinstance(namespace, Object) else {}
        of_pods = pod_labels(workload.document)
        annotations = (pod_template(workload.document).get("metadata") or {}).get("annotations") or {}
        if pod_spec(workload.document).get("hostNetwork") is True:
            return "leave hostNetwork out of its pods"
        if of_pods.get(INJECT, annotations.get(INJECT)) == "false":
            return f"leave {INJECT} out of its pods"
        if "istio-injection" in of_namespace:
            found = of_namespace["istio-injection"] == "enabled"
        else:
            found = REVISION in {**of_namespace, **of_pods} or of_pods.get(INJECT) == "true"
        return "" if found else f"label Namespace {workload.namespace} with istio-injection enabled"

    def has_pods(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether pods with these labels are made here or provided."""
        return any(labels.items() <= own.items() for own, _ in self._pods[namespace])


Rule = Callable[[Cluster], Iterator[Violation]]
"""What must hold across the objects of one environment: what of them breaks it."""


def _own_labels(item: Object | Provided) -> Mapping[str, str]:
    return item.labels if isinstance(item, Provided) else item.document["metadata"].get("labels") or {}


def shown(labels: Mapping[str, str]) -> str:
    """Labels as `kubectl` takes them."""
    return ",".join(f"{key}={value}" for key, value in labels.items())


def shown_selector(selector: Document | None) -> str:
    """A label selector as `kubectl` takes it; nothing where it is for all.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api
    """
    return ",".join(
        [
            *([shown(labels)] if (labels := selected_labels(selector)) else []),
            *(_shown_expression(expression) for expression in (selector or {}).get("matchExpressions") or []),
        ]
    )


def _shown_expression(expression: Document) -> str:
    key, operator, values = expression["key"], expression["operator"], ",".join(expression.get("values") or [])
    if operator in ("Exists", "DoesNotExist"):
        return f"!{key}" if operator == "DoesNotExist" else str(key)
    return f"{key} {operator.lower()} ({values})"
