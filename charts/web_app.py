"""The shape that every HTTP application shares, with its safe defaults."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from cdk8s_plus_27 import k8s
from constructs import Construct

from charts import exemptions
from charts.cluster import INGRESS_GATEWAY, KEEP, MERGED_METRICS_PORT, PROMETHEUS
from charts.environments import Environment, Replicas, Storage
from charts.exemptions import Exemption, as_annotations
from charts.gateway import Claim
from charts.namespace import AppNamespace, int_or_string
from charts.priorities import Priority
from charts.resources import SIDECAR, Resources, quantities
from charts.route import SERVICE_PORT, Route

NAME_LABEL = "app.kubernetes.io/name"
PORT_NAME = "http"
METRICS_PORT_NAME = "http-metrics"

RUN_AS = 10001
"""UID and GID of every app: high, so that it is nobody's on the node. The image of GraphWiki is built for it."""

UNPRIVILEGED_PORTS = range(1025, 65536)
ISTIO_PORTS = range(15000, 15100)
"""What the sidecar itself listens on: https://istio.io/latest/docs/ops/deployment/application-requirements/"""

SIDECAR_ADDRESS = "127.0.0.6"
"""Where an app's requests come from, those of visitors and of probes alike: the sidecar and its agent bind to it.

InboundPassthroughBindIpv4 and UpstreamLocalAddressIPv4 in https://github.com/istio/istio
"""

DRAIN_SECONDS = 5
"""How long a pod that is to end still serves, until every gateway knows that it is going."""


@dataclass(frozen=True)
class Volume:
    """A place to write, mounted at `path`; what is in it stays when the app goes."""

    name: str
    storage: Storage
    path: str

    @property
    def shared(self) -> bool:
        """Whether pods on several nodes can mount it."""
        return self.storage.access_mode == "ReadWriteMany"


@dataclass(frozen=True)
class SecretKey:
    """One value of a Secret that is in the app's namespace and not in Git (charts/cluster.py names who brings it)."""

    secret: str
    key: str


@dataclass(frozen=True)
class Metrics:
    """Where an app offers its metrics to Prometheus."""

    port: int
    path: str = "/metrics"


def proxies(environment: Environment) -> tuple[str, ...]:
    """Whose `X-Forwarded-For` and `X-Forwarded-Proto` an app has to believe, as addresses and networks.

    TLS ends at the gateway and the sidecar speaks plain HTTP to the app. An app that believes nobody gives out http://
    addresses and takes the sidecar for every visitor; one that believes everybody takes what a visitor makes up. The
    visitor is the last address in `X-Forwarded-For` that is none of these: whatever stands before it, the visitor
    may have sent.
    """
    return (SIDECAR_ADDRESS, *environment.http_proxies)


class WebApp(Construct):
    """One HTTP application in a namespace of its own, reached by its host through the ingress gateway.

    Every pod meets the "restricted" Pod Security Standard, may be called by the ingress gateway alone (and by
    Prometheus for metrics), and may itself call nothing but DNS and istiod. The container listens on `port`, above
    1024; `health_path` answers GET with 200 when the app can serve. `host` is the first label of the host name.
    `variables` are the container's environment variables; one that nobody shall read here is a `SecretKey`. An app that
    gives out its own address, or cares who calls, is told there of the `proxies` in front of it.

    One pod alone has a rollout that ends it before the new one starts, if it has a volume, and a budget that lets a
    node drain: a short outage that nobody can avoid, instead of a drain that never ends. Several are spread over zones
    and nodes, and autoscaled where `replicas` is a range.

    `local_state` says that the process keeps what other pods would have to know. `claim` is the host with the
    namespace, for the gateway.

    Raises:
        ValueError: a port is one that the app cannot have, a path is none, the image is not named as the environment
            wants it, or several replicas would not see the same.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        environment: Environment,
        *,
        namespace: str,
        host: str,
        image: str,
        port: int,
        resources: Resources,
        replicas: Replicas | None = None,
        variables: Mapping[str, str | SecretKey] | None = None,
        volume: Volume | None = None,
        local_state: bool = False,
        health_path: str = "/",
        metrics: Metrics | None = None,
        priority: Priority = Priority.ORDINARY,
    ) -> None:
        super().__init__(scope, name)
        self._name = name
        self._replicas = replicas or Replicas()
        self._volume = volume
        self._metrics = metrics
        self._image_may_move = environment.registry is not None and "@" not in image
        _check_image(name, image, environment)
        self._labels = {NAME_LABEL: name}
        _check_port(name, port)
        _check_path(name, "health", health_path)
        if metrics:
            _check_port(name, metrics.port)
            _check_path(name, "metrics", metrics.path)
        # A volume that one node alone can mount is free only when the old pod is gone, and so is state in a process.
        self._alone = local_state or (volume is not None and not volume.shared)
        if self._replicas.several and self._alone:
            self._refuse(volume if volume and not volume.shared else None)
        self.claim = Claim(name, namespace, environment.host(host))
        self._namespace = AppNamespace(
            self,
            namespace,
            labels=self._labels,
            pods=self._replicas.maximum,
            resources=resources,
            storage=[volume.storage.size] if volume else [],
            dns_addresses=environment.dns_addresses,
        )
        self._namespace.allow_from("allow-ingress-gateway", INGRESS_GATEWAY, port)
        if environment.prometheus:
            self._namespace.allow_from("allow-prometheus", PROMETHEUS, MERGED_METRICS_PORT)
        k8s.KubeServiceAccount(
            self, "service-account", metadata=self._namespace.metadata(name), automount_service_account_token=False
        )
        if volume:
            self._define_volume(volume)
        self._define_deployment(self._container(image, port, resources, variables or {}, health_path), priority)
        self._define_disruption_budget()
        if self._replicas.autoscaled:
            self._define_autoscaler()
        self._define_service()
        Route(
            self,
            name,
            namespace=namespace,
            labels=self._labels,
            host=self.claim.host,
            tls=environment.tls is not None,
        )

    def _refuse(self, volume: Volume | None) -> None:
        if volume:
            raise ValueError(
                f"{self._name} cannot have {self._replicas} replicas: its volume {volume.name} is "
                f"{volume.storage.access_mode}, which one node alone can mount: declare it ReadWriteMany, on a storage "
                "class that can, or leave it at 1"
            )
        raise ValueError(
            f"{self._name} cannot have {self._replicas} replicas: it keeps state in its process, which the other pods "
            "would not see: move that state out of the process, or leave it at 1"
        )

    def _container(
        self, image: str, port: int, resources: Resources, variables: Mapping[str, str | SecretKey], health_path: str
    ) -> k8s.Container:
        own = {METRICS_PORT_NAME: self._metrics.port} if self._metrics and self._metrics.port != port else {}
        ports = {PORT_NAME: port, **own}
        mounts = {"tmp": "/tmp", **({self._volume.name: self._volume.path} if self._volume else {})}  # noqa: S108, the pod's own
        return k8s.Container(
            name=self._name,
            image=image,
            # What a tag names may change in a registry; what a digest names and what was imported may not.
            image_pull_policy="Always" if self._image_may_move else "IfNotPresent",
            env=[_variable(key, value) for key, value in variables.items()] or None,
            ports=[k8s.ContainerPort(name=key, container_port=number, protocol="TCP") for key, number in ports.items()],
            # A minute to start, ten seconds without an answer out of the Service, half a minute to a restart.
            startup_probe=_probe(health_path, period_seconds=2, failure_threshold=30),
            readiness_probe=_probe(health_path, period_seconds=5, failure_threshold=2),
            liveness_probe=_probe(health_path, period_seconds=10, failure_threshold=3),
            lifecycle=_drain() if self._replicas.several else None,
            resources=k8s.ResourceRequirements(
                requests=quantities(resources.requests), limits=quantities(resources.limits)
            ),
            security_context=_restricted_container(),
            volume_mounts=[k8s.VolumeMount(name=key, mount_path=path) for key, path in mounts.items()],
        )

    def _define_volume(self, volume: Volume) -> None:
        k8s.KubePersistentVolumeClaim(
            self,
            "volume",
            metadata=self._namespace.metadata(volume.name, KEEP),
            spec=k8s.PersistentVolumeClaimSpec(
                access_modes=[volume.storage.access_mode],
                storage_class_name=volume.storage.storage_class,
                resources=k8s.ResourceRequirements(requests=quantities({"storage": volume.storage.size})),
            ),
        )

    def _define_deployment(self, container: k8s.Container, priority: Priority) -> None:
        pod = k8s.PodSpec(
            service_account_name=self._name,
            automount_service_account_token=False,
            enable_service_links=False,
            priority_class_name=priority.value,
            security_context=_restricted_pod(),
            containers=[container],
            topology_spread_constraints=self._spread() if self._replicas.several else None,
            volumes=self._volumes(),
        )
        k8s.KubeDeployment(
            self,
            "deployment",
            metadata=self._namespace.metadata(self._name, as_annotations(self._exemptions(container.image or ""))),
            spec=k8s.DeploymentSpec(
                # Where there is an autoscaler the number is its own: Flux would set it back at each interval.
                replicas=None if self._replicas.autoscaled else self._replicas.minimum,
                revision_history_limit=3,
                selector=k8s.LabelSelector(match_labels=self._labels),
                strategy=_one_at_a_time() if self._alone else _no_gap(),
                template=k8s.PodTemplateSpec(
                    metadata=k8s.ObjectMeta(labels=self._labels, annotations=self._pod_annotations()), spec=pod
                ),
            ),
        )

    def _exemptions(self, image: str) -> Iterator[Exemption]:
        yield exemptions.ONE_PAGE
        yield exemptions.SEVERAL_POLICIES
        yield exemptions.ONE_NAME
        if self._replicas.autoscaled:
            yield exemptions.AUTOSCALED
        if self._replicas.several:
            yield exemptions.SPREAD
        else:
            yield from (exemptions.ONE_POD, exemptions.UNSPREAD)
        if self._alone:
            yield exemptions.ONE_AT_A_TIME
        if "@" in image:
            yield exemptions.UNMOVING
        else:
            yield exemptions.NO_DIGEST
            if not self._image_may_move:
                yield exemptions.IMPORTED
        if image.endswith(":latest"):
            yield exemptions.LATEST

    def _pod_annotations(self) -> dict[str, str]:
        # What the sidecar gets: https://istio.io/latest/docs/reference/config/annotations/
        annotations = {
            "sidecar.istio.io/proxyCPU": SIDECAR.cpu.request,
            "sidecar.istio.io/proxyCPULimit": SIDECAR.cpu.limit,
            "sidecar.istio.io/proxyMemory": SIDECAR.memory.request,
            "sidecar.istio.io/proxyMemoryLimit": SIDECAR.memory.limit,
        }
        if self._metrics:
            # The sidecar answers with these and its own: https://istio.io/latest/docs/ops/integrations/prometheus/
            annotations |= {
                "prometheus.io/scrape": "true",
                "prometheus.io/port": str(self._metrics.port),
                "prometheus.io/path": self._metrics.path,
            }
        return annotations

    def _volumes(self) -> list[k8s.Volume]:
        size = quantities({"tmp": "64Mi"})["tmp"]
        volumes = [k8s.Volume(name="tmp", empty_dir=k8s.EmptyDirVolumeSource(size_limit=size))]
        if self._volume:
            claim = k8s.PersistentVolumeClaimVolumeSource(claim_name=self._volume.name)
            volumes.append(k8s.Volume(name=self._volume.name, persistent_volume_claim=claim))
        return volumes

    def _spread(self) -> list[k8s.TopologySpreadConstraint]:
        """Over zones and nodes as evenly as can be, but better together than not at all."""
        return [
            k8s.TopologySpreadConstraint(
                topology_key=topology_key,
                max_skew=1,
                when_unsatisfiable="ScheduleAnyway",
                label_selector=k8s.LabelSelector(match_labels=self._labels),
                # During a rollout the new pods are spread among themselves.
                match_label_keys=["pod-template-hash"],
            )
            for topology_key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ]

    def _define_disruption_budget(self) -> None:
        k8s.KubePodDisruptionBudget(
            self,
            "disruption-budget",
            metadata=self._namespace.metadata(self._name),
            spec=k8s.PodDisruptionBudgetSpec(
                max_unavailable=int_or_string(1),
                selector=k8s.LabelSelector(match_labels=self._labels),
                unhealthy_pod_eviction_policy="AlwaysAllow",
            ),
        )

    def _define_autoscaler(self) -> None:
        k8s.KubeHorizontalPodAutoscalerV2(
            self,
            "autoscaler",
            metadata=self._namespace.metadata(self._name, as_annotations([exemptions.TWO_AT_LEAST])),
            spec=k8s.HorizontalPodAutoscalerSpecV2(
                scale_target_ref=k8s.CrossVersionObjectReferenceV2(
                    api_version="apps/v1", kind="Deployment", name=self._name
                ),
                min_replicas=self._replicas.minimum,
                max_replicas=self._replicas.maximum,
                metrics=[self._utilization("cpu", 70), self._utilization("memory", 80)],
                # Five minutes of less before a pod goes, and then one a minute.
                behavior=k8s.HorizontalPodAutoscalerBehaviorV2(
                    scale_down=k8s.HpaScalingRulesV2(
                        stabilization_window_seconds=300,
                        policies=[k8s.HpaScalingPolicyV2(type="Pods", value=1, period_seconds=60)],
                    )
                ),
            ),
        )

    def _utilization(self, resource: str, per_cent: int) -> k8s.MetricSpecV2:
        """A share of what the app's container requests; the sidecar's use would blur it."""
        return k8s.MetricSpecV2(
            type="ContainerResource",
            container_resource=k8s.ContainerResourceMetricSourceV2(
                container=self._name,
                name=resource,
                target=k8s.MetricTargetV2(type="Utilization", average_utilization=per_cent),
            ),
        )

    def _define_service(self) -> None:
        k8s.KubeService(
            self,
            "service",
            metadata=self._namespace.metadata(self._name),
            spec=k8s.ServiceSpec(
                selector=self._labels,
                ports=[
                    k8s.ServicePort(
                        name=PORT_NAME, port=SERVICE_PORT, target_port=int_or_string(PORT_NAME), protocol="TCP"
                    )
                ],
            ),
        )


def _variable(name: str, value: str | SecretKey) -> k8s.EnvVar:
    if isinstance(value, str):
        return k8s.EnvVar(name=name, value=value)
    selector = k8s.SecretKeySelector(name=value.secret, key=value.key)
    return k8s.EnvVar(name=name, value_from=k8s.EnvVarSource(secret_key_ref=selector))


def _check_port(name: str, port: int) -> None:
    if port in range(1, UNPRIVILEGED_PORTS.start) or port in ISTIO_PORTS:
        raise ValueError(
            f"{name} cannot listen on port {port}: take one from {UNPRIVILEGED_PORTS.start} on, which needs no "
            f"privilege, and none of Istio's own, {ISTIO_PORTS.start} to {ISTIO_PORTS.stop - 1}"
        )


def _check_image(name: str, image: str, environment: Environment) -> None:
    if environment.registry and image.endswith(":latest"):
        raise ValueError(f"{name} has the image {image}, whose tag says nothing about what runs: name the release")
    if environment.digests and "@" not in image:
        raise ValueError(
            f"{name} has the image {image} without a digest, which {environment.path} wants: write @sha256: and 64 "
            "hexadecimal digits behind it, zeros as long as it is not known"
        )


def _check_path(name: str, what: str, path: str) -> None:
    if not path.startswith("/"):
        raise ValueError(f"{name} has the {what} path {path!r}: a path begins with /, as in /healthz")


# What is the same for many apps is made once: a typed object is checked field by field, which takes its time.
@cache
def _restricted_pod() -> k8s.PodSecurityContext:
    return k8s.PodSecurityContext(
        run_as_non_root=True,
        run_as_user=RUN_AS,
        run_as_group=RUN_AS,
        fs_group=RUN_AS,
        fs_group_change_policy="OnRootMismatch",
        seccomp_profile=k8s.SeccompProfile(type="RuntimeDefault"),
    )


@cache
def _restricted_container() -> k8s.SecurityContext:
    return k8s.SecurityContext(
        allow_privilege_escalation=False,
        capabilities=k8s.Capabilities(drop=["ALL"]),
        read_only_root_filesystem=True,
    )


@cache
def _probe(path: str, *, period_seconds: int, failure_threshold: int) -> k8s.Probe:
    return k8s.Probe(
        http_get=k8s.HttpGetAction(path=path, port=int_or_string(PORT_NAME)),
        period_seconds=period_seconds,
        failure_threshold=failure_threshold,
        timeout_seconds=2,
    )


@cache
def _drain() -> k8s.Lifecycle:
    # An image without `sleep` ends at once, as it would without the hook.
    wait = k8s.ExecAction(command=["sleep", str(DRAIN_SECONDS)])
    return k8s.Lifecycle(pre_stop=k8s.LifecycleHandler(exec=wait))


@cache
def _one_at_a_time() -> k8s.DeploymentStrategy:
    return k8s.DeploymentStrategy(type="Recreate")


@cache
def _no_gap() -> k8s.DeploymentStrategy:
    return k8s.DeploymentStrategy(
        type="RollingUpdate",
        rolling_update=k8s.RollingUpdateDeployment(max_surge=int_or_string(1), max_unavailable=int_or_string(0)),
    )
