"""What to do instead of a change that the API server refuses, step by step, for each kind."""

from collections.abc import Callable, Mapping, Sequence

from synth.changes.sides import code, command
from synth.tree import Object

Steps = tuple[str, ...]


def remedy(item: Object, paths: Sequence[str]) -> Steps:
    """The steps for an object as it was, of which the fields at some paths would change."""
    return REMEDIES.get(item.kind, _another_name)(item, paths)


def _another_name(_: Object, __: Sequence[str]) -> Steps:
    return (
        "Leave it as it was.",
        "If it has to be another: add it under another name, and let what refers to it name the new one.",
        "Remove the old one in a later commit, when nothing refers to it.",
    )


def _volume(item: Object, paths: Sequence[str]) -> Steps:
    if any(path.endswith("requests.storage") for path in paths):
        first = "Leave the size as it was: a volume can grow, never shrink."
    else:
        first = "Leave it as it was: the data is on the volume that it has."
    # What the cluster wrote into a claim where its file says nothing.
    given = [name for name in ("storageClassName", "volumeName") if f"spec.{name}" in paths and name not in item.spec]
    return (
        first,
        *(
            f"If {code(name)} is what {command('get', item, '-o yaml')} has, it changes nothing: say so."
            for name in given
        ),
        "To move to another volume: save the data, and add a claim under another name in a first commit.",
        "Copy the data, then let the workload mount the new claim in a second commit.",
        "Remove the old claim in a third one, when the data is seen to be there.",
    )


def _stateful_set(item: Object, paths: Sequence[str]) -> Steps:
    grow = "To grow its volumes: raise the size of each claim that is there, with `kubectl patch pvc`."
    return (
        "Leave it as it was.",
        *((grow,) if any("volumeClaimTemplates" in path for path in paths) else ()),
        "If it has to change: suspend Flux in this cluster, then merge.",
        f"{command('delete', item, '--cascade=orphan')} removes the StatefulSet alone; pods and claims stay.",
        "Resume Flux: it makes the StatefulSet anew, which takes over the pods that its selector still finds.",
    )


def _selector(item: Object, _: Sequence[str]) -> Steps:
    labels = ",".join(
        f"{key}={value}" for key, value in ((item.spec.get("selector") or {}).get("matchLabels") or {}).items()
    )
    owned = "replicaset" if item.kind == "Deployment" else "pod"
    return (
        "Leave the selector as it was; a label that is for people belongs to the template alone.",
        "If it has to change: suspend Flux in this cluster, then merge.",
        f"{command('delete', item, '--cascade=orphan')} leaves the pods, which go on answering.",
        "Resume Flux: it makes the object anew, with pods of its own.",
        f"When those are ready, remove the {owned} that has {code(labels)} and not the new labels.",
    )


def _job(_: Object, __: Sequence[str]) -> Steps:
    return (
        "Give the Job another name whenever it changes, with the release in it for example.",
        "Or annotate it with `kustomize.toolkit.fluxcd.io/force: enabled`: Flux then deletes it and makes it anew.",
    )


def _service(_: Object, __: Sequence[str]) -> Steps:
    return (
        "Leave its address to the cluster, as it was.",
        "If it has to change: add a Service under another name, and let callers and routes name that one.",
        "Remove the old one in a later commit, when nobody calls it.",
    )


def _content(_: Object, __: Sequence[str]) -> Steps:
    return (
        "Add it under another name, with a hash of its content in it for example, and let the pods name that one.",
        "Remove the old one in a later commit.",
    )


def _definition(_: Object, __: Sequence[str]) -> Steps:
    return (
        "Leave the CRD as it was; a version may be added and served beside those that are there.",
        "Before a version leaves: let another one be stored, and write every object once.",
        "Take the old version out of `status.storedVersions`, then out of the file.",
    )


def _pod(_: Object, __: Sequence[str]) -> Steps:
    return ("Let a Deployment make the pods: it replaces them when their template changes.",)


REMEDIES: Mapping[str, Callable[[Object, Sequence[str]], Steps]] = {
    "PersistentVolumeClaim": _volume,
    "PersistentVolume": _volume,
    "StatefulSet": _stateful_set,
    "Deployment": _selector,
    "DaemonSet": _selector,
    "ReplicaSet": _selector,
    "Job": _job,
    "Service": _service,
    "ConfigMap": _content,
    "Secret": _content,
    "CustomResourceDefinition": _definition,
    "Pod": _pod,
}
"""How to go about each kind; every other one gets another name."""
