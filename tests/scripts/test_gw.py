"""`gw`: the commands from every folder, and what a shell completes."""

import shlex
import subprocess
from pathlib import Path

import pytest

from facts.environments import ENVIRONMENTS, LOCAL
from scripts.cluster.deployed import deployed, hosts
from scripts.completion import NAME, SHELLS
from synth import ROOT
from tests.deployed import APPS
from tests.scripts.desk import Desk
from tests.workshop import Ended

GW = ROOT / NAME


def bash(script: str, folder: Path) -> Ended:
    command = ["bash", "--norc", "--noprofile", "-c", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


def completed(line: str, folder: Path) -> list[str]:
    """What bash offers behind a line, once it has evaluated what `gw completion bash` writes."""
    words = [*shlex.split(line), ""] if line.endswith(" ") else shlex.split(line)
    ended = bash(
        f'eval "$({shlex.quote(str(GW))} completion bash)"\n'
        f"COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}\n"
        "$(complete -p gw | sed 's/.* -F \\([^ ]*\\) gw$/\\1/') gw\n"
        'printf "%s\\n" "${COMPREPLY[@]}"',
        folder,
    )
    assert (ended.code, ended.err) == (0, ""), ended
    return ended.out.split()


@pytest.mark.slow
def test_it_runs_from_another_folder_and_through_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(GW)
    for start in (GW, link):
        ended = bash(f"{shlex.quote(str(start))} logs nothing-of-this-name", tmp_path)
        assert ended.code == 1
        assert ended.err.startswith("there is no app nothing-of-this-name in ")


@pytest.mark.slow
def test_a_relative_path_is_that_of_the_folder_that_it_is_given_in(desk: Desk) -> None:
    ended = subprocess.run(
        [GW, "image", "build", "--context", desk.checkout.name],
        cwd=desk.checkout.parent,
        env=desk.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    (call,) = desk.tools.calls()
    assert (ROOT / shlex.split(call)[-1]).resolve() == desk.checkout.resolve()


def test_where_nothing_is_set_up_it_says_what_to_run(tmp_path: Path) -> None:
    copy = tmp_path / NAME
    copy.write_bytes(GW.read_bytes())
    copy.chmod(0o755)
    ended = bash(f"./{NAME} doctor", tmp_path)
    assert ended == Ended(3, "", f"gw: {tmp_path}/.venv/bin/python is not there: run `make setup`\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("gw lo", {"logs"}),
        ("gw flux sus", {"suspend"}),
        ("gw logs ", set(APPS)),
        ("gw logs --env ", {environment.name for environment in ENVIRONMENTS}),
        ("gw diff ", {environment.name for environment in ENVIRONMENTS}),
        ("gw open ", {host.removesuffix(f".{LOCAL.domain}") for host in hosts(LOCAL)}),
    ],
)
def test_bash_completes_from_another_folder(line: str, offered: set[str], tmp_path: Path) -> None:
    assert set(completed(line, tmp_path)) == offered


@pytest.mark.slow
@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: environment.name)
def test_the_apps_are_those_of_the_environment_that_is_named(environment: object, tmp_path: Path) -> None:
    chosen = next(item for item in ENVIRONMENTS if item is environment)
    offered = completed(f"gw logs --env {chosen.name} ", tmp_path)
    assert set(offered) == {app.name for app in deployed(chosen).apps}


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gets_the_folder_and_the_function(shell: str, tmp_path: Path) -> None:
    ended = bash(f"{shlex.quote(str(GW))} completion {shell}", tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert shlex.quote(str(ROOT)) in ended.out.splitlines()[0]
    assert f"_GW_COMPLETE={shell}_complete" in ended.out
