"""What the README says is so: its commands, paths, addresses, figures, and the app that it adds."""

import re

from scripts.cluster.local import PORTS
from synth import ROOT
from tests.scripts.desk import Desk
from tests.stand_ins import says

README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_commands_by_hand_are_those_that_up_runs(desk: Desk) -> None:
    section = README.partition("### By hand")[2]
    by_hand = re.findall(r"^\$ (.+)$", section.partition("```console\n")[2].partition("```")[0], re.MULTILINE)
    # Without a cluster no page has an address, so it ends at the last of the commands.
    desk.tools.put("tofu", says("{}", when="output"))
    assert desk.run("up").code == 3
    calls = [call.replace("CHECKOUT", "../graphwiki") for call in desk.calls()]
    of_others = [call for call in calls if "rollout status" in call][1:]
    assert [call for call in calls if call not in of_others] == by_hand


def test_every_folder_and_module_of_the_layout_exists() -> None:
    (layout,) = blocks("text")
    folder = ""
    for line in layout.splitlines():
        if match := re.match(r"(\S+)  ", line):
            folder = match[1]
            assert (ROOT / folder).exists(), folder
        elif re.match(r"  \S", line):
            for name in re.findall(r"(?<=  )[\w./]+(?:\.py|/)(?=  |$)", line):
                assert (ROOT / folder / name).exists(), f"{folder}{name}"
    tops = set(re.findall(r"^(\S+?)/?  ", layout, re.MULTILINE))
    assert {"facts", "charts", "synth", "scripts", "deploy", "tests"} <= tops
    for path in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / path).exists(), path


def test_the_ports_are_those_of_the_local_cluster_and_no_host_is_named() -> None:
    """The hosts are a domain's that each house sets for itself: the page of `deploy/` has them."""
    assert f"ports {' and '.join(str(port) for port in PORTS.values())} lead" in README
    assert re.findall(r"\b[\w-]+\.localhost\b", README) == []
