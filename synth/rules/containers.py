"""Rules for the containers of a pod: image, variables, ports, mounts and probes."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import permutations
from pathlib import PurePosixPath

from synth.manifest import Document
from synth.names import IMAGE, LABEL, LABEL_LENGTH, SERVICE_NAME, VARIABLE
from synth.pods import PROBES, containers, declared, pod_spec, pod_template, port_names

ACTIONS = ("exec", "grpc", "httpGet", "tcpSocket")
"""How a probe may ask."""
SHELLS = ("sh", "bash", "ash", "dash")
IGNORED = re.compile(r"\|\|\s*(?:true|:)$")
"""Behind a command, whose failure it hides."""
OF_ISTIO = ("istio-init", "istio-proxy", "istio-validation")
"""What Istio's injection adds to a pod: https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/"""
OF_THE_PROXY = "sidecar.istio.io/userVolumeMount"
"""Says what Istio's proxy mounts of a pod's volumes."""
FILES = {"configMap", "secret", "downwardAPI", "projected"}
"""Volumes of files alone, in which nothing can be made."""
OF_THE_CONTAINER = frozenset(
    f"/{name}" for name in ("", "bin", "dev", "etc", "lib", "lib64", "proc", "sbin", "sys", "usr", "usr/bin", "usr/lib")
)
"""Without its own files there a container does not start."""


def check_containers(document: Document) -> Iterator[str]:
    """What is wrong with the containers and volumes of a workload, each as the end of a sentence."""
    for container in containers(document):
        yield from _check_container(container)
        yield from _check_probes(container)
    if containers(document):
        yield from _check_pod(document)
        yield from _check_volumes(document)


def _check_pod(document: Document) -> Iterator[str]:
    """What the containers of a pod, which share one network, may not have twice."""
    pod = pod_spec(document)
    every = containers(document)
    named = [("container", item["name"]) for item in every] + [("volume", v["name"]) for v in pod.get("volumes", [])]
    for what, name in named:
        if not (len(name) <= LABEL_LENGTH and LABEL.fullmatch(name)):
            yield f"has {what} {name!r}: use at most {LABEL_LENGTH} lower case letters, digits and -"
    for name in sorted({item["name"] for item in every if item["name"] in OF_ISTIO}):
        yield f"has a container named {name}, which is what Istio calls its own: rename it"
    for twice in _repeated(item["name"] for item in every):
        yield f"has two containers named {twice}: rename one"
    # Init containers end before the others begin, unless they are restarted always.
    first = [item for item in pod.get("initContainers", []) if item.get("restartPolicy") == "Always"]
    users: dict[str, str] = {}
    for container in (*first, *pod.get("containers", [])):
        for port in dict.fromkeys(declared([container])):
            for what in filter(None, (f"port {port}", port.name and f"port name {port.name}")):
                other = users.setdefault(what, container["name"])
                if other != container["name"]:
                    yield f"has containers {other} and {container['name']} with the same {what}: give one another"


def _check_container(container: Document) -> Iterator[str]:
    name = container["name"]
    image = container.get("image", "")
    if not IMAGE.fullmatch(image):
        yield f"has container {name} with image {image!r}, which is not an image: registry.example.com/app:1.2 is one"
    elif "@" not in image and ":" not in image.rpartition("/")[2]:
        yield f"has container {name} with image {image!r} without a tag: name the release, as in {image}:1.2"
    if not str(container.get("terminationMessagePath", "/")).startswith("/"):
        yield (
            f"has container {name} with terminationMessagePath {container['terminationMessagePath']!r}: a file begins "
            "with /"
        )
    if not container.get("workingDir", "/").startswith("/"):
        yield f"has container {name} with workingDir {container['workingDir']!r}: a folder begins with /"
    for variable in container.get("env", []):
        if not VARIABLE.fullmatch(variable["name"]):
            yield (
                f"has container {name} with the environment variable {variable['name']!r}: "
                "use letters, digits, _, - and ., and no digit first"
            )
    for port in container.get("ports", []):
        if "name" in port and not SERVICE_NAME.fullmatch(port["name"]):
            yield (
                f"has container {name} with the port name {port['name']!r}: use at most 15 lower case letters, digits "
                "and -, one of them a letter"
            )
    yield from _check_mounts(container)
    for what, names in (
        ("port name", (port.get("name") for port in container.get("ports", []))),
        ("port", (f"{port.number}/{port.protocol}" for port in declared([container]))),
        ("environment variable", (variable["name"] for variable in container.get("env", []))),
        ("mount path", (_folder(mount["mountPath"]) for mount in container.get("volumeMounts", []))),
    ):
        for twice in _repeated(names):
            yield f"has container {name} with the {what} {twice} twice: keep one"


def _check_mounts(container: Document) -> Iterator[str]:
    name = container["name"]
    for mount in container.get("volumeMounts", []):
        path = str(mount["mountPath"])
        if not path.startswith("/") or ":" in path:
            yield f"mounts {path!r} in container {name}: a mount path begins with / and has no colon"
        elif _folder(path) in OF_THE_CONTAINER:
            yield f"mounts volume {mount['name']} over {path} in container {name}: choose a folder that is its own"
        inside = str(mount.get("subPath", ""))
        if inside.startswith("/") or ".." in inside.split("/"):
            yield f"mounts {inside!r} of volume {mount['name']} in container {name}: a subPath begins at its root"


def _folder(path: str) -> str:
    return "/" + path.strip("/")


def _repeated(names: Iterable[str | None]) -> list[str]:
    return [name for name, count in Counter(names).items() if name is not None and count > 1]


def _check_probes(container: Document) -> Iterator[str]:
    offered = port_names([container])
    commands = {
        kind: list(map(str, ((container.get(kind) or {}).get("exec") or {}).get("command") or [])) for kind in PROBES
    }
    if asked := [kind for kind, command in commands.items() if _always_ends_well(command)]:
        yield (
            f"has {' and '.join(asked)} of container {container['name']} run {' '.join(commands[asked[0]])!r}, which "
            "ends with 0 whatever the container does: run what asks it"
        )
    for kind in PROBES:
        probe = container.get(kind) or {}
        if kind != "readinessProbe" and probe.get("successThreshold", 1) != 1:
            yield (
                f"has {kind} of container {container['name']} with successThreshold {probe['successThreshold']}: "
                "Kubernetes takes 1 alone, leave it out"
            )
        if kind == "readinessProbe" and "terminationGracePeriodSeconds" in probe:
            yield (
                f"has {kind} of container {container['name']} with terminationGracePeriodSeconds: nothing is ended for "
                "it, leave it out"
            )
        actions = [action for action in ACTIONS if action in probe]
        if probe and len(actions) != 1:
            yield (
                f"has {kind} of container {container['name']} with {' and '.join(actions) or 'no action'}: write one "
                f"of {', '.join(ACTIONS)}"
            )
        for action in ("httpGet", "tcpSocket", "grpc"):
            port = probe.get(action, {}).get("port")
            if port is not None and port not in offered:
                yield (
                    f"has {kind} of container {container['name']} on port {port}, but the container declares "
                    f"{', '.join(map(str, offered)) or 'none'}"
                )
        yield from _check_scheme(container, kind, probe.get("httpGet") or {})
    for hook, handler in (container.get("lifecycle") or {}).items():
        for action in ("httpGet", "tcpSocket"):
            there = (handler.get(action) or {}) if isinstance(handler, dict) else {}
            if "port" in there and "host" not in there and (port := there["port"]) not in offered:
                yield (
                    f"has {hook} of container {container['name']} ask port {port}, but the container declares "
                    f"{', '.join(map(str, offered)) or 'none'}"
                )


def _always_ends_well(command: list[str]) -> bool:
    """Whether a command says nothing of what it is asked about."""
    if len(command) > 2 and PurePosixPath(command[0]).name in SHELLS and command[1] == "-c":  # noqa: PLR2004
        text = command[2].strip().rstrip(";")
        if IGNORED.search(text) and "exit" not in text:
            return True
        command = text.split()
    first, *rest = command or [""]
    chained = any(letter in word for word in command for letter in ";&|$`")
    return not chained and (PurePosixPath(first).name in ("true", ":", "echo") or [first, *rest] == ["exit", "0"])


def _check_scheme(container: Document, kind: str, asked: Document) -> Iterator[str]:
    """A port that is called after its protocol is asked by that one."""
    names = {port.number: port.name for port in declared([container])}
    name, scheme = str(names.get(asked.get("port", 0), asked.get("port"))), asked.get("scheme", "HTTP")
    spoken = name.partition("-")[0]
    right = {"http": "HTTP", "http2": "HTTP", "https": "HTTPS", "tls": "HTTPS"}.get(spoken, scheme)
    if asked and scheme != right:
        yield f"has {kind} of container {container['name']} ask port {name} by {scheme}: write {right}"


def _check_volumes(document: Document) -> Iterator[str]:
    pod = pod_spec(document)
    volumes = [volume["name"] for volume in pod.get("volumes", [])]
    claimed = [claim["metadata"]["name"] for claim in document["spec"].get("volumeClaimTemplates", [])]
    for twice in _repeated(volumes):
        yield f"has two volumes named {twice}: rename one"
    mounts = [mount for container in containers(document) for mount in container.get("volumeMounts", [])]
    annotations = (pod_template(document).get("metadata") or {}).get("annotations") or {}
    for volume in pod.get("volumes", []) if OF_THE_PROXY not in annotations else ():
        own = [mount for mount in mounts if mount["name"] == volume["name"]]
        if "emptyDir" in volume and own and all(mount.get("readOnly") for mount in own):
            yield f"has emptyDir {volume['name']}, which nobody may write to: leave readOnly out of one of its mounts"
    files = {volume["name"] for volume in pod.get("volumes", []) if FILES & volume.keys()}
    for container in containers(document):
        for outer, inner in permutations(container.get("volumeMounts", []), 2):
            within = PurePosixPath(outer["mountPath"]) in PurePosixPath(inner["mountPath"]).parents
            if outer["name"] in files and within and not inner.get("subPath"):
                yield (
                    f"mounts volume {inner['name']} at {inner['mountPath']} in container {container['name']}, within "
                    f"{outer['name']} at {outer['mountPath']}, where no folder can be made for it: mount one of the "
                    "two elsewhere"
                )
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in (*volumes, *claimed):
                yield (
                    f"mounts volume {mount['name']} in container {container['name']}, but the pod has "
                    f"{', '.join([*volumes, *claimed]) or 'none'}"
                )
