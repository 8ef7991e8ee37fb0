"""What docs/operations.md says is so, beyond what tests/test_pages.py asks of every page."""

import io
import re
import shlex
import subprocess
import tarfile
from pathlib import Path

import pytest

from facts.environments import ENVIRONMENTS
from facts.layout import COMPONENTS_FILE
from synth import ROOT
from synth.manifest import load
from tests.deployed import DEPLOY, objects_of
from tests.workshop import Workshop

PAGE = (ROOT / "docs/operations.md").read_text("utf-8")


def test_its_variables_are_set_once_and_to_the_values_of_the_table() -> None:
    (given,) = re.findall(r"^\$ ENV=(\S+) CONTEXT=(\S+)$", PAGE, re.MULTILINE)
    assert given == ("NAME", "CONTEXT_OF_NAME")
    table = (ROOT / "docs/environments.md").read_text("utf-8")
    for environment in ENVIRONMENTS:
        assert re.search(rf"^\| kubeconfig context \|.* `{environment.context}` \|", table, re.MULTILINE)


def test_what_is_for_every_cluster_names_no_single_one() -> None:
    title = "## Day to day, in every cluster\n"
    section = PAGE.partition(title)[2].partition("\n## ")[0]
    commands = re.findall(r"`((?:\./gw|kubectl|flux) [^`]+)`", section)
    assert commands
    assert [command for command in commands if "$ENV" not in command and "$CONTEXT" not in command] == []


def in_the_pod(line: str, pages: Path) -> list[str]:
    """What a line of the page runs in the wiki's pod, with a folder of this machine for the pages."""
    (command,) = re.findall(r" -- (.*?) [<>] pages\.tar$", line)
    return [word.replace("/data/pages", str(pages)) for word in shlex.split(command)]


def test_the_pages_that_it_saves_come_back_without_what_is_not_theirs(tmp_path: Path) -> None:
    saves = set(re.findall(r"^\$ (kubectl .* > pages\.tar)$", PAGE, re.MULTILINE))
    restores = set(re.findall(r"^\$ (kubectl .* < pages\.tar)$", PAGE, re.MULTILINE))
    assert (len(saves), len(restores)) == (1, 1), "the page has the same line wherever it saves, or brings back"
    here, there = tmp_path / "here", tmp_path / "there"
    files = {"home.md": "home", ".hidden": "hidden", "a folder/with space.md": "page", "a folder/deep/er.md": "deeper"}
    for name, text in {**files, "lost+found/inode": "not a page"}.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(text)
    there.mkdir()
    there.chmod(0o2770)

    (save,), (restore,) = saves, restores
    saved = subprocess.run(in_the_pod(save, here), capture_output=True, check=True).stdout
    subprocess.run(in_the_pod(restore, there), input=saved, check=True)
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
        listed = archive.getnames()

    # The volume's own folder is root's, and tar fails for everyone else who is to set its rights.
    assert not {".", "./"} & set(listed)
    assert {p.relative_to(there).as_posix(): p.read_text() for p in there.rglob("*") if p.is_file()} == files
    assert there.stat().st_mode & 0o7777 == 0o2770


@pytest.mark.slow
def test_a_secret_as_it_says_compiles(tmp_path: Path) -> None:
    section = PAGE.partition("\n## Secrets by hand\n")[2].partition("\n## ")[0]
    word, variable = re.findall(r"```python\n(.*?)\n```", section, re.DOTALL)
    namespace, name, key = re.findall(r"--namespace (\S+) create secret generic (\S+) --from-file=(\w+)=", section)[0]
    workshop = Workshop.at(tmp_path)
    module = f"charts/apps/{namespace}.py"
    imports = "from charts.shapes import "
    workshop.edit(module, imports, f"{imports}Secret, ")
    workshop.edit(module, "        wiki = Container(\n", f"        {word}\n        wiki = Container(\n")
    workshop.edit(module, "            variables={\n", f"            variables={{\n                {variable},\n")
    ended = workshop.compile()
    assert ended.code == 0, ended.err
    (deployment,) = load(workshop.deployed()[f"apps/{namespace}/deployment.yaml"].decode())
    variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"secretKeyRef": {"name": name, "key": key}} in [variable.get("valueFrom") for variable in variables]


def group(document: dict[str, str]) -> str:
    return document["apiVersion"].rpartition("/")[0]


def test_the_decision_for_cdk8s_names_all_whose_kinds_no_folder_brings() -> None:
    documents = [item for path in DEPLOY.rglob("*.yaml") for item in objects_of(path)]
    brought = {item["spec"]["group"] for item in documents if item["kind"] == "CustomResourceDefinition"}
    # Kubernetes' own groups have no dot, or end in k8s.io; kustomization.yaml is kubectl's and Flux's to read.
    own = {name for name in map(group, documents) if "." not in name or name.endswith(".k8s.io")}
    missing = {group(item) for item in documents} - own - brought - {"kustomize.config.k8s.io"}
    decision = (ROOT / "docs/adr/002-python-and-cdk8s.md").read_text("utf-8")
    paragraph = decision.partition("**What Git does not hold:**")[2].partition("\n\n")[0]
    assert missing
    assert missing == set(re.findall(r"`([a-z-]+(?:\.[a-z0-9-]+)+\.[a-z]+|[a-z-]+\.io)`", paragraph))


def test_flux_has_a_kustomization_in_the_folder_that_brings_its_kinds() -> None:
    """So the folder cannot be applied in one step, as the decision for cdk8s says."""
    for folder in DEPLOY.glob("**/flux/flux-system"):
        defined = {
            item["spec"]["names"]["kind"]
            for item in objects_of(folder / COMPONENTS_FILE)
            if item["kind"] == "CustomResourceDefinition"
        }
        used = {item["kind"] for path in folder.glob("*.yaml") for item in objects_of(path)}
        assert {"Kustomization", "GitRepository"} <= defined & used
