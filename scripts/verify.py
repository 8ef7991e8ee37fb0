"""The gate: the field's own tools judge what is committed."""

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml

from facts.environments import ENVIRONMENTS, Environment
from facts.layout import COMPONENTS_FILE, UNITS
from scripts import tofu, toolbox
from scripts.schemas import kubernetes_version, write_schemas
from scripts.tools import ROOT
from synth import DefinitionError, ToolError
from synth.manifest import Document, dump, load
from synth.tree import KUSTOMIZATION_FILE, patched

SHELL = re.compile(r"#!.*\b(ba|da|k)?sh\b")
SEARCHED = (".ci", ".github", "charts", "containers", "infra", "scripts", "synth", "tests", "tools")
"""Where shell scripts may be; nothing that is installed or generated is below these."""

Findings = Iterator[str]


@dataclass(frozen=True)
class Judge:
    """One tool and what it says: `findings` yields a sentence for each fault, `tools` are those that it needs."""

    name: str
    what: str
    findings: Callable[[], Findings]
    tools: tuple[str, ...] = ()


@click.command()
@click.option("--only", multiple=True, help="One judge by its name; may be given again. Without it all of them.")
def verify(only: tuple[str, ...]) -> None:
    """Let kustomize, kubeconform, istioctl, kube-score, checkov and the others judge what is committed.

    Builds and installs them below .cache/ the first time, which needs Go and the network and takes some minutes.
    Exit code 1 when one of them has a finding, 3 when one cannot be had.

    Example: python -m scripts verify --only kustomize
    """
    if unknown := [name for name in only if name not in JUDGES]:
        raise click.BadParameter(f"{', '.join(unknown)}: there are {', '.join(JUDGES)}", param_hint="--only")
    judges = [judge for judge in JUDGES.values() if not only or judge.name in only]
    toolbox.prepare(sorted({name for judge in judges for name in judge.tools}))
    faults, broken = 0, []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for judge, (findings, seconds, failed) in zip(judges, pool.map(_timed, judges), strict=True):
            verdict = "failed" if failed else f"{len(findings)} to mend" if findings else "ok"
            broken += [f"{judge.name}: {failed}"] if failed else []
            click.echo(f"{judge.name:12}{seconds:5.1f} s  {verdict:10} {judge.what}")
            for finding in findings:
                click.echo(f"  {finding}")
            faults += len(findings)
    if broken:
        raise ToolError("\n".join(broken))
    if faults:
        raise DefinitionError(f"{faults} {'fault' if faults == 1 else 'faults'} to mend; the lines above say where")


def _timed(judge: Judge) -> tuple[list[str], float, str]:
    """What a judge finds, in how many seconds, and why it could not, empty where it could."""
    start, failed = time.monotonic(), ""
    try:
        findings = list(judge.findings())
    except DefinitionError as error:
        findings = [str(error)]
    except (ToolError, OSError) as error:
        findings, failed = [], str(error)
    return findings, time.monotonic() - start, failed


def _run(
    name: str, *arguments: str | Path, stdin: str = "", environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a tool in the project's folder, in silence."""
    command = [str(toolbox.tool(name)), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, input=stdin, capture_output=True, text=True, check=False)


def _lines(done: "subprocess.CompletedProcess[str]") -> Findings:
    """Every line that a tool printed where it failed."""
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        yield from said or [f"{done.args[0]} failed with exit code {done.returncode} and said nothing"]


def _answers(done: "subprocess.CompletedProcess[str]") -> list[Any]:
    """What a tool answered: JSON values, one behind the other.

    Raises:
        ToolError: it did not.
    """
    decoder, values, rest = json.JSONDecoder(), [], done.stdout.strip()
    try:
        while rest:
            value, end = decoder.raw_decode(rest)
            values.append(value)
            rest = rest[end:].strip()
    except json.JSONDecodeError:
        values = []
    if not values:
        said = (done.stderr or done.stdout).strip()
        raise ToolError(f"{Path(done.args[0]).name} gave no JSON, exit code {done.returncode}: {said}")
    return values


def _last_line(done: "subprocess.CompletedProcess[str]") -> str:
    """The last that a tool said before it failed, which is why."""
    return (done.stderr.strip() or "it said nothing").splitlines()[-1]


def _files(pattern: str) -> list[Path]:
    return sorted(path.relative_to(ROOT) for path in ROOT.glob(pattern))


def kustomize() -> Findings:
    for file in sorted((ROOT / "deploy").rglob(KUSTOMIZATION_FILE)):
        yield from _built_as_rendered(file.parent)


def _built_as_rendered(folder: Path) -> Findings:
    """Whether what kustomize makes of a folder is what its files have, object by object and in their order."""
    place = folder.relative_to(ROOT)
    # As listed, and not in the order that kustomize has of its own.
    done = _run("kustomize", "build", "--reorder", "none", place)
    if done.returncode != 0:
        yield f"{place}: {_last_line(done)}"
        return
    listed = _documents(folder / KUSTOMIZATION_FILE)[0].get("resources", [])
    for name in sorted({entry.name for entry in folder.iterdir()} - {KUSTOMIZATION_FILE, *listed}):
        yield f"{place}: {KUSTOMIZATION_FILE} does not list {name}, so it would be lost"
    built, rendered = load(done.stdout), list(_listed(folder))
    if [_identity(item) for item in built] != [_identity(item) for item in rendered]:
        lost = [name for name in map(_identity, rendered) if name not in map(_identity, built)]
        missing = ", ".join(lost) or "none"
        yield f"{place}: kustomize gives other objects than the files, or another order; lost: {missing}"
        return
    for made, given in zip(built, rendered, strict=True):
        if made != given:
            yield f"{place}: kustomize changes {_identity(given)}"


def _listed(folder: Path) -> Iterator[Document]:
    """The objects of a folder as its kustomization lists them, with its patches."""
    kustomization = _documents(folder / KUSTOMIZATION_FILE)[0]
    for name in kustomization.get("resources", []):
        place = folder / name
        for document in _listed(place) if place.is_dir() else _documents(place):
            yield patched(document, kustomization)


def _documents(file: Path) -> list[Document]:
    """The objects of a file.

    Raises:
        DefinitionError: it is no YAML, or something in it is no object.
    """
    try:
        documents = load(file.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{file.relative_to(ROOT)} is no YAML: {' '.join(str(error).split())}") from error
    for document in documents:
        kustomization = file.name == KUSTOMIZATION_FILE
        if not (isinstance(document, dict) and (kustomization or {"kind", "metadata"} <= document.keys())):
            raise DefinitionError(
                f"{file.relative_to(ROOT)} has something that is no Kubernetes object: keep it elsewhere"
            )
    return documents or [{}]


def _identity(document: Document) -> str:
    metadata = document["metadata"]
    return f"{document['kind']} {metadata.get('namespace', '')}/{metadata['name']}"


def _build(environment: Environment) -> str:
    """Everything that Flux would apply to an environment's cluster, as one YAML stream.

    Raises:
        DefinitionError: kustomize cannot build it.
    """
    built = [_run("kustomize", "build", f"{environment.path}/{unit}") for unit in UNITS]
    if failed := [_last_line(done) for done in built if done.returncode != 0]:
        raise DefinitionError(f"{environment.path}: {'; '.join(failed)}")
    return "---\n".join(done.stdout for done in built)


def kubeconform() -> Findings:
    with tempfile.TemporaryDirectory() as folder:
        locations = [part for place in write_schemas(Path(folder)) for part in ("-schema-location", place)]
        for environment in ENVIRONMENTS:
            version = (*("-kubernetes-version", f"{kubernetes_version().rpartition('.')[0]}.0"), "-output", "json")
            done = _run("kubeconform", "-strict", *version, *locations, stdin=_build(environment))
            for item in _answers(done)[0]["resources"]:
                yield f"{environment.path}: {item['kind']} {item['name']}: {item['msg']}"


def istioctl() -> Findings:
    with tempfile.TemporaryDirectory() as folder:
        for environment in ENVIRONMENTS:
            # One file for each environment: objects of one name would overwrite each other.
            file = Path(folder) / f"{environment.name}.yaml"
            file.write_text(_build(environment), "utf-8")
            done = _run("istioctl", "analyze", "--use-kube=false", "--all-namespaces", "--output", "json", file)
            for message in _answers(done)[0] if done.stdout.strip() else ():
                yield f"{environment.path}: {message['origin']}: {message['code']} {message['message']}"
            if done.returncode != 0 and not done.stdout.strip():
                yield f"{environment.path}: {done.stderr.strip()}"


@dataclass(frozen=True, order=True)
class Broken:
    """A rule of a linter, and the object that breaks it, or that says it may."""

    item: str
    rule: str


EXEMPTING = ("checkov.io/", "kube-score/")


def _undecorated(environment: Environment, folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Write an environment's objects without the annotations that exempt them; each object with those annotations.

    Flux's own manifest is left out: it is not ours to lint.
    """
    for unit in UNITS:
        for file in sorted((ROOT / environment.path / unit).rglob("*.yaml")):
            if file.name in (KUSTOMIZATION_FILE, COMPONENTS_FILE):
                continue
            documents = _documents(file)
            for document in documents:
                annotations = document["metadata"].pop("annotations", {})
                kept = {key: text for key, text in annotations.items() if not key.startswith(EXEMPTING)}
                if kept:
                    document["metadata"]["annotations"] = kept
                yield _identity(document), annotations
            place = folder / file.relative_to(ROOT)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(dump(documents), "utf-8")


def _compared(
    place: str, broken: Iterable[Broken], exempted: Iterable[Broken], texts: Mapping[Broken, str]
) -> Findings:
    """What is broken and not exempted, and what is exempted and not broken."""
    found, allowed = set(broken), set(exempted)
    for item in sorted(found - allowed):
        yield f"{place}: {item.item} breaks {item.rule}: {texts[item]}"
    for item in sorted(allowed - found):
        yield f"{place}: {item.item} is exempted from {item.rule}, which it does not break: charts/shapes/exemptions.py"


def kube_score() -> Findings:
    minor = kubernetes_version().rpartition(".")[0]
    for environment in ENVIRONMENTS:
        with tempfile.TemporaryDirectory() as folder:
            exempted = dict(_undecorated(environment, Path(folder)))
            files = sorted(Path(folder).rglob("*.yaml"))
            scored = _answers(_run("kube-score", "score", "--kubernetes-version", f"v{minor}", "-o", "json", *files))[0]
        texts: dict[Broken, str] = {}
        rules = set()
        for item in scored:
            name = (
                f"{item['type_meta']['kind']} {item['object_meta'].get('namespace', '')}/{item['object_meta']['name']}"
            )
            for check in item["checks"]:
                rules.add(check["check"]["id"])
                if not check["skipped"] and check["grade"] < GOOD:
                    texts[Broken(name, check["check"]["id"])] = check["check"]["name"]
        allowed = []
        for name, annotations in exempted.items():
            parts = [part.strip() for part in annotations.get("kube-score/ignore", "").split(",") if part.strip()]
            for part, following in zip(parts, [*parts, ""][1:], strict=True):
                # What is no rule is a reason: it has words.
                if part in rules or " " not in part:
                    allowed.append(Broken(name, part))
                    if " " not in following:
                        yield f"{environment.path}: {name} is exempted from {part} without a reason: write it behind"
        yield from _compared(environment.path, texts, allowed, texts)


GOOD = 7
"""kube-score's grades: 1 critical, 5 warning, 7 almost good, 10 good."""


def checkov() -> Findings:
    for environment in ENVIRONMENTS:
        with tempfile.TemporaryDirectory() as folder:
            exempted = dict(_undecorated(environment, Path(folder)))
            failed = _checkov(["kubernetes"], folder)
        texts = {
            Broken("{} {}/{}".format(*item["resource"].split(".", 2)), item["check_id"]): item["check_name"]
            for item in failed
        }
        allowed = []
        for name, annotations in exempted.items():
            for key, text in annotations.items():
                if key.startswith("checkov.io/skip"):
                    rule, _, reason = text.partition("=")
                    allowed.append(Broken(name, rule))
                    if not reason:
                        yield f"{environment.path}: {name} is exempted from {rule} without a reason: write it behind ="
        yield from _compared(environment.path, texts, allowed, texts)
    # Flux's own manifest is built into flux/, so that is left out here as well.
    applied = [Path(environment.path, unit) for environment in ENVIRONMENTS for unit in ("platform", "apps")]
    others = ("terraform", "dockerfile", "github_actions")
    found = [*_checkov(["kustomize"], *applied), *_checkov(others, "infra", "containers", ".github")]
    # One with several folders tells some of what is in one again for the next.
    yield from dict.fromkeys(
        f"{item['repo_file_path'].lstrip('/')}: {item['resource']} breaks {item['check_id']}: {item['check_name']}"
        for item in found
    )


def _checkov(frameworks: Iterable[str], *folders: str | Path) -> list[Document]:
    """The failed checks of some frameworks in folders."""
    options = ("--skip-download", "--quiet", "--compact", "--output", "json", "--skip-path", COMPONENTS_FILE)
    path = f"{toolbox.tool('kustomize').parent}{os.pathsep}{os.environ['PATH']}"
    places = [part for folder in folders for part in ("--directory", str(folder))]
    chosen = ("--framework", *frameworks)
    done = _run("checkov", *places, *chosen, *options, environment=os.environ | {"PATH": path})
    # An answer for each folder, and in it one for each framework where there are several.
    answers = [answer for part in _answers(done) for answer in (part if isinstance(part, list) else [part])]
    if unread := [name for answer in answers for name in answer.get("results", {}).get("parsing_errors", [])]:
        raise DefinitionError(f"checkov cannot read {', '.join(dict.fromkeys(unread))}")
    return [item for answer in answers for item in answer.get("results", {}).get("failed_checks", [])]


def opentofu() -> Findings:
    environment = os.environ | {"TF_CLI_CONFIG_FILE": str(tofu.home() / "tofurc"), "TF_IN_AUTOMATION": "1"}
    for folder in sorted({file.parent for file in (ROOT / "infra").rglob("*.tf")}):
        place = f"-chdir={folder.relative_to(ROOT)}"
        done = _run("tofu", place, "fmt", "-check", "-no-color", environment=environment)
        for name in done.stdout.split():
            yield f"{folder.relative_to(ROOT)}/{name} is not in shape: `tofu fmt` puts it right"
        for problem in _answers(_run("tofu", place, "validate", "-json", environment=environment))[0]["diagnostics"]:
            if problem["severity"] == "error" or problem["summary"] != DEVELOPMENT_OVERRIDES:
                where = problem.get("range", {}).get("filename", "")
                yield f"{folder.relative_to(ROOT)}/{where}: {problem['summary']} {problem.get('detail', '')}"


DEVELOPMENT_OVERRIDES = "Provider development overrides are in effect"
"""The warning that each run with the providers of `python -m scripts tofu` has."""


def hadolint() -> Findings:
    files = [path for path in _files("containers/**/*Dockerfile*") if path.suffix != ".dockerignore"]
    yield from _lines(_run("hadolint", *files))


def shellcheck() -> Findings:
    yield from _lines(_run("shellcheck", "--format=gcc", *_shell_scripts()))


def _shell_scripts() -> list[Path]:
    """Every file that is a shell script by its first line."""
    files = (file for folder in SEARCHED for file in _files(f"{folder}/**/*") if (ROOT / file).is_file())
    return [file for file in files if SHELL.match((ROOT / file).read_bytes()[:80].decode(errors="replace"))]


def actionlint() -> Findings:
    # It runs shellcheck on what the steps run.
    options = ("-no-color", "-oneline", "-shellcheck", toolbox.tool("shellcheck"))
    yield from _lines(_run("actionlint", *options, *_files(".github/workflows/*.y*ml")))


def zizmor() -> Findings:
    done = _run("zizmor", "--offline", "--no-progress", "--strict-collection", "--format=json", ".")
    for finding in _answers(done)[0]:
        places = [place for place in finding["locations"] if place["symbolic"]["kind"] == "Primary"]
        for place in places:
            file = place["symbolic"]["key"]["Local"]["verbatim_path"].removeprefix("./")
            line = place["concrete"]["location"]["start_point"]["row"] + 1
            yield f"{file}:{line}: {finding['ident']}: {finding['desc']}, {finding['url']}"


def yamllint() -> Findings:
    yield from _lines(_run("yamllint", "--strict", "--format=parsable", "."))


JUDGES = {
    judge.name: judge
    for judge in (
        Judge("checkov", "every object, infra/, containers/ and .github/", checkov, ("checkov", "kustomize")),
        Judge("kustomize", "every folder builds to exactly what was rendered", kustomize, ("kustomize",)),
        Judge("kubeconform", "every object against its schema", kubeconform, ("kubeconform", "kustomize")),
        Judge("istioctl", "each environment's mesh", istioctl, ("istioctl", "kustomize")),
        Judge("kube-score", "every object", kube_score, ("kube-score",)),
        Judge("opentofu", "infra/: shape and types", opentofu, ("tofu",)),
        Judge("hadolint", "containers/", hadolint, ("hadolint",)),
        Judge("shellcheck", "shell scripts", shellcheck, ("shellcheck",)),
        Judge("actionlint", "workflows", actionlint, ("actionlint", "shellcheck")),
        Judge("zizmor", "workflows: what an attacker could use", zizmor, ("zizmor",)),
        Judge("yamllint", "YAML that people write", yamllint, ("yamllint",)),
    )
}
