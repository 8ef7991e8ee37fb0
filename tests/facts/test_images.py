"""images.yaml: what it may say, the sentence for each mistake, and how a pod names an image."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from facts import images as module
from facts.environments import ENVIRONMENTS
from facts.images import UNKNOWN_DIGEST, Image, Images, image, images, unknown_digests
from synth import DefinitionError
from tests.environments import MANAGED, PLAIN

LOCAL = replace(PLAIN, name="local")
STAGING = replace(MANAGED, name="staging", digests=False)
PRODUCTION = replace(MANAGED, name="production")
FIXTURES = (LOCAL, STAGING, PRODUCTION)

DIGEST = f"sha256:{'1f' * 32}"

RIGHT = f"""# Which image runs where.
local:
  graphwiki:
    repository: graphwiki
    tag: latest
staging:
  graphwiki:
    repository: graphwiki/graphwiki
    tag: 1.2.0
production:
  graphwiki:
    repository: registry.example.net/graphwiki
    tag: 1.1.0
    digest: {DIGEST}
"""

STAGINGS = """staging:
  graphwiki:
    repository: graphwiki/graphwiki
    tag: 1.2.0
"""


def parse(text: str) -> Images:
    return module.parse(text, FIXTURES)


def with_edit(old: str, new: str) -> str:
    assert RIGHT.count(old) == 1
    return RIGHT.replace(old, new)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Another images.yaml in the place of the committed one."""
    path = tmp_path / "images.yaml"
    monkeypatch.setattr(module, "IMAGES_FILE", path)
    monkeypatch.setattr(module.parse, "__defaults__", (FIXTURES,))
    images.cache_clear()
    yield path
    images.cache_clear()


def test_what_is_right_is_read() -> None:
    assert parse(RIGHT) == {
        "local": {"graphwiki": Image("graphwiki", "latest")},
        "staging": {"graphwiki": Image("graphwiki/graphwiki", "1.2.0")},
        "production": {"graphwiki": Image("registry.example.net/graphwiki", "1.1.0", DIGEST)},
    }


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (RIGHT, "", "it has no environments: write one for each of local, staging, production"),
        (RIGHT, "- local\n", "it has no environments: write one for each of local, staging, production"),
        (
            "local:\n",
            "preview: {}\nlocal:\n",
            "there is no environment preview; there are local, staging, production",
        ),
        (STAGINGS, "", "staging has no images: write each below it, with a repository and a tag"),
        (
            STAGINGS,
            "staging: [graphwiki]\n",
            "staging has no images: write each below it, with a repository and a tag",
        ),
        (
            "staging:\n  graphwiki:",
            "staging:\n  Wiki:",
            "staging: 'Wiki' is no name of an image: write lower case letters, digits and -",
        ),
        (
            STAGINGS,
            "staging:\n  graphwiki: graphwiki:1.2.0\n",
            "staging: graphwiki has no fields: write its repository and its tag",
        ),
        (
            "tag: 1.2.0",
            "tag: 1.2.0\n    version: 1.2.0",
            "staging: graphwiki has version, which is no field; there are repository, tag, digest",
        ),
        (
            "    repository: graphwiki/graphwiki\n",
            "",
            "staging: graphwiki has no repository: an image is named by its repository and a tag",
        ),
        ("    tag: 1.2.0\n", "", "staging: graphwiki has no tag: an image is named by its repository and a tag"),
        (
            STAGINGS,
            "staging:\n  graphwiki: {}\n",
            "staging: graphwiki has no repository and no tag: an image is named by its repository and a tag",
        ),
        (
            "graphwiki/graphwiki",
            "GraphWiki",
            "staging: graphwiki has the repository 'GraphWiki': registry.example.com/team/app is one, without a tag",
        ),
        (
            "graphwiki/graphwiki",
            "graphwiki/graphwiki:1.2.0",
            "staging: graphwiki has the repository 'graphwiki/graphwiki:1.2.0': registry.example.com/team/app is one, "
            "without a tag",
        ),
        (
            "graphwiki/graphwiki",
            "https://registry.example.com/graphwiki",
            "staging: graphwiki has the repository 'https://registry.example.com/graphwiki': "
            "registry.example.com/team/app is one, without a tag",
        ),
        (
            "tag: 1.2.0",
            "tag: 1.29",
            "staging: graphwiki has the tag 1.29, which YAML does not read as text: put it in quotes",
        ),
        (
            "tag: 1.2.0",
            "tag:",
            "staging: graphwiki has the tag nothing, which YAML does not read as text: put it in quotes",
        ),
        (
            "tag: 1.2.0",
            "tag: 1.2.0+build",
            "staging: graphwiki has the tag '1.2.0+build': a tag is of letters, digits, _, . and -, at most 128",
        ),
        (
            "tag: 1.2.0",
            f"tag: {'x' * 129}",
            f"staging: graphwiki has the tag '{'x' * 129}': a tag is of letters, digits, _, . and -, at most 128",
        ),
        (
            "tag: 1.2.0",
            "tag: latest",
            "staging: graphwiki has the tag latest, which says nothing about what runs: name the release",
        ),
        (
            DIGEST,
            "sha256:1f1f",
            "production: graphwiki has the digest 'sha256:1f1f': a digest is sha256: and 64 hexadecimal digits",
        ),
        (
            DIGEST,
            DIGEST.upper(),
            f"production: graphwiki has the digest '{DIGEST.upper()}': a digest is sha256: and 64 hexadecimal digits",
        ),
        (
            f"    digest: {DIGEST}\n",
            "",
            "production: graphwiki has no digest, and production wants one: sha256: and 64 hexadecimal digits",
        ),
        ("tag: 1.2.0", "tag: 1.2.0\n    tag: 1.3.0", "tag stands there twice, again in line 10: keep one"),
        (
            "local:\n",
            "local:\n  graphwiki:\n    repository: graphwiki\n    tag: latest\n",
            "graphwiki stands there twice, again in line 6: keep one",
        ),
    ],
    ids=[
        "empty",
        "no mapping",
        "unknown environment",
        "missing environment",
        "apps no mapping",
        "name in upper case",
        "entry no mapping",
        "unknown field",
        "no repository",
        "no tag",
        "neither",
        "repository in upper case",
        "repository with a tag",
        "repository with a scheme",
        "tag read as a number",
        "empty tag",
        "malformed tag",
        "long tag",
        "latest",
        "short digest",
        "digest in upper case",
        "no digest in production",
        "field twice",
        "app twice",
    ],
)
def test_a_mistake_is_exactly_one_sentence(old: str, new: str, sentence: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        parse(with_edit(old, new))
    assert str(refused.value) == f"images.yaml: {sentence}"


@pytest.mark.parametrize("text", ["local:\n\tgraphwiki: {}\n", "local:\n- a\nb", RIGHT.replace("local:", "local")])
def test_what_is_no_yaml_is_one_line_that_says_where(text: str) -> None:
    with pytest.raises(DefinitionError, match=r'^images\.yaml is no YAML: .*"<unicode string>", line [23], .*$'):
        parse(text)


def test_a_repository_that_is_read_as_a_number_is_refused() -> None:
    with pytest.raises(DefinitionError, match="staging: graphwiki has the repository 12"):
        parse(with_edit("graphwiki/graphwiki", "12"))


def test_several_mistakes_are_all_told() -> None:
    wrong = RIGHT.replace("tag: 1.2.0", "tag: latest\n    color: red").replace(f"    digest: {DIGEST}\n", "")
    with pytest.raises(DefinitionError) as refused:
        parse(f"{wrong}preview: {{}}\n")
    assert str(refused.value).splitlines() == [
        "images.yaml: there is no environment preview; there are local, staging, production",
        "images.yaml: staging: graphwiki has color, which is no field; there are repository, tag, digest",
        "images.yaml: staging: graphwiki has the tag latest, which says nothing about what runs: name the release",
        "images.yaml: production: graphwiki has no digest, and production wants one: sha256: and 64 hexadecimal digits",
    ]


def test_latest_is_fine_where_images_are_imported() -> None:
    assert LOCAL.registry is None
    assert parse(RIGHT)["local"]["graphwiki"].tag == "latest"


@pytest.mark.parametrize(
    ("image", "registry", "reference"),
    [
        (Image("graphwiki", "latest"), None, "graphwiki:latest"),
        (Image("team/wiki", "1.0"), None, "team/wiki:1.0"),
        (Image("graphwiki", "1.0"), "registry.example.com", "registry.example.com/graphwiki:1.0"),
        (Image("team/wiki", "1.0"), "registry.example.com", "registry.example.com/team/wiki:1.0"),
        (Image("docker.io/team/wiki", "1.0"), "registry.example.com", "docker.io/team/wiki:1.0"),
        (Image("registry:5000/wiki", "1.0"), "registry.example.com", "registry:5000/wiki:1.0"),
        (Image("localhost/wiki", "1.0"), "registry.example.com", "localhost/wiki:1.0"),
        (Image("wiki", "1.0", DIGEST), "registry.example.com:5000", f"registry.example.com:5000/wiki:1.0@{DIGEST}"),
        (Image("docker.io/team/wiki", "1.0", DIGEST), None, f"docker.io/team/wiki:1.0@{DIGEST}"),
    ],
)
def test_a_pod_names_an_image_in_full(image: Image, registry: str | None, reference: str) -> None:
    assert image.reference(registry) == reference


def test_a_placeholder_is_left_out_where_no_digest_is_wanted() -> None:
    unknown, known = Image("wiki", "1.0", UNKNOWN_DIGEST), Image("wiki", "1.0", DIGEST)
    assert [unknown.taken_by(environment) for environment in FIXTURES] == [Image("wiki", "1.0")] * 2 + [unknown]
    assert {known.taken_by(environment) for environment in FIXTURES} == {known}


def test_an_image_is_written_down_where_it_runs_with_its_tag() -> None:
    for text in ("docker.io/team/wiki:1.0", f"registry:5000/wiki:1.0@{DIGEST}"):
        assert Image.parse(text).reference("registry.example.com") == text
    wrong: tuple[Any, ...] = ("wiki", "wiki@sha256:00", "https://docker.io/wiki:1.0", "Wiki:1.0", 3, None)
    for text in wrong:
        with pytest.raises(ValueError, match=f"the image {text} is none that can be pulled for certain: write REPOSIT"):
            Image.parse(text)


def test_each_environment_has_images_of_its_own(file: Path) -> None:
    file.write_text(RIGHT)
    assert {name: image(environment, "graphwiki") for name, environment in zip("lsp", FIXTURES, strict=True)} == {
        "l": Image("graphwiki", "latest"),
        "s": Image("graphwiki/graphwiki", "1.2.0"),
        "p": Image("registry.example.net/graphwiki", "1.1.0", DIGEST),
    }


def test_an_image_that_is_not_there_is_told_with_those_that_are(file: Path) -> None:
    file.write_text(RIGHT)
    with pytest.raises(DefinitionError) as refused:
        image(STAGING, "test-app")
    assert str(refused.value) == (
        "images.yaml: staging has no image test-app; give it a repository and a tag, or write the image down in its "
        "chart (there are graphwiki)"
    )


def test_a_missing_file_is_told(file: Path) -> None:
    assert not file.exists()
    with pytest.raises(DefinitionError, match=r"^images\.yaml cannot be read: No such file or directory$"):
        images()


def test_a_placeholder_is_an_unknown_digest_and_no_digest_is_none(file: Path) -> None:
    file.write_text(
        with_edit(DIGEST, UNKNOWN_DIGEST)
        + f"  test-app:\n    repository: docker.io/team/nginx\n    tag: '1.29'\n    digest: {DIGEST}\n"
    )
    assert unknown_digests(PRODUCTION) == ["graphwiki"]
    assert unknown_digests(STAGING) == []


def test_no_digest_is_invented_while_the_registry_is_an_example() -> None:
    environments = [environment for environment in ENVIRONMENTS if "REGISTRY" in environment.examples]
    given = {image.digest for environment in environments for image in images()[environment.name].values()}
    assert given <= {None, UNKNOWN_DIGEST}
