"""Rules for jobs and rollouts that Git has stand still, or run again and again."""

import re
from collections.abc import Iterator

from synth.cluster import Cluster, Rule, Violation
from synth.pods import job_spec, pod_spec
from synth.scale import scale
from synth.schedule import check_schedule, period
from synth.tree import Object


def nothing_stands_still(cluster: Cluster) -> Iterator[Violation]:
    """What is suspended in Git Flux suspends again, whoever lets it go on."""
    for item in cluster.workloads:
        by_hand = item.kind == "CronJob" and _is_yearly(str(item.spec.get("schedule", "")))
        if _is_suspended(item) and not by_hand:
            how = ", or write @yearly where somebody starts it by hand alone" if item.kind == "CronJob" else ""
            yield Violation(
                item,
                "is suspended, so that it never runs, and Flux suspends it again when somebody lets it: leave suspend "
                f"out{how}",
            )
        if item.kind == "Deployment" and item.spec.get("paused") is True:
            yield Violation(
                item, "is paused, so that no change of its pods is rolled out, and nothing reports it: leave paused out"
            )
        update = item.spec.get("updateStrategy") or {}
        if item.kind in ("StatefulSet", "DaemonSet") and update.get("type") == "OnDelete":
            yield Violation(
                item,
                "has updateStrategy OnDelete, by which no change reaches its pods until somebody deletes them, and "
                "Flux calls it done: leave updateStrategy out",
            )
        partition = (update.get("rollingUpdate") or {}).get("partition", 0)
        if item.kind == "StatefulSet" and partition and partition >= scale(cluster, item)[1]:
            yield Violation(
                item,
                f"updates its pods from number {partition} on, of which there are none, so that no change of them is "
                "rolled out: leave partition out",
            )


def _is_suspended(item: Object) -> bool:
    jobs = [item.spec, job_spec(item.document)]
    return item.kind in ("Job", "CronJob") and any(job.get("suspend") is True for job in jobs)


def _is_yearly(schedule: str) -> bool:
    """Whether a schedule is for one day of the year, as that of a job is which is there to be started by hand."""
    _, _, day, month, *_ = [*schedule.split(), *4 * ["*"]]
    return schedule in ("@yearly", "@annually") or "*" not in day + month


def jobs_run_once(cluster: Cluster) -> Iterator[Violation]:
    """A Job that is gone is one that Flux has to make."""
    for item in cluster.of("Job"):
        if "ttlSecondsAfterFinished" in item.spec:
            yield Violation(
                item,
                f"is deleted {item.spec['ttlSecondsAfterFinished']} seconds after its end, and so made and run again "
                "at Flux's next look: leave ttlSecondsAfterFinished out, or make it a CronJob",
            )
    for item in (*cluster.of("Job"), *cluster.of("CronJob")):
        spec = job_spec(item.document)
        deadline, own = spec.get("activeDeadlineSeconds"), pod_spec(item.document).get("activeDeadlineSeconds")
        if spec.get("completions") == 0:
            yield Violation(item, "has completions 0, and so is done before it runs: leave it out")
        if deadline and deadline < LEAST_RUN:
            yield Violation(
                item,
                f"is ended after {deadline} seconds, in which hardly a pod gets its image and starts: raise "
                "activeDeadlineSeconds",
            )
        if deadline and own and own > deadline:
            yield Violation(
                item,
                f"ends after {deadline} seconds, and each of its pods after {own}: leave activeDeadlineSeconds of the "
                "pods out",
            )


def runs_come_and_end(cluster: Cluster) -> Iterator[Violation]:
    """When a CronJob runs, and that one run which hangs does not keep all later ones from it."""
    for item in cluster.of("CronJob"):
        line, zone = str(item.spec.get("schedule", "")), str(item.spec.get("timeZone", "Etc/UTC"))
        try:
            check_schedule(item.name, line, zone)
        except ValueError as error:
            yield Violation(item, str(error).removeprefix(f"{item.name} "))
            continue
        job = job_spec(item.document)
        deadline = job.get("activeDeadlineSeconds") or 0
        if item.spec.get("concurrencyPolicy") == "Forbid" and deadline > (between := period(line)) * MOST_MISSED:
            yield Violation(
                item,
                f"has a run every {between} seconds, of which one that hangs keeps all others from starting for "
                f"{deadline}: lower activeDeadlineSeconds",
            )
        if item.spec.get("failedJobsHistoryLimit") == 0:
            yield Violation(
                item,
                "keeps no run that failed, so that nobody sees why: leave failedJobsHistoryLimit out, it is 1 then",
            )
        if not job.get("activeDeadlineSeconds") and not pod_spec(item.document).get("activeDeadlineSeconds"):
            then = "keeps all later ones from starting" if item.spec.get("concurrencyPolicy") == "Forbid" else "stays"
            yield Violation(item, f"has a run that hangs, which {then}: say in activeDeadlineSeconds when one is ended")
    for item in (*cluster.of("Job"), *cluster.of("CronJob")):
        spec = job_spec(item.document)
        for field in ("backoffLimit", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
            if (number := spec.get(field) or item.spec.get(field) or 0) > MOST_RUNS:
                yield Violation(item, f"has {field} {number}, that many pods for nothing: write {MOST_RUNS} at most")


MOST_RUNS = 100
MOST_MISSED = 24
"""So many runs may not start while one hangs: a day of hourly ones."""
LEAST_RUN = 10
"""Seconds from a Job's start to its end, those for its pod's start among them."""

ENDLESS = re.compile(
    r"\bwhile\s+(?:true|:|\[\s*1\s*\]|1)\s*;?\s*do\b|\bfor\s*\(\(\s*;\s*;\s*\)\)|\bsleep\s+inf(?:inity)?\b"
    r"|\btail\s+(?:-\S+\s+)*-[fF]\b"
)
"""What a shell does until somebody ends it."""
LEFT = re.compile(r"\b(?:break|exit|exec|return)\b")


def what_has_to_end_ends(cluster: Cluster) -> Iterator[Violation]:
    """A pod's containers wait for those of its init, and a Job is done when its own have ended."""
    for item in cluster.workloads:
        pod = pod_spec(item.document)
        first = [c for c in pod.get("initContainers") or [] if c.get("restartPolicy") != "Always"]
        runs = pod.get("containers") or [] if item.kind in ("Job", "CronJob") else []
        for containers, then in ((first, "the pod never starts"), (runs, "its run never succeeds")):
            for container in containers:
                words = [str(word) for word in (*(container.get("command") or []), *(container.get("args") or []))]
                found = ENDLESS.search(" ".join(words))
                if found and not LEFT.search(" ".join(words)):
                    yield Violation(
                        item,
                        f"has container {container['name']} do {found[0]!r}, which never ends, so that {then}: let it "
                        "end when it is done, or make it a container beside the others",
                    )


RULES: tuple[Rule, ...] = (nothing_stands_still, jobs_run_once, runs_come_and_end, what_has_to_end_ends)
