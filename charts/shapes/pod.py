"""A pod: containers that live and die together, with what holds for all of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Annotated

from cdk8s_plus_27 import k8s

from charts.shapes.container import Container, Metrics, Port
from charts.shapes.network import Outside
from charts.shapes.resources import PROXY, Amounts, Room, largest, total
from charts.shapes.storage import Mount, OwnVolume, Secret, Volume, volume_name
from charts.shapes.typed import quantities
from synth.api_resources import VERBS, problem_of_group, problem_of_resource
from synth.forms import LabelKey, LabelValue, formed, within

RUN_AS = 10001
"""UID and GID of every app: high, so that it is nobody's on the node. The image of GraphWiki is built for it."""

DRAIN_SECONDS = 5
"""How long a pod that is to end still serves, until every gateway knows that it is going."""

GRACE_SECONDS = 30
"""How long a pod may take to end, where it says nothing: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination"""

TMP_SIZE = "64Mi"

Seconds = Annotated[int, within(range(3601), "is no number of seconds for an end: 0 to 3600 are, as in 30")]


class Priority(StrEnum):
    """The PriorityClasses of the apps; neither takes the place of what the apps need, the gateway or istiod."""

    ESSENTIAL = "essential"
    ORDINARY = "ordinary"


@formed
@dataclass(frozen=True)
class Permission:
    """What the account of a pod may do in its own namespace at the API server, as a rule of a Role has it.

    https://kubernetes.io/docs/reference/access-authn-authz/rbac/#role-and-clusterrole

    Raises:
        ValueError: a verb, a resource or a group is none, or no request has what is allowed.
    """

    resources: Sequence[str]
    verbs: Sequence[str]
    groups: Sequence[str] = ("",)
    names: Sequence[str] = ()

    def __post_init__(self) -> None:
        shown = ", ".join(self.resources)
        if not (self.resources and self.verbs and self.groups):
            raise ValueError(f"the permission for {shown} allows nothing: name resources, verbs and groups")
        for verb in self.verbs:
            if verb not in VERBS:
                raise ValueError(f"the permission for {shown} has the verb {verb!r}: there are {', '.join(VERBS)}")
        for group in self.groups:
            if problem := problem_of_group(group):
                raise ValueError(f"the permission for {shown} has the group {group!r}, which {problem}")
        for resource in self.resources:
            if problem := problem_of_resource(resource, list(self.groups), in_namespace=True):
                raise ValueError(f"the permission for {shown} has the resource {resource!r}, which {problem}")


@formed
class Pod:
    """Containers that share a network and volumes, each pod beside Istio's proxy.

    It meets the "restricted" Pod Security Standard, reaches DNS and istiod and nothing else, and is reached by nothing,
    but for what is said here and where it is used. `init` run one after the other before the containers start.
    `priority` says who makes room when a cluster is full. Without `proxy` it is no part of the mesh, which then refuses
    it. `drain_seconds` is how long it still serves when it is told to end, `grace_seconds` how long ending may take in
    all. `calls` names the workloads that it calls, of its own app or another one; `outside` what it reaches outside the
    cluster; `permissions` what its account may do at the API server. `pull_secret` is the Secret for a private
    registry, `node_labels` are those of the nodes that it can run on.

    Raises:
        ValueError: it has no container, two have one name, or the times do not fit.
    """

    def __init__(
        self,
        *containers: Container,
        init: Sequence[Container] = (),
        priority: Priority = Priority.ORDINARY,
        proxy: bool = True,
        drain_seconds: Seconds = DRAIN_SECONDS,
        grace_seconds: Seconds = GRACE_SECONDS,
        calls: Sequence[str] = (),
        outside: Sequence[Outside] = (),
        permissions: Sequence[Permission] = (),
        pull_secret: Secret | None = None,
        node_labels: Mapping[LabelKey, LabelValue] | None = None,
    ) -> None:
        self.containers = containers
        self.init = tuple(init)
        self.priority = priority
        self.proxy = proxy
        self.drain_seconds = drain_seconds
        self.grace_seconds = grace_seconds
        self.calls = tuple(calls)
        self.outside = tuple(outside)
        self.permissions = tuple(permissions)
        self.pull_secret = pull_secret
        self.node_labels = node_labels
        if not containers:
            raise ValueError("a pod has no container: give it one, as in Pod(Container(...))")
        if drain_seconds >= grace_seconds:
            raise ValueError(
                f"the pod of {containers[0].name} drains for {drain_seconds} seconds, but has {grace_seconds} to end "
                "in: give it a longer grace_seconds or a shorter drain_seconds"
            )
        _check_distinct(containers[0].name, "containers", [container.name for container in self.all_containers])
        _check_distinct(containers[0].name, "ports", [port.name for port in self.ports])
        _check_distinct(containers[0].name, "ports", [str(port.number) for port in self.ports])
        places = [f"{place.host or place.addresses[0]}, port {place.port}" for place in self.outside]
        for place in places:
            if places.count(place) > 1:
                raise ValueError(f"the pod of {containers[0].name} names outside {place}, twice: leave one out")

    @property
    def all_containers(self) -> tuple[Container, ...]:
        return (*self.init, *self.containers)

    @property
    def ports(self) -> list[Port]:
        return [port for container in self.containers for port in container.ports]

    @property
    def metrics(self) -> Metrics | None:
        return next((container.metrics for container in self.containers if container.metrics), None)

    @property
    def mounts(self) -> dict[str, Mount]:
        """What its containers mount, by name.

        Raises:
            ValueError: two different things have one name.
        """
        found: dict[str, Mount] = {}
        for mount in (mount for container in self.all_containers for mount in container.mounts.values()):
            if found.setdefault(volume_name(mount), mount) != mount:
                raise ValueError(
                    f"the pod of {self.containers[0].name} mounts two things called {mount.name}: rename one"
                )
        return found

    @property
    def room(self) -> Room:
        """What one pod of this kind needs on a node."""
        each = largest([PROXY.limits, *(container.resources.limits for container in self.all_containers)])
        return Room(self._amounts("requests"), self._amounts("limits"), each)

    def _amounts(self, kind: str) -> Amounts:
        # https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
        together = total((1, getattr(container.resources, kind)) for container in self.containers)
        most = largest([together, *(getattr(container.resources, kind) for container in self.init)])
        return total([(1, most), *([(1, getattr(PROXY, kind))] if self.proxy else [])])

    def annotations(self) -> dict[str, str]:
        annotations = {}
        if self.proxy:
            # What the sidecar gets: https://istio.io/latest/docs/reference/config/annotations/
            annotations = {
                "sidecar.istio.io/proxyCPU": PROXY.cpu.request,
                "sidecar.istio.io/proxyCPULimit": PROXY.cpu.limit,
                "sidecar.istio.io/proxyMemory": PROXY.memory.request,
                "sidecar.istio.io/proxyMemoryLimit": PROXY.memory.limit,
            }
        if self.metrics:
            # The sidecar answers with these and its own: https://istio.io/latest/docs/ops/integrations/prometheus/
            annotations |= {
                "prometheus.io/scrape": "true",
                "prometheus.io/port": str(self.metrics.port),
                "prometheus.io/path": self.metrics.path,
            }
        return annotations

    def volumes(self) -> Iterator[k8s.Volume]:
        for container in self.all_containers:
            empty = k8s.EmptyDirVolumeSource(size_limit=quantities({"tmp": TMP_SIZE})["tmp"])
            yield k8s.Volume(name=self.tmp(container), empty_dir=empty)
        for mount in self.mounts.values():
            if not isinstance(mount, OwnVolume):
                yield mount.source()
        if self.permissions:
            yield _token()

    def tmp(self, container: Container) -> str:
        """The volume of a container's /tmp."""
        return "tmp" if container is self.containers[0] else f"tmp-{container.name}"

    @property
    def claims(self) -> list[Volume]:
        return [mount for mount in self.mounts.values() if isinstance(mount, Volume)]

    @property
    def own_volumes(self) -> list[OwnVolume]:
        return [mount for mount in self.mounts.values() if isinstance(mount, OwnVolume)]


def _check_distinct(pod: str, what: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the pod of {pod} has two {what} {name}: give each its own")


# What is the same for many apps is made once: a typed object is checked field by field, which takes its time.
@cache
def restricted() -> k8s.PodSecurityContext:
    return k8s.PodSecurityContext(
        run_as_non_root=True,
        run_as_user=RUN_AS,
        run_as_group=RUN_AS,
        fs_group=RUN_AS,
        fs_group_change_policy="OnRootMismatch",
        seccomp_profile=k8s.SeccompProfile(type="RuntimeDefault"),
    )


TOKEN_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105, a path
TOKEN_VOLUME = "token"  # noqa: S105, a name


@cache
def token_mount() -> k8s.VolumeMount:
    return k8s.VolumeMount(name=TOKEN_VOLUME, mount_path=TOKEN_MOUNT, read_only=True)


@cache
def _token() -> k8s.Volume:
    """The account's token, as Kubernetes itself would mount it.

    https://kubernetes.io/docs/concepts/storage/projected-volumes/
    """
    namespace = k8s.DownwardApiVolumeFile(
        path="namespace", field_ref=k8s.ObjectFieldSelector(field_path="metadata.namespace")
    )
    return k8s.Volume(
        name=TOKEN_VOLUME,
        projected=k8s.ProjectedVolumeSource(
            sources=[
                k8s.VolumeProjection(
                    service_account_token=k8s.ServiceAccountTokenProjection(path="token", expiration_seconds=3600)
                ),
                k8s.VolumeProjection(
                    config_map=k8s.ConfigMapProjection(
                        name="kube-root-ca.crt", items=[k8s.KeyToPath(key="ca.crt", path="ca.crt")]
                    )
                ),
                k8s.VolumeProjection(downward_api=k8s.DownwardApiProjection(items=[namespace])),
            ]
        ),
    )
