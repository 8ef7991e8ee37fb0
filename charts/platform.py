"""All of it together: every app, the routes to them, and Flux, for every environment."""

from importlib import import_module
from typing import Any

from cdk8s import App

from charts import APPS
from charts.cluster import PROVIDED
from charts.environments import ENVIRONMENTS, Environment
from charts.flux import COMPONENTS_FILE, SYNC_NAME, FluxSystem
from charts.gateway import IngressGateway
from charts.rancher import RancherRoute
from synth import DefinitionError
from synth.checks import check
from synth.tree import Folder, Tree, render


def folders(app: App, environment: Environment) -> list[Folder]:
    """One environment's charts and the folders of its tree that they fill, in the order Flux applies them.

    Raises:
        DefinitionError: a name in APPS leads to no chart.
    """
    apps = [_chart(entry)(app, environment) for entry in APPS]
    routes = [RancherRoute(app, environment)] if environment.rancher else []
    claims = [chart.app.claim for chart in apps] + [route.claim for route in routes]
    return [
        Folder(f"flux/{SYNC_NAME}", FluxSystem(app, environment), FluxSystem.file_names, external=[COMPONENTS_FILE]),
        Folder("platform/gateway", IngressGateway(app, claims)),
        *(Folder("platform/rancher", route) for route in routes),
        *(Folder(f"apps/{chart.node.id}", chart) for chart in apps),
    ]


def _chart(entry: str) -> Any:
    module, _, name = entry.rpartition(".")
    try:
        return getattr(import_module(f"charts.{module}"), name)
    except (AttributeError, ModuleNotFoundError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name != f"charts.{module}":
            raise
        raise DefinitionError(
            f"charts/__init__.py: APPS names {entry}, but there is no {name} in charts/{module}.py: "
            "write the module's and the chart's name, as in graphwiki.GraphWiki"
        ) from None


def compile_platform(dist: str | None = None) -> Tree:
    """Render and check every environment; in `dist`, where given, cdk8s leaves its own output as well.

    Raises:
        DefinitionError: rules are violated; every violation of every environment is a line.
    """
    tree = Tree({})
    found: dict[str, list[str]] = {}
    apps = []
    for environment in ENVIRONMENTS:
        app = App(outdir=f"{dist}/{environment.name}" if dist else None)
        apps.append(app)
        rendered = render(environment.path, folders(app, environment), source="charts/platform.py")
        for violation in check(rendered, PROVIDED):
            found.setdefault(str(violation), []).append(environment.name)
        tree |= rendered
    if found:
        raise DefinitionError("\n".join(_placed(sentence, names) for sentence, names in found.items()))
    if dist:
        for app in apps:
            app.synth()
    return tree


def _placed(sentence: str, environments: list[str]) -> str:
    """A violation, with the environments that it is in where it is not in all."""
    everywhere = len(environments) == len(ENVIRONMENTS)
    return sentence if everywhere else f"{sentence} in {', '.join(environments)}"
