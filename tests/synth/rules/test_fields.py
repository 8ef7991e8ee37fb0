"""Rules for the values inside one object."""

from typing import Any

import pytest

from synth.rules.fields import check_fields
from synth.tree import Object
from tests.synth.objects import environment, find, put

CONTAINER = "spec/template/spec/containers/0"


def problems(kind: str, path: str, value: Any) -> list[str]:
    document = find(environment(), kind)
    put(document, path, value)
    return list(check_fields(Object(document, "charts/wiki.py", "deploy/apps/wiki/it.yaml")))


def test_a_sound_environment_has_no_problem() -> None:
    for document in environment():
        assert list(check_fields(Object(document, "charts/wiki.py", "deploy/apps/wiki/it.yaml"))) == []


@pytest.mark.parametrize(
    ("kind", "path", "value", "problem"),
    [
        (
            "Deployment",
            f"{CONTAINER}/resources/requests/memory",
            "64MB",
            "has spec.template.spec.containers[0].resources.requests.memory '64MB' is not a quantity",
        ),
        ("PersistentVolumeClaim", "spec/resources/requests/storage", "1 GB", "'1 GB' is not a quantity"),
        (
            "Deployment",
            "spec/template/spec/volumes/0",
            {"name": "pages", "emptyDir": {"sizeLimit": "big"}},
            "has spec.template.spec.volumes[0].emptyDir.sizeLimit 'big' is not a quantity",
        ),
        (
            "Deployment",
            f"{CONTAINER}/resources/limits/memory",
            "32Mi",
            "resources.limits.memory 32Mi below its request 64Mi: raise the limit or lower the request",
        ),
        ("Deployment", f"{CONTAINER}/ports/0/containerPort", 0, "containerPort 0: a port is a number from 1 to 65535"),
        ("Service", "spec/ports/0/port", 65536, "port 65536: a port is a number from 1 to 65535"),
        ("NetworkPolicy", "spec/ingress/0/ports/0/port", -1, "port -1: a port is a number from 1 to 65535"),
        ("Gateway", "spec/servers/0/port/number", 0, "has spec.servers[0].port.number 0: a port"),
        ("VirtualService", "spec/hosts", ["http://wiki"], "has spec.hosts 'http://wiki': a host name is of lower case"),
        ("VirtualService", "spec/hosts", ["Wiki.localhost"], "'Wiki.localhost': a host name"),
        ("VirtualService", "spec/hosts", ["wiki_1.localhost"], "'wiki_1.localhost': a host name"),
        (
            "Gateway",
            "spec/servers/0/hosts",
            ["wiki/wiki.localhost:80"],
            "has spec.servers[0].hosts 'wiki.localhost:80'",
        ),
        ("Service", "metadata/name", "w" * 64, "has a name of 64 characters: Kubernetes takes at most 63"),
        ("Service", "metadata/name", "wiki.web", "is not a valid name: use lower case letters, digits and -"),
        ("ServiceAccount", "metadata/name", "Wiki", "is not a valid name: use lower case letters, digits, - and ."),
        ("ServiceAccount", "metadata/name", "w" * 254, "has a name of 254 characters: Kubernetes takes at most 253"),
        ("ServiceAccount", "metadata/name", None, "has no metadata.name: give it one"),
        ("Deployment", "metadata/labels/tier", "w" * 64, "has metadata.labels[tier] of 64 characters"),
        ("Deployment", "metadata/labels/tier", "a b", "has metadata.labels[tier] 'a b': a label value is of letters"),
        ("Deployment", "metadata/labels/tier", True, "has metadata.labels[tier] True: a label is text"),
        (
            "Deployment",
            f"{CONTAINER}/image",
            "wiki",
            "with image 'wiki' without a tag: name the release, as in wiki:1.2",
        ),
        ("Deployment", f"{CONTAINER}/image", "host:5000/wiki", "with image 'host:5000/wiki' without a tag"),
        (
            "Deployment",
            f"{CONTAINER}/readinessProbe/httpGet/port",
            "web",
            "has readinessProbe of container wiki on port web, but the container declares http, 8000",
        ),
        (
            "Deployment",
            f"{CONTAINER}/volumeMounts/0/name",
            "page",
            "mounts volume page in container wiki, but the pod has pages",
        ),
        (
            "Deployment",
            f"{CONTAINER}/env",
            [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
            "has container wiki with the environment variable A twice: keep one",
        ),
        (
            "Deployment",
            f"{CONTAINER}/ports",
            [{"name": "http", "containerPort": 8000}, {"name": "http", "containerPort": 8001}],
            "has container wiki with the port name http twice: keep one",
        ),
        ("Service", "spec/ports/0/port", 8000.5, "port 8000.5: a port is a number from 1 to 65535"),
        ("Deployment", f"{CONTAINER}/image", "Graph Wiki:latest", "image 'Graph Wiki:latest', which is not an image"),
        ("Deployment", f"{CONTAINER}/image", "wiki:", "with image 'wiki:', which is not an image"),
        ("Deployment", f"{CONTAINER}/image", "wiki@sha256:abc", "which is not an image"),
        (
            "Deployment",
            f"{CONTAINER}/env/0/name",
            "WIKI DEBUG",
            "variable 'WIKI DEBUG': use letters, digits, _, - and .",
        ),
        (
            "Deployment",
            f"{CONTAINER}/volumeMounts/0/mountPath",
            "data",
            "mounts 'data' in container wiki: a mount path begins with /",
        ),
        (
            "Deployment",
            "spec/template/spec/volumes",
            [{"name": "pages", "emptyDir": {}}, {"name": "pages", "emptyDir": {}}],
            "has two volumes named pages: rename one",
        ),
        (
            "PersistentVolumeClaim",
            "spec/resources/requests/storage",
            "1m",
            "storage 1m, which is 0.001 bytes: m is for thousandths, write Mi for mebibytes",
        ),
        ("ServiceAccount", "metadata/name", "wiki-sa-c8a3632a", "has a name that cdk8s made up"),
        ("Gateway", "spec/servers/0/hosts", ["wiki/wiki"], "'wiki', which Istio refuses: write it with its domain"),
        ("Kustomization", "spec/interval", "10min", "has spec.interval '10min': a duration is a number and ms, s, m"),
        ("Kustomization", "spec/timeout", "300", "has spec.timeout '300': a duration is a number and ms, s, m or h"),
        ("VirtualService", "spec/http/0/timeout", "5 s", "has spec.http[0].timeout '5 s': a duration is a number"),
        (
            "VirtualService",
            "spec/http/0/retries",
            {"perTryTimeout": "1d"},
            "has spec.http[0].retries.perTryTimeout '1d'",
        ),
        (
            "Deployment",
            f"{CONTAINER}/env/0",
            {"name": "WIKI_PASSWORD", "value": "hunter2"},
            "has container wiki with a secret in the environment variable WIKI_PASSWORD, for everyone to read",
        ),
        (
            "Service",
            "metadata/labels",
            {"cdk8s.io/metadata.addr": "c8a3632a"},
            "has metadata.labels[cdk8s.io/metadata.addr], which cdk8s made up: select pods by labels of their own",
        ),
    ],
)
def test_a_wrong_value_gives_its_sentence(kind: str, path: str, value: Any, problem: str) -> None:
    found = problems(kind, path, value)
    assert len(found) == 1
    assert problem in found[0]


SECURITY = f"{CONTAINER}/securityContext"
POD = "spec/template/spec"


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (f"{POD}/securityContext/runAsNonRoot", False, "securityContext.runAsNonRoot False: it must be true"),
        (f"{POD}/securityContext/runAsUser", 0, "as user 0, which is root: use a high number, as in 10001"),
        (
            f"{POD}/securityContext/seccompProfile/type",
            "Unconfined",
            "securityContext.seccompProfile.type Unconfined: it must be RuntimeDefault or Localhost",
        ),
        (f"{SECURITY}/allowPrivilegeEscalation", None, "allowPrivilegeEscalation None: it must be false"),
        (f"{SECURITY}/capabilities", None, "securityContext.capabilities.drop None: it must be ['ALL']"),
        (f"{SECURITY}/readOnlyRootFilesystem", False, "readOnlyRootFilesystem False: it must be true"),
        (f"{POD}/automountServiceAccountToken", None, "mounts a token of its ServiceAccount"),
        (f"{POD}/hostNetwork", True, "shares the node's Network: leave hostNetwork out"),
        (f"{CONTAINER}/resources/limits/memory", None, "has container wiki without limits for memory: set them"),
        (
            f"{CONTAINER}/resources/requests",
            None,
            "has container wiki without requests for cpu, memory, ephemeral-storage: set them",
        ),
        (
            f"{CONTAINER}/livenessProbe",
            None,
            "has container wiki without livenessProbe: add what is missing, so that Kubernetes notices",
        ),
    ],
)
def test_a_pod_that_is_not_restricted_or_not_bounded_gives_its_sentence(path: str, value: Any, problem: str) -> None:
    found = problems("Deployment", path, value)
    assert len(found) == 1
    assert problem in found[0]


def test_a_job_needs_no_probes() -> None:
    job = find(environment(), "Deployment")
    job["kind"] = "Job"
    put(job, "spec/template/spec/restartPolicy", "Never")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        put(job, f"{CONTAINER}/{probe}", None)
    assert list(check_fields(Object(job, "charts/wiki.py", "deploy/apps/wiki/it.yaml"))) == []


def test_a_stateful_set_mounts_the_claims_of_its_templates() -> None:
    workload = find(environment(), "Deployment")
    workload["kind"] = "StatefulSet"
    workload["spec"]["template"]["spec"]["volumes"] = []
    workload["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "pages"}, "spec": {}}]
    assert list(check_fields(Object(workload, "charts/wiki.py", "deploy/apps/wiki/it.yaml"))) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"limits": [{"type": "Container", "default": {"cpu": "1"}, "max": {"memory": "1Gi"}}]},
        {"values": {"labels": ["a"], "requests": "many", "port": "http"}},
        {"hard": {"pods": "10", "requests.cpu": "1", "requests.memory": "1Gi"}},
    ],
)
def test_fields_of_other_shapes_are_left_alone(spec: dict[str, Any]) -> None:
    other = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "x", "namespace": "wiki"}, "spec": spec}
    assert list(check_fields(Object(other, "charts/wiki.py", "deploy/apps/wiki/it.yaml"))) == []


def test_the_schema_in_a_crd_is_no_object() -> None:
    schema = {"properties": {"labels": {"additionalProperties": {"type": "string"}}, "port": {"type": "integer"}}}
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "x.y"}}
    assert list(check_fields(Object({**crd, "spec": schema}, "charts/wiki.py", "deploy/crds/it.yaml"))) == []


@pytest.mark.parametrize("image", ["wiki:1.0", "host:5000/wiki:1.0", "wiki@sha256:" + "0" * 64])
def test_a_tag_or_a_digest_names_a_release(image: str) -> None:
    assert problems("Deployment", f"{CONTAINER}/image", image) == []


def test_what_looks_like_a_field_in_a_persons_data_is_left_alone() -> None:
    data = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "annotations": {"port": "x"}}}
    data["data"] = {"requests": "a lot", "port": "0"}
    assert list(check_fields(Object(data, "charts/wiki.py", "deploy/apps/wiki/it.yaml"))) == []


def test_a_role_may_have_a_colon_in_its_name() -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "system:x"}}
    assert list(check_fields(Object(role, "charts/wiki.py", "deploy/apps/wiki/it.yaml"))) == []


def test_cron_jobs_have_their_containers_checked() -> None:
    template = find(environment(), "Deployment")["spec"]["template"]
    template["spec"]["containers"][0]["image"] = "wiki"
    template["spec"]["restartPolicy"] = "OnFailure"
    job = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "backup"}}
    job["spec"] = {"jobTemplate": {"spec": {"template": template}}}
    found = list(check_fields(Object(job, "charts/wiki.py", "deploy/apps/wiki/it.yaml")))
    assert len(found) == 1
    assert "without a tag" in found[0]


@pytest.mark.parametrize("name", ["http", "grpc-web", "a", "8080-tcp", "a" * 15])
def test_a_port_name_is_short_and_has_a_letter(name: str) -> None:
    # With the port's name its probes have to change, and they are told of.
    assert [
        problem for problem in problems("Deployment", f"{CONTAINER}/ports/0/name", name) if "name '" in problem
    ] == []


@pytest.mark.parametrize("name", ["", "8080", "HTTP", "http_1", "-http", "http--1", "a" * 16])
def test_what_is_no_port_name_gives_its_sentence(name: str) -> None:
    (told,) = [p for p in problems("Deployment", f"{CONTAINER}/ports/0/name", name) if "with the port name" in p]
    assert told.endswith("use at most 15 lower case letters, digits and -, one of them a letter")


@pytest.mark.parametrize("duration", ["10s", "1m30s", "1.5h", "100ms", "0s"])
def test_a_duration_is_as_go_writes_it(duration: str) -> None:
    assert problems("Kustomization", "spec/retryInterval", duration) == []


def test_durations_of_other_kinds_are_left_alone() -> None:
    release = {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "x"}}
    release["spec"] = {"values": {"timeout": "300", "interval": "daily"}}
    assert list(check_fields(Object(release, "charts/wiki.py", "deploy/apps/wiki/it.yaml"))) == []


@pytest.mark.parametrize("host", ["*", "*/*", "wiki/*.localhost"])
def test_a_gateway_may_list_every_host(host: str) -> None:
    assert problems("Gateway", "spec/servers/0/hosts", [host]) == []


def test_the_highest_priorities_are_the_clusters_own() -> None:
    priority = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "essential"}}
    highest = Object({**priority, "value": 1_000_000_000}, "charts/wiki.py", "deploy/apps/wiki/it.yaml")
    assert list(check_fields(highest)) == []
    above = Object({**priority, "value": 1_000_000_001}, "charts/wiki.py", "deploy/apps/wiki/it.yaml")
    assert list(check_fields(above)) == ["has the value 1000000001: above 1000000000 are the cluster's own classes"]


def named(kind: str, name: str) -> list[str]:
    document = {"apiVersion": "x/v1", "kind": kind, "metadata": {"name": name, "namespace": "wiki"}}
    return list(check_fields(Object(document, "charts/wiki.py", "deploy/apps/wiki/it.yaml")))


@pytest.mark.parametrize(
    ("kind", "name", "problem"),
    [
        ("Service", "2048", "is not a valid name: use lower case letters, digits and -, a letter first, with a letter"),
        ("Service", "w" * 64, "has a name of 64 characters: Kubernetes takes at most 63"),
        ("CronJob", "w" * 53, "has a name of 53 characters: Kubernetes takes at most 52"),
        ("StatefulSet", "w" * 53, "has a name of 53 characters: Kubernetes takes at most 52"),
        ("Kustomization", "w" * 64, "has a name of 64 characters: Kubernetes takes at most 63"),
        ("Namespace", "wiki.web", "is not a valid name: use lower case letters, digits and -, with a letter"),
        ("ConfigMap", "wiki_web", "is not a valid name: use lower case letters, digits, - and ., with a letter"),
    ],
)
def test_a_name_is_as_its_kind_takes_it(kind: str, name: str, problem: str) -> None:
    (told,) = named(kind, name)
    assert problem in told


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Service", "w2048"),
        ("Deployment", "2048"),
        ("Namespace", "2048"),
        ("CronJob", "w" * 52),
        ("ConfigMap", "wiki.web"),
        ("ServiceAccount", "w" * 253),
        ("Kustomization", "apps.wiki"),
    ],
)
def test_another_kind_may_take_what_one_does_not(kind: str, name: str) -> None:
    assert named(kind, name) == []


@pytest.mark.parametrize(
    ("path", "amount", "problem"),
    [
        ("requests/memory", "32", "requests.memory 32, which is 32 bytes: write Mi for mebibytes, as in 64Mi"),
        ("requests/ephemeral-storage", "64k", "requests.ephemeral-storage 64k, which is 64000 bytes: write Mi for"),
        ("limits/cpu", "500", "limits.cpu 500, more than the 48 of a large node: write m for thousandths of a core"),
        ("limits/cpu", "50", "limits.cpu 50, more than the 48 of a large node"),
        ("limits/memory", "256Ti", "limits.memory 256Ti, more than the 512Gi of a large node: write Mi for mebibytes"),
    ],
)
def test_an_amount_that_no_node_has_or_nothing_could_use_gives_its_sentence(
    path: str, amount: str, problem: str
) -> None:
    (told,) = problems("Deployment", f"{CONTAINER}/resources/{path}", amount)
    assert problem in told


@pytest.mark.parametrize(
    ("path", "amount"), [("limits/cpu", "32"), ("limits/memory", "64Gi"), ("requests/memory", "1Mi")]
)
def test_an_amount_may_be_large_or_small(path: str, amount: str) -> None:
    assert problems("Deployment", f"{CONTAINER}/resources/{path}", amount) == []


def test_a_quota_may_count_what_containers_may_not_ask() -> None:
    assert problems("ResourceQuota", "spec/hard", {"limits.cpu": "500", "requests.storage": "0"}) == []


@pytest.mark.parametrize("key", ["settings file", "a/b", "..", ".", "..data", "k" * 254, ""])
def test_what_cannot_be_a_file_is_not_a_key(key: str) -> None:
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {key: "x"}}
    (told,) = check_fields(Object(settings, "charts/wiki.py", "deploy/apps/wiki/it.yaml"))
    assert f"has data[{key}], which is not a key" in told


@pytest.mark.parametrize("key", ["settings.yaml", ".hidden", "KEY_1", "a..b", "k" * 253])
def test_what_can_be_a_file_is_a_key(key: str) -> None:
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {key: "x"}}
    assert list(check_fields(Object(settings, "charts/wiki.py", "deploy/apps/wiki/it.yaml"))) == []


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("resourceVersion", "7", "has metadata.resourceVersion, which the cluster writes: leave it out"),
        ("generateName", "wiki-", "has metadata.generateName, which the cluster writes"),
        (
            "annotations",
            {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
            "has metadata.annotations[kubectl.kubernetes.io/last-applied-configuration], which the cluster writes",
        ),
        ("ownerReferences", [{"uid": "1"}], "the cluster deletes what is owned by a uid that it does not have"),
        ("finalizers", ["example.com/it"], "has the finalizer example.com/it, so it stays after its deletion"),
        ("annotations", {"example.com/it": "x"}, ""),
        ("finalizers", [], ""),
    ],
)
def test_what_the_cluster_writes_is_left_out(field: str, value: Any, told: str) -> None:
    found = problems("Deployment", f"metadata/{field}", value)
    assert len(found) == bool(told)
    assert told in "".join(found)


def test_all_that_the_cluster_writes_is_told_in_one_sentence() -> None:
    (told,) = problems("Deployment", "status", {"replicas": 1})
    assert told == "has status, which the cluster writes: leave it out"
    document = find(environment(), "Deployment")
    document["metadata"] |= {"uid": "1", "generation": 2}
    (told,) = check_fields(Object(document, "charts/wiki.py", "deploy/apps/wiki/it.yaml"))
    assert told == "has metadata.generation, metadata.uid, which the cluster writes: leave them out"
