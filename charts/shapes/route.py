"""The way from the ingress gateway to an app: by which host and path, and how its failures are met."""

import re
from collections.abc import Mapping, Sequence
from functools import cache

from cdk8s import JsonPatch

from charts.shapes.claim import GATEWAY, HTTP_PORT, HTTPS_PORT, Claim
from charts.shapes.container import Port
from charts.shapes.workload import Workload
from imports.io.istio.networking import (
    DestinationRule,
    DestinationRuleSpec,
    DestinationRuleSpecTrafficPolicy,
    DestinationRuleSpecTrafficPolicyConnectionPool,
    DestinationRuleSpecTrafficPolicyConnectionPoolHttp,
    DestinationRuleSpecTrafficPolicyConnectionPoolTcp,
    DestinationRuleSpecTrafficPolicyOutlierDetection,
    VirtualService,
    VirtualServiceSpec,
    VirtualServiceSpecHttp,
    VirtualServiceSpecHttpHeaders,
    VirtualServiceSpecHttpHeadersRequest,
    VirtualServiceSpecHttpHeadersResponse,
    VirtualServiceSpecHttpMatch,
    VirtualServiceSpecHttpMatchMethod,
    VirtualServiceSpecHttpMatchUri,
    VirtualServiceSpecHttpRedirect,
    VirtualServiceSpecHttpRetries,
    VirtualServiceSpecHttpRoute,
    VirtualServiceSpecHttpRouteDestination,
    VirtualServiceSpecHttpRouteDestinationPort,
    VirtualServiceSpecTcp,
    VirtualServiceSpecTcpMatch,
    VirtualServiceSpecTcpRoute,
    VirtualServiceSpecTcpRouteDestination,
    VirtualServiceSpecTcpRouteDestinationPort,
)

SAFE_METHODS = "GET|HEAD|OPTIONS"
"""Requests that change nothing, so that one more try does no harm: https://www.rfc-editor.org/rfc/rfc9110#section-9.2.1"""

HSTS = {"strict-transport-security": "max-age=31536000"}
"""A browser that was here once comes by HTTPS alone for a year."""

HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The name of a header: https://www.rfc-editor.org/rfc/rfc9110#section-5.1"""

HEARSAY = ("forwarded", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-real-ip")
"""What a visitor can tell an app about itself or about the way there, and the gateway would hand on as it came.

Of `X-Forwarded-For` and `X-Forwarded-Proto` the gateway itself takes care:
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers
"""


class Route:
    """DestinationRule of a workload's Service, and the VirtualServices that lead to it from the gateway.

    Requests that change nothing are tried again when a pod fails, others never. No request has a timeout unless one
    is given, because a WebSocket stays open for hours. Where the gateway has certificates, what comes by HTTP is sent
    to HTTPS. No request brings along `HEARSAY`.

    `virtual_services` has the objects by the host or port that they are for, `paths` what this workload serves of
    another's host: `share` puts it there.

    Raises:
        ValueError: a path or a header is none, a host is named twice, or a port of the gateway is none that the
            environment has.
    """

    def __init__(
        self,
        workload: Workload,
        *,
        hosts: Sequence[str],
        paths: Sequence[str],
        headers: Mapping[str, str],
        timeout: str | None,
    ) -> None:
        self.workload = workload
        self._tls = workload.app.environment.tls is not None
        self._headers = {**(HSTS if self._tls else {}), **headers}
        self._timeout = timeout
        self.virtual_services: dict[str, VirtualService] = {}
        self.paths = tuple(paths)
        self.hosts = tuple(map(workload.app.environment.host, hosts))
        for path in paths:
            if not path.startswith("/") or path == "/":
                raise ValueError(
                    f"{workload.name} has the path {path!r} of another app's host: a path begins with / and has more, "
                    "as in /api"
                )
        for label in hosts:
            if hosts.count(label) > 1:
                raise ValueError(f"{workload.name} names the host {label} twice: leave one out")
        for header in headers:
            if not HEADER.fullmatch(header):
                raise ValueError(
                    f"{workload.name} has the response header {header!r}, which is no name of one: x-frame-options is"
                )
        self.destination_rule = DestinationRule(
            workload.app,
            f"failures-{workload.name}",
            metadata=workload.app.custom_metadata(workload.name, workload.labels),
            spec=DestinationRuleSpec(host=workload.host, traffic_policy=_traffic_policy()),
        )
        if hosts and not paths:
            self._define(workload.name, hosts, workload.pod.ports[0])
        for port in workload.pod.ports:
            if port.host is not None:
                self._define(f"{workload.name}-{port.name}", (port.host,), port)
            if port.gateway:
                self._define_tcp(port, port.gateway)

    def share(self, owner: "Route", host: str) -> None:
        """Put this workload's paths into the VirtualService of the route that owns a host, before the catch-all.

        One VirtualService has them all, because Istio promises no order among several of one host.
        https://istio.io/latest/docs/ops/best-practices/traffic-management/#split-virtual-services
        """
        place = 1 if self._tls else 0
        entries = self._entries(self.workload.pod.ports[0], self.workload.name, self.paths)
        written = VirtualService.manifest(spec=VirtualServiceSpec(http=entries))["spec"]["http"]
        for entry in reversed(written):
            owner.virtual_services[host].add_json_patch(JsonPatch.add(f"/spec/http/{place}", entry))

    def _claim(self, name: str, host: str, tcp: int | None = None) -> None:
        self.workload.app.claims.append(Claim(name, self.workload.app.name, host, tcp=tcp))

    def _define(self, name: str, labels: Sequence[str], port: Port) -> None:
        environment = self.workload.app.environment
        hosts = [environment.host(label) for label in labels]
        for number, (label, host) in enumerate(zip(labels, hosts, strict=True)):
            self._claim(f"{name}-{label.replace('.', '-') or 'domain'}" if number else name, host)
        # No timeout on the routes: Istio's own default is none
        # (https://istio.io/latest/docs/concepts/traffic-management/#timeouts). It cannot be written down as 0s,
        # which the VirtualService's own validation refuses.
        virtual_service = VirtualService(
            self.workload.app,
            f"route-{name}",
            metadata=self.workload.app.custom_metadata(name, self.workload.labels),
            spec=VirtualServiceSpec(
                hosts=hosts,
                gateways=[GATEWAY],
                http=[*([_to_https()] if self._tls else []), *self._entries(port)],
            ),
        )
        self.virtual_services |= dict.fromkeys(hosts, virtual_service)

    def _entries(self, port: Port, prefix: str = "", paths: Sequence[str] = ()) -> list[VirtualServiceSpecHttp]:
        """A route for requests that change nothing, and one for the others."""
        number = HTTPS_PORT if self._tls else HTTP_PORT
        safe = VirtualServiceSpecHttpMatchMethod(regex=SAFE_METHODS)
        uris: list[VirtualServiceSpecHttpMatchUri | None] = [uri for path in paths for uri in _below(path)]
        uris = uris or [None]
        names = [f"{prefix}-{name}" if prefix else name for name in ("safe", "other")]
        return [
            VirtualServiceSpecHttp(
                name=names[0],
                match=[VirtualServiceSpecHttpMatch(method=safe, port=number, uri=uri) for uri in uris],
                retries=VirtualServiceSpecHttpRetries(attempts=2, retry_on="connect-failure,refused-stream,reset,503"),
                timeout=self._timeout,
                headers=_headers(tuple(self._headers.items())),
                route=self._to_service(port),
            ),
            VirtualServiceSpecHttp(
                name=names[1],
                match=[VirtualServiceSpecHttpMatch(port=number, uri=uri) for uri in uris],
                # By itself Istio tries twice more: https://istio.io/latest/docs/concepts/traffic-management/#retries
                retries=VirtualServiceSpecHttpRetries(attempts=0),
                timeout=self._timeout,
                headers=_headers(tuple(self._headers.items())),
                route=self._to_service(port),
            ),
        ]

    def _to_service(self, port: Port) -> list[VirtualServiceSpecHttpRoute]:
        number = VirtualServiceSpecHttpRouteDestinationPort(number=port.service)
        return [
            VirtualServiceSpecHttpRoute(
                destination=VirtualServiceSpecHttpRouteDestination(host=self.workload.host, port=number)
            )
        ]

    def _define_tcp(self, port: Port, gateway_port: int) -> None:
        environment = self.workload.app.environment
        if gateway_port not in environment.gateway_ports:
            known = ", ".join(map(str, environment.gateway_ports)) or "none"
            raise ValueError(
                f"{self.workload.name} offers port {port.number} at port {gateway_port} of the gateway, which has no "
                f"such port in {environment.name}: the gateway_ports there are {known}; its Service needs it too"
            )
        name = f"{self.workload.name}-{port.name}"
        self._claim(name, "*", tcp=gateway_port)
        destination = VirtualServiceSpecTcpRouteDestination(
            host=self.workload.host, port=VirtualServiceSpecTcpRouteDestinationPort(number=port.service)
        )
        self.virtual_services[str(gateway_port)] = VirtualService(
            self.workload.app,
            f"route-{name}",
            metadata=self.workload.app.custom_metadata(name, self.workload.labels),
            spec=VirtualServiceSpec(
                hosts=["*"],
                gateways=[GATEWAY],
                tcp=[
                    VirtualServiceSpecTcp(
                        match=[VirtualServiceSpecTcpMatch(port=gateway_port)],
                        route=[VirtualServiceSpecTcpRoute(destination=destination)],
                    )
                ],
            ),
        )


def _below(path: str) -> list[VirtualServiceSpecHttpMatchUri]:
    """A path itself and all below it, but not one that only begins with the same letters."""
    exact = path.rstrip("/")
    return [VirtualServiceSpecHttpMatchUri(exact=exact), VirtualServiceSpecHttpMatchUri(prefix=f"{exact}/")]


@cache
def _traffic_policy() -> DestinationRuleSpecTrafficPolicy:
    return DestinationRuleSpecTrafficPolicy(
        # Far above what an app sees: each WebSocket holds a connection and a request for hours.
        connection_pool=DestinationRuleSpecTrafficPolicyConnectionPool(
            tcp=DestinationRuleSpecTrafficPolicyConnectionPoolTcp(max_connections=4096, connect_timeout="5s"),
            http=DestinationRuleSpecTrafficPolicyConnectionPoolHttp(
                http1_max_pending_requests=1024, http2_max_requests=4096
            ),
        ),
        # At most half of the pods: Envoy never leaves out the only one, for that would be all of them. With a minimum
        # istiod sends Envoy the ready pods alone. Without one those that are not ready would count among the whole, and
        # half of it could be every pod that works: docs/adr/007-istio-1.31.md
        outlier_detection=DestinationRuleSpecTrafficPolicyOutlierDetection(
            consecutive5_xx_errors=5,
            interval="10s",
            base_ejection_time="30s",
            max_ejection_percent=50,
            min_health_percent=1,
        ),
    )


@cache
def _headers(response: tuple[tuple[str, str], ...]) -> VirtualServiceSpecHttpHeaders:
    return VirtualServiceSpecHttpHeaders(
        request=VirtualServiceSpecHttpHeadersRequest(remove=list(HEARSAY)),
        response=VirtualServiceSpecHttpHeadersResponse(set=dict(response)) if response else None,
    )


@cache
def _to_https() -> VirtualServiceSpecHttp:
    # Not the Gateway's httpsRedirect, which would send away the ACME server's challenge as well. And by its port alone:
    # a match on anything else would let this route go before the challenge's. docs/adr/005-staging-and-production.md
    return VirtualServiceSpecHttp(
        name="to-https",
        match=[VirtualServiceSpecHttpMatch(port=HTTP_PORT)],
        redirect=VirtualServiceSpecHttpRedirect(scheme="https", redirect_code=308),
    )
