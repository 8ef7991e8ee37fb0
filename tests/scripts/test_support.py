"""Whether doctor names what its project no longer supports: by versions and days made for the test."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from facts import versions
from scripts.cluster import doctor
from scripts.cluster.support import SOON, support
from tests.scripts.desk import Desk
from tests.stand_ins import StandIns, says

END = date(2027, 2, 28)
TEXT = f"""
flux:
  version: "2.9.4"
  source: https://example.com/flux
k3s:
  version: v1.35.5-k3s1
  source: https://example.com/k3s
  supported-until: {END}
"""


@pytest.fixture(autouse=True)
def _versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    file = tmp_path / "versions.yaml"
    file.write_text(TEXT)
    monkeypatch.setattr(versions, "VERSIONS_FILE", file)
    versions.versions.cache_clear()
    yield
    versions.versions.cache_clear()


@pytest.mark.parametrize(
    ("today", "state", "later"),
    [
        (END - SOON, "v1.35.5-k3s1, support ends on 2027-02-28", True),
        (END, "v1.35.5-k3s1, support ends on 2027-02-28", True),
        (END + timedelta(days=1), "v1.35.5-k3s1, support ended on 2027-02-28", False),
    ],
)
def test_what_has_run_out_or_will_soon_is_named(today: date, state: str, later: bool) -> None:
    (finding,) = support(today)
    assert (finding.subject, finding.state, finding.later) == ("support of k3s", state, later)
    assert "https://example.com/k3s" in finding.advice
    assert "docs/operations.md#upgrades" in finding.advice


def test_what_is_supported_for_longer_is_not() -> None:
    (finding,) = support(END - SOON - timedelta(days=1))
    assert finding.advice == ""
    assert finding.state == "nothing in versions.yaml runs out within 60 days"


@pytest.mark.parametrize(("day", "code"), [(END + timedelta(days=1), 3), (END, 0), (date(2020, 1, 1), 0)])
@pytest.mark.parametrize("arguments", [["--support"], ["--env", "production"]])
def test_its_exit_code_is_that_of_the_other_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: date, code: int, arguments: list[str]
) -> None:
    monkeypatch.setattr(doctor, "today", lambda: day)
    tools = StandIns(tmp_path / "bin")
    tools.put("kubectl", says("Client Version: v1.35.1"))
    tools.put("flux", says("flux version 2.9.4"))
    ended = Desk(tools, tmp_path).run("doctor", *arguments)
    assert ended.code == code
    if code:
        assert "FIX     support of k3s: v1.35.5-k3s1, support ended on 2027-02-28\n" in ended.out
        assert ended.err.splitlines()[-1] == "not ready: support of k3s; what to do is said above"
    if "--support" in arguments:
        assert len([line for line in ended.out.splitlines() if not line.startswith(" ")]) == 1
        assert tools.calls() == []
