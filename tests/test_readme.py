"""What the README says is so: its commands, paths, addresses, figures, and the app that it adds."""

import re
import sys
from pathlib import Path

from facts.environments import LOCAL
from scripts.cluster import PORTS
from synth.overview import read
from synth.tree import Tree
from tests.scripts.desk import Desk
from tests.workshop import ROOT, Workshop

LOCAL_PORTS = {80: PORTS["http_port"], 443: PORTS["https_port"]}

README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_app_that_it_adds_takes_one_module_and_one_line(tmp_path: Path) -> None:
    workshop = Workshop.at(tmp_path)
    (module,), (diff,) = blocks("python"), blocks("diff")
    (workshop.root / "charts/blog.py").write_text(module)
    old = "".join(line[1:] for line in diff.splitlines(keepends=True) if line[0] == " ")
    new = "".join(line[1:] for line in diff.splitlines(keepends=True))
    assert len(new.splitlines()) == len(old.splitlines()) + 1
    workshop.edit("charts/__init__.py", old, new)
    before = workshop.deployed()

    ended = workshop.synth()

    assert ended.code == 0, ended.err
    after = workshop.deployed()
    added = {path for path in after if path not in before}
    assert {path for path in added if path.startswith("apps/")} == {
        f"apps/blog/{name}.yaml"
        for name in (
            "authorizationpolicy",
            "deployment",
            "destinationrule",
            "kustomization",
            "limitrange",
            "namespace",
            "networkpolicy-allow-dns",
            "networkpolicy-allow-ingress-gateway",
            "networkpolicy-allow-istiod",
            "networkpolicy-default-deny",
            "pdb",
            "resourcequota",
            "service",
            "serviceaccount",
            "virtualservice",
        )
    }
    changed = {path for path in before if before[path] != after[path]}
    everywhere = {"apps/kustomization.yaml", "platform/gateway/gateway.yaml"}
    certified = {"platform/certificates/kustomization.yaml"}
    others = {f"{name}/{path}" for name in ("staging", "production") for path in everywhere | certified}
    assert changed == everywhere | others
    for name in ("staging", "production"):
        assert f"{name}/platform/certificates/certificate-blog.yaml" in added
    assert b"- blog\n" in after["apps/kustomization.yaml"]
    assert b"- blog/blog.localhost\n" in after["platform/gateway/gateway.yaml"]

    tested = workshop.run(sys.executable, "-m", "pytest", "-k", "apps/blog or blog", "tests/charts/test_every_app.py")
    assert tested.code == 0, tested.out
    assert int(re.findall(r"(\d+) passed", tested.out)[0]) >= 10


def test_the_commands_by_hand_are_those_that_up_runs(desk: Desk) -> None:
    section = README.partition("### By hand")[2]
    by_hand = re.findall(r"^\$ (.+)$", section.partition("```console\n")[2].partition("```")[0], re.MULTILINE)
    # Without a cluster no page has an address, so it ends at the last of the commands.
    desk.tools.put("tofu", "if 'output' in arguments: print('{}')")
    assert desk.run("up").code == 3
    assert [call.replace("CHECKOUT", "../graphwiki") for call in desk.calls()] == by_hand


def test_every_path_that_it_names_exists() -> None:
    (layout,) = blocks("text")
    top = re.findall(r"^(\S+)  ", layout, re.MULTILINE)
    modules = re.findall(r"(?<=\s)\w+\.py(?=\s)", layout.split("synth/")[0].split("charts/", 1)[1])
    assert {"charts/", "synth/", "deploy/"} <= set(top)
    assert len(modules) >= 8
    linked = re.findall(r"\]\((?!http)([^)]+)\)", README)
    for path in [*top, *(f"charts/{name}" for name in modules), *linked]:
        assert (ROOT / path).exists(), path


def test_every_module_of_charts_is_in_the_layout() -> None:
    for path in (ROOT / "charts").glob("*.py"):
        assert path.name == "__init__.py" or path.name in README, path.name


def test_the_addresses_are_those_of_routes_of_the_local_cluster() -> None:
    known = {address.url(LOCAL_PORTS) for address in (route.address for route in read(ROOT, LOCAL.path).routes)}
    addresses = re.findall(r"https?://[\w.]+\.localhost:\d+", README)
    assert addresses
    assert set(addresses) <= known


def test_the_figures_of_the_first_run_are_right(platform: Tree) -> None:
    assert f"\n{len(platform.files)} files unchanged\n" in README
