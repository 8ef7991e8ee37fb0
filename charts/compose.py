"""All of it together: the platform, every app and Flux, for every environment."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial, reduce
from operator import or_
from pathlib import Path
from typing import Any

from cdk8s import App as CompiledApp
from cdk8s import Chart

from charts.apps import APPS
from charts.certificates import Certificates
from charts.flux.system import FluxSystem
from charts.platform.gateway import IngressGateway
from charts.platform.mesh import Mesh
from charts.platform.priorities import Priorities
from charts.platform.rancher import RancherRoute
from charts.shapes.app import App
from charts.shapes.connections import connect
from charts.shapes.reconciler import RECONCILED
from facts.environments import ENVIRONMENTS, Environment
from facts.images import images
from facts.layout import CERTIFICATES, FLUX_FOLDER, OF_APPS
from facts.provided import provided
from facts.versions import kubernetes_minor
from synth import DefinitionError
from synth.cluster import ImagesWanted, Provided
from synth.encrypted import EncryptedFile, rules
from synth.explain import explained, first_line
from synth.node import ahead, side_by_side, to_json
from synth.overview import overview
from synth.overview.page import README, page
from synth.rules import check
from synth.tree import Folder, Page, Settings, Tree, render

SOPS_FILE = ".sops.yaml"
"""What SOPS looks for in the folder of a file that it encrypts, and in those above."""
HERE = Path(__file__).parent.parent
APPS_FILE = "charts/apps/__init__.py"
ENVIRONMENTS_FILE = "facts/environments.py"

MANY = 60
"""So many apps beyond the first environment's, and the others are compiled in processes of their own."""


def folders(root: Callable[[], CompiledApp], environment: Environment) -> tuple[list[Folder], list[Provided]]:
    """One environment's charts and the folders that they fill, and what its cluster has that no chart makes.

    Each chart is put into what `root` gives then. An app of cdk8s for each is the fastest: for every chart that it
    writes down, cdk8s goes through all the charts that are in one app with it. The folders are in the order in which
    Flux applies them.

    Raises:
        DefinitionError: APPS has what is no app, two apps have one name, an app calls another one that is not there,
            or images.yaml has what no app uses.
    """
    apps = _apps(root, environment)
    connect(apps)
    for app in apps:
        app.finish()
    _check_images(environment, apps)
    routes = [RancherRoute(root(), environment)] if environment.rancher else []
    claims = [claim for app in apps for claim in app.claims] + [route.claim for route in routes]
    encrypted = [app.name for app in apps if app.encrypted]
    flux = FluxSystem(root(), environment, [app.name for app in apps], encrypted)
    filled = [
        Folder(FLUX_FOLDER, flux, flux.file_names, flux.external_files(), flux.patches),
        Folder("platform/priorities", Priorities(root())),
        Folder("platform/mesh", Mesh(root(), environment)),
        Folder("platform/gateway", IngressGateway(root(), claims, tls=environment.tls is not None)),
        *(Folder("platform/rancher", route) for route in routes),
        *(_folder(app) for app in apps),
        *([Folder(CERTIFICATES, Certificates(root(), environment.tls, claims))] if environment.tls else []),
    ]
    return filled, [*provided(environment), *(given for app in apps for given in app.provided)]


def compile_platform(dist: str | None = None) -> Tree:
    """Render and check every environment; in `dist`, where given, cdk8s leaves its own output as well.

    Raises:
        DefinitionError: rules are violated; every violation of every environment is a line.
    """
    _check_lists()
    _check_distinct()
    if len(APPS) * (len(ENVIRONMENTS) - 1) >= MANY:
        outcomes = side_by_side([partial(_all_compiled, [environment], dist) for environment in ENVIRONMENTS])
    else:
        outcomes = [ahead(partial(_all_compiled, ENVIRONMENTS, dist))]
    compiled = [outcome for part in outcomes for outcome in part]
    found: dict[str, dict[str, None]] = {}
    for environment, (_, violations) in zip(ENVIRONMENTS, compiled, strict=True):
        for violation in violations:
            found.setdefault(violation, {})[environment.name] = None
    if found:
        raise DefinitionError("\n".join(_placed(sentence, list(names)) for sentence, names in found.items()))
    return reduce(or_, (tree for tree, _ in compiled), Tree({}))


Compiled = tuple[Tree, list[str]]
"""An environment's tree, and its violations."""


def _all_compiled(environments: Iterable[Environment], dist: str | None) -> list[Compiled]:
    """What `_begun` gives at last: Node is asked for all environments before any of its answers is looked at."""
    return [finish() for finish in [_begun(environment, dist) for environment in environments]]


def _begun(environment: Environment, dist: str | None) -> Callable[[], Compiled]:
    """Make an environment's charts; what is given renders and checks them.

    Where there are no violations, cdk8s's own output is in `dist` then.
    """
    roots: list[CompiledApp] = []

    def root() -> CompiledApp:
        roots.append(CompiledApp(outdir=f"{dist}/{environment.name}" if dist else None))
        return roots[-1]

    filled, given = folders(root, environment)
    written = to_json(folder.chart for folder in filled)

    def finish() -> Compiled:
        tree = render(environment.path, filled, "charts/compose.py", environment.minor, written)
        wanted = ImagesWanted(registry=environment.registry is not None, digests=environment.digests)
        violations = [str(violation) for violation in check(tree, given, wanted)]
        if violations:
            return tree, violations
        if dist:
            for made in roots:
                made.synth()
        tree = _with_page(tree, environment)
        for file in tree.files.values():
            file.text()  # Where other cores help, they write this as well.
        return tree, []

    return finish


def _with_page(tree: Tree, environment: Environment) -> Tree:
    """The tree of an environment, with the page about it in its folder, and there how SOPS encrypts in it."""
    title = f"What runs in {environment.name}"
    beside: dict[str, Page | Settings] = {
        README: page(overview(tree.objects(), environment.path), title, source="charts/compose.py")
    }
    if environment.age_recipients:
        beside[SOPS_FILE] = Settings(rules(environment.age_recipients), ENVIRONMENTS_FILE)
    return Tree({**tree.files, **{f"{environment.path}/{name}": file for name, file in beside.items()}}, tree.external)


def _folder(app: App) -> Folder:
    others = f"{OF_APPS}/{app.name}"
    return Folder(f"apps/{app.name}", app, external=app.encrypted, kinds=RECONCILED, others=others)


def encrypted_files(environment: Environment) -> dict[str, EncryptedFile]:
    """The Secrets of an environment that are in Git, by the paths of their files, whether these are there or not.

    Raises:
        DefinitionError: the charts cannot be put together.
    """
    apps = _apps(CompiledApp, environment)
    return {f"{environment.path}/apps/{app.name}/{name}": file for app in apps for name, file in app.encrypted.items()}


def _apps(root: Callable[[], CompiledApp], environment: Environment) -> list[App]:
    """The apps of an environment, each in what `root` gives.

    Raises:
        DefinitionError: something in APPS makes no app, or two apps have one name.
    """
    makers: dict[str, Callable[..., App]] = {}
    apps = []
    for make in APPS:
        app = _made(make, root(), environment)
        other = makers.get(app.name)
        if other is make:
            raise DefinitionError(f"{APPS_FILE}: {_called(make)} is in APPS twice: leave one out")
        if other:
            raise DefinitionError(
                f"two apps are called {app.name}, {_called(other)} and {_called(make)}: an app has a name and a "
                f"namespace of its own, give one of them another ({_place(make)})"
            )
        makers[app.name] = make
        apps.append(app)
    return apps


def _made(make: Any, root: CompiledApp, environment: Environment) -> App:
    """The app that something in APPS makes.

    Raises:
        DefinitionError: it makes none.
    """
    if not callable(make) or (inspect.isclass(make) and not issubclass(make, App)):
        raise DefinitionError(
            f"{APPS_FILE}: {_called(make)} is in APPS and is no app: name a class that derives from App, without quotes"
        )
    try:
        with _charts() as made:
            app = make(root, environment)
    except Exception as error:
        if explained(error, HERE):
            raise
        raise DefinitionError(
            f"{_called(make)} cannot be made, {first_line(error)}: begin it with def __init__(self, scope: Construct, "
            f"environment: Environment) and super().__init__(scope, name, environment) ({_place(make)})"
        ) from error
    if not isinstance(app, App):
        raise DefinitionError(f"{_called(make)} gives {_called(app)}, which is no app: return one ({_place(make)})")
    for name, chart in made.items():
        if isinstance(chart, App) and chart is not app:
            raise DefinitionError(
                f"{_called(make)} makes another app, {name}, which would not be compiled: give it a class of its own "
                f"in APPS ({_place(make)})"
            )
        if chart is not app:
            raise DefinitionError(
                f"{_called(make)} makes another chart, {name}, which would not be compiled: put what is in it into the "
                f"app itself ({_place(make)})"
            )
    return app


@contextmanager
def _charts() -> Iterator[dict[str, Chart]]:
    """The charts that are made meanwhile, by their ids; asking cdk8s for them would wait for Node."""
    made: dict[str, Chart] = {}
    init = Chart.__init__

    def noted(chart: Chart, scope: Any, id: str, *given: Any, **options: Any) -> None:  # noqa: A002
        init(chart, scope, id, *given, **options)
        made[id] = chart

    Chart.__init__ = noted  # type: ignore[method-assign, assignment]
    try:
        yield made
    finally:
        Chart.__init__ = init  # type: ignore[method-assign]


def _called(thing: object) -> str:
    return getattr(thing, "__name__", None) or repr(thing)


def _place(make: Callable[..., App]) -> str:
    """Where something that makes an app is written."""
    try:
        file, line = Path(inspect.getfile(make)).relative_to(HERE), inspect.getsourcelines(make)[1]
    except (OSError, TypeError, ValueError):
        return APPS_FILE  # A part of Python's, or of a package.
    return f"{file.as_posix()} line {line}"


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


def _check_lists() -> None:
    """Without its comma, `(LOCAL,)` is LOCAL alone.

    Raises:
        DefinitionError: APPS or ENVIRONMENTS is no list, or an environment is none.
    """
    for name, listed, file, example in (
        ("APPS", APPS, APPS_FILE, "GraphWiki"),
        ("ENVIRONMENTS", ENVIRONMENTS, ENVIRONMENTS_FILE, "LOCAL"),
    ):
        if not isinstance(listed, tuple | list):
            raise DefinitionError(f"{file}: {name} is no list: write a comma behind each, as in ({example},)")
    if not ENVIRONMENTS:
        raise DefinitionError(f"{ENVIRONMENTS_FILE}: ENVIRONMENTS is empty: name the clusters to compile for")
    for environment in ENVIRONMENTS:
        if not isinstance(environment, Environment):
            raise DefinitionError(
                f"{ENVIRONMENTS_FILE}: {_called(environment)} is in ENVIRONMENTS and is no Environment: name one, "
                "without quotes"
            )


def _check_distinct() -> None:
    """Two environments with one folder would overwrite each other, with one context be one cluster.

    With one domain the hosts of one would be those of the other; `localhost` is each machine's own.

    Raises:
        DefinitionError: a name, a path, a context or a domain is empty or used twice.
    """
    for fact in ("name", "path", "context", "domain"):
        values = [getattr(environment, fact) for environment in ENVIRONMENTS]
        for value in values:
            if not value or (values.count(value) > 1 and value != LOCALHOST):
                names = ", ".join(e.name for e in ENVIRONMENTS if getattr(e, fact) == value)
                raise DefinitionError(f"{ENVIRONMENTS_FILE}: {fact} {value!r} of {names}: give each one of its own")

    for environment, minor in ((each, minor) for each in ENVIRONMENTS for minor in each.minors):
        pinned, own = (int(version.split(".")[1]) for version in (kubernetes_minor(), minor))
        if abs(own - pinned) > FAR:
            raise DefinitionError(
                f"{ENVIRONMENTS_FILE}: kubernetes {minor} of {environment.name} is far from "
                f"{kubernetes_minor()}, for which versions.yaml has what runs on it: write what the cluster runs, at "
                f"most {FAR} minor versions away"
            )


LOCALHOST = "localhost"
FAR = 3
"""Minor versions between the oldest and the newest that a project supports: https://kubernetes.io/releases/version-skew-policy/"""


def _placed(sentence: str, environments: list[str]) -> str:
    """A violation, with the environments that it is in where it is not in all."""
    everywhere = len(environments) == len(ENVIRONMENTS)
    return sentence if everywhere else f"{sentence} in {', '.join(environments)}"
