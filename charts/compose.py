"""All of it together: the platform, every app and Flux, for every environment."""

from functools import partial, reduce
from operator import or_

from cdk8s import App as CompiledApp

from charts.apps import APPS
from charts.flux.system import FluxSystem
from charts.platform.certificates import Certificates
from charts.platform.gateway import IngressGateway
from charts.platform.mesh import Mesh
from charts.platform.priorities import Priorities
from charts.platform.rancher import RancherRoute
from charts.shapes.app import App, connect
from facts.environments import ENVIRONMENTS, Environment
from facts.images import images
from facts.layout import FLUX_FOLDER
from facts.provided import provided
from synth import DefinitionError
from synth.cluster import Provided
from synth.node import ahead, side_by_side
from synth.overview import overview
from synth.overview.page import README, page
from synth.rules import check
from synth.tree import Folder, Tree, render

MANY = 60
"""So many apps beyond the first environment's, and the others are compiled in processes of their own."""


def folders(root: CompiledApp, environment: Environment) -> tuple[list[Folder], list[Provided]]:
    """One environment's charts and the folders that they fill, and what its cluster has that no chart makes.

    The folders are in the order in which Flux applies them.

    Raises:
        DefinitionError: an app calls another one that is not there, or images.yaml has what nothing uses.
    """
    apps = [app(root, environment) for app in APPS]
    connect(apps)
    for app in apps:
        app.finish()
    _check_images(environment, apps)
    routes = [RancherRoute(root, environment)] if environment.rancher else []
    claims = [claim for app in apps for claim in app.claims] + [route.claim for route in routes]
    flux = FluxSystem(root, environment)
    filled = [
        Folder(FLUX_FOLDER, flux, flux.file_names, flux.external_files(), flux.patches),
        Folder("platform/priorities", Priorities(root)),
        Folder("platform/mesh", Mesh(root, environment)),
        *([Folder("platform/certificates", Certificates(root, environment.tls, claims))] if environment.tls else []),
        Folder("platform/gateway", IngressGateway(root, claims, tls=environment.tls is not None)),
        *(Folder("platform/rancher", route) for route in routes),
        *(Folder(f"apps/{app.name}", app) for app in apps),
    ]
    return filled, [*provided(environment), *(given for app in apps for given in app.provided)]


def compile_platform(dist: str | None = None) -> Tree:
    """Render and check every environment; in `dist`, where given, cdk8s leaves its own output as well.

    Raises:
        DefinitionError: rules are violated; every violation of every environment is a line.
    """
    _check_distinct()
    works = [partial(_compiled, environment, dist) for environment in ENVIRONMENTS]
    many = len(APPS) * (len(ENVIRONMENTS) - 1) >= MANY
    outcomes = side_by_side(works) if many else [ahead(work) for work in works]
    found: dict[str, dict[str, None]] = {}
    for environment, (_, violations) in zip(ENVIRONMENTS, outcomes, strict=True):
        for violation in violations:
            found.setdefault(violation, {})[environment.name] = None
    if found:
        raise DefinitionError("\n".join(_placed(sentence, list(names)) for sentence, names in found.items()))
    return reduce(or_, (tree for tree, _ in outcomes), Tree({}))


def _compiled(environment: Environment, dist: str | None) -> tuple[Tree, list[str]]:
    """One environment's tree, and its violations; where it has none, cdk8s's own output is in `dist`."""
    root = CompiledApp(outdir=f"{dist}/{environment.name}" if dist else None)
    filled, given = folders(root, environment)
    tree = render(environment.path, filled, source="charts/compose.py", minor=environment.minor)
    violations = [str(violation) for violation in check(tree, given)]
    if violations:
        return tree, violations
    if dist:
        root.synth()
    tree = _with_page(tree, environment)
    for file in tree.files.values():
        file.text()  # Where other cores help, they write this as well.
    return tree, []


def _with_page(tree: Tree, environment: Environment) -> Tree:
    """The tree of an environment, with the page about it in its folder."""
    title = f"What runs in {environment.name}"
    about = page(overview(tree.objects(), environment.path), title, source="charts/compose.py")
    return Tree({**tree.files, f"{environment.path}/{README}": about}, tree.external)


def _check_images(environment: Environment, apps: list[App]) -> None:
    """An image that no app uses would be released and promoted, and never run.

    Raises:
        DefinitionError: images.yaml has one.
    """
    used = {name for app in apps for name in app.images}
    for name in images()[environment.name]:
        if name not in used:
            raise DefinitionError(
                f"images.yaml: {environment.name} has an image {name}, which no app uses; those that are used are "
                f"{', '.join(sorted(used)) or 'none'}: remove it, or name it in an app, as in self.image({name!r})"
            )


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
                raise DefinitionError(f"facts/environments.py: {fact} {value!r} of {names}: give each one of its own")


def _placed(sentence: str, environments: list[str]) -> str:
    """A violation, with the environments that it is in where it is not in all."""
    everywhere = len(environments) == len(ENVIRONMENTS)
    return sentence if everywhere else f"{sentence} in {', '.join(environments)}"
