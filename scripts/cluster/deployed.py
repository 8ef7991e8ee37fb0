"""What the commands know of an environment: its apps and its pages, as deploy/ has them, without Node."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from facts.environments import ENVIRONMENTS, LOCAL, Environment
from facts.layout import COMPONENTS_FILE, FLUX_FOLDER, SYNC_NAME
from synth import ROOT, DefinitionError
from synth.manifest import Document, load
from synth.overview import Overview, read
from synth.overview.model import SCHEMES, Workload
from synth.tree import KUSTOMIZATION_FILE, patched


@cache
def deployed(environment: Environment) -> Overview:
    """What the last compile of an environment made.

    Raises:
        DefinitionError: a file in deploy/ cannot be read.
    """
    return read(ROOT, environment.path)


def lasting(environment: Environment, app: str) -> list[Workload]:
    """The workloads of an app that run all the time: no jobs. The one that has the app's name comes first.

    Raises:
        DefinitionError: there is no such app.
    """
    workloads = deployed(environment).app(app).workloads
    found = [workload for workload in workloads if workload.kind not in ("CronJob", "Job")]
    return sorted(found, key=lambda workload: workload.name != app)


def kustomizations(environment: Environment) -> list[str]:
    """The names of Flux's Kustomizations, as deploy/ has them: that of Flux itself first, each after what it needs.

    Raises:
        DefinitionError: the tree has no folder of Flux's.
    """
    folder = ROOT / environment.path / FLUX_FOLDER
    try:
        listed = load((folder / KUSTOMIZATION_FILE).read_text("utf-8"))[0]["resources"]
        texts = [(folder / name).read_text("utf-8") for name in listed if name != COMPONENTS_FILE]
    except OSError as error:
        raise DefinitionError(f"{environment.path} has no {FLUX_FOLDER}: `make synth` makes it") from error
    objects = [document for text in texts for document in load(text)]
    waiting = {item["metadata"]["name"]: item["spec"] for item in objects if item["kind"] == "Kustomization"}
    found = [SYNC_NAME]
    while len(found) < len(waiting):
        needs = {name: {other["name"] for other in waiting[name].get("dependsOn", ())} for name in waiting}
        found += [name for name in waiting if name not in found and needs[name] <= {*found}]
    return found


@cache
def controllers(tree: Path) -> list[Document]:
    """Flux's controllers, and what they need, as they will apply themselves from a tree: with the folder's patches.

    Raises:
        DefinitionError: the tree has no folder of Flux's.
    """
    folder = tree / FLUX_FOLDER
    try:
        kustomization, *_ = load((folder / KUSTOMIZATION_FILE).read_text("utf-8"))
        documents = load((folder / COMPONENTS_FILE).read_text("utf-8"))
    except OSError as error:
        raise DefinitionError(f"{folder} has no {Path(error.filename).name}: `make synth` makes the folder") from error
    return [patched(document, kustomization) for document in documents]


def hosts(environment: Environment) -> list[str]:
    """Every host that a browser can ask: the apps' in their order, then those of what Terraform or others bring."""
    overview = deployed(environment)
    routes = (*(route for app in overview.apps for route in app.routes), *overview.elsewhere)
    return list(dict.fromkeys(route.address.host for route in routes if route.address.protocol in SCHEMES))


def page(name: str) -> str:
    """The host of a page of the local cluster, given whole or without the domain.

    Raises:
        DefinitionError: there is no such page.
    """
    known = {_short(host): host for host in hosts(LOCAL)}
    if name in known.values():
        return name
    if name not in known:
        raise DefinitionError(f"there is no page {name} in {LOCAL.path}; there are {', '.join(known) or 'none'}")
    return known[name]


def complete_app(context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """The apps of the environment that `--env` names, for a shell."""
    given = context.params.get("environment")
    environment = next((item for item in ENVIRONMENTS if given in (item, item.name)), LOCAL)
    return _matching((app.name for app in deployed(environment).apps), begun)


def complete_page(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """The pages of the local cluster, for a shell."""
    return _matching(map(_short, hosts(LOCAL)), begun)


def _short(host: str) -> str:
    return host.removesuffix(f".{LOCAL.domain}")


def _matching(names: Iterable[str], begun: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(begun)]
