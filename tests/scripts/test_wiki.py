"""The wiki's stand-in: an image that is run as the wiki's Dockerfile says."""

from pathlib import Path

import pytest

from scripts.gate.builds import Wheel
from scripts.gate.node import programs, wiki
from scripts.programs import ROOT
from synth import ToolError

DOCKERFILE = """FROM base AS first
CMD ["first"]
FROM base
# A comment.
ENV PATH=/opt/app/bin:$PATH \\
    UVICORN_APP=blog.web:app
USER 10:20
WORKDIR /data
CMD ["uvicorn", "--workers=1"]
"""


@pytest.fixture
def dockerfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One in place of the wiki's, with a package for what it installs."""
    lock = tmp_path / "wiki.txt"
    lock.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    packages = Wheel("wiki", lock)
    for name in ("fastapi/app.py", "fastapi/__pycache__/app.pyc"):
        file = packages.place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    monkeypatch.setattr(programs, "WIKI", packages)
    file = tmp_path / "Dockerfile"
    file.write_text(DOCKERFILE, "utf-8")
    monkeypatch.setattr(wiki, "DOCKERFILE", file)
    monkeypatch.setattr(wiki, "ROOT", tmp_path)
    return file


@pytest.mark.usefixtures("dockerfile")
def test_it_is_run_as_the_last_stage_of_the_dockerfile_says() -> None:
    image = wiki.image()
    assert (image.command, image.user, image.folder) == (("uvicorn", "--workers=1"), 10, "/data")
    assert image.environment["PATH"].startswith("/opt/app/bin:/")
    assert "$" not in image.environment["PATH"]
    assert {place for place in image.files if place.startswith("/opt/")} == {"/opt/app/bin/uvicorn"}
    inside = [place.partition("/site-packages/")[2] for place in image.files]
    assert [place for place in inside if place] == ["fastapi/app.py", "blog/web.py"]


def test_python_comes_with_what_it_is_linked_with(dockerfile: Path) -> None:
    assert dockerfile.exists()
    places = [Path(place) for place in wiki.image().files]
    assert any(place.name.startswith("libc.so") for place in places)
    assert any(place.name == "json" for place in (place.parent for place in places))


@pytest.mark.parametrize("missing", ["USER", "CMD", "WORKDIR"])
def test_a_dockerfile_that_does_not_say_what_to_run_is_refused(dockerfile: Path, missing: str) -> None:
    lines = [line for line in DOCKERFILE.splitlines() if not line.startswith(missing) or "first" in line]
    dockerfile.write_text("\n".join(lines), "utf-8")
    with pytest.raises(ToolError, match=r"^Dockerfile does not say in its last stage what to run: "):
        wiki.image()


def test_the_wikis_own_says_all_of_it() -> None:
    said = wiki.stage((ROOT / "containers/graphwiki/Dockerfile").read_text("utf-8"))
    assert {"ENV", "USER", "WORKDIR", "CMD"} <= said.keys()
