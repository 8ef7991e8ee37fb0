"""What stands in for the wiki's application: FastAPI under uvicorn, as the wiki's Dockerfile runs it.

Python is the machine's own, and so are the libraries that it is linked with.
"""

import json
import re
import shlex
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from scripts.gate.node import programs
from scripts.gate.node.images import PATH, Image
from scripts.programs import ROOT
from synth import ToolError

DOCKERFILE = ROOT / "containers" / "graphwiki" / "Dockerfile"
REFERENCE = "cluster.test/wiki:1"
APP = programs.TOOLS / "wiki" / "main.py"
LEFT_OUT = {"__pycache__", "ensurepip", "idlelib", "site-packages", "test", "tkinter", "turtledemo"}
"""What of Python's own library no app needs."""


def image() -> Image:
    """The image: the variables, the user, the folder and the command of the Dockerfile's last stage.

    Raises:
        ToolError: the Dockerfile does not say one of them.
    """
    said = stage(DOCKERFILE.read_text("utf-8"))
    try:
        variables = dict(word.split("=", 1) for word in shlex.split(said["ENV"]))
        command, user = json.loads(said["CMD"]), int(said["USER"].partition(":")[0])
        module = variables["UVICORN_APP"].partition(":")[0].replace(".", "/")
        search, folder = variables["PATH"].partition(":")[0], said["WORKDIR"]
    except (KeyError, ValueError) as error:
        raise ToolError(
            f"{DOCKERFILE.relative_to(ROOT)} does not say in its last stage what to run: {error}"
        ) from error
    python = Path(sys.executable).resolve()
    program = programs.WIKI.make().parent / "uvicorn"
    program.write_text(f"#!{python}\nimport sys\nfrom uvicorn.main import main\nsys.exit(main())\n", "utf-8")
    packages = f"{sysconfig.get_paths()['stdlib']}/site-packages"
    files = {str(python): python}
    for source, place in {programs.WIKI.place: packages, **{Path(path): path for path in _library()}}.items():
        files |= {f"{place}/{file}": source / file for file in _needed(source)}
    linked = [file for file in files.values() if file.suffix == ".so"]
    for file in (python, *linked):
        # What is linked with what this machine lacks cannot be imported here either.
        with suppress(ToolError):
            files |= programs.libraries(file)
    files |= {f"{packages}/{module}.py": APP, f"{search}/{command[0]}": program}
    variables["PATH"] = variables["PATH"].replace("$PATH", PATH)
    return Image(files, tuple(command), environment=variables, user=user, folder=folder)


def _library() -> dict[str, None]:
    """Where Python has its own library: often one folder for both of its parts."""
    return dict.fromkeys(sysconfig.get_paths()[kind] for kind in ("stdlib", "platstdlib"))


def _needed(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        inside = file.relative_to(folder)
        if file.is_file() and not LEFT_OUT & set(inside.parts):
            yield inside


def stage(dockerfile: str) -> dict[str, str]:
    """The instructions of a Dockerfile's last stage, each as it is given last."""
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", dockerfile, flags=re.MULTILINE)).splitlines()
    last = max(number for number, line in enumerate(lines) if line.startswith("FROM "))
    return dict(line.split(maxsplit=1) for line in lines[last:] if len(line.split(maxsplit=1)) == len("ab"))
