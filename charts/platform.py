"""All of it together: every app, the routes to them, and Flux, for every environment."""

import re
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from cdk8s import App

from charts import APPS, app_name
from charts.certificates import Certificates
from charts.cluster import provided
from charts.environments import ENVIRONMENTS, Environment
from charts.flux import SYNC_NAME, FluxSystem, external_files
from charts.gateway import IngressGateway
from charts.mesh import Mesh
from charts.priorities import Priorities
from charts.rancher import RancherRoute
from synth import DefinitionError
from synth.rules import check
from synth.tree import Folder, Tree, render


def folders(app: App, environment: Environment) -> list[Folder]:
    """One environment's charts and the folders of its tree that they fill, in the order Flux applies them.

    Raises:
        DefinitionError: an entry of APPS leads to no application.
    """
    apps = [chart(app, environment) for chart in [_chart(entry) for entry in APPS]]
    for entry, chart in zip(APPS, apps, strict=True):
        if not hasattr(chart, "app"):
            raise DefinitionError(f"charts/__init__.py: {entry} has no WebApp as its attribute app, as GraphWiki has")
    routes = [RancherRoute(app, environment)] if environment.rancher else []
    claims = [chart.app.claim for chart in apps] + [route.claim for route in routes]
    flux = FluxSystem(app, environment)
    return [
        Folder(f"flux/{SYNC_NAME}", flux, flux.file_names, external_files(), flux.patches),
        Folder("platform/priorities", Priorities(app)),
        Folder("platform/mesh", Mesh(app, environment)),
        *([Folder("platform/certificates", Certificates(app, environment.tls, claims))] if environment.tls else []),
        Folder("platform/gateway", IngressGateway(app, claims, tls=environment.tls is not None)),
        *(Folder("platform/rancher", route) for route in routes),
        *(Folder(f"apps/{app_name(entry)}", chart) for entry, chart in zip(APPS, apps, strict=True)),
    ]


def _chart(entry: str) -> Any:
    if not re.fullmatch(r"\w+\.\w+", entry):
        raise DefinitionError(
            f"charts/__init__.py: APPS has {entry!r}: write a module of charts/ and its chart in quotes, as in "
            '"graphwiki.GraphWiki", with a comma behind each'
        )
    if APPS.count(entry) > 1:
        raise DefinitionError(f"charts/__init__.py: APPS has {entry} twice: keep one")
    module, _, name = entry.partition(".")
    if find_spec(f"charts.{module}") is None:
        raise DefinitionError(f"charts/__init__.py: APPS has {entry}, but there is no charts/{module}.py")
    chart = getattr(import_module(f"charts.{module}"), name, None)
    if chart is None:
        raise DefinitionError(f"charts/__init__.py: APPS has {entry}, but charts/{module}.py has no {name}")
    return chart


def compile_platform(dist: str | None = None) -> Tree:
    """Render and check every environment; in `dist`, where given, cdk8s leaves its own output as well.

    Raises:
        DefinitionError: rules are violated; every violation of every environment is a line.
    """
    _check_distinct()
    tree = Tree({})
    found: dict[str, dict[str, None]] = {}
    apps = []
    for environment in ENVIRONMENTS:
        app = App(outdir=f"{dist}/{environment.name}" if dist else None)
        apps.append(app)
        rendered = render(environment.path, folders(app, environment), source="charts/platform.py")
        for violation in check(rendered, provided(environment)):
            found.setdefault(str(violation), {})[environment.name] = None
        tree |= rendered
    if found:
        raise DefinitionError("\n".join(_placed(sentence, list(names)) for sentence, names in found.items()))
    if dist:
        for app in apps:
            app.synth()
    return tree


def _check_distinct() -> None:
    """Two environments with one folder would overwrite each other, with one context be one cluster.

    Raises:
        DefinitionError: a name, a path or a context is empty or used twice.
    """
    for fact in ("name", "path", "context"):
        values = [getattr(environment, fact) for environment in ENVIRONMENTS]
        for value in values:
            if not value or values.count(value) > 1:
                names = ", ".join(e.name for e in ENVIRONMENTS if getattr(e, fact) == value)
                raise DefinitionError(f"charts/environments.py: {fact} {value!r} of {names}: give each one of its own")


def _placed(sentence: str, environments: list[str]) -> str:
    """A violation, with the environments that it is in where it is not in all."""
    everywhere = len(environments) == len(ENVIRONMENTS)
    return sentence if everywhere else f"{sentence} in {', '.join(environments)}"
