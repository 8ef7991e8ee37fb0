"""What the control planes are built from, where they are kept, and how a new version is pinned."""

from dataclasses import replace
from pathlib import Path

import pytest

from facts.versions import kubernetes_minor
from scripts.gate import kubernetes
from synth import ToolError
from tests.environments import MANAGED, PLAIN
from tests.stand_ins import StandIns, fails, says

OWN = """module k8s.io/kubernetes

require (
\tgo.etcd.io/etcd/client/v3 v3.9.1
)

replace (
\tk8s.io/api => ./staging/src/k8s.io/api
\tk8s.io/mount-utils => ./staging/src/k8s.io/mount-utils
)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of its own, and a user's cache of its own."""
    folder = tmp_path / "module"
    folder.mkdir()
    monkeypatch.setattr(kubernetes, "MODULE", folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def pins(folder: Path, name: str, version: str) -> Path:
    (folder / "main.go").write_text("package main\n")
    (folder / name).write_text(f"require (\n\tk8s.io/kubernetes {version}\n)\n")
    (folder / name).with_suffix(".sum").write_text("")
    return folder / name


def test_each_minor_version_has_a_file_of_its_own(module: Path) -> None:
    newest, older = pins(module, "go.mod", "v1.9.4"), pins(module, "1.8.mod", "v1.8.7")
    assert kubernetes.dependencies("1.9") == newest
    assert kubernetes.dependencies("1.8") == older
    with pytest.raises(ToolError, match=r"^tools/kubernetes/ pins no Kubernetes 1\.7: `\./gw refresh kubernetes` pins"):
        kubernetes.dependencies("1.7")


def test_a_minor_version_is_no_beginning_of_another(module: Path) -> None:
    pins(module, "go.mod", "v1.90.4")
    with pytest.raises(ToolError):
        kubernetes.dependencies("1.9")


def test_each_minor_version_is_a_build_of_its_own_that_says_which_it_is(module: Path) -> None:
    pins(module, "go.mod", "v1.9.4")
    pins(module, "1.8.mod", "v1.8.7")
    newest, older = (kubernetes.pinned_build(minor, "control-plane", ".") for minor in ("1.9", "1.8"))
    assert newest.place != older.place
    assert older.dependencies == "1.8.mod"
    stamps = {name.rpartition(".")[2]: value for name, value in older.variables}
    assert stamps == {"gitVersion": "v1.8.7", "gitMajor": "1", "gitMinor": "8"}


def test_the_environments_say_which_versions_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    clusters = (PLAIN, replace(MANAGED, kubernetes="1.9", kubernetes_next="1.10"), replace(MANAGED, kubernetes="1.100"))
    monkeypatch.setattr(kubernetes, "ENVIRONMENTS", clusters)
    assert kubernetes.minors() == ["1.100", kubernetes_minor(), "1.10", "1.9"]


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """A Go that knows two patches of each minor version, and no release 0.9.4 of mount-utils."""
    tools = StandIns(tmp_path / "bin")
    tools.put(
        "go",
        says("k8s.io/kubernetes v1.8.9 v1.9.3 v1.9.4-rc.0 v1.9.4 v1.10.0", when="-versions")
        + fails(when="k8s.io/mount-utils@v0.9.4"),
    )
    monkeypatch.setenv("PATH", tools.path)
    return tools


def only(monkeypatch: pytest.MonkeyPatch, *minors: str) -> None:
    monkeypatch.setattr(kubernetes, "module_file", lambda _module, _path: OWN)
    monkeypatch.setattr(kubernetes, "minors", lambda: list(minors))


def test_pinning_takes_the_newest_patch_and_for_each_part_the_newest_that_there_is(
    module: Path, go: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, "1.9")
    assert list(kubernetes.pin()) == ["tools/kubernetes/1.9.mod: Kubernetes v1.9.4"]
    text = (module / "1.9.mod").read_text()
    assert "\tk8s.io/kubernetes v1.9.4\n" in text
    assert "\tgo.etcd.io/etcd/server/v3 v3.9.1\n" in text
    assert "\tk8s.io/api => k8s.io/api v0.9.4\n" in text
    assert "\tk8s.io/mount-utils => k8s.io/mount-utils v0.9.3\n" in text
    assert any(call.startswith(f"go mod tidy -modfile={module / '1.9.mod'}") for call in go.calls())


@pytest.mark.usefixtures("go")
def test_pinning_removes_what_no_environment_runs_any_more(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = pins(module, "1.8.mod", "v1.8.9")
    only(monkeypatch, "1.9")
    list(kubernetes.pin())
    assert not gone.exists()
    assert not gone.with_suffix(".sum").exists()
    assert (module / "main.go").exists()


@pytest.mark.usefixtures("module", "go")
def test_a_version_that_there_is_not_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "1.7")
    with pytest.raises(
        ToolError, match=r"^there is no Kubernetes 1\.7: set kubernetes in facts/environments\.py to one"
    ):
        list(kubernetes.pin())


def test_without_go_nothing_can_be_built_and_what_is_missing_is_named(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins(module, "go.mod", "v1.9.4")
    only(monkeypatch, "1.9")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError, match=r"^Kubernetes 1\.9 cannot be built, go is not on PATH: install Go 1\.\d+"):
        kubernetes.make()
