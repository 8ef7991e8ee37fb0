"""Rules for files of configuration: each can be read as what it is called, and is there where pods look for it."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
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


def _files(config: Object, source: Document) -> list[str]:
    if "items" in source:
        return [entry["path"] for entry in source["items"]]
    return [*(config.document.get("data") or {}), *(config.document.get("binaryData") or {})]


def _path(text: object) -> PurePosixPath:
    return PurePosixPath("/" + str(text).strip("/"))


RULES: tuple[Rule, ...] = (files_can_be_read, files_are_where_pods_look)
