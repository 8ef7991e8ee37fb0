"""`release` and `promote` in a copy of the project: what they change, what they refuse, and what they leave alone."""

from collections.abc import Iterator

import pytest
import yaml

from facts.environments import ENVIRONMENTS, PRODUCTION, STAGING
from facts.images import UNKNOWN_DIGEST, Image, parse
from scripts.definition.release import with_image
from synth import DefinitionError
from synth.names import TAG
from tests.test_renovate import NUMBER_LIKE, Found, renovate
from tests.workshop import Ended, Kept, Workshop

NAMES = [environment.name for environment in ENVIRONMENTS]
DIGEST = f"sha256:{'1f' * 32}"
OTHER_DIGEST = f"sha256:{'2e' * 32}"

NO_RELEASE = "is no release: write a tag and, where it is known, @ and its digest, sha256: and 64 hexadecimal digits"
WIKI = "deploy/staging/apps/graphwiki/deployment.yaml"
WIKI_IN_PRODUCTION = "deploy/production/apps/graphwiki/deployment.yaml"
PAGE, PAGE_OF_PRODUCTION = "deploy/staging/README.md", "deploy/production/README.md"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A copy with images of the wiki that do not depend on what is released just now, compiled."""
    workshop = Workshop.at(tmp_path_factory.mktemp("release"))
    file = workshop.root / "images.yaml"
    images = yaml.safe_load(file.read_text("utf-8"))
    images["staging"]["graphwiki"] = {"repository": "graphwiki/graphwiki", "tag": "1.3.0"}
    images["production"]["graphwiki"] = {"repository": "registry.example.net/wiki", "tag": "1.2.0", "digest": DIGEST}
    text = yaml.safe_dump(images, sort_keys=False).replace("tag: 1.3.0", "tag: 1.3.0  # of May")
    file.write_text(f"# Which image runs where.\n\n{text}", "utf-8")
    assert workshop.compile().code == 0
    return Kept(workshop)


@pytest.fixture
def workshop(kept: Kept) -> Iterator[Workshop]:
    yield kept.workshop
    kept.put_back()


def scripts(workshop: Workshop, *arguments: str) -> Ended:
    return workshop.command(*arguments)


def images_file(workshop: Workshop) -> str:
    return (workshop.root / "images.yaml").read_bytes().decode()


def state(workshop: Workshop) -> dict[str, bytes]:
    """All that these commands may change, and whatever else is in the project's folder, by path."""
    here = {path.name: path.read_bytes() for path in workshop.root.iterdir() if path.is_file()}
    return here | {f"deploy/{path}": content for path, content in workshop.deployed().items()}


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    return {path for path in {*before, *after} if before.get(path) != after.get(path)}


@pytest.mark.slow
class TestRelease:
    """A tag, with or without its digest, for one environment."""

    def test_it_changes_images_yaml_a_deployment_and_the_page_and_shows_the_deployment(
        self, workshop: Workshop
    ) -> None:
        before, text = state(workshop), images_file(workshop)
        ended = scripts(workshop, "release", "graphwiki", "1.4.0", "--env", "staging")
        assert ended.code == 0, ended.err
        assert changed(before, state(workshop)) == {"images.yaml", WIKI, PAGE}
        assert images_file(workshop) == text.replace("tag: 1.3.0  # of May", 'tag: "1.4.0"  # of May')
        said, *diff = ended.out.splitlines()
        assert said == f"images.yaml: staging runs {STAGING.registry}/graphwiki/graphwiki:1.4.0"
        assert diff[:2] == [f"--- {WIKI} (on disk)", f"+++ {WIKI} (from the charts)"]
        assert [line.strip("+- ") for line in diff[2:] if line.startswith(("+", "-"))] == [
            f"image: {STAGING.registry}/graphwiki/graphwiki:1.3.0",
            f"image: {STAGING.registry}/graphwiki/graphwiki:1.4.0",
        ]
        assert ended.err.splitlines()[:2] == [f"  changed    {PAGE}", f"  changed    {WIKI}"]
        assert scripts(workshop, "check").code == 0

    def test_a_digest_becomes_a_line_and_goes_with_a_release_without_one(self, workshop: Workshop) -> None:
        text = images_file(workshop)
        assert scripts(workshop, "release", "graphwiki", f"1.4.0@{DIGEST}", "--env", "staging").code == 0
        assert images_file(workshop) == text.replace(
            "tag: 1.3.0  # of May\n", f'tag: "1.4.0"  # of May\n    digest: {DIGEST}\n'
        )
        reference = f"image: {STAGING.registry}/graphwiki/graphwiki:1.4.0@{DIGEST}\n"
        assert reference in (workshop.root / WIKI).read_text("utf-8")
        assert scripts(workshop, "release", "graphwiki", "1.4.0", "--env", "staging").code == 0
        assert images_file(workshop) == text.replace("1.3.0", '"1.4.0"')
        assert scripts(workshop, "check").code == 0

    def test_a_tag_like_a_number_is_put_in_quotes(self, workshop: Workshop) -> None:
        text = images_file(workshop)
        assert scripts(workshop, "release", "graphwiki", "1.4", "--env", "staging").code == 0
        assert images_file(workshop) == text.replace("tag: 1.3.0", 'tag: "1.4"')
        image = f"image: {STAGING.registry}/graphwiki/graphwiki:1.4\n"
        assert image in (workshop.root / WIKI).read_text("utf-8")

    @pytest.mark.parametrize("tag", ["1.30", "1e3"])
    def test_what_it_writes_renovate_finds_and_raises(self, workshop: Workshop, tag: str) -> None:
        assert scripts(workshop, "release", "test-app", f"{tag}@{DIGEST}", "--env", "staging").code == 0
        repository = parse(images_file(workshop))["staging"]["test-app"].repository
        found, raised = renovate("images.yaml", images_file(workshop), newValue="1.31", newDigest=OTHER_DIGEST)
        assert Found(repository, tag, DIGEST) in found
        assert parse(raised)["staging"]["test-app"] == Image(repository, "1.31", OTHER_DIGEST)

    def test_the_same_release_again_changes_nothing(self, workshop: Workshop) -> None:
        before = state(workshop)
        ended = scripts(workshop, "release", "graphwiki", "1.3.0", "--env", "staging")
        assert (ended.code, ended.out) == (
            0,
            f"images.yaml: staging runs {STAGING.registry}/graphwiki/graphwiki:1.3.0\n",
        )
        assert state(workshop) == before

    def test_a_dry_run_says_what_would_run_and_changes_nothing(self, workshop: Workshop) -> None:
        before = state(workshop)
        ended = scripts(workshop, "release", "graphwiki", f"1.4.0@{DIGEST}", "--env", "staging", "--dry-run")
        assert (ended.code, ended.err) == (0, "")
        assert ended.out == f"images.yaml: staging would run {STAGING.registry}/graphwiki/graphwiki:1.4.0@{DIGEST}\n"
        assert state(workshop) == before

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (
                ["graphwiki", "latest", "--env", "staging"],
                "images.yaml: staging: graphwiki has the tag latest, which says nothing about what runs: "
                "name the release\n",
            ),
            (
                ["graphwiki", "1.4.0", "--env", "production"],
                "images.yaml: production: graphwiki has no digest, and production wants one: sha256: and 64 "
                "hexadecimal digits\n",
            ),
        ],
        ids=["latest", "no digest"],
    )
    def test_what_images_yaml_may_not_say_is_refused(
        self, workshop: Workshop, arguments: list[str], sentence: str
    ) -> None:
        before = state(workshop)
        ended = scripts(workshop, "release", *arguments)
        assert (ended.code, ended.out, ended.err) == (1, "", sentence)
        assert state(workshop) == before

    def test_an_unknown_app_is_refused_with_those_that_there_are(self, workshop: Workshop) -> None:
        before = state(workshop)
        ended = scripts(workshop, "release", "wiki", "1.4.0", "--env", "staging")
        there_are = ", ".join(parse(images_file(workshop))["staging"])
        assert (ended.code, ended.err) == (1, f"images.yaml: staging has no app wiki; there are {there_are}\n")
        assert state(workshop) == before

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (
                ["graphwiki", "1.4.0", "--env", "nowhere"],
                f"Error: Invalid value for '--env': 'nowhere' is not one of {', '.join(map(repr, NAMES))}.",
            ),
            (["graphwiki", "1.4.0"], f"Error: Missing option '--env'. Choose from: {', '.join(NAMES)}"),
            *(
                (
                    ["graphwiki", version, "--env", "staging"],
                    f"Error: Invalid value for TAG[@DIGEST]: {version!r} {NO_RELEASE}",
                )
                for version in (f"@{DIGEST}", "1.4.0@sha256:1f", "of may", "*")
            ),
        ],
        ids=["unknown environment", "no environment", "no tag", "bad digest", "bad tag", "tag that is no YAML"],
    )
    def test_a_wrong_command_line_is_exit_code_2(self, workshop: Workshop, arguments: list[str], sentence: str) -> None:
        before = state(workshop)
        ended = scripts(workshop, "release", *arguments)
        assert ended.code == 2
        assert " ".join(ended.err.split()).endswith(sentence)
        assert state(workshop) == before

    def test_when_the_compile_fails_everything_is_as_it_was(self, workshop: Workshop) -> None:
        workshop.edit("charts/shapes/container.py", "range(1025, 65536)", "range(65535, 65536)")
        before = state(workshop)
        ended = scripts(workshop, "release", "graphwiki", "1.4.0", "--env", "staging")
        assert (ended.code, ended.out) == (1, "")
        assert ": take one from 65535 on" in ended.err
        assert state(workshop) == before

    def test_when_deploy_cannot_be_written_everything_is_as_it_was(self, workshop: Workshop) -> None:
        (workshop.root / WIKI).write_text("kind: Deployment\n")
        before = state(workshop)
        ended = scripts(workshop, "release", "graphwiki", "1.4.0", "--env", "staging")
        assert (ended.code, ended.out) == (1, "")
        assert ended.err.startswith(f"{WIKI} ")
        assert state(workshop) == before


@pytest.mark.slow
class TestPromote:
    """What runs in one environment, for another one."""

    def test_it_carries_over_repository_tag_and_digest(self, workshop: Workshop) -> None:
        assert scripts(workshop, "release", "graphwiki", f"1.4.0@{OTHER_DIGEST}", "--env", "staging").code == 0
        before, text = state(workshop), images_file(workshop)
        ended = scripts(workshop, "promote", "graphwiki", "--from", "staging", "--to", "production")
        assert ended.code == 0, ended.err
        reference = f"{PRODUCTION.registry}/graphwiki/graphwiki:1.4.0@{OTHER_DIGEST}"
        assert ended.out.startswith(f"images.yaml: production runs {reference}\n--- {WIKI_IN_PRODUCTION} (on disk)\n")
        assert f"+        image: {reference}\n" in ended.out
        assert changed(before, state(workshop)) == {"images.yaml", WIKI_IN_PRODUCTION, PAGE_OF_PRODUCTION}
        assert images_file(workshop) == (
            text.replace("registry.example.net/wiki", "graphwiki/graphwiki")
            .replace("tag: 1.2.0", 'tag: "1.4.0"')
            .replace(DIGEST, OTHER_DIGEST)
        )
        assert scripts(workshop, "check").code == 0

    @pytest.mark.parametrize(
        ("line", "what"),
        [
            ("", "without a digest, and production wants one"),
            (
                f"    digest: {UNKNOWN_DIGEST}\n",
                "with a digest that is not known yet, so nothing can pull it",
            ),
        ],
        ids=["no digest", "placeholder"],
    )
    def test_without_a_known_digest_nothing_gets_into_production(
        self, workshop: Workshop, line: str, what: str
    ) -> None:
        workshop.edit("images.yaml", "tag: 1.3.0  # of May\n", f"tag: 1.3.0  # of May\n{line}")
        before = state(workshop)
        ended = scripts(workshop, "promote", "graphwiki", "--from", "staging", "--to", "production")
        assert (ended.code, ended.out) == (1, "")
        assert ended.err == (
            f"images.yaml: staging runs graphwiki 1.3.0 {what}: "
            "`./gw release graphwiki 1.3.0@DIGEST --env staging` first\n"
        )
        assert state(workshop) == before

    def test_latest_is_not_promoted(self, workshop: Workshop) -> None:
        before = state(workshop)
        ended = scripts(workshop, "promote", "graphwiki", "--from", "local", "--to", "staging")
        assert (ended.code, ended.out) == (1, "")
        assert ended.err == (
            "images.yaml: local takes graphwiki from another registry than staging would: name the registry in the "
            "repository graphwiki\n"
        )
        assert state(workshop) == before

    @pytest.mark.parametrize("entry", ["    <<: *wiki\n    tag: 1.2.0\n", "*wiki\n"], ids=["merged", "aliased"])
    def test_an_entry_that_takes_from_another_is_not_written_to(self, workshop: Workshop, entry: str) -> None:
        images = workshop.root / "images.yaml"
        text = images.read_text("utf-8").replace("  graphwiki:\n", "  graphwiki: &wiki\n", 1)
        at = text.index("  graphwiki:\n", text.index("staging:"))
        end = text.index("  test-app:", at)
        place = " " if entry[0] == "*" else "\n"
        images.write_text(f"{text[:at]}  graphwiki:{place}{entry}{text[end:]}".replace("latest", "1.1.0"), "utf-8")
        before = state(workshop)
        ended = scripts(workshop, "release", "graphwiki", "1.4.0", "--env", "staging")
        assert (ended.code, ended.out) == (1, "")
        assert ended.err == "images.yaml: staging: graphwiki is not written with a line for each field: do so\n"
        assert state(workshop) == before

    def test_the_placeholder_is_not_carried_anywhere(self, workshop: Workshop) -> None:
        workshop.edit("images.yaml", DIGEST, f"sha256:{'0' * 64}")
        ended = scripts(workshop, "promote", "graphwiki", "--from", "production", "--to", "staging")
        assert ended.code == 1
        assert "images.yaml: production runs graphwiki 1.2.0 with a digest that is not known yet" in ended.err

    def test_the_placeholder_is_no_release_where_a_digest_is_wanted(self, workshop: Workshop) -> None:
        before = state(workshop)
        ended = scripts(workshop, "release", "graphwiki", f"2.0.0@{UNKNOWN_DIGEST}", "--env", "production")
        assert (ended.code, ended.out) == (1, "")
        assert ended.err == "production wants the digest of graphwiki 2.0.0: zeros stand for none\n"
        assert state(workshop) == before

    def test_a_dry_run_says_what_would_run_and_changes_nothing(self, workshop: Workshop) -> None:
        before = state(workshop)
        ended = scripts(workshop, "promote", "graphwiki", "--from", "production", "--to", "staging", "--dry-run")
        assert (ended.code, ended.err) == (0, "")
        assert ended.out == f"images.yaml: staging would run registry.example.net/wiki:1.2.0@{DIGEST}\n"
        assert state(workshop) == before


class TestWithImage:
    """One entry of the text, every other character as it was."""

    TEXT = f"""# Ours.
staging:
  other:
    repository: other
    tag: 1.0.0
  # The wiki.
  graphwiki:
    digest: {DIGEST}  # of the index
    tag: '1.3'   # of May

    repository: "team/wiki"
production:
  graphwiki:
    repository: team/wiki
    tag: 1.3.0
"""

    def test_comments_order_and_blank_lines_stay(self) -> None:
        assert with_image(
            self.TEXT, "staging", "graphwiki", Image("our/wiki", "1.4.0", OTHER_DIGEST)
        ) == self.TEXT.replace(DIGEST, OTHER_DIGEST).replace("'1.3' ", '"1.4.0" ').replace('"team/wiki"', "our/wiki")

    def test_what_is_the_same_stays_as_it_is_written(self) -> None:
        assert with_image(self.TEXT, "staging", "graphwiki", Image("team/wiki", "1.3", DIGEST)) == self.TEXT

    def test_a_digest_goes_with_its_line_and_the_lines_below_it_are_still_found(self) -> None:
        line = f"    digest: {DIGEST}  # of the index\n"
        assert with_image(self.TEXT, "staging", "graphwiki", Image("team/wiki", "1.4.0")) == (
            self.TEXT.replace(line, "").replace("'1.3' ", '"1.4.0" ')
        )

    def test_a_digest_is_added_behind_the_last_field_in_the_middle_of_the_file(self) -> None:
        assert with_image(self.TEXT, "staging", "other", Image("other", "1.0.0", DIGEST)) == self.TEXT.replace(
            "tag: 1.0.0\n", f"tag: 1.0.0\n    digest: {DIGEST}\n"
        )

    def test_a_digest_is_added_at_the_end_of_the_file(self) -> None:
        image = Image("team/wiki", "1.3.0", DIGEST)
        assert with_image(self.TEXT, "production", "graphwiki", image) == f"{self.TEXT}    digest: {DIGEST}\n"

    def test_a_file_without_a_newline_at_its_end_gets_none_with_a_new_tag(self) -> None:
        text = self.TEXT.rstrip("\n")
        assert with_image(text, "production", "graphwiki", Image("team/wiki", "1.4.0")) == (
            f'{text.removesuffix("1.3.0")}"1.4.0"'
        )

    def test_a_file_without_a_newline_at_its_end_gets_the_digest_in_a_line_of_its_own(self) -> None:
        image = Image("team/wiki", "1.3.0", DIGEST)
        text = with_image(self.TEXT.rstrip("\n"), "production", "graphwiki", image)
        assert text.rstrip("\n") == f"{self.TEXT}    digest: {DIGEST}"

    @pytest.mark.parametrize("indent", ["  ", "      "])
    def test_a_new_line_is_indented_as_the_others_are(self, indent: str) -> None:
        text = f"staging:\n graphwiki:\n{indent}repository: wiki\n{indent}tag: 1.3.0\n"
        assert with_image(text, "staging", "graphwiki", Image("wiki", "1.3.0", DIGEST)) == (
            f"{text}{indent}digest: {DIGEST}\n"
        )

    @pytest.mark.parametrize("tag", ["1.4.0", *filter(TAG.fullmatch, NUMBER_LIKE)])
    def test_a_tag_is_written_as_every_reader_takes_it_for_text(self, tag: str) -> None:
        text = with_image(self.TEXT, "production", "graphwiki", Image("team/wiki", tag))
        assert text.endswith(f'    tag: "{tag}"\n')
        assert yaml.safe_load(text)["production"]["graphwiki"]["tag"] == tag

    @pytest.mark.parametrize(
        "text",
        [
            "staging:\n  graphwiki: {repository: wiki, tag: 1.3.0}\n",
            "staging: {graphwiki: {repository: wiki, tag: 1.3.0}}\n",
            "staging:\n  graphwiki: wiki:1.3.0\n",
        ],
        ids=["flow style", "all in flow style", "no fields"],
    )
    def test_an_entry_without_a_line_for_each_field_is_refused(self, text: str) -> None:
        with pytest.raises(DefinitionError) as refused:
            with_image(text, "staging", "graphwiki", Image("wiki", "1.4.0"))
        assert str(refused.value) == (
            "images.yaml: staging: graphwiki is not written with a line for each field: do so"
        )
