"""A worker: pods that nothing calls."""

from charts.shapes.app import App
from charts.shapes.deployment import DeploymentWorkload
from charts.shapes.pod import Pod
from charts.shapes.replicas import Replicas
from synth.forms import Label, formed


@formed
class Worker(DeploymentWorkload):
    """Pods without a port that run until they are replaced; each container says how it is asked, by a `command`.

    Raises:
        ValueError: a container cannot be asked, or several replicas would not see the same.
    """

    def __init__(
        self, app: App, name: Label, *, pod: Pod, replicas: Replicas | None = None, local_state: bool = False
    ) -> None:
        super().__init__(app, name, pod, replicas=replicas or Replicas(), local_state=local_state)
