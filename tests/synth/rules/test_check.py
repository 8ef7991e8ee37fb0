"""Rules across the objects of one environment: each mistake gives its own sentence, and no other."""

from typing import Any

import pytest

from synth.cluster import Provided
from synth.manifest import Document
from synth.rules import check
from tests.synth.objects import PROVIDED, SHARED_CLASS, autoscaled, budget, environment, find, put, tree

POD = "spec/template/spec"
CONTAINER = f"{POD}/containers/0"


def violations(documents: list[Document], *provided: Provided) -> list[str]:
    return [str(violation) for violation in check(tree(documents), (*PROVIDED, *provided))]


def test_a_sound_environment_breaks_no_rule() -> None:
    assert violations(environment()) == []


MISTAKES: list[tuple[str, str, Any, str]] = [
    # routes
    (
        "VirtualService",
        "spec/http/0/route/0/destination/port/number",
        81,
        "VirtualService wiki sends to port 81, but Service wiki offers 80",
    ),
    (
        "VirtualService",
        "spec/http/0/route/0/destination/host",
        "wikki.wiki.svc.cluster.local",
        "VirtualService wiki sends to Service wikki in namespace wiki, which is neither made here nor provided; "
        "there are wiki",
    ),
    (
        "VirtualService",
        "spec/http/0/route/0/destination/host",
        "wiki.example.com",
        "VirtualService wiki sends to wiki.example.com: name a Service of the cluster in full, as in "
        "wiki.wiki.svc.cluster.local",
    ),
    (
        "VirtualService",
        "spec/gateways",
        ["istio-system/mian"],
        "VirtualService wiki goes through Gateway istio-system/mian, which does not exist; there are istio-system/main",
    ),
    (
        "Gateway",
        "spec/selector",
        {"istio": "ingres"},
        "Gateway main is for pods with istio=ingres in namespace istio-system, but there are none, made here or "
        "provided: use the labels of the ingress gateway",
    ),
    # services
    (
        "Service",
        "spec/selector",
        {"app.kubernetes.io/name": "wikki"},
        "Service wiki selects pods with app.kubernetes.io/name=wikki, which must be those of one workload in "
        "namespace wiki, but are those of none",
    ),
    (
        "Service",
        "spec/ports/0/targetPort",
        "web",
        "Service wiki sends port 80 to target port web, but the pods of Deployment wiki offer http, 8000",
    ),
    (
        "Service",
        "spec/ports/0/targetPort",
        8001,
        "Service wiki sends port 80 to target port 8001, but the pods of Deployment wiki offer http, 8000",
    ),
    # pods
    (
        "Deployment",
        f"{POD}/volumes/0/persistentVolumeClaim/claimName",
        "data",
        "Deployment wiki needs PersistentVolumeClaim data in namespace wiki, which is neither made here nor provided; "
        "there are pages",
    ),
    (
        "Deployment",
        f"{POD}/serviceAccountName",
        "robot",
        "Deployment wiki needs ServiceAccount robot in namespace wiki, which is neither made here nor provided; "
        "there are wiki",
    ),
    (
        "Deployment",
        f"{CONTAINER}/env/0",
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "k"}}},
        "Deployment wiki needs Secret keys in namespace wiki, which is neither made here nor provided; there are key",
    ),
    (
        "Deployment",
        f"{CONTAINER}/envFrom",
        [{"configMapRef": {"name": "settings"}}],
        "Deployment wiki needs ConfigMap settings in namespace wiki, which is neither made here nor provided; "
        "there are none",
    ),
    (
        "Deployment",
        f"{POD}/imagePullSecrets",
        [{"name": "registry"}],
        "Deployment wiki needs Secret registry in namespace wiki, which is neither made here nor provided; "
        "there are key",
    ),
    (
        "Deployment",
        f"{POD}/volumes/0",
        {"name": "pages", "projected": {"sources": [{"configMap": {"name": "settings"}}]}},
        "Deployment wiki needs ConfigMap settings in namespace wiki, which is neither made here nor provided; "
        "there are none",
    ),
    (
        "Deployment",
        "spec/selector/matchLabels",
        {"app.kubernetes.io/name": "wiki", "tier": "web"},
        "Deployment wiki selects pods with app.kubernetes.io/name=wiki,tier=web, but its pods have "
        "app.kubernetes.io/name=wiki: make them agree",
    ),
    (
        "Deployment",
        "spec/replicas",
        2,
        "Deployment wiki has 2 replicas on PersistentVolumeClaim pages, which one node alone can mount: "
        "run 1 replica, or declare the volume ReadWriteMany",
    ),
    (
        "Deployment",
        "spec/strategy/type",
        "RollingUpdate",
        "Deployment wiki rolls out with two pods on PersistentVolumeClaim pages for a while: set strategy Recreate, "
        "or declare the volume ReadWriteMany",
    ),
    # network policies
    (
        "NetworkPolicy",
        "spec/podSelector/matchLabels",
        {"app.kubernetes.io/name": "wikki"},
        "NetworkPolicy allow-ingress selects pods with app.kubernetes.io/name=wikki in namespace wiki, "
        "but there are none: use the labels of a workload",
    ),
    (
        "NetworkPolicy",
        "spec/ingress/0/from/0/podSelector/matchLabels",
        {"istio": "gateway"},
        "NetworkPolicy allow-ingress names pods with istio=gateway in namespace istio-system for ingress, "
        "but there are none, made here or provided: use the labels of a workload",
    ),
    (
        "NetworkPolicy",
        "spec/ingress/0/from/0/namespaceSelector/matchLabels",
        {"kubernetes.io/metadata.name": "istio"},
        "NetworkPolicy allow-ingress names namespace istio for ingress, which is neither made here nor provided; "
        "there are wiki, istio-system, flux-system",
    ),
    # namespaces
    (
        "ServiceAccount",
        "metadata/namespace",
        None,
        "ServiceAccount wiki has no metadata.namespace: name the namespace it belongs to",
    ),
    (
        "Namespace",
        "metadata/namespace",
        "wiki",
        "Namespace wiki is in namespace wiki, but its kind has none: leave it out",
    ),
    (
        "Gateway",
        "metadata/namespace",
        "istio",
        "Gateway main is in namespace istio, which is neither made here nor provided; "
        "there are wiki, istio-system, flux-system",
    ),
    # Flux
    (
        "Kustomization",
        "spec/path",
        "./deploy/plattform",
        "Kustomization platform applies deploy/plattform, which is not a folder of this tree with a kustomization.yaml",
    ),
    (
        "Kustomization",
        "spec/sourceRef/name",
        "flux",
        "Kustomization platform takes its files from GitRepository flux in namespace flux-system, which is neither "
        "made here nor provided; there are flux-system",
    ),
    (
        "Kustomization",
        "spec/dependsOn",
        [{"name": "networking"}],
        "Kustomization platform depends on Kustomization networking, which does not exist; there are platform, apps, "
        "flux-system",
    ),
    (
        "Kustomization",
        "spec/dependsOn",
        [{"name": "platform"}],
        "Kustomization platform depends on itself through dependsOn, so Flux would never apply it: break the circle",
    ),
    (
        "Kustomization",
        "spec/prune",
        False,
        "Kustomization platform does not prune: set prune to true, so that what leaves the tree leaves the cluster",
    ),
]


@pytest.mark.parametrize(("kind", "path", "value", "sentence"), MISTAKES, ids=[m[3][:60] for m in MISTAKES])
def test_a_mistake_gives_its_sentence(kind: str, path: str, value: Any, sentence: str) -> None:
    documents = environment()
    put(find(documents, kind), path, value)
    assert f"wiki: {sentence} (charts/wiki.py)" in violations(documents)


def test_a_sentence_names_the_folder_the_object_and_the_module() -> None:
    documents = environment()
    put(find(documents, "VirtualService"), "spec/http/0/route/0/destination/port/number", 81)
    assert violations(documents) == [
        "wiki: VirtualService wiki sends to port 81, but Service wiki offers 80 (charts/wiki.py)"
    ]


def test_all_violations_are_shown_in_the_order_of_the_objects() -> None:
    documents = environment()
    put(find(documents, "Gateway"), "spec/selector", {"istio": "ingres"})
    put(find(documents, "Service"), "spec/ports/0/targetPort", "web")
    put(find(documents, "Deployment"), f"{POD}/serviceAccountName", "robot")
    kinds = [sentence.split()[1] for sentence in violations(documents)]
    assert kinds == ["Deployment", "Service", "Gateway"]


def test_a_renamed_service_is_found_by_the_route() -> None:
    documents = environment()
    put(find(documents, "Service"), "metadata/name", "wiki-web")
    assert [s for s in violations(documents) if "sends to Service wiki " in s]


def test_an_object_defined_twice_names_both() -> None:
    documents = environment()
    documents.append(find(environment(), "ServiceAccount"))
    assert violations(documents) == [
        "wiki: ServiceAccount wiki is defined twice in namespace wiki, here and in deploy/apps/wiki (charts/wiki.py): "
        "rename one or drop it (charts/wiki.py)"
    ]


def test_two_versions_of_one_object_are_one_identity() -> None:
    documents = environment()
    other = find(environment(), "Gateway")
    other["apiVersion"] = "networking.istio.io/v1beta1"
    documents.append(other)
    assert any("is defined twice" in sentence for sentence in violations(documents))


def test_kinds_of_two_groups_may_share_a_name() -> None:
    documents = environment()
    for version in ("v1", "events.k8s.io/v1"):
        documents.append({"apiVersion": version, "kind": "Event", "metadata": find(documents, "Service")["metadata"]})
    assert violations(documents) == []


def test_a_host_belongs_to_one_route() -> None:
    documents = environment()
    second = find(environment(), "VirtualService")
    second["metadata"]["name"] = "other"
    documents.append(second)
    assert violations(documents) == [
        "wiki: VirtualService other claims wiki.localhost, which VirtualService wiki in namespace wiki claims already "
        "(charts/wiki.py): give one of them another host (charts/wiki.py)"
    ]


@pytest.mark.parametrize(
    ("entry", "admitted"),
    [
        ("wiki/wiki.localhost", True),
        ("*/wiki.localhost", True),
        ("wiki.localhost", True),
        ("wiki/*", True),
        ("wiki/*.localhost", True),
        ("other/wiki.localhost", False),
        ("wiki/wikki.localhost", False),
        ("wiki/*.example.com", False),
        ("wiki/local.host", False),
    ],
)
def test_a_gateway_admits_the_hosts_that_it_lists_for_the_namespace(entry: str, admitted: bool) -> None:
    documents = environment()
    put(find(documents, "Gateway"), "spec/servers/0/hosts", [entry])
    found = violations(documents)
    refused = "wiki: VirtualService wiki answers for wiki.localhost, but Gateway main lists"
    idle = f"Gateway main lists {entry}, but no VirtualService there answers for that host through it: drop it"
    if admitted:
        assert found == []
    else:
        assert len(found) == 2
        assert found[0].startswith(refused)
        assert idle in found[1]


def test_a_route_may_omit_the_port_of_a_service_that_has_one() -> None:
    documents = environment()
    put(find(documents, "VirtualService"), "spec/http/0/route/0/destination/port", None)
    assert violations(documents) == []
    find(documents, "Service")["spec"]["ports"].append({"name": "http-metrics", "port": 9090, "targetPort": 8000})
    assert violations(documents) == [
        "wiki: VirtualService wiki sends to Service wiki without a port: name one of 80, 9090 (charts/wiki.py)"
    ]


def test_mirrors_and_tls_routes_lead_to_services_too() -> None:
    documents = environment()
    spec = find(documents, "VirtualService")["spec"]
    spec["http"][0]["mirror"] = {"host": "wiki.wiki.svc.cluster.local", "port": {"number": 82}}
    destination = {"host": "outside.istio-system.svc.cluster.local", "port": {"number": 444}}
    spec["tls"] = [{"match": [{"sniHosts": ["wiki.localhost"]}], "route": [{"destination": destination}]}]
    found = [sentence for sentence in violations(documents) if "sends to" in sentence]
    assert len(found) == 2
    assert "sends to port 82, but Service wiki offers 80" in found[0]
    assert "sends to port 444, but Service outside offers 443" in found[1]


def test_a_service_may_not_select_two_workloads() -> None:
    documents = environment()
    second = find(environment(), "Deployment")
    second["metadata"]["name"] = "second"
    documents.append(second)
    assert any("are those of Deployment wiki, Deployment second" in sentence for sentence in violations(documents))


def test_a_service_without_a_selector_has_its_endpoints_from_elsewhere() -> None:
    documents = environment()
    put(find(documents, "Service"), "spec/selector", None)
    assert violations(documents) == []


def test_an_optional_secret_may_be_missing() -> None:
    documents = environment()
    reference = {"name": "later", "key": "k", "optional": True}
    put(find(documents, "Deployment"), f"{CONTAINER}/env/0", {"name": "K", "valueFrom": {"secretKeyRef": reference}})
    assert violations(documents) == []


def test_a_volume_for_many_nodes_allows_replicas_and_rolling_updates() -> None:
    documents = environment()
    put(find(documents, "PersistentVolumeClaim"), "spec/accessModes", ["ReadWriteMany"])
    put(find(documents, "PersistentVolumeClaim"), "spec/storageClassName", SHARED_CLASS.name)
    put(find(documents, "Deployment"), "spec/replicas", 3)
    put(find(documents, "Deployment"), "spec/strategy/type", "RollingUpdate")
    put(find(documents, "Deployment"), f"{POD}/topologySpreadConstraints", [{"topologyKey": "kubernetes.io/hostname"}])
    documents.append(budget(maxUnavailable=1))
    assert violations(documents) == []


def test_a_circle_of_dependencies_is_found_across_kustomizations() -> None:
    documents = environment()
    put(find(documents, "Kustomization", "platform"), "spec/dependsOn", [{"name": "apps"}])
    put(find(documents, "Kustomization", "apps"), "spec/wait", True)
    found = violations(documents)
    assert len(found) == 1
    assert "depends on itself through dependsOn of apps" in found[0]


def test_what_is_provided_counts_in_its_own_namespace_only() -> None:
    documents = environment()
    put(find(documents, "Deployment"), f"{POD}/imagePullSecrets", [{"name": "key"}])
    assert violations(documents) == []
    elsewhere = [Provided("Secret", "key", by="somebody", namespace="other"), *PROVIDED[:4]]
    assert any("needs Secret key" in str(violation) for violation in check(tree(documents), elsewhere))


def test_what_others_bring_may_not_be_defined_here() -> None:
    documents = environment()
    documents.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}})
    assert violations(documents) == [
        "wiki: Namespace istio-system belongs to Istio, which brings it: choose another name or namespace "
        "(charts/wiki.py)"
    ]


def test_what_kubernetes_and_cert_manager_make_is_there() -> None:
    documents = environment()
    pod = find(documents, "Deployment")["spec"]["template"]["spec"]
    pod["serviceAccountName"] = "default"
    pod["containers"][0]["envFrom"] = [{"configMapRef": {"name": "kube-root-ca.crt"}}, {"secretRef": {"name": "tls"}}]
    assert len(violations(documents)) == 1
    certificate = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate"}
    spec = {"secretName": "tls", "dnsNames": ["wiki.localhost"], "issuerRef": {"name": "acme"}}
    documents.append({**certificate, "metadata": {"name": "tls", "namespace": "wiki"}, "spec": spec})
    issuer = {"apiVersion": "cert-manager.io/v1", "kind": "Issuer"}
    documents.append({**issuer, "metadata": {"name": "acme", "namespace": "wiki"}, "spec": {"selfSigned": {}}})
    assert violations(documents) == []
    pod["containers"][0]["envFrom"] = [{"configMapRef": {"name": "tls"}}]
    assert violations(documents) == [
        "wiki: Deployment wiki needs ConfigMap tls in namespace wiki, which is neither made here nor provided; "
        "there are none (charts/wiki.py)"
    ]


def test_every_mirror_of_a_route_is_checked() -> None:
    documents = environment()
    destination = {"host": "nowhere.wiki.svc.cluster.local", "port": {"number": 80}}
    find(documents, "VirtualService")["spec"]["http"][0]["mirrors"] = [{"destination": destination}]
    assert "sends to Service nowhere in namespace wiki" in violations(documents)[0]


def test_a_claim_finds_its_storage_class() -> None:
    documents = environment()
    put(find(documents, "PersistentVolumeClaim"), "spec/storageClassName", "fast")
    standard = Provided("StorageClass", "standard", by="somebody")
    assert violations(documents) == [
        "wiki: PersistentVolumeClaim pages wants StorageClass fast, which is neither made here nor provided; "
        "there are shared; those of a cluster are facts of its environment, storage_class and shared_storage_class, "
        "in facts/environments.py (charts/wiki.py)"
    ]
    assert violations(documents, standard) == [
        "wiki: PersistentVolumeClaim pages wants StorageClass fast, which is neither made here nor provided; "
        "there are shared, standard; those of a cluster are facts of its environment, storage_class and "
        "shared_storage_class, in facts/environments.py (charts/wiki.py)"
    ]
    assert violations(documents, standard, Provided("StorageClass", "fast", by="somebody")) == []
    made = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast"}}
    assert violations([*documents, made]) == []


@pytest.mark.parametrize("name", ["", None])
def test_a_claim_without_a_class_takes_the_clusters_own(name: str | None) -> None:
    documents = environment()
    find(documents, "PersistentVolumeClaim")["spec"]["storageClassName"] = name
    assert violations(documents) == []


def test_a_pod_finds_its_priority_class() -> None:
    documents = environment()
    put(find(documents, "Deployment"), f"{POD}/priorityClassName", "essential")
    assert violations(documents) == [
        "wiki: Deployment wiki needs PriorityClass essential, which is neither made here nor provided; "
        "there are none (charts/wiki.py)"
    ]
    assert violations(documents, Provided("PriorityClass", "essential", by="somebody")) == []
    priority = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "essential"}}
    assert violations([*documents, priority]) == []


@pytest.mark.parametrize("broken", [("HorizontalPodAutoscaler", "spec/maxReplicas"), ("Deployment", "spec/strategy")])
def test_what_is_left_out_ends_no_check(broken: tuple[str, str]) -> None:
    documents = autoscaled()
    kind, path = broken
    put(find(documents, kind), path, None)
    violations(documents)
