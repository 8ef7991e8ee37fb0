"""The judges of what people write beside the charts: Terraform, Dockerfiles, shell, workflows, YAML."""

import os
import re
from pathlib import Path

from scripts.gate import tofu, tools
from scripts.gate.judges.judging import Findings, answers, lines, run
from scripts.programs import ROOT

SHELL = re.compile(r"#!.*\b(ba|da|k)?sh\b")
SEARCHED = (".ci", ".github", "charts", "containers", "infra", "scripts", "synth", "tests", "tools")
"""Where shell scripts may be; nothing that is installed or generated is below these."""


def _files(pattern: str) -> list[Path]:
    return sorted(path.relative_to(ROOT) for path in ROOT.glob(pattern))


def opentofu() -> Findings:
    environment = os.environ | {"TF_CLI_CONFIG_FILE": str(tofu.home() / "tofurc"), "TF_IN_AUTOMATION": "1"}
    for folder in sorted({file.parent for file in (ROOT / "infra").rglob("*.tf")}):
        place = f"-chdir={folder.relative_to(ROOT)}"
        done = run("tofu", place, "fmt", "-check", "-no-color", environment=environment)
        for name in done.stdout.split():
            yield f"{folder.relative_to(ROOT)}/{name} is not in shape: `tofu fmt` puts it right"
        for problem in answers(run("tofu", place, "validate", "-json", environment=environment))[0]["diagnostics"]:
            if problem["severity"] == "error" or problem["summary"] != DEVELOPMENT_OVERRIDES:
                where = problem.get("range", {}).get("filename", "")
                yield f"{folder.relative_to(ROOT)}/{where}: {problem['summary']} {problem.get('detail', '')}"


DEVELOPMENT_OVERRIDES = "Provider development overrides are in effect"
"""The warning that each run with the providers of `./gw tofu` has."""


def hadolint() -> Findings:
    files = [path for path in _files("containers/**/*Dockerfile*") if path.suffix != ".dockerignore"]
    yield from lines(run("hadolint", *files))


def shellcheck() -> Findings:
    yield from lines(run("shellcheck", "--format=gcc", *_shell_scripts()))


def _shell_scripts() -> list[Path]:
    """Every file that is a shell script by its first line."""
    found = [file for pattern in ("*", *(f"{folder}/**/*" for folder in SEARCHED)) for file in _files(pattern)]
    files = [file for file in found if (ROOT / file).is_file()]
    return [file for file in files if SHELL.match((ROOT / file).read_bytes()[:80].decode(errors="replace"))]


def actionlint() -> Findings:
    # It runs shellcheck on what the steps run.
    options = ("-no-color", "-oneline", "-shellcheck", tools.tool("shellcheck"))
    yield from lines(run("actionlint", *options, *_files(".github/workflows/*.y*ml")))


def zizmor() -> Findings:
    done = run("zizmor", "--offline", "--no-progress", "--strict-collection", "--format=json", ".")
    for finding in answers(done)[0]:
        places = [place for place in finding["locations"] if place["symbolic"]["kind"] == "Primary"]
        for place in places:
            file = place["symbolic"]["key"]["Local"]["verbatim_path"].removeprefix("./")
            line = place["concrete"]["location"]["start_point"]["row"] + 1
            yield f"{file}:{line}: {finding['ident']}: {finding['desc']}, {finding['url']}"


def yamllint() -> Findings:
    yield from lines(run("yamllint", "--strict", "--format=parsable", "."))
