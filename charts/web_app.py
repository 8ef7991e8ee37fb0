"""The shape that every HTTP application shares, with its safe defaults."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from cdk8s import ApiObjectMetadata
from cdk8s_plus_27 import k8s
from constructs import Construct

from charts.cluster import CLUSTER_DNS, DNS_PORT, INGRESS_GATEWAY, ISTIOD, ISTIOD_PORT, KEEP
from charts.gateway import GATEWAY, Claim
from imports.io.istio.networking import (
    VirtualService,
    VirtualServiceSpec,
    VirtualServiceSpecHttp,
    VirtualServiceSpecHttpRoute,
    VirtualServiceSpecHttpRouteDestination,
    VirtualServiceSpecHttpRouteDestinationPort,
)
from synth.checks import NAMESPACE_LABEL, Provided

NAME_LABEL = "app.kubernetes.io/name"
SERVICE_PORT = 80
PORT_NAME = "http"

RUN_AS = 10001
"""UID and GID of every app: high, so that it is nobody's on the node. The image of GraphWiki is built for it."""

UNPRIVILEGED_PORTS = range(1025, 65536)
ISTIO_PORTS = range(15000, 15100)
"""What the sidecar itself listens on: https://istio.io/latest/docs/ops/deployment/application-requirements/"""


@dataclass(frozen=True)
class Range:
    """What a container is sure to get, and what it may take at most, as Kubernetes quantities."""

    request: str
    limit: str


@dataclass(frozen=True)
class Resources:
    """The resources of an app's container; `ephemeral_storage` holds its /tmp and its logs."""

    cpu: Range
    memory: Range
    ephemeral_storage: Range = Range("64Mi", "256Mi")


@dataclass(frozen=True)
class Volume:
    """A place to write: `size` as a Kubernetes quantity, mounted at `path`."""

    name: str
    size: str
    path: str


TMP = Volume("tmp", size="64Mi", path="/tmp")  # noqa: S108, the pod's own and emptied with it


class WebApp(Construct):
    """One HTTP application in a namespace of its own, reached by its host through the ingress gateway.

    Every pod meets the "restricted" Pod Security Standard
    (https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted), may be called by the ingress
    gateway alone, and may itself call nothing but DNS and istiod. The container listens on `port`, above 1024;
    `health_path` answers GET with 200 when the app can serve. With a `volume` the app is one pod, and a rollout
    ends the old pod before it starts the new one.

    `claim` is the host with the namespace, for the gateway.

    Raises:
        ValueError: the port is one that the app cannot have, or the health path is no path.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        namespace: str,
        host: str,
        image: str,
        port: int,
        resources: Resources,
        environment: Mapping[str, str] | None = None,
        volume: Volume | None = None,
        health_path: str = "/",
    ) -> None:
        super().__init__(scope, name)
        if port in range(1, UNPRIVILEGED_PORTS.start) or port in ISTIO_PORTS:
            raise ValueError(
                f"{name} cannot listen on port {port}: take one from {UNPRIVILEGED_PORTS.start} on, which needs no "
                f"privilege, and none of Istio's own, {ISTIO_PORTS.start} to {ISTIO_PORTS.stop - 1}"
            )
        if not health_path.startswith("/"):
            raise ValueError(f"{name} has the health path {health_path!r}: a path begins with /, as in /healthz")
        self.claim = Claim(namespace, host)
        self._name = name
        self._namespace = namespace
        self._labels = {NAME_LABEL: name}
        self._define_namespace()
        self._define_network_policies(port)
        self._define_volume(volume)
        k8s.KubeServiceAccount(
            self, "service-account", metadata=self._metadata(), automount_service_account_token=False
        )
        self._define_deployment(
            k8s.Container(
                name=name,
                image=image,
                image_pull_policy="IfNotPresent",
                env=[k8s.EnvVar(name=key, value=value) for key, value in (environment or {}).items()] or None,
                ports=[k8s.ContainerPort(name=PORT_NAME, container_port=port, protocol="TCP")],
                # A minute to start, ten seconds without an answer out of the Service, half a minute to a restart.
                startup_probe=_probe(health_path, period_seconds=2, failure_threshold=30),
                readiness_probe=_probe(health_path, period_seconds=5, failure_threshold=2),
                liveness_probe=_probe(health_path, period_seconds=10, failure_threshold=3),
                resources=_requirements(resources),
                security_context=k8s.SecurityContext(
                    allow_privilege_escalation=False,
                    capabilities=k8s.Capabilities(drop=["ALL"]),
                    read_only_root_filesystem=True,
                ),
                volume_mounts=[
                    k8s.VolumeMount(name=mounted.name, mount_path=mounted.path) for mounted in (TMP, volume) if mounted
                ],
            ),
            volume,
        )
        k8s.KubeService(
            self,
            "service",
            metadata=self._metadata(),
            spec=k8s.ServiceSpec(
                selector=self._labels,
                ports=[
                    k8s.ServicePort(name=PORT_NAME, port=SERVICE_PORT, target_port=_port(PORT_NAME), protocol="TCP")
                ],
            ),
        )
        self._define_route(host)

    def _metadata(self, name: str | None = None, annotations: dict[str, str] | None = None) -> k8s.ObjectMeta:
        return k8s.ObjectMeta(
            name=name or self._name, namespace=self._namespace, labels=self._labels, annotations=annotations
        )

    def _define_namespace(self) -> None:
        modes = ("enforce", "audit", "warn")
        k8s.KubeNamespace(
            self,
            "namespace",
            metadata=k8s.ObjectMeta(
                name=self._namespace,
                labels={
                    "istio-injection": "enabled",
                    **{f"pod-security.kubernetes.io/{mode}": "restricted" for mode in modes},
                },
                annotations=KEEP,
            ),
        )

    def _define_network_policies(self, port: int) -> None:
        everything = k8s.LabelSelector()
        self._network_policy(
            "default-deny", k8s.NetworkPolicySpec(pod_selector=everything, policy_types=["Ingress", "Egress"])
        )
        self._network_policy(
            "allow-ingress-gateway",
            k8s.NetworkPolicySpec(
                pod_selector=k8s.LabelSelector(match_labels=self._labels),
                policy_types=["Ingress"],
                ingress=[
                    k8s.NetworkPolicyIngressRule(from_=[_peer(INGRESS_GATEWAY)], ports=[_network_port(port, "TCP")])
                ],
            ),
        )
        self._network_policy(
            "allow-dns",
            k8s.NetworkPolicySpec(
                pod_selector=everything,
                policy_types=["Egress"],
                egress=[
                    k8s.NetworkPolicyEgressRule(
                        to=[_peer(CLUSTER_DNS)],
                        ports=[_network_port(DNS_PORT, "UDP"), _network_port(DNS_PORT, "TCP")],
                    )
                ],
            ),
        )
        self._network_policy(
            "allow-istiod",
            k8s.NetworkPolicySpec(
                pod_selector=everything,
                policy_types=["Egress"],
                egress=[k8s.NetworkPolicyEgressRule(to=[_peer(ISTIOD)], ports=[_network_port(ISTIOD_PORT, "TCP")])],
            ),
        )

    def _network_policy(self, name: str, spec: k8s.NetworkPolicySpec) -> None:
        k8s.KubeNetworkPolicy(self, name, metadata=self._metadata(name), spec=spec)

    def _define_volume(self, volume: Volume | None) -> None:
        if volume is None:
            return
        k8s.KubePersistentVolumeClaim(
            self,
            "volume",
            metadata=self._metadata(volume.name, annotations=KEEP),
            spec=k8s.PersistentVolumeClaimSpec(
                access_modes=["ReadWriteOnce"],
                resources=k8s.ResourceRequirements(requests={"storage": _quantity(volume.size)}),
            ),
        )

    def _define_deployment(self, container: k8s.Container, volume: Volume | None) -> None:
        pod = k8s.PodSpec(
            service_account_name=self._name,
            automount_service_account_token=False,
            enable_service_links=False,
            security_context=k8s.PodSecurityContext(
                run_as_non_root=True,
                run_as_user=RUN_AS,
                run_as_group=RUN_AS,
                fs_group=RUN_AS,
                fs_group_change_policy="OnRootMismatch",
                seccomp_profile=k8s.SeccompProfile(type="RuntimeDefault"),
            ),
            containers=[container],
            volumes=[
                k8s.Volume(name=TMP.name, empty_dir=k8s.EmptyDirVolumeSource(size_limit=_quantity(TMP.size))),
                *([_claimed(volume)] if volume else []),
            ],
        )
        k8s.KubeDeployment(
            self,
            "deployment",
            metadata=self._metadata(),
            spec=k8s.DeploymentSpec(
                replicas=1,
                revision_history_limit=3,
                selector=k8s.LabelSelector(match_labels=self._labels),
                strategy=_one_at_a_time() if volume else _no_gap(),
                template=k8s.PodTemplateSpec(metadata=k8s.ObjectMeta(labels=self._labels), spec=pod),
            ),
        )

    def _define_route(self, host: str) -> None:
        # No timeout on the route: a WebSocket stays open for hours, and Istio's own default is none
        # (https://istio.io/latest/docs/concepts/traffic-management/#timeouts). It cannot be written down as 0s,
        # which the VirtualService's own validation refuses.
        VirtualService(
            self,
            "route",
            metadata=ApiObjectMetadata(name=self._name, namespace=self._namespace, labels=self._labels),
            spec=VirtualServiceSpec(
                hosts=[host],
                gateways=[GATEWAY],
                http=[
                    VirtualServiceSpecHttp(
                        route=[
                            VirtualServiceSpecHttpRoute(
                                destination=VirtualServiceSpecHttpRouteDestination(
                                    host=f"{self._name}.{self._namespace}.svc.cluster.local",
                                    port=VirtualServiceSpecHttpRouteDestinationPort(number=SERVICE_PORT),
                                )
                            )
                        ]
                    )
                ],
            ),
        )


# A quantity and a port name live in Node: one crossing for each that is different, not for each use.
@cache
def _quantity(text: str) -> k8s.Quantity:
    return k8s.Quantity.from_string(text)


@cache
def _port(port: int | str) -> k8s.IntOrString:
    return k8s.IntOrString.from_string(port) if isinstance(port, str) else k8s.IntOrString.from_number(port)


def _requirements(resources: Resources) -> k8s.ResourceRequirements:
    ranges = {
        "cpu": resources.cpu,
        "memory": resources.memory,
        "ephemeral-storage": resources.ephemeral_storage,
    }
    return k8s.ResourceRequirements(
        requests={name: _quantity(range_.request) for name, range_ in ranges.items()},
        limits={name: _quantity(range_.limit) for name, range_ in ranges.items()},
    )


def _probe(path: str, *, period_seconds: int, failure_threshold: int) -> k8s.Probe:
    return k8s.Probe(
        http_get=k8s.HttpGetAction(path=path, port=_port(PORT_NAME)),
        period_seconds=period_seconds,
        failure_threshold=failure_threshold,
        timeout_seconds=2,
    )


def _claimed(volume: Volume) -> k8s.Volume:
    return k8s.Volume(
        name=volume.name,
        persistent_volume_claim=k8s.PersistentVolumeClaimVolumeSource(claim_name=volume.name),
    )


def _one_at_a_time() -> k8s.DeploymentStrategy:
    return k8s.DeploymentStrategy(type="Recreate")


def _no_gap() -> k8s.DeploymentStrategy:
    return k8s.DeploymentStrategy(
        type="RollingUpdate",
        rolling_update=k8s.RollingUpdateDeployment(max_surge=_port(1), max_unavailable=_port(0)),
    )


def _peer(pods: Provided) -> k8s.NetworkPolicyPeer:
    return k8s.NetworkPolicyPeer(
        namespace_selector=k8s.LabelSelector(match_labels={NAMESPACE_LABEL: pods.namespace}),
        pod_selector=k8s.LabelSelector(match_labels=dict(pods.labels)),
    )


def _network_port(port: int, protocol: str) -> k8s.NetworkPolicyPort:
    return k8s.NetworkPolicyPort(port=_port(port), protocol=protocol)
