"""Jobs: one that runs by the clock, and one that runs once."""

from typing import Annotated, ClassVar

from cdk8s_plus_27 import k8s

from charts.shapes.app import App
from charts.shapes.exemptions import as_annotations
from charts.shapes.pod import Pod
from charts.shapes.workload import Workload
from facts.provided import MADE_ANEW
from synth.forms import formed, named, within
from synth.names import LABEL
from synth.schedule import check_schedule, period

LONGEST_RUN = 3600
"""How many seconds a run may take that says nothing."""
WEEK = 7 * 24 * 3600

# A job is called after its CronJob and the time, in 63 characters:
# https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/
JobName = Annotated[str, named(LABEL, "lower case letters, digits and -", 52)]
Deadline = Annotated[int, within(range(1, WEEK + 1), "is no number of seconds for a run: 1 to 604800, a week, are")]
Retries = Annotated[int, within(range(11), "is no number of tries: 0 to 10 are")]


@formed
class CronJob(Workload):
    """A pod that runs at each time of `schedule` until it is done, one at a time.

    `schedule` is a line of cron, in `time_zone`. A run that takes longer than `deadline_seconds` is ended: by itself
    after an hour, or when the next one is to begin, if that is sooner. One that fails is tried `retries` times more. A
    run that could not start within ten minutes of its time is left out, and one whose predecessor still runs as well.
    With a Volume of an app that one node alone can mount, it runs on the node of the pods that have it: define those
    before it. `cron_job` is the object itself, for what no shape offers.

    https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/

    Raises:
        ValueError: the schedule is no line of cron, there is no such time zone, or the deadline is past the next run.
    """

    serves: ClassVar[bool] = False

    def __init__(
        self,
        app: App,
        name: JobName,
        *,
        schedule: str,
        pod: Pod,
        time_zone: str = "Etc/UTC",
        deadline_seconds: Deadline | None = None,
        retries: Retries = 1,
    ) -> None:
        check_schedule(name, schedule, time_zone)
        every = period(schedule)
        if deadline_seconds and deadline_seconds > every:
            raise ValueError(
                f"{name} has {deadline_seconds} seconds for a run and begins one every {every}, so that one that hangs "
                "leaves out the next: give it a shorter deadline_seconds, or run it less often"
            )
        super().__init__(app, name, pod, count=1)
        self.cron_job = k8s.KubeCronJob(
            app,
            f"cron-job-{name}",
            metadata=self.metadata(as_annotations(self.exemptions())),
            spec=k8s.CronJobSpec(
                schedule=schedule,
                time_zone=time_zone,
                concurrency_policy="Forbid",
                starting_deadline_seconds=600,
                successful_jobs_history_limit=1,
                failed_jobs_history_limit=3,
                job_template=k8s.JobTemplateSpec(
                    spec=k8s.JobSpec(
                        active_deadline_seconds=deadline_seconds or min(every, LONGEST_RUN),
                        backoff_limit=retries,
                        template=self.template(restart_policy="Never"),
                    )
                ),
            ),
        )


@formed
class Job(Workload):
    """A pod that runs once until it is done, and once more whenever something of it changes, its image say.

    Flux deletes the job then, its pod too if that still runs, and makes it anew: a job has to bear being ended and
    being run again. It is not waited for by the app's other pods. A run that takes longer than `deadline_seconds` is
    ended; one that fails is tried `retries` times more, and then Flux says that the app's roll-out has failed. What is
    done stays as it is, or Flux would run it again. `job` is the object itself, for what no shape offers.

    https://kubernetes.io/docs/concepts/workloads/controllers/job/
    """

    serves: ClassVar[bool] = False

    def __init__(
        self, app: App, name: JobName, *, pod: Pod, deadline_seconds: Deadline = 3600, retries: Retries = 1
    ) -> None:
        super().__init__(app, name, pod, count=1)
        self.job = k8s.KubeJob(
            app,
            f"job-{name}",
            metadata=self.metadata({**as_annotations(self.exemptions()), **MADE_ANEW}),
            spec=k8s.JobSpec(
                active_deadline_seconds=deadline_seconds,
                backoff_limit=retries,
                template=self.template(restart_policy="Never"),
            ),
        )
