"""A Git server at the address that Flux is told to read: OpenSSH, one repository, a deploy key that may only read."""

import base64
import os
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from scripts.gate.node.node import GIT_USER, Node
from synth import ToolError
from synth.manifest import Document

AUTHOR = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "The tests"), ("EMAIL", "tests@example.com"))
}
# What a person has set for Git must not reach these repositories: signing, hooks, another name of the branch.
ALONE = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}


@dataclass(frozen=True)
class GitServer:
    """The repository at `url`, whose `branch` is what is committed in a clone; a test makes its changes in `work`.

    For a cluster that follows tags `line` is their first number: then every commit gets the next one.
    """

    folder: Path
    url: str
    branch: str
    line: int | None = None

    @property
    def host(self) -> str:
        """The name that must lead to the node."""
        return urlsplit(self.url).hostname or ""

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def _repository(self) -> Path:
        return self.folder / "repository.git"

    def serve(self, clone: Path, node: Node) -> None:
        """Have what is committed in a clone as the branch, and answer at the address.

        Raises:
            ToolError: git or sshd fails.
        """
        self.folder.mkdir(mode=0o755)
        self._git("init", "--quiet", "--bare", f"--initial-branch={self.branch}", self._repository)
        # The clone may have no more than its last commit.
        self._git("-C", self._repository, "config", "receive.shallowUpdate", "true")
        # And it may be another user's.
        self._git("-C", clone, "push", "--quiet", self._repository, f"HEAD:refs/heads/{self.branch}", trusted=True)
        self._git("clone", "--quiet", "--branch", self.branch, self._repository, self.work)
        self.tag(self.line)
        for name in ("host", "deploy"):
            self._run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.folder / name)
        serve = self.folder / "serve"
        path = urlsplit(self.url).path
        serve.write_text(
            f"""#!/bin/sh
case "$SSH_ORIGINAL_COMMAND" in
"git-upload-pack '{path}'" | "git-upload-pack {path}") exec git -c safe.directory='*' upload-pack {self._repository} ;;
esac
echo "this key may read {path} and nothing else" >&2
exit 1
""",
            "utf-8",
        )
        serve.chmod(0o755)
        (self.folder / "keys").write_text(f'command="{serve}",restrict {self._public("deploy")}\n', "utf-8")
        (self.folder / "sshd_config").write_text(
            f"""Port {urlsplit(self.url).port or 22}
ListenAddress 0.0.0.0
HostKey {self.folder}/host
AllowUsers {GIT_USER}
AuthorizedKeysFile {self.folder}/keys
PasswordAuthentication no
UsePAM no
PidFile none
""",
            "utf-8",
        )
        node.start("sshd", "/usr/sbin/sshd", "-D", "-e", "-f", self.folder / "sshd_config")

    def commit(self, message: str) -> str:
        """Commit what was changed in `work` and publish it; the revision, as Flux names it."""
        self._git("-C", self.work, "add", "--all")
        self._git("-C", self.work, "commit", "--quiet", "--message", message)
        return self._published()

    def revert_to(self, revision: str) -> str:
        """Publish a commit that has everything as it was at an earlier revision, be it as now; the new revision."""
        self._git("-C", self.work, "read-tree", "-u", "--reset", revision.rpartition(":")[2])
        self._git("-C", self.work, "commit", "--quiet", "--allow-empty", "--message", f"Back to {revision}")
        return self._published()

    @property
    def revision(self) -> str:
        """The revision of what is committed, as Flux names it: `main@sha1:...`, or by its highest tag."""
        tags = self._tags("--points-at=HEAD") if self.line is not None else []
        return f"{tags[0] if tags else self.branch}@sha1:{self._git('-C', self.work, 'rev-parse', 'HEAD').strip()}"

    def tag(self, line: int | None) -> None:
        """Give what is committed the next tag of a line."""
        if line is not None:
            taken = self._tags("--list", f"v{line}.*")
            tag = f"v{line}.{int(taken[0].split('.')[1]) + 1 if taken else 0}.0"
            self._git("-C", self.work, "tag", "--annotate", "--message=For the tests", tag)
            self._git("-C", self.work, "push", "--quiet", "origin", f"refs/tags/{tag}")

    def _tags(self, *which: str) -> list[str]:
        """Tags, the highest first."""
        return self._git("-C", self.work, "tag", "--sort=-version:refname", *which).split()

    def _published(self) -> str:
        self._git("-C", self.work, "push", "--quiet", "origin", f"HEAD:refs/heads/{self.branch}")
        self.tag(self.line)
        return self.revision

    def secret(self, name: str, namespace: str) -> Document:
        """What `flux create secret git` would make: the deploy key, and the host's."""
        files = {
            "identity": (self.folder / "deploy").read_text("utf-8"),
            "identity.pub": self._public("deploy"),
            "known_hosts": f"{self._known} {self._public('host')}\n",
        }
        data = {key: base64.b64encode(text.encode()).decode() for key, text in files.items()}
        metadata = {"name": name, "namespace": namespace}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}

    @cached_property
    def _known(self) -> str:
        port = urlsplit(self.url).port
        return f"[{self.host}]:{port}" if port and port != 22 else self.host  # noqa: PLR2004, SSH's own

    def _public(self, name: str) -> str:
        return " ".join((self.folder / f"{name}.pub").read_text("utf-8").split()[:2])

    def _git(self, *arguments: str | Path, trusted: bool = False) -> str:
        trust = ("-c", "safe.directory=*") if trusted else ()
        return self._run("git", *trust, *arguments)

    def _run(self, *command: str | Path) -> str:
        environment = os.environ | ALONE | AUTHOR
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, env=environment)
        if done.returncode != 0:
            raise ToolError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
        return done.stdout
