"""The pages of the environments: each has all that its tree has, and deploy/ alone says the same as the charts."""

import re
import time
from collections.abc import Iterator

import pytest

from facts.environments import ENVIRONMENTS, Environment
from facts.layout import root_of
from synth import ROOT
from synth.mesh import routes
from synth.overview import overview, read
from synth.overview.page import README
from synth.pods import WORKLOADS, containers
from synth.tree import Object, Tree

every_environment = pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: str(environment.name))


def page_of(platform: Tree, environment: Environment) -> str:
    return platform.files[f"{environment.path}/{README}"].text()


def objects_of(platform: Tree, environment: Environment) -> Iterator[Object]:
    return (item for item in platform.objects() if root_of(item.path) == environment.path)


def words(text: str) -> set[str]:
    """The names in a page, with what stands in a row of the table or in a label of the map apart from one another."""
    return set(re.split(r"[\s`|\"\[\](){},]+|<br>", text))


@every_environment
def test_every_name_of_the_tree_is_on_its_page(platform: Tree, environment: Environment) -> None:
    found = words(page_of(platform, environment))
    for item in objects_of(platform, environment):
        if item.kind == "VirtualService" and any(route.destinations for route in routes(item)):
            missing = {host for host in item.spec["hosts"] if host != "*"} - found
        elif item.kind in {*WORKLOADS, "PersistentVolumeClaim", "Service", "Gateway"}:
            missing = {item.name} - found
        elif item.kind == "ServiceEntry" and not item.spec.get("addresses"):
            missing = set(item.spec["hosts"]) - found
        else:
            continue
        assert not missing, f"{item} of {item.path} is not on {environment.path}/{README}"


@every_environment
def test_every_image_of_the_tree_is_on_its_page(platform: Tree, environment: Environment) -> None:
    found = words(page_of(platform, environment))
    for item in objects_of(platform, environment):
        for container in containers(item.document):
            assert container["image"].partition("@")[0].rpartition("/")[2] in found


@every_environment
def test_what_is_committed_says_the_same_as_the_charts(platform: Tree, environment: Environment) -> None:
    assert read(ROOT, environment.path) == overview(objects_of(platform, environment), environment.path)


@every_environment
def test_its_links_lead_to_folders_of_the_tree(environment: Environment) -> None:
    folder = ROOT / environment.path
    links = re.findall(r"\]\(([^)]+)\)", (folder / README).read_text("utf-8"))
    assert {link for link in links if not (folder / link).is_dir()} == set()


@every_environment
def test_no_kustomization_lists_a_page(platform: Tree, environment: Environment) -> None:
    assert f"{environment.path}/kustomization.yaml" not in platform.files
    for file in platform.files.values():
        for document in file.documents:
            assert not any(name.endswith(".md") for name in document.get("resources", []))


@every_environment
def test_a_command_reads_an_environment_at_once(environment: Environment) -> None:
    """At most 50 ms for each app, in processor time, since others may be at work."""
    spent = []
    for _ in range(3):
        start = time.process_time()
        found = read(ROOT, environment.path)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.05 * len(found.apps)
