"""What the pages say that a look at the project can show: links, paths, commands, targets, contexts and objects."""

import re
import shlex
from functools import cache
from pathlib import Path

import click
import pytest
import yaml

from facts.environments import ENVIRONMENTS, Environment
from facts.layout import OF_APPS
from scripts.__main__ import cli
from synth import ROOT
from synth.manifest import load
from tests.deployed import APPS, objects, root

PAGES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
TOP = {path.name for path in ROOT.iterdir()}

every_page = pytest.mark.parametrize("page", PAGES)


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings: lower case, `-` for a space, no other signs."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def code(text: str) -> list[str]:
    """The code in its sentences and the commands after a prompt."""
    blocks = re.findall(r"^ *```.*?^ *```", text, re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    commands = [line for block in blocks for line in re.findall(r"^ *\$ (.+)$", block, re.MULTILINE)]
    return [*re.findall(r"`([^`]+)`", prose), *commands]


@every_page
def test_its_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\((?!http)([^)]+)\)", text_of(page)):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text("utf-8")), link


@every_page
def test_the_paths_that_it_names_exist(page: str) -> None:
    generated = ("dist/", ".cache/", ".venv/")
    for words in code(text_of(page)):
        for path in re.findall(r"(?<![\w./~-])(?:\./)?([\w.-]+/[\w./-]*\w)(?=[\s:,`]|$)", words):
            # A name in capitals stands for what a person puts there, and the blog is the app that the README adds.
            given = path.startswith(generated) or re.search(r"[A-Z]{3}|\bblog\b", path)
            if path.partition("/")[0] in TOP and not given:
                assert list(ROOT.glob(path)), f"{page}: {path}"


@every_page
def test_the_make_targets_that_it_names_exist(page: str) -> None:
    targets = set(re.findall(r"^([\w-]+):.*?## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {match[1] for words in code(text_of(page)) if (match := re.match(r"make ([a-z-]+)\b", words))}
    assert named <= targets


@every_page
def test_the_commands_of_scripts_that_it_names_exist_with_their_options(page: str) -> None:
    for line in re.findall(r"\./gw ([a-z][\w $./-]*[\w/])", text_of(page)):
        group: click.Command = cli
        words = shlex.split(line)
        while words and isinstance(group, click.Group):
            group = group.commands[words.pop(0)]
        options = {option for parameter in group.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line


def test_there_are_commands_to_look_at() -> None:
    """A pattern that finds nothing would let everything pass."""
    for page in ("README.md", "docs/operations.md", "docs/environments.md", "docs/ci.md"):
        assert "./gw " in " ".join(code(text_of(page)))
        assert re.search(r"\bmake [a-z]+", " ".join(code(text_of(page))))
    assert "kubectl --context " in " ".join(code(text_of("docs/operations.md")))


@every_page
def test_a_command_for_a_cluster_names_the_context_of_one(page: str) -> None:
    known = {environment.context for environment in ENVIRONMENTS} | {"$CONTEXT"}
    for words in code(text_of(page)):
        if words.split()[0] not in ("kubectl", "flux", "helm"):
            continue
        contexts = re.findall(r"--(?:kube-)?context (\S+)", words)
        assert set(contexts) <= known, words
        # A tool's name, or a way to use it that names no object, is no command to run; decisions tell of commands only.
        told = re.fullmatch(r"[a-z]+( [a-z]+)*( -k| --[\w=/-]+)*", words) or words.startswith("helm repo")
        assert contexts or told or page.startswith("docs/adr/"), f"{page}: {words}"


@cache
def of_apps(environment: Environment) -> set[tuple[str | None, str, str]]:
    """Namespace, kind and name of all that an environment's apps have."""
    return {
        (item["metadata"].get("namespace"), item["kind"].lower(), item["metadata"]["name"])
        for folder in ("apps", OF_APPS)
        for app in APPS
        for item in objects(f"{root(environment)}{folder}/{app}")
    }


@every_page
def test_the_objects_of_an_app_that_its_commands_name_are_deployed(page: str) -> None:
    for environment in ENVIRONMENTS:
        deployed = of_apps(environment)
        namespaces = {namespace for namespace, _, _ in deployed}
        for words in code(text_of(page)):
            if not (match := re.search(r"(?:--namespace|-n) (\S+)", words)) or match[1] not in namespaces:
                continue
            for kind, name in re.findall(r"\b(deployment|pvc)[/ ]([a-z][\w-]*)", words):
                full = {"pvc": "persistentvolumeclaim"}.get(kind, kind)
                assert (match[1], full, name) in deployed, words


@every_page
def test_the_variables_and_outputs_of_terraform_that_it_names_exist(page: str) -> None:
    infra = ROOT / "infra/local"
    variables = set(re.findall(r'^variable "(\w+)"', (infra / "variables.tf").read_text("utf-8"), re.MULTILINE))
    outputs = set(re.findall(r'^output "(\w+)"', (infra / "outputs.tf").read_text("utf-8"), re.MULTILINE))
    text = text_of(page)
    assert set(re.findall(r"\bTF_VAR_(\w+)", text)) <= variables
    assert set(re.findall(r"output -(?:raw|json) (\w+)", text)) <= outputs


def test_every_page_is_looked_at() -> None:
    assert {"README.md", "docs/operations.md", "docs/environments.md", "docs/ci.md"} <= set(PAGES)
    assert all(Path(ROOT / page).is_file() for page in PAGES)


def test_what_the_page_of_environments_shows_of_a_certificate_is_what_a_certificate_has() -> None:
    (definition,) = [
        item
        for item in load((ROOT / "imports/crds/cert-manager.io.yaml").read_text("utf-8"))
        if item["spec"]["names"]["kind"] == "Certificate"
    ]
    (version,) = definition["spec"]["versions"]
    columns = re.findall(r":\.status\.(\w+)", text_of("docs/environments.md"))
    assert columns
    assert set(columns) <= version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"].keys()


def test_the_alerts_for_certificates_are_rules_of_prometheus_over_cert_managers_metrics() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", text_of("docs/environments.md"), re.DOTALL)
    for rule in yaml.safe_load(text):
        assert rule.keys() == {"alert", "expr", "for"}
        assert re.search(r"\bcertmanager_certificate_(renewal_timestamp_seconds|ready_status)\b", rule["expr"])


def test_who_registers_at_lets_encrypt_is_not_told_that_mail_comes() -> None:
    (row,) = re.findall(r"^\| `ACME_EMAIL` \|.*$", text_of("docs/environments.md"), re.MULTILINE)
    assert "#certificates" in row
