"""Rules for times that have to fit each other: one that cannot be reached is as good as not written."""

import re
from collections.abc import Iterator
from decimal import Decimal

from synth.manifest import Document
from synth.pods import PROBES, containers, pod_spec
from synth.quantity import seconds
from synth.tree import Object

GRACE_PERIOD = 30
"""Seconds that a pod has to end, where it does not say how many."""
LEAST_GRACE = 5
"""Seconds that Istio's proxy takes to drain: https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig."""
SLEEP = re.compile(r"sleep\s+([0-9]+(?:\.[0-9]+)?)([smhd]?)\b")
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
PROGRESS = 600
"""Seconds that a rollout may make no progress, where a Deployment does not say how many."""
# https://cert-manager.io/docs/usage/certificate/#issuance-behavior: three months, where it does not say how long.
CERTIFICATE_DURATION = "2160h"
HOUR, LEAST_RENEWAL = 3600, 300
"""Seconds: the least that a certificate lasts, and is renewed before its end.

ValidateDuration in https://github.com/cert-manager/cert-manager internal/apis/certmanager/validation.
"""
LEAST_ANSWER, LEAST_CONNECT = Decimal("0.1"), Decimal("0.01")
"""Seconds: what an app takes to answer, and a connection to the next node takes."""
LONGEST_ANSWER = 24 * HOUR
"""Seconds that even a WebSocket is not open for."""
LEAST_APPLY, LEAST_INTERVAL = 60, 10
"""Seconds: what pods take from their image to their first answer, and between two looks of Flux that are worth it."""
LONGEST_SILENCE = {"readinessProbe": 600, "livenessProbe": HOUR}
"""Seconds until somebody has to know that a container serves again, and that it hangs."""
LEAST_START = 5
"""Seconds that a container has to start, on a node that starts others too."""
LONGEST_HOOK = 60
"""Seconds: until its postStart hook ends a container does not count as started."""
FLUX = "toolkit.fluxcd.io"


def check_times(subject: Object) -> Iterator[str]:
    """Which times of one object do not fit each other, each as the end of a sentence."""
    grace = pod_spec(subject.document).get("terminationGracePeriodSeconds", GRACE_PERIOD)
    ends = [told for container in containers(subject.document) for told in _check_end(container, grace)]
    yield from ends
    if not ends and 0 <= grace < LEAST_GRACE:
        yield (
            f"has its pods killed after {grace} seconds, while they and their proxy still answer: write "
            f"terminationGracePeriodSeconds {LEAST_GRACE} or more"
        )
    for container in containers(subject.document):
        yield from _check_begin(container)
        yield from _check_probes(container)
    match subject.kind:
        case "Deployment":
            yield from _check_start(subject)
        case "Certificate":
            yield from _check_certificate(subject)
        case "VirtualService":
            yield from _check_answers(subject)
        case "DestinationRule":
            yield from _check_connections(subject)
        case _ if subject.group.endswith(FLUX):
            yield from _check_flux(subject)


def _check_certificate(subject: Object) -> Iterator[str]:
    duration, before = subject.spec.get("duration", CERTIFICATE_DURATION), subject.spec.get("renewBefore")
    if _long(duration) < HOUR:
        yield f"lasts {duration}, and cert-manager makes none for less than an hour: write 2160h, or what is meant"
    elif before and _long(before) < LEAST_RENEWAL:
        yield f"is renewed {before} before its end, and cert-manager takes five minutes at least: write 5m, or more"
    elif before and _long(before) >= _long(duration):
        yield f"is renewed {before} before its end, but lasts {duration}: make renewBefore shorter than duration"
    share = subject.spec.get("renewBeforePercentage")
    if share is not None and share not in range(1, 100):
        yield f"is renewed when {share} percent of its time are left: 1 to 99 are some"
    if share is not None and before:
        yield "has renewBefore and renewBeforePercentage, of which cert-manager takes one: leave the other out"


def _check_answers(route: Object) -> Iterator[str]:
    """Times that are over before an answer can be there, each told once."""
    given = [
        (field, time, entry.get("name", number))
        for number, entry in enumerate(route.spec.get("http") or [], 1)
        for field, time in (
            ("timeout", entry.get("timeout")),
            ("perTryTimeout", (entry.get("retries") or {}).get("perTryTimeout")),
        )
    ]
    told: set[tuple[str, object]] = set()
    for field, time, name in given:
        length = _long(time) if time else 0
        if 0 < length < LEAST_ANSWER:
            why = "in which hardly anything answers, so that visitors get 504: write seconds, as in 30s"
        elif length > LONGEST_ANSWER:
            why = "which no visitor waits for: write seconds, as in 30s, or leave it out"
        else:
            continue
        if (field, time) not in told:
            told.add((field, time))
            yield f"has http route {name} with a {field} of {time}, {why}"
    for number, entry in enumerate(route.spec.get("http") or [], 1):
        timeout, attempt = entry.get("timeout"), (entry.get("retries") or {}).get("perTryTimeout")
        if timeout and attempt and 0 < _long(timeout) < _long(attempt):
            yield (
                f"has http route {entry.get('name', number)} give up after {timeout}, before its perTryTimeout of "
                f"{attempt} is over: make that shorter"
            )


def _check_connections(rule: Object) -> Iterator[str]:
    for part in (rule.spec, *(rule.spec.get("subsets") or [])):
        policy = part.get("trafficPolicy") or {}
        for level in (policy, *(policy.get("portLevelSettings") or [])):
            time = ((level.get("connectionPool") or {}).get("tcp") or {}).get("connectTimeout")
            if time and 0 < _long(time) < LEAST_CONNECT:
                yield f"has a connectTimeout of {time}, shorter than the way to another node: write seconds, as in 5s"


def _check_flux(item: Object) -> Iterator[str]:
    time, interval = item.spec.get("timeout"), item.spec.get("interval")
    # Of the others it is the time for one request.
    waits = item.kind == "HelmRelease" or (item.kind == "Kustomization" and item.spec.get("wait") is True)
    if waits and time and 0 < _long(time) < LEAST_APPLY:
        yield (
            f"gives what it applies {time} to work, in which no pod gets its image and starts, so that every change "
            "fails: write minutes, as in 5m"
        )
    again = item.spec.get("retryInterval")
    if again and interval and _long(again) > _long(interval) > 0:
        yield (
            f"tries again after {again} what failed, and looks every {interval} at what did not: make retryInterval "
            "the shorter one, as in 1m"
        )
    if interval and 0 < _long(interval) < LEAST_INTERVAL:
        yield f"is looked at every {interval}, which is more than its source can be asked: write minutes, as in 10m"


def _long(duration: object) -> Decimal:
    """The seconds of a duration; 0 for one that rules/fields.py reports."""
    try:
        return seconds(duration)
    except ValueError:
        return Decimal(0)


def _check_end(container: Document, grace: int) -> Iterator[str]:
    hook = (container.get("lifecycle") or {}).get("preStop") or {}
    slept = _slept(hook)
    if hook and 0 <= grace <= slept:
        yield (
            f"has container {container['name']} sleep {slept:g} seconds in its preStop hook, but the pod is killed "
            f"after {grace}: raise terminationGracePeriodSeconds above that"
        )


def _slept(hook: Document) -> Decimal:
    """How many seconds a hook does nothing."""
    command = " ".join(map(str, (hook.get("exec") or {}).get("command", [])))
    slept = sum((Decimal(number) * UNITS[unit] for number, unit in SLEEP.findall(command)), Decimal(0))
    return slept + Decimal((hook.get("sleep") or {}).get("seconds", 0))


def _check_begin(container: Document) -> Iterator[str]:
    """Hold back no start: https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/#hook-handler-execution."""
    hook = (container.get("lifecycle") or {}).get("postStart") or {}
    if hook and (slept := _slept(hook)) >= LONGEST_HOOK:
        yield (
            f"has container {container['name']} sleep {slept:g} seconds in its postStart hook, and it does not count "
            "as started before that ends: leave the sleep out, its startupProbe waits for what takes long"
        )


def _check_start(deployment: Object) -> Iterator[str]:
    """A start that may take longer than the rollout, which then counts as failed while it still works.

    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#failed-deployment
    """
    most = deployment.spec.get("progressDeadlineSeconds", PROGRESS)
    for container in pod_spec(deployment.document).get("containers", []):
        probe = container.get("startupProbe") or {}
        start = probe.get("initialDelaySeconds", 0) + probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)
        if probe and start > most:
            yield (
                f"lets container {container['name']} take {start} seconds to start, but calls a rollout failed after "
                f"{most}: raise progressDeadlineSeconds above that"
            )


def _check_probes(container: Document) -> Iterator[str]:
    for kind in PROBES:
        probe = container.get(kind) or {}
        timeout, period = probe.get("timeoutSeconds", 1), probe.get("periodSeconds", 10)
        if timeout > period > 0:
            yield (
                f"has {kind} of container {container['name']} wait {timeout} seconds for an answer and ask every "
                f"{period}: make timeoutSeconds at most periodSeconds"
            )
        if kind == "livenessProbe" and probe.get("failureThreshold", 3) == 1:
            yield (
                f"has {kind} end container {container['name']} at its first answer that comes late: leave "
                "failureThreshold out, it is 3 then"
            )
        starts = probe.get("initialDelaySeconds", 0) + period * probe.get("failureThreshold", 3)
        if probe and kind == "startupProbe" and starts < LEAST_START:
            yield (
                f"has {kind} end container {container['name']} when it does not answer within {starts} seconds, again "
                f"and again on a node that is busy: give it {LEAST_START} at least, by failureThreshold"
            )
        silent = probe.get("initialDelaySeconds", 0) + period * probe.get("failureThreshold", 3)
        if probe and kind in LONGEST_SILENCE and silent > (most := LONGEST_SILENCE[kind]):
            yield (
                f"has {kind} of container {container['name']} tell only after {silent} seconds that it does not "
                f"answer (initialDelaySeconds, and periodSeconds failureThreshold times): make that {most} at most"
            )
