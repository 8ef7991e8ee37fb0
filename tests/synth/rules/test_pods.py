"""Rules for every pod: what the restricted standard forbids is told, for every kind of workload."""

from typing import Any

import pytest

from synth.cluster import Provided
from synth.rules import workloads
from synth.rules.fields import check_fields
from synth.tree import Object
from tests.synth.objects import environment, find, put, said

POD = "spec/template/spec"
CONTAINER = f"{POD}/containers/0"


KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")


def workload(kind: str, path: str, value: Any) -> Object:
    """The wiki's pods, with one more thing set in them, as a workload of some kind."""
    wiki = find(environment(), "Deployment")
    put(wiki, path, value)
    template = wiki["spec"]["template"]
    document = {"apiVersion": "x/v1", "kind": kind, "metadata": {"name": "wiki", "namespace": "wiki"}}
    if kind == "Pod":
        document |= {"spec": template["spec"]}
    elif kind == "CronJob":
        document |= {"spec": {"jobTemplate": {"spec": {"template": template}}}}
    else:
        document |= {"spec": {"template": template}}
    return Object(document, "charts/wiki.py", "deploy/apps/wiki/it.yaml")


FORBIDDEN: list[tuple[str, Any, str]] = [
    (f"{POD}/volumes/0", {"name": "pages", "hostPath": {"path": "/"}}, "has volume pages of kind hostPath"),
    (f"{POD}/volumes/0", {"name": "pages", "nfs": {"server": "x", "path": "/"}}, "has volume pages of kind nfs"),
    (f"{POD}/hostNetwork", True, "shares the node's Network"),
    (f"{POD}/hostPID", True, "shares the node's PID"),
    (f"{POD}/securityContext/runAsUser", 999, "runs container wiki as user 999, which may be somebody's on the node"),
    (f"{CONTAINER}/securityContext/runAsGroup", 70, "runs container wiki as group 70, which may be somebody's"),
    (f"{POD}/securityContext/sysctls", [{"name": "kernel.msgmax", "value": "1"}], "with sysctls kernel.msgmax"),
    (f"{POD}/securityContext/seLinuxOptions", {"type": "spc_t"}, "has its pods with securityContext.seLinuxOptions"),
    (f"{POD}/securityContext/windowsOptions", {"hostProcess": True}, "its pods with securityContext.windowsOptions"),
    (f"{CONTAINER}/securityContext/privileged", True, "container wiki with securityContext.privileged, which is the"),
    (f"{CONTAINER}/securityContext/procMount", "Unmasked", "container wiki with securityContext.procMount Unmasked"),
    (
        f"{CONTAINER}/securityContext/capabilities",
        {"drop": ["ALL"], "add": ["NET_BIND_SERVICE", "SYS_ADMIN"]},
        "container wiki with capabilities SYS_ADMIN: add none but NET_BIND_SERVICE",
    ),
    (
        f"{CONTAINER}/securityContext/appArmorProfile",
        {"type": "Unconfined"},
        "container wiki with securityContext.appArmorProfile.type Unconfined",
    ),
    (f"{CONTAINER}/ports/0/hostPort", 8000, "has container wiki on port 8000 of its node: leave hostPort out"),
    (
        f"{CONTAINER}/livenessProbe/httpGet/host",
        "10.0.0.1",
        "has livenessProbe of container wiki at host 10.0.0.1: leave host out",
    ),
    (
        f"{CONTAINER}/lifecycle",
        {"postStart": {"tcpSocket": {"host": "db", "port": 1}}},
        "has postStart of container wiki at host db: leave host out",
    ),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("path", "value", "problem"), FORBIDDEN, ids=[entry[2] for entry in FORBIDDEN])
def test_what_the_standard_forbids_is_told_of_every_kind(kind: str, path: str, value: Any, problem: str) -> None:
    (told,) = check_fields(workload(kind, path, value))
    assert problem in told


ALLOWED: list[tuple[str, Any]] = [
    (f"{POD}/volumes/0", {"name": "pages", "emptyDir": {}}),
    (f"{POD}/volumes/0", {"name": "pages", "configMap": {"name": "pages"}}),
    (f"{POD}/volumes/0", {"name": "pages", "csi": {"driver": "secrets-store.csi.k8s.io"}}),
    (f"{POD}/hostNetwork", False),
    (f"{POD}/securityContext/sysctls", [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]),
    (f"{POD}/securityContext/seLinuxOptions", {"type": "container_t", "level": "s0:c1"}),
    (f"{CONTAINER}/securityContext/privileged", False),
    (f"{CONTAINER}/securityContext/procMount", "Default"),
    (f"{CONTAINER}/securityContext/capabilities", {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
    (f"{CONTAINER}/securityContext/appArmorProfile", {"type": "RuntimeDefault"}),
    (f"{CONTAINER}/lifecycle", {"preStop": {"httpGet": {"path": "/end", "port": 8000}}}),
    (f"{CONTAINER}/lifecycle", {"postStart": {"tcpSocket": {"port": "http"}}}),
    (f"{CONTAINER}/lifecycle", {"preStop": {"sleep": {"seconds": 5}}}),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("path", "value"), ALLOWED, ids=[f"{path} {value}" for path, value in ALLOWED])
def test_what_the_standard_allows_is_left_alone(kind: str, path: str, value: Any) -> None:
    assert list(check_fields(workload(kind, path, value))) == []


def test_a_profile_of_the_nodes_own_is_as_restricted() -> None:
    document = find(environment(), "Deployment")
    profile = {"type": "Localhost", "localhostProfile": "wiki.json"}
    put(document, "spec/template/spec/securityContext/seccompProfile", profile)
    assert list(check_fields(Object(document, "charts/wiki.py", "deploy/apps/wiki/it.yaml"))) == []


def test_a_runtime_that_is_not_there_gives_its_sentence() -> None:
    documents = environment()
    put(find(documents, "Deployment"), "spec/template/spec/runtimeClassName", "gvisor")
    (sentence,) = said(workloads.RULES, documents)
    assert sentence.startswith("Deployment wiki needs RuntimeClass gvisor, which is neither made here nor provided")
    assert said(workloads.RULES, documents, Provided("RuntimeClass", "gvisor", by="the cluster")) == []
