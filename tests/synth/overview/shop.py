"""A small environment as data: a shop that is scaled, its database, a job, and a console that brings its own TLS."""

import pickle
from functools import cache

from synth.manifest import Document, load
from synth.overview import Overview, overview
from synth.tree import Object

ROOT = "deploy/test"

FOLDERS = {
    "platform/gateway": """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: main, namespace: istio-system}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [shop/shop.example.com, shop/www.example.com]
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: [shop/shop.example.com, shop/www.example.com]
    tls: {mode: SIMPLE, credentialName: shop}
  - port: {number: 443, name: tls, protocol: TLS}
    hosts: [console/console.example.com]
    tls: {mode: PASSTHROUGH}
  - port: {number: 5432, name: tcp, protocol: TCP}
    hosts: ["data/*"]
""",
    "platform/console": """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: console, namespace: console}
spec:
  hosts: [console.example.com]
  gateways: [istio-system/main]
  tls:
  - match: [{port: 443, sniHosts: [console.example.com]}]
    route: [{destination: {host: console.console.svc.cluster.local, port: {number: 443}}}]
""",
    "apps/shop": """
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio-injection: enabled}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-ingress, namespace: shop}
spec:
  podSelector: {matchLabels: {app: shop}}
  policyTypes: [Ingress]
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: istio-system}}
      podSelector: {matchLabels: {istio: ingress}}
    ports: [{port: 8000}]
  - from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}
      podSelector: {matchLabels: {app: prometheus}}
    ports: [{port: 15020}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-to-data, namespace: shop}
spec:
  podSelector: {matchLabels: {app: shop}}
  policyTypes: [Egress]
  egress:
  - to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: data}}
      podSelector: {matchLabels: {app: data}}
    ports: [{port: 5432}]
  - to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]
    ports: [{port: 443}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: shop, namespace: shop}
spec:
  selector: {matchLabels: {app: shop}}
  action: ALLOW
  rules:
  - from: [{source: {principals: [cluster.local/ns/istio-system/sa/ingress]}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata:
      labels: {app: shop}
      annotations:
        sidecar.istio.io/proxyCPU: 50m
        sidecar.istio.io/proxyMemory: 64Mi
        sidecar.istio.io/proxyCPULimit: 500m
        sidecar.istio.io/proxyMemoryLimit: 256Mi
    spec:
      serviceAccountName: shop
      initContainers:
      - name: migrate
        image: registry.example.com/shop:1.0
        resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {cpu: 100m, memory: 64Mi}}
      containers:
      - name: shop
        image: registry.example.com/shop:1.0
        ports: [{name: web, containerPort: 8000}]
        resources: {requests: {cpu: 50m, memory: 64Mi}, limits: {cpu: 500m, memory: 128Mi}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: shop, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}
  minReplicas: 2
  maxReplicas: 5
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: shop}
spec:
  selector: {app: shop}
  ports: [{name: http, port: 80, targetPort: web}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: pay, namespace: shop}
spec:
  hosts: [pay.example.net]
  ports: [{number: 443, name: tls, protocol: TLS}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: shop}
spec:
  hosts: [shop.example.com, www.example.com]
  gateways: [istio-system/main]
  http:
  - match: [{port: 80}]
    redirect: {scheme: https}
  - match: [{port: 443, uri: {exact: /report}}, {port: 443, uri: {prefix: /report/}}]
    route: [{destination: {host: report.data.svc.cluster.local, port: {number: 80}}}]
  - match: [{port: 443, method: {exact: GET}}]
    route: [{destination: {host: shop, port: {number: 80}}}]
  - match: [{port: 443}]
    route: [{destination: {host: shop, port: {number: 80}}}]
""",
    "apps/data": """
apiVersion: v1
kind: Namespace
metadata: {name: data}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: data}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-from-shop, namespace: data}
spec:
  podSelector: {matchLabels: {app: data}}
  policyTypes: [Ingress]
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}
      podSelector: {matchLabels: {app: shop}}
    - podSelector: {}
    - ipBlock: {cidr: 192.0.2.0/24}
    ports: [{port: 5432}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: dumps, namespace: data, annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 2Gi}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: spare, namespace: data}
spec:
  accessModes: [ReadWriteMany]
  resources: {requests: {storage: 1Gi}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: data, namespace: data}
spec:
  replicas: 3
  selector: {matchLabels: {app: data}}
  template:
    metadata: {labels: {app: data}}
    spec:
      containers:
      - name: data
        image: registry.example.com/data:2.0@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
        ports: [{containerPort: 5432}]
        resources: {requests: {cpu: 100m, memory: 1Gi}, limits: {cpu: "1", memory: 1Gi}}
  volumeClaimTemplates:
  - metadata: {name: rows}
    spec:
      accessModes: [ReadWriteOnce]
      resources: {requests: {storage: 10Gi}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: dump, namespace: data}
spec:
  schedule: "*/5 3 * * *"
  jobTemplate:
    spec:
      template:
        metadata: {labels: {app: dump}}
        spec:
          containers:
          - name: dump
            image: registry.example.com/data:2.0
            resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {cpu: 100m, memory: 64Mi}}
          volumes:
          - name: dumps
            persistentVolumeClaim: {claimName: dumps}
---
apiVersion: v1
kind: Service
metadata: {name: data, namespace: data}
spec:
  selector: {app: data}
  ports: [{name: tcp-data, port: 5432}]
---
apiVersion: v1
kind: Service
metadata: {name: report, namespace: data}
spec:
  selector: {app: report}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: data, namespace: data}
spec:
  hosts: ["*"]
  gateways: [istio-system/main]
  tcp:
  - match: [{port: 5432}]
    route: [{destination: {host: data.data.svc.cluster.local, port: {number: 5432}}}]
""",
}


def objects() -> list[Object]:
    """The environment's objects, each in a file of its own, for a test to change as it likes."""
    copy: list[Object] = pickle.loads(_read())  # noqa: S301, pickled below
    return copy


@cache
def _read() -> bytes:
    found = [
        Object(document, "charts/shop.py", f"{ROOT}/{folder}/{number}.yaml")
        for folder, text in FOLDERS.items()
        for number, document in enumerate(load(text))
    ]
    return pickle.dumps(found)


def without(*names: str) -> list[Object]:
    """The same without the objects of these names, as `Kind/name`."""
    return [item for item in objects() if f"{item.kind}/{item.name}" not in names]


def the(kind: str, name: str, found: list[Object]) -> Document:
    return next(item.document for item in found if (item.kind, item.name) == (kind, name))


def shop() -> Overview:
    return overview(objects(), ROOT)
