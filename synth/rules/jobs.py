"""Rules for jobs and rollouts that Git has stand still, or run again and again."""

from collections.abc import Iterator

from synth.cluster import Cluster, Rule, Violation
from synth.pods import pod_spec
from synth.scale import scale
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
        partition = (update.get("rollingUpdate") or {}).get("partition", 0)
        if item.kind == "StatefulSet" and partition and partition >= scale(cluster, item)[1]:
            yield Violation(
                item,
                f"updates its pods from number {partition} on, of which there are none, so that no change of them is "
                "rolled out: leave partition out",
            )


def _is_suspended(item: Object) -> bool:
    jobs = [item.spec, (item.spec.get("jobTemplate") or {}).get("spec") or {}]
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
        spec = item.spec if item.kind == "Job" else (item.spec.get("jobTemplate") or {}).get("spec") or {}
        deadline, own = spec.get("activeDeadlineSeconds"), pod_spec(item.document).get("activeDeadlineSeconds")
        if deadline and own and own > deadline:
            yield Violation(
                item,
                f"ends after {deadline} seconds, and each of its pods after {own}: leave activeDeadlineSeconds of the "
                "pods out",
            )


RULES: tuple[Rule, ...] = (nothing_stands_still, jobs_run_once)
