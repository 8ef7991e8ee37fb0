"""The judges with rules of their own, kube-score and checkov: what breaks one is exempted from it, with a reason."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from facts.environments import ENVIRONMENTS, Environment
from facts.layout import COMPONENTS_FILE, UNITS, root_of
from scripts.gate.judges.judging import Findings, answers, run
from scripts.gate.judges.trees import documents_of, identity
from scripts.programs import ROOT
from synth import DefinitionError
from synth.manifest import Document, dump
from synth.tree import KUSTOMIZATION_FILE


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
            documents = documents_of(file)
            for document in documents:
                annotations = document["metadata"].pop("annotations", {})
                kept = {key: text for key, text in annotations.items() if not key.startswith(EXEMPTING)}
                if kept:
                    document["metadata"]["annotations"] = kept
                yield identity(document), annotations
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
    for environment in ENVIRONMENTS:
        with tempfile.TemporaryDirectory() as folder:
            exempted = dict(_undecorated(environment, Path(folder)))
            files = sorted(Path(folder).rglob("*.yaml"))
            scored = answers(
                run("kube-score", "score", "--kubernetes-version", f"v{environment.minors[-1]}", "-o", "json", *files)
            )[0]
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
    # Once for all environments: it takes longer to start than to look at what one of them has.
    with tempfile.TemporaryDirectory() as folder:
        exempted = {environment.path: dict(_undecorated(environment, Path(folder))) for environment in ENVIRONMENTS}
        failed = _checkov(["kubernetes"], folder)
    for environment in ENVIRONMENTS:
        texts = {
            Broken("{} {}/{}".format(*item["resource"].split(".", 2)), item["check_id"]): item["check_name"]
            for item in failed
            if root_of(item["file_path"].lstrip("/")) == environment.path
        }
        allowed = []
        for name, annotations in exempted[environment.path].items():
            for key, text in annotations.items():
                if key.startswith("checkov.io/skip"):
                    rule, _, reason = text.partition("=")
                    allowed.append(Broken(name, rule))
                    if not reason:
                        yield f"{environment.path}: {name} is exempted from {rule} without a reason: write it behind ="
        yield from _compared(environment.path, texts, allowed, texts)
    # And as they are, with what exempts them in the form that it reads.
    others = ("terraform", "dockerfile", "github_actions")
    found = [*_checkov(["kubernetes"], "deploy"), *_checkov(others, "infra", "containers", ".github")]
    # One with several folders tells some of what is in one again for the next.
    yield from dict.fromkeys(
        f"{item['repo_file_path'].lstrip('/')}: {item['resource']} breaks {item['check_id']}: {item['check_name']}"
        for item in found
    )


def _checkov(frameworks: Iterable[str], *folders: str | Path) -> list[Document]:
    """The failed checks of some frameworks in folders."""
    options = ("--skip-download", "--quiet", "--compact", "--output", "json", "--skip-path", COMPONENTS_FILE)
    places = [part for folder in folders for part in ("--directory", str(folder))]
    chosen = ("--framework", *frameworks)
    done = run("checkov", *places, *chosen, *options)
    # An answer for each folder, and in it one for each framework where there are several.
    reports = [report for part in answers(done) for report in (part if isinstance(part, list) else [part])]
    if unread := [name for report in reports for name in report.get("results", {}).get("parsing_errors", [])]:
        raise DefinitionError(f"checkov cannot read {', '.join(dict.fromkeys(unread))}")
    return [item for report in reports for item in report.get("results", {}).get("failed_checks", [])]
