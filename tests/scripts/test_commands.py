"""The commands for people, with stand-ins for the tools: the exact calls, in order, and what happens when one fails."""

import base64
import http.server
import json
import os
import re
import shlex
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from unittest import mock

import pytest
import trustme
from syrupy.assertion import SnapshotAssertion

from facts.environments import LOCAL, PRODUCTION, Environment
from scripts.cluster import doctor
from scripts.cluster.apps import wait_for_page
from scripts.cluster.deployed import controllers, deployed, hosts, kustomizations, lasting
from scripts.cluster.findings import Finding
from scripts.cluster.image import WIKI
from scripts.cluster.local import INFRA, PORTS
from scripts.programs import Programs, wanted
from synth import ROOT, ToolError
from tests.deployed import APPS
from tests.environments import EXAMPLE
from tests.scripts.desk import TOFU, TOOLS, Desk
from tests.stand_ins import StandIns, fails, says
from tests.workshop import Ended

VERSIONS = {
    "tofu": says("OpenTofu v1.12.6"),
    "k3d": says("k3d version v5.9.0"),
    "docker": says("28.2.2"),
    "kubectl": says("Client Version: v1.35.1"),
    "flux": says("flux version 2.9.4"),
}

PASSED_THROUGH = [route.address.host for route in deployed(LOCAL).routes if route.address.protocol == "TLS"]

# Every command that runs tools, each with what it needs to be told.
COMMANDS = {
    "cluster up": ["cluster", "up", "--yes"],
    "cluster down": ["cluster", "down", "--yes"],
    "cluster status": ["cluster", "status"],
    "image build": ["image", "build"],
    "image import": ["image", "import"],
    "image push": ["image", "push", "registry.example.com/graphwiki/graphwiki:1.4.0"],
    "deploy": ["deploy"],
    "deploy --manifests": ["deploy", "--manifests"],
    "flux reconcile": ["flux", "reconcile", WIKI],
    "flux status": ["flux", "status"],
    "flux suspend": ["flux", "suspend", "--env", "staging"],
    "flux resume": ["flux", "resume", "--env", "staging"],
    "logs": ["logs", WIKI],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_exact_calls(desk: Desk, command: str, snapshot: SnapshotAssertion) -> None:
    ended = desk.run(*COMMANDS[command])
    assert ended.code == 0, ended.err
    calls = desk.calls()
    assert calls == snapshot
    echoed = [line.removeprefix("$ ") for line in ended.err.splitlines() if line.startswith("$ ")]
    assert [line.replace(str(desk.checkout), "CHECKOUT") for line in echoed] == calls


def test_reconcile_without_an_app_is_of_all_that_flux_applies_the_source_first(desk: Desk) -> None:
    assert desk.run("flux", "reconcile").code == 0
    first, *others = kustomizations(LOCAL)
    assert others
    assert desk.calls() == [
        f"flux reconcile kustomization {first} --with-source --context {LOCAL.context}",
        *(f"flux reconcile kustomization {name} --context {LOCAL.context}" for name in others),
    ]


@pytest.mark.parametrize("command", [*COMMANDS, "up", "flux bootstrap", "open"])
def test_a_dry_run_prints_and_runs_nothing(desk: Desk, command: str) -> None:
    arguments = COMMANDS.get(command, command.split())
    ended = desk.run(*arguments, "--dry-run")
    assert ended.code == 0, ended.err
    assert ended.err.count("$ ") >= 1
    assert desk.calls() == []


def breaks_at(arguments: list[str]) -> str:
    """A script that fails in the one call that has these arguments and no others."""
    return f'if [ "$*" = {shlex.quote(" ".join(arguments))} ]; then\n{fails("it broke")}fi\n'


def steps_that_stop(desk: Desk, arguments: list[str], steps: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """Let each step fail in turn: the command ends there, with a sentence."""
    for number, step in enumerate(steps):
        tool, *rest = shlex.split(step.replace("CHECKOUT", str(desk.checkout)))
        for name in TOOLS:
            desk.tools.put(name, TOFU if name == "tofu" else "")
        desk.tools.put(tool, breaks_at(rest) + (TOFU if tool == "tofu" else ""))
        ended = desk.run(*arguments)
        assert ended.code == 3
        assert "it broke" in capfd.readouterr().err
        last = ended.err.splitlines()[-1].replace(str(desk.checkout), "CHECKOUT")
        assert last.startswith(f"{step} failed with exit code 1; its output is above")
        assert desk.calls() == steps[: number + 1]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_failing_step_ends_it_with_a_sentence_and_runs_nothing_more(
    desk: Desk, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert desk.run(*COMMANDS[command]).code == 0
    steps_that_stop(desk, COMMANDS[command], desk.calls(), capfd)


def test_what_was_applied_by_hand_is_said_to_go_where_flux_runs(desk: Desk) -> None:
    assert "flux suspend" not in desk.run("deploy").err
    *_, last = desk.run("deploy", "--manifests").err.splitlines()
    assert "where Flux runs and is not suspended, it puts back what Git has" in last


@pytest.mark.parametrize("command", ["reconcile", "resume", "suspend"])
def test_where_flux_cannot_what_to_do_is_said_for_that_cluster(desk: Desk, command: str) -> None:
    desk.tools.put("flux", fails("resource is suspended"))
    ended = desk.run("flux", command, "--env", "staging")
    assert ended.code == 3
    advised = re.findall(r"`./gw (flux \w+) --env staging`", ended.err)
    assert (
        advised
        == {
            "reconcile": ["flux status", "flux resume"],
            "resume": ["flux status"],
            "suspend": ["flux bootstrap"],
        }[command]
    )


@pytest.mark.parametrize(
    ("command", "tool", "where"),
    [
        ("cluster up", "tofu", "https://opentofu.org/docs/intro/install/"),
        ("cluster status", "k3d", "https://k3d.io"),
        ("image build", "docker", "https://docs.docker.com/get-docker/"),
        ("logs", "kubectl", "https://kubernetes.io/docs/tasks/tools/"),
        ("flux status", "flux", "https://fluxcd.io/flux/installation/"),
    ],
)
def test_a_missing_tool_is_named_with_version_and_place(desk: Desk, command: str, tool: str, where: str) -> None:
    (desk.tools.folder / tool).unlink()
    ended = Desk(StandIns(desk.tools.folder, system=""), desk.checkout).run(*COMMANDS[command])
    assert ended.code == 3
    last = ended.err.splitlines()[-1]
    assert last.startswith(f"{tool} is not on PATH: install ")
    assert where in last


def test_terraform_serves_where_opentofu_is_missing(desk: Desk) -> None:
    (desk.tools.folder / "tofu").rename(desk.tools.folder / "terraform")
    desk.tools.put("terraform")
    assert desk.run("cluster", "up", "--yes").code == 0
    assert all(call.startswith("terraform -chdir=infra/local ") for call in desk.calls())


def test_without_yes_terraform_asks_before_it_changes_anything(desk: Desk) -> None:
    assert desk.run("cluster", "up").code == 0
    assert desk.calls()[-1] == "tofu -chdir=infra/local apply"


def test_up_names_every_missing_tool_before_its_first_step(desk: Desk) -> None:
    for tool in ("kubectl", "k3d"):
        (desk.tools.folder / tool).unlink()
    ended = Desk(StandIns(desk.tools.folder, system=""), desk.checkout).run("up", "--yes")
    assert ended.code == 3
    assert [line.split()[0] for line in ended.err.splitlines()] == ["k3d", "kubectl"]
    assert desk.calls() == []


def test_down_asks_and_a_no_destroys_nothing(desk: Desk) -> None:
    ended = desk.run("cluster", "down", answer="n\n")
    assert ended.code == 130
    assert f"Destroy the cluster {LOCAL.context} with all its data?" in ended.out
    assert ended.err == "nothing more was done\n"
    assert desk.calls() == []
    assert desk.run("cluster", "down", answer="y\n").code == 0
    assert desk.calls()[-1] == "tofu -chdir=infra/local destroy -refresh=false -auto-approve"


def test_down_of_a_cluster_that_was_never_made_forgets_nothing(desk: Desk) -> None:
    desk.tools.put("tofu", says('{"format_version": "1.0"}', when="show"))
    assert desk.run("cluster", "down", "--yes").code == 0
    assert not [call for call in desk.calls() if "state rm" in call]


@pytest.mark.parametrize(
    ("kubeconfig", "file"),
    [
        ("", "~/.kube/config"),
        ("/k/one:/k/two", "/k/one"),
        (":/k/two", "/k/two"),
        ("k/one", f"{ROOT}/k/one"),
    ],
)
def test_terraform_writes_the_context_where_kubectl_looks(
    desk: Desk, kubeconfig: str, file: str, capfd: pytest.CaptureFixture[str]
) -> None:
    desk.tools.put("tofu", 'case "$*" in *apply*) echo "$TF_VAR_kubeconfig $TF_VAR_cluster_name";; esac')
    given = {"KUBECONFIG": kubeconfig, "TF_VAR_cluster_name": "other", "TF_VAR_kubeconfig": "/elsewhere"}
    assert desk.run("cluster", "up", "--yes", **given).code == 0
    assert capfd.readouterr().out == f"{file} graphwiki\n"


@pytest.mark.slow
def test_an_interrupted_tool_ends_in_its_own_way_and_the_command_with_a_sentence(desk: Desk) -> None:
    started, tidied = desk.tools.folder / "started", desk.tools.folder / "tidied"
    tidies = f"sleep 0.5; : >{shlex.quote(str(tidied))}"
    desk.tools.put("docker", f"trap {shlex.quote(tidies)} INT\n: >{shlex.quote(str(started))}\nsleep 30\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts", "image", "build"],
        cwd=ROOT,
        env=desk.environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    end = time.monotonic() + 20
    while not started.exists() and time.monotonic() < end:
        time.sleep(0.05)
    # Ctrl-C reaches the whole process group: this command and the tool that it runs.
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert tidied.exists()
    assert process.returncode == 130
    assert said.splitlines()[-1] == "interrupted: the same command can be run again"


@pytest.mark.parametrize("target", ["graphwiki", "graphwiki:1.0", "registry.example.com/graphwiki:latest", "a b/c:1"])
def test_only_a_release_in_a_registry_is_pushed(desk: Desk, target: str) -> None:
    ended = desk.run("image", "push", target)
    assert ended.code == 2
    assert "is no place for a release: write registry, repository and tag" in " ".join(ended.err.split())
    assert desk.calls() == []


def test_a_context_that_is_no_checkout_is_refused(desk: Desk) -> None:
    ended = desk.run("image", "build", "--context", str(ROOT / "docs"))
    assert ended.code == 2
    assert "name a checkout of the GraphWiki application" in " ".join(ended.err.split())


def test_an_unknown_app_is_refused_with_those_that_there_are(desk: Desk) -> None:
    ended = desk.run("logs", "wiki")
    assert ended.code == 1
    assert ended.err == "there is no app wiki in deploy/apps; there are " + ", ".join(APPS) + "\n"


class TestFluxBootstrap:
    """Flux needs what is a person's own: all but the first three tests take every value for one."""

    @pytest.fixture(autouse=True)
    def every_digest_is_known(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "unknown_digests", lambda _: [])
        monkeypatch.setattr(doctor, "_rendered_without_digest", lambda _: [])

    def bootstrap(
        self, desk: Desk, *arguments: str, answer: str = "", examples: Mapping[str, str] = MappingProxyType({})
    ) -> Ended:
        with mock.patch.object(Environment, "examples", examples):
            return desk.run("flux", "bootstrap", *arguments, answer=answer)

    def test_the_example_address_is_refused(self, desk: Desk) -> None:
        ended = self.bootstrap(desk, examples={"GIT_URL": LOCAL.git_url})
        assert ended.code == 1
        assert (
            f"local is not ready to be rolled out:\nGIT_URL is still the example {LOCAL.git_url}: set it in"
            in ended.err
        )
        assert desk.calls() == []

    def test_every_value_that_is_still_to_be_set_is_named(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        examples = {"DOMAIN": "wiki.example.com", "REGISTRY": "registry.example.com"}
        monkeypatch.setattr(doctor, "unknown_digests", lambda _: ["graphwiki"])
        with mock.patch.object(Environment, "examples", examples):
            ended = desk.run("flux", "bootstrap", "--env", "staging")
        assert (ended.code, ended.out) == (1, "")
        where = "set it in facts/environments.py before staging is rolled out"
        assert ended.err.splitlines() == [
            "staging is not ready to be rolled out:",
            f"DOMAIN is still the example wiki.example.com: {where}",
            f"REGISTRY is still the example registry.example.com: {where}",
            "digest of graphwiki is not known yet: `./gw release graphwiki TAG@DIGEST --env staging` "
            "sets it in images.yaml",
        ]
        assert desk.calls() == []

    def test_a_cluster_with_examples_is_refused_whatever_is_answered(self, desk: Desk) -> None:
        examples = EXAMPLE.examples
        ended = self.bootstrap(desk, "--env", "staging", "--yes", examples=examples)
        assert ended.code == 1
        named = [line.split()[0] for line in ended.err.splitlines()[1:]]
        assert named == list(examples)
        assert desk.calls() == []

    def test_a_new_key_is_made_and_shown_before_flux_reads_the_repository(
        self, desk: Desk, capfd: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
    ) -> None:
        desk.tools.put("kubectl", fails(when="get secret"))
        desk.tools.put("flux", says("deploy key: ssh-ed25519 AAAA", when="create"))
        ended = self.bootstrap(desk, answer="y\n")
        assert ended.code == 0, ended.err
        assert "deploy key: ssh-ed25519 AAAA" in capfd.readouterr().out
        assert "Is the key above a deploy key of the repository?" in ended.out
        assert [call.replace(LOCAL.git_url, "GIT_URL") for call in desk.calls()] == snapshot

    def test_without_the_answer_it_stops_before_the_sync(self, desk: Desk) -> None:
        desk.tools.put("kubectl", fails(when="get secret"))
        assert self.bootstrap(desk, answer="n\n").code == 130
        assert not [call for call in desk.calls() if "gotk-sync" in call]

    def test_a_given_key_is_used(self, desk: Desk, tmp_path: Path) -> None:
        key = tmp_path / "key"
        key.touch()
        assert self.bootstrap(desk, "--private-key-file", str(key)).code == 0
        (create,) = [call for call in desk.calls() if "create secret" in call]
        assert create.endswith(f"--url {LOCAL.git_url} --private-key-file {key}")

    def test_a_second_run_shows_the_key_again_and_asks_again(self, desk: Desk) -> None:
        public = base64.b64encode(b"ssh-ed25519 AAAA").decode()
        desk.tools.put("kubectl", says(public, when="jsonpath"))
        ended = self.bootstrap(desk, answer="n\n")
        assert ended.code == 130
        assert "the key is there already: ssh-ed25519 AAAA\n" in ended.err
        assert not [call for call in desk.calls() if "create secret" in call or "gotk-sync" in call]
        assert self.bootstrap(desk, "--yes").code == 0
        assert [call for call in desk.calls() if "gotk-sync" in call]

    def test_its_controllers_are_installed_as_they_will_apply_themselves(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Other than that, each would be rolled out anew at the first reconciliation."""
        given: list[str] = []
        monkeypatch.setattr(Programs, "run", lambda _self, *_command, **named: given.append(named.get("given") or ""))
        assert self.bootstrap(desk, "--yes").code == 0
        (installed,) = [text for text in given if "Deployment" in text]
        assert json.loads(installed)["items"] == controllers(ROOT / LOCAL.path)

    def test_each_failing_step_ends_it(self, desk: Desk) -> None:
        assert self.bootstrap(desk, "--yes").code == 0
        steps = [step for step in desk.calls() if not step.endswith("get secret flux-system")]
        for step in steps:
            tool, *rest = shlex.split(step)
            for name in TOOLS:
                desk.tools.put(name)
            desk.tools.put(tool, breaks_at(rest))
            ended = self.bootstrap(desk, "--yes")
            assert ended.code == 3
            assert ended.err.splitlines()[-1].startswith(f"{step} failed with exit code 1; its output is above")


class Pages(http.server.BaseHTTPRequestHandler):
    """Answers 404 to a foreign Host, as Istio does, and 503 twice before 200, as a starting app does."""

    waiting = 2

    def do_GET(self) -> None:
        host = self.headers["Host"].partition(":")[0]
        if host not in hosts(LOCAL):
            self.send_error(404)
        elif Pages.waiting:
            Pages.waiting -= 1
            self.send_error(503)
        else:
            # An app that has nothing at this place: what it says has Envoy's header, and the gateway's own 404 has not.
            self.send_response(404)
            self.send_header("x-envoy-upstream-service-time", "3")
            self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def served(server: http.server.ThreadingHTTPServer) -> Iterator[int]:
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def pages() -> Iterator[int]:
    yield from served(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages))


@pytest.fixture
def tls_pages() -> Iterator[int]:
    """The same over TLS, for the names of the pages that are passed through, with a certificate that nobody trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(*PASSED_THROUGH).configure_cert(context)

    def known_alone(_socket: ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> int | None:
        return None if name in PASSED_THROUGH else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    context.sni_callback = known_alone  # type: ignore[assignment]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    yield from served(server)


def test_up_does_all_of_it_in_order_and_ends_when_every_page_answers_to_its_host(
    desk: Desk, pages: int, tls_pages: int, snapshot: SnapshotAssertion
) -> None:
    urls = {
        host: f"https://{host}:{tls_pages}" if host in PASSED_THROUGH else f"http://{host}:{pages}"
        for host in hosts(LOCAL)
    }
    desk.tools.put("tofu", says(json.dumps(urls), when="output"))
    Pages.waiting = 2
    ended = desk.run("up", "--yes")
    assert ended.code == 0, ended.err
    calls = desk.calls()
    rollouts = [call for call in calls if "rollout status" in call]
    of_others = rollouts[1:]
    assert [call for call in calls if call not in of_others] == snapshot
    lasting_ones = [workload for app in deployed(LOCAL).apps for workload in lasting(LOCAL, app.name)]
    assert len(rollouts) == len(lasting_ones) == len(set(rollouts))
    assert calls.index(of_others[-1]) == len(calls) - 2
    assert [line for line in ended.err.splitlines() if line.startswith("[")][-1].startswith("[5/5]")
    first, *others = urls.values()
    assert f"waiting for {first} .. answers" in ended.err
    for url in others:
        assert f"waiting for {url}  answers" in ended.err
    assert ended.out.splitlines() == list(urls.values())


def test_each_failing_step_of_up_ends_it(desk: Desk, capfd: pytest.CaptureFixture[str]) -> None:
    desk.tools.put("tofu", says("{}", when="output"))
    ended = desk.run("up", "--yes")
    assert ended.code == 3
    assert f"Terraform knows no address of {hosts(LOCAL)[0]}: `./gw cluster up` makes the cluster" in ended.err
    steps_that_stop(desk, ["up", "--yes"], desk.calls(), capfd)


@pytest.mark.parametrize("host", ["a-host-of-no-app.localhost", None])
def test_a_page_that_never_answers_is_told_with_its_last_answer(pages: int, host: str | None) -> None:
    port = pages if host else 1
    last = "404 Not Found" if host else "Connection refused"
    with pytest.raises(ToolError, match=rf"did not answer within 0 seconds, the last it said was: .*{last}"):
        wait_for_page(f"http://{host or hosts(LOCAL)[0]}:{port}", limit=0.1)


def test_a_page_over_tls_is_asked_for_by_its_name(tls_pages: int) -> None:
    Pages.waiting = 0
    wait_for_page(f"https://{PASSED_THROUGH[0]}:{tls_pages}", limit=0.1)
    with pytest.raises(ToolError, match=r"did not answer within 0 seconds"):
        wait_for_page(f"https://other.localhost:{tls_pages}", limit=0.1)


def test_open_without_a_cluster_is_told(desk: Desk) -> None:
    desk.tools.put("tofu", says("{}", when="output"))
    ended = desk.run("open")
    assert ended.code == 3
    assert f"Terraform knows no address of {deployed(LOCAL).app(WIKI).addresses[0].host}" in ended.err


@pytest.mark.parametrize("host", hosts(LOCAL))
def test_a_page_is_opened_by_its_host_whole_or_without_the_domain(
    desk: Desk, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    desk.tools.put("tofu", says(json.dumps({host: f"http://{host}:1"}), when="output"))
    for name in (host, host.removesuffix(f".{LOCAL.domain}")):
        assert desk.run("open", name).code == 0
    assert opened == [f"http://{host}:1"] * 2


def test_a_page_that_is_not_there_is_refused_with_those_that_are(desk: Desk) -> None:
    ended = desk.run("open", "nowhere")
    known = ", ".join(host.removesuffix(f".{LOCAL.domain}") for host in hosts(LOCAL))
    assert (ended.code, ended.err) == (1, f"there is no page nowhere in {LOCAL.path}; there are {known}\n")


def test_a_workload_that_is_not_there_is_refused_with_those_that_are(desk: Desk) -> None:
    ended = desk.run("logs", WIKI, "nowhere")
    known = ", ".join(item.name for item in lasting(LOCAL, WIKI))
    assert (ended.code, ended.err) == (1, f"{WIKI} has no workload nowhere; there are {known}\n")


class TestDoctor:
    """What doctor finds, and what it says to do."""

    @pytest.fixture
    def ready(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
        for tool, version in VERSIONS.items():
            desk.tools.put(tool, version)
        # tests/scripts/test_host.py has Docker's machine, test_support.py the versions.
        monkeypatch.setattr(doctor, "host", list)
        monkeypatch.setattr(doctor, "support", lambda _: [])
        return desk

    def test_a_ready_machine_is_told_so(self, ready: Desk) -> None:
        with mock.patch.object(Environment, "examples", {"GIT_URL": LOCAL.git_url}):
            ended = ready.run("doctor")
        tools = {line.split()[1]: line.split()[0] for line in ended.out.splitlines() if not line.startswith(" ")}
        assert {tool: tools[f"{tool}:"] for tool in TOOLS} == dict.fromkeys(TOOLS, "ok")
        assert f"GIT_URL: still the example {LOCAL.git_url}" in ended.out
        assert f"GRAPHWIKI_SRC: {ready.checkout}" in ended.out

    @pytest.mark.parametrize(
        ("tool", "script", "line"),
        [
            ("tofu", says("OpenTofu v1.5.0"), "FIX     tofu: 1.5.0\n        too old, install OpenTofu"),
            ("k3d", says("k3d version v5.6.3"), "FIX     k3d: 5.6.3\n        too old, install k3d 5.9.0"),
            (
                "kubectl",
                says("Client Version: v1.32.4"),
                "FIX     kubectl: 1.32.4\n        too far from the cluster's version, install kubectl 1.35",
            ),
            ("docker", fails(), "FIX     docker: does not answer\n        start Docker"),
            ("flux", fails(), "later   flux: not found\n        install flux 2.9.4"),
        ],
    )
    def test_a_tool_that_will_not_do_is_told_with_what_to_do(
        self, ready: Desk, tool: str, script: str, line: str
    ) -> None:
        ready.tools.put(tool, script)
        ended = ready.run("doctor")
        assert line in ended.out
        if line.startswith("FIX"):
            assert ended.code == 3
            assert tool in ended.err.splitlines()[-1]

    def test_a_port_that_another_program_has_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "_listens", lambda port: port == PORTS["http_port"])
        monkeypatch.setattr("scripts.cluster.doctor.Programs.answers", lambda *_: False)
        taken, free = doctor._ports()
        assert (taken.state, taken.advice) == (
            "taken",
            "stop what listens there, or set TF_VAR_http_port to another port",
        )
        assert (free.state, free.advice) == ("free", "")
        monkeypatch.setattr("scripts.cluster.doctor.Programs.answers", lambda *_: True)
        taken, _ = doctor._ports()
        assert taken.advice == ""

    def test_the_ports_of_terraforms_variables_are_looked_at(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TF_VAR_http_port", "9090")
        monkeypatch.setattr("scripts.cluster.doctor._listens", lambda port: port == 8080)
        monkeypatch.setattr("scripts.cluster.doctor.Programs.answers", lambda *_: False)
        assert [(finding.subject, finding.state) for finding in doctor._ports()] == [
            ("port 9090", "free"),
            ("port 8443", "free"),
        ]

    def test_what_does_not_fit_on_dockers_machine_keeps_the_local_cluster_from_being_made(
        self, ready: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = [Finding("cgroup", "version 1", "boot with cgroup v2"), Finding("disk", "unknown", "look", later=True)]
        monkeypatch.setattr(doctor, "host", lambda: found)
        ended = ready.run("doctor")
        assert ended.code == 3
        assert "FIX     cgroup: version 1\n        boot with cgroup v2\n" in ended.out
        assert ended.err.splitlines()[-1] == "not ready: cgroup; what to do is said above"
        assert "cgroup" not in ready.run("doctor", "--env", "production").out

    def test_docker_without_buildx_cannot_build_the_image(self, ready: Desk) -> None:
        ready.tools.put("docker", fails(when="buildx") + says("28.2.2"))
        assert "FIX     docker: without buildx\n        install Docker's buildx plugin" in ready.run("doctor").out

    def test_a_dry_run_prints_its_commands(self, ready: Desk) -> None:
        ended = ready.run("doctor", "--dry-run")
        assert (ended.code, ended.out) == (0, "")
        assert "$ k3d version\n" in ended.err
        assert "$ docker info --format" in ended.err
        assert ready.calls() == []

    def test_of_another_cluster_it_wants_only_the_tools_that_reach_it(self, ready: Desk) -> None:
        ended = ready.run("doctor", "--env", "production")
        assert ended.code == 0, ended.err
        assert ended.out.splitlines()[:2] == ["ok      kubectl: 1.35.1", "ok      flux: 2.9.4"]
        assert "FIX" not in ended.out
        assert ready.calls() == ["kubectl version --client", "flux --version"]

    def test_a_dry_run_for_another_cluster_prints_those_commands(self, ready: Desk) -> None:
        ended = ready.run("doctor", "--env", "production", "--dry-run")
        assert (ended.code, ended.out) == (0, "")
        assert ended.err == "$ kubectl version --client\n$ flux --version\n"
        assert ready.calls() == []

    @pytest.mark.parametrize("tool", ["kubectl", "flux"])
    def test_without_a_tool_that_reaches_it_another_cluster_is_out_of_reach(self, ready: Desk, tool: str) -> None:
        (ready.tools.folder / tool).unlink()
        alone = Desk(StandIns(ready.tools.folder, system=""), ready.checkout)
        ended = alone.run("doctor", "--env", "production")
        assert ended.code == 3
        assert f"FIX     {tool}: not found\n        install {wanted(tool)}\n" in ended.out
        assert ended.err.splitlines()[-1] == f"not ready: {tool}; what to do is said above"

    def test_values_that_are_still_examples_are_told_with_where_to_set_them(self, ready: Desk) -> None:
        ended = ready.run("doctor", "--env", "production")
        assert [line for line in ended.out.splitlines() if "still the example" in line] == [
            f"later   {name}: still the example {value}" for name, value in PRODUCTION.examples.items()
        ]
        advice = "        set it in facts/environments.py before production is rolled out\n"
        assert ended.out.count(advice) == len(PRODUCTION.examples)

    def test_digests_that_are_not_known_are_told_with_the_command_that_sets_them(
        self, ready: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(doctor, "unknown_digests", lambda environment: ["wiki"] if environment.digests else [])
        monkeypatch.setattr(doctor, "_rendered_without_digest", lambda _: [])
        assert ready.run("doctor", "--env", "production").out.endswith(
            "later   digest of wiki: not known yet\n"
            "        `./gw release wiki TAG@DIGEST --env production` sets it in images.yaml\n"
        )
        assert "digest" not in ready.run("doctor", "--env", "staging").out

    def test_where_every_value_is_set_it_says_so(self, ready: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "unknown_digests", lambda _: [])
        monkeypatch.setattr(doctor, "_rendered_without_digest", lambda _: [])
        with mock.patch.object(Environment, "examples", {}):
            ended = ready.run("doctor", "--env", "production")
        assert ended.code == 0
        assert ended.out.splitlines()[2:] == ["ok      values: all of production are set"]

    @pytest.mark.parametrize(
        ("address", "advice"),
        [
            ("127.0.0.1", ""),
            ("192.0.2.7", f"add to /etc/hosts: 127.0.0.1 {' '.join(hosts(LOCAL))}"),
        ],
    )
    def test_hosts_lines_are_printed_only_where_names_lead_elsewhere(
        self, monkeypatch: pytest.MonkeyPatch, address: str, advice: str
    ) -> None:
        found = [(2, 1, 6, "", (address, 0))]
        monkeypatch.setattr("scripts.cluster.doctor.socket.getaddrinfo", lambda *_: found)
        (finding,) = doctor._names()
        assert finding.advice == advice


def test_the_ports_are_those_of_terraforms_variables() -> None:
    text = (INFRA / "variables.tf").read_text("utf-8")
    for name, port in PORTS.items():
        assert re.search(rf'variable "{name}" {{[^}}]*default     = {port}\n', text)
    assert f'default     = "{LOCAL.context.removeprefix("k3d-")}"' in text
