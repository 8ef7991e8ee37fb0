"""The way from the ingress gateway to an app: who may call it, by which host, and how its failures are met."""

from functools import cache

from cdk8s import ApiObjectMetadata
from constructs import Construct

from charts.cluster import INGRESS_GATEWAY_ACCOUNT
from charts.gateway import GATEWAY, HTTP_PORT, HTTPS_PORT
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
    VirtualServiceSpecHttpRedirect,
    VirtualServiceSpecHttpRetries,
    VirtualServiceSpecHttpRoute,
    VirtualServiceSpecHttpRouteDestination,
    VirtualServiceSpecHttpRouteDestinationPort,
)
from imports.io.istio.security import (
    AuthorizationPolicy,
    AuthorizationPolicySpec,
    AuthorizationPolicySpecAction,
    AuthorizationPolicySpecRules,
    AuthorizationPolicySpecRulesFrom,
    AuthorizationPolicySpecRulesFromSource,
    AuthorizationPolicySpecSelector,
)

SERVICE_PORT = 80

SAFE_METHODS = "GET|HEAD|OPTIONS"
"""Requests that change nothing, so that one more try does no harm: https://www.rfc-editor.org/rfc/rfc9110#section-9.2.1"""

HSTS = {"strict-transport-security": "max-age=31536000"}
"""A browser that was here once comes by HTTPS alone for a year."""

HEARSAY = ("forwarded", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-real-ip")
"""What a visitor can tell an app about itself or about the way there, and the gateway would hand on as it came.

Of `X-Forwarded-For` and `X-Forwarded-Proto` the gateway itself takes care:
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers
"""


class Route:
    """VirtualService, DestinationRule and AuthorizationPolicy of an app with a Service of the same name.

    Requests that change nothing are tried again when a pod fails, others never. No request has a timeout, because a
    WebSocket stays open for hours. With `tls` what comes by HTTP is sent to HTTPS. No request brings along `HEARSAY`.
    """

    def __init__(
        self, scope: Construct, name: str, *, namespace: str, labels: dict[str, str], host: str, tls: bool
    ) -> None:
        self._scope = scope
        self._metadata = ApiObjectMetadata(name=name, namespace=namespace, labels=labels)
        self._service = f"{name}.{namespace}.svc.cluster.local"
        self._define_authorization(labels)
        self._define_failures()
        self._define_route(host, tls=tls)

    def _define_authorization(self, labels: dict[str, str]) -> None:
        AuthorizationPolicy(
            self._scope,
            "authorization",
            metadata=self._metadata,
            spec=AuthorizationPolicySpec(
                selector=AuthorizationPolicySpecSelector(match_labels=labels),
                action=AuthorizationPolicySpecAction.ALLOW,
                rules=[_from_the_gateway()],
            ),
        )

    def _define_failures(self) -> None:
        DestinationRule(
            self._scope,
            "failures",
            metadata=self._metadata,
            spec=DestinationRuleSpec(host=self._service, traffic_policy=_traffic_policy()),
        )

    def _define_route(self, host: str, *, tls: bool) -> None:
        # No timeout on the routes: Istio's own default is none
        # (https://istio.io/latest/docs/concepts/traffic-management/#timeouts). It cannot be written down as 0s,
        # which the VirtualService's own validation refuses.
        port = HTTPS_PORT if tls else HTTP_PORT
        safe = VirtualServiceSpecHttpMatchMethod(regex=SAFE_METHODS)
        routes = [
            VirtualServiceSpecHttp(
                name="safe",
                match=[VirtualServiceSpecHttpMatch(method=safe, port=port)],
                retries=VirtualServiceSpecHttpRetries(attempts=2, retry_on="connect-failure,refused-stream,reset,503"),
                headers=_headers(tls=tls),
                route=self._to_service(),
            ),
            VirtualServiceSpecHttp(
                name="other",
                match=[VirtualServiceSpecHttpMatch(port=port)],
                # Unasked, Istio tries twice more: https://istio.io/latest/docs/concepts/traffic-management/#retries
                retries=VirtualServiceSpecHttpRetries(attempts=0),
                headers=_headers(tls=tls),
                route=self._to_service(),
            ),
        ]
        VirtualService(
            self._scope,
            "route",
            metadata=self._metadata,
            spec=VirtualServiceSpec(hosts=[host], gateways=[GATEWAY], http=[*([_to_https()] if tls else []), *routes]),
        )

    def _to_service(self) -> list[VirtualServiceSpecHttpRoute]:
        port = VirtualServiceSpecHttpRouteDestinationPort(number=SERVICE_PORT)
        return [
            VirtualServiceSpecHttpRoute(
                destination=VirtualServiceSpecHttpRouteDestination(host=self._service, port=port)
            )
        ]


@cache
def _from_the_gateway() -> AuthorizationPolicySpecRules:
    account = INGRESS_GATEWAY_ACCOUNT
    # A pod's identity in the mesh: https://istio.io/latest/docs/concepts/security/#istio-identity
    principal = f"cluster.local/ns/{account.namespace}/sa/{account.name}"
    source = AuthorizationPolicySpecRulesFromSource(principals=[principal])
    return AuthorizationPolicySpecRules(from_=[AuthorizationPolicySpecRulesFrom(source=source)])


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
def _headers(*, tls: bool) -> VirtualServiceSpecHttpHeaders:
    return VirtualServiceSpecHttpHeaders(
        request=VirtualServiceSpecHttpHeadersRequest(remove=list(HEARSAY)),
        response=VirtualServiceSpecHttpHeadersResponse(set=HSTS) if tls else None,
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
