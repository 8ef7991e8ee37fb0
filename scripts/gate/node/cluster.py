"""An environment's cluster on a node of one's own: what the tree asks of it, then Flux, which applies the tree."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from facts.environments import Environment
from facts.layout import FLUX_FOLDER, SYNC_FILE, SYNC_NAME
from scripts.cluster.deployed import controllers
from scripts.gate import kubernetes as built
from scripts.gate.builds import Build, Wheel
from scripts.gate.judges.admission import of_the_cluster
from scripts.gate.judges.reconciliation import Applied, Reconciliation
from scripts.gate.node import certificates, mesh, metrics, programs, wiki
from scripts.gate.node.enclosure import FOLDER
from scripts.gate.node.git_server import GitServer
from scripts.gate.node.images import Image, Registry
from scripts.gate.node.node import ADDRESS, DNS, LOAD_BALANCER, NAME, PAUSE, REGISTRY_PORT, Node
from scripts.gate.node.stand_ins import PROGRAM, images
from scripts.gate.tools import SOPS
from scripts.programs import ROOT
from synth.manifest import Document

COREDNS = "cluster.test/coredns:1"
CLIENT = "cluster.test/client:1"
"""The image of a pod that calls others, `/pods get URL...`, and answers at a port."""
CLIENT_PORT = 8080
RECONCILE = "reconcile.fluxcd.io/requestedAt"
TREE_SECONDS = 600
"""How long Flux may take over everything, from its first look at Git."""


@dataclass(frozen=True)
class Cluster:
    """A cluster that Flux keeps as the branch of `git` says; its tree is at `tree` in the work of `git`."""

    environment: Environment
    node: Node
    git: GitServer

    @property
    def tree(self) -> Path:
        return self.git.work / self.environment.path

    @property
    def objects(self) -> list[Document]:
        """What Flux applies of the work of `git`, in its order."""
        return [item.document for item in self.files]

    @property
    def files(self) -> list[Applied]:
        """The same, each with the file that it is in."""
        work = self.git.work
        files = sorted((work / "deploy").rglob("*.yaml"))
        texts = {file.relative_to(work).as_posix(): file.read_text("utf-8") for file in files}
        return list(Reconciliation(texts, self.environment.path).objects)

    def kustomizations(self) -> list[Document]:
        """Flux's Kustomizations, as the cluster has them."""
        found: list[Document] = self.node.get("kustomizations.kustomize.toolkit.fluxcd.io", "--namespace", SYNC_NAME)[
            "items"
        ]
        return found

    def reconcile(self, *names: str) -> None:
        """Ask Flux to look now: at Git, then at these Kustomizations, or at those that wait for Git."""
        now = f"{RECONCILE}={time.time()}"
        for name in names or ("gitrepository/" + SYNC_NAME,):
            kind = name if "/" in name else f"kustomization/{name}"
            self.node.kubectl("annotate", "--overwrite", "--namespace", SYNC_NAME, kind, now)

    def publish(self, message: str) -> str:
        """Commit what was changed in the tree and let Flux fetch it; the revision."""
        revision = self.git.commit(message)
        self.reconcile()
        return revision

    def wait_applied(self, revision: str, seconds: float = TREE_SECONDS) -> float:
        """Wait until every Kustomization has a revision, and is ready; how long it took."""

        def reached() -> bool:
            return all(applied(item) == revision and ready(item)[0] == "True" for item in self.kustomizations())

        return self.node.wait(f"all Kustomizations at {revision[:20]}", reached, seconds)


def applied(kustomization: Document) -> str:
    """The revision that Flux has applied last."""
    return str(kustomization.get("status", {}).get("lastAppliedRevision", ""))


def ready(kustomization: Document) -> tuple[str, str]:
    """What Flux says: True, False or Unknown, and its message."""
    for condition in kustomization.get("status", {}).get("conditions", ()):
        if condition["type"] == "Ready":
            return condition["status"], condition["message"]
    return "Unknown", ""


def make(environment: Environment) -> None:
    """Build and fetch what a cluster is made of, as far as it is not there: the cluster itself has no network.

    Raises:
        ToolError: a build fails.
    """
    built.fetch_definitions()
    for part in _parts(environment):
        part.make()


def missing(environment: Environment) -> list[str]:
    """What of a cluster `make` would have to build or fetch."""
    found = [part.name for part in _parts(environment) if not part.place.exists()]
    return found if built.has_definitions() else [*found, "definitions"]


def _parts(environment: Environment) -> Iterator[Build | Wheel]:
    yield from (programs.kubernetes(environment), programs.PODS, programs.COREDNS, programs.KUBE_ROUTER)
    yield from map(programs.controller, programs.CONTROLLERS)
    yield from SOPS.values()
    yield from mesh.parts()
    if environment.tls:
        yield from certificates.parts()
    yield from metrics.parts()
    yield from (programs.WIKI, programs.SELENIUM)


@contextmanager
def running(environment: Environment, logs: Path) -> Iterator[Cluster]:
    """Bring up an environment's cluster from nothing until Flux has applied all of its tree, as it is committed.

    Only below `enclosure.run`. `make` was called before.

    Raises:
        ToolError: something does not come up; with the first cause that can be found.
    """
    node = Node(programs.kubernetes(environment).make(), logs)
    line = environment.tags.line if environment.tags else None
    git = GitServer(FOLDER / "git", environment.git_url, environment.git_branch, line)
    (FOLDER / "images").mkdir()
    registry = Registry(FOLDER / "images")
    with registry.serving("127.0.0.1", REGISTRY_PORT), node.running():
        git.serve(ROOT, node)
        cluster = Cluster(environment, node, git)
        registry.add(PAUSE, Image({PROGRAM: programs.PODS.make()}, (PROGRAM, "pause")))
        client = {"PORTS": str(CLIENT_PORT)}
        registry.add(CLIENT, Image({PROGRAM: programs.PODS.make()}, (PROGRAM, "serve"), environment=client))
        registry.add(COREDNS, Image({"/coredns": programs.COREDNS.make()}, ("/coredns",), user=0))
        asked = certificates.hosts(cluster.objects)
        if asked:
            certificates.serve(node, asked, environment)
        registry.add(wiki.REFERENCE, wiki.image())
        for reference, image in (*mesh.images(environment), *(certificates.images() if asked else ())):
            registry.add(reference, image)
        digests = {name: registry.add(name, image) for name, image in images(cluster.objects).items()}
        _name_by_digest(cluster, digests)
        _provide(cluster)
        if metrics.is_asked(cluster.objects):
            metrics.install(node, environment, registry)
        bootstrap(cluster)
        cluster.wait_applied(git.revision)
        yield cluster


def _name_by_digest(cluster: Cluster, digests: Mapping[str, str]) -> None:
    """Where the tree names an image by its digest, name the digest of what stands in for it: no other can be pulled."""
    renamed = {name: f"{name.partition('@')[0]}@{digest}" for name, digest in digests.items() if "@" in name}
    if not renamed:
        return
    for file in cluster.tree.rglob("*.yaml"):
        before = file.read_text("utf-8")
        after = before
        for name, new in renamed.items():
            after = after.replace(name, new)
        if after != before:
            file.write_text(after, "utf-8")
    cluster.git.commit("The digests of what stands in for the images")
    cluster.node.say(f"{len(renamed)} images are named by the digests of what stands in for them")


def bootstrap(cluster: Cluster) -> None:
    """Install Flux and let it follow the branch, in the steps of `./gw flux bootstrap`."""
    node, sync = cluster.node, cluster.tree / FLUX_FOLDER / SYNC_FILE
    node.apply(controllers(cluster.tree))
    node.wait("Flux's controllers are available", lambda: node.well(SYNC_NAME))
    node.apply([cluster.git.secret(SYNC_NAME, SYNC_NAME)])
    node.kubectl("apply", "--server-side", "--force-conflicts", "--filename", str(sync))


def _provide(cluster: Cluster) -> None:
    """Have what a cluster has before Flux comes: namespaces, definitions, volumes, its DNS, Istio and cert-manager."""
    node = cluster.node
    own = [item for item in of_the_cluster(cluster.environment) if not _is_flux(item)]
    there = {item["metadata"]["name"] for item in node.get("namespaces")["items"]}
    node.apply(item for item in own if item["kind"] == "Namespace" and item["metadata"]["name"] not in there)
    node.apply(item for item in own if item["kind"] not in ("Namespace", "StorageClass"))
    definitions = built.definitions()
    node.apply(definitions)
    # As with k3s's local-path, a claim gets its volume when a pod wants it.
    late = {"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}
    classes = [item | late for item in own if item["kind"] == "StorageClass"]
    node.apply([*classes, *_volumes(_claims(cluster.objects), classes)])
    asked = certificates.hosts(cluster.objects)
    here = dict.fromkeys((cluster.git.host, *asked), ADDRESS)
    node.apply(_dns(here | dict.fromkeys(_of_gateways(cluster.objects), LOAD_BALANCER)))
    node.wait("DNS is available", lambda: node.well("kube-system"))
    names = [f"crd/{item['metadata']['name']}" for item in definitions]
    node.kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
    mesh.install(node, cluster.environment)
    if asked:
        certificates.install(node, cluster.environment)


def _is_flux(item: Document) -> bool:
    return SYNC_NAME in (item["metadata"]["name"], item["metadata"].get("namespace"))


def _claims(objects: Iterable[Document]) -> Iterator[Document]:
    """The claims of a tree, and those that its StatefulSets make."""
    for item in objects:
        if item["kind"] == "PersistentVolumeClaim":
            yield item
        elif item["kind"] == "StatefulSet":
            yield from (item["spec"].get("volumeClaimTemplates") or []) * item["spec"].get("replicas", 1)


def _volumes(claims: Iterable[Document], classes: Sequence[Document]) -> Iterator[Document]:
    """A volume of each class for each claim: nobody makes volumes here when they are claimed."""
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NAME]}
    for number, claim in enumerate(claims):
        for storage in classes:
            name = f"{storage['metadata']['name']}-{number}"
            folder = FOLDER / "volumes" / name
            folder.mkdir(parents=True)
            yield {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": name},
                "spec": {
                    "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
                    "accessModes": claim["spec"]["accessModes"],
                    "storageClassName": storage["metadata"]["name"],
                    "local": {"path": str(folder)},
                    "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
                },
            }


def _of_gateways(objects: Iterable[Document]) -> list[str]:
    """The hosts that gateways answer to, but for those that stand for many."""
    servers = (server for item in objects if item["kind"] == "Gateway" for server in item["spec"]["servers"])
    hosts = (host.rpartition("/")[2] for server in servers for host in server["hosts"])
    return [host for host in dict.fromkeys(hosts) if "*" not in host]


def _dns(hosts: Mapping[str, IPv4Address]) -> list[Document]:
    """CoreDNS as k3s runs it, with the label that policies name; it knows these hosts beside those of the cluster."""
    labels = {"k8s-app": "kube-dns"}
    metadata = {"name": "coredns", "namespace": "kube-system"}
    rbac = "rbac.authorization.k8s.io"
    lines = "\n    ".join(f"{address} {host}" for host, address in hosts.items())
    corefile = f""".:53 {{
  errors
  health
  ready
  hosts {{
    {lines}
    fallthrough
  }}
  kubernetes cluster.local in-addr.arpa ip6.arpa {{
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
  }}
  cache 10
}}
"""
    may = [
        {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    pod = {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "containers": [
            {
                "name": "coredns",
                "image": COREDNS,
                "args": ["-conf", "/etc/coredns/Corefile"],
                "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}},
                "volumeMounts": [{"name": "corefile", "mountPath": "/etc/coredns"}],
            }
        ],
        "volumes": [{"name": "corefile", "configMap": {"name": "coredns"}}],
    }
    ports = [{"name": f"dns-{way.lower()}", "port": 53, "protocol": way} for way in ("UDP", "TCP")]
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": "system:coredns"}
    documents: dict[str, Document] = {
        "ServiceAccount": {"metadata": metadata},
        "ClusterRole": {"metadata": {"name": "system:coredns"}, "rules": may},
        "ClusterRoleBinding": {
            "metadata": {"name": "system:coredns"},
            "roleRef": role,
            "subjects": [{"kind": "ServiceAccount"} | metadata],
        },
        "ConfigMap": {"metadata": metadata, "data": {"Corefile": corefile}},
        "Deployment": {
            "metadata": metadata | {"labels": labels},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
        },
        "Service": {
            "metadata": metadata | {"name": "kube-dns"},
            "spec": {"clusterIP": str(DNS), "selector": labels, "ports": ports},
        },
    }
    api = {"Deployment": "apps/v1", "ClusterRole": f"{rbac}/v1", "ClusterRoleBinding": f"{rbac}/v1"}
    return [{"apiVersion": api.get(kind, "v1"), "kind": kind, **rest} for kind, rest in documents.items()]
