"""What stands in for the images of a tree: how it is called, where it answers, what ends; and the program itself."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from secrets import randbelow
from typing import Any

import pytest

from facts.environments import ENVIRONMENTS
from scripts.definition.committed import files_here
from scripts.gate.builds import Build
from scripts.gate.judges.reconciliation import Reconciliation
from scripts.gate.node import programs
from scripts.gate.node.images import Image
from scripts.gate.node.stand_ins import images
from synth.manifest import Document

BUILT = programs.PODS.place
built = pytest.mark.skipif(not BUILT.exists(), reason="`./gw proof` has not built what stands in for apps yet")


@pytest.fixture(autouse=True)
def _nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Build, "make", lambda build: Path(build.name))


def container(image: str = "app:1", **more: Any) -> Document:
    return {"name": "app", "image": image} | more


def deployment(*containers: Document, **more: Any) -> Document:
    return {"kind": "Deployment", "spec": {"template": {"spec": {"containers": list(containers)} | more}}}


def cron_job(*containers: Document) -> Document:
    pod = {"restartPolicy": "OnFailure", "containers": list(containers)}
    return {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}}


def app(*objects: Document) -> Image:
    (found,) = images(objects).values()
    return found


def ends(image: Image) -> list[list[str]]:
    found: list[list[str]] = json.loads(image.environment["ENDS"])
    return found


def test_an_app_answers_at_every_port_of_tcp() -> None:
    ports = [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}, {"containerPort": 81, "protocol": "TCP"}]
    assert app(deployment(container(ports=ports))).environment["PORTS"] == "80 81"


def test_an_image_of_several_containers_is_one_stand_in_for_all() -> None:
    found = app(deployment(container(ports=[{"containerPort": 80}])), cron_job(container(command=["tidy"])))
    assert found.environment["PORTS"] == "80"
    assert ends(found) == [["tidy"]]
    assert "/usr/local/bin/tidy" in found.links


def test_a_job_ends_whether_it_has_a_command_or_not() -> None:
    assert ends(app(cron_job(container(args=["all"])))) == [["/pods", "serve", "all"]]
    assert ends(app(cron_job(container(command=["/bin/tidy"], args=["all"])))) == [["/bin/tidy", "all"]]
    assert "/bin/tidy" in app(cron_job(container(command=["/bin/tidy"]))).links


def test_an_app_does_not_end_and_an_init_container_does_unless_it_is_a_sidecar() -> None:
    assert ends(app(deployment(container(command=["run"])))) == []
    assert ends(app(deployment(initContainers=[container(command=["migrate"])]))) == [["migrate"]]
    assert ends(app(deployment(initContainers=[container(command=["proxy"], restartPolicy="Always")]))) == []


def test_commands_of_probes_and_hooks_can_be_called_and_end() -> None:
    probe = {"exec": {"command": ["sh", "-c", "test -f /tmp/ready"]}}
    hook = {"preStop": {"exec": {"command": ["sleep", "5"]}}, "postStart": {"exec": {"command": ["/bin/warm"]}}}
    found = app(deployment(container(livenessProbe=probe, lifecycle=hook)))
    assert {"/usr/local/bin/sh", "/bin/sleep", "/bin/warm"} <= set(found.links)
    # The time of a hook's sleep is kept.
    assert ends(found) == [["sh", "-c", "test -f /tmp/ready"], ["/bin/warm"]]


def test_it_writes_where_its_container_may() -> None:
    volumes = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "scratch", "emptyDir": {}},
        {"name": "settings", "configMap": {"name": "settings"}},
    ]
    mounts = [
        {"name": "data", "mountPath": "/data"},
        {"name": "scratch", "mountPath": "/scratch"},
        {"name": "settings", "mountPath": "/etc/settings"},
        {"name": "data", "mountPath": "/again", "readOnly": True},
        {"name": "of-a-stateful-set", "mountPath": "/mine"},
    ]
    found = app(deployment(container(volumeMounts=mounts), volumes=volumes))
    assert found.environment["WRITES"] == "/data /scratch /mine"


@pytest.mark.parametrize("name", programs.CONTROLLERS)
def test_a_controller_of_flux_is_itself(name: str) -> None:
    found = app(deployment(container(f"ghcr.io/fluxcd/{name}:v1.0.0@sha256:ab")))
    place = f"/usr/local/bin/{name}"
    assert (found.files, found.command) == ({place: Path(name)}, (place,))


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda item: item.name)
def test_every_image_of_a_tree_has_one(environment: Any) -> None:
    objects = [item.document for item in Reconciliation(files_here(), environment.path).objects]
    named = set(_images(objects))
    assert named
    assert set(images(objects)) == named


def _images(node: object) -> Iterable[str]:
    if isinstance(node, dict):
        if isinstance(node.get("image"), str) and "name" in node:
            yield node["image"]
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _images(item)


def called(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        arguments, executable=BUILT, env=os.environ | environment, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
@built
class TestProgram:
    """tools/pods, as the images above have it."""

    def test_what_ends_ends_well_and_at_once(self) -> None:
        with called("sh", "-c", "a test", ENDS=json.dumps([["sh", "-c", "a test"]])) as process:
            assert process.wait(10) == 0

    def test_sleep_takes_its_time(self) -> None:
        start = time.monotonic()
        with called("sleep", "0.3") as process:
            assert process.wait(10) == 0
        assert time.monotonic() - start >= 0.3

    def test_an_app_answers_at_its_ports_and_ends_when_it_is_told_to(self, tmp_path: Path) -> None:
        ports = [free_port(), free_port()]
        folders = f"{tmp_path} {tmp_path / 'missing'}"
        with called("/pods", "serve", "--any", PORTS=" ".join(map(str, ports)), WRITES=folders) as process:
            for port in ports:
                assert answer(port, "/a/page").startswith(f"GET 127.0.0.1:{port}/a/page\n")
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        assert (tmp_path / "started").exists()

    def test_an_app_that_may_not_write_to_its_volume_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "started").mkdir()
        with called("/pods", "serve", WRITES=str(tmp_path)) as process:
            _, said = process.communicate(timeout=10)
        assert process.returncode == 1
        assert f"{tmp_path}/started" in said

    def test_a_client_says_what_each_address_answers(self) -> None:
        port, nobody = free_port(), free_port()
        with called("/pods", "serve", PORTS=str(port)) as process:
            answer(port, "/")
            urls = [f"http://127.0.0.1:{one}/" for one in (port, nobody)]
            done = subprocess.run(["/pods", "get", *urls], executable=BUILT, capture_output=True, text=True, check=True)
            process.send_signal(signal.SIGTERM)
        first, second = done.stdout.splitlines()
        assert first == "200"
        assert "refused" in second

    def test_pause_waits(self) -> None:
        with called("/pods", "pause") as process:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.3)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0


def free_port() -> int:
    """A port below those that the system gives to others meanwhile."""
    while True:
        with socket.socket() as one, suppress(OSError):
            one.bind(("", 20000 + randbelow(10000)))
            port: int = one.getsockname()[1]
            return port


def answer(port: int, path: str) -> str:
    deadline = time.monotonic() + 10
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        finally:
            connection.close()
