"""The gate itself: each tool finds what only it can find, and none is skipped in silence."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from facts.layout import OF_APPS
from scripts.gate.judges import JUDGES
from scripts.gate.tools import all_there, tool
from scripts.programs import CACHE
from synth import ROOT
from tests.workshop import Ended, Workshop

TOOLS = sorted({name for judge in JUDGES.values() for name in judge.tools})

built = pytest.mark.skipif(
    not all_there(TOOLS),
    reason="the tools of `make verify` are not built yet; it builds them where there is Go",
)

WIKI, TEST_APP = "apps/graphwiki", "apps/test-app"

# For each judge: the file, what is there, the fault, and what each of its sentences about it has.
FAULTS = {
    "kubernetes": (
        f"deploy/production/{TEST_APP}/pdb.yaml",
        "spec:\n",
        "spec:\n  minAvailable: 1\n",
        'PodDisruptionBudget test-app/test-app: PodDisruptionBudget.policy "test-app" is invalid: ',
    ),
    "checkov": (
        f"deploy/production/{WIKI}/deployment.yaml",
        "      automountServiceAccountToken: false\n",
        "      automountServiceAccountToken: true\n",
        "breaks CKV_K8S_38: Ensure that Service Account Tokens are only mounted where necessary",
    ),
    "kustomize": (
        f"deploy/staging/{TEST_APP}/kustomization.yaml",
        "resources:\n",
        "labels:\n- pairs:\n    team: web\nresources:\n",
        ": kustomize changes ",
    ),
    "kubeconform": (
        "deploy/staging/certificates/certificate-graphwiki.yaml",
        "size: 256",
        'size: "256"',
        "deploy/staging: Certificate graphwiki: problem validating schema",
    ),
    "istioctl": (
        f"deploy/production/{OF_APPS}/test-app/virtualservice.yaml",
        "- istio-system/main-gateway",
        "- istio-system/other-gateway",
        "deploy/production: VirtualService test-app/test-app: IST01",
    ),
    "kube-score": (
        f"deploy/staging/{TEST_APP}/deployment.yaml",
        "  revisionHistoryLimit: 3\n",
        "  replicas: 2\n  revisionHistoryLimit: 3\n",
        "breaks deployment-targeted-by-hpa-does-not-have-replicas-configured",
    ),
    "opentofu": (
        "infra/local/outputs.tf",
        'output "context" {\n',
        'output "nothing" {\n  value = var.nothing\n}\n\noutput "context" {\n',
        "infra/local/outputs.tf: Reference to undeclared input variable",
    ),
    "hadolint": (
        "containers/graphwiki/Dockerfile",
        "\nUSER ",
        "\nRUN cd /tmp && ls\n\nUSER ",
        "DL3003",
    ),
    "shellcheck": ("infra/local/preflight.sh", "\nset ", "\nls $1\nset ", "infra/local/preflight.sh:"),
    "actionlint": (
        ".github/workflows/ci.yml",
        "runs-on: ubuntu-24.04",
        "runs-on: ubuntu-24.4",
        'label "ubuntu-24.4" is unknown',
    ),
    "zizmor": (
        ".github/workflows/image.yml",
        'graphwiki "$TAG" --env staging --dry-run',
        'graphwiki "${{ inputs.tag }}" --env staging --dry-run',
        "template-injection: code injection via template expansion",
    ),
    "yamllint": ("cdk8s.yaml", "output: dist\n", "output: dist   \n", "cdk8s.yaml:3:13: [error] trailing spaces"),
}


COMMENTS = [
    ("containers/graphwiki/Dockerfile", "checkov:skip=CKV_DOCKER_7:"),
    (".github/workflows/image.yml", "checkov:skip=CKV_GHA_7:"),
    (".github/workflows/support.yml", "shellcheck disable="),
]
"""Every place where a tool is told in a comment to overlook something, ruff's and mypy's aside."""


pytestmark = pytest.mark.slow


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    workshop = Workshop.at(tmp_path)
    (tmp_path / ".cache").symlink_to(CACHE)
    return workshop


def verify(workshop: Workshop, *only: str) -> Ended:
    chosen = [part for name in only for part in ("--only", name)]
    return workshop.run(sys.executable, "-m", "scripts", "verify", *chosen)


def findings(ended: Ended) -> dict[str, list[str]]:
    """What each judge said."""
    said: dict[str, list[str]] = {}
    for line in ended.out.splitlines():
        if line.startswith("  not looked at: "):
            continue
        if line.startswith("  "):
            said[list(said)[-1]].append(line.strip())
        else:
            said[line.split()[0]] = []
    return said


def test_every_judge_has_a_fault_planted_for_it() -> None:
    assert set(FAULTS) == set(JUDGES)


@built
def test_each_fault_is_found_by_its_judge_and_by_no_other(workshop: Workshop) -> None:
    for path, old, new, _ in FAULTS.values():
        file = workshop.root / path
        text = file.read_text("utf-8")
        assert old in text, f"{path} has no {old!r}"
        file.write_text(text.replace(old, new, 1), "utf-8")
    ended = verify(workshop)
    assert ended.code == 1
    said = findings(ended)
    for name, (_, _, _, sentence) in FAULTS.items():
        assert said[name], name
        # What no schema takes, no server does.
        known = (sentence, FAULTS["kubeconform"][0]) if name == "kubernetes" else (sentence,)
        assert all(any(part in finding for part in known) for finding in said[name]), said[name]
    assert ended.err == f"{sum(map(len, said.values()))} faults; the lines above say where\n"


@built
def test_an_exemption_that_is_not_needed_or_has_no_reason_is_a_fault(workshop: Workshop) -> None:
    deployment = f"deploy/{WIKI}/deployment.yaml"
    workshop.edit(deployment, "strategy:\n    type: Recreate", "strategy:\n    type: RollingUpdate")
    workshop.edit(deployment, "    checkov.io/skip1: ", "    checkov.io/skip9: CKV_K8S_8=no\n    checkov.io/skip1: ")
    workshop.edit(deployment, "CKV_K8S_14=each build has this tag", "CKV_K8S_14")
    workshop.edit(deployment, "container-image-tag, each build has this tag", "container-image-tag")
    for path, comment in COMMENTS:
        workshop.edit(path, comment, "skipped:")
    ended = verify(workshop, "kube-score", "checkov")
    assert ended.code == 1
    exempted = "deploy: Deployment graphwiki/graphwiki is exempted from"
    assert findings(ended) == {
        "checkov": [
            f"{exempted} CKV_K8S_14 without a reason: write it behind =",
            f"{exempted} CKV_K8S_8, which it does not break: charts/shapes/exemptions.py",
            *(
                next(finding for finding in findings(ended)["checkov"] if path in finding)
                for path, comment in COMMENTS
                if comment.startswith("checkov:")
            ),
        ],
        "kube-score": [
            f"{exempted} container-image-tag without a reason: write it behind",
            f"{exempted} deployment-strategy, which it does not break: charts/shapes/exemptions.py",
        ],
    }


@built
def test_a_folder_that_cannot_be_built_is_a_fault_of_whoever_needs_it(workshop: Workshop) -> None:
    (workshop.root / f"deploy/{WIKI}/pdb.yaml").unlink()
    ended = verify(workshop, "kustomize", "kubeconform")
    assert ended.code == 1
    for said in findings(ended).values():
        assert "pdb.yaml" in " ".join(said)


@built
def test_a_file_that_no_kustomization_lists_is_a_fault(workshop: Workshop) -> None:
    workshop.edit(f"deploy/{WIKI}/kustomization.yaml", "- pdb.yaml\n", "")
    ended = verify(workshop, "kustomize")
    assert ended.code == 1
    assert findings(ended)["kustomize"] == [
        f"deploy/{WIKI}: kustomization.yaml does not list pdb.yaml, so it would be lost"
    ]


def test_without_go_what_cannot_be_built_is_named_and_nothing_passes(workshop: Workshop, tmp_path: Path) -> None:
    (workshop.root / ".cache").unlink()
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "env", "readlink"):
        (folder / name).symlink_to(str(shutil.which(name)))
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    ended = workshop.run(sys.executable, "-m", "scripts", "verify", PATH=str(folder), **cache)
    assert ended.code == 3
    assert ended.err == (
        "actionlint, istioctl, kube-score, kubeconform, kubernetes, kustomize, tofu cannot be built, go is not on "
        "PATH: install Go 1.26 or newer (https://go.dev/dl/)\n"
    )
    assert ended.out == ""


@built
def test_what_cannot_be_changed_in_place_is_found_against_the_base(workshop: Workshop) -> None:
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com")
    for arguments in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "deploy"),
        ("commit", "--quiet", "-m", "a"),
    ):
        assert workshop.run(*git, *arguments).code == 0
    classes = sorted((workshop.root / "deploy").rglob("priorityclass*.yaml"))
    assert classes
    for file in classes:
        text = file.read_text("utf-8")
        file.write_text(
            re.sub(r"^value: (-?\d+)", lambda match: f"value: {int(match[1]) + 1}", text, flags=re.MULTILINE)
        )
    ended = verify(workshop, "kubernetes")
    assert ended.code == 0, ended.out
    for file in classes:
        place = file.relative_to(workshop.root)
        assert re.search(rf"{place}: PriorityClass \S+: cannot be changed in place to this: .*`./gw review`", ended.out)


def test_what_is_not_built_can_be_left_out_and_is_named(workshop: Workshop, tmp_path: Path) -> None:
    (workshop.root / ".cache").unlink()
    command = (sys.executable, "-m", "scripts", "verify", "--built", "--only", "kubernetes", "--only", "hadolint")
    ended = workshop.run(*command, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert ended.code == 0, ended.err
    left_out, judged = ended.out.splitlines()
    assert left_out.startswith("kubernetes  not built, `make verify` builds it: ")
    assert judged.startswith("hadolint ")


def test_an_unknown_judge_is_refused_with_those_that_there_are(workshop: Workshop) -> None:
    ended = verify(workshop, "helm")
    assert ended.code == 2
    assert "helm: there are kubernetes, checkov, kustomize, " in " ".join(ended.err.split())


def test_no_other_comment_tells_a_tool_to_overlook_something() -> None:
    telling = re.compile(r"(checkov:skip=\w+:|hadolint ignore=|shellcheck disable=|zizmor: ignore|yamllint disable)")
    places = [
        (path, match[0])
        for folder in ("containers", "infra", ".github", ".ci", "scripts")
        for file in sorted((ROOT / folder).rglob("*"))
        if file.is_file() and (path := file.relative_to(ROOT).as_posix()) and file.suffix != ".pyc"
        for match in telling.finditer(file.read_text("utf-8", errors="replace"))
    ]
    assert places == COMMENTS


@built
def test_a_fault_in_a_new_file_is_found(workshop: Workshop) -> None:
    (workshop.root / "scripts/new.sh").write_text("#!/bin/sh\nls $1\n")
    (workshop.root / "containers/graphwiki/Dockerfile.other").write_text("FROM python:3.13\nRUN cd /tmp && ls\n")
    (workshop.root / ".github/workflows/new.yaml").write_text("on: push\njobs: {}\n")
    extra = workshop.root / "deploy/extra"
    extra.mkdir()
    (extra / "kustomization.yaml").write_text("resources: [nothing.yaml]\n")
    said = findings(verify(workshop, "shellcheck", "hadolint", "actionlint", "kustomize"))
    for judge, part in (
        ("shellcheck", "scripts/new.sh:2"),
        ("hadolint", "Dockerfile.other:2 DL3003"),
        ("actionlint", ".github/workflows/new.yaml"),
        ("kustomize", "deploy/extra: "),
    ):
        assert any(part in finding for finding in said[judge]), said[judge]


@built
@pytest.mark.parametrize("text", ["just words\n", "a: [\n"], ids=["no object", "no YAML"])
def test_a_persons_own_file_in_deploy_is_told_in_a_sentence(workshop: Workshop, text: str) -> None:
    (workshop.root / f"deploy/{WIKI}/notes.yaml").write_text(text)
    ended = verify(workshop, "kube-score")
    assert ended.code == 1
    (finding,) = findings(ended)["kube-score"]
    assert finding.startswith(f"deploy/{WIKI}/notes.yaml ")
    assert "Traceback" not in ended.err


@built
def test_a_tool_that_breaks_hides_no_other(workshop: Workshop) -> None:
    (workshop.root / ".cache").unlink()
    scorer = tool("kube-score")
    place = workshop.root / ".cache" / scorer.parent.name
    shutil.copytree(scorer.parent, place)
    (place / scorer.name).write_text("#!/bin/sh\necho boom >&2\nexit 1\n")
    workshop.edit("cdk8s.yaml", "output: dist\n", "output: dist  \n")
    ended = verify(workshop, "kube-score", "yamllint")
    assert ended.code == 3
    assert ended.err == "kube-score: kube-score gave no JSON, exit code 1: boom\n"
    assert findings(ended)["yamllint"] == ["./cdk8s.yaml:3:13: [error] trailing spaces (trailing-spaces)"]
