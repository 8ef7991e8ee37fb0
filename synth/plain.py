"""Which text YAML reads as text: readers of YAML 1.1 (PyYAML) and of 1.2 (Terraform, Go) do not agree on every one."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from synth import DefinitionError

# What YAML 1.2 takes for something else than text: https://yaml.org/spec/1.2.2/#1032-tag-resolution. PyYAML knows what
# 1.1 does.
NOT_TEXT = re.compile(
    r"|~|null|Null|NULL|true|True|TRUE|false|False|FALSE"
    r"|[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
TEXT = "tag:yaml.org,2002:str"
QUOTES = ("'", '"', "|", ">")


def parsed(text: str, name: str) -> tuple[yaml.Node | None, Any]:
    """The nodes of a text that a person wrote, with what PyYAML makes of them; `name` is the file's.

    Raises:
        DefinitionError: it is no YAML.
    """
    try:
        return yaml.compose(text, yaml.CSafeLoader), yaml.load(text, yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DefinitionError(f"{name} is no YAML: {' '.join(str(error).split())}") from error


def is_text(scalar: yaml.Node) -> bool:
    """Whether every reader takes a value for text: it is in quotes, or looks like nothing else."""
    return (
        isinstance(scalar, yaml.ScalarNode)
        and scalar.tag == TEXT
        and (scalar.style in QUOTES or not NOT_TEXT.fullmatch(scalar.value))
    )


def repeated(node: yaml.Node | None) -> Iterator[str]:
    """The keys that stand twice in a mapping of a document, each as the start of a sentence."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield f"{key.value} stands there twice, again in line {key.start_mark.line + 1}: keep one"
            seen.add(key.value)
            yield from repeated(value)


def quoted(text: str) -> str:
    """A text as YAML that every reader takes for text. It must have no quote, backslash or line break."""
    return f'"{text}"'
