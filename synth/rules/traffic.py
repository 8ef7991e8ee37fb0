"""Rules for how DestinationRules have Services called: numbers that Istio refuses, and subsets of nobody.

What it refuses is in https://github.com/istio/istio pkg/config/validation: its webhook says so when Flux applies it,
long after the change is merged.
"""

from collections.abc import Iterator

from synth.cluster import Cluster, Rule, Violation, shown
from synth.manifest import Document
from synth.mesh import Host
from synth.names import LABEL
from synth.pods import pod_labels
from synth.tree import Object

ALL = 100
LARGEST_TABLE = 5_000_011
"""Of maglev: https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/load_balancing_policies/maglev/v3/maglev.proto"""
LEVELS = ("connectionPool", "loadBalancer", "outlierDetection", "tls")
POLICY = (*LEVELS, "portLevelSettings", "tunnel", "proxyProtocol", "retryBudget")
"""What says something in a trafficPolicy, the first of them in its settings for a port too."""
POOLS = (
    "http1MaxPendingRequests",
    "http2MaxRequests",
    "maxRequestsPerConnection",
    "maxRetries",
    "maxConcurrentStreams",
)
FEWEST = 4
"""Fewer at once no browser asks for: https://www.rfc-editor.org/rfc/rfc9112#section-9.4"""
RINGS = ("maglev", "ringHash", "minimumRingSize")


def policies_are_taken_by_istio(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("DestinationRule"):
        parts = [("", item.spec.get("trafficPolicy"))]
        parts += [
            (f"subset {subset.get('name')} ", subset.get("trafficPolicy")) for subset in item.spec.get("subsets") or []
        ]
        for whose, policy in parts:
            for problem in _problems_of_policy(policy):
                yield Violation(item, f"has {whose}{problem}")


def _problems_of_policy(policy: Document | None) -> Iterator[str]:
    if policy is None:
        return
    if not policy.keys() & set(POLICY):
        yield f"a trafficPolicy without effect: it has {', '.join(POLICY)}, or is left out"
    yield from _problems_of_level(policy)
    for level in policy.get("portLevelSettings") or []:
        port = (level.get("port") or {}).get("number")
        if port is None:
            yield "portLevelSettings without a port: name its number"
        if not level.keys() & set(LEVELS):
            yield f"portLevelSettings for port {port} without effect: write one of {', '.join(LEVELS)}"
        yield from _problems_of_level(level)


def _problems_of_level(level: Document) -> Iterator[str]:
    yield from _problems_of_ejection(level.get("outlierDetection") or {})
    pool = level.get("connectionPool") or {}
    http, tcp = pool.get("http") or {}, pool.get("tcp") or {}
    for field, value in (
        *((field, http.get(field, 0)) for field in POOLS),
        ("maxConnections", tcp.get("maxConnections", 0)),
    ):
        if value < 0:
            yield f"{field} {value}: it is 0 at least"
    for field, value in (
        ("maxConnections", tcp.get("maxConnections")),
        ("http2MaxRequests", http.get("http2MaxRequests")),
    ):
        if value in range(1, FEWEST):
            yield (
                f"{field} {value}, so that one visitor who waits keeps out all others, who get 503: write what all "
                "together need, as in 4096"
            )
    if http.get("useClientProtocol") and http.get("h2UpgradePolicy") == "UPGRADE":
        yield "useClientProtocol and h2UpgradePolicy UPGRADE, which contradict each other: leave one out"
    balancer = level.get("loadBalancer") or {}
    chosen = balancer.get("consistentHash") or {}
    for field in ("httpHeaderName", "httpQueryParameterName"):
        if field in chosen and not chosen[field]:
            yield f"an {field} without a name: write one"
    if "httpCookie" in chosen and not chosen["httpCookie"].get("name"):
        yield "an httpCookie without a name: write one"
    if "maglev" in chosen and not _is_prime(size := chosen["maglev"].get("tableSize", 0)):
        yield f"a maglev table of {size}: the size is a prime number below {LARGEST_TABLE}, as in 65537"
    if len(rings := [field for field in RINGS if field in chosen]) > 1:
        yield f"{' and '.join(rings)}, of which Istio takes one: leave the others out"
    if "localityLbSetting" in balancer and not level.get("outlierDetection"):
        yield "a localityLbSetting without outlierDetection, which it goes by: add that"


def _problems_of_ejection(outlier: Document) -> Iterator[str]:
    for field in ("maxEjectionPercent", "minHealthPercent"):
        if not 0 <= outlier.get(field, 0) <= ALL:
            yield f"{field} {outlier[field]}: a percentage is from 0 to {ALL}"
    if outlier.get("maxEjectionPercent") == ALL and not outlier.get("minHealthPercent"):
        yield (
            f"maxEjectionPercent {ALL}, so that one page with an error in it, asked of every pod, leaves visitors with "
            "503 for all the others: write less, as in 50"
        )
    if outlier.get("consecutiveLocalOriginFailures") and not outlier.get("splitExternalLocalOriginErrors"):
        yield "consecutiveLocalOriginFailures without splitExternalLocalOriginErrors: set that to true"


def _is_prime(number: int) -> bool:
    return 1 < number < LARGEST_TABLE and all(number % factor for factor in range(2, int(number**0.5) + 1))


def ports_are_those_of_the_service(cluster: Cluster) -> Iterator[Violation]:
    """What is said of a port that the Service has not is never used."""
    for item in cluster.of("DestinationRule"):
        service = Host.of(item.spec.get("host", ""), item.namespace).service(cluster)
        offered = [port["port"] for port in service.spec.get("ports") or []] if isinstance(service, Object) else []
        policies = [(part.get("trafficPolicy") or {}) for part in (item.spec, *(item.spec.get("subsets") or []))]
        for level in (level for policy in policies for level in policy.get("portLevelSettings") or []):
            number = (level.get("port") or {}).get("number")
            if offered and number and number not in offered:
                yield Violation(
                    item,
                    f"has portLevelSettings for port {number}, but {service} offers {', '.join(map(str, offered))}: "
                    "name that, whatever the port of the pods",
                )


def subsets_have_pods(cluster: Cluster) -> Iterator[Violation]:
    """Requests for a subset that no pod is in get 503."""
    for item in cluster.of("DestinationRule"):
        host = Host.of(item.spec.get("host", ""), item.namespace)
        service = host.service(cluster)
        subsets = item.spec.get("subsets") or []
        names = [subset.get("name", "") for subset in subsets]
        for name in dict.fromkeys(names):
            if names.count(name) > 1:
                yield Violation(item, f"has two subsets named {name}: rename one")
            elif not LABEL.fullmatch(name):
                yield Violation(item, f"has a subset named {name!r}: use lower case letters, digits and -")
        selector = service.spec.get("selector") if isinstance(service, Object) else None
        workloads = cluster.selected(host.namespace, selector) if selector else []
        for subset in subsets if workloads else ():
            labels = subset.get("labels") or {}
            if not any(labels.items() <= pod_labels(workload.document).items() for workload in workloads):
                yield Violation(
                    item,
                    f"has subset {subset.get('name')} for pods with {shown(labels)}, which those of {service} have "
                    f"not: they have {shown(pod_labels(workloads[0].document))}",
                )


RULES: tuple[Rule, ...] = (policies_are_taken_by_istio, ports_are_those_of_the_service, subsets_have_pods)
