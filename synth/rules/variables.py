"""Rules for variables of the environment: what is written into commands, and the folders that they name.

Kubernetes puts the value of a variable where $(NAME) stands, and leaves what it does not know as it is, in silence.
https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from pathlib import PurePosixPath

from synth.cluster import Cluster, Rule, Violation
from synth.manifest import Document
from synth.pods import containers, pod_spec
from synth.quantity import as_quantity
from synth.takes import amount_of
from synth.tree import Object

# Pairs of $ before it stand for one $ each, and an odd one makes it text.
REFERENCE = re.compile(r"(?<!\$)(?:\$\$)*\$\(([-._A-Za-z][-._A-Za-z0-9]*)\)")
OF_A_SHELL = re.compile(r"(?<!\$)\$\{([A-Z_][A-Z0-9_]*)\}")
"""As shells and Compose have it: what is in lower case may be a template of the app's own."""
SHELLS = ("sh", "bash", "ash", "dash", "zsh", "ksh")
OF_EVERY_POD = "KUBERNETES_"
"""What the names begin with that every container gets: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables"""
# What an app calls the folder that it keeps its data in.
FOLDER = re.compile(r"(?:.*_)?(?:DATA|UPLOADS?|STORAGE)_?(?:DIR|DIRECTORY|FOLDER|HOME|PATH|ROOT)|PGDATA")
KEPT = ("persistentVolumeClaim", "ephemeral")
"""Volumes that an app keeps its data in."""
ALIKE = 0.9
"""From which share of equal letters on a path is taken for another one misspelt."""


def variables_are_known_where_they_are_used(cluster: Cluster) -> Iterator[Violation]:
    for item in cluster.workloads:
        for container in containers(item.document):
            for problem in _problems(cluster, item, container):
                yield Violation(item, f"has container {container['name']} {problem}")


def _problems(cluster: Cluster, item: Object, container: Document) -> Iterator[str]:
    named = [variable["name"] for variable in container.get("env", [])]
    others = _from_elsewhere(cluster, item, container)
    if others is None:
        return
    known = {*named, *others}
    for number, variable in enumerate(container.get("env", [])):
        value = str(variable.get("value", ""))
        for name in dict.fromkeys(REFERENCE.findall(value)):
            if name in named[number:] and name not in (*named[:number], *others):
                yield f"with $({name}) in {variable['name']}, which stands before {name}: move it behind that"
            elif not _is_known(name, known):
                yield f"with $({name}) in {variable['name']}, {_there_are(named)}"
        for name in dict.fromkeys(OF_A_SHELL.findall(value)):
            if not _is_known(name, known):
                yield f"with ${{{name}}} in {variable['name']}, which nobody fills in: {_written(named)}"
    for field in ("command", "args"):
        text = " ".join(map(str, container.get(field, [])))
        if _has_a_shell(container):
            continue
        for name in dict.fromkeys(REFERENCE.findall(text)):
            # Where the image says what runs, it may be a shell, and this a command for it.
            if not _is_known(name, known) and (container.get("command") or name.isupper()):
                yield f"with $({name}) in its {field}, {_there_are(named)}"
        for name in dict.fromkeys(OF_A_SHELL.findall(text)):
            yield f"with ${{{name}}} in its {field}, which no shell reads: write $({name})"


def _from_elsewhere(cluster: Cluster, item: Object, container: Document) -> Sequence[str] | None:
    """The variables that come from whole ConfigMaps; None where somebody brings some that are not known here."""
    found: list[str] = []
    for source in container.get("envFrom", []):
        reference = source.get("configMapRef") or {}
        origin = cluster.find("ConfigMap", item.namespace, reference.get("name", ""))
        if not isinstance(origin, Object):
            return None
        found += [f"{source.get('prefix', '')}{key}" for key in origin.document.get("data") or {}]
    return found


def _is_known(name: str, known: set[str]) -> bool:
    return name in known or name.startswith(OF_EVERY_POD)


def _there_are(named: Sequence[str]) -> str:
    return f"which is no variable of it: there are {', '.join(named) or 'none'}; $$( stands for $( itself"


def _written(named: Sequence[str]) -> str:
    return f"write $(NAME) for another variable, of which there are {', '.join(named) or 'none'}, or the value itself"


def _has_a_shell(container: Document) -> bool:
    words = [str(word) for word in (*container.get("command", []), *container.get("args", []))]
    return any(PurePosixPath(word).name in SHELLS for word in words)


def folders_of_data_are_mounted(cluster: Cluster) -> Iterator[Violation]:
    """What an app writes beside its volumes fails on a root that is read alone, and is lost on any other."""
    for item in cluster.workloads:
        volumes = _volumes(item)
        for container in containers(item.document):
            mounts = {_path(m["mountPath"]): volumes.get(m["name"], "") for m in container.get("volumeMounts", [])}
            kept = [path for path, kind in mounts.items() if kind in KEPT]
            for variable in container.get("env", []) if kept else ():
                path = str(variable.get("value", ""))
                if not path.startswith("/") or any(_path(path).is_relative_to(mount) for mount in mounts):
                    continue
                near = get_close_matches(str(_path(path)), map(str, kept), 1, ALIKE)
                if near or FOLDER.fullmatch(variable["name"].upper()):
                    yield Violation(
                        item,
                        f"has container {container['name']} with {variable['name']} {path}, where nothing is mounted: "
                        f"its volumes are at {', '.join(near or map(str, kept))}",
                    )


def memory_of_a_runtime_is_there(cluster: Cluster) -> Iterator[Violation]:
    """A runtime that is told to take more than the container may is killed before it looks for what it can free."""
    for item in cluster.workloads:
        for container in containers(item.document):
            limit = amount_of(((container.get("resources") or {}).get("limits") or {}).get("memory", 0))
            for place, text in _settings(container):
                for pattern, units in RUNTIMES:
                    for number, unit in pattern.findall(text):
                        if limit and Decimal(number) * units[unit.lower()] >= limit:
                            yield Violation(
                                item,
                                f"has container {container['name']} with {number}{unit} of memory for its runtime in "
                                f"{place}, but is killed at {as_quantity(limit, binary=True)}: leave some to the rest "
                                "of the process, or raise the limit",
                            )


def _settings(container: Document) -> Iterator[tuple[str, str]]:
    for variable in container.get("env", []):
        name, value = variable["name"], str(variable.get("value", ""))
        yield name, f"{name}={value}" if name == "GOMEMLIMIT" else value
    for field in ("command", "args"):
        yield f"its {field}", " ".join(map(str, container.get(field, [])))


KIB = Decimal(1024)
POWERS = {"": KIB**0, "k": KIB, "m": KIB**2, "g": KIB**3, "t": KIB**4}
# https://docs.oracle.com/en/java/javase/21/docs/specs/man/java.html, https://nodejs.org/api/cli.html and
# https://pkg.go.dev/runtime
RUNTIMES = (
    (re.compile(r"-Xmx(\d+)([kKmMgGtT]?)\b"), POWERS),
    (re.compile(r"--max[-_]old[-_]space[-_]size=(\d+)()"), {"": KIB**2}),
    (
        re.compile(r"^GOMEMLIMIT=(\d+)([KMGT]iB|B|)$"),
        {**{f"{p}ib": v for p, v in POWERS.items() if p}, "b": KIB**0, "": KIB**0},
    ),
)


def nothing_is_left_from_development(cluster: Cluster) -> Iterator[Violation]:
    """Debuggers, reloaders and pages of errors are for who writes an app; who visits it must not reach them.

    Of a cluster that names its images by digest, what people work with.
    """
    for item in cluster.workloads if cluster.images.digests else ():
        for container in containers(item.document):
            for place, text in _switches(container):
                yield Violation(
                    item,
                    f"has container {container['name']} with {text} in {place}, which is for development: leave it out "
                    "here, or give it to the small tier alone, as in environment.tier.of(small=..., medium=...)",
                )


# https://flask.palletsprojects.com/en/stable/config/, https://nodejs.org/api/cli.html, https://uvicorn.dev/settings/,
# https://docs.oracle.com/en/java/javase/21/docs/specs/jpda/conninv.html
DEBUG = re.compile(r"(?:.*_)?DEBUG(?:_MODE|_ENABLED)?")
STAGE = re.compile(r"(?:.*_)?(?:NODE|FLASK|APP|RAILS|RACK|DJANGO|ASPNETCORE|DOTNET|GO|GIN)_(?:ENV|ENVIRONMENT|MODE)")
ON = ("1", "on", "true", "yes")
OF_DEVELOPMENT = ("debug", "dev", "development")
DEBUGGER = re.compile(r"(?<![\w-])(?:--reload|--inspect(?:-brk)?|-m debugpy|-agentlib:jdwp|-Xrunjdwp)(?![\w-])\S*")


def _switches(container: Document) -> Iterator[tuple[str, str]]:
    for place, text in _settings(container):
        if found := DEBUGGER.search(text):
            yield place, found[0]
    for variable in container.get("env", []):
        name, value = variable["name"], str(variable.get("value", ""))
        on = DEBUG.fullmatch(name.upper()) and value.lower() in ON
        if on or (STAGE.fullmatch(name.upper()) and value.lower() in OF_DEVELOPMENT):
            yield "its variables", f"{name}={value}"


def not_everybody_is_believed(cluster: Cluster) -> Iterator[Violation]:
    """Who is believed may say who the visitor is, and that it came by HTTPS."""
    for item in cluster.workloads:
        for container in containers(item.document):
            for place, text in _settings(container):
                believed = [text] if TRUSTED.fullmatch(place.upper()) else TRUSTING.findall(text)
                if EVERYBODY & {part.strip() for value in believed for part in value.split(",")}:
                    yield Violation(
                        item,
                        f"has container {container['name']} with {place} that believes everybody who says who a "
                        "visitor is, visitors too: name the proxies in front of it, as in "
                        '",".join(proxies(environment))',
                    )


TRUSTED = re.compile(r"(?:.*_)?(?:FORWARDED_ALLOW_IPS|TRUSTED_PROX(?:Y|IES)(?:_IPS|_CIDRS?|_NETWORKS)?)")
TRUSTING = re.compile(r"--forwarded-allow-ips[ =](\S+)")
EVERYBODY = {"*", "0.0.0.0/0", "::/0"}


def _volumes(item: Object) -> Mapping[str, str]:
    """The kind of each volume of a workload's pods by its name."""
    pod = pod_spec(item.document)
    own = {claim["metadata"]["name"]: KEPT[0] for claim in item.spec.get("volumeClaimTemplates", [])}
    return own | {v["name"]: next(iter(v.keys() - {"name"}), "") for v in pod.get("volumes", [])}


def _path(text: str) -> PurePosixPath:
    return PurePosixPath("/" + str(text).strip("/"))


RULES: tuple[Rule, ...] = (
    variables_are_known_where_they_are_used,
    folders_of_data_are_mounted,
    memory_of_a_runtime_is_there,
    nothing_is_left_from_development,
    not_everybody_is_believed,
)
