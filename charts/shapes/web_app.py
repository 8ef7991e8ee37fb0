"""An app that people reach by a host through the ingress gateway."""

from collections.abc import Mapping

from cdk8s_plus_27 import k8s

from charts.shapes.app import App
from charts.shapes.container import WEB_PROTOCOLS
from charts.shapes.deployment import DeploymentWorkload
from charts.shapes.pod import Pod
from charts.shapes.replicas import Replicas
from charts.shapes.route import Route
from facts.environments import Environment
from synth.forms import Duration, HostLabel, LetterFirst, formed

SIDECAR_ADDRESS = "127.0.0.6"
"""Where an app's requests come from, those of visitors and of probes alike: the sidecar and its agent bind to it.

InboundPassthroughBindIpv4 and UpstreamLocalAddressIPv4 in https://github.com/istio/istio
"""


def proxies(environment: Environment) -> tuple[str, ...]:
    """Whose `X-Forwarded-For` and `X-Forwarded-Proto` an app has to believe, as addresses and networks.

    TLS ends at the gateway and the sidecar speaks plain HTTP to the app. An app that believes nobody gives out http://
    addresses and takes the sidecar for every visitor; one that believes everybody takes what a visitor makes up. The
    visitor is the last address in `X-Forwarded-For` that is none of these: whatever stands before it, the visitor
    may have sent.
    """
    return (SIDECAR_ADDRESS, *environment.http_proxies)


@formed
class WebApp(DeploymentWorkload):
    """Pods behind a Service, reached by `host` through the ingress gateway and by workloads that say they call it.

    Of the app's own name, unless it has another `name`. `host` is the first label of the host name, `""` the domain
    itself; several are given as a tuple. With `paths` (`("/api",)`) the host is another app's, and what comes below
    these paths comes here. `host=None` is for what only other workloads call. The first port of the pod is the one
    that the hosts lead to. `headers` are set on every response, and `timeout` (`30s`) ends a request; without one a
    WebSocket stays open for hours. `service` and `route` hold the objects, for what no shape offers.

    `local_state` says that the process keeps what other pods would have to know. An app that gives out its own address,
    or cares who calls, is told of the `proxies` in front of it.

    Raises:
        ValueError: the pod has no port or no proxy, a port cannot be behind the gateway, or several replicas would not
            see the same.
    """

    def __init__(
        self,
        app: App,
        *,
        pod: Pod,
        host: HostLabel | tuple[HostLabel, ...] | None,
        name: LetterFirst | None = None,
        paths: tuple[str, ...] = (),
        replicas: Replicas | None = None,
        local_state: bool = False,
        headers: Mapping[str, str] | None = None,
        timeout: Duration | None = None,
    ) -> None:
        name = name or app.name
        if not pod.ports:
            raise ValueError(f"{name} has no port that its host could lead to: give its container one, as in port=8000")
        if not pod.proxy:
            raise ValueError(f"{name} is called through the mesh, which it is no part of without its proxy")
        hosts = () if host is None else (host,) if isinstance(host, str) else host
        if hosts and pod.ports[0].protocol not in WEB_PROTOCOLS:
            raise ValueError(
                f"{name} has {pod.ports[0].name} as its first port, which no host can lead to: put one of "
                f"{', '.join(WEB_PROTOCOLS)} first, or leave out the host and give the port a gateway port"
            )
        outward = any(port.host is not None or port.gateway for port in pod.ports)
        super().__init__(
            app,
            name,
            pod,
            replicas=replicas or Replicas(),
            local_state=local_state,
            behind_gateway=bool(hosts) or outward,
        )
        self.service = k8s.KubeService(
            app,
            f"service-{name}",
            metadata=self.metadata(),
            spec=k8s.ServiceSpec(selector=self.labels, ports=self.service_ports()),
        )
        self.route = Route(self, hosts=hosts, paths=paths, headers=headers or {}, timeout=timeout)
        app.parts.append(self.route)
