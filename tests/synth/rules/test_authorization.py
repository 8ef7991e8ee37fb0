"""Rules for who may call whom: callers that are not there or barred, and pods that everybody may call."""

from typing import Any

import pytest

from synth.cluster import Provided
from synth.manifest import Document
from synth.rules import authorization
from tests.synth.objects import (
    DNS,
    FOR_OTHER,
    GATEWAYS,
    ISTIOD,
    NAMED_WIKI,
    WIKI_PODS,
    environment,
    find,
    istio,
    other,
    policy,
    put,
    said,
    with_sidecars,
)

INJECT_OUT = "leave sidecar.istio.io/inject out of its pods"


def sentences(documents: list[Document], *provided: Provided) -> list[str]:
    account = Provided("ServiceAccount", "istio-ingress", by="Istio", namespace="istio-system")
    return said(authorization.RULES, documents, account, *provided)


def named(documents: list[Document], *provided: Provided) -> list[str]:
    """What is said of the pods and callers that policies name, whoever may get through."""
    return said((authorization.authorization_policies_name_what_exists,), documents, *provided)


def test_a_sound_environment_breaks_no_rule() -> None:
    assert sentences(environment()) == []


# pods and callers


def lets_in(**source: list[str]) -> Document:
    return istio("AuthorizationPolicy", selector=WIKI_PODS, rules=[{"from": [{"source": source}]}])


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"selector": WIKI_PODS},
        {"selector": WIKI_PODS, "rules": [{}]},
        {"rules": [{"to": [{"operation": {"methods": ["GET"]}}]}]},
        {"rules": [{"from": [{"source": {"namespaces": ["istio-system"]}}]}]},
        {"rules": [{"from": [{"source": {"principals": ["cluster.local/ns/wiki/sa/wiki"]}}]}]},
    ],
)
def test_an_authorization_policy_may_name_pods_and_callers_or_none(spec: dict[str, Any]) -> None:
    assert named([*environment(), istio("AuthorizationPolicy", **spec)]) == []


def test_an_authorization_policy_for_a_whole_namespace_needs_no_pods_there() -> None:
    policy = istio("AuthorizationPolicy")
    put(policy, "metadata/namespace", "flux-system")
    assert named([*environment(), policy]) == []


@pytest.mark.parametrize(
    ("labels", "namespace", "sentence"),
    [
        (
            {"app.kubernetes.io/name": "wikki"},
            "wiki",
            "is for pods with app.kubernetes.io/name=wikki in namespace wiki",
        ),
        (
            {"app.kubernetes.io/name": "wiki", "tier": "web"},
            "wiki",
            "is for pods with app.kubernetes.io/name=wiki,tier=web in namespace wiki",
        ),
        (
            {"app.kubernetes.io/name": "wiki"},
            "istio-system",
            "is for pods with app.kubernetes.io/name=wiki in namespace istio-system",
        ),
    ],
)
def test_an_authorization_policy_for_no_pods_gives_its_sentence(
    labels: dict[str, str], namespace: str, sentence: str
) -> None:
    policy = istio("AuthorizationPolicy", selector={"matchLabels": labels})
    put(policy, "metadata/namespace", namespace)
    assert named([*environment(), policy]) == [
        f"AuthorizationPolicy wiki {sentence}, but there are none: use the labels of a workload"
    ]


@pytest.mark.parametrize(
    ("principal", "sentence"),
    [
        (
            "cluster.local/ns/wiki/sa/wikki",
            "names ServiceAccount wikki of namespace wiki, which is neither made here nor provided; there are wiki",
        ),
        (
            "cluster.local/ns/istio-system/sa/istio-ingress",
            "names ServiceAccount istio-ingress of namespace istio-system, which is neither made here nor provided; "
            "there are none",
        ),
        ("wiki", "names wiki, which is not a principal: cluster.local/ns/NAMESPACE/sa/NAME is one"),
        (
            "ns/wiki/sa/wiki",
            "names ns/wiki/sa/wiki, which is not a principal: cluster.local/ns/NAMESPACE/sa/NAME is one",
        ),
        (
            "spiffe://cluster.local/ns/wiki/sa/wiki",
            "names spiffe://cluster.local/ns/wiki/sa/wiki, which is not a principal: "
            "cluster.local/ns/NAMESPACE/sa/NAME is one",
        ),
    ],
)
def test_a_caller_that_does_not_exist_gives_its_sentence(principal: str, sentence: str) -> None:
    assert named([*environment(), lets_in(principals=[principal])]) == [f"AuthorizationPolicy wiki {sentence}"]


def test_each_caller_of_each_rule_is_looked_up() -> None:
    policy = lets_in(principals=["cluster.local/ns/wiki/sa/wiki", "cluster.local/ns/wiki/sa/one"])
    policy["spec"]["rules"][0]["from"].append({"source": {"principals": ["cluster.local/ns/wiki/sa/two"]}})
    policy["spec"]["rules"].append({"from": [{"source": {"principals": ["cluster.local/ns/wiki/sa/three"]}}]})
    found = named([*environment(), policy])
    assert [sentence.split()[3] for sentence in found] == ["ServiceAccount", "ServiceAccount", "ServiceAccount"]
    assert [sentence.split()[4] for sentence in found] == ["one", "two", "three"]


@pytest.mark.parametrize("principal", ["*", "cluster.local/ns/istio-system/*", "cluster.local/ns/wiki/sa/default"])
def test_a_pattern_and_the_account_of_every_namespace_need_not_be_made(principal: str) -> None:
    assert named([*environment(), lets_in(principals=[principal])]) == []


def test_a_caller_may_be_provided() -> None:
    documents = [*environment(), lets_in(principals=["cluster.local/ns/istio-system/sa/istio-ingress"])]
    account = Provided("ServiceAccount", "istio-ingress", by="Istio", namespace="istio-system")
    assert named(documents, account) == []


# who may call


def test_pods_in_the_mesh_say_who_may_call() -> None:
    documents = with_sidecars(DNS, ISTIOD)[:-1]
    assert sentences(documents) == [
        "Deployment wiki may be called by every pod in the mesh: say who may in an AuthorizationPolicy for its pods, "
        "of action ALLOW"
    ]
    everywhere = istio("AuthorizationPolicy", rules=[GATEWAYS])
    assert sentences([*documents, everywhere]) == []
    put(everywhere, "metadata/namespace", "istio-system")
    assert not any("may be called by every pod" in sentence for sentence in sentences([*documents, everywhere]))
    put(everywhere, "metadata/namespace", "flux-system")
    assert len(sentences([*documents, everywhere])) == 1


def test_pods_that_no_service_leads_to_are_called_by_nobody() -> None:
    leading = ("Service", "VirtualService", "Gateway", "AuthorizationPolicy")
    documents = [document for document in with_sidecars(DNS, ISTIOD) if document["kind"] not in leading]
    assert sentences(documents) == []
    external = {"apiVersion": "v1", "kind": "Service", "metadata": NAMED_WIKI, "spec": {"externalName": "example.com"}}
    assert sentences([*documents, external]) == []


@pytest.mark.parametrize("spec", [{}, {"selector": WIKI_PODS}])
@pytest.mark.parametrize("kind", ["AuthorizationPolicy", "PeerAuthentication"])
def test_a_policy_of_the_mesh_for_pods_without_a_sidecar_gives_its_sentence(kind: str, spec: Document) -> None:
    enforced = istio("AuthorizationPolicy", **spec, rules=[GATEWAYS])
    enforced["kind"] = kind
    assert sentences([*environment(), enforced]) == [
        f"{kind} wiki is for the pods of Deployment wiki, which get no sidecar to enforce it: label Namespace wiki "
        "with istio-injection enabled"
    ]


@pytest.mark.parametrize(
    ("path", "value", "remedy"),
    [
        ("metadata/labels", {**WIKI_PODS["matchLabels"], "sidecar.istio.io/inject": "false"}, INJECT_OUT),
        ("metadata/annotations", {"sidecar.istio.io/inject": "false"}, INJECT_OUT),
        ("spec/hostNetwork", True, "leave hostNetwork out of its pods"),
    ],
)
def test_pods_that_keep_the_sidecar_away_are_told_how_they_do(path: str, value: object, remedy: str) -> None:
    documents = with_sidecars(DNS, ISTIOD)
    put(find(documents, "Deployment"), f"spec/template/{path}", value)
    assert said((authorization.policies_of_the_mesh_have_a_sidecar,), documents) == [
        f"AuthorizationPolicy wiki is for the pods of Deployment wiki, which get no sidecar to enforce it: {remedy}"
    ]


def test_others_than_a_sidecar_may_enforce_a_policy() -> None:
    at_a_waypoint = istio("AuthorizationPolicy", targetRefs=[{"kind": "Gateway", "name": "waypoint"}], rules=[GATEWAYS])
    assert sentences([*environment(), at_a_waypoint]) == []
    documents = environment()
    find(documents, "Namespace")["metadata"]["labels"]["istio.io/dataplane-mode"] = "ambient"
    assert sentences([*documents, istio("AuthorizationPolicy", rules=[GATEWAYS])]) == []
    elsewhere = istio("AuthorizationPolicy", rules=[GATEWAYS])
    put(elsewhere, "metadata/namespace", "istio-system")
    assert not any("sidecar" in sentence for sentence in sentences([*environment(), elsewhere]))


FROM_WIKI = [{"from": [{"source": {"namespaces": ["wiki"]}}]}]
VISITORS = "so that everybody gets 403: write the selector of the pods that are meant"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"rules": FROM_WIKI}, True),
        ({"rules": [{"from": [{"source": {"principals": ["*"]}}]}]}, True),
        (
            {
                "selector": {"matchLabels": {"istio": "ingress"}},
                "rules": [{"from": [{"source": {"namespaces": ["wiki"]}}]}],
            },
            True,
        ),
        (
            {
                "selector": {"matchLabels": {"istio": "egress"}},
                "rules": [{"from": [{"source": {"namespaces": ["wiki"]}}]}],
            },
            False,
        ),
        ({"action": "DENY", "rules": FROM_WIKI}, False),
        ({"rules": [{"to": [{"operation": {"methods": ["GET"]}}]}]}, False),
        ({"rules": [{"from": [{"source": {"ipBlocks": ["203.0.113.0/24"]}}]}]}, False),
    ],
)
def test_visitors_are_let_in_by_the_gateways_own_policies(spec: Document, told: bool) -> None:
    item = istio("AuthorizationPolicy", **spec)
    put(item, "metadata/namespace", "istio-system")
    put(item, "metadata/name", "gateway")
    assert any(VISITORS in sentence for sentence in sentences([*with_sidecars(DNS, ISTIOD), item])) is told


@pytest.mark.parametrize(
    "source",
    [
        {"principals": ["cluster.local/ns/wiki/sa/wiki"]},
        {"namespaces": ["wiki"]},
        {"principals": ["*"], "namespaces": ["flux-system"]},
    ],
)
def test_a_route_whose_gateway_may_not_call_gives_its_sentence(source: Document) -> None:
    documents = with_sidecars(DNS, ISTIOD)
    put(documents[-1], "spec/rules/0/from/0/source", source)
    assert sentences(documents) == [
        "VirtualService wiki leads to Deployment wiki, but no AuthorizationPolicy for its pods lets in callers from "
        "namespace istio-system, where Gateway main has its pods"
    ]


@pytest.mark.parametrize(
    "rules",
    [
        [{"to": [{"operation": {"methods": ["GET"]}}]}],
        [{"from": [{"source": {"namespaces": ["istio-*"]}}]}],
        [{"from": [{"source": {"principals": ["*"]}}]}],
        [{"from": [{"source": {"notNamespaces": ["flux-system"]}}]}],
        [{"from": [{"source": {"serviceAccounts": ["istio-system/istio-ingress"]}}]}],
        [{**GATEWAYS, "when": [{"key": "source.namespace", "values": ["istio-system"]}]}],
        [{**GATEWAYS, "when": [{"key": "destination.port", "values": ["8000"]}]}],
        [{"from": [{"source": {"namespaces": ["wiki"]}}]}, GATEWAYS],
        [{"from": [{"source": {"namespaces": ["wiki"]}}, {"source": {"ipBlocks": ["10.0.0.0/8"]}}]}],
    ],
)
def test_a_policy_may_let_callers_in_in_many_ways(rules: list[Document]) -> None:
    documents = with_sidecars(DNS, ISTIOD)
    put(documents[-1], "spec/rules", rules)
    assert sentences(documents) == []


@pytest.mark.parametrize("action", ["DENY", "AUDIT"])
def test_a_policy_that_lets_nobody_in_says_nothing_of_who_may(action: str) -> None:
    documents = with_sidecars(DNS, ISTIOD)
    put(documents[-1], "spec", {"action": action, "rules": [{"from": [{"source": {"namespaces": ["flux-system"]}}]}]})
    assert sentences(documents) == [
        f"Deployment wiki may be called by every pod in the mesh, as AuthorizationPolicy wiki has action {action}: say "
        "who may in an AuthorizationPolicy for its pods, of action ALLOW"
    ]


def test_a_policy_that_denies_all_but_some_says_who_may() -> None:
    documents = with_sidecars(DNS, ISTIOD)
    others = {"source": {"notNamespaces": ["istio-system"]}}
    put(documents[-1], "spec", {"action": "DENY", "rules": [{"from": [others]}]})
    assert sentences(documents) == []


# what a request is


def allowing(**operation: list[str]) -> list[Document]:
    documents = with_sidecars(DNS, ISTIOD)
    put(documents[-1], "spec/rules/0/to", [{"operation": operation}])
    return documents


@pytest.mark.parametrize("action", ["ALLOW", "DENY"])
def test_a_port_that_no_request_has_gives_its_sentence(action: str) -> None:
    documents = allowing(ports=["80"])
    put(documents[-1], "spec/action", action)
    told = "AuthorizationPolicy wiki is for requests to port 80, which no request has: the pods listen on 8000, name"
    assert [sentence for sentence in sentences(documents) if sentence.startswith(told)]
    put(documents[-1], "spec/rules/0/to", [{"operation": {"ports": ["8000"]}}])
    assert [sentence for sentence in sentences(documents) if "no request has" in sentence] == []


@pytest.mark.parametrize(
    "operation",
    [
        {"methods": ["POST"]},
        {"notMethods": ["GET"]},
        {"hosts": ["wikki.localhost"]},
        {"hosts": ["*.example.com"]},
        {"notHosts": ["*.localhost"]},
        {"notPorts": ["8000"]},
    ],
)
def test_a_route_whose_requests_nobody_allows_gives_its_sentence(operation: dict[str, list[str]]) -> None:
    assert sentences(allowing(**operation)) == [
        "VirtualService wiki leads to Deployment wiki, but no AuthorizationPolicy for its pods allows a GET of "
        "wiki.localhost on port 8000: fit the rule's operations"
    ]


@pytest.mark.parametrize(
    "operation",
    [
        {"methods": ["GET", "HEAD"]},
        {"methods": ["*"]},
        {"hosts": ["*.localhost"]},
        {"hosts": ["wiki.*"]},
        {"hosts": ["Wiki.localhost:*"]},
        {"paths": ["/pages/*"]},
        {"ports": ["8000"], "notMethods": ["DELETE"], "notHosts": ["other.localhost"]},
    ],
)
def test_a_route_may_be_allowed_in_many_ways(operation: dict[str, list[str]]) -> None:
    assert sentences(allowing(**operation)) == []


# what no request is like


def ruled(*rules: Document, **spec: Any) -> list[str]:
    """What is said of the wiki's policy with these rules, by what comes behind its name."""
    documents = with_sidecars(DNS, ISTIOD)
    put(documents[-1], "spec", {"selector": WIKI_PODS, **({"rules": list(rules)} if rules else {}), **spec})
    return [sentence.removeprefix("AuthorizationPolicy wiki ") for sentence in sentences(documents)]


def of(**source: list[str]) -> Document:
    return {"from": [{"source": source}]}


def asking(**operation: Any) -> Document:
    return {**GATEWAYS, "to": [{"operation": operation}]}


def when(key: str, **values: list[str]) -> Document:
    return {**GATEWAYS, "when": [{"key": key, **values}]}


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({}, "allows everybody everything"),
        ({"from": []}, "has a rule with an empty from"),
        ({"from": [{"source": {}}]}, "has a rule with an empty from"),
        ({**GATEWAYS, "to": []}, "has a rule with an empty to"),
        (asking(), "has a rule with an empty to"),
        (asking(methods=["get"]), "is for method get, which no request has: write GET"),
        (asking(paths=["api/*"]), "is for path api/*, which no request has: a path begins with /"),
        (asking(paths=["/api/.*"]), "is for path /api/.*, which is no regular expression"),
        (asking(paths=["/api?page=1"]), "is for path /api?page=1, which is no regular expression and has no query"),
        (asking(paths=["/api/*/items"]), "has paths /api/*/items, in which * stands for itself"),
        (asking(hosts=["wiki.*.localhost"]), "has hosts wiki.*.localhost, in which * stands for itself"),
        (of(principals=["cluster.local/ns/*/sa/istio-ingress"]), "in which * stands for itself"),
        (of(principals=["example.com/ns/istio-system/sa/istio-ingress"]), "of another trust domain than the mesh's"),
        (of(namespaces=["istio-sytem"]), "names namespace istio-sytem, which is neither made here nor provided"),
        (of(serviceAccounts=["istio-system/gateway"]), "names ServiceAccount gateway of namespace istio-system"),
        (
            of(namespaces=["wiki"], principals=["cluster.local/ns/istio-system/sa/istio-ingress"]),
            "names callers of namespace wiki with an account of istio-system, which no caller is",
        ),
        (of(ipBlocks=["10.0.0.0/44"]), "names the addresses '10.0.0.0/44' in ipBlocks, which are none"),
        (of(ipBlocks=["203.0.113.0/24"]), "names the addresses 203.0.113.0/24 in ipBlocks, from which no request"),
        (of(notIpBlocks=["2001:db8::/32"]), "names the addresses 2001:db8::/32 in notIpBlocks, from which no request"),
        (when("source.ip", values=["203.0.113.7"]), "names the addresses 203.0.113.7 in source.ip, from which no"),
        (of(requestPrincipals=["*"]), "asks for a token by requestPrincipals"),
        (of(notRequestPrincipals=["*"]), "asks for a token by notRequestPrincipals"),
        (when("request.auth.claims[iss]", values=["x"]), "asks for a token by request.auth.claims[iss]"),
        (when("request.header[x]", values=["x"]), "has a condition on request.header[x], which Istio does not know"),
        (when("source.namespace"), "has a condition on source.namespace without values"),
        (when("destination.port", values=["80"]), "is for requests to port 80, which no request has"),
    ],
)
def test_what_no_request_is_like_gives_one_sentence(rule: Document, told: str) -> None:
    (sentence,) = ruled(rule)
    assert told in sentence


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"action": "CUSTOM", "rules": [GATEWAYS]}, "has action CUSTOM without a provider"),
        ({"rules": [GATEWAYS], "targetRefs": [{"kind": "Service", "name": "wiki"}]}, "has a selector and targetRefs"),
        ({"action": "DENY"}, "has action DENY and no rules"),
        ({"action": "DENY", "rules": [of(notRequestPrincipals=["*"])]}, "asks for a token by notRequestPrincipals"),
        ({"rules": [GATEWAYS], "provider": {"name": "login"}}, "has a provider, login, and action ALLOW, which asks"),
        (
            {"action": "CUSTOM", "provider": {"name": "login"}, "rules": [GATEWAYS]},
            "has action CUSTOM and asks for principals, which Istio refuses beside it",
        ),
    ],
)
def test_what_istio_refuses_gives_one_sentence(spec: Document, told: str) -> None:
    assert [sentence for sentence in ruled(**spec) if told in sentence] != []


@pytest.mark.parametrize(
    "rule",
    [
        asking(paths=["/api/*"]),
        asking(paths=["/api/{*}/items"], methods=["GET"]),
        asking(hosts=["wiki.localhost"], ports=["8000"]),
        when("request.headers[x-team]", values=["a"]),
        when("connection.sni", notValues=["other.localhost"]),
        of(principals=["*/sa/istio-ingress"], remoteIpBlocks=["10.0.0.0/8", "192.0.2.1"]),
        of(ipBlocks=["10.42.0.0/16", "0.0.0.0/0", "fd00::/64", "100.64.0.0/10"]),
    ],
)
def test_what_some_request_is_like_is_right(rule: Document) -> None:
    assert ruled(rule) == []


def test_a_token_may_be_asked_for_where_it_is_looked_at() -> None:
    documents = with_sidecars(DNS, ISTIOD)
    put(documents[-1], "spec/rules", [of(requestPrincipals=["*"])])
    looks = istio("RequestAuthentication", selector=WIKI_PODS)
    assert sentences([*documents, looks]) == []


@pytest.mark.parametrize(
    ("rule", "denied"),
    [
        ({}, True),
        (of(namespaces=["istio-system"]), True),
        (of(notNamespaces=["wiki"]), True),
        (of(notPrincipals=["cluster.local/ns/istio-system/sa/istio-ingress"]), False),
        (of(notNamespaces=["istio-system"]), False),
        (of(ipBlocks=["10.0.0.0/8"]), False),
        ({"to": [{"operation": {"methods": ["GET"]}}]}, True),
        ({"to": [{"operation": {"methods": ["DELETE"]}}]}, False),
        ({"to": [{"operation": {"paths": ["/admin*"]}}]}, False),
        ({"to": [{"operation": {"paths": ["/*"]}}]}, True),
        ({"to": [{"operation": {"notPorts": ["8000"]}}]}, False),
        ({"when": [{"key": "request.headers[x-team]", "values": ["a"]}]}, False),
    ],
)
def test_what_denies_the_gateways_requests_gives_its_sentence(rule: Document, denied: bool) -> None:
    documents = with_sidecars(DNS, ISTIOD)
    deny = istio("AuthorizationPolicy", selector=WIKI_PODS, action="DENY", rules=[rule])
    deny["metadata"] = {**deny["metadata"], "name": "deny"}
    told = (
        "VirtualService wiki leads to Deployment wiki, but AuthorizationPolicy deny denies a GET of wiki.localhost on "
        "port 8000 by callers from namespace istio-system, where Gateway main has its pods: fit its rules"
    )
    assert sentences([*documents, deny]) == ([told] if denied else [])


def test_http_is_asked_for_where_it_is_spoken() -> None:
    documents = allowing(methods=["GET"])
    put(find(documents, "Service"), "spec/ports/0/name", "tcp")
    assert sentences(documents) == [
        "AuthorizationPolicy wiki asks for methods of requests that are no HTTP: name ports and callers alone"
    ]


# calls


@pytest.mark.parametrize(
    ("principal", "told"),
    [
        ("cluster.local/ns/wiki/sa/wiki", []),
        (
            "cluster.local/ns/istio-system/sa/istio-ingress",
            [
                "Deployment other is let out to Deployment wiki by NetworkPolicy to-wiki, but no AuthorizationPolicy "
                "for its pods lets in ServiceAccount wiki of namespace wiki"
            ],
        ),
    ],
)
def test_a_call_that_the_network_lets_through_is_one_that_the_mesh_does(principal: str, told: list[str]) -> None:
    documents = with_sidecars(DNS, ISTIOD)
    rule = {"to": [{"podSelector": WIKI_PODS}], "ports": [{"port": 8000}]}
    documents += [
        other("Deployment"),
        policy("to-wiki", podSelector=FOR_OTHER, policyTypes=["Egress"], egress=[rule]),
    ]
    put(find(documents, "AuthorizationPolicy"), "spec/rules", [GATEWAYS, of(principals=[principal])])
    assert sentences(documents) == told


def tokens(**rule: Any) -> Document:
    item = istio("RequestAuthentication", selector=WIKI_PODS, jwtRules=[{"issuer": "https://example.com", **rule}])
    return {**item, "apiVersion": "security.istio.io/v1"}


def denied_without(*principals: str) -> Document:
    rules = [{"from": [{"source": {"notRequestPrincipals": [*principals]}}]}]
    return istio("AuthorizationPolicy", selector=WIKI_PODS, action="DENY", rules=rules)


@pytest.mark.parametrize(
    ("documents", "count"),
    [
        ([tokens()], 1),
        ([tokens(), istio("AuthorizationPolicy", selector=WIKI_PODS, rules=[GATEWAYS])], 1),
        ([tokens(), denied_without("*")], 0),
        ([tokens(), lets_in(requestPrincipals=["*"])], 0),
        ([tokens(forwardOriginalToken=True)], 0),
        ([tokens(outputClaimToHeaders=[{"header": "x-user", "claim": "sub"}])], 0),
    ],
)
def test_who_looks_at_tokens_asks_for_one(documents: list[Document], count: int) -> None:
    found = said((authorization.tokens_are_asked_for,), [*environment(), *documents])
    assert len(found) == count
    assert all("looks at tokens, and lets whoever has none in to Deployment wiki" in told for told in found)
