"""A request as an AuthorizationPolicy sees it, and whether a rule of one is for it.

https://istio.io/latest/docs/reference/config/security/authorization-policy/
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from synth.manifest import Document

MAYBE = None
"""Neither yes nor no: it depends on what is not known here."""


@dataclass(frozen=True)
class Request:
    """What is known of requests from some pods to others; each attribute has every value that such requests have.

    `accounts` are of the form `namespace/name`; an attribute without values is not known.
    """

    namespace: str
    accounts: tuple[str, ...]
    port: int
    hosts: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()


def is_from(rule: Document, request: Request) -> bool | None:
    """Whether a rule is for requests of these callers."""
    if not rule.get("from"):
        return True
    return _any(_is_source(origin.get("source") or {}, request) for origin in rule["from"])


def is_for(rule: Document, request: Request) -> bool | None:
    """Whether a rule is for what these requests ask for, at which port."""
    operations = [to.get("operation") or {} for to in rule.get("to") or []]
    asked = _any(_is_operation(operation, request) for operation in operations) if operations else True
    return _all([asked, *(_is_condition(condition, request) for condition in rule.get("when") or [])])


def _is_source(source: Document, request: Request) -> bool | None:
    namespaces, principals = (request.namespace,), _principals(request)
    answers = [
        _meets(source, "namespaces", "notNamespaces", namespaces),
        _meets(source, "principals", "notPrincipals", principals),
        _meets(_in_full(source, request), "serviceAccounts", "notServiceAccounts", request.accounts),
    ]
    if not request.accounts:
        own = f"/ns/{request.namespace}/"
        answers = answers[:1]
        if (named := source.get("principals")) and not any(own in name or "*" in name for name in named):
            answers.append(False)
    others = ("ipBlocks", "remoteIpBlocks", "requestPrincipals", *(() if request.accounts else ("principals",)))
    known = any(source.get(field) or source.get(f"not{field[0].upper()}{field[1:]}") for field in others)
    return _all([*answers, MAYBE] if known else answers)


def _in_full(source: Document, request: Request) -> Document:
    """Accounts without a namespace are of the policy's own, which is taken to be the callers'."""
    return {
        field: [name if "/" in name else f"{request.namespace}/{name}" for name in names]
        for field, names in source.items()
        if field.lower().endswith("serviceaccounts")
    }


def _principals(request: Request) -> tuple[str, ...]:
    pairs = [account.partition("/") for account in request.accounts]
    return tuple(f"cluster.local/ns/{namespace}/sa/{name}" for namespace, _, name in pairs)


def _is_operation(operation: Document, request: Request) -> bool | None:
    paths = operation.get("paths") or operation.get("notPaths")
    return _all(
        [
            _meets(operation, "ports", "notPorts", (str(request.port),)),
            _meets(operation, "hosts", "notHosts", request.hosts),
            _meets(operation, "methods", "notMethods", request.methods),
            *([MAYBE] if paths and not _is_every_path(operation) else []),
        ]
    )


def _is_every_path(operation: Document) -> bool:
    return any(path in ("*", "/*") for path in operation.get("paths") or []) and not operation.get("notPaths")


def _is_condition(condition: Document, request: Request) -> bool | None:
    known = {
        "source.namespace": (request.namespace,),
        "source.principal": _principals(request),
        "destination.port": (str(request.port),),
    }
    if condition["key"] not in known:
        return MAYBE
    return _meets(condition, "values", "notValues", known[condition["key"]])


def _meets(where: Document, wanted: str, barred: str, values: Sequence[str]) -> bool | None:
    """Whether values are among those that are wanted, and not among those that are barred."""
    among = _is_among(where[wanted], values) if where.get(wanted) else True
    without = _not(_is_among(where[barred], values)) if where.get(barred) else True
    return _all([among, without])


def _is_among(patterns: Iterable[object], values: Sequence[str]) -> bool | None:
    if not values or any("*" in value for value in values):
        return MAYBE
    found = {any(is_like(str(pattern), value) for pattern in patterns) for value in values}
    return found.pop() if len(found) == 1 else MAYBE


def is_like(pattern: str, value: str) -> bool:
    """Whether an exact text, or one with * at an end, is for a value; hosts may have a port behind them."""
    pattern, value = pattern.lower().removesuffix(":*"), value.lower()
    if pattern.startswith("*"):
        return value.endswith(pattern[1:])
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


def _not(answer: bool | None) -> bool | None:
    return MAYBE if answer is MAYBE else not answer


def _all(answers: Iterable[bool | None]) -> bool | None:
    found = list(answers)
    return False if False in found else MAYBE if MAYBE in found else True


def _any(answers: Iterable[bool | None]) -> bool | None:
    found = list(answers)
    return True if True in found else MAYBE if MAYBE in found else False
