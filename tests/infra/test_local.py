"""infra/local with the real OpenTofu or Terraform and real providers; k3d, docker and kubectl are stand-ins.

Helm releases need a cluster, so they are tried up to the plan.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from facts.environments import LOCAL
from facts.provided import INGRESS_GATEWAY
from facts.versions import parse, pinned, versions
from scripts.cluster.local import PORTS
from scripts.definition.environments import helm_values
from scripts.gate.tofu import home
from synth import ROOT
from synth.overview import read
from synth.overview.model import SCHEMES
from tests.stand_ins import StandIns, fails, says
from tests.test_renovate import NUMBER_LIKE, ways
from tests.workshop import Ended

CLUSTER = ("-target=null_resource.kubeconfig", "-target=random_password.rancher_bootstrap")


def terraform() -> str | None:
    built = home() / "tofu"
    return str(built) if built.exists() else shutil.which("tofu") or shutil.which("terraform")


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        terraform() is None,
        reason="neither OpenTofu nor Terraform is installed; `./gw tofu` builds it where there is Go",
    ),
]


@dataclass(frozen=True)
class Infra:
    """A copy of infra/local, with stand-ins on PATH and ports that are free."""

    root: Path
    tools: StandIns
    ports: tuple[int, int]

    @property
    def folder(self) -> Path:
        return self.root / "infra" / "local"

    @property
    def environment(self) -> dict[str, str]:
        environment = {**os.environ, "PATH": self.tools.path, "HOME": str(self.root), "TF_IN_AUTOMATION": "1"}
        if (home() / "tofurc").exists():
            environment["TF_CLI_CONFIG_FILE"] = str(home() / "tofurc")
        return environment | {"TF_VAR_http_port": str(self.ports[0]), "TF_VAR_https_port": str(self.ports[1])}

    def run(self, *arguments: str) -> Ended:
        cli = terraform()
        assert cli
        done = subprocess.run(
            [cli, *arguments, "-no-color"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def apply(self, *arguments: str) -> Ended:
        return self.run("apply", "-input=false", "-auto-approve", *CLUSTER, *arguments)

    def with_ports(self, http: int, https: int) -> "Infra":
        return Infra(self.root, self.tools, (http, https))


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


@pytest.fixture(scope="module")
def initialized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("initialized")
    shutil.copytree(
        ROOT / "infra", root / "infra", ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "__pycache__")
    )
    shutil.copytree(ROOT / "deploy", root / "deploy")
    shutil.copyfile(ROOT / "versions.yaml", root / "versions.yaml")
    infra = Infra(root, StandIns(root / "bin"), (8080, 8443))
    if not (home() / "tofurc").exists() and infra.run("init", "-input=false").code != 0:
        pytest.skip("the providers' registry does not answer; `./gw tofu` builds them where there is Go")
    return root


@pytest.fixture
def infra(initialized: Path, tmp_path: Path) -> Infra:
    root = tmp_path / "work"
    shutil.copytree(initialized, root, symlinks=True)
    tools = StandIns(root / "bin")
    for tool in ("k3d", "docker", "kubectl"):
        tools.put(tool)
    return Infra(root, tools, free_ports())


@pytest.fixture(scope="module")
def plan(initialized: Path) -> dict[str, Any]:
    """The plan of everything, as JSON."""
    infra = Infra(initialized, StandIns(initialized / "bin"), (8080, 8443))
    ended = infra.run("plan", "-input=false", "-out=plan")
    assert ended.code == 0, ended.err
    shown: dict[str, Any] = json.loads(infra.run("show", "-json", "plan").out)
    return shown


def planned(plan: dict[str, Any], kind: str) -> dict[str, Any]:
    resources = plan["planned_values"]["root_module"]["resources"]
    return {resource["name"]: resource.get("values", {}) for resource in resources if resource["type"] == kind}


def depends(plan: dict[str, Any]) -> dict[str, list[str]]:
    resources = plan["configuration"]["root_module"]["resources"]
    return {resource["address"]: resource.get("depends_on", []) for resource in resources}


def test_it_is_valid_and_in_canonical_form(infra: Infra) -> None:
    found = json.loads(infra.run("validate", "-json").out)["diagnostics"]
    assert [entry for entry in found if entry["summary"] != "Provider development overrides are in effect"] == []
    assert infra.run("fmt", "-check", "-recursive").code == 0


def test_the_versions_are_those_of_versions_yaml(plan: dict[str, Any]) -> None:
    named = (ROOT / "infra/local/versions.tf").read_text()
    for name in ("null", "helm", "random"):
        assert re.search(rf'source  = "hashicorp/{name}"\n\s+version = "{pinned(f"terraform-provider-{name}")}"', named)
    releases = {name: values["version"] for name, values in planned(plan, "helm_release").items()}
    istio = dict.fromkeys(("istio_base", "istio_cni", "istiod", "istio_ingress"), pinned("istio"))
    assert releases == {**istio, "cert_manager": pinned("cert-manager"), "rancher": pinned("rancher")}
    cluster = planned(plan, "null_resource")["cluster"]["triggers"]
    assert cluster["k3s_image"] == f"rancher/k3s:{pinned('k3s')}"


def test_charts_come_from_where_versions_yaml_says(plan: dict[str, Any]) -> None:
    repositories = {name: values["repository"] for name, values in planned(plan, "helm_release").items()}
    wanted = {"cert_manager": "cert-manager", "rancher": "rancher"}
    assert {name: repositories[name] for name in wanted} == {
        name: versions()[entry].source for name, entry in wanted.items()
    }


@pytest.mark.parametrize("value", ["2.9.4", *NUMBER_LIKE])
def test_a_version_is_the_same_text_for_terraform_and_python(tmp_path: Path, value: str) -> None:
    for written in ways(value):
        text = f"flux:\n  version: {written}\n  source: https://example.com/flux\n  supported-until: 2027-02-28\n"
        (tmp_path / "versions.yaml").write_text(text)
        cli = terraform()
        assert cli
        asked = 'jsonencode(yamldecode(file("versions.yaml")).flux.version)'
        done = subprocess.run([cli, "console"], cwd=tmp_path, input=asked, capture_output=True, text=True, check=True)
        # The answer is JSON in a text of Terraform's.
        assert json.loads(json.loads(done.stdout.splitlines()[-1])) == value == parse(text)["flux"].version


def test_istio_comes_in_order_and_waits(plan: dict[str, Any]) -> None:
    releases = planned(plan, "helm_release")
    assert all(values["wait"] for values in releases.values())
    assert {name: (values["chart"], values["namespace"]) for name, values in releases.items()} == {
        "istio_base": ("base", "istio-system"),
        "istio_cni": ("cni", "istio-system"),
        "istiod": ("istiod", "istio-system"),
        "istio_ingress": ("gateway", "istio-system"),
        "cert_manager": ("cert-manager", "cert-manager"),
        "rancher": ("rancher", "cattle-system"),
    }
    assert releases["istio_ingress"]["name"] == INGRESS_GATEWAY.name
    order = depends(plan)
    assert order["helm_release.istio_base"] == ["null_resource.kubeconfig"]
    assert order["helm_release.istio_cni"] == ["helm_release.istio_base"]
    assert order["helm_release.istiod"] == ["helm_release.istio_cni"]
    assert order["helm_release.istio_ingress"] == ["helm_release.istiod"]
    assert order["helm_release.rancher"] == ["helm_release.cert_manager"]
    assert set(order["null_resource.platform"]) == {"helm_release.istio_ingress", "helm_release.rancher"}


def test_a_new_cluster_gets_every_release_anew() -> None:
    text = "".join((ROOT / "infra/local" / file).read_text() for file in ("istio.tf", "rancher.tf"))
    releases = re.findall(r'^resource "helm_release" "\w+" {\n(.*?)^}', text, re.MULTILINE | re.DOTALL)
    assert len(releases) == 6
    for release in releases:
        assert "replace_triggered_by = [null_resource.cluster.id]" in release


def test_ranchers_password_is_no_value_that_a_plan_shows_and_its_hooks_are_on(plan: dict[str, Any]) -> None:
    rancher = planned(plan, "helm_release")["rancher"]
    assert yaml.safe_load(rancher["values"][0]) == {
        "hostname": LOCAL.host("rancher"),
        "replicas": 1,
        "ingress": {"enabled": False},
        "postDelete": {"enabled": False},
    }
    # A hook of its installation makes the Secret with the first password.
    assert not rancher["disable_webhooks"]


def test_istio_is_set_up_for_k3s_and_the_restricted_standard(plan: dict[str, Any]) -> None:
    releases = planned(plan, "helm_release")
    values = {name: yaml.safe_load(releases[name]["values"][0]) for name in releases if name != "rancher"}
    assert values["istio_base"] == {"base": {"validationFailurePolicy": "Fail"}}
    assert values["istio_cni"] == {"global": {"platform": "k3s", "hub": LOCAL.istio_hub}}
    assert values["istiod"] == {
        "pilot": {"cni": {"enabled": True}},
        "global": {"hub": LOCAL.istio_hub, "proxy": {"seccompProfile": {"type": "RuntimeDefault"}}},
    }
    assert values["istio_ingress"] == {"service": {"type": "LoadBalancer"}}
    assert values["cert_manager"] == {"crds": {"enabled": True}}


def test_a_mirror_takes_the_place_of_istios_hub_and_every_chart_comes_from_one_place(infra: Infra) -> None:
    hub = "registry.example.com:5000/mirror/istio"
    (infra.root / "infra/environments/local.yaml").write_text(helm_values(replace(LOCAL, istio_hub=hub)))
    ended = infra.run("plan", "-input=false", "-out=plan")
    assert ended.code == 0, ended.err
    releases = planned(json.loads(infra.run("show", "-json", "plan").out), "helm_release")
    said = {name: yaml.safe_load(releases[name]["values"][0]).get("global", {}).get("hub") for name in releases}
    # The chart base has no pods, and the gateway's get their image from istiod.
    assert {name for name, place in said.items() if place == hub} == {"istio_cni", "istiod"}
    assert len({values["repository"] for name, values in releases.items() if name.startswith("istio")}) == 1


def test_the_urls_are_those_of_the_routes(plan: dict[str, Any]) -> None:
    outputs = plan["planned_values"]["outputs"]
    ports = {80: PORTS["http_port"], 443: PORTS["https_port"]}
    addresses = {route.address for route in read(ROOT, LOCAL.path).routes}
    pages = {address.host: replace(address, path="").url(ports) for address in addresses if address.protocol in SCHEMES}
    assert pages
    assert outputs["urls"]["value"] == pages
    assert outputs["rancher_bootstrap_password"]["sensitive"] is True


def test_every_variable_and_output_is_described() -> None:
    for file in ("variables.tf", "outputs.tf"):
        text = (ROOT / "infra/local" / file).read_text()
        blocks = re.findall(r'^(?:variable|output) "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL)
        assert blocks
        for name, body in blocks:
            assert re.match(r'\s+description = ".{20,}"', body), name


def test_the_cluster_is_made_once_replaced_when_it_changes_and_destroyed(infra: Infra) -> None:
    http, https = infra.ports
    create = (
        f"k3d cluster create graphwiki --image rancher/k3s:{pinned('k3s')} --servers 1 --agents 2 "
        f"--port {http}:80@loadbalancer --port {https}:443@loadbalancer "
        "--k3s-arg '--disable=traefik@server:*' --kubeconfig-update-default=false --wait --timeout 5m"
    )
    merges = [
        f"k3d kubeconfig merge graphwiki --output {infra.folder}/kubeconfig-graphwiki",
        f"k3d kubeconfig merge graphwiki --output {infra.root}/.kube/config --kubeconfig-switch-context",
    ]

    ended = infra.apply()
    assert ended.code == 0, ended.err
    assert infra.tools.calls() == ["docker info", "k3d cluster list --no-headers", create, *merges]

    again = infra.apply()
    assert "No changes." in again.out or "0 added, 0 changed, 0 destroyed" in again.out
    assert infra.tools.calls() == []

    other, _ = free_ports()
    changed = infra.with_ports(other, https)
    assert changed.apply().code == 0
    assert infra.tools.calls() == [
        "k3d cluster delete graphwiki",
        "docker info",
        "k3d cluster list --no-headers",
        create.replace(f"{http}:80", f"{other}:80"),
        *merges,
    ]

    assert changed.run("destroy", "-auto-approve").code == 0
    assert infra.tools.calls() == ["k3d cluster delete graphwiki"]


def test_an_apply_after_a_failure_half_way_continues(infra: Infra) -> None:
    infra.tools.put("k3d", fails("no space left on device", when="create"))
    ended = infra.apply()
    assert ended.code == 1
    assert "no space left on device" in ended.out + ended.err
    assert infra.tools.calls()[-1] == "k3d cluster delete graphwiki"

    infra.tools.put("k3d")
    assert infra.apply().code == 0
    assert [call.split()[:3] for call in infra.tools.calls()] == [
        ["docker", "info"],
        ["k3d", "cluster", "list"],
        ["k3d", "cluster", "create"],
        ["k3d", "kubeconfig", "merge"],
        ["k3d", "kubeconfig", "merge"],
    ]


def test_an_interrupted_creation_is_cleared_by_the_next_apply(infra: Infra) -> None:
    infra.tools.put("k3d", 'case "$*" in *create*) exec sleep 30;; esac')
    cli = terraform()
    assert cli
    process = subprocess.Popen(
        [cli, "apply", "-input=false", "-auto-approve", *CLUSTER],
        cwd=infra.folder,
        env=infra.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 20
    mark = infra.folder / ".making-graphwiki"
    while not mark.exists() and time.monotonic() < end:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=20) != 0
    assert mark.exists()
    infra.tools.calls()

    infra.tools.put("k3d", says("graphwiki   1/1   2/2   true", when="list"))
    ended = infra.apply()
    assert ended.code == 0, ended.err
    assert "cluster graphwiki is half made, from a run that was interrupted: it goes first" in ended.out
    assert [call.split()[1:3] for call in infra.tools.calls()][1:4] == [
        ["cluster", "list"],
        ["cluster", "delete"],
        ["cluster", "create"],
    ]
    assert not mark.exists()


def preflight(infra: Infra, path: str | None = None) -> Ended:
    """The check alone, as the cluster's first step runs it."""
    command = [str(infra.folder / "preflight.sh"), "graphwiki", *map(str, infra.ports)]
    environment = {"PATH": path or infra.tools.path, "MARK": str(infra.folder / ".making-graphwiki")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


def test_what_is_in_the_way_is_told(infra: Infra) -> None:
    assert preflight(infra) == Ended(0, "", "")

    infra.tools.put("docker", fails())
    assert preflight(infra) == Ended(
        1, "", "preflight: Docker does not answer: start it, and see that `docker info` works for you\n"
    )

    infra.tools.put("docker")
    infra.tools.put("k3d", says("graphwiki   1/1   2/2   true"))
    assert preflight(infra) == Ended(
        1,
        "",
        "preflight: a k3d cluster graphwiki is there already, and Terraform does not know it: delete it with "
        "`k3d cluster delete graphwiki`, or choose another cluster_name\n",
    )

    infra.tools.put("k3d", fails())
    assert preflight(infra).err == "preflight: k3d does not list its clusters: `k3d cluster list` says why\n"

    infra.tools.put("k3d", says("graphwiki-2   1/1   2/2   true"))
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as listener:
            try:
                listener.bind((address, infra.ports[0]))
            except OSError:
                assert family == socket.AF_INET6, "a machine may have no IPv6, but it has IPv4"
                continue
            listener.listen()
            ended = preflight(infra)
        assert ended.code == 1
        assert ended.err == (
            f"preflight: port {infra.ports[0]} of this machine is taken: stop what listens there, "
            "or choose another http_port or https_port\n"
        )
    assert preflight(infra) == Ended(0, "", "")


@pytest.mark.parametrize("tool", ["k3d", "docker", "kubectl"])
def test_a_missing_tool_is_told_with_where_to_get_it(infra: Infra, tool: str) -> None:
    (infra.tools.folder / tool).unlink()
    for program in ("bash", "sh", "awk", "grep", "env"):
        (infra.tools.folder / program).symlink_to(shutil.which(program) or "")
    ended = preflight(infra, path=str(infra.tools.folder))
    assert ended.code == 1
    assert ended.err.startswith(f"preflight: {tool} is not on PATH: install it, https://")


def test_nothing_is_made_before_what_is_in_the_way_is_gone(infra: Infra) -> None:
    infra.tools.put("docker", fails())
    ended = infra.apply()
    assert ended.code == 1
    assert "preflight: Docker does not answer" in ended.out + ended.err
    assert infra.tools.calls() == ["docker info"]
    infra.tools.put("docker")
    assert infra.apply().code == 0
    assert [call for call in infra.tools.calls() if "create" in call]


def test_wrong_variables_are_refused_with_what_would_be_right(infra: Infra) -> None:
    wrong = {
        "cluster_name=Graph_Wiki": "cluster_name is a name of at most 32 lower case letters",
        "http_port=0": "http_port is a whole number from 1 to 65535",
        "https_port=99999": "https_port is a whole number from 1 to 65535",
        "kubeconfig=": "kubeconfig is the path of a file",
        "rancher_bootstrap_password=twelve,and,more": "rancher_bootstrap_password needs at least 12 letters, digits",
    }
    ended = infra.apply(*(f"-var={variable}" for variable in wrong))
    assert ended.code == 1
    said = re.sub(r"[\s│]+", " ", ended.err)
    assert [message for message in wrong.values() if message not in said] == []
    assert infra.tools.calls() == []


def test_the_password_is_drawn_once_and_never_printed(infra: Infra) -> None:
    ended = infra.apply()
    password = infra.run("output", "-raw", "rancher_bootstrap_password").out
    assert len(password) >= 24
    again = infra.apply()
    assert infra.run("output", "-raw", "rancher_bootstrap_password").out == password
    gone = infra.run("destroy", "-auto-approve")
    assert gone.code == 0
    assert password not in ended.out + again.out + infra.run("output").out + gone.out


def test_a_given_password_is_taken_and_never_printed(infra: Infra) -> None:
    given = "-var=rancher_bootstrap_password=correct horse battery"
    ended = infra.apply(given)
    assert ended.code == 0, ended.err
    plan = infra.run("plan", "-input=false", given)
    assert plan.code == 0, plan.err
    assert "correct horse" not in ended.out + plan.out
    assert infra.run("output", "-raw", "rancher_bootstrap_password").out == "correct horse battery"


def test_the_platform_is_applied_from_deploy_and_again_only_when_it_changes(infra: Infra) -> None:
    istio = infra.folder / "istio.tf"
    text = istio.read_text()
    releases = "depends_on = [helm_release.istio_ingress, helm_release.rancher]"
    assert text.count(releases) == 1
    # The releases need a cluster; the step behind them does not.
    istio.write_text(text.replace(releases, "depends_on = [null_resource.kubeconfig]"))
    target = "-target=null_resource.platform"
    assert infra.apply(target).code == 0
    (applied,) = [call for call in infra.tools.calls() if call.startswith("kubectl")]
    assert re.fullmatch(
        rf"kubectl --kubeconfig {infra.folder}/kubeconfig-graphwiki --context k3d-graphwiki "
        r"apply --server-side --force-conflicts -k \S*/\.\./\.\./deploy/platform",
        applied,
    )
    assert infra.apply(target).code == 0
    assert infra.tools.calls() == []
    gateway = infra.root / "deploy/platform/gateway/gateway.yaml"
    gateway.write_text(gateway.read_text().replace("number: 80\n", "number: 81\n"))
    assert infra.apply(target).code == 0
    assert len(infra.tools.calls()) == 1
