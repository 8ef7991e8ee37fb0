"""The Git server of a cluster: what is committed is there, Flux's key may read it, and nothing else."""

import base64
import os
import subprocess
from pathlib import Path
from typing import cast

import pytest

from scripts.gate.node.git_server import ALONE, AUTHOR, GitServer
from scripts.gate.node.node import Node

URL = "ssh://git@git.example.com:2222/team/platform.git"

pytestmark = pytest.mark.slow


class Starts:
    """A node that remembers what it is told to run."""

    def __init__(self) -> None:
        self.started: dict[str, tuple[str, ...]] = {}

    def start(self, name: str, *command: str | Path) -> None:
        self.started[name] = tuple(map(str, command))


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    environment = os.environ | ALONE | AUTHOR
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=topic")
    (folder / "file").write_text("committed\n")
    git(folder, "add", "file")
    git(folder, "commit", "--quiet", "--message=First")
    (folder / "file").write_text("not committed\n")
    return folder


@pytest.fixture
def node() -> Starts:
    return Starts()


@pytest.fixture
def server(tmp_path: Path, clone: Path, node: Starts) -> GitServer:
    made = GitServer(tmp_path / "git", URL, "main")
    made.serve(clone, cast(Node, node))
    return made


def test_what_is_committed_in_a_clone_is_the_branch_whatever_it_is_called_there(server: GitServer, clone: Path) -> None:
    assert (server.work / "file").read_text() == "committed\n"
    assert server.revision == f"main@sha1:{git(clone, 'rev-parse', 'HEAD').strip()}"


def test_a_clone_may_be_one_without_history(clone: Path, tmp_path: Path, node: Starts) -> None:
    git(clone, "commit", "--quiet", "--all", "--message=Second")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{clone}", "shallow")
    server = GitServer(tmp_path / "git", URL, "main")
    server.serve(tmp_path / "shallow", cast(Node, node))
    first = server.revision
    (server.work / "new").write_text("new\n")
    assert server.commit("Change") != first
    assert published(server, "new") == "new\n"


def test_for_a_cluster_that_follows_tags_every_commit_has_one(clone: Path, tmp_path: Path, node: Starts) -> None:
    server = GitServer(tmp_path / "git", URL, "main", line=4)
    server.serve(clone, cast(Node, node))
    first = server.revision
    (server.work / "new").write_text("new\n")
    second = server.commit("Change")
    third = server.revert_to(first)
    assert [revision.partition("@")[0] for revision in (first, second, third)] == ["v4.0.0", "v4.1.0", "v4.2.0"]
    assert git(tmp_path / "git" / "repository.git", "tag", "--points-at", second.rpartition(":")[2]) == "v4.1.0\n"


def test_a_change_is_published_and_can_be_taken_back(server: GitServer, clone: Path) -> None:
    first = server.revision
    (server.work / "file").write_text("changed\n")
    (server.work / "new").write_text("new\n")
    assert server.commit("Change") == server.revision != first
    assert published(server, "file") == "changed\n"
    assert server.revert_to(first) == server.revision != first
    assert published(server, "file") == "committed\n"
    assert not (server.work / "new").exists()
    assert (clone / "file").read_text() == "not committed\n"


def published(server: GitServer, file: str) -> str:
    return git(server.folder / "repository.git", "show", f"main:{file}")


@pytest.mark.usefixtures("server")
def test_sshd_listens_at_the_port_of_the_address_for_that_user_alone(node: Starts) -> None:
    (command,) = node.started.values()
    settings = Path(command[-1]).read_text().splitlines()
    assert {"Port 2222", "AllowUsers git", "PasswordAuthentication no"} <= set(settings)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("git-upload-pack '/team/platform.git'", 0),
        ("git-receive-pack '/team/platform.git'", 1),
        ("git-upload-pack '/team/other.git'", 1),
        ("sh -c id", 1),
        ("", 1),
    ],
)
def test_the_key_may_read_this_repository_and_nothing_else(server: GitServer, asked: str, code: int) -> None:
    (key,) = (server.folder / "keys").read_text().splitlines()
    command = key.partition('command="')[2].partition('"')[0]
    assert key.partition('",')[2].startswith("restrict ssh-ed25519 ")
    environment = os.environ | ALONE | {"SSH_ORIGINAL_COMMAND": asked}
    done = subprocess.run([command], env=environment, input="0000", capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert ("this key may read /team/platform.git and nothing else" in done.stderr) == bool(code)


def test_the_secret_has_the_key_and_the_host_that_flux_will_meet(server: GitServer) -> None:
    secret = server.secret("name", "namespace")
    assert (secret["metadata"]["name"], secret["metadata"]["namespace"]) == ("name", "namespace")
    files = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    assert "PRIVATE KEY" in files["identity"]
    assert files["identity.pub"] in (server.folder / "keys").read_text()
    host = " ".join((server.folder / "host.pub").read_text().split()[:2])
    assert files["known_hosts"] == f"[git.example.com]:2222 {host}\n"


def test_a_host_with_sshs_own_port_is_known_by_its_name_alone(tmp_path: Path, clone: Path, node: Starts) -> None:
    server = GitServer(tmp_path / "git", "ssh://git@git.example.com/team/platform.git", "main")
    server.serve(clone, cast(Node, node))
    known = base64.b64decode(server.secret("a", "b")["data"]["known_hosts"]).decode()
    assert known.startswith("git.example.com ssh-ed25519 ")
    assert server.host == "git.example.com"
