"""How charts become files: render to a tree of documents, check it, publish it.

Knows Kubernetes, Kustomize, Istio and Flux; knows nothing of GraphWiki.
"""

from pathlib import Path

ROOT = Path(__file__).parent.parent
"""The folder of this checkout, which every other path is below."""


class DefinitionError(Exception):
    """The definition or the tree is wrong: exit code 1. The text is whole sentences, one a line."""

    exit_code = 1


class ToolError(Exception):
    """A tool, a file system or a cluster that the command needs is missing or failed: exit code 3."""

    exit_code = 3
