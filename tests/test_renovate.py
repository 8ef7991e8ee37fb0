"""Renovate's configuration: its own patterns, run by the project's Node, over the project's files and over others."""

import atexit
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import IO, Any, NamedTuple

import pytest
import yaml

from facts.environments import LOCAL, STAGING
from facts.images import images
from facts.versions import parse, versions
from synth import ROOT
from synth.plain import quoted
from tests.test_github import TARGETS
from tests.test_project import requirements

FILE = ROOT / ".github" / "renovate.json"
RENOVATE: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
MANAGERS: list[dict[str, Any]] = RENOVATE["customManagers"]
NODE = Path(sys.executable).with_name("node")

DIGEST = f"sha256:{'1f' * 32}"
OTHER_DIGEST = f"sha256:{'2e' * 32}"
NUMBER_LIKE = ("1.30", "1e3", "0x10", "0o17", "1_000", "12:30:00", "2026-11-25", "on", "off", "null", "~", ".5", "007")
"""What a reader of YAML 1.1 or 1.2 takes for something else than text."""


class Found(NamedTuple):
    """What Renovate finds: a name, its version, and its digest where one stands there."""

    name: str
    value: str
    digest: str | None = None


def renovate(path: str, text: str, **upgrade: str) -> tuple[list[Found], str]:
    """What Renovate finds in a text that would be the file `path`, and the text with each of them raised."""
    given = {"managers": MANAGERS, "path": path, "text": text, "upgrade": upgrade or None}
    questions, answers = _node()
    print(json.dumps(given), file=questions, flush=True)
    answer = json.loads(answers.readline())
    found = [Found(item["depName"], item["currentValue"], item.get("currentDigest")) for item in answer["dependencies"]]
    return found, answer["raised"]


@cache
def _node() -> tuple[IO[str], IO[str]]:
    """What the questions go to and the answers come from; it ends when nobody can ask any more."""
    command = [NODE, Path(__file__).with_name("renovate.mjs")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    atexit.register(process.communicate)
    return process.stdin, process.stdout


def raised(path: str) -> list[Found]:
    return renovate(path, (ROOT / path).read_text("utf-8"))[0]


def ways(value: str) -> list[str]:
    """A text as people and machines write it: in either quotes, and plain where every reader takes it for text."""
    plain = [] if value in NUMBER_LIKE else [value]
    return [*plain, f"'{value}'", f'"{value}"']


def test_its_patterns_are_of_the_language_that_renovate_runs_them_in() -> None:
    # RE2: https://github.com/google/re2/wiki/Syntax
    for manager in MANAGERS:
        for item in [*manager["matchStrings"], *manager["managerFilePatterns"]]:
            assert not re.search(r"\(\?(?:[=!]|<[=!])|\\[1-9]|\\k<", item), item


# versions.yaml


def test_it_finds_every_entry_of_versions_yaml_once() -> None:
    found = raised("versions.yaml")
    assert sorted(item.value for item in found) == sorted(entry.version for entry in versions().values())
    assert len({item.name for item in found}) == len(versions())


def versions_file(written: str, end: str = "  # of May") -> str:
    """A text like versions.yaml with every name of it, each of one version."""
    fields = f"  version: {written}{end}\n  source: https://example.com/releases\n"
    return "# Ours.\n" + "".join(f"{name}:\n{fields}" for name in versions())


@pytest.mark.parametrize("value", ["4.5.6", *NUMBER_LIKE])
def test_a_version_is_found_as_yaml_reads_it_however_it_is_written(value: str) -> None:
    for written in ways(value):
        for end in ("", "  # of May"):
            text = versions_file(written, end)
            assert [item.value for item in renovate("versions.yaml", text)[0]] == [value] * len(versions())
            assert {entry.version for entry in parse(text).values()} == {value}


@pytest.mark.parametrize("new", ["4.5.7", *NUMBER_LIKE])
def test_a_version_that_it_writes_is_read_as_text(new: str) -> None:
    for written in ways("4.5.6"):
        _, after = renovate("versions.yaml", versions_file(written), newValue=new)
        assert after == versions_file(quoted(new))
        assert {entry.version for entry in parse(after).values()} == {new}


def test_it_takes_k3s_and_the_bases_of_the_image_apart() -> None:
    by_name = {(item.get("depNameTemplate"), item["managerFilePatterns"][0]): item for item in MANAGERS}
    file = "/^versions\\.yaml$/"

    def pattern(javascript: str) -> re.Pattern[str]:
        return re.compile(re.sub(r"\(\?<(?=\w)", "(?P<", javascript))

    k3s = pattern(by_name["rancher/k3s", file]["versioningTemplate"].removeprefix("regex:"))
    assert k3s.fullmatch("v1.35.5-k3s1")
    assert not k3s.fullmatch("v1.35.5-rc1-k3s1")
    for name in ("python", "rust"):
        base = pattern(by_name[name, file]["extractVersionTemplate"])
        assert (match := base.search("3.13.5-slim-bookworm")) is not None
        assert match["version"] == "3.13.5"
        assert not base.search("3.13-slim-bookworm")


# What names a version of versions.yaml too


def test_it_raises_the_bases_of_the_wikis_image_by_tag_and_digest() -> None:
    # The manager dockerfile reads ARG and FROM by itself: https://docs.renovatebot.com/modules/manager/dockerfile/
    assert "dockerfile" in RENOVATE["enabledManagers"]
    assert {"matchManagers": ["dockerfile"], "pinDigests": True}.items() <= {
        key: value for rule in RENOVATE["packageRules"] if rule.get("pinDigests") for key, value in rule.items()
    }.items()
    (group,) = [rule for rule in RENOVATE["packageRules"] if "maturin" in rule.get("matchPackageNames", [])]
    assert {"python", "rust"} <= set(group["matchPackageNames"])
    assert raised("containers/graphwiki/Dockerfile") == [Found("maturin", versions()["maturin"].version)]


def test_it_asks_for_istio_where_its_charts_are_taken_from() -> None:
    (istio, _) = [item for item in RENOVATE["customManagers"] if item.get("depNameTemplate") == "istiod"]
    assert istio["datasourceTemplate"] == "helm"
    assert istio["registryUrlTemplate"] == versions()["istio"].source
    assert f"$ helm repo add istio {versions()['istio'].source}\n" in (ROOT / "docs/environments.md").read_text("utf-8")


def test_it_raises_the_commands_of_the_environments_page_with_versions_yaml() -> None:
    found = raised("docs/environments.md")
    page = (ROOT / "docs/environments.md").read_text("utf-8")
    assert len(found) == len(re.findall(r"helm upgrade .*--version", page)) > 0
    assert set(found) <= set(raised("versions.yaml"))


# images.yaml

IMAGES = """# Ours.

local:
  test-app:
    repository: team/web
    tag: {tag}{end}
  graphwiki:
    repository: graphwiki
    tag: "0.1"
staging:
  graphwiki:
    repository: graphwiki/graphwiki
    tag: "0.1"
  test-app:
    repository: registry.example.com/team/web
    tag: {tag}{end}
    digest: {digest}
production:
  test-app:
    repository: registry.example.com/team/web
    tag: "0.9"
    digest: {digest}
"""


@pytest.mark.parametrize("tag", ["1.29.4-alpine", *NUMBER_LIKE])
@pytest.mark.parametrize("end", ["", "  # of May"])
def test_an_image_is_found_as_yaml_reads_it_however_it_is_written(tag: str, end: str) -> None:
    for written, digest in zip(ways(tag), [DIGEST, f"'{DIGEST}'", f'"{DIGEST}"'], strict=False):
        text = IMAGES.format(tag=written, end=end, digest=digest)
        found, _ = renovate("images.yaml", text)
        read = yaml.load(text, yaml.CSafeLoader)
        assert found == [
            Found(app["repository"], app["tag"], app.get("digest"))
            for app in (read[environment]["test-app"] for environment in ("local", "staging"))
        ]
        assert found[0].value == tag


@pytest.mark.parametrize("new", ["1.30.0-alpine", *NUMBER_LIKE])
@pytest.mark.parametrize("end", ["", "  # of May"])
def test_an_image_that_it_writes_is_read_as_text(new: str, end: str) -> None:
    for written in ways("1.29.4-alpine"):
        text = IMAGES.format(tag=written, end=end, digest=DIGEST)
        _, after = renovate("images.yaml", text, newValue=new, newDigest=OTHER_DIGEST)
        wanted = yaml.load(text, yaml.CSafeLoader)
        for environment in ("local", "staging"):
            wanted[environment]["test-app"]["tag"] = new
        wanted["staging"]["test-app"]["digest"] = OTHER_DIGEST
        assert yaml.load(after, yaml.CSafeLoader) == wanted
        assert after.count(f"tag: {quoted(new)}") == 2


def test_it_changes_the_test_app_where_it_is_tried_and_not_in_production() -> None:
    wanted = [images()[environment.name]["test-app"] for environment in (LOCAL, STAGING)]
    assert raised("images.yaml") == [Found(image.repository, image.tag, image.digest) for image in wanted]


# The rest


@pytest.mark.parametrize("file", ["requirements.in", *(f"tools/{file.name}" for file in (ROOT / "tools").glob("*.in"))])
def test_it_finds_every_python_package(file: str) -> None:
    assert {item.name.lower(): item.value for item in raised(file)} == requirements(file)
    assert len(raised(file)) == len(requirements(file))


def test_it_finds_what_compiles_the_lock_files() -> None:
    assert [item.name for item in raised("Makefile")] == ["uv"]


def test_its_managers_are_on_and_its_rules_are_about_something() -> None:
    managers = RENOVATE["enabledManagers"]
    assert "custom.regex" in managers
    for rule in RENOVATE["packageRules"]:
        assert all((ROOT / path).exists() for path in rule.get("matchFileNames", []))
        assert set(rule.get("matchManagers", [])) <= set(managers)
        for note in rule.get("prBodyNotes", []):
            assert set(re.findall(r"`make ([\w-]+)`", note)) <= TARGETS
