"""versions.yaml: what it may say, the sentence for each mistake, and that every reader takes a version for text."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from facts import versions
from facts.versions import Version, misfits, parse, pinned
from synth import DefinitionError

RIGHT = """# Ours.
flux:
  version: "2.9.4"
  source: https://example.com/flux
  supported-until: 2027-02-28  # https://example.com/support
k3s:
  version: v1.35.5-k3s1
  source: https://example.com/k3s
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Another versions.yaml in the place of the committed one."""
    path = tmp_path / "versions.yaml"
    monkeypatch.setattr(versions, "VERSIONS_FILE", path)
    versions.versions.cache_clear()
    yield path
    versions.versions.cache_clear()


def test_what_is_right_is_read() -> None:
    assert parse(RIGHT) == {
        "flux": Version("2.9.4", "https://example.com/flux", date(2027, 2, 28)),
        "k3s": Version("v1.35.5-k3s1", "https://example.com/k3s"),
    }


@pytest.mark.parametrize("value", ["2.9", "1.30", "1e3", "0x10", "0o17", "on", "null", "~", "", "2026-11-25", "[1, 2]"])
def test_a_version_that_a_reader_takes_for_something_else_is_refused(value: str) -> None:
    with pytest.raises(DefinitionError, match=r"^versions.yaml: flux has the version .*does not read as text"):
        parse(RIGHT.replace('"2.9.4"', value))


@pytest.mark.parametrize("value", ["2.9", "1e3", "0x10", "on", "null", "2026-11-25"])
@pytest.mark.parametrize("quote", ["'", '"'])
def test_in_quotes_it_is_text(value: str, quote: str) -> None:
    assert parse(RIGHT.replace('"2.9.4"', f"{quote}{value}{quote}"))["flux"].version == value


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (RIGHT, "- flux\n", "versions.yaml has no names: write one for each thing, with its version and its source"),
        (RIGHT, "", "versions.yaml has no names: write one for each thing, with its version and its source"),
        (
            RIGHT,
            "flux: 2.9.4\n",
            "versions.yaml: flux has no fields: write its version and its source below it, a line each",
        ),
        ('  version: "2.9.4"\n', "", "versions.yaml: flux has no version: give it one"),
        ("  source: https://example.com/flux\n", "", "versions.yaml: flux has no source: give it one"),
        (
            "https://example.com/flux",
            "example.com/flux",
            "versions.yaml: flux has the source example.com/flux: write the https:// address that it is fetched from",
        ),
        (
            "2027-02-28",
            "February 2027",
            "versions.yaml: flux has supported-until February 2027: write a day without quotes, as in 2027-02-28, or "
            "leave the line out",
        ),
        (
            "2027-02-28",
            "2027-02-28 10:00:00",
            "versions.yaml: flux has supported-until 2027-02-28 10:00:00: write a day without quotes, as in "
            "2027-02-28, or leave the line out",
        ),
        (
            "supported-until",
            "eol",
            "versions.yaml: flux has eol, which is no field; there are version, source, supported-until",
        ),
        ("k3s:", "flux:", "versions.yaml: flux stands there twice, again in line 6: keep one"),
        (
            "2027-02-28",
            "2027-02-30",
            "versions.yaml is no YAML: day is out of range for month",
        ),
    ],
)
def test_each_mistake_has_its_sentence(old: str, new: str, sentence: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        parse(RIGHT.replace(old, new))
    assert str(refused.value) == sentence


def test_each_mistake_is_a_line() -> None:
    with pytest.raises(DefinitionError) as refused:
        parse("flux: {}\nk3s: 1\n")
    assert str(refused.value).count("\n") == 2


def test_an_unknown_name_is_refused_with_those_that_there_are(file: Path) -> None:
    file.write_text(RIGHT)
    assert pinned("flux") == "2.9.4"
    with pytest.raises(DefinitionError) as refused:
        pinned("fluxcd")
    assert str(refused.value) == "versions.yaml has no version of fluxcd; it has flux, k3s"


def test_a_file_that_is_not_there_or_no_text_is_refused(file: Path) -> None:
    with pytest.raises(DefinitionError, match=r"^versions.yaml cannot be read: No such file or directory$"):
        pinned("flux")
    file.write_bytes(b"flux: \xff\n")
    with pytest.raises(DefinitionError, match=r"^versions.yaml is no text in UTF-8: .* at byte 6$"):
        pinned("flux")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"cert-manager": "1.21.2"}, "cert-manager has the version 1.21.2, which is none of its releases"),
        ({"cert-manager": "v1.21.2"}, ""),
        ({"flux": "v2.9.4"}, "write it as in 1.31.4, without a v"),
        ({"istio": "1.31"}, "istio has the version 1.31, which is none of its releases"),
        ({"k3s": "v1.35.5"}, "k3s has the version v1.35.5, which is none of its releases"),
        ({"k3s": "v1.35.5-k3s1"}, ""),
        ({"istio": "1.31.4", "istio-api": "1.30.3"}, "istio 1.31.4 and istio-api 1.30.3 are of two lines"),
        ({"istio": "1.31.4", "istio-api": "1.31.2"}, ""),
        ({"somebody's": "v1"}, ""),
    ],
)
def test_a_release_is_called_as_its_project_calls_it(found: dict[str, str], told: str) -> None:
    sentences = list(misfits(found))
    assert len(sentences) == bool(told)
    assert told in "".join(sentences)
