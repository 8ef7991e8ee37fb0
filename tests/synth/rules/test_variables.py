"""Rules for variables: one that nobody fills in, and a folder of data where nothing is mounted."""

from typing import Any

import pytest

from synth.cluster import Cluster, ImagesWanted
from synth.manifest import Document
from synth.rules import variables
from tests.synth.objects import POD, PROVIDED, environment, find, put, said, tree

CONTAINER = f"{POD}/containers/0"
HOST = {"name": "HOST", "value": "db"}
SETTINGS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "wiki"},
    "data": {"PORT": "5432"},
}


def sentences(*more: Document, **fields: Any) -> list[str]:
    """What is said where the wiki's container has these fields."""
    documents = environment()
    for field, value in fields.items():
        put(find(documents, "Deployment"), f"{CONTAINER}/{field}", value)
    return said(variables.RULES, [*documents, *more])


def set_to(name: str, value: str) -> Document:
    return {"name": name, "value": value}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"env": [set_to("URL", "http://$(HOST)/")]}, "with $(HOST) in URL, which is no variable of it: there are URL"),
        ({"env": [set_to("URL", "$(HOST)"), HOST]}, "with $(HOST) in URL, which stands before HOST: move it behind"),
        ({"env": [set_to("URL", "http://${HOST}/")]}, "with ${HOST} in URL, which nobody fills in: write $(NAME)"),
        ({"command": ["serve", "--host=$(HOST)"]}, "with $(HOST) in its command, which is no variable of it"),
        ({"args": ["--host=$(HOST)"], "env": []}, "with $(HOST) in its args, which is no variable of it"),
        ({"args": ["--host=${HOST}"], "env": [HOST]}, "with ${HOST} in its args, which no shell reads: write $(HOST)"),
        (
            {"env": [set_to("URL", "$(HOST)")], "envFrom": [{"configMapRef": {"name": "settings"}}]},
            "with $(HOST) in URL, which is no variable",
        ),
        (
            {
                "env": [set_to("WIKI_DIR", "/data/page")],
                "volumeMounts": [{"name": "pages", "mountPath": "/data/pages"}],
            },
            "with WIKI_DIR /data/page, where nothing is mounted: its volumes are at /data/pages",
        ),
        ({"env": [set_to("DATA_DIR", "/pages")]}, "with DATA_DIR /pages, where nothing is mounted: its volumes are at"),
        ({"env": [set_to("PGDATA", "/var/lib/pg")]}, "with PGDATA /var/lib/pg, where nothing is mounted"),
    ],
)
def test_what_nobody_fills_in_or_mounts_gives_one_sentence(fields: dict[str, Any], told: str) -> None:
    (sentence,) = sentences(SETTINGS, **fields)
    assert sentence.startswith("Deployment wiki has container wiki ")
    assert told in sentence


@pytest.mark.parametrize(
    "fields",
    [
        {"env": [HOST, set_to("URL", "http://$(HOST):$(KUBERNETES_SERVICE_PORT)/")]},
        {"env": [set_to("URL", "$$(HOST)")]},
        {"env": [set_to("LOG", "${time} ${level}")]},
        {"env": [HOST, set_to("URL", "http://${HOST}/")]},
        {"command": ["serve", "--host=$(HOST)"], "env": [HOST]},
        {"command": ["sh", "-c", "echo $(date) ${HOME} $(HOST)"]},
        {"command": ["/bin/bash", "-ec"], "args": ["cp -r $(pwd) /data"]},
        {"args": ["echo $(date)"]},
        {"env": [set_to("URL", "$(PORT)")], "envFrom": [{"configMapRef": {"name": "settings"}}]},
        {"env": [set_to("URL", "$(A_PORT)")], "envFrom": [{"prefix": "A_", "configMapRef": {"name": "settings"}}]},
        {"env": [set_to("URL", "$(PASSWORD)")], "envFrom": [{"secretRef": {"name": "key"}}]},
        {"env": [set_to("DATA_DIR", "/data/pages")]},
        {"env": [set_to("DATA_DIR", "/data/")]},
        {"env": [set_to("DATA_DIR", "pages")]},
        {"env": [set_to("TEMPLATES_DIR", "/app/templates")]},
        {"env": [set_to("DATA_DIR", "/app/data")], "volumeMounts": []},
    ],
)
def test_what_somebody_fills_in_or_the_image_has_is_left_alone(fields: dict[str, Any]) -> None:
    assert sentences(SETTINGS, **fields) == []


@pytest.mark.parametrize(
    ("fields", "given"),
    [
        ({"env": [set_to("GOMEMLIMIT", "512MiB")]}, "512MiB of memory for its runtime in GOMEMLIMIT"),
        (
            {"env": [set_to("JAVA_TOOL_OPTIONS", "-Xms64m -Xmx256m")]},
            "256m of memory for its runtime in JAVA_TOOL_OPTIONS",
        ),
        (
            {"env": [set_to("NODE_OPTIONS", "--max-old-space-size=300")]},
            "300 of memory for its runtime in NODE_OPTIONS",
        ),
        ({"command": ["java", "-Xmx1g", "-jar", "wiki.jar"]}, "1g of memory for its runtime in its command"),
        ({"env": [set_to("GOMEMLIMIT", "200MiB")]}, ""),
        ({"env": [set_to("GOMEMLIMIT", "off")]}, ""),
        ({"args": ["-Xmx200m", "--max-old-space-size=200"]}, ""),
    ],
)
def test_a_runtime_takes_less_than_its_container_may(fields: dict[str, Any], given: str) -> None:
    found = sentences(**fields)
    assert [f"{given}, but is killed at 256Mi" in sentence for sentence in found] == ([True] if given else [])


def developed(digests: bool = True, **fields: Any) -> list[str]:
    documents = environment()
    for field, value in fields.items():
        put(find(documents, "Deployment"), f"{CONTAINER}/{field}", value)
    cluster = Cluster(tree(documents), PROVIDED, ImagesWanted(digests=digests))
    return [violation.problem for violation in variables.nothing_is_left_from_development(cluster)]


LEFT: list[tuple[dict[str, Any], str]] = [
    ({"env": [set_to("WIKI_DEBUG", "True")]}, "WIKI_DEBUG=True in its variables"),
    ({"env": [set_to("DEBUG_MODE", "on")]}, "DEBUG_MODE=on in its variables"),
    ({"env": [set_to("FLASK_ENV", "development")]}, "FLASK_ENV=development in its variables"),
    ({"env": [set_to("NODE_OPTIONS", "--inspect=0.0.0.0:9229")]}, "--inspect=0.0.0.0:9229 in NODE_OPTIONS"),
    ({"args": ["wiki:app", "--reload"]}, "--reload in its args"),
    ({"command": ["python", "-m", "debugpy", "--listen", "5678"]}, "-m debugpy in its command"),
    ({"env": [set_to("JAVA_TOOL_OPTIONS", "-agentlib:jdwp=transport=dt_socket")]}, "-agentlib:jdwp=transport"),
]


@pytest.mark.parametrize(("fields", "told"), LEFT)
def test_what_is_for_development_is_not_where_people_work(fields: dict[str, Any], told: str) -> None:
    (sentence,) = developed(**fields)
    assert told in sentence
    assert developed(digests=False, **fields) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"env": [set_to("WIKI_DEBUG", "false"), set_to("DEBUG_PORT", "1"), set_to("NODE_ENV", "production")]},
        {"args": ["--reload-templates=no", "--inspection"], "env": [set_to("LOG_LEVEL", "debug")]},
    ],
)
def test_what_is_like_it_may_be_there(fields: dict[str, Any]) -> None:
    assert developed(**fields) == []


@pytest.mark.parametrize(
    ("fields", "believes_all"),
    [
        ({"env": [set_to("FORWARDED_ALLOW_IPS", "*")]}, True),
        ({"env": [set_to("WIKI_TRUSTED_PROXIES", "10.0.0.0/8, 0.0.0.0/0")]}, True),
        ({"args": ["--forwarded-allow-ips", "*"]}, True),
        ({"args": ["--forwarded-allow-ips=127.0.0.6,*"]}, True),
        ({"env": [set_to("FORWARDED_ALLOW_IPS", "127.0.0.6")]}, False),
        ({"args": ["--forwarded-allow-ips=127.0.0.6"], "env": [set_to("ALLOWED_HOSTS", "*")]}, False),
    ],
)
def test_not_everybody_may_say_who_a_visitor_is(fields: dict[str, Any], believes_all: bool) -> None:
    assert ["believes everybody" in told for told in sentences(**fields)] == [True] * believes_all
