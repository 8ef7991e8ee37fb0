"""Rules for the names of what a controller brings and no object stands for: nobody complains of one that it lacks."""

from collections.abc import Iterator

from synth.api_resources import NAMESPACED, OF_NO_NAMESPACE, problem_of_kind
from synth.cluster import Cluster, Rule, Violation
from synth.tree import Object

EXTENSION_PROVIDER = "ExtensionProvider"
"""Where the mesh sends logs, metrics, traces and questions, as its configuration names it.

https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-ExtensionProvider
"""
INGRESS_CONTROLLER = "IngressController"
"""Who does what an IngressClass is for: https://kubernetes.io/docs/concepts/services-networking/ingress/#ingress-class"""
API_GROUP = "APIGroup"
"""What a controller adds to the API server by CustomResourceDefinitions: `networking.istio.io`."""
SENT = {"accessLogging": "logs", "metrics": "metrics", "tracing": "traces"}


def what_controllers_bring_is_known(cluster: Cluster) -> Iterator[Violation]:
    for item in (*cluster.of("Telemetry"), *cluster.of("AuthorizationPolicy"), *cluster.of("IngressClass")):
        for kind, name, does in _named_by(item):
            if not cluster.find(kind, "", name):
                yield Violation(item, f"{does} {name}, {cluster.unknown(kind, '')}")


def kinds_are_known(cluster: Cluster) -> Iterator[Violation]:
    """Flux applies nothing of a folder in which one object is of a kind that the API server does not know."""
    defined = {item.spec.get("group") for item in cluster.of("CustomResourceDefinition")}
    known = {*NAMESPACED, *OF_NO_NAMESPACE, *defined, *cluster.known(API_GROUP, "")}
    for item in cluster.objects:
        if problem := problem_of_kind(item.group, item.document["apiVersion"].rpartition("/")[2], item.kind):
            yield Violation(item, problem)
        # What a release brings only its chart knows.
        if item.group not in known and not cluster.of("HelmRelease"):
            yield Violation(item, f"is of API group {item.group}, {cluster.unknown(API_GROUP, '')}")


def _named_by(item: Object) -> Iterator[tuple[str, str, str]]:
    """What an object names, by kind and name, each with the words for it."""
    for field, what in SENT.items():
        for entry in item.spec.get(field) or []:
            for provider in entry.get("providers") or []:
                yield EXTENSION_PROVIDER, str(provider.get("name")), f"sends {what} to the provider"
    if item.kind == "AuthorizationPolicy" and (provider := item.spec.get("provider")):
        yield EXTENSION_PROVIDER, str(provider.get("name")), "asks the provider"
    if item.kind == "IngressClass":
        yield INGRESS_CONTROLLER, str(item.spec.get("controller")), "is for the controller"


RULES: tuple[Rule, ...] = (what_controllers_bring_is_known, kinds_are_known)
