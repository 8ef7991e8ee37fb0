"""The environments: what they refuse, the facts of each cluster, and that charts ask for facts alone."""

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from charts.environments import (
    ENVIRONMENTS,
    GIT_URL,
    LETS_ENCRYPT,
    LETS_ENCRYPT_STAGING,
    LOCAL,
    PRODUCTION,
    STAGING,
    Acme,
    Environment,
    Replicas,
    Storage,
)
from charts.images import image
from tests.deployed import DEPLOY, objects, root, the

CHARTS = DEPLOY.parent / "charts"
NAMES = tuple(environment.name for environment in ENVIRONMENTS)
KNOWS_THE_NAMES = ("environments.py", "images.py", "platform.py")


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (
            {"git_url": "git@github.com:graphwiki/platform.git"},
            "Flux does not know git_url 'git@github.com:graphwiki/platform.git': write it as "
            "ssh://git@github.com/graphwiki/platform.git",
        ),
        (
            {"git_url": "https://github.com/graphwiki/platform"},
            "git_url 'https://github.com/graphwiki/platform' is no SSH address: ssh://git@HOST/PATH.git is one",
        ),
        ({"git_branch": ""}, "git_branch '' is no branch: write its name, as in main"),
        ({"git_branch": "main branch"}, "git_branch 'main branch' is no branch: write its name, as in main"),
        ({"path": "charts"}, "path 'charts' is no tree: it is deploy, or a folder just below it"),
        ({"path": "deploy/eu/staging"}, "path 'deploy/eu/staging' is no tree: it is deploy, or a folder just below it"),
        ({"path": "deploy/"}, "path 'deploy/' is no tree: it is deploy, or a folder just below it"),
        ({"path": "deploy/apps"}, "path deploy/apps is part of the tree at deploy: choose another name"),
        ({"trace_sampling": 101}, "trace_sampling 101 is no percentage: 0 to 100 is one"),
        ({"trace_sampling": -1}, "trace_sampling -1 is no percentage: 0 to 100 is one"),
        ({"trace_sampling": float("nan")}, "trace_sampling nan is no percentage: 0 to 100 is one"),
    ],
)
def test_an_environment_refuses_what_cannot_be(facts: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^staging: ") as refused:
        replace(STAGING, **facts)
    assert str(refused.value) == f"staging: {sentence}"


@pytest.mark.parametrize(
    ("minimum", "maximum", "shown"), [(0, 0, "0 to 0"), (3, 2, "3 to 2"), (0, 2, "0 to 2"), (1, -1, "1 to -1")]
)
def test_replicas_refuse_what_cannot_be(minimum: int, maximum: int, shown: str) -> None:
    with pytest.raises(ValueError, match=rf"^{shown} replicas cannot be: write Replicas\(2, 4\) for 2 to 4$"):
        Replicas(minimum, maximum)


@pytest.mark.parametrize(
    ("replicas", "maximum", "autoscaled", "several", "text"),
    [
        (Replicas(), 1, False, False, "1"),
        (Replicas(3), 3, False, True, "3"),
        (Replicas(2, 2), 2, False, True, "2"),
        (Replicas(1, 2), 2, True, True, "1 to 2"),
        (Replicas(2, 4), 4, True, True, "2 to 4"),
    ],
    ids=str,
)
def test_replicas_are_a_number_or_a_range(
    replicas: Replicas, maximum: int, autoscaled: bool, several: bool, text: str
) -> None:
    assert (replicas.maximum, replicas.autoscaled, replicas.several, str(replicas)) == (
        maximum,
        autoscaled,
        several,
        text,
    )


@pytest.mark.parametrize(
    ("size", "access_mode", "sentence"),
    [
        (
            "5GB",
            "ReadWriteOnce",
            "storage size '5GB' is not a quantity: write a number and a unit, as in 250m, 1.5, 64Mi or 1Gi",
        ),
        (
            "5Gi",
            "RWO",
            "access mode 'RWO' is none of Kubernetes': ReadWriteOnce, ReadWriteMany, ReadWriteOncePod",
        ),
    ],
)
def test_storage_refuses_what_cannot_be(size: str, access_mode: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^(storage size|access mode) ") as refused:
        Storage(size, access_mode=access_mode)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("size", ["0", "500m"])
def test_a_volume_has_a_whole_number_of_bytes(size: str) -> None:
    with pytest.raises(ValueError, match=f"storage size {size} is no number of bytes: 5Gi is one"):
        Storage(size)


@pytest.mark.parametrize("storage_class", ["", "Fast SSD", "-fast"])
def test_a_storage_class_has_a_name_or_is_left_out(storage_class: str) -> None:
    with pytest.raises(ValueError, match=f"storage class '{storage_class}' is no name of one: leave it out for the"):
        Storage("5Gi", storage_class)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"dns_addresses": ("node-cache",)},
            "staging: dns_addresses has 'node-cache', which is no IP address: 169.254.20.10 is",
        ),
        ({"trace_sampling": "1"}, "staging: trace_sampling 1 is no percentage: 0 to 100 is one"),
        ({"domain": "https://wiki"}, "staging: domain 'https://wiki' is no domain: wiki.example.com is one"),
        (
            {"registry": "https://r.example.com"},
            "staging: registry 'https://r.example.com' is no host: registry.example",
        ),
        ({"git_branch": "-x"}, "staging: git_branch '-x' is no branch: write its name, as in main"),
    ],
)
def test_a_fact_that_cannot_be_one_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(STAGING, **change)


@pytest.mark.parametrize(
    ("server", "email", "sentence"),
    [
        (
            "http://acme.example.com/directory",
            "platform@example.com",
            "ACME server 'http://acme.example.com/directory' is no directory: https://HOST/directory is one",
        ),
        (
            "https://acme.example.com",
            "platform@example.com",
            "ACME server 'https://acme.example.com' is no directory: https://HOST/directory is one",
        ),
        (LETS_ENCRYPT, "platform", "ACME email 'platform' is no address: platform@example.com is one"),
        (LETS_ENCRYPT, "", "ACME email '' is no address: platform@example.com is one"),
    ],
)
def test_acme_refuses_what_cannot_be(server: str, email: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^ACME ") as refused:
        Acme(server, email)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("fact", ["name", "path", "context"])
def test_no_two_environments_share_a(fact: str) -> None:
    assert len({getattr(environment, fact) for environment in ENVIRONMENTS}) == len(ENVIRONMENTS)


class TestTheFactsOfEachCluster:
    """What the environments are for, from the committed objects wherever it shows there."""

    def each(self, fact: Callable[[Environment], object]) -> list[object]:
        return [fact(environment) for environment in (LOCAL, STAGING, PRODUCTION)]

    def folder(self, environment: Environment, name: str) -> str:
        return f"{root(environment)}{name}"

    def test_the_local_one_is_made_by_k3d(self) -> None:
        assert self.each(lambda environment: environment.context) == [
            "k3d-graphwiki",
            "graphwiki-staging",
            "graphwiki-production",
        ]

    def test_the_trees(self) -> None:
        assert self.each(lambda environment: environment.path) == ["deploy", "deploy/staging", "deploy/production"]

    @pytest.mark.parametrize(("app", "label"), [("graphwiki", "wiki"), ("test-app", "test")])
    def test_the_hosts(self, app: str, label: str) -> None:
        assert self.each(lambda e: the(self.folder(e, f"apps/{app}"), "VirtualService")["spec"]["hosts"]) == [
            [f"{label}.localhost"],
            [f"{label}.staging.graphwiki.example.com"],
            [f"{label}.graphwiki.example.com"],
        ]

    def test_who_signs_the_certificates(self) -> None:
        assert self.each(lambda environment: environment.tls and environment.tls.server) == [
            None,
            LETS_ENCRYPT_STAGING,
            LETS_ENCRYPT,
        ]
        assert LETS_ENCRYPT_STAGING == "https://acme-staging-v02.api.letsencrypt.org/directory"
        assert LETS_ENCRYPT == "https://acme-v02.api.letsencrypt.org/directory"
        issuers = [
            [
                d["spec"]["acme"]["server"]
                for d in objects(self.folder(e, "platform/certificates"))
                if "acme" in d["spec"]
            ]
            for e in ENVIRONMENTS
        ]
        assert issuers == [[], [LETS_ENCRYPT_STAGING], [LETS_ENCRYPT]]

    @pytest.mark.parametrize("app", ["graphwiki", "test-app"])
    def test_the_images_are_those_of_images_yaml(self, app: str) -> None:
        for environment in ENVIRONMENTS:
            pod = the(self.folder(environment, f"apps/{app}"), "Deployment")["spec"]["template"]["spec"]
            assert [container["image"] for container in pod["containers"]] == [image(environment, app)]

    def test_the_wiki_is_imported_here_and_comes_by_its_digest_in_production(self) -> None:
        local, staging, production = (image(environment, "graphwiki") for environment in ENVIRONMENTS)
        assert local == "graphwiki:latest"
        assert staging.startswith(f"{STAGING.registry}/graphwiki/graphwiki:")
        assert production.startswith(f"{PRODUCTION.registry}/graphwiki/graphwiki:")
        assert "@sha256:" in production

    def test_the_wikis_volume(self) -> None:
        claims = self.each(lambda e: the(self.folder(e, "apps/graphwiki"), "PersistentVolumeClaim")["spec"])
        once = {"accessModes": ["ReadWriteOnce"]}
        assert claims == [
            once | {"resources": {"requests": {"storage": "1Gi"}}},
            once | {"resources": {"requests": {"storage": "5Gi"}}},
            once | {"resources": {"requests": {"storage": "20Gi"}}, "storageClassName": "storage.example.com"},
        ]

    def test_the_test_app_is_one_pod_here_and_autoscaled_elsewhere(self) -> None:
        numbers = self.each(lambda e: the(self.folder(e, "apps/test-app"), "Deployment")["spec"].get("replicas"))
        assert numbers == [1, None, None]
        for environment, range_ in ((STAGING, (2, 4)), (PRODUCTION, (2, 6))):
            spec = the(self.folder(environment, "apps/test-app"), "HorizontalPodAutoscaler")["spec"]
            assert (spec["minReplicas"], spec["maxReplicas"]) == range_

    def test_the_wiki_is_one_pod_everywhere(self) -> None:
        assert self.each(lambda e: the(self.folder(e, "apps/graphwiki"), "Deployment")["spec"]["replicas"]) == [1, 1, 1]

    def test_rancher_has_a_route_here_alone(self) -> None:
        hosts = self.each(
            lambda e: [host for d in objects(self.folder(e, "platform/rancher")) for host in d["spec"]["hosts"]]
        )
        assert hosts == [["rancher.localhost"], [], []]

    def test_the_share_of_requests_that_leave_a_trace(self) -> None:
        telemetry = self.each(lambda e: the(self.folder(e, "platform/mesh"), "Telemetry")["spec"]["tracing"])
        assert telemetry == [[{"randomSamplingPercentage": share}] for share in (100, 100, 1)]


class TestExamples:
    """The values that a person must set before a roll-out."""

    def test_those_of_the_local_cluster_are_its_git_address_alone(self) -> None:
        assert LOCAL.examples == {"GIT_URL": GIT_URL}

    def test_each_value_of_an_example_domain_is_listed(self) -> None:
        assert PRODUCTION.examples == {
            "DOMAIN": "graphwiki.example.com",
            "GIT_URL": "ssh://git@git.example.com/graphwiki/platform.git",
            "REGISTRY": "registry.example.com",
            "ACME_EMAIL": "platform@example.com",
            "STORAGE_CLASS": "storage.example.com",
        }
        assert STAGING.examples == {
            "DOMAIN": "staging.graphwiki.example.com",
            "GIT_URL": "ssh://git@git.example.com/graphwiki/platform.git",
            "REGISTRY": "registry.example.com",
            "ACME_EMAIL": "platform@example.com",
        }

    def test_none_is_listed_once_all_are_set(self) -> None:
        ready = replace(
            PRODUCTION,
            domain="wiki.myexample.com",
            git_url="ssh://git@github.com/graphwiki/platform.git",
            registry="ghcr.io",
            tls=Acme(LETS_ENCRYPT, "platform@graphwiki.org"),
            wiki_storage=Storage("20Gi", "fast"),
        )
        assert ready.examples == {}


def names_known(source: str) -> list[str]:
    """What in a module has to do with the name of an environment."""
    found = []
    for node in ast.walk(ast.parse(source)):
        sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        compared = any(isinstance(side, ast.Attribute) and side.attr == "name" for side in sides)
        asked = (
            isinstance(node, ast.Attribute) and node.attr == "name" and ast.unparse(node.value).endswith("environment")
        )
        written = isinstance(node, ast.Constant) and node.value in NAMES
        imported = isinstance(node, ast.alias | ast.Name) and ast.unparse(node) in ("LOCAL", "STAGING", "PRODUCTION")
        if compared or asked or written or imported:
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize(
    "module", sorted(path.name for path in CHARTS.glob("*.py") if path.name not in KNOWS_THE_NAMES)
)
def test_no_chart_knows_an_environments_name(module: str) -> None:
    assert names_known((CHARTS / module).read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("print(environment.name)", ["environment.name"]),
        ("x = self._environment.name", ["self._environment.name"]),
        ("if e.name == other: pass", ["e.name == other"]),
        ("sizes = {'staging': 1}", ["'staging'"]),
        ("from charts.environments import PRODUCTION", ["PRODUCTION"]),
        ("if environment.tls: x = claim.name", []),
    ],
)
def test_a_chart_that_knew_one_would_be_noticed(source: str, found: list[str]) -> None:
    assert names_known(source) == found
