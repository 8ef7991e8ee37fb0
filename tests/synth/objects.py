"""A small, whole environment as data, for the rules to find one mistake at a time in."""

import pickle
from collections.abc import Iterable
from copy import deepcopy
from functools import cache
from typing import Any

from synth.cluster import SHARED, Cluster, Provided, Rule
from synth.manifest import Document, load
from synth.tree import KUSTOMIZATION_VERSION, File, Tree

WIKI = "charts/wiki.py"
KUSTOMIZATION = {"apiVersion": KUSTOMIZATION_VERSION, "kind": "Kustomization"}

ENVIRONMENT = """
apiVersion: v1
kind: Namespace
metadata: {name: wiki, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: wiki, namespace: wiki}
spec: {hard: {pods: "20"}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: wiki, namespace: wiki}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: pages, namespace: wiki}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-ingress, namespace: wiki}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/name: wiki}}
  policyTypes: [Ingress]
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: istio-system}}
      podSelector: {matchLabels: {istio: ingress}}
    ports: [{port: 8000}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: wiki}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: wiki, namespace: wiki, labels: {app.kubernetes.io/name: wiki}}
spec:
  replicas: 1
  strategy: {type: Recreate}
  selector: {matchLabels: {app.kubernetes.io/name: wiki}}
  template:
    metadata: {labels: {app.kubernetes.io/name: wiki}}
    spec:
      serviceAccountName: wiki
      automountServiceAccountToken: false
      imagePullSecrets: [{name: key}]
      securityContext: {runAsNonRoot: true, runAsUser: 10001, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: wiki
        image: wiki:1.0
        ports: [{name: http, containerPort: 8000}]
        env: [{name: DEBUG, value: "false"}]
        startupProbe: {httpGet: {path: /, port: http}}
        readinessProbe: {httpGet: {path: /, port: http}}
        livenessProbe: {httpGet: {path: /, port: http}}
        resources:
          requests: {cpu: 50m, memory: 64Mi, ephemeral-storage: 64Mi}
          limits: {cpu: 500m, memory: 256Mi, ephemeral-storage: 256Mi}
        securityContext:
          allowPrivilegeEscalation: false
          capabilities: {drop: [ALL]}
          readOnlyRootFilesystem: true
        volumeMounts: [{name: pages, mountPath: /data}]
      volumes:
      - name: pages
        persistentVolumeClaim: {claimName: pages}
---
apiVersion: v1
kind: Service
metadata: {name: wiki, namespace: wiki}
spec:
  selector: {app.kubernetes.io/name: wiki}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: wiki, namespace: wiki}
spec:
  hosts: [wiki.localhost]
  gateways: [istio-system/main]
  http:
  - route:
    - destination: {host: wiki.wiki.svc.cluster.local, port: {number: 80}}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: main, namespace: istio-system}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [wiki/wiki.localhost]
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: platform, namespace: flux-system}
spec:
  sourceRef: {kind: GitRepository, name: flux-system}
  serviceAccountName: kustomize-controller
  path: ./deploy/platform
  prune: true
  wait: true
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  sourceRef: {kind: GitRepository, name: flux-system}
  serviceAccountName: kustomize-controller
  path: ./deploy/apps
  prune: true
  dependsOn: [{name: platform}]
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec:
  sourceRef: {kind: GitRepository, name: flux-system}
  serviceAccountName: kustomize-controller
  path: ./deploy/flux
  prune: true
"""

SHARED_CLASS = Provided("StorageClass", "shared", by="the cluster", labels={SHARED: "true"})
PROVIDED = (
    SHARED_CLASS,
    Provided("Namespace", "istio-system", by="Istio"),
    Provided("Namespace", "flux-system", by="Flux"),
    Provided("ServiceAccount", "kustomize-controller", by="Flux", namespace="flux-system"),
    Provided("Pod", "istio-ingress", by="Istio", namespace="istio-system", labels={"istio": "ingress"}),
    Provided("Service", "outside", by="somebody", namespace="istio-system", ports=(443,)),
    Provided("Secret", "key", by="somebody", namespace="wiki"),
    *(Provided("APIGroup", f"{group}.istio.io", by="Istio") for group in ("networking", "security", "telemetry")),
    *(Provided("APIGroup", f"{group}.toolkit.fluxcd.io", by="Flux") for group in ("kustomize", "source")),
    Provided("APIGroup", "helm.toolkit.fluxcd.io", by="Flux"),
    Provided("APIGroup", "cert-manager.io", by="cert-manager"),
)


def environment() -> list[Document]:
    """The environment, for a test to change as it likes: YAML is read once, which takes a hundred times as long."""
    copy: list[Document] = pickle.loads(_read())  # noqa: S301, pickled below
    return copy


@cache
def _read() -> bytes:
    return pickle.dumps(load(ENVIRONMENT))


def budget(**spec: Any) -> Document:
    """A PodDisruptionBudget for the wiki."""
    selector = {"matchLabels": {"app.kubernetes.io/name": "wiki"}}
    metadata = {"name": "wiki", "namespace": "wiki"}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": {"selector": selector, **spec},
    }


def find(documents: list[Document], kind: str, name: str | None = None) -> Document:
    return next(d for d in documents if d["kind"] == kind and name in (None, d["metadata"]["name"]))


def put(document: Document, path: str, value: Any) -> None:
    """Set what is at a path like `spec.ports.0.port`; None removes it."""
    *way, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    place: Any = document
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value


def tree(documents: list[Document]) -> Tree:
    """Each document in a file of its own below deploy/apps/wiki, Flux's below deploy/flux/wiki."""
    files = {
        f"deploy/{_unit(document)}/wiki/{index}.yaml": File((document,), WIKI)
        for index, document in enumerate(documents)
    }
    listings = {
        f"deploy/{folder}/kustomization.yaml": File((KUSTOMIZATION,), WIKI) for folder in ("apps", "platform", "flux")
    }
    return Tree({**files, **listings})


def _unit(document: Document) -> str:
    return "flux" if document["metadata"].get("namespace") == "flux-system" else "apps"


def said(rules: Iterable[Rule], documents: list[Document], *provided: Provided) -> list[str]:
    """What these rules say, without the folder and the module; `provided` is there beside what is always provided."""
    cluster = Cluster(tree(documents), (*PROVIDED, *provided))
    return [f"{violation.subject} {violation.problem}" for rule in rules for violation in rule(cluster)]


# what several tests make of it

NAMED_WIKI = {"name": "wiki", "namespace": "wiki"}
WIKI_PODS = {"matchLabels": {"app.kubernetes.io/name": "wiki"}}
FOR_OTHER = {"matchLabels": {"app.kubernetes.io/name": "other"}}
SPREAD = [{"topologyKey": "kubernetes.io/hostname"}]
POD = "spec/template/spec"
GATEWAYS = {"from": [{"source": {"principals": ["cluster.local/ns/istio-system/sa/istio-ingress"]}}]}
DNS, ISTIOD = {"port": 53, "protocol": "UDP"}, {"port": 15012}


def unlimited() -> list[Document]:
    """The environment without a quota and limits of its own."""
    return [document for document in environment() if document["kind"] not in ("ResourceQuota", "LimitRange")]


def scaled(replicas: int = 3) -> list[Document]:
    """The environment with several pods of the wiki: on a volume for all of them, spread, and with a budget."""
    documents = unlimited()
    claim = find(documents, "PersistentVolumeClaim")
    put(claim, "spec/accessModes", ["ReadWriteMany"])
    put(claim, "spec/storageClassName", SHARED_CLASS.name)
    wiki = find(documents, "Deployment")
    put(wiki, "spec/replicas", replicas)
    put(wiki, "spec/strategy", {"type": "RollingUpdate"})
    put(wiki, f"{POD}/topologySpreadConstraints", SPREAD)
    return [*documents, budget(maxUnavailable=1)]


def autoscaled(**spec: Any) -> list[Document]:
    """The same with an autoscaler in charge, of 2 to 4 pods unless told otherwise."""
    documents = scaled()
    put(find(documents, "Deployment"), "spec/replicas", None)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "wiki"}
    autoscaler = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": dict(NAMED_WIKI)}
    autoscaler["spec"] = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 4, **spec}
    return [*documents, autoscaler]


def other(kind: str, **spec: Any) -> Document:
    """One more workload, with pods like the wiki's."""
    workload = find(environment(), "Deployment")
    template = {**workload["spec"]["template"], "metadata": {"labels": FOR_OTHER["matchLabels"]}}
    metadata = {"name": "other", "namespace": "wiki"}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {"template": template, **spec}}


ANYWHERE = [{"ipBlock": {"cidr": "0.0.0.0/0"}}]


def policy(name: str, **spec: Any) -> Document:
    """A NetworkPolicy for the wiki; its rules are for anywhere unless they say for whom."""
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        if direction in spec:
            spec[direction] = [{peers: ANYWHERE, **rule} for rule in spec[direction]]
    metadata = {"name": name, "namespace": "wiki"}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def istio(kind: str, **spec: Any) -> Document:
    """An object of Istio's for the wiki."""
    group = "security" if kind == "AuthorizationPolicy" else "networking"
    return {"apiVersion": f"{group}.istio.io/v1", "kind": kind, "metadata": dict(NAMED_WIKI), "spec": spec}


def out(*ports: Document) -> Document:
    return policy("allow-out", podSelector={}, policyTypes=["Egress"], egress=[{"ports": list(ports)}])


def with_sidecars(*ports: Document) -> list[Document]:
    """The environment with sidecars, which may reach these ports, and only the gateway may call."""
    documents = environment()
    find(documents, "Namespace")["metadata"]["labels"]["istio-injection"] = "enabled"
    return [*documents, out(*ports), istio("AuthorizationPolicy", selector=WIKI_PODS, rules=[deepcopy(GATEWAYS)])]
