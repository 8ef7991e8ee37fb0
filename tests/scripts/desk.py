"""Where a person sits who runs the commands."""

import contextlib
import io
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from facts.environments import LOCAL
from scripts.__main__ import execute
from scripts.cluster.deployed import hosts
from synth import ROOT
from tests.stand_ins import StandIns, says
from tests.workshop import Ended

TOOLS = ("tofu", "k3d", "docker", "kubectl", "flux")

ADDRESSES = ("helm_release.istiod", "null_resource.cluster", "null_resource.platform")
RESOURCES = [{"address": address} for address in ADDRESSES]
TOFU = says(json.dumps({host: f"http://{host}:1" for host in hosts(LOCAL)}), when="output") + says(
    json.dumps({"values": {"root_module": {"resources": RESOURCES}}}), when="show"
)
"""What the stand-in for Terraform says: the pages, and what is in its state."""


@dataclass(frozen=True)
class Desk:
    """Where a person sits: stand-ins on PATH, a checkout of the application, and the project."""

    tools: StandIns
    checkout: Path

    @property
    def environment(self) -> dict[str, str]:
        cleared = {name: value for name, value in os.environ.items() if name not in ("KUBECONFIG", "GRAPHWIKI_SRC")}
        return {**cleared, "PATH": self.tools.path, "GRAPHWIKI_SRC": str(self.checkout)}

    def run(self, *arguments: str, answer: str = "", **variables: str) -> Ended:
        """A command in this process; what its tools themselves print goes to the real standard output and error."""
        out, err = io.StringIO(), io.StringIO()
        wanted = self.environment | variables
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.chdir(ROOT),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            for name in os.environ.keys() - wanted.keys():
                patch.delenv(name)
            for name, value in wanted.items():
                if os.environ.get(name) != value:
                    patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.StringIO(answer))
            code = execute(list(arguments))
        return Ended(code, out.getvalue(), err.getvalue())

    def calls(self) -> list[str]:
        return [call.replace(str(self.checkout), "CHECKOUT") for call in self.tools.calls()]
