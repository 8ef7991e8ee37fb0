"""What holds for every app in every environment, read from a compiled tree.

A property takes an app as it is deployed and asserts. It knows what the platform promises of any app, and no app's
values: so it holds for those that are there, for those that come, and for the recipes of docs/recipes.md.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from charts.shapes.reconciler import NAME as RECONCILER
from facts.layout import COMPONENTS_FILE, FLUX_FOLDER, OF_APPS, SYNC_NAME
from facts.provided import KEEP
from synth.encrypted import stood_in
from synth.manifest import Document, load
from synth.quantity import quantity

Property = Callable[["Deployed"], None]

RESTRICTED = "restricted"
GATEWAYS_IDENTITY = "cluster.local/ns/istio-system/sa/istio-ingress"
GATEWAYS_PODS = ("istio-system", "istio", "ingress")
NAMESPACE = "kubernetes.io/metadata.name"
NAME = "app.kubernetes.io/name"
LASTING = ("Deployment", "StatefulSet")
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
RESOURCES = ("cpu", "memory", "ephemeral-storage")
HEARSAY = {"forwarded", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-real-ip"}
"""What a visitor could tell an app, and the gateway would hand on as it came."""
KINDS_KEPT = ("Namespace", "PersistentVolumeClaim")


@dataclass(frozen=True)
class Work:
    """Something of an app that has pods."""

    document: Document

    @property
    def kind(self) -> str:
        return str(self.document["kind"])

    @property
    def name(self) -> str:
        return str(self.document["metadata"]["name"])

    @property
    def spec(self) -> dict[str, Any]:
        found: dict[str, Any] = self.document["spec"]
        return found

    @property
    def lasting(self) -> bool:
        return self.kind in LASTING

    @property
    def template(self) -> dict[str, Any]:
        job = self.spec.get("jobTemplate", {}).get("spec", self.spec)
        found: dict[str, Any] = job["template"]
        return found

    @property
    def pod(self) -> dict[str, Any]:
        found: dict[str, Any] = self.template["spec"]
        return found

    @property
    def containers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.pod["containers"]
        return found

    @property
    def all_containers(self) -> list[dict[str, Any]]:
        return [*self.pod.get("initContainers", []), *self.containers]

    @property
    def labels(self) -> dict[str, str]:
        return {NAME: self.name}

    @property
    def ports(self) -> dict[str, int]:
        return {port["name"]: port["containerPort"] for c in self.containers for port in c.get("ports", [])}

    @property
    def in_mesh(self) -> bool:
        labels: dict[str, str] = self.template["metadata"]["labels"]
        return labels.get("sidecar.istio.io/inject") != "false"


@dataclass(frozen=True)
class Deployed:
    """An app in the tree of one environment."""

    tree: Path
    name: str

    def __str__(self) -> str:
        return f"{self.tree.name}/{self.name}"

    @cached_property
    def objects(self) -> list[Document]:
        """What the platform says of it, and what is its own."""
        return [document for folder in self.folders for document in read(folder)]

    @property
    def folders(self) -> tuple[Path, Path]:
        return self.tree / OF_APPS / self.name, self.tree / "apps" / self.name

    @property
    def tls(self) -> bool:
        return (self.tree / "certificates").is_dir()

    def of(self, kind: str) -> list[Document]:
        return [document for document in self.objects if document["kind"] == kind]

    def the(self, kind: str, name: str | None = None) -> Document:
        found = [document for document in self.of(kind) if name in (None, document["metadata"]["name"])]
        assert len(found) == 1, f"{self}: {len(found)} objects of kind {kind}"
        return found[0]

    @property
    def works(self) -> list[Work]:
        return [Work(document) for document in self.objects if document["kind"] in (*LASTING, "CronJob", "Job")]

    @property
    def lasting(self) -> list[Work]:
        return [work for work in self.works if work.lasting]

    def most_pods(self, work: Work) -> int:
        """How many pods there are of it at full scale."""
        scalers = [scaler["spec"] for scaler in self.of("HorizontalPodAutoscaler")]
        scaled = [s["maxReplicas"] for s in scalers if s["scaleTargetRef"]["name"] == work.name]
        return int(scaled[0] if scaled and work.kind == "Deployment" else work.spec.get("replicas", 1))

    @property
    def entries(self) -> Iterator[dict[str, Any]]:
        """The routes of its hosts that lead to a Service, those of others' paths included."""
        for document in self.of("VirtualService"):
            yield from (entry for entry in document["spec"].get("http", []) if "route" in entry)

    @property
    def policies(self) -> dict[str, dict[str, Any]]:
        return {d["metadata"]["name"]: d["spec"] for d in self.of("NetworkPolicy")}


def read(folder: Path) -> list[Document]:
    """The objects of a folder as its cluster gets them, the kustomization left out."""
    files = [path for path in sorted(folder.glob("*.yaml")) if path.name != "kustomization.yaml"]
    return [stood_in(document) for path in files for document in load(path.read_text("utf-8"))]


def trees(deploy: Path) -> list[Path]:
    """The folders of the environments, the one at the root first."""
    units = ("flux", "apps")
    folders = [deploy, *sorted(deploy.iterdir())]
    return [path for path in folders if all((path / unit / "kustomization.yaml").is_file() for unit in units)]


def deployed(deploy: Path) -> list[Deployed]:
    """Every app of every environment."""
    return [
        Deployed(tree, folder.name)
        for tree in trees(deploy)
        for folder in sorted((tree / "apps").iterdir())
        if folder.is_dir()
    ]


def its_namespace_is_in_the_mesh_and_demands_the_restricted_standard(app: Deployed) -> None:
    namespace = app.the("Namespace")["metadata"]
    assert namespace["labels"]["istio-injection"] == "enabled"
    for mode in ("enforce", "audit", "warn"):
        assert namespace["labels"][f"pod-security.kubernetes.io/{mode}"] == RESTRICTED
    assert {d["metadata"].get("namespace", namespace["name"]) for d in app.objects} == {namespace["name"]}


def its_pods_meet_the_restricted_standard(app: Deployed) -> None:
    # https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected"}
    for work in app.works:
        sources = {key for volume in work.pod["volumes"] for key in volume if key != "name"}
        assert sources <= {*allowed, "secret"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & work.pod.keys()
        context = work.pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        for field in ("runAsUser", "runAsGroup", "fsGroup"):
            assert context[field] >= 10000
        for container in work.all_containers:
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False
            assert own["readOnlyRootFilesystem"] is True
            assert own["capabilities"]["drop"] == ["ALL"]
            assert set(own["capabilities"].get("add", ())) <= {"NET_BIND_SERVICE"}
            assert own.get("runAsUser", 10000) >= 10000
            assert own.keys() <= {"allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities", "runAsUser"}
            assert all("hostPort" not in port for port in container.get("ports", []))


def each_container_has_a_small_tmp_of_its_own(app: Deployed) -> None:
    for work in app.works:
        volumes = {volume["name"]: volume for volume in work.pod["volumes"]}
        used = []
        for container in work.all_containers:
            mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
            assert quantity(volumes[mounts["/tmp"]]["emptyDir"]["sizeLimit"]) <= quantity("64Mi")
            used.append(mounts["/tmp"])
            assert set(mounts.values()) <= volumes.keys() | {
                template["metadata"]["name"] for template in work.spec.get("volumeClaimTemplates", [])
            }
        assert len(used) == len(set(used))


def its_pods_have_an_account_of_their_own_and_a_token_only_with_a_role(app: Deployed) -> None:
    for work in app.works:
        account = app.the("ServiceAccount", work.name)
        assert work.pod["serviceAccountName"] == work.name != "default"
        assert work.pod["automountServiceAccountToken"] is account["automountServiceAccountToken"] is False
        subjects = [subject for binding in app.of("RoleBinding") for subject in binding["subjects"]]
        bound = [subject["name"] for subject in subjects if subject["namespace"] == account["metadata"]["namespace"]]
        token = [
            source
            for volume in work.pod["volumes"]
            for source in volume.get("projected", {}).get("sources", [])
            if "serviceAccountToken" in source
        ]
        assert bool(token) == (work.name in bound)


def its_containers_have_requests_and_limits(app: Deployed) -> None:
    for work in app.works:
        for container in work.all_containers:
            assert set(container["resources"]["requests"]) == set(container["resources"]["limits"]) == set(RESOURCES)


def its_probes_ask_its_own_container_and_let_it_start_before_they_kill_it(app: Deployed) -> None:
    for work in app.works:
        for container in work.containers:
            if not work.lasting:
                assert not set(PROBES) & container.keys()
                continue
            names = {port["name"] for port in container.get("ports", [])}
            numbers = {port["containerPort"] for port in container.get("ports", [])}
            for probe in (container[kind] for kind in PROBES):
                for way in ("httpGet", "tcpSocket"):
                    assert way not in probe or probe[way]["port"] in names
                assert "grpc" not in probe or probe["grpc"]["port"] in numbers
                assert {"httpGet", "tcpSocket", "grpc", "exec"} & probe.keys()
            startup, ready, alive = (
                container[kind]["periodSeconds"] * container[kind]["failureThreshold"] for kind in PROBES
            )
            assert ready < alive <= startup
        for container in work.pod.get("initContainers", []):
            assert not set(PROBES) & container.keys()


def its_selectors_are_its_own_labels_and_never_a_hash(app: Deployed) -> None:
    for work in app.works:
        assert work.labels.items() <= work.template["metadata"]["labels"].items()
        if work.lasting:
            assert work.spec["selector"]["matchLabels"] == work.labels


def its_services_lead_to_named_ports_of_its_pods(app: Deployed) -> None:
    for service in (service for service in app.of("Service") if "selector" in service["spec"]):
        (work,) = [work for work in app.lasting if work.labels == service["spec"]["selector"]]
        assert service["spec"].get("type", "ClusterIP") == "ClusterIP"
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in work.ports
            assert port["protocol"] == "TCP"


def its_network_is_closed_but_for_what_names_its_peers_and_ports(app: Deployed) -> None:
    policies = app.policies
    assert policies.pop("default-deny") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ways = list(open_ways(policies))
    for policy in policies.values():
        for direction, key in (("ingress", "from"), ("egress", "to")):
            for rule in policy.get(direction, []):
                assert rule[key]
                assert rule["ports"]
    for_all = {(direction, *peer, port) for direction, of, peer, port in ways if not of}
    outside = {way for way in for_all if way[1] == "address"}
    assert for_all - outside == {
        ("egress", "kube-system", "k8s-app", "kube-dns", "53/UDP"),
        ("egress", "kube-system", "k8s-app", "kube-dns", "53/TCP"),
        ("egress", "istio-system", "app", "istiod", "15012/TCP"),
    }
    # The node's own cache of names, where it has one.
    assert {port for *_, port in outside} <= {"53/UDP", "53/TCP"}


def the_gateways_pods_reach_what_its_identity_may_call_and_no_other(app: Deployed) -> None:
    for work in app.works:
        reached = {
            port
            for direction, of, peer, port in open_ways(app.policies)
            if direction == "ingress" and of == tuple(sorted(work.labels.items())) and peer == GATEWAYS_PODS
        }
        principals = set(callers(app, work)) if work.ports else set()
        assert bool(reached) == (GATEWAYS_IDENTITY in principals), work.name


def what_has_ports_is_called_by_named_identities_alone(app: Deployed) -> None:
    for work in app.works:
        if not work.ports or not work.in_mesh:
            continue
        policy = app.the("AuthorizationPolicy", work.name)["spec"]
        assert policy["action"] == "ALLOW"
        assert policy["selector"] == {"matchLabels": work.labels}
        for rule in policy.get("rules", []):
            for source in rule["from"]:
                assert source["source"]["principals"]
        assert all("*" not in principal for principal in callers(app, work))


def named(document: Document) -> set[str]:
    """An object's own name, and the role that it gives."""
    return {document["metadata"]["name"], document.get("roleRef", {}).get("name", "")}


def its_namespace_and_its_data_survive_a_mistaken_prune(app: Deployed) -> None:
    for document in app.objects:
        annotations = document["metadata"].get("annotations", {})
        disabled = annotations.get("kustomize.toolkit.fluxcd.io/prune") == "disabled"
        kept = document["kind"] in KINDS_KEPT or RECONCILER in named(document)
        done = "keeps" if disabled else "deletes"
        assert disabled == kept, f"a mistaken prune {done} {document['kind']} {document['metadata']['name']}"


def a_failing_pod_is_left_out_but_never_the_last_one(app: Deployed) -> None:
    leading = [d for d in app.of("Service") if "selector" in d["spec"]]
    services = {d["metadata"]["name"] for d in leading if d["spec"].get("clusterIP") != "None"}
    rules = {d["spec"]["host"]: d["spec"]["trafficPolicy"] for d in app.of("DestinationRule")}
    for service in services:
        policy = rules[f"{service}.{app.the('Namespace')['metadata']['name']}.svc.cluster.local"]
        assert policy["outlierDetection"]["maxEjectionPercent"] < 100
        # Else a pod that is not ready would count among those of which a share may be left out.
        assert policy["outlierDetection"]["minHealthPercent"] > 0
        # An idle timeout would end a WebSocket on which nothing is said for a while.
        assert "idleTimeout" not in {key for pool in policy["connectionPool"].values() for key in pool}


def only_requests_that_change_nothing_are_tried_again(app: Deployed) -> None:
    for entry in app.entries:
        methods = [match.get("method") for match in entry.get("match", [{}])]
        if all(method == {"regex": "GET|HEAD|OPTIONS"} for method in methods):
            assert "perTryTimeout" not in entry["retries"]
        else:
            assert entry["retries"] == {"attempts": 0}
    for document in app.of("VirtualService"):
        if http := document["spec"].get("http"):
            # What nothing else takes: all methods, all paths.
            assert all(match.keys() == {"port"} for match in http[-1]["match"])


def http_is_sent_to_https_where_there_is_tls(app: Deployed) -> None:
    for document in app.of("VirtualService"):
        if not (http := document["spec"].get("http")):
            continue
        ports = {match["port"] for entry in http if "route" in entry for match in entry["match"]}
        redirects = [entry for entry in http if "redirect" in entry]
        answers = [
            entry["headers"].get("response", {}).get("set", {}).get("strict-transport-security")
            for entry in http
            if "route" in entry
        ]
        if app.tls:
            assert ports == {443}
            assert redirects == [http[0]]
            assert redirects[0]["redirect"] == {"scheme": "https", "redirectCode": 308}
            # Nothing but the port: only then does Istio put it behind the route of the authority's challenge.
            assert redirects[0]["match"] == [{"port": 80}]
            for answer in answers:
                assert re.match(r"max-age=[1-9]", answer or ""), f"strict-transport-security: {answer}"
        else:
            assert (ports, redirects) == ({80}, [])
            assert not any(answers)


def no_visitor_can_tell_it_what_the_gateway_does_not_check(app: Deployed) -> None:
    for entry in app.entries:
        removed = set(entry["headers"]["request"]["remove"])
        assert removed >= HEARSAY
        # These the gateway writes itself; without them no app would know its visitor or its own scheme.
        assert not {"x-forwarded-for", "x-forwarded-proto"} & removed


def its_pods_have_a_priority_that_there_is(app: Deployed) -> None:
    there = {d["metadata"]["name"]: d["value"] for d in read(app.tree / "platform/priorities")}
    for work in app.works:
        assert there[work.pod["priorityClassName"]] <= 0


def a_drain_can_always_take_one_of_its_pods_and_never_more(app: Deployed) -> None:
    for work in app.lasting:
        assert app.the("PodDisruptionBudget", work.name)["spec"] == {
            "maxUnavailable": 1,
            "selector": {"matchLabels": work.labels},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        }


def its_quota_has_room_for_a_second_change_before_the_first_has_ended(app: Deployed) -> None:
    hard = app.the("ResourceQuota")["spec"]["hard"]
    pods = {work.name: 3 * app.most_pods(work) for work in app.works}
    assert hard["pods"] == str(sum(pods.values()))
    for kind, suffix in (("requests", ""), ("limits", "Limit")):
        for resource, name in (("cpu", "CPU"), ("memory", "Memory")):
            needed = sum(pods[work.name] * _of_one_pod(work, kind, resource, f"{name}{suffix}") for work in app.works)
            assert quantity(hard[f"{kind}.{resource}"]) == needed
    sizes = [quantity(d["spec"]["resources"]["requests"]["storage"]) for d in app.of("PersistentVolumeClaim")]
    for work in app.works:
        for template in work.spec.get("volumeClaimTemplates", []):
            size = quantity(template["spec"]["resources"]["requests"]["storage"])
            sizes += [size] * app.most_pods(work)
    assert hard["persistentvolumeclaims"] == str(len(sizes))
    assert quantity(hard["requests.storage"]) == sum(sizes)
    assert hard["services.loadbalancers"] == hard["services.nodeports"] == "0"


def a_container_that_names_no_resources_gets_some_and_none_may_have_more_than_there_is(app: Deployed) -> None:
    (limits,) = app.the("LimitRange")["spec"]["limits"]
    assert limits["type"] == "Container"
    for resource in RESOURCES:
        most = quantity(limits["max"][resource])
        assert quantity(limits["defaultRequest"][resource]) <= quantity(limits["default"][resource]) <= most
        for work in app.works:
            for container in work.all_containers:
                assert quantity(container["resources"]["limits"][resource]) <= most


def an_autoscaled_app_leaves_its_replicas_to_the_autoscaler(app: Deployed) -> None:
    for scaler in (d["spec"] for d in app.of("HorizontalPodAutoscaler")):
        target = scaler["scaleTargetRef"]
        work = Work(app.the(target["kind"], target["name"]))
        assert "replicas" not in work.spec
        metrics = [metric["containerResource"] for metric in scaler["metrics"]]
        assert {metric["container"] for metric in metrics} <= {container["name"] for container in work.containers}
        assert scaler["behavior"]["scaleDown"]["stabilizationWindowSeconds"] >= 300
    scaled = {d["spec"]["scaleTargetRef"]["name"] for d in app.of("HorizontalPodAutoscaler")}
    for work in app.lasting:
        assert ("replicas" in work.spec) == (work.name not in scaled)


def several_pods_are_spread_and_end_slowly(app: Deployed) -> None:
    for work in app.works:
        several = work.lasting and app.most_pods(work) > 1
        constraints = work.pod.get("topologySpreadConstraints", [])
        keys = [constraint["topologyKey"] for constraint in constraints]
        assert keys == (["topology.kubernetes.io/zone", "kubernetes.io/hostname"] if several else [])
        for constraint in constraints:
            assert constraint["labelSelector"] == work.spec["selector"]
        assert all("lifecycle" in container for container in work.containers) or not several


def two_pods_never_write_to_one_volume_of_one_node(app: Deployed) -> None:
    modes = {d["metadata"]["name"]: d["spec"]["accessModes"] for d in app.of("PersistentVolumeClaim")}
    for work in app.works:
        claims = [v["persistentVolumeClaim"]["claimName"] for v in work.pod["volumes"] if "persistentVolumeClaim" in v]
        if work.kind == "Deployment" and any(modes[claim] == ["ReadWriteOnce"] for claim in claims):
            assert app.most_pods(work) == 1
            assert work.spec["strategy"] == {"type": "Recreate"}


def a_pod_that_another_follows_serves_on_until_nobody_asks_it(app: Deployed) -> None:
    for work in app.lasting:
        if work.kind == "Deployment" and work.spec["strategy"]["type"] == "RollingUpdate":
            for container in work.pod["containers"]:
                slept = container["lifecycle"]["preStop"]["sleep"]["seconds"]
                assert 0 < slept < work.pod.get("terminationGracePeriodSeconds", 30)


def a_job_runs_once_at_a_time_and_ends(app: Deployed) -> None:
    for work in app.works:
        if work.kind == "CronJob":
            assert work.spec["concurrencyPolicy"] == "Forbid"
            assert work.spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] > 0
            assert work.pod["restartPolicy"] in ("Never", "OnFailure")
            assert {"startingDeadlineSeconds", "successfulJobsHistoryLimit", "timeZone"} <= work.spec.keys()
        if work.kind == "Job":
            assert work.spec["activeDeadlineSeconds"] > 0
            assert work.pod["restartPolicy"] in ("Never", "OnFailure")
            # What removes a job that is done would have Flux run it again.
            assert "ttlSecondsAfterFinished" not in work.spec


def its_folders_list_all_that_is_in_them_and_are_listed(app: Deployed) -> None:
    for folder in app.folders:
        (kustomization,) = load((folder / "kustomization.yaml").read_text("utf-8"))
        assert set(kustomization["resources"]) == {path.name for path in folder.iterdir()} - {"kustomization.yaml"}
        (above,) = load((folder.parent / "kustomization.yaml").read_text("utf-8"))
        assert app.name in above["resources"]


def flux_applies_what_runs_as_an_account_that_may_do_that_alone(app: Deployed) -> None:
    platform, own = (read(folder) for folder in app.folders)
    (role,) = (item for item in platform if item["kind"] == "Role" and item["metadata"]["name"] == RECONCILER)
    (binding,) = (item for item in platform if item["kind"] == "RoleBinding" and item["roleRef"]["name"] == RECONCILER)
    account = {"kind": "ServiceAccount", "name": app.name, "namespace": SYNC_NAME}
    assert binding["subjects"] == [account]
    allowed = {
        (group, resource)
        for rule in role["rules"]
        if {"get", "create", "patch", "delete"} <= set(rule["verbs"])
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert {resource_of(item) for item in own} <= allowed
    assert not {resource_of(item) for item in platform} & allowed
    flux = {
        (item["kind"], item["metadata"]["name"]): item
        for file in (app.tree / FLUX_FOLDER).glob("*.yaml")
        if file.name not in ("kustomization.yaml", COMPONENTS_FILE)
        for item in load(file.read_text("utf-8"))
    }
    spec = flux["Kustomization", app.name]["spec"]
    assert spec["serviceAccountName"] == app.name
    assert PurePosixPath(spec["path"]) == PurePosixPath(own_path(app))
    # Without these what it applied could not be taken away with it.
    for item in (flux["ServiceAccount", app.name], role, binding):
        assert item["metadata"]["annotations"].items() >= KEEP.items()


def resource_of(document: Document) -> tuple[str, str]:
    """Group and resource, as a Role names them."""
    group, _, _ = document["apiVersion"].rpartition("/")
    kind = document["kind"].lower()
    return group, f"{kind.removesuffix('y')}ies" if kind.endswith("y") else f"{kind}s"


def own_path(app: Deployed) -> str:
    """The folder of what is its own, from the repository's root."""
    folder = app.folders[1]
    return folder.relative_to(next(above for above in folder.parents if above.name == "deploy").parent).as_posix()


PROPERTIES: tuple[Property, ...] = (
    its_namespace_is_in_the_mesh_and_demands_the_restricted_standard,
    its_pods_meet_the_restricted_standard,
    each_container_has_a_small_tmp_of_its_own,
    its_pods_have_an_account_of_their_own_and_a_token_only_with_a_role,
    its_containers_have_requests_and_limits,
    its_probes_ask_its_own_container_and_let_it_start_before_they_kill_it,
    its_selectors_are_its_own_labels_and_never_a_hash,
    its_services_lead_to_named_ports_of_its_pods,
    its_network_is_closed_but_for_what_names_its_peers_and_ports,
    the_gateways_pods_reach_what_its_identity_may_call_and_no_other,
    what_has_ports_is_called_by_named_identities_alone,
    its_namespace_and_its_data_survive_a_mistaken_prune,
    a_failing_pod_is_left_out_but_never_the_last_one,
    only_requests_that_change_nothing_are_tried_again,
    http_is_sent_to_https_where_there_is_tls,
    no_visitor_can_tell_it_what_the_gateway_does_not_check,
    its_pods_have_a_priority_that_there_is,
    a_drain_can_always_take_one_of_its_pods_and_never_more,
    a_pod_that_another_follows_serves_on_until_nobody_asks_it,
    its_quota_has_room_for_a_second_change_before_the_first_has_ended,
    a_container_that_names_no_resources_gets_some_and_none_may_have_more_than_there_is,
    an_autoscaled_app_leaves_its_replicas_to_the_autoscaler,
    several_pods_are_spread_and_end_slowly,
    two_pods_never_write_to_one_volume_of_one_node,
    a_job_runs_once_at_a_time_and_ends,
    its_folders_list_all_that_is_in_them_and_are_listed,
    flux_applies_what_runs_as_an_account_that_may_do_that_alone,
)


def callers(app: Deployed, work: Work) -> list[str]:
    """The identities that may call its pods."""
    rules = app.the("AuthorizationPolicy", work.name)["spec"].get("rules", [])
    return [name for rule in rules for source in rule["from"] for name in source["source"]["principals"]]


def open_ways(
    policies: Mapping[str, Mapping[str, Any]],
) -> Iterator[tuple[str, tuple[tuple[str, str], ...], tuple[str, ...], str]]:
    """What NetworkPolicies let through: direction, the labels of the pods, the peer and the port."""
    for spec in policies.values():
        labels = tuple(sorted(spec["podSelector"].get("matchLabels", {}).items()))
        for direction, key in (("ingress", "from"), ("egress", "to")):
            for rule in spec.get(direction, []):
                for peer in rule[key]:
                    for port in rule["ports"]:
                        yield direction, labels, _peer(peer), f"{port['port']}/{port['protocol']}"


def _peer(peer: Mapping[str, Any]) -> tuple[str, ...]:
    if "ipBlock" in peer:
        return ("address", peer["ipBlock"]["cidr"])
    namespace = peer["namespaceSelector"]["matchLabels"][NAMESPACE]
    return (namespace, *(text for item in peer["podSelector"]["matchLabels"].items() for text in item))


def _of_one_pod(work: Work, kind: str, resource: str, sidecar: str) -> Any:
    """What a pod is counted with: its containers together, or the largest of those that run before, and the sidecar."""
    together = sum(quantity(container["resources"][kind][resource]) for container in work.containers)
    before = [quantity(c["resources"][kind][resource]) for c in work.pod.get("initContainers", [])]
    annotations = work.template["metadata"].get("annotations", {})
    return max([together, *before]) + quantity(annotations.get(f"sidecar.istio.io/proxy{sidecar}", "0"))
