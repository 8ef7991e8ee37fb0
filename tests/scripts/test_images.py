"""Images made of programs, and the registry that a node pulls them from."""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import Any

import pytest

from scripts.gate.node.images import Image, Registry, full


@pytest.fixture
def image(tmp_path: Path) -> Image:
    program = tmp_path / "program"
    program.write_bytes(b"a program")
    place = "/usr/local/bin/program"
    return Image({place: program}, (place, "serve"), {"/bin/other": place}, {"PORT": "80"})


def test_files_and_links_are_in_the_layer_at_their_places(image: Image, tmp_path: Path) -> None:
    image.layer(tmp_path / "layer")
    with tarfile.open(tmp_path / "layer") as archive:
        entries = {entry.name: entry for entry in archive}
        program = archive.extractfile("usr/local/bin/program")
        assert program is not None
        assert program.read() == b"a program"
    assert [name for name, entry in entries.items() if entry.isdir()] == [
        "usr",
        "usr/local",
        "usr/local/bin",
        "bin",
        "tmp",
    ]
    assert entries["usr/local/bin/program"].mode == 0o755
    assert entries["bin/other"].linkname == "/usr/local/bin/program"
    assert entries["tmp"].mode == 0o1777


def test_a_layer_is_the_same_bytes_however_old_its_files_are(image: Image, tmp_path: Path) -> None:
    image.layer(tmp_path / "first")
    for file in image.files.values():
        file.touch()
        file.chmod(0o700)
    image.layer(tmp_path / "second")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize(
    ("reference", "host", "repository", "name"),
    [
        ("nginx", "docker.io", "library/nginx", "latest"),
        ("nginx:1.29", "docker.io", "library/nginx", "1.29"),
        ("team/app:1", "docker.io", "team/app", "1"),
        ("docker.io/team/app:1", "docker.io", "team/app", "1"),
        ("docker.io/nginx:1", "docker.io", "library/nginx", "1"),
        ("registry.example.com/app:1", "registry.example.com", "app", "1"),
        ("registry.example.com:5000/team/app", "registry.example.com:5000", "team/app", "latest"),
        ("localhost/app:1", "localhost", "app", "1"),
        ("ghcr.io/team/app:1@sha256:ab", "ghcr.io", "team/app", "sha256:ab"),
    ],
)
def test_a_reference_is_read_as_whoever_pulls_it_reads_it(
    reference: str, host: str, repository: str, name: str
) -> None:
    assert full(reference) == (host, repository, name)


@dataclass
class Client:
    """What a node asks a registry for."""

    port: int

    def ask(self, path: str, method: str = "GET") -> tuple[int, HTTPMessage, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def manifest(self, repository: str, name: str, query: str = "") -> tuple[str, dict[str, Any]]:
        _, headers, body = self.ask(f"/v2/{repository}/manifests/{name}{query}")
        digest = f"sha256:{sha256(body).hexdigest()}"
        assert headers["Docker-Content-Digest"] == digest
        found: dict[str, Any] = json.loads(body)
        assert headers["Content-Type"] == found["mediaType"]
        return digest, found


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    (tmp_path / "images").mkdir()
    return Registry(tmp_path / "images")


@pytest.fixture
def client(registry: Registry) -> Iterator[Client]:
    with registry.serving("127.0.0.1") as port:
        yield Client(port)


def test_an_image_is_pulled_by_its_tag_or_its_digest_whatever_its_host(
    image: Image, registry: Registry, client: Client
) -> None:
    digest = registry.add("ghcr.io/team/app:1", image)
    assert client.manifest("team/app", "1")[0] == digest
    assert client.manifest("team/app", digest)[0] == digest
    assert client.manifest("team/app", "1", "?ns=ghcr.io")[0] == digest


def test_what_a_manifest_names_is_there_with_its_size_and_digest(
    image: Image, registry: Registry, client: Client
) -> None:
    registry.add("app:1", image)
    _, manifest = client.manifest("library/app", "1")
    blobs = {}
    for part in (manifest["config"], *manifest["layers"]):
        _, headers, body = client.ask(f"/v2/library/app/blobs/{part['digest']}?ns=docker.io")
        assert f"sha256:{sha256(body).hexdigest()}" == part["digest"]
        assert int(headers["Content-Length"]) == len(body) == part["size"]
        blobs[part["mediaType"]] = body
    config = json.loads(blobs["application/vnd.oci.image.config.v1+json"])
    assert config["rootfs"]["diff_ids"] == [part["digest"] for part in manifest["layers"]]
    assert config["config"]["Entrypoint"] == ["/usr/local/bin/program", "serve"]
    assert "PORT=80" in config["config"]["Env"]
    assert config["config"]["User"] != "0"


def test_a_head_says_how_large_it_is_and_no_more(image: Image, registry: Registry, client: Client) -> None:
    registry.add("app:1", image)
    (layer,) = client.manifest("library/app", "1")[1]["layers"]
    _, headers, body = client.ask(f"/v2/library/app/blobs/{layer['digest']}", "HEAD")
    assert int(headers["Content-Length"]) == layer["size"]
    assert body == b""


def test_images_of_the_same_files_share_their_layer(image: Image, registry: Registry, client: Client) -> None:
    first, second = registry.add("app:1", image), registry.add("app:2", replace(image, command=("other",)))
    assert first != second
    assert client.manifest("library/app", "1")[1]["layers"] == client.manifest("library/app", "2")[1]["layers"]


@pytest.mark.parametrize(
    "path", ["/v2/library/app/manifests/2", f"/v2/library/app/blobs/sha256:{'0' * 64}", "/", "/v2/.."]
)
def test_what_it_has_not_is_not_found(image: Image, registry: Registry, client: Client, path: str) -> None:
    registry.add("app:1", image)
    assert client.ask(path)[0] == 404


def test_it_says_what_it_is(client: Client) -> None:
    assert client.ask("/v2/")[0] == 200
