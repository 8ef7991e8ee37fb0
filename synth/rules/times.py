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


def check_times(subject: Object) -> Iterator[str]:
    """Which times of one object do not fit each other, each as the end of a sentence."""
    for container in containers(subject.document):
        yield from _check_end(container, pod_spec(subject.document))
        yield from _check_probes(container)
    if subject.kind == "Deployment":
        yield from _check_start(subject)
    if subject.kind == "Certificate":
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
    for number, route in enumerate(subject.spec.get("http", []) if subject.kind == "VirtualService" else (), 1):
        timeout, attempt = route.get("timeout"), (route.get("retries") or {}).get("perTryTimeout")
        if timeout and attempt and 0 < _long(timeout) < _long(attempt):
            yield (
                f"has http route {route.get('name', number)} give up after {timeout}, before its perTryTimeout of "
                f"{attempt} is over: make that shorter"
            )


def _long(duration: object) -> Decimal:
    """The seconds of a duration; 0 for one that rules/fields.py reports."""
    try:
        return seconds(duration)
    except ValueError:
        return Decimal(0)


def _check_end(container: Document, pod: Document) -> Iterator[str]:
    grace = pod.get("terminationGracePeriodSeconds", GRACE_PERIOD)
    hook = (container.get("lifecycle") or {}).get("preStop") or {}
    command = " ".join(map(str, (hook.get("exec") or {}).get("command", [])))
    slept = sum(Decimal(number) * UNITS[unit] for number, unit in SLEEP.findall(command))
    slept += (hook.get("sleep") or {}).get("seconds", 0)
    if hook and 0 <= grace <= slept:
        yield (
            f"has container {container['name']} sleep {slept:g} seconds in its preStop hook, but the pod is killed "
            f"after {grace}: raise terminationGracePeriodSeconds above that"
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
