"""Images made of programs on this machine, and the registry that a node pulls them from.

https://github.com/opencontainers/image-spec and https://github.com/opencontainers/distribution-spec
"""

import json
import platform
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copyfileobj
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
MANIFESTS = re.compile(r"/v2/(?P<repository>.+)/manifests/(?P<name>[^/]+)")
BLOBS = re.compile(r"/v2/.+/blobs/(?P<digest>sha256:[0-9a-f]{64})")
PATH = "/usr/local/bin:/usr/bin:/bin"
DEFAULT_HOST = "docker.io"
"""The registry of an image that names none, whose images of one word are below library/."""


@dataclass(frozen=True)
class Image:
    """Files of this machine as an image: `files` and `links` by their place in it, and an empty /tmp.

    It runs `command` in `folder`. `user` is the uid where the pod says none.
    """

    files: Mapping[str, Path]
    command: tuple[str, ...]
    links: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    user: int = 65534
    folder: str = "/"

    def layer(self, target: Path) -> None:
        """Write the only layer: always the same bytes for the same files."""
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
            places = (*self.files, *self.links)
            folders = dict.fromkeys(str(parent) for place in places for parent in reversed(Path(place).parents))
            for folder in folders:
                if folder not in ("/", "/tmp"):  # noqa: S108, a folder in the image
                    archive.addfile(_entry(folder, tarfile.DIRTYPE, 0o755))
            archive.addfile(_entry("/tmp", tarfile.DIRTYPE, 0o1777))  # noqa: S108
            for place, file in self.files.items():
                entry = _entry(place, tarfile.REGTYPE, 0o755)
                entry.size = file.stat().st_size
                with file.open("rb") as content:
                    archive.addfile(entry, content)
            for place, target_place in self.links.items():
                link = _entry(place, tarfile.SYMTYPE, 0o777)
                link.linkname = target_place
                archive.addfile(link)

    def config(self, layer: str) -> dict[str, Any]:
        """What is run how; `layer` is the digest of the layer."""
        return {
            "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {
                "User": str(self.user),
                "Env": [
                    *(f"{key}={value}" for key, value in ({"PATH": PATH} | dict(self.environment)).items()),
                ],
                "Entrypoint": list(self.command),
                "WorkingDir": self.folder,
            },
            "rootfs": {"type": "layers", "diff_ids": [layer]},
        }


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name.lstrip("/"))
    entry.type, entry.mode = kind, mode
    return entry


def full(reference: str) -> tuple[str, str, str]:
    """Host, repository and tag or digest of an image, as whoever pulls it reads its reference.

    https://github.com/distribution/reference
    """
    name, _, digest = reference.partition("@")
    first, slash, rest = name.partition("/")
    host, path = (
        (first, rest) if slash and ("." in first or ":" in first or first == "localhost") else (DEFAULT_HOST, name)
    )
    repository, _, tag = path.partition(":")
    if host == DEFAULT_HOST and "/" not in repository:
        repository = f"library/{repository}"
    return host, repository, digest or tag or "latest"


class Registry:
    """A registry of images, for all hosts that are led to it; it can be read alone.

    `folder` is where it keeps its layers.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._blobs: dict[str, bytes | Path] = {}
        self._manifests: dict[tuple[str, str], str] = {}
        self._layers: dict[str, str] = {}

    def add(self, reference: str, image: Image) -> str:
        """Have an image under a reference, `nginx:1.29` or `ghcr.io/fluxcd/source-controller:v1.9.4`; its digest."""
        layer = self._layer(image)
        config = json.dumps(image.config(layer)).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._described(CONFIG, self._kept(config), len(config)),
            "layers": [self._described(LAYER, layer, (self._folder / layer).stat().st_size)],
        }
        _, repository, name = full(reference)
        digest = self._kept(json.dumps(manifest).encode())
        self._manifests[repository, name] = digest
        return digest

    def _layer(self, image: Image) -> str:
        key = repr((image.files, image.links))
        if key not in self._layers:
            beside = self._folder / ".layer"
            image.layer(beside)
            with beside.open("rb") as content:
                digest = f"sha256:{file_digest(content, 'sha256').hexdigest()}"
            self._blobs[digest] = beside.replace(self._folder / digest)
            self._layers[key] = digest
        return self._layers[key]

    def _kept(self, content: bytes) -> str:
        digest = f"sha256:{sha256(content).hexdigest()}"
        self._blobs[digest] = content
        return digest

    @staticmethod
    def _described(kind: str, digest: str, size: int) -> dict[str, Any]:
        return {"mediaType": kind, "digest": digest, "size": size}

    def answer(self, path: str) -> tuple[str, str, bytes | Path] | None:
        """Media type, digest and content of what is at a path; None where there is nothing."""
        if found := MANIFESTS.fullmatch(path):
            digest = self._manifests.get((found["repository"], found["name"]), found["name"])
            kind = MANIFEST
        elif found := BLOBS.fullmatch(path):
            digest, kind = found["digest"], "application/octet-stream"
        else:
            return None
        return (kind, digest, self._blobs[digest]) if digest in self._blobs else None

    @contextmanager
    def serving(self, address: str, port: int = 0) -> Iterator[int]:
        """Answer at an address, as long as this lasts; the port."""
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = registry.answer(urlsplit(self.path).path)
                if answer is None:
                    self.send_error(200 if self.path.rstrip("/") == "/v2" else 404)
                    return
                kind, digest, content = answer
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Docker-Content-Digest", digest)
                size = content.stat().st_size if isinstance(content, Path) else len(content)
                self.send_header("Content-Length", str(size))
                self.end_headers()
                if self.command == "HEAD":
                    return
                if isinstance(content, Path):
                    with content.open("rb") as file:
                        copyfileobj(file, self.wfile, 1 << 20)
                else:
                    self.wfile.write(content)

            do_HEAD = do_GET  # noqa: N815, http.server's own name

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer((address, port), Handler) as server:
            Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            try:
                yield server.server_port
            finally:
                server.shutdown()
