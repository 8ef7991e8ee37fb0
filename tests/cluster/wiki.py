"""The wiki under uvicorn, where one program stands for every app elsewhere; what a browser sees of it."""

import base64
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from hashlib import sha256
from importlib import import_module
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from facts.provided import INGRESS_GATEWAY, ISTIO_SYSTEM
from scripts.gate.node import programs, wiki
from scripts.gate.node.cluster import Cluster
from scripts.gate.node.enclosure import FOLDER
from scripts.gate.node.node import LOAD_BALANCER
from synth.manifest import Document
from synth.overview import Overview
from synth.overview.model import Address, Party
from tests.cluster.certificates import given
from tests.cluster.conftest import COMMIT_SECONDS, VISITOR, ask, connected
from tests.cluster.delivery import apps, edited
from tests.cluster.rollouts import restart

NAME = wiki.DOCKERFILE.parent.name
"""What the container is called that runs the Dockerfile's image."""
TEXT = "It links to [[another-page]], and is *kept*."
SECONDS = 30
BROWSER = ("chromium", "chromedriver")


@pytest.fixture(scope="module")
def address(cluster: Cluster, overview: Overview, addresses: list[Address]) -> Iterator[Address]:
    """Where the wiki is reached, once it runs; it is put back afterwards."""

    def real(deployment: Document) -> None:
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            if container["name"] == NAME:
                container["image"] = wiki.REFERENCE

    before = cluster.git.revision
    edited(cluster, "Deployment", real, [item for item in apps(cluster, "Deployment") if NAME in containers(item)])
    cluster.wait_applied(cluster.publish("The wiki under uvicorn"), COMMIT_SECONDS)
    of_wiki = [
        one
        for app in overview.apps
        for workload in app.workloads
        if workload.party == party(cluster)
        for one in app.addresses_of(workload)
        if one in addresses
    ]
    (found,) = of_wiki
    cluster.node.wait("the wiki answers", lambda: ask(found.host, "/pages/a", found.port, found.protocol).status == 200)
    yield found
    revision = cluster.git.revert_to(before)
    cluster.reconcile()
    cluster.wait_applied(revision, COMMIT_SECONDS)


def containers(deployment: Document) -> list[str]:
    return [container["name"] for container in deployment["spec"]["template"]["spec"]["containers"]]


def party(cluster: Cluster) -> Party:
    (item,) = (item for item in apps(cluster, "Deployment") if NAME in containers(item))
    return Party("Deployment", item["metadata"]["namespace"], item["metadata"]["name"])


def url(address: Address, path: str, scheme: str = "") -> str:
    return f"{scheme or address.protocol.lower()}://{address.host}{path}"


def test_it_leads_on_to_where_the_visitor_sees_it(address: Address) -> None:
    answer = ask(address.host, "/", address.port, address.protocol)
    assert (answer.status, answer.headers["Location"]) == (307, url(address, "/pages/home"))


def test_it_knows_the_visitor(
    cluster: Cluster, address: Address, visitor: Callable[[Address, Mapping[str, str]], str]
) -> None:
    way_in = cluster.node.get("service", INGRESS_GATEWAY.name, f"--namespace={ISTIO_SYSTEM.name}")
    said = visitor(replace(address, path="/visitor"), {"X-Forwarded-For": "192.0.2.1"}).strip()
    kept = way_in["spec"]["externalTrafficPolicy"] == "Local"
    assert (said == str(VISITOR)) == kept
    assert said != "192.0.2.1"


def test_a_page_outlives_its_pod(cluster: Cluster, address: Address) -> None:
    where = (address.host, "/pages/kept", address.port, address.protocol)
    assert ask(*where, method="PUT", body=TEXT.encode()).status == 204
    restart(cluster, party(cluster))
    cluster.node.wait("the wiki answers", lambda: ask(*where).status == 200)
    link = f'<a href="{url(address, "/pages/another-page")}">'
    assert f"It links to {link}another-page</a>, and is *kept*." in ask(*where).body


def test_a_socket_stays_open(address: Address) -> None:
    with connected(address.host, address.port, address.protocol) as connection:
        lines = ("GET /changes/kept HTTP/1.1", f"Host: {address.host}", "Connection: Upgrade", "Upgrade: websocket")
        more = ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "")
        connection.sendall("\r\n".join((*lines, *more)).encode())
        stream = connection.makefile("rb")
        assert stream.readline().split()[1] == b"101"
        while stream.readline().strip():
            pass
        for text in (b"first", b"second"):
            # A short text of a client, whose mask is nothing: https://www.rfc-editor.org/rfc/rfc6455#section-5.2
            connection.sendall(bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text)
            answer = b"kept: " + text
            assert stream.read(2 + len(answer)) == bytes((0x81, len(answer))) + answer


def test_a_browser_follows_its_links_and_keeps_its_socket(
    cluster: Cluster, address: Address, addresses: list[Address]
) -> None:
    with browser(cluster, addresses) as driver:
        driver.get(f"{url(address, '')}:{address.port}/pages/kept")
        driver.find_element("tag name", "a").click()
        cluster.node.wait("the browser follows the link", lambda: "/pages/another-page" in driver.current_url, SECONDS)
        heard = partial(driver.find_elements, "css selector", "#said li")
        cluster.node.wait("the socket answers the browser", lambda: len(heard()) > len("abc"), SECONDS)
        assert heard()[0].text == "another-page: message 1"
        picture = cluster.node.logs / "wiki.png"
        assert driver.save_screenshot(str(picture))
        print(f"  {os.path.relpath(picture)}")
        for one in addresses:
            driver.get(f"{url(one, '')}:{one.port}{one.path or '/'}")
            assert one.host in driver.page_source, str(one)


@contextmanager
def browser(cluster: Cluster, addresses: list[Address]) -> Iterator[Any]:
    """Chromium without a screen, to which every host leads to the gateway, and which takes no other certificates."""
    if missing := [name for name in BROWSER if not shutil.which(name)]:
        pytest.fail(
            f"{', '.join(missing)} is not on PATH: apt-get install --no-install-recommends chromium chromium-driver"
        )
    sys.path.append(str(programs.SELENIUM.make()))
    driver = import_module("selenium.webdriver")
    options = driver.ChromeOptions()
    home = FOLDER / "browser"
    home.mkdir()
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server"),
        f"--host-resolver-rules=MAP * {LOAD_BALANCER}",
        f"--user-data-dir={home}",
    ):
        options.add_argument(argument)
    if taken := [fingerprint(one) for one in addresses if one.protocol == "HTTPS"]:
        options.add_argument(f"--ignore-certificate-errors-spki-list={','.join(taken)}")
    options.binary_location = shutil.which(BROWSER[0])
    log = cluster.node.logs / "browser.log"
    started = driver.Chrome(options, driver.ChromeService(shutil.which(BROWSER[1]), log_output=str(log)))
    try:
        yield started
    finally:
        started.quit()


def fingerprint(address: Address) -> str:
    """A certificate whose chain is verified, as Chromium is told to take it."""
    content = given(address).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(sha256(content).digest()).decode()
