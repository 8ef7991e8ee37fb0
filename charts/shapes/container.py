"""One container of a pod: its image, ports, probes, variables and mounts."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cache
from typing import Annotated

from cdk8s_plus_27 import k8s

from charts.shapes.resources import LITTLE_STORAGE, Cpu, Memory, Resources, Storage
from charts.shapes.storage import Mount, SecretKey, volume_name
from charts.shapes.typed import int_or_string, quantities
from facts.environments import Environment
from facts.images import Image
from synth.forms import FilePath, Form, HostLabel, PortName, PortNumber, Variable, formed, named, within
from synth.images import LATEST
from synth.names import LABEL

UNPRIVILEGED_PORTS = range(1025, 65536)
ISTIO_PORTS = range(15000, 15100)
"""What the sidecar itself listens on: https://istio.io/latest/docs/ops/deployment/application-requirements/"""

PROTOCOLS = ("http", "http2", "grpc", "https", "tcp", "tls", "mongo", "mysql", "redis")
"""What the name of a port may begin with: https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/"""

WEB_PROTOCOLS = ("http", "http2", "grpc")
"""What a VirtualService routes by host and path."""

METRICS_PORT_NAME = "http-metrics"
STARTUP_PERIOD = 2


def _pod_port(number: int) -> str | None:
    if number in UNPRIVILEGED_PORTS and number not in ISTIO_PORTS:
        return None
    return (
        f"is none that a pod can listen on: take one from {UNPRIVILEGED_PORTS.start} on, which needs no privilege, and "
        f"none of Istio's own, {ISTIO_PORTS.start} to {ISTIO_PORTS.stop - 1}"
    )


PodPort = Annotated[int, Form(_pod_port)]
ServicePort = Annotated[int, within(range(65536), "is no port: 1 to 65535 are")]
StartSeconds = Annotated[
    int, within(range(STARTUP_PERIOD, 3601), "is no time for a start: 2 to 3600 seconds are, as in 120")
]
ContainerName = Annotated[str, named(LABEL, "lower case letters, digits and -", 59)]
"""Shorter than Kubernetes has it, for the volume of its /tmp, which is called after it."""


@formed
@dataclass(frozen=True)
class Port:
    """A port that a container listens on, and how the Service offers it.

    `name` begins with the protocol, by which Istio knows it: `http`, `grpc`, `tcp-postgres`. `service` is the number
    at the Service: 80 for a port named `http`, otherwise the same number. `host` is the first label of a host name of
    its own, for a port beside the one that the app's host leads to; `gateway` the port at which the gateway offers
    plain TCP, one of the environment's `gateway_ports`.
    """

    number: PodPort
    name: PortName = "http"
    service: ServicePort = 0
    host: HostLabel | None = None
    gateway: PortNumber | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "service", self.service or (80 if self.name == "http" else self.number))
        if self.protocol not in PROTOCOLS:
            raise ValueError(
                f"port {self.number} has the name {self.name}, which does not begin with a protocol that Istio knows: "
                f"{', '.join(PROTOCOLS)}, with - behind it for more, as in tcp-postgres"
            )

    @property
    def protocol(self) -> str:
        return self.name.partition("-")[0]


@formed
@dataclass(frozen=True)
class Health:
    """How a container is asked whether it can serve: GET of `path`, or a `command` that ends with 0.

    A port for gRPC is asked by gRPC's own health check, one for TCP by a connection. `start_seconds` is how long a
    start may take; from then on ten seconds without an answer take the pod out of the Service, and half a minute
    restarts the container.
    """

    path: FilePath = "/"
    command: Sequence[str] = ()
    start_seconds: StartSeconds = 60


@formed
@dataclass(frozen=True)
class Metrics:
    """Where an app offers its metrics to Prometheus."""

    port: PodPort
    path: FilePath = "/metrics"


@formed
@dataclass(frozen=True)
class Container:
    """A container, with safe defaults: no privilege, no writable file but below /tmp and what `mounts` has.

    `port` is the one that it listens on for HTTP; `ports` are the others, or all of them. `variables` are environment
    variables; one that is secret is a key of a `Secret`. `mounts` has by path what is mounted there. `command` and
    `arguments` take the place of the image's own.

    Raises:
        ValueError: a port is one that it cannot have, a path is none, it has a port and no way to be asked, or its
            metrics are at a port that is not for HTTP.
    """

    name: ContainerName
    image: Image
    _: KW_ONLY
    cpu: Cpu
    memory: Memory
    ephemeral_storage: Storage = LITTLE_STORAGE
    port: PodPort | None = None
    ports: Sequence[Port] = ()
    command: Sequence[str] = ()
    arguments: Sequence[str] = ()
    variables: Mapping[Variable, str | SecretKey] = field(default_factory=dict)
    mounts: Mapping[FilePath, Mount] = field(default_factory=dict)
    health: Health = Health()
    metrics: Metrics | None = None

    def __post_init__(self) -> None:
        own = (Port(self.port),) if self.port is not None else ()
        object.__setattr__(self, "ports", (*own, *self.ports))
        for port in self.ports:
            if self.metrics and self.metrics.port == port.number and port.protocol not in WEB_PROTOCOLS[:2]:
                raise ValueError(
                    f"{self.name} has its metrics at port {port.number}, which is for {port.protocol}: Prometheus asks "
                    "by HTTP, give them a port of their own, as in Metrics(9100)"
                )

    @property
    def resources(self) -> Resources:
        return Resources(self.cpu, self.memory, self.ephemeral_storage)

    @property
    def can_be_asked(self) -> bool:
        return bool(self.ports or self.health.command)

    @property
    def is_asked_alike(self) -> bool:
        """Whether a linter sees that it is asked the same for readiness and liveness: gRPC's check it does not know."""
        return bool(self.health.command) or any(port.protocol != "grpc" for port in self.ports[:1])

    @property
    def has_secret_variables(self) -> bool:
        return any(isinstance(value, SecretKey) for value in self.variables.values())

    def typed(
        self, environment: Environment, *, tmp: str, probes: bool, more_mounts: Sequence[k8s.VolumeMount]
    ) -> k8s.Container:
        """The container as a pod has it; `tmp` is the volume for /tmp."""
        taken = self.image.taken_by(environment)
        image = taken.reference(environment.registry)
        moves = environment.registry is not None and taken.digest is None
        asked = probes and self.can_be_asked
        numbers = {port.name: port.number for port in self.ports}
        if self.metrics and self.metrics.port not in numbers.values():
            numbers[METRICS_PORT_NAME] = self.metrics.port
        ports = [k8s.ContainerPort(name=key, container_port=port, protocol="TCP") for key, port in numbers.items()]
        mounts = [("/tmp", tmp), *((path, volume_name(mount)) for path, mount in self.mounts.items())]  # noqa: S108, the pod's own
        return k8s.Container(
            name=self.name,
            image=image,
            # What a tag names may change in a registry; what a digest names and what was imported may not.
            image_pull_policy="Always" if moves else "IfNotPresent",
            command=list(self.command) or None,
            args=list(self.arguments) or None,
            env=[_variable(key, value) for key, value in self.variables.items()] or None,
            ports=ports or None,
            startup_probe=self._probe(STARTUP_PERIOD, self.health.start_seconds // STARTUP_PERIOD) if asked else None,
            readiness_probe=self._probe(5, 2) if asked else None,
            liveness_probe=self._probe(10, 3) if asked else None,
            resources=k8s.ResourceRequirements(
                requests=quantities(self.resources.requests), limits=quantities(self.resources.limits)
            ),
            security_context=_restricted(),
            volume_mounts=[k8s.VolumeMount(name=volume, mount_path=path) for path, volume in mounts]
            + list(more_mounts),
        )

    def _probe(self, period_seconds: int, failure_threshold: int) -> k8s.Probe:
        port = self.ports[0] if self.ports else None
        return _probe(port, self.health.path, tuple(self.health.command), period_seconds, failure_threshold)

    def check_image(self, environment: Environment) -> None:
        """Compare the image with what the environment takes.

        Raises:
            ValueError: it has a tag that moves or no digest, where the environment wants better.
        """
        image = self.image.reference(environment.registry)
        if environment.registry and (self.image.tag == LATEST or self.image.taken_by(environment).moves):
            raise ValueError(
                f"{self.name} has the image {image}, whose tag says nothing about what runs: name the release"
            )
        if environment.digests and not self.image.digest:
            raise ValueError(
                f"{self.name} has the image {image} without a digest, which {environment.path} wants: write @sha256: "
                "and 64 hexadecimal digits behind it, zeros as long as it is not known"
            )


def _variable(name: str, value: str | SecretKey) -> k8s.EnvVar:
    if isinstance(value, str):
        return k8s.EnvVar(name=name, value=value)
    selector = k8s.SecretKeySelector(name=value.secret, key=value.key)
    return k8s.EnvVar(name=name, value_from=k8s.EnvVarSource(secret_key_ref=selector))


# What is the same for many apps is made once: a typed object is checked field by field, which takes its time.
@cache
def _restricted() -> k8s.SecurityContext:
    return k8s.SecurityContext(
        allow_privilege_escalation=False,
        capabilities=k8s.Capabilities(drop=["ALL"]),
        read_only_root_filesystem=True,
    )


@cache
def _probe(
    port: Port | None, path: str, command: tuple[str, ...], period_seconds: int, failure_threshold: int
) -> k8s.Probe:
    asks: dict[str, object]
    if command:
        asks = {"exec": k8s.ExecAction(command=list(command))}
    elif port is None:
        raise ValueError("a probe asks a port or runs a command")
    elif port.protocol in ("http", "http2"):
        asks = {"http_get": k8s.HttpGetAction(path=path, port=int_or_string(port.name))}
    elif port.protocol == "grpc":
        asks = {"grpc": k8s.GrpcAction(port=port.number)}
    else:
        asks = {"tcp_socket": k8s.TcpSocketAction(port=int_or_string(port.name))}
    return k8s.Probe(
        **asks,  # type: ignore[arg-type]
        period_seconds=period_seconds,
        failure_threshold=failure_threshold,
        timeout_seconds=2,
    )
