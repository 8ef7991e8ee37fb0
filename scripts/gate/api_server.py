"""A Kubernetes API server of one's own: no node, no root, on loopback, gone with the process that started it."""

import csv
import fcntl
import json
import os
import re
import secrets
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from threading import Lock
from typing import IO, Any, cast
from urllib.parse import quote, urlencode

from synth import ToolError
from synth.manifest import Document

PREFIX = "graphwiki-api-server-"
"""What the folders of all servers begin with."""

START_SECONDS = 180
"""How long a machine with much else to do may take; with nothing else it is some five seconds."""

SETTLED_SECONDS = 30
"""How long the server may take over what it does behind an answer: serve a new kind, count a quota."""

MANAGER = "kustomize-controller"
"""The field manager that Flux applies as."""

ADMINISTRATOR = "system:masters"
APPLY, MERGE, JSON = "application/apply-patch+yaml", "application/merge-patch+json", "application/json"
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')

API_SERVER = (
    # The packages that read the sockets want them relative to where the process runs, which is the folder.
    "--etcd-servers=unix://etcd.socket:1",
    # `reset` reads what was there before, however long ago that is.
    "--etcd-compaction-interval=0",
    "--bind-address=127.0.0.1",
    "--advertise-address=127.0.0.1",
    "--endpoint-reconciler-type=none",
    "--permit-port-sharing",
    "--cert-dir=certificates",
    "--token-auth-file=tokens.csv",
    "--authorization-mode=RBAC",
    "--anonymous-auth=false",
    "--allow-privileged",
    "--enable-admission-plugins=NodeRestriction",
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    "--service-account-key-file=service-account.key",
    "--service-account-signing-key-file=service-account.key",
    "--service-cluster-ip-range=10.43.0.0/16",
    "--profiling=false",
)
CONTROLLERS = (
    "--kubeconfig=kubeconfig",
    # What pods need to be let in: an account in each namespace, and quotas that are counted.
    "--controllers=serviceaccount-controller,resourcequota-controller",
    "--leader-elect=false",
    "--secure-port=0",
)


GARBAGE = {"GOGC": "off", "GOMEMLIMIT": "1GiB"}
"""It lives for seconds: collecting what it leaves would be a sixth of its work."""


@dataclass(frozen=True)
class Answer:
    """What the server said: `code` and `body` of the response, and the warnings that came with it."""

    code: int
    body: Document
    warnings: tuple[str, ...] = ()

    @property
    def refusal(self) -> str:
        """Why the server did not do it, in its own words; empty where it did."""
        said = str(self.body.get("message") or f"HTTP status {self.code}")
        return "" if self.code < 300 else " ".join(said.split())  # noqa: PLR2004


@dataclass(frozen=True)
class Resource:
    """Where the server has the objects of a kind: the path of its API, the plural, and whether it has namespaces."""

    api: str
    plural: str
    namespaced: bool

    def path(self, namespace: str, name: str = "") -> str:
        parts = [self.api]
        if self.namespaced:
            parts += ["namespaces", quote(namespace or "default", safe="")]
        parts += [self.plural, *([quote(name, safe="")] if name else [])]
        return "/".join(parts)


@dataclass
class ApiServer:
    """A client of a running server, as its administrator. Threads may share it: they are served one after another."""

    port: int
    _token: str
    _certificate: Path
    _orders: IO[str]
    _answers: IO[str]
    _resources: dict[tuple[str, str], Resource] = field(default_factory=dict)
    _connection: HTTPSConnection | None = None
    _lock: Lock = field(default_factory=Lock)

    def apply(self, document: Document, *, dry_run: bool = False, user: str = "") -> Answer:
        """Apply an object on the server, as Flux does; an unknown field is refused.

        `user` is on whose behalf. A definition of a custom kind is served when this returns.
        """
        resource = self._resource_of(document)
        if resource is None:
            return _unknown(document)
        metadata = document["metadata"]
        path = resource.path(metadata.get("namespace", ""), metadata["name"])
        query = {"fieldManager": MANAGER, "force": "true", **_checks(dry_run=dry_run)}
        answer = self._request("PATCH", path, query, document, user=user)
        if document["kind"] == "CustomResourceDefinition" and not answer.refusal and not dry_run:
            return self._served(path, answer)
        return answer

    def create(self, document: Document, *, dry_run: bool = False, user: str = "") -> Answer:
        """Make an object; an unknown field is refused. `user` is on whose behalf."""
        resource = self._resource_of(document)
        if resource is None:
            return _unknown(document)
        path = resource.path(document["metadata"].get("namespace", ""))
        return self._request("POST", path, _checks(dry_run=dry_run), document, user=user)

    def read(self, document: Document) -> Answer:
        """The object of this identity, as the server has it."""
        resource = self._resource_of(document)
        if resource is None:
            return _unknown(document)
        metadata = document["metadata"]
        return self._request("GET", resource.path(metadata.get("namespace", ""), metadata["name"]))

    def bind(self, claim: Document) -> None:
        """Say of a claim that it has its volume: before, nothing of it may change."""
        metadata = claim["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/persistentvolumeclaims/{metadata['name']}/status"
        requests = claim["spec"].get("resources", {}).get("requests", {})
        self._request("PATCH", path, document={"status": {"phase": "Bound", "capacity": requests}})

    def quotas_are_counted(self) -> None:
        """Wait until every quota has been counted: before, the server lets no pod in.

        Raises:
            ToolError: the controller does not count.
        """
        deadline = time.monotonic() + SETTLED_SECONDS
        while time.monotonic() < deadline:
            quotas = self._request("GET", "/api/v1/resourcequotas").body["items"]
            if all(quota.get("status", {}).get("hard") == quota["spec"].get("hard") for quota in quotas):
                return
            time.sleep(0.05)
        raise ToolError(f"the quota controller has not counted every quota after {SETTLED_SECONDS} s")

    def mark(self) -> None:
        """Remember what is in the cluster."""
        self._order({"mark": True})

    def reset(self) -> None:
        """Bring back what was in the cluster at the mark; definitions of custom kinds stay as they are."""
        self._order({"reset": True})
        # The server's own caches follow its store; they are a few milliseconds behind.
        time.sleep(0.2)

    def _order(self, order: Document) -> None:
        with self._lock:
            self._say(order)
            if not self._answers.readline():
                raise ToolError("the API server has ended")

    def _run(self, name: str, *arguments: str) -> None:
        self._say({"run": name, "arguments": arguments})

    def _say(self, order: Document) -> None:
        # What has ended reads nothing; why it has is found out by who waits for it.
        with suppress(BrokenPipeError):
            print(json.dumps(order), file=self._orders, flush=True)

    def _resource_of(self, document: Document) -> Resource | None:
        key = document["apiVersion"], document["kind"]
        if key not in self._resources:
            self._discover()
        return self._resources.get(key)

    def _discover(self) -> None:
        """Ask for every kind that is served: https://kubernetes.io/docs/concepts/overview/kubernetes-api/."""
        for root in ("/api", "/apis"):
            for group in self._request("GET", root, accept=DISCOVERY).body["items"]:
                name = group["metadata"].get("name", "")
                for version in group["versions"]:
                    api_version = "/".join(filter(None, (name, version["version"])))
                    for found in version.get("resources", ()):
                        self._resources[api_version, found["responseKind"]["kind"]] = Resource(
                            f"{root}/{api_version}", found["resource"], found["scope"] == "Namespaced"
                        )

    def _served(self, path: str, answer: Answer) -> Answer:
        """Wait until a definition that was applied is established; what keeps it from that is a refusal."""
        deadline = time.monotonic() + SETTLED_SECONDS
        current = answer.body
        while True:
            conditions = {item["type"]: item for item in current.get("status", {}).get("conditions") or ()}
            if conditions.get("Established", {}).get("status") == "True":
                break
            refused = conditions.get("NamesAccepted", {})
            if refused.get("status") == "False" or time.monotonic() > deadline:
                return Answer(409, {"message": refused.get("message") or "it is not established"}, answer.warnings)
            time.sleep(0.02)
            current = self._request("GET", path).body
        spec = current["spec"]
        for version in spec["versions"]:
            api = f"{spec['group']}/{version['name']}"
            resource = Resource(f"/apis/{api}", spec["names"]["plural"], spec["scope"] == "Namespaced")
            self._resources[api, spec["names"]["kind"]] = resource
            # Established is what the definition says; its handler follows.
            while version["served"] and self._request("GET", f"{resource.api}/{resource.plural}").code == 404:  # noqa: PLR2004
                if time.monotonic() > deadline:
                    return Answer(404, {"message": f"{api} is not served"}, answer.warnings)
                time.sleep(0.02)
        return answer

    def _request(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        document: Document | None = None,
        *,
        user: str = "",
        accept: str = "application/json",
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": accept}
        if document is not None:
            # JSON is YAML too, and read faster.
            headers["Content-Type"] = {"PUT": JSON, "POST": JSON, "PATCH": APPLY if query else MERGE}[method]
        if user:
            headers["Impersonate-User"] = user
        address = f"{path}?{urlencode(query)}" if query else path
        body = None if document is None else json.dumps(document, default=str).encode()
        with self._lock:
            try:
                return self._send(method, address, body, headers)
            except (HTTPException, OSError) as error:
                self._close()
                raise ToolError(f"the API server does not answer: {error}") from error

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, method: str, address: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        if self._connection is None:
            trust = ssl.create_default_context(cafile=str(self._certificate))
            self._connection = HTTPSConnection("127.0.0.1", self.port, timeout=SETTLED_SECONDS, context=trust)
        self._connection.request(method, address, body, headers)
        response = self._connection.getresponse()
        text = response.read().decode()
        warnings = (found for line in response.headers.get_all("Warning", ()) for found in WARNING.findall(line))
        try:
            answered: Any = json.loads(text)
        except json.JSONDecodeError:
            answered = {"message": text.strip()}
        return Answer(response.status, answered, tuple(re.sub(r"\\(.)", r"\1", found) for found in warnings))


def _checks(*, dry_run: bool) -> dict[str, str]:
    return {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})


def _unknown(document: Document) -> Answer:
    return Answer(404, {"message": f"no matches for kind {document['kind']!r} in version {document['apiVersion']!r}"})


@contextmanager
def running(program: Path) -> Iterator[ApiServer]:
    """Start a control plane and be its client; it ends with this, or with this process, however that ends.

    `program` is the control plane of a version of Kubernetes, as `kubernetes.program` has it.

    Raises:
        ToolError: it does not start.
    """
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    # The lock is the program's as well: while one of the two lives the folder is not left behind.
    with (folder / "lock").open("w") as lock, _reserved_port() as port:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield from _running(program, folder, port, lock.fileno())
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _running(program: Path, folder: Path, port: int, lock: int) -> Iterator[ApiServer]:
    token = secrets.token_hex(32)
    with (folder / "tokens.csv").open("w", newline="") as file:
        csv.writer(file).writerow([token, "administrator", "administrator", ADMINISTRATOR])
    certificate = folder / "certificates" / "apiserver.crt"
    _write_kubeconfig(folder / "kubeconfig", port, token, certificate)
    log = folder / "log"
    with (
        log.open("w") as said,
        subprocess.Popen(
            [program],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            env=os.environ | GARBAGE,
            pass_fds=(lock,),
            # Ctrl-C is for us: we end it when we are done.
            start_new_session=True,
        ) as process,
    ):
        orders, answers = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
        server = ApiServer(port, token, certificate, orders, answers)
        try:
            server._run("kube-apiserver", *API_SERVER, f"--secure-port={port}")
            _wait(server, process, log)
            server._run("kube-controller-manager", *CONTROLLERS)
            yield server
        finally:
            server._close()
            with suppress(OSError):
                orders.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(server: ApiServer, process: "subprocess.Popen[str]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(ToolError, OSError):
            if server._request("GET", "/readyz").code == 200:  # noqa: PLR2004
                return
        time.sleep(0.1)
    said = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    raise ToolError(f"the API server did not start: {said[-1] if said else 'it said nothing'}")


def _write_kubeconfig(file: Path, port: int, token: str, certificate: Path) -> None:
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(certificate)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "judge", "cluster": cluster}],
        "users": [{"name": "administrator", "user": {"token": token}}],
        "contexts": [{"name": "judge", "context": {"cluster": "judge", "user": "administrator"}}],
        "current-context": "judge",
    }
    file.write_text(json.dumps(content), "utf-8")


@contextmanager
def _reserved_port() -> Iterator[int]:
    """A free port of loopback that no other program is given while this lasts; the server shares it."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def _sweep() -> None:
    """Remove folders of servers that were killed together with who started them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError), (folder / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
