"""Programs that are built from the Go modules, or come in the packages, that tools/ pins: kept in the user's cache.

A build takes minutes and depends on nothing in this clone but the module's folder: every clone finds it there.
"""

import fcntl
import os
import platform
import sys
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from scripts.gate.go import ENVIRONMENT
from scripts.programs import Programs, available, wanted
from synth import ToolError


def user_cache() -> Path:
    """The folder of this project in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "graphwiki-platform"


def _place(name: str, made_of: str) -> Path:
    machine = f"{platform.system()}-{platform.machine()}".lower()
    return user_cache() / f"{name}-{machine}-{made_of[:12]}" / name


@dataclass(frozen=True)
class Build:
    """A program: the folder of its module, the package in it or among what it requires, the file that pins those.

    `title` begins what is said when it cannot be built, `variables` are set in it by the linker.
    """

    name: str
    title: str
    module: Path
    package: str = "."
    dependencies: str = "go.mod"
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def place(self) -> Path:
        """Where it is, once it is built: by what it is built from, and for which machine."""
        made_of = sha256(repr((self.package, self.variables)).encode())
        file = self.module / self.dependencies
        own = sorted((self.module / self.package).glob("*.go")) if self.package.startswith(".") else []
        for part in (file, file.with_suffix(".sum"), *own):
            if part.exists():
                made_of.update(part.relative_to(self.module).as_posix().encode() + part.read_bytes())
        return _place(self.name, made_of.hexdigest())

    def make(self) -> Path:
        """Where it is; built, if it was not.

        Raises:
            ToolError: Go is missing, or the build fails.
        """
        place = self.place
        if place.exists():
            return place
        if not available("go"):
            raise ToolError(f"{self.title} cannot be built, go is not on PATH: install {wanted('go')}")
        place.parent.mkdir(parents=True, exist_ok=True)
        # Two clones at once would build the same.
        with (place.parent / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not place.exists():
                self._build(place)
        return place

    def _build(self, place: Path) -> None:
        beside = place.with_name(f".{place.name}")
        ldflags = " ".join(("-s -w", *(f"-X {name}={value}" for name, value in self.variables)))
        # It takes every core for minutes, on a machine that somebody works on.
        gently = ("nice", "-n", "10") if available("nice") else ()
        Programs().run(
            *(*gently, "go", "build", f"-modfile={self.module / self.dependencies}", "-trimpath"),
            *(f"-ldflags={ldflags}", "-o", beside, self.package),
            cwd=self.module,
            environment=os.environ | ENVIRONMENT,
            hint="is the network there, and is Go 1.26 or newer?",
        )
        beside.replace(place)


@dataclass(frozen=True)
class Wheel:
    """What comes as Python packages: the lock file that pins them, and the path of a program in them, or of all."""

    name: str
    lock: Path
    path: str = "."

    @property
    def place(self) -> Path:
        """Where it is, once it is fetched: by what is pinned, and for which machine."""
        return _place(self.name, sha256(self.lock.read_bytes() + sys.version.encode()).hexdigest())

    def make(self) -> Path:
        """Where it is; fetched, if it was not.

        Raises:
            ToolError: the package cannot be had.
        """
        place = self.place
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=place.parent) as folder:
                pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")
                Programs().run(*pip, "--target", folder, "-r", self.lock, hint="is the network there?")
                (Path(folder) / self.path).replace(place)
        return place
