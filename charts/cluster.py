"""What every cluster has before Flux applies this tree, brought by k3s, Terraform and Flux's own bootstrap.

Charts take names, labels and ports of these things from here, and the checks know them as provided. Beyond what is
named here the pods need Istio's CNI plugin: without it the sidecar's init container asks for rights that the
restricted Pod Security Standard, which the apps' namespaces demand, refuses (infra/local/istio.tf installs it).
"""

from synth.checks import Provided

ISTIO_SYSTEM = Provided("Namespace", "istio-system", by="Helm release istio-base")
INGRESS_GATEWAY = Provided(
    "Pod",
    "istio-ingress",
    by="Helm release istio-ingress",
    namespace=ISTIO_SYSTEM.name,
    labels={"istio": "ingress"},
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

KEEP = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
"""Annotation of what Flux shall not delete when it leaves Git: data, and the namespace that holds it."""

FLUX_SYSTEM = Provided("Namespace", "flux-system", by="gotk-components.yaml")

DEFAULT = Provided("Namespace", "default", by="Kubernetes")
KUBE_PUBLIC = Provided("Namespace", "kube-public", by="Kubernetes")
KUBE_NODE_LEASE = Provided("Namespace", "kube-node-lease", by="Kubernetes")

PROVIDED = (
    DEFAULT,
    KUBE_PUBLIC,
    KUBE_NODE_LEASE,
    ISTIO_SYSTEM,
    INGRESS_GATEWAY,
    ISTIOD,
    KUBE_SYSTEM,
    CLUSTER_DNS,
    CATTLE_SYSTEM,
    RANCHER,
    FLUX_SYSTEM,
)
