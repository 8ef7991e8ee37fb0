"""What is deployed. One module for each thing a person would name; here they are put together."""

from cdk8s import App

from charts.cluster import PROVIDED
from charts.environments import ENVIRONMENTS, Environment
from charts.flux import COMPONENTS_FILE, SYNC_NAME, FluxSystem
from charts.gateway import IngressGateway
from charts.graphwiki import GraphWiki
from charts.rancher import RancherRoute
from charts.test_app import TestApp
from synth import DefinitionError
from synth.checks import check
from synth.tree import Folder, Tree, render

APPS = (
    TestApp,
    GraphWiki,
)
"""Every application: a chart that takes the environment and has its WebApp as `app`. A new one adds a line here."""


def folders(app: App, environment: Environment) -> list[Folder]:
    """One environment's charts and the folders of its tree that they fill, in the order Flux applies them."""
    apps = [chart(app, environment) for chart in APPS]
    routes = [RancherRoute(app, environment)] if environment.rancher else []
    claims = [chart.app.claim for chart in apps] + [route.claim for route in routes]
    return [
        Folder(
            f"flux/{SYNC_NAME}",
            FluxSystem(app, environment),
            FluxSystem.file_names,
            external=[COMPONENTS_FILE],
        ),
        Folder("platform/gateway", IngressGateway(app, claims)),
        *(Folder("platform/rancher", route) for route in routes),
        *(Folder(f"apps/{chart.node.id}", chart) for chart in apps),
    ]


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
        rendered = render(environment.path, folders(app, environment), source="charts/__init__.py")
        for violation in check(rendered, PROVIDED):
            found.setdefault(str(violation), []).append(environment.name)
        tree |= rendered
    if found:
        everywhere = len(ENVIRONMENTS)
        raise DefinitionError(
            "\n".join(
                sentence if len(names) == everywhere else f"{sentence} in {', '.join(names)}"
                for sentence, names in found.items()
            )
        )
    if dist:
        for app in apps:
            app.synth()
    return tree
