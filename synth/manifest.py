"""Kubernetes objects as YAML text: one spelling for each object, on every machine."""

import re
from collections.abc import Iterable
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


def dump(documents: Iterable[Document]) -> str:
    """The documents as one YAML stream, keys in the order they have."""
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
