"""What stands in for each image of a tree, on a node that no registry can be reached from.

Flux's controllers are themselves, built from their source. An app is a program that behaves as the objects say of it:
it answers at its ports, writes to its volumes, and where it is a job, an init container or a command of a probe it ends
well. https://kubernetes.io/docs/concepts/workloads/pods/
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.gate.node import programs
from scripts.gate.node.images import Image, full
from synth.manifest import Document

PROGRAM = "/pods"
APP = PROGRAM, "serve"
"""What an image runs whose container says nothing else."""
SLEEP = "/bin/sleep"
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
WRITABLE = ("emptyDir", "persistentVolumeClaim", "ephemeral")
"""The kinds of volumes that an app may write to."""


def images(objects: Iterable[Document]) -> dict[str, Image]:
    """What stands in for each image that objects name, by its reference there."""
    uses: dict[str, list[_Use]] = {}
    for pod in (pod for item in objects for pod in _pods(item.get("spec"))):
        for use in _uses(pod):
            uses.setdefault(use.container["image"], []).append(use)
    return {reference: _stand_in(reference, found) for reference, found in uses.items()}


@dataclass(frozen=True)
class _Use:
    """A container of a pod, and whether the pod waits for its end."""

    container: Document
    pod: Document
    ends: bool

    @property
    def command(self) -> tuple[str, ...]:
        return (*(self.container.get("command") or APP), *(self.container.get("args") or ()))

    @property
    def others(self) -> Iterator[tuple[str, ...]]:
        """What is run in the container beside it."""
        lifecycle = self.container.get("lifecycle") or {}
        for what in (*map(self.container.get, PROBES), lifecycle.get("preStop"), lifecycle.get("postStart")):
            if what and "exec" in what:
                yield tuple(what["exec"]["command"])

    @property
    def ports(self) -> Iterator[str]:
        for port in self.container.get("ports") or ():
            if port.get("protocol", "TCP") == "TCP":
                yield str(port["containerPort"])

    @property
    def folders(self) -> Iterator[str]:
        volumes = self.pod.get("volumes") or ()
        # The volumes of a StatefulSet's own claims stand beside the pod.
        others = {item["name"] for item in volumes if not any(kind in item for kind in WRITABLE)}
        for mount in self.container.get("volumeMounts") or ():
            if mount["name"] not in others and not mount.get("readOnly"):
                yield mount["mountPath"]


def _stand_in(reference: str, uses: Sequence[_Use]) -> Image:
    name = full(reference)[1].rpartition("/")[2]
    if name in programs.CONTROLLERS:
        place = f"/usr/local/bin/{name}"
        return Image({place: programs.controller(name).make()}, (place,))
    others = [command for use in uses for command in use.others]
    ends = [use.command for use in uses if use.ends] + [one for one in others if one[0] not in ("sleep", SLEEP)]
    called = [command[0] for command in (*(use.command for use in uses), *others)]
    # Where a name without a folder is looked for.
    places = (name if name.startswith("/") else f"/usr/local/bin/{name}" for name in called if name != "sleep")
    environment = {
        "ENDS": json.dumps(ends),
        "PORTS": " ".join(dict.fromkeys(port for use in uses for port in use.ports)),
        "WRITES": " ".join(dict.fromkeys(folder for use in uses for folder in use.folders)),
    }
    links = {place: PROGRAM for place in (SLEEP, *places) if place != PROGRAM}
    return Image({PROGRAM: programs.PODS.make()}, APP, links, environment)


def _pods(node: Any) -> Iterator[Document]:
    """The specifications of pods in an object's own, however deep."""
    if isinstance(node, dict):
        if isinstance(node.get("containers"), list):
            yield node
        else:
            for value in node.values():
                yield from _pods(value)
    elif isinstance(node, list):
        for item in node:
            yield from _pods(item)


def _uses(pod: Document) -> Iterator[_Use]:
    for container in pod["containers"]:
        yield _Use(container, pod, ends=pod.get("restartPolicy", "Always") != "Always")
    for container in pod.get("initContainers") or ():
        yield _Use(container, pod, ends=container.get("restartPolicy") != "Always")
