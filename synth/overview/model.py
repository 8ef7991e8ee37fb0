"""The overview of an environment as plain values: what a page, or a command that is for apps, asks of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from synth import DefinitionError

APPS = "apps"
"""The folder of an environment's tree whose folders are the apps; `platform/` has one of the same name."""

SCHEMES = {"HTTP": "http", "HTTPS": "https", "TLS": "https"}
"""What a browser calls what is spoken at a gateway; TLS that is passed through is the app's own HTTPS."""
WITHOUT_PORT = {"http": 80, "https": 443}
"""The ports that an address of a scheme need not name."""


@dataclass(frozen=True, order=True)
class Party:
    """A workload, a Service or a Gateway by its name, or pods that something else makes.

    Those have no `kind`, and as their name what their labels say: `monitoring/prometheus`, `monitoring/*` for every
    pod of a namespace, `*/*` for every pod. An address range has no namespace either.
    """

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, order=True)
class Call:
    """A caller, whom it may call, and at which ports of the pods."""

    target: Party
    caller: Party
    ports: tuple[int, ...]


@dataclass(frozen=True)
class Address:
    """Where a gateway takes requests: a host, a path below it, the gateway's port, and what is spoken there.

    `protocol` is the server's: HTTP, HTTPS, TCP, ... or TLS where the gateway passes it through. `host` is `*` where
    the port alone decides; `path` is empty for the whole host.
    """

    host: str
    path: str
    port: int
    protocol: str

    def url(self, ports: Mapping[int, int] | None = None) -> str:
        """The address as a browser takes it; `ports` says which port of this machine leads to which of the gateway."""
        scheme = SCHEMES.get(self.protocol, self.protocol.lower())
        port = (ports or {}).get(self.port, self.port)
        return f"{scheme}://{self.host}{'' if port == WITHOUT_PORT.get(scheme) else f':{port}'}{self.path}"

    def __str__(self) -> str:
        return f":{self.port}" if self.host == "*" else f"{self.host}{self.path}"


@dataclass(frozen=True)
class Route:
    """A way from a gateway to a Service: `name` is the VirtualService's, `folder` is where it stands in the tree."""

    name: str
    folder: str
    gateway: Party
    address: Address
    service: Party
    port: int | None


@dataclass(frozen=True)
class Service:
    """A Service, its ports as (port, port of the pods), and the workloads that it leads to."""

    namespace: str
    name: str
    ports: tuple[tuple[int, str | int], ...]
    workloads: tuple[Party, ...]

    @property
    def party(self) -> Party:
        return Party("Service", self.namespace, self.name)


@dataclass(frozen=True)
class Volume:
    """A PersistentVolumeClaim, or `count` of them that a StatefulSet makes from one template.

    `kept` says whether it stays when it leaves Git, `backup` who backs it up: nobody today.
    """

    namespace: str
    name: str
    size: str
    modes: tuple[str, ...]
    kept: bool
    count: int = 1
    backup: str = ""

    @property
    def party(self) -> Party:
        return Party("PersistentVolumeClaim", self.namespace, self.name)


@dataclass(frozen=True)
class Container:
    """A container of a pod; `first` if it is one that runs before the others."""

    name: str
    image: str
    first: bool = False


@dataclass(frozen=True)
class Workload:
    """Something that makes pods: how many, of which images, and how much all of them take at full scale.

    `least` and `most` are the same without an autoscaler; a DaemonSet has one pod on each node and counts as one.
    `requests` and `limits` are quantities by resource, Istio's proxy included. `schedule` is a CronJob's.
    """

    party: Party
    containers: tuple[Container, ...]
    least: int
    most: int
    requests: Mapping[str, str]
    limits: Mapping[str, str]
    volumes: tuple[Volume, ...]
    schedule: str = ""

    @property
    def kind(self) -> str:
        return self.party.kind

    @property
    def name(self) -> str:
        return self.party.name


@dataclass(frozen=True)
class Outside:
    """A place outside the cluster, and the workloads that NetworkPolicies let go there."""

    host: str
    port: int
    protocol: str
    workloads: tuple[Party, ...]


@dataclass(frozen=True)
class App:
    """What stands in one folder: an app, or a part of the platform that runs something. `name` is the folder's."""

    name: str
    folder: str
    namespace: str
    workloads: tuple[Workload, ...]
    services: tuple[Service, ...]
    volumes: tuple[Volume, ...]
    outside: tuple[Outside, ...]
    routes: tuple[Route, ...]
    """The ways that lead to its Services, whosever host they are below."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(dict.fromkeys(route.address for route in self.routes))

    def addresses_of(self, workload: Workload) -> tuple[Address, ...]:
        """Where one of its workloads is reached."""
        services = {service.party for service in self.services if workload.party in service.workloads}
        return tuple(dict.fromkeys(route.address for route in self.routes if route.service in services))


@dataclass(frozen=True)
class Gateway:
    """A gateway and its ports, each with what is spoken there."""

    namespace: str
    name: str
    ports: tuple[tuple[int, str], ...]

    @property
    def party(self) -> Party:
        return Party("Gateway", self.namespace, self.name)


@dataclass(frozen=True)
class Overview:
    """One environment: `apps` by folder, and of the platform the folders that run something."""

    root: str
    gateways: tuple[Gateway, ...]
    apps: tuple[App, ...]
    platform: tuple[App, ...]
    routes: tuple[Route, ...]
    calls: tuple[Call, ...]

    @cached_property
    def elsewhere(self) -> tuple[Route, ...]:
        """The ways to Services that are not made here."""
        here = {route for app in (*self.apps, *self.platform) for route in app.routes}
        return tuple(route for route in self.routes if route not in here)

    def app(self, name: str) -> App:
        """An app by the name of its folder.

        Raises:
            DefinitionError: there is no such app.
        """
        for app in self.apps:
            if app.name == name:
                return app
        known = ", ".join(app.name for app in self.apps) or "none"
        raise DefinitionError(f"there is no app {name} in {self.root}/{APPS}; there are {known}")
