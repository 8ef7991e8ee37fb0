"""Rules for who may call whom in the mesh: AuthorizationPolicies, and the sidecars that enforce them."""

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_network

from synth.cluster import AMBIENT, IN_EVERY_NAMESPACE, Cluster, Rule, Violation, shown
from synth.manifest import Document
from synth.mesh import ROOT_NAMESPACE, ends, gateways
from synth.pods import containers, declared, pod_labels, pod_spec, selected_labels
from synth.policies import authorizations, authorizations_of, opens, rules_of, ways
from synth.rules.destinations import says_http
from synth.rules.requests import Request, is_for, is_from, is_like
from synth.tree import Object

# A workload's identity in the mesh: https://istio.io/latest/docs/concepts/security/#istio-identity
PRINCIPAL = re.compile(r"[^/]+/ns/([^/]+)/sa/([^/]+)")
TRUST_DOMAIN = "cluster.local"
# https://istio.io/latest/docs/reference/config/security/conditions/
CONDITION = re.compile(
    r"(request\.headers|request\.auth\.claims)(\[[^\]]+\])+|source\.(ip|namespace|principal|serviceAccount|trustDomain)"
    r"|remote\.ip|request\.auth\.(principal|audiences|presenter)|destination\.(ip|port)|connection\.sni"
    r"|experimental\.envoy\.filters\..+"
)


# Of which a cluster's pods and nodes have their addresses: RFC 1918, 6598, 3927, 4193 and 4291.
OF_CLUSTERS = [
    ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
]
BLOCKS = ("ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks")


def authorization_policies_name_what_exists(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("AuthorizationPolicy"):
        for problem in _problems_of_names(cluster, item):
            yield Violation(item, problem)


def _problems_of_names(cluster: Cluster, item: Object) -> Iterator[str]:
    labels = selected_labels(item.spec.get("selector"))
    if labels and not cluster.has_pods(item.namespace, labels):
        yield (
            f"is for pods with {shown(labels)} in namespace {item.namespace}, but there are none: use the labels "
            "of a workload"
        )
    for source in _sources(item):
        for principal in _exact(source, "principals", "notPrincipals"):
            yield from _account_exists(cluster, principal)
        for namespace in _exact(source, "namespaces", "notNamespaces"):
            if not cluster.find("Namespace", "", namespace):
                yield f"names namespace {namespace}, {cluster.unknown('Namespace', '')}"
        for account in _exact(source, "serviceAccounts", "notServiceAccounts"):
            home, _, name = account.rpartition("/")
            yield from _account_exists(cluster, f"{TRUST_DOMAIN}/ns/{home or item.namespace}/sa/{name}")
        if source.keys() & {"principals", "namespaces"} == {"principals", "namespaces"}:
            homes = [match[1] for name in source["principals"] if (match := PRINCIPAL.fullmatch(name))]
            if homes and not any(is_like(space, home) for home in homes for space in source["namespaces"]):
                yield (
                    f"names callers of namespace {', '.join(source['namespaces'])} with an account of "
                    f"{', '.join(homes)}, which no caller is: leave out the namespaces"
                )


def _exact(source: Document, *fields: str) -> list[str]:
    """What is named in these fields; with a * it is a pattern, which may be for what does not exist yet."""
    return [name for field in fields for name in source.get(field) or [] if "*" not in name]


def _sources(policy: Object) -> list[Document]:
    return [origin.get("source") or {} for rule in policy.spec.get("rules") or [] for origin in rule.get("from") or []]


def authorization_policies_can_match(cluster: Cluster) -> Iterator[Violation]:
    """What Istio refuses, and what no request is like, so that an ALLOW refuses everybody and a DENY nobody."""
    for item in cluster.of("AuthorizationPolicy"):
        for problem in _problems_of_form(cluster, item):
            yield Violation(item, problem)


def _problems_of_form(cluster: Cluster, item: Object) -> Iterator[str]:
    action = item.spec.get("action", "ALLOW")
    rules = item.spec.get("rules") or []
    if action != "ALLOW" and not rules:
        yield f"has action {action} and no rules, and so is for no request: write rules, or drop it"
    if action == "CUSTOM" and not item.spec.get("provider"):
        yield "has action CUSTOM without a provider: name one of istiod's extensionProviders"
    if item.spec.get("selector") and item.spec.get("targetRefs"):
        yield "has a selector and targetRefs, which Istio refuses: leave one of them out"
    for rule in rules:
        if not rule and action == "ALLOW":
            yield 'allows everybody everything: name in from who may call, or principals ["*"] for all in the mesh'
        yield from _problems_of_rule(rule)
    for source in _sources(item):
        yield from _problems_of_source(source)
    if not any(_checks_tokens(cluster, item)) and (asked := next(_asks_for_a_token(item), None)):
        yield f"asks for a token by {asked}, but no RequestAuthentication for its pods looks at one: add it"
    if provider := item.spec.get("provider"):
        if action != "CUSTOM":
            yield f"has a provider, {provider.get('name')}, and action {action}, which asks nobody: leave it out"
        elif asked := next(_asks_who_calls(item), None):
            yield f"has action CUSTOM and asks for {asked}, which Istio refuses beside it: leave that to the provider"


def _problems_of_rule(rule: Document) -> Iterator[str]:
    for field, inner in (("from", "source"), ("to", "operation")):
        entries = rule.get(field)
        if entries == [] or any(not any((entry.get(inner) or {}).values()) for entry in entries or []):
            yield f"has a rule with an empty {field}, which Istio refuses: say what is meant, or leave it out"
    for to in rule.get("to") or []:
        yield from _problems_of_operation(to.get("operation") or {})
    for condition in rule.get("when") or []:
        yield from _problems_of_condition(condition)


def _problems_of_source(source: Document) -> Iterator[str]:
    for field in BLOCKS:
        for text in source.get(field) or []:
            if not _is_network(text):
                yield f"names the addresses {text!r} in {field}, which are none: 203.0.113.0/24 are some"
    for field, texts in source.items():
        yield from _problems_of_patterns(field, texts or [])


def _problems_of_operation(operation: Document) -> Iterator[str]:
    for field in ("methods", "notMethods"):
        for method in operation.get(field) or []:
            if method != method.upper():
                yield f"is for method {method}, which no request has: write {method.upper()}"
    for field in ("paths", "notPaths"):
        for path in operation.get(field) or []:
            if not path.startswith(("/", "*", "{")):
                yield f"is for path {path}, which no request has: a path begins with /"
            elif ".*" in path or "?" in path:
                yield (
                    f"is for path {path}, which is no regular expression and has no query: * at an end is for any rest"
                )
    for field, texts in operation.items():
        yield from _problems_of_patterns(field, texts or [])


def _problems_of_patterns(field: str, texts: Sequence[object]) -> Iterator[str]:
    for text in map(str, texts):
        if "*" in text[1:-1] and not (field.lower().endswith("paths") and ("{*" in text or ".*" in text)):
            more = ", and {*} for one part of a path" if field.lower().endswith("paths") else ""
            yield f"has {field} {text}, in which * stands for itself: it is for any text at an end alone{more}"


def _problems_of_condition(condition: Document) -> Iterator[str]:
    key = condition.get("key", "")
    if not CONDITION.fullmatch(key):
        yield (
            f"has a condition on {key}, which Istio does not know: request.headers[x-name] and source.namespace are "
            "some"
        )
    elif not (condition.get("values") or condition.get("notValues")):
        yield f"has a condition on {key} without values, which Istio refuses: write values or notValues"


def _checks_tokens(cluster: Cluster, policy: Object) -> Iterator[bool]:
    labels = selected_labels(policy.spec.get("selector"))
    for namespace in (policy.namespace, ROOT_NAMESPACE):
        for item in cluster.within(namespace, "RequestAuthentication"):
            yield selected_labels(item.spec.get("selector")).items() <= labels.items()


def keys_of_tokens_are_fetched_safely(cluster: Cluster) -> Iterator[Violation]:
    """Who can answer in place of the issuer signs whatever token he likes."""
    for item in cluster.of("RequestAuthentication"):
        for rule in item.spec.get("jwtRules") or []:
            if str(rule.get("jwksUri", "")).startswith("http://"):
                yield Violation(
                    item,
                    f"fetches the keys of {rule.get('issuer')} from {rule['jwksUri']}, unencrypted: write https://",
                )


def tokens_are_asked_for(cluster: Cluster) -> Iterator[Violation]:
    """A request without a token passes a RequestAuthentication: only an AuthorizationPolicy can ask for one.

    Where the app is handed the token, or what it says, the app may ask.
    https://istio.io/latest/docs/reference/config/security/request_authentication/
    """
    for item in cluster.of("RequestAuthentication"):
        rules = item.spec.get("jwtRules") or []
        if not rules or any(rule.get(field) for rule in rules for field in HANDED_ON):
            continue
        labels = selected_labels(item.spec.get("selector"))
        places = cluster.namespaces if item.namespace == ROOT_NAMESPACE else (item.namespace,)
        for workload in (workload for place in places for workload in cluster.selected(place, labels)):
            if not any(any(_asks_for_a_token(policy)) for policy in authorizations(cluster, workload)):
                yield Violation(
                    item,
                    f"looks at tokens, and lets whoever has none in to {workload}: ask for one in an "
                    'AuthorizationPolicy, as in a DENY from notRequestPrincipals ["*"]',
                )


HANDED_ON = ("forwardOriginalToken", "outputPayloadToHeader", "outputClaimToHeaders")


def _asks_for_a_token(policy: Object) -> Iterator[str]:
    """By what a policy asks for a token, which no request has where nothing looks at it: a DENY too is then for none.

    Or for all, where it is for requests without one.
    """
    for field in ("requestPrincipals", "notRequestPrincipals"):
        yield from (field for source in _sources(policy) if source.get(field))
    for rule in policy.spec.get("rules") or []:
        keys = [condition.get("key", "") for condition in rule.get("when") or []]
        yield from (key for key in keys if key.startswith("request.auth."))


def _asks_who_calls(policy: Object) -> Iterator[str]:
    yield from (field for source in _sources(policy) for field in source if not field.lower().endswith("ipblocks"))
    for rule in policy.spec.get("rules") or []:
        keys = [condition.get("key", "") for condition in rule.get("when") or []]
        yield from (key for key in keys if key.startswith("request.auth.") or key in OF_CALLERS)


OF_CALLERS = ("source.namespace", "source.serviceAccount", "source.trustDomain", "source.principal")


def addresses_are_those_of_callers(cluster: Cluster) -> Iterator[Violation]:
    """Behind the ingress gateway pods see the gateway's address, and that of a visitor in a header alone.

    https://istio.io/latest/docs/reference/config/security/authorization-policy/#Source
    """
    for item in cluster.of("AuthorizationPolicy"):
        if not cluster.selected(item.namespace, selected_labels(item.spec.get("selector"))):
            continue
        rules = item.spec.get("rules") or []
        conditions = [condition for rule in rules for condition in rule.get("when") or []]
        named = [(f, text) for source in _sources(item) for f in BLOCKS[:2] for text in source.get(f) or []]
        named += [
            ("source.ip", text)
            for condition in conditions
            for text in (*(condition.get("values") or []), *(condition.get("notValues") or []))
            if condition.get("key") == "source.ip"
        ]
        for field, text in named:
            if _is_network(text) and not _has_pods(text):
                yield Violation(
                    item,
                    f"names the addresses {text} in {field}, from which no request comes to its pods, as that of a "
                    "visitor comes from the gateway: write remoteIpBlocks, or remote.ip",
                )


def _has_pods(text: str) -> bool:
    """Whether pods and nodes may have addresses of a network."""
    network = ip_network(text, strict=False)
    return any(network.version == own.version and network.overlaps(own) for own in OF_CLUSTERS)


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _account_exists(cluster: Cluster, principal: str) -> Iterator[str]:
    match = PRINCIPAL.fullmatch(principal)
    if match is None:
        yield f"names {principal}, which is not a principal: {TRUST_DOMAIN}/ns/NAMESPACE/sa/NAME is one"
        return
    namespace, name = match.groups()
    if not principal.startswith(f"{TRUST_DOMAIN}/"):
        right = f"{TRUST_DOMAIN}/ns/{namespace}/sa/{name}"
        yield f"names {principal}, of another trust domain than the mesh's: write {right}"
    elif ("ServiceAccount", name) not in IN_EVERY_NAMESPACE and not cluster.find("ServiceAccount", namespace, name):
        unknown = cluster.unknown("ServiceAccount", namespace)
        yield f"names ServiceAccount {name} of namespace {namespace}, {unknown}"


def authorization_policies_name_ports_of_pods(cluster: Cluster) -> Iterator[Violation]:
    """The sidecar sees the port of the pod, never the Service's: a rule for another port matches no request."""
    for item in cluster.of("AuthorizationPolicy"):
        for problem in _problems_of_ports(cluster, item):
            yield Violation(item, problem)


def _problems_of_ports(cluster: Cluster, item: Object) -> Iterator[str]:
    workloads = cluster.selected(item.namespace, selected_labels(item.spec.get("selector")))
    pods = [list(declared(containers(workload.document))) for workload in workloads]
    if not pods or not all(pods):
        return
    offered = list(dict.fromkeys(str(port.number) for ports in pods for port in ports))
    rules = item.spec.get("rules") or []
    named = [str(p) for r in rules for to in r.get("to") or [] for p in (to.get("operation") or {}).get("ports") or []]
    conditions = [condition for r in rules for condition in r.get("when") or []]
    named += [str(p) for c in conditions if c.get("key") == "destination.port" for p in c.get("values") or []]
    for port in dict.fromkeys(named):
        if port not in offered:
            yield (
                f"is for requests to port {port}, which no request has: the pods listen on {', '.join(offered)}, "
                "name that instead of the Service's"
            )
    if rules and not any(speaks_http(cluster, workload) for workload in workloads):
        asked = [field for r in rules for to in r.get("to") or [] for field in to.get("operation") or {}]
        of_http = [field for field in asked if field.lower().removeprefix("not") in ("methods", "paths", "hosts")]
        if of_http:
            fields = ", ".join(dict.fromkeys(of_http))
            yield f"asks for {fields} of requests that are no HTTP: name ports and callers alone"


def speaks_http(cluster: Cluster, workload: Object) -> bool:
    """Whether a Service says that its pods speak HTTP, or none says what they speak."""
    labels = pod_labels(workload.document)
    services = [
        service
        for service in cluster.within(workload.namespace, "Service")
        if service.spec.get("selector") and service.spec["selector"].items() <= labels.items()
    ]
    return not services or any(says_http(port) for service in services for port in service.spec.get("ports") or [])


def routes_pass_authorization_policies(cluster: Cluster) -> Iterator[Violation]:
    """Where policies say who may call a route's pods, a GET by the pods of its gateway gets through."""
    for route in cluster.of("VirtualService"):
        for workload, port in {id(workload): (workload, port) for workload, port in ends(cluster, route)}.values():
            policies = authorizations(cluster, workload)
            for gateway in gateways(cluster, route) if policies else ():
                hosts = tuple(host for host in route.spec.get("hosts", []) if "*" not in host)
                request = Request(
                    gateway.namespace, _accounts(cluster, gateway.namespace), port.number, hosts, ("GET",)
                )
                if problem := _barred(cluster, policies, request):
                    yield Violation(
                        route,
                        f"leads to {workload}, but "
                        + problem.format(
                            callers=f"callers from namespace {gateway.namespace}, where {gateway} has its pods",
                            request=_asked(route, port.number),
                        ),
                    )


def visitors_pass_the_gateway(cluster: Cluster) -> Iterator[Violation]:
    """Who comes from outside has no account and no namespace, by which a policy of the gateway's could let him in.

    One of the root namespace without a selector is for every pod of the mesh, the gateway's too.
    """
    for gateway in cluster.of("Gateway"):
        allowing = [
            item
            for item in authorizations_of(cluster, gateway.namespace, gateway.spec.get("selector") or {})
            if item.spec.get("action", "ALLOW") == "ALLOW"
            and not (item.spec.get("targetRef") or item.spec.get("targetRefs"))
        ]
        if allowing and not any(_is_for_visitors(rule) for item in allowing for rule in item.spec.get("rules") or []):
            yield Violation(
                allowing[0],
                f"is for the pods of {gateway} as well, and lets in by names that no visitor has, so that everybody "
                "gets 403: write the selector of the pods that are meant",
            )


def _is_for_visitors(rule: Document) -> bool:
    named = {"principals", "namespaces", "serviceAccounts"}
    sources = [origin.get("source") or {} for origin in rule.get("from") or []]
    return not sources or any(not named & source.keys() for source in sources)


def _asked(route: Object, port: int) -> str:
    if not route.spec.get("http"):
        return f"connections to port {port}"
    return f"a GET of {', '.join(route.spec.get('hosts', []))} on port {port}"


def _accounts(cluster: Cluster, namespace: str) -> tuple[str, ...]:
    """The accounts of a namespace, one of which its pods have; none where none is known."""
    return tuple(f"{namespace}/{name}" for name in cluster.known("ServiceAccount", namespace))


def calls_pass_authorization_policies(cluster: Cluster) -> Iterator[Violation]:
    """Whom a NetworkPolicy lets out to pods, their AuthorizationPolicies let in."""
    told: set[tuple[int, int]] = set()
    for way in ways(cluster):
        for caller, target in ((c, t) for c in way.callers for t in way.targets) if way.is_narrow else ():
            policies = authorizations(cluster, target)
            if not policies or caller is target or way.direction != "Egress" or (id(caller), id(target)) in told:
                continue
            account = pod_spec(caller.document).get("serviceAccountName", "default")
            ports = [port for port in declared(containers(target.document)) if opens(way.rule, port)]
            in_the_mesh = cluster.has_sidecar(caller) and cluster.has_sidecar(target)
            for port in ports if in_the_mesh else ():
                request = Request(caller.namespace, (f"{caller.namespace}/{account}",), port.number)
                if problem := _barred(cluster, policies, request):
                    told.add((id(caller), id(target)))
                    yield Violation(
                        caller,
                        f"is let out to {target} by {way.policy}, but "
                        + problem.format(
                            callers=f"ServiceAccount {account} of namespace {caller.namespace}",
                            request=f"its requests on port {port.number}",
                        ),
                    )
                    break


def _barred(cluster: Cluster, policies: Sequence[Object], request: Request) -> str | None:
    """What policies have against requests; nothing where one has a fault of its own, which is told instead."""
    problem = None
    for policy in policies:
        denying = policy.spec.get("action") == "DENY"
        for rule in policy.spec.get("rules") or [] if denying else ():
            if is_from(rule, request) and is_for(rule, request):
                problem = f"{policy} denies {{request}} by {{callers}}: fit its rules"
    allowing = [policy for policy in policies if policy.spec.get("action", "ALLOW") == "ALLOW"]
    if allowing and not problem:
        callers = [rule for rule in rules_of(allowing, "rules") if is_from(rule, request) is not False]
        if not callers:
            problem = "no AuthorizationPolicy for its pods lets in {callers}"
        elif all(is_for(rule, request) is False for rule in callers):
            problem = "no AuthorizationPolicy for its pods allows {request}: fit the rule's operations"
    if problem and any(any(_problems(cluster, policy)) for policy in policies):
        return None
    return problem


def _problems(cluster: Cluster, policy: Object) -> Iterator[str]:
    yield from _problems_of_names(cluster, policy)
    yield from _problems_of_form(cluster, policy)
    yield from _problems_of_ports(cluster, policy)


def pods_in_the_mesh_say_who_may_call(cluster: Cluster) -> Iterator[Violation]:
    for service in cluster.of("Service"):
        selector = service.spec.get("selector")
        for item in cluster.selected(service.namespace, selector) if selector else ():
            policies = authorizations(cluster, item)
            if cluster.has_sidecar(item) and not any(map(_closes, policies)):
                others = ", ".join(f"{policy} has action {policy.spec.get('action')}" for policy in policies)
                yield Violation(
                    item,
                    f"may be called by every pod in the mesh{f', as {others}' if others else ''}: say who may in an "
                    "AuthorizationPolicy for its pods, of action ALLOW",
                )


def _closes(policy: Object) -> bool:
    """Whether a policy keeps out whom it does not name, or has somebody else say who comes in."""
    action = policy.spec.get("action", "ALLOW")
    refuses_others = any(field.startswith("not") for source in _sources(policy) for field in source)
    return action in ("ALLOW", "CUSTOM") or (action == "DENY" and refuses_others)


def policies_open_one_workload(cluster: Cluster) -> Iterator[Violation]:
    """Who may call one app of a namespace may not therefore call what is beside it, a database say."""
    serving: dict[str, dict[str, Object]] = {}
    for service in cluster.of("Service"):
        for item in cluster.selected(service.namespace, service.spec.get("selector") or {"": ""}):
            serving.setdefault(item.namespace, {})[str(item)] = item
    for policy in cluster.of("AuthorizationPolicy"):
        own = serving.get(policy.namespace, {})
        for_all = not any(policy.spec.get(field) for field in ("selector", "targetRef", "targetRefs"))
        anything = any(not rule.get("to") for rule in policy.spec.get("rules") or [])
        if for_all and anything and policy.spec.get("action", "ALLOW") == "ALLOW" and len(own) > 1:
            yield Violation(
                policy,
                f"lets those whom it names call all of {', '.join(own)}: write the selector of the pods that are meant",
            )


def policies_of_the_mesh_have_a_sidecar(cluster: Cluster) -> Iterator[Violation]:
    """The sidecar enforces these policies: without one, everybody gets through and nothing reports it."""
    for policy in (*cluster.of("AuthorizationPolicy"), *cluster.of("PeerAuthentication")):
        namespace = cluster.find("Namespace", "", policy.namespace)
        if not isinstance(namespace, Object) or policy.spec.get("targetRefs"):
            continue
        if AMBIENT in (namespace.document["metadata"].get("labels") or {}):
            continue
        labels = selected_labels(policy.spec.get("selector"))
        for item in cluster.selected(policy.namespace, labels):
            if not cluster.has_sidecar(item):
                yield Violation(
                    policy,
                    f"is for the pods of {item}, which get no sidecar to enforce it: {cluster.way_to_a_sidecar(item)}",
                )


RULES: tuple[Rule, ...] = (
    authorization_policies_name_what_exists,
    keys_of_tokens_are_fetched_safely,
    tokens_are_asked_for,
    authorization_policies_can_match,
    addresses_are_those_of_callers,
    authorization_policies_name_ports_of_pods,
    routes_pass_authorization_policies,
    visitors_pass_the_gateway,
    calls_pass_authorization_policies,
    pods_in_the_mesh_say_who_may_call,
    policies_open_one_workload,
    policies_of_the_mesh_have_a_sidecar,
)
