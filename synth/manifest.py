"""Kubernetes objects as YAML text: one spelling for each object, on every machine."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import yaml

Document = dict[str, Any]
"""One Kubernetes object, as the API takes it."""

# The reading order of a mapping's keys: what identifies a thing, what it runs, whom it concerns, how it lives. The
# rest follows by the alphabet.
FIRST_KEYS = {
    key: rank
    for rank, key in enumerate(
        """
        apiVersion kind metadata name namespace labels annotations
        image imagePullPolicy command args env envFrom
        namespaceSelector podSelector policyTypes from to hosts gateways match
        scaleTargetRef minReplicas maxReplicas
        port containerPort ports startupProbe readinessProbe livenessProbe httpGet
        requests limits
        """.split()  # noqa: SIM905, a list of 30 quoted strings is not read
    )
}

# What some YAML reader takes for another type than a string, beyond what PyYAML itself quotes. Go's yaml
# (kubectl, kustomize, Flux) reads y and n as booleans and 1e3 as a number, YAML 1.2 reads 0o7 as one:
# an image tag like 1e3 must stay a tag. https://github.com/go-yaml/yaml#compatibility
AMBIGUOUS = re.compile(
    r"""
      [yYnN]
    | [-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?
    | [-+]?0[xob][0-9a-fA-F_]+
    """,
    re.VERBOSE,
)
PLAIN = re.compile(r"(?:--)?[A-Za-z0-9_./][A-Za-z0-9_./@=,+()~$?&-]*(?:[: ][A-Za-z0-9_./@=,+()~$?&-]+)*")
LONGEST_KEY = 100
"""How long a key is at most whose value stands in its line; PyYAML parts them from 128 signs on."""


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002, PyYAML's signature
        return True


def _represent_str(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    tag = "tag:yaml.org,2002:str"
    if "\n" in text:
        style = "|"
    elif PLAIN.fullmatch(text) and not AMBIGUOUS.fullmatch(text):
        resolved = dumper.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        style = "" if resolved == tag else '"'
    else:
        style = '"'
    return dumper.represent_scalar(tag, text, style=style)


_Dumper.add_representer(str, _represent_str)


def ordered(value: Any) -> Any:
    """The same value with every mapping in reading order: what identifies a thing first, then by the alphabet."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (FIRST_KEYS.get(key, len(FIRST_KEYS)), key))
        return {key: ordered(value[key]) for key in keys}
    if isinstance(value, list):
        return [ordered(item) for item in value]
    return value


def dump(documents: Iterable[Document | list[Document]]) -> str:
    """The documents as one YAML stream, keys in the order they have, as PyYAML writes it in block style.

    A list is a document too, such as a patch is (RFC 6902).

    PyYAML writes every scalar, each different one once: the same few words are most of what Kubernetes objects say. The
    lines are put together here, which takes a quarter of the time; what is not as usual PyYAML writes as a whole.
    """
    documents = list(documents)
    try:
        return "---\n".join("".join(_lines(document)) for document in documents)
    except _Unusual:
        return _pyyaml(documents)


class _Unusual(Exception):  # noqa: N818, nobody is to hear of it
    """Something that PyYAML lays out in another way."""


def _lines(document: Document | list[Document]) -> list[str]:
    return _list_lines(document, "") if isinstance(document, list) else _mapping_lines(document, "")


def _mapping_lines(mapping: dict[str, Any], indent: str) -> list[str]:
    if not mapping:
        raise _Unusual
    lines = []
    for key, value in mapping.items():
        name = _key(key)
        if value and isinstance(value, dict):
            lines.append(f"{indent}{name}:\n")
            lines += _mapping_lines(value, f"{indent}  ")
        elif value and isinstance(value, list):
            lines.append(f"{indent}{name}:\n")
            lines += _list_lines(value, indent)
        else:
            lines.append(f"{indent}{name}: {_leaf(value, indent)}\n")
    return lines


def _list_lines(items: list[Any], indent: str) -> list[str]:
    lines = []
    for item in items:
        if item and isinstance(item, dict | list):
            inner = f"{indent}  "
            below = _mapping_lines(item, inner) if isinstance(item, dict) else _list_lines(item, inner)
            lines.append(f"{indent}- {below[0][len(inner) :]}")
            lines += below[1:]
        else:
            lines.append(f"{indent}- {_leaf(item, indent)}\n")
    return lines


@lru_cache(maxsize=1 << 14)
def _key(key: str) -> str:
    if not isinstance(key, str) or len(key) > LONGEST_KEY or not PLAIN.fullmatch(key):
        raise _Unusual
    return _scalar(key)


def _leaf(value: Any, indent: str) -> str:
    if not isinstance(value, str):
        return _scalar(value) if type(value) in (int, float) else _one(value)
    text = _scalar(value)
    if "\n" not in text:
        return text
    if text.partition("\n")[0] not in ("|", "|-") or value.splitlines() != value.removesuffix("\n").split("\n"):
        raise _Unusual
    # A block of text is as far in as what it belongs to.
    return re.sub(r"\n(?=[^\n])", f"\n{indent}", text)


@lru_cache(maxsize=1 << 16, typed=True)
def _scalar(value: str | float) -> str:
    return _one(value)


def _one(value: Any) -> str:
    return _pyyaml([{"k": value}]).removeprefix("k: ").removesuffix("\n")


def _pyyaml(documents: Iterable[Any]) -> str:
    return yaml.dump_all(
        documents,
        Dumper=_Dumper,
        default_flow_style=False,
        sort_keys=False,
        allow_unicode=True,
        width=2**31 - 1,
    )


def load(text: str) -> list[Document]:
    """The documents of a YAML stream, empty ones left out."""
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]
