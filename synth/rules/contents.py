"""Rules for files that pods read and write: each can be read, is where pods look for it, or is where they may write."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from pathlib import PurePosixPath

import yaml

from synth.cluster import Cluster, Rule, Violation
from synth.manifest import Document
from synth.pods import containers, pod_spec
from synth.tree import Object


def _parse_yaml(text: str) -> None:
    for _ in yaml.compose_all(text, yaml.CSafeLoader):
        pass


PARSERS: Mapping[str, Callable[[str], object]] = {
    ".json": json.loads,
    ".toml": tomllib.loads,
    ".yaml": _parse_yaml,
    ".yml": _parse_yaml,
}
TEMPLATE = re.compile(r"\{\{|\{%|<%")
"""Of a file that an app fills in before it reads it: Jinja, Go, ERB."""
WRITTEN = re.compile(
    r"-*(?:.*[_.-])?(?:(?:access|error|audit)?[_-]?log[_-]?(?:file|dir|path)|pid[_-]?(?:file|path)|cache[_-]?dir"
    r"|te?mp[_-]?dir)",
    re.IGNORECASE,
)
"""What variables and options call a place that is for writing alone."""
READ_ALONE = {"configMap", "downwardAPI", "image", "projected", "secret"}
"""Volumes that no container can write to."""
OF_EVERY_CONTAINER = ("/dev", "/proc")
PATH = re.compile(r"(?<![\w./:-])/[\w./-]+")


def files_can_be_read(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.of("ConfigMap"):
        for key, text in (item.document.get("data") or {}).items():
            parse = PARSERS.get(PurePosixPath(key).suffix)
            if parse and isinstance(text, str) and not TEMPLATE.search(text):
                try:
                    parse(text)
                except (ValueError, yaml.YAMLError) as error:
                    said = " ".join(str(error).split())
                    yield Violation(item, f"has {key}, which is not what its name says ({said}): write what it is for")


def files_are_where_pods_look(cluster: Cluster) -> Iterator[Violation]:
    """A file of a ConfigMap that a variable or an argument names is one of those that the ConfigMap has."""
    for item in cluster.workloads:
        volumes = {volume["name"]: volume for volume in pod_spec(item.document).get("volumes", [])}
        for container in containers(item.document):
            named = dict(_named(container))
            mounts = {_path(m["mountPath"]): m for m in container.get("volumeMounts", [])}
            for place, path in named.items():
                mount = next(
                    (m for folder, m in mounts.items() if path != folder and path.is_relative_to(folder)), None
                )
                if mount is None or mount.get("subPath"):
                    continue
                source = volumes.get(mount["name"], {}).get("configMap") or {}
                config = cluster.find("ConfigMap", item.namespace, source.get("name", ""))
                if not isinstance(config, Object):
                    continue
                files = _files(config, source)
                inside = path.relative_to(_path(mount["mountPath"]))
                if not any(PurePosixPath(file).is_relative_to(inside) for file in files):
                    yield Violation(
                        item,
                        f"has container {container['name']} with {path} in {place}, but {config} there has "
                        f"{', '.join(files) or 'no files'}: name one of them",
                    )


def files_are_written_where_pods_may(cluster: Cluster) -> Iterator[Violation]:
    """A program whose root is read alone fails when it writes anywhere but below what is mounted."""
    for item in cluster.workloads:
        read = {v["name"] for v in pod_spec(item.document).get("volumes", []) if READ_ALONE & v.keys()}
        for container in containers(item.document):
            if not (container.get("securityContext") or {}).get("readOnlyRootFilesystem"):
                continue
            mounts = [
                mount["mountPath"]
                for mount in container.get("volumeMounts", [])
                if not (mount.get("readOnly") or mount["name"] in read)
            ]
            for place, path in _written(container):
                if not any(_path(path).is_relative_to(_path(folder)) for folder in (*mounts, *OF_EVERY_CONTAINER)):
                    yield Violation(
                        item,
                        f"has container {container['name']} with {place} {path}, where it may not write: name a place "
                        f"below {', '.join(mounts) or 'a volume that it mounts'}",
                    )


def _written(container: Document) -> Iterator[tuple[str, str]]:
    """The places that a container is told to write to: where it is told, and the path."""
    said = [(variable["name"], str(variable.get("value", ""))) for variable in container.get("env", [])]
    words = [str(word) for word in (*(container.get("command") or []), *(container.get("args") or []))]
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        option, is_whole, value = word.partition("=")
        if option.startswith("--"):
            said.append((option, value if is_whole else following))
    yield from ((place, path) for place, path in said if WRITTEN.fullmatch(place) and PATH.fullmatch(path))


def _named(container: Document) -> Iterator[tuple[str, PurePosixPath]]:
    """The files that the variables and the command of a container name, by where they do."""
    for variable in container.get("env", []):
        if str(variable.get("value", "")).startswith("/") and PATH.fullmatch(str(variable["value"])):
            yield variable["name"], _path(variable["value"])
    for field in ("command", "args"):
        for number, word in enumerate(container.get(field, [])):
            value = str(word).rpartition("=")[2]
            if PATH.fullmatch(value):
                yield f"its {field}" + (f", word {number + 1}" if number else ""), _path(value)


def keys_are_there(cluster: Cluster) -> Iterator[Violation]:
    """A pod that asks for a key which its ConfigMap or Secret lacks waits for it, and never starts."""
    for item in cluster.workloads:
        for kind, source, key, what in _keys(item.document):
            name = source.get("name") or source.get("secretName") or ""
            holder = cluster.find(kind, item.namespace, name)
            if not source.get("optional") and isinstance(holder, Object) and key not in (keys := _keys_of(holder)):
                yield Violation(
                    item,
                    f"has {what} take {key} of {holder}, which has {', '.join(keys) or 'no keys'}: name one of them",
                )


def _keys(workload: Document) -> Iterator[tuple[str, Document, str, str]]:
    """Each key that a pod asks for: the kind of what holds it, the reference to that, the key, and for what."""
    for container in containers(workload):
        for variable in container.get("env") or []:
            for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
                if source := (variable.get("valueFrom") or {}).get(field):
                    yield kind, source, str(source.get("key")), f"{variable['name']} of container {container['name']}"
    volumes = {volume["name"]: volume for volume in pod_spec(workload).get("volumes") or []}
    for volume in volumes.values():
        for place in (volume, *((volume.get("projected") or {}).get("sources") or [])):
            for kind, field in HOLDERS:
                for entry in (place.get(field) or {}).get("items") or []:
                    yield kind, place[field], str(entry.get("key")), f"volume {volume['name']}"
    for container in containers(workload):
        for mount in container.get("volumeMounts") or []:
            for kind, field in HOLDERS:
                source = volumes.get(mount["name"], {}).get(field) or {}
                if mount.get("subPath") and source and "items" not in source:
                    what = f"the subPath at {mount['mountPath']} in container {container['name']}"
                    yield kind, source, str(mount["subPath"]).split("/")[0], what


HOLDERS = (("ConfigMap", "configMap"), ("Secret", "secret"))
"""What holds keys, and the field of a volume for it."""


def _files(config: Object, source: Document) -> list[str]:
    return [entry["path"] for entry in source["items"]] if "items" in source else _keys_of(config)


def _keys_of(holder: Object) -> list[str]:
    return [key for field in ("data", "binaryData", "stringData") for key in holder.document.get(field) or {}]


def _path(text: object) -> PurePosixPath:
    return PurePosixPath("/" + str(text).strip("/"))


RULES: tuple[Rule, ...] = (
    files_can_be_read,
    files_are_where_pods_look,
    files_are_written_where_pods_may,
    keys_are_there,
)
