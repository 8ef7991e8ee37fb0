"""Charts to a tree: which file of deploy/ holds which objects."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, ClassVar, Protocol

from synth import DefinitionError
from synth.explain import first_line
from synth.manifest import Document, dump, load, ordered
from synth.node import to_json
from synth.patches import misfits

KUSTOMIZATION_FILE = "kustomization.yaml"
KUSTOMIZATION_VERSION = "kustomize.config.k8s.io/v1beta1"
FOLDER_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")

# The names that everyone says, from `kubectl api-resources`; other kinds go by their own name in lower case.
SHORT_NAMES = {
    "HorizontalPodAutoscaler": "hpa",
    "PersistentVolumeClaim": "pvc",
    "PodDisruptionBudget": "pdb",
}

IDENTITY: Mapping[str, type] = {"apiVersion": str, "kind": str, "metadata": dict}
"""What every object has."""

# What must be there before what: namespaces, then what pods need, then pods, then what leads to them.
APPLY_ORDER = (
    "Namespace",
    "CustomResourceDefinition",
    "PriorityClass",
    "IngressClass",
    "ResourceQuota",
    "LimitRange",
    "NetworkPolicy",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "PersistentVolumeClaim",
    "ClusterIssuer",
    "Certificate",
    "Gateway",
    "PeerAuthentication",
    "Telemetry",
    "AuthorizationPolicy",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "PodDisruptionBudget",
    "HorizontalPodAutoscaler",
    "Service",
    "DestinationRule",
    "VirtualService",
)

GENERATED = re.compile(r"(?:#|<!--) Generated from \S+ by `cdk8s synth`")


def header(source: str) -> str:
    """The first line of a generated file; `is_generated` knows it again."""
    return f"# {_origin(source)}\n"


def _origin(source: str) -> str:
    return f"Generated from {source} by `cdk8s synth`. Change that, not this file."


def is_generated(text: str) -> bool:
    return GENERATED.match(text) is not None


def is_cut_off(text: str) -> bool:
    """Whether a text ends within the first line of a generated file."""
    starts = ("# Generated from ", "<!-- Generated from ")
    return "\n" not in text and any(start.startswith(text) or text.startswith(start) for start in starts)


class Chart(Protocol):
    """What a cdk8s chart offers here."""

    def to_json(self) -> list[Any]: ...


class External(Protocol):
    """A file that belongs to the tree and that charts do not make."""

    def problem(self, text: str | None) -> str:
        """What is wrong with its text, None where it is missing, and what to do; nothing where it is right."""


@dataclass(frozen=True)
class Versioned:
    """A file of others that has the line by which its version is known; `made_by` is the command for it."""

    line: str
    made_by: str

    def problem(self, text: str | None) -> str:
        if text is not None and self.line in text.splitlines():
            return ""
        state = "is missing" if text is None else f"has no line {self.line!r}"
        return f"{state}, and charts do not make it: `{self.made_by}` does"


@dataclass(frozen=True)
class Folder:
    """One chart and the folder of the environment's tree that its objects go to.

    `path` is relative to the environment's root: `apps/graphwiki`. `file_names` maps `Kind/name` to a file name
    where a folder keeps somebody else's names; objects with one file name share the file. `external` has the files
    of others in this folder by name. `patches` are the entries of the kustomization's field of that name. Where `kinds`
    are given, the folder has objects of these alone, and all others go to the folder `others`.
    """

    path: str
    chart: Chart
    file_names: Mapping[str, str] = field(default_factory=dict)
    external: Mapping[str, External] = field(default_factory=dict)
    patches: Sequence[Document] = ()
    kinds: Set[str] = frozenset()
    others: str = ""

    def parted(self, objects: Sequence[Document]) -> Iterator[tuple["Folder", Sequence[Document]]]:
        """The folders that its chart's objects fill, and what is in each."""
        if not self.kinds:
            yield self, objects
            return
        yield Folder(self.others, self.chart), [item for item in objects if item["kind"] not in self.kinds]
        yield replace(self, kinds=frozenset()), [item for item in objects if item["kind"] in self.kinds]


@dataclass(frozen=True)
class File:
    """The content of one generated file, and the module it comes from (`charts/graphwiki.py`)."""

    documents: tuple[Document, ...]
    source: str

    def text(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        return header(self.source) + dump(self.documents)


@dataclass(frozen=True)
class Settings:
    """A generated file of YAML for a tool, which no kustomization lists, and the module that it comes from."""

    document: Document
    source: str
    documents: ClassVar[tuple[Document, ...]] = ()
    """It has no objects."""

    def text(self) -> str:
        return header(self.source) + dump([self.document])


@dataclass(frozen=True)
class Page:
    """A generated file of Markdown for people, which no kustomization lists, and the module that it comes from."""

    body: str
    source: str
    documents: ClassVar[tuple[Document, ...]] = ()
    """It has no objects."""

    def text(self) -> str:
        return f"<!-- {_origin(self.source)} -->\n\n{self.body}"


@dataclass(frozen=True)
class Object:
    """One Kubernetes object of a tree, with what is said of it: its chart's module, and its file in deploy/."""

    document: Document
    source: str
    path: str

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0] or "."

    @property
    def kind(self) -> str:
        return str(self.document["kind"])

    @property
    def group(self) -> str:
        """The API group, empty for the core one."""
        api_version = str(self.document["apiVersion"])
        return api_version.partition("/")[0] if "/" in api_version else ""

    @property
    def name(self) -> str:
        return str(self.document["metadata"].get("name", ""))

    @property
    def namespace(self) -> str:
        return str(self.document["metadata"].get("namespace", ""))

    @property
    def spec(self) -> Document:
        return self.document.get("spec") or {}

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What tells one object from another in a cluster: API group, kind, namespace, name."""
        return self.group, self.kind, self.namespace, self.name

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Tree:
    """Files by path from the repository's root: those that charts make, pages about them, and those of others."""

    files: Mapping[str, File | Page | Settings]
    external: Mapping[str, External] = field(default_factory=dict)

    def objects(self) -> Iterator[Object]:
        """Every Kubernetes object, in the order of the files."""
        for path, file in self.files.items():
            for document in file.documents:
                if document["apiVersion"] != KUSTOMIZATION_VERSION:
                    yield Object(document, file.source, path)

    def __or__(self, other: "Tree") -> "Tree":
        """Both trees as one.

        Raises:
            DefinitionError: they have a path in common.
        """
        if shared := self.files.keys() & other.files.keys():
            raise DefinitionError("\n".join(f"{path} belongs to two environments" for path in sorted(shared)))
        return Tree({**self.files, **other.files}, {**self.external, **other.external})


def patched(document: Document, kustomization: Document) -> Document:
    """An object as kustomize makes it with the patches of its folder.

    They put annotations on all of a kind, or are those of RFC 6902; the name in a target is a pattern.
    """
    for patch in kustomization.get("patches", []):
        target, metadata = patch["target"], document["metadata"]
        if target["kind"] != document["kind"] or not re.fullmatch(target.get("name", ".*"), metadata["name"]):
            continue
        change = load(patch["patch"])[0]
        if isinstance(change, list):
            import jsonpatch  # Few folders have such a patch.

            document = jsonpatch.apply_patch(document, change)
        else:
            annotations = {**metadata.get("annotations", {}), **change["metadata"]["annotations"]}
            document = {**document, "metadata": {**metadata, "annotations": annotations}}
    return document


def render(
    root: str, folders: Sequence[Folder], source: str, minor: str, written: Iterator[list[Any]] | None = None
) -> Tree:
    """The tree of one environment, with the kustomization.yaml of every folder below its root.

    `root` is the environment's folder from the repository's root (`deploy`), `source` the module that composes
    the folders; the kustomizations above them are said to come from it. `minor` is the Kubernetes (`1.35`) that has to
    know what is patched by hand. `written` is what `to_json` gives of the folders' charts, where it was asked before.
    Nothing is written.

    Raises:
        DefinitionError: one file is wanted twice, a folder has no name for a file system, or a patch does not fit.
    """
    files: dict[str, File] = {}
    external: dict[str, External] = {}
    filled: list[str] = []

    def add(path: str, file: File) -> None:
        if path in files or path in external:
            raise DefinitionError(
                f"{path} is wanted twice, by {files[path].source if path in files else 'a file of others'} and by "
                f"{file.source}: give one of the two another folder or name"
            )
        files[path] = file

    def fill(folder: Folder, objects: Sequence[Document], module: str) -> None:
        filled.append(folder.path)
        external.update({f"{root}/{folder.path}/{name}": file for name, file in folder.external.items()})
        names = _objects_by_file(folder, objects, module)
        for name, documents in names.items():
            add(f"{root}/{folder.path}/{name}", File(tuple(documents), module))
        listing = _kustomization([*folder.external, *names], module, folder.patches)
        add(f"{root}/{folder.path}/{KUSTOMIZATION_FILE}", listing)

    written = to_json(folder.chart for folder in folders) if written is None else written
    for folder in folders:
        module = module_of(folder.chart)
        objects = _objects(written, folder.path, module)
        if not all(FOLDER_NAME.fullmatch(part) for part in folder.path.split("/")):
            raise DefinitionError(
                f"{folder.path} is no folder for deploy/: use lower case letters, digits, - and . in its name "
                f"({module})"
            )
        if wrong := list(misfits(folder.chart, minor)):
            raise DefinitionError("\n".join(wrong))
        for part, own in folder.parted(objects):
            fill(part, own, module)
    for parent, children in _parents(filled).items():
        add(f"{root}/{parent}/{KUSTOMIZATION_FILE}", _kustomization(children, source))
    return Tree(files, external)


def _objects(written: Iterator[list[Any]], folder: str, module: str) -> list[Document]:
    """The next chart's objects.

    Raises:
        DefinitionError: cdk8s cannot write them down, or one is without what every object has.
    """
    try:
        objects = next(written)
    except RuntimeError as error:
        # https://github.com/cdk8s-team/cdk8s-core/blob/2.x/src/api-object.ts
        text = first_line(error).removeprefix("Error: ")
        at = re.fullmatch(r"Failed serializing construct at path '(?:.*/)?(.+)' with name '(.*?)': (.*)", text)
        what, why = (f"{at[1]}, called {at[2]},", at[3]) if at else ("an object", text)
        raise DefinitionError(f"{folder}: {what} cannot be written down by cdk8s, {why} ({module})") from error
    for document in objects:
        for key, kind in IDENTITY.items():
            if not isinstance(document.get(key), kind):
                what = f"{document.get('kind', 'an object')} {document.get('metadata', {}).get('name', '')}".strip()
                raise DefinitionError(f"{folder}: {what} has lost its {key}: look at what is patched there ({module})")
    return objects


def module_of(chart: object) -> str:
    """The file of a chart's class from the repository's root, `charts/apps/graphwiki.py`."""
    return type(chart).__module__.replace(".", "/") + ".py"


def _objects_by_file(folder: Folder, objects: Sequence[Document], module: str) -> dict[str, list[Document]]:
    documents = [ordered(document) for document in objects]
    documents.sort(key=_rank)
    kinds = Counter(document["kind"] for document in documents)
    files: dict[str, list[Document]] = {}
    for document in documents:
        name = document["metadata"].get("name", "")
        given = folder.file_names.get(f"{document['kind']}/{name}")
        # Flux's kind of that name would otherwise take the file of the folder's own kustomization.
        named = kinds[document["kind"]] > 1 or document["kind"] == "Kustomization"
        file = given or _file_name(document["kind"], name if named else "")
        if file in files and given is None:
            first = files[file][0]
            raise DefinitionError(
                f"{folder.path}: {document['kind']} {name} and {first['kind']} {first['metadata'].get('name', '')}"
                f" both want the file {file}: give one of them another name ({module})"
            )
        files.setdefault(file, []).append(document)
    return files


def _file_name(kind: str, suffix: str) -> str:
    stem = SHORT_NAMES.get(kind, kind.lower())
    # RBAC allows names like system:auth-delegator, which not every file system takes.
    return f"{stem}-{suffix.replace(':', '-')}.yaml" if suffix else f"{stem}.yaml"


def _rank(document: Document) -> int:
    kind = document["kind"]
    return APPLY_ORDER.index(kind) if kind in APPLY_ORDER else len(APPLY_ORDER)


def _kustomization(resources: Iterable[str], source: str, patches: Sequence[Document] = ()) -> File:
    document: Document = {
        "apiVersion": KUSTOMIZATION_VERSION,
        "kind": "Kustomization",
        "resources": list(resources),
    }
    if patches:
        document["patches"] = list(patches)
    return File((document,), source)


def _parents(folders: Iterable[str]) -> dict[str, list[str]]:
    """The folders above the charts' own, each with its children in order, up to the environment's root."""
    children: dict[str, list[str]] = {}
    for path in folders:
        child = PurePosixPath(path)
        while child.parent != PurePosixPath("."):
            known = children.setdefault(str(child.parent), [])
            if child.name not in known:
                known.append(child.name)
            child = child.parent
    return children
