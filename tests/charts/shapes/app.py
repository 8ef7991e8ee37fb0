"""An app to try shapes in: what a function puts into it, as objects by kind and name."""

from collections.abc import Callable, Mapping
from typing import Any

import cdk8s

from charts.shapes import App, Container, Pod, Range
from charts.shapes.connections import connect
from facts.environments import Environment
from facts.images import Image
from synth.manifest import Document, ordered
from tests.environments import PLAIN

DIGEST = f"sha256:{'1f' * 32}"
IMAGE = Image("registry.test/blog", "1.0", DIGEST)

Filled = Callable[[App], object]


def container(name: str = "blog", image: Image = IMAGE, **options: Any) -> Container:
    defaults: dict[str, Any] = {"cpu": Range("10m", "100m"), "memory": Range("32Mi", "64Mi")}
    return Container(name, image, **{**defaults, **options})


def pod(**options: Any) -> Pod:
    """A pod of one container with port 8000; its options are the container's."""
    return Pod(container(**{"port": 8000, **options}))


def compiled(
    fill: Filled, environment: Environment = PLAIN, *, beside: Mapping[str, Filled] | None = None
) -> dict[str, Document]:
    """The objects of app `blog` by `Kind/name`, with other apps in the same cluster where `beside` has them."""
    root = cdk8s.App()
    apps = [App(root, name, environment) for name in ("blog", *(beside or {}))]
    for app, filled in zip(apps, (fill, *(beside or {}).values()), strict=True):
        filled(app)
    connect(apps)
    for app in apps:
        app.finish()
    objects = [ordered(document) for document in apps[0].to_json()]
    found = {f"{item['kind']}/{item['metadata']['name']}": item for item in objects}
    assert len(found) == len(objects)
    return found


def template(workload: Document) -> Document:
    """The pod template of a workload."""
    spec = workload["spec"]
    found: Document = spec["jobTemplate"]["spec"]["template"] if workload["kind"] == "CronJob" else spec["template"]
    return found
