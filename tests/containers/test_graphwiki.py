"""The image's build file: clean, and of the same numbers as the manifests."""

import re
import subprocess
import sys
from pathlib import Path

from charts.shapes.pod import RUN_AS
from facts.versions import pinned
from synth import ROOT
from tests.deployed import the

FOLDER = ROOT / "containers" / "graphwiki"
DOCKERFILE = (FOLDER / "Dockerfile").read_text("utf-8")


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, FOLDER / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_it_runs_with_the_numbers_of_the_pods() -> None:
    (container,) = the("apps/graphwiki", "Deployment")["spec"]["template"]["spec"]["containers"]
    environment = {variable["name"]: variable["value"] for variable in container["env"]}
    port = container["ports"][0]["containerPort"]
    assert f"\nUSER {RUN_AS}:{RUN_AS}\n" in DOCKERFILE
    assert f"--uid {RUN_AS} --gid {RUN_AS}" in DOCKERFILE
    assert f"\nEXPOSE {port}\n" in DOCKERFILE
    assert f"UVICORN_PORT={port}\n" in DOCKERFILE
    assert f"http://127.0.0.1:{port}/" in DOCKERFILE
    assert f"GRAPHWIKI_DATA_DIR={environment['GRAPHWIKI_DATA_DIR']} " in DOCKERFILE
    assert f"--owner={RUN_AS} --group={RUN_AS} {environment['GRAPHWIKI_DATA_DIR']}\n" in DOCKERFILE


def test_its_bases_are_the_pinned_ones_by_digest() -> None:
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)$", DOCKERFILE, re.MULTILINE))
    digest = r"sha256:(?!0{64})[0-9a-f]{64}"
    for name in ("PYTHON", "RUST"):
        image = name.lower()
        assert re.fullmatch(rf"{image}:{re.escape(pinned(image))}-slim-bookworm@{digest}", arguments.pop(name)), image
    assert arguments == {"MATURIN": pinned("maturin")}
    # Nothing comes from anywhere else: a stage begins with one of the two, a copy is from an earlier stage.
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${PYTHON}", "${RUST}"}
    stages = set(re.findall(r"^FROM \S+ AS (\w+)$", DOCKERFILE, re.MULTILINE))
    assert set(re.findall(r"--from=(\S+)", DOCKERFILE)) <= stages


def test_it_ends_in_a_slim_image_without_the_tools_that_built_it() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert last.startswith("${PYTHON}\n")
    assert not re.search(r"rust|cargo|maturin|pip install|apt-get|build-essential", last)


def test_dependencies_are_installed_before_the_application_is_copied() -> None:
    packages = DOCKERFILE.partition(" AS packages\n")[2].partition("\nFROM ")[0]
    steps = [packages.index(step) for step in ("/src/pyproject.toml .", "--requirement requirements.txt", "/src .")]
    assert steps == sorted(steps)


def test_what_a_checkout_has_beside_the_application_stays_out() -> None:
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert {"**/.git", "**/.venv", "**/__pycache__", "graph-core/target", "**/.env", "tests"} <= set(ignored)
    assert not {"graphwiki", "graph-core", "pyproject.toml"} & set(ignored)
