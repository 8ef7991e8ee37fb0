"""Rules for what stands still, or runs again and again."""

from typing import Any

import pytest

from synth.manifest import Document
from synth.rules import jobs
from tests.synth.objects import environment, find, other, put, said


def sentences(document: Document) -> list[str]:
    return said(jobs.RULES, [*environment(), document])


def cron_job(job: Document, **spec: Any) -> Document:
    document = other("CronJob")
    template = {"spec": {**document["spec"], "activeDeadlineSeconds": 3600, **job}}
    return {**document, "spec": {"schedule": "0 3 * * *", "jobTemplate": template, **spec}}


NOT_ROLLED_OUT = "so that no change of them is rolled out: leave partition out"


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (other("Job", suspend=True), "Job other is suspended, so that it never runs"),
        (cron_job({}, failedJobsHistoryLimit=0), "keeps no run that failed, so that nobody sees why"),
        (
            cron_job({"activeDeadlineSeconds": 7201}, schedule="*/5 * * * *", concurrencyPolicy="Forbid"),
            "has a run every 300 seconds, of which one that hangs keeps all others from starting for 7201",
        ),
        (other("Job", completions=0), "Job other has completions 0, and so is done before it runs: leave it out"),
        (other("Job", activeDeadlineSeconds=5), "Job other is ended after 5 seconds, in which hardly a pod gets"),
        (cron_job({"activeDeadlineSeconds": 9}), "CronJob other is ended after 9 seconds"),
        (cron_job({}, suspend=True), "CronJob other is suspended, so that it never runs"),
        (cron_job({}, suspend=True, schedule="0 3 1 * *"), "or write @yearly where somebody starts it by hand alone"),
        (cron_job({"suspend": True}), "CronJob other is suspended, so that it never runs"),
        (other("Deployment", paused=True), "Deployment other is paused, so that no change of its pods is rolled out"),
        (
            other("StatefulSet", replicas=2, updateStrategy={"rollingUpdate": {"partition": 2}}),
            f"updates its pods from number 2 on, of which there are none, {NOT_ROLLED_OUT}",
        ),
        (other("StatefulSet", updateStrategy={"type": "OnDelete"}), "by which no change reaches its pods"),
        (other("Job", ttlSecondsAfterFinished=60), "is deleted 60 seconds after its end, and so made and run again"),
    ],
)
def test_what_never_or_always_runs_gives_one_sentence(document: Document, told: str) -> None:
    (sentence,) = sentences(document)
    assert told in sentence


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (cron_job({}, schedule="0 24 * * *"), "has the schedule '0 24 * * *', whose hour 24 is not within 0 to 23"),
        (cron_job({}, timeZone="Berlin"), "has the time zone 'Berlin', which is none"),
        (cron_job({"activeDeadlineSeconds": None}, concurrencyPolicy="Forbid"), "keeps all later ones from starting"),
        (cron_job({"activeDeadlineSeconds": None}), "has a run that hangs, which stays"),
        (cron_job({"backoffLimit": 1000}), "has backoffLimit 1000, that many pods for nothing: write 100 at most"),
        (cron_job({}, failedJobsHistoryLimit=101), "has failedJobsHistoryLimit 101"),
        (other("Job", backoffLimit=101), "has backoffLimit 101"),
    ],
)
def test_a_run_comes_and_ends(document: Document, told: str) -> None:
    (sentence,) = sentences(document)
    assert told in sentence


@pytest.mark.parametrize("kind", ["Job", "CronJob"])
def test_a_pod_ends_with_its_job(kind: str) -> None:
    job = other(kind, activeDeadlineSeconds=60) if kind == "Job" else cron_job({"activeDeadlineSeconds": 60})
    spec = job["spec"] if kind == "Job" else job["spec"]["jobTemplate"]["spec"]
    spec["template"]["spec"]["activeDeadlineSeconds"] = 600
    (sentence,) = sentences(job)
    assert "ends after 60 seconds, and each of its pods after 600" in sentence


@pytest.mark.parametrize(
    "document",
    [
        other("Job", suspend=False, activeDeadlineSeconds=60),
        cron_job({}, suspend=True, schedule="@yearly"),
        cron_job({}, suspend=True, schedule="0 0 1 1 *"),
        cron_job({"ttlSecondsAfterFinished": 3600}, suspend=False),
        other("StatefulSet", replicas=3, updateStrategy={"rollingUpdate": {"partition": 2}}),
        other("StatefulSet", updateStrategy={"rollingUpdate": {"partition": 0}}),
    ],
)
def test_what_runs_is_left_alone(document: Document) -> None:
    assert sentences(document) == []


def test_no_rule_is_about_what_serves() -> None:
    documents = environment()
    put(find(documents, "Deployment"), "spec/paused", False)
    assert said(jobs.RULES, documents) == []


@pytest.mark.parametrize(
    ("command", "never_ends"),
    [
        (["sh", "-c", "while true; do sync; sleep 60; done"], True),
        (["sh", "-c", "while :; do sync; done"], True),
        (["sleep", "infinity"], True),
        (["tail", "-f", "/dev/null"], True),
        (["sh", "-c", "while true; do ping && break; sleep 1; done"], False),
        (["sh", "-c", "until ping; do sleep 1; done"], False),
        (["sleep", "5"], False),
    ],
)
def test_what_runs_before_the_others_and_what_a_job_runs_ends(command: list[str], never_ends: bool) -> None:
    first, run = other("Deployment"), other("Job")
    pod = first["spec"]["template"]["spec"]
    put(first, "spec/template/spec", {**pod, "initContainers": [{"name": "first", "command": command}]})
    put(run, "spec/template/spec", {**pod, "containers": [{"name": "run", "command": command}]})
    for document, then in ((first, "the pod never starts"), (run, "its run never succeeds")):
        assert [then in sentence for sentence in sentences(document)] == [True] * never_ends
    beside = other("Deployment")
    put(beside, "spec/template/spec", {**pod, "containers": [{"name": "beside", "command": command}]})
    assert sentences(beside) == []
