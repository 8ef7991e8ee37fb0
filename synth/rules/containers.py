"""Rules for the containers of a pod: image, variables, ports, mounts and probes."""

from collections import Counter
from collections.abc import Iterable, Iterator

from synth.manifest import Document
from synth.names import IMAGE, SERVICE_NAME, VARIABLE
from synth.pods import PROBES, containers, declared, pod_spec, port_names


def check_containers(document: Document) -> Iterator[str]:
    """What is wrong with the containers and volumes of a workload, each as the end of a sentence."""
    for container in containers(document):
        yield from _check_container(container)
        yield from _check_probes(container)
    if containers(document):
        yield from _check_volumes(document)


def _check_container(container: Document) -> Iterator[str]:
    name = container["name"]
    image = container.get("image", "")
    if not IMAGE.fullmatch(image):
        yield f"has container {name} with image {image!r}, which is not an image: registry.example.com/app:1.2 is one"
    elif "@" not in image and ":" not in image.rpartition("/")[2]:
        yield f"has container {name} with image {image!r} without a tag: name the release, as in {image}:1.2"
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
    for mount in container.get("volumeMounts", []):
        if not mount["mountPath"].startswith("/"):
            yield f"mounts {mount['mountPath']!r} in container {name}: a mount path begins with /"
    for what, names in (
        ("port name", (port.get("name") for port in container.get("ports", []))),
        ("port", (f"{port.number}/{port.protocol}" for port in declared([container]))),
        ("environment variable", (variable["name"] for variable in container.get("env", []))),
        ("mount path", (mount["mountPath"] for mount in container.get("volumeMounts", []))),
    ):
        for twice in _repeated(names):
            yield f"has container {name} with the {what} {twice} twice: keep one"


def _repeated(names: Iterable[str | None]) -> list[str]:
    return [name for name, count in Counter(names).items() if name is not None and count > 1]


def _check_probes(container: Document) -> Iterator[str]:
    offered = port_names([container])
    for kind in PROBES:
        probe = container.get(kind, {})
        for action in ("httpGet", "tcpSocket", "grpc"):
            port = probe.get(action, {}).get("port")
            if port is not None and port not in offered:
                yield (
                    f"has {kind} of container {container['name']} on port {port}, but the container declares "
                    f"{', '.join(map(str, offered)) or 'none'}"
                )


def _check_volumes(document: Document) -> Iterator[str]:
    pod = pod_spec(document)
    volumes = [volume["name"] for volume in pod.get("volumes", [])]
    claimed = [claim["metadata"]["name"] for claim in document["spec"].get("volumeClaimTemplates", [])]
    for twice in _repeated(volumes):
        yield f"has two volumes named {twice}: rename one"
    for container in containers(document):
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in (*volumes, *claimed):
                yield (
                    f"mounts volume {mount['name']} in container {container['name']}, but the pod has "
                    f"{', '.join([*volumes, *claimed]) or 'none'}"
                )
