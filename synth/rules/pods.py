"""Rules for every pod: the restricted Pod Security Standard, resources, probes.

The API server refuses a pod that breaks the standard only when the pod is made, long after the change is merged.
https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

from collections.abc import Iterator
from typing import Any

from synth.manifest import Document
from synth.pods import PROBES, RESOURCES, SERVING, containers, pod_spec

# The volumes that the standard allows; everything else reaches into the node or past the cluster's storage.
VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
SAFE_SYSCTLS = frozenset(
    """
    kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports
    net.ipv4.ip_unprivileged_port_start net.ipv4.ping_group_range net.ipv4.tcp_fin_timeout
    net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes net.ipv4.tcp_keepalive_time net.ipv4.tcp_rmem
    net.ipv4.tcp_syncookies net.ipv4.tcp_wmem
    """.split()  # noqa: SIM905, a list of quoted strings is not read
)
SECCOMP_TYPES = ("RuntimeDefault", "Localhost")
SELINUX_TYPES = ("container_t", "container_init_t", "container_kvm_t", "container_engine_t")


def check_pods(document: Document) -> Iterator[str]:
    """What keeps the pods of a workload from being safe and schedulable, each as the end of a sentence."""
    pod = pod_spec(document)
    exempted = (document["metadata"].get("annotations") or {}).get("kube-score/ignore", "")
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield f"shares the node's {field.removeprefix('host')}: leave {field} out"
    if pod.get("shareProcessNamespace") is True:
        yield (
            "has its containers see and end each other's processes, and read what they were started with: leave "
            "shareProcessNamespace out"
        )
    if pod.get("automountServiceAccountToken") is not False:
        yield "mounts a token of its ServiceAccount: set automountServiceAccountToken to false"
    for volume in pod.get("volumes", []):
        for kind in volume.keys() - {"name"} - VOLUMES:
            yield f"has volume {volume['name']} of kind {kind}: use a PersistentVolumeClaim, an emptyDir or a ConfigMap"
    context = pod.get("securityContext") or {}
    yield from _check_context("its pods", context)
    if 0 in (context.get("fsGroup"), *(context.get("supplementalGroups") or [])):
        yield "has pods of group 0, that of root, whose files are theirs then: use a high number, as in 10001"
    for container in containers(document):
        yield from _check_security(container, context, exempted)
        yield from _check_context(f"container {container['name']}", container.get("securityContext") or {})
        yield from _check_host(container)
        yield from _check_resources(container)
    if document["kind"] in SERVING:
        for container in pod.get("containers", []):
            if missing := [probe for probe in PROBES if probe not in container]:
                yield (
                    f"has container {container['name']} without {' and '.join(missing)}: add what is missing, so that "
                    "Kubernetes notices when it does not work"
                )


LEAST_ID = 10_000
HIGH_ID = "container-security-context-user-group-id"
"""kube-score's name for that rule, by which an object is exempted from it."""


def _check_security(container: Document, pod: Document, exempted: str) -> Iterator[str]:
    own = container.get("securityContext") or {}
    effective = {**pod, **own}
    wanted: tuple[tuple[str, Any, Any], ...] = (
        ("runAsNonRoot", effective.get("runAsNonRoot"), True),
        ("allowPrivilegeEscalation", own.get("allowPrivilegeEscalation"), False),
        ("capabilities.drop", (own.get("capabilities") or {}).get("drop"), ["ALL"]),
        ("readOnlyRootFilesystem", own.get("readOnlyRootFilesystem"), True),
    )
    for field, value, right in wanted:
        if value != right:
            shown = str(right).lower() if isinstance(right, bool) else right
            yield f"has container {container['name']} with securityContext.{field} {value}: it must be {shown}"
    if (profile := (effective.get("seccompProfile") or {}).get("type")) not in SECCOMP_TYPES:
        yield (
            f"has container {container['name']} with securityContext.seccompProfile.type {profile}: it must be "
            f"{' or '.join(SECCOMP_TYPES)}"
        )
    if effective.get("runAsUser", 1) == 0:
        yield f"runs container {container['name']} as user 0, which is root: use a high number, as in 10001"
    if effective.get("runAsGroup", 1) == 0:
        yield f"runs container {container['name']} as group 0, that of root: use a high number, as in 10001"
    for field, who in (("runAsUser", "user"), ("runAsGroup", "group")):
        if 0 < effective.get(field, 0) < LEAST_ID and HIGH_ID not in exempted:
            yield (
                f"runs container {container['name']} as {who} {effective[field]}, which may be somebody's on the node: "
                "use a high number, as in 10001"
            )


def _check_context(whose: str, context: Document) -> Iterator[str]:
    """What a security context may not say at all, whoever else says something."""
    for field in ("privileged", "windowsOptions.hostProcess"):
        if _field(context, field):
            yield f"has {whose} with securityContext.{field}, which is the rights of the node: leave it out"
    if added := [name for name in _field(context, "capabilities.add") or [] if name != "NET_BIND_SERVICE"]:
        yield f"has {whose} with capabilities {', '.join(added)}: add none but NET_BIND_SERVICE"
    if (mount := context.get("procMount", "Default")) != "Default":
        yield f"has {whose} with securityContext.procMount {mount}: leave it out"
    if _field(context, "appArmorProfile.type") == "Unconfined":
        yield f"has {whose} with securityContext.appArmorProfile.type Unconfined: leave it out, or write RuntimeDefault"
    selinux = context.get("seLinuxOptions") or {}
    if selinux.get("user") or selinux.get("role") or selinux.get("type", SELINUX_TYPES[0]) not in SELINUX_TYPES:
        yield f"has {whose} with securityContext.seLinuxOptions of its own: leave them out"
    if unsafe := [s["name"] for s in context.get("sysctls", []) if s["name"] not in SAFE_SYSCTLS]:
        yield f"has {whose} with sysctls {', '.join(unsafe)}, which change the node: leave them out"


def _field(document: Document, path: str) -> Any:
    value: Any = document
    for key in path.split("."):
        value = (value or {}).get(key)
    return value


def _check_host(container: Document) -> Iterator[str]:
    """What of a container is on the node instead of in the pod."""
    name = container["name"]
    for port in container.get("ports", []):
        if port.get("hostPort"):
            yield f"has container {name} on port {port['hostPort']} of its node: leave hostPort out, make a Service"
    hooks = (container.get("lifecycle") or {}).items()
    for kind, handler in (*((probe, container.get(probe) or {}) for probe in PROBES), *hooks):
        for action in ("httpGet", "tcpSocket"):
            if host := (handler.get(action) or {}).get("host"):
                yield f"has {kind} of container {name} at host {host}: leave host out, so that the pod itself is asked"


def _check_resources(container: Document) -> Iterator[str]:
    resources = container.get("resources") or {}
    for kind in ("requests", "limits"):
        if missing := [name for name in RESOURCES if name not in (resources.get(kind) or {})]:
            yield f"has container {container['name']} without {kind} for {', '.join(missing)}: set them"
