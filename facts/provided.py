"""What a cluster has before Flux applies its tree, brought by Kubernetes, Terraform and Flux's own bootstrap.

Charts take names, labels and ports of these things from here, and the checks know them as provided. Beyond what is
named here the pods need Istio's CNI plugin: without it the sidecar's init container asks for rights that the
restricted Pod Security Standard, which the apps' namespaces demand, refuses (infra/local/istio.tf installs it), and
an autoscaled app needs metrics-server. docs/environments.md says how a managed cluster gets all of it.
"""

from facts.environments import K3D, Environment
from facts.layout import COMPONENTS_FILE, SYNC_NAME
from synth.cluster import SHARED, Provided

ISTIO_SYSTEM = Provided("Namespace", "istio-system", by="Helm release istio-base")
INGRESS_GATEWAY = Provided(
    "Pod",
    "istio-ingress",
    by="Helm release istio-ingress",
    namespace=ISTIO_SYSTEM.name,
    labels={"istio": "ingress"},
)
INGRESS_GATEWAY_ACCOUNT = Provided(
    "ServiceAccount", "istio-ingress", by="Helm release istio-ingress", namespace=ISTIO_SYSTEM.name
)
ISTIOD = Provided(
    "Pod",
    "istiod",
    by="Helm release istiod",
    namespace=ISTIO_SYSTEM.name,
    labels={"app": "istiod"},
)
# Where sidecars get their certificates and configuration: https://istio.io/latest/docs/ops/deployment/application-requirements/
ISTIOD_PORT = 15012

KUBE_SYSTEM = Provided("Namespace", "kube-system", by="Kubernetes")
CLUSTER_DNS = Provided(
    "Pod",
    "coredns",
    by="Kubernetes",
    namespace=KUBE_SYSTEM.name,
    labels={"k8s-app": "kube-dns"},
)
DNS_PORT = 53

CATTLE_SYSTEM = Provided("Namespace", "cattle-system", by="Helm release rancher")
RANCHER = Provided(
    "Service",
    "rancher",
    by="Helm release rancher",
    namespace=CATTLE_SYSTEM.name,
    ports=(443,),
)

MONITORING = Provided("Namespace", "monitoring", by="Helm release kube-prometheus-stack")
PROMETHEUS = Provided(
    "Pod",
    "prometheus",
    by="Helm release kube-prometheus-stack",
    namespace=MONITORING.name,
    labels={"app.kubernetes.io/name": "prometheus"},
)
# Where a sidecar answers with its own metrics and its app's: https://istio.io/latest/docs/ops/integrations/prometheus/
MERGED_METRICS_PORT = 15020

CERT_MANAGER = Provided("Namespace", "cert-manager", by="Helm release cert-manager")
FLUX_SYSTEM = Provided("Namespace", SYNC_NAME, by=COMPONENTS_FILE)
FLUX_KEY = Provided("Secret", SYNC_NAME, by="`flux bootstrap`", namespace=FLUX_SYSTEM.name)
"""The key by which Flux reads this repository."""

AGE_KEY = Provided("Secret", "sops-age", by="`./gw secrets install`", namespace=FLUX_SYSTEM.name)
"""The key by which Flux decrypts the Secrets in this repository."""
AGE_KEY_FILE = "age.agekey"
"""What Flux takes for one of age: https://fluxcd.io/flux/components/kustomize/kustomizations/#age-secret-entry"""

KUSTOMIZE_CONTROLLER = Provided(
    "ServiceAccount", "kustomize-controller", by=COMPONENTS_FILE, namespace=FLUX_SYSTEM.name
)
"""The account of the controller itself, which may do everything."""

KEEP = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
"""Annotation of what Flux does not delete when it leaves Git: data, and the namespace that holds it."""

MADE_ANEW = {"kustomize.toolkit.fluxcd.io/force": "enabled"}
"""Annotation of what Flux deletes and makes anew where it cannot be changed.

https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources
"""

INGRESS_CONTROLLER = Provided("IngressController", "istio.io/ingress-controller", by="istiod")
"""https://istio.io/latest/docs/tasks/traffic-management/ingress/kubernetes-ingress/"""

OF_THE_MESH = (
    *(Provided("ExtensionProvider", name, by="istiod") for name in ("envoy", "prometheus", "stackdriver")),
    INGRESS_CONTROLLER,
)
"""What istiod has where its values in infra/ say nothing; there `meshConfig.extensionProviders` are more.

https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-ExtensionProvider
"""

GROUPS = {
    "istiod": ("extensions.istio.io", "networking.istio.io", "security.istio.io", "telemetry.istio.io"),
    "cert-manager": ("acme.cert-manager.io", "cert-manager.io"),
    COMPONENTS_FILE: tuple(
        f"{controller}.toolkit.fluxcd.io" for controller in ("helm", "kustomize", "notification", "source")
    ),
}
"""What the API server takes beside Kubernetes' own kinds, by who brings them."""

EVERYWHERE = (
    *(Provided("APIGroup", group, by=by) for by, groups in GROUPS.items() for group in groups),
    *(Provided("Namespace", name, by="Kubernetes") for name in ("default", "kube-public", "kube-node-lease")),
    KUBE_SYSTEM,
    CLUSTER_DNS,
    ISTIO_SYSTEM,
    INGRESS_GATEWAY,
    INGRESS_GATEWAY_ACCOUNT,
    ISTIOD,
    *OF_THE_MESH,
    CERT_MANAGER,
    FLUX_SYSTEM,
    FLUX_KEY,
    KUSTOMIZE_CONTROLLER,
)


def provided(environment: Environment) -> tuple[Provided, ...]:
    """Everything that an environment's cluster has of its own."""
    found = [*EVERYWHERE]
    if environment.context.startswith(K3D):
        found += [Provided("APIGroup", f"{name}.cattle.io", by="k3s") for name in ("helm", "k3s")]
    if environment.rancher:
        found += [CATTLE_SYSTEM, RANCHER, Provided("APIGroup", "management.cattle.io", by="Helm release rancher")]
    if environment.prometheus:
        found += [MONITORING, PROMETHEUS, Provided("APIGroup", "monitoring.coreos.com", by=PROMETHEUS.by)]
    if environment.age_recipients:
        found.append(AGE_KEY)
    shared = environment.shared_storage_class
    for name in sorted(filter(None, {environment.storage_class, shared})):
        labels = {SHARED: "true"} if name == shared else {}
        found.append(Provided("StorageClass", name, by="the cluster", labels=labels))
    for label in environment.node_labels:
        key, _, value = label.partition("=")
        found.append(Provided("Node", label, by="the cluster", labels={key: value}))
    return tuple(found)
