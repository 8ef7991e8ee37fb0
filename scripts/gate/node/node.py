"""A control plane and a node, run by process 1 of namespaces of its own (`enclosure.run`).

etcd, the API server, the controller manager, the scheduler, containerd, kubelet and kube-proxy: real ones. A single
machine without a network needs nothing else; addresses and classes are those of k3s.
"""

import csv
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import trustme

from scripts.gate.node.enclosure import CGROUP, FOLDER, PLUGINS
from synth import ToolError
from synth.manifest import Document

NAME = "node"
ADDRESS, LOAD_BALANCER = IPv4Address("172.31.255.2"), IPv4Address("172.31.255.10")
"""The node's own address, and the one that a cloud would give to a Service of type LoadBalancer."""
PODS, SERVICES = IPv4Network("10.42.0.0/16"), IPv4Network("10.43.0.0/16")
API, DNS = SERVICES[1], SERVICES[10]
"""The addresses of the Services kubernetes and kube-dns."""
API_PORT, REGISTRY_PORT = 6443, 5000
PAUSE = "cluster.test/pause:1"
"""The image of what holds a pod's namespaces."""

GIT_USER = "git"
GIT_ID = 65530

START_SECONDS = 240
"""How long a part may take until it answers, on a machine with much else to do; some seconds on another."""

# Who asks the API server, and as what: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
USERS = {
    "administrator": ("administrator", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kube-proxy": ("system:kube-proxy", ""),
    "kubelet": (f"system:node:{NAME}", "system:nodes"),
}


@dataclass
class Node:
    """A running node. `kubernetes` is the program that has all of Kubernetes' own in it; `logs` a folder of its own."""

    kubernetes: Path
    logs: Path
    folder: Path = FOLDER
    say: Callable[[str], None] = print
    _parts: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @contextmanager
    def running(self) -> Iterator["Node"]:
        """Start it, and end it.

        Raises:
            ToolError: a part does not start.
        """
        self._mount()
        self._connect()
        try:
            self._control_plane()
            self._node()
            yield self
        finally:
            self._end()

    def kubectl(self, *arguments: str, stdin: Iterable[Document] | None = None) -> str:
        """Run kubectl as the cluster's administrator; what it says.

        Raises:
            ToolError: it ends with another exit code than 0; in its own words.
        """
        command = [str(self.kubernetes), "kubectl", f"--kubeconfig={self.kubeconfig}", *arguments]
        content = None if stdin is None else json.dumps({"apiVersion": "v1", "kind": "List", "items": list(stdin)})
        done = subprocess.run(command, input=content, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ToolError(f"kubectl {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "administrator.json"

    def get(self, *arguments: str) -> Document:
        """What `kubectl get` has, as an object."""
        found: Document = json.loads(self.kubectl("get", *arguments, "--output=json"))
        return found

    def well(self, namespace: str) -> bool:
        """Whether every Deployment of a namespace is available, and every DaemonSet has its pod."""
        found = self.get("deployments,daemonsets", "--namespace", namespace)["items"]
        return bool(found) and all(
            _is_true(item, "Available")
            if item["kind"] == "Deployment"
            else item["status"].get("numberAvailable", 0) > 0
            for item in found
        )

    def apply(self, documents: Iterable[Document]) -> None:
        if wanted := list(documents):
            self.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", stdin=wanted)

    def start(self, name: str, *command: str | Path, environment: Mapping[str, str] | None = None) -> None:
        """Run a part of the cluster until the node ends; what it says is kept in a log of its name."""
        with (self.logs / f"{name}.log").open("wb") as log:
            self._parts[name] = subprocess.Popen(
                list(map(str, command)),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(os.environ) | dict(environment or {}),
                # Ctrl-C is for us: we end it when we are done.
                start_new_session=True,
            )

    def wait(self, what: str, reached: Callable[[], bool], seconds: float = START_SECONDS) -> float:
        """Wait until something is so; how long that took.

        Raises:
            ToolError: a part ended, or it is not so in time; with the first cause that can be found.
        """
        start = time.monotonic()
        while True:
            for name, part in self._parts.items():
                if part.poll() is not None:
                    raise ToolError(self._ended(name, part.returncode))
            with suppress(ToolError):
                if reached():
                    break
            if time.monotonic() - start > seconds:
                causes = "".join(f"\n  {cause}" for cause in self._causes()) or "; nothing says why"
                raise ToolError(f"not reached after {seconds:.0f} s: {what}{causes}\n  logs: {self.logs}")
            time.sleep(0.2)
        took = time.monotonic() - start
        self.say(f"{what}: {took:.1f} s")
        return took

    def _ended(self, name: str, code: int) -> str:
        log = self.logs / f"{name}.log"
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        return f"{name} ended with exit code {code}: {lines[-1] if lines else 'it said nothing'} ({log})"

    def _causes(self) -> Iterator[str]:
        """Why something is not as it should be: what Flux, then what the pods, then what events say."""
        with suppress(ToolError):
            yield from causes(self.get("pods", "--all-namespaces")["items"])
        with suppress(ToolError):
            yield from unready(self.get("kustomizations.kustomize.toolkit.fluxcd.io", "--all-namespaces")["items"])
        with suppress(ToolError):
            events = self.get("events", "--all-namespaces", "--field-selector=type=Warning")["items"]
            about = ((item["involvedObject"], item) for item in events[-5:])
            yield from dict.fromkeys(
                f"{what['kind']} {what['name']}: {item['reason']}: {item['message']}" for what, item in about
            )

    def _mount(self) -> None:
        """Put what a node writes, and the machine's list of users, in place of the machine's own."""
        for below in ("lib", "certs.d/_default", "cni", "plugins"):
            (self.folder / below).mkdir(parents=True)
        others = [
            line for line in Path("/etc/passwd").read_text("utf-8").splitlines() if not line.startswith(f"{GIT_USER}:")
        ]
        # A star is a password that nobody has; with a key this user gets in.
        git = f"{GIT_USER}:*:{GIT_ID}:{GIT_ID}::/nonexistent:/bin/sh"
        (self.folder / "passwd").write_text("".join(f"{line}\n" for line in [*others, git]), "utf-8")
        (self.folder / "resolv.conf").write_text("nameserver 127.0.0.1\n", "utf-8")
        _command("mount", "--bind", self.folder / "passwd", "/etc/passwd")
        _command("mount", "-t", "tmpfs", "tmpfs", "/run")
        Path("/run/sshd").mkdir()
        _command("mount", "--bind", self.folder / "lib", "/var/lib")
        _command("mount", "--bind", self.logs, "/var/log")
        # What a kubelet mounts must reach the pods.
        _command("mount", "--make-rshared", "/")

    def _connect(self) -> None:
        """Give the node an address, and a way to all others that leads nowhere: programs look for one."""
        for command in (
            "link set lo up",
            # A pair, for some kernels have no dummy device.
            f"link add {NAME} type veth peer name {NAME}-peer",
            f"link set {NAME}-peer up",
            f"address add {ADDRESS}/24 dev {NAME}",
            f"address add {LOAD_BALANCER}/32 dev {NAME}",
            f"link set {NAME} up",
            f"route add default dev {NAME}",
        ):
            _command("ip", *command.split())
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1", "utf-8")
        with suppress(OSError):
            Path("/proc/sys/net/bridge/bridge-nf-call-iptables").write_text("1", "utf-8")
        socket.sethostname(NAME)

    def _control_plane(self) -> None:
        self._users()
        key = self.folder / "service-account.key"
        _command("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", key)
        client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
        self._kubernetes(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
            *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
            *(f"--initial-cluster=default={peer}", "--unsafe-no-fsync", "--log-level=warn"),
        )
        issuer = "https://kubernetes.default.svc.cluster.local"
        self._kubernetes(
            "kube-apiserver",
            f"--etcd-servers={client}",
            f"--advertise-address={ADDRESS}",
            f"--secure-port={API_PORT}",
            f"--cert-dir={self.certificate.parent}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=Node,RBAC",
            "--anonymous-auth=false",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged",
            f"--service-account-issuer={issuer}",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--service-cluster-ip-range={SERVICES}",
            "--kubelet-preferred-address-types=InternalIP",
            *self._front(),
        )
        self.wait("API server answers", lambda: self.kubectl("get", "--raw=/readyz") == "ok")
        self._kubernetes(
            "kube-controller-manager",
            f"--kubeconfig={self.folder / 'kube-controller-manager.json'}",
            "--use-service-account-credentials",
            f"--service-account-private-key-file={key}",
            f"--root-ca-file={self.certificate}",
            "--allocate-node-cidrs",
            f"--cluster-cidr={PODS}",
            f"--service-cluster-ip-range={SERVICES}",
            *("--leader-elect=false", "--bind-address=127.0.0.1"),
        )
        self._kubernetes(
            "kube-scheduler",
            f"--kubeconfig={self.folder / 'kube-scheduler.json'}",
            *("--leader-elect=false", "--bind-address=127.0.0.1"),
        )

    def _front(self) -> Iterator[str]:
        """How the API server is known to those whom it asks for others: as in kubeadm's clusters.

        https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/
        """
        authority, name = trustme.CA(), "front-proxy-client"
        client = authority.issue_cert(name, common_name=name)
        certificate, key, root = (self.folder / f"front.{kind}" for kind in ("pem", "key", "root"))
        client.cert_chain_pems[0].write_to_path(str(certificate))
        client.private_key_pem.write_to_path(str(key))
        authority.cert_pem.write_to_path(str(root))
        yield from (f"--requestheader-client-ca-file={root}", f"--requestheader-allowed-names={name}")
        yield from (f"--proxy-client-cert-file={certificate}", f"--proxy-client-key-file={key}")
        headers = {"extra-headers-prefix": "Extra-", "group-headers": "Group", "username-headers": "User"}
        yield from (f"--requestheader-{kind}=X-Remote-{header}" for kind, header in headers.items())

    def enforce_policies(self, program: Path, addresses: Iterable[str]) -> None:
        """Let kube-router enforce NetworkPolicies from now on, as k3s does with the same code.

        It is done when there are rules for each of these addresses of pods.

        Raises:
            ToolError: it does not.
        """
        self.start(
            "kube-router",
            program,
            f"--kubeconfig={self.kubeconfig}",
            f"--hostname-override={NAME}",
            f"--service-cluster-ip-range={SERVICES}",
            *("--run-firewall", "--run-router=false", "--run-service-proxy=false", "--enable-ipv6=false"),
            "--health-port=0",
        )
        wanted = {f"-d {address}/32" for address in addresses}

        def there() -> bool:
            rules = [line for line in _command("iptables-save").splitlines() if "-j KUBE-POD-FW-" in line]
            return all(any(address in rule for rule in rules) for address in wanted)

        self.wait("policies are enforced", there)

    @property
    def certificate(self) -> Path:
        """The API server's certificate, which it makes itself; it is what its clients trust."""
        return self.folder / "certificates" / "apiserver.crt"

    def _users(self) -> None:
        with (self.folder / "tokens.csv").open("w", newline="") as file:
            for name, (user, group) in USERS.items():
                token = secrets.token_hex(32)
                csv.writer(file).writerow([token, user, user, group])
                self._write_kubeconfig(name, token)

    def _write_kubeconfig(self, name: str, token: str) -> None:
        server = {"server": f"https://{ADDRESS}:{API_PORT}", "certificate-authority": str(self.certificate)}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": NAME, "cluster": server}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": name}}],
            "current-context": NAME,
        }
        (self.folder / f"{name}.json").write_text(json.dumps(content), "utf-8")

    def _node(self) -> None:
        runtime = self._containerd()
        config = self._written(
            "kubelet-configuration.json",
            {
                "apiVersion": "kubelet.config.k8s.io/v1beta1",
                "kind": "KubeletConfiguration",
                "failCgroupV1": False,
                "cgroupDriver": "cgroupfs",
                "cgroupRoot": f"/{CGROUP}",
                "containerRuntimeEndpoint": runtime,
                "clusterDNS": [str(DNS)],
                "clusterDomain": "cluster.local",
                "resolvConf": str(self.folder / "resolv.conf"),
                "volumePluginDir": str(self.folder / "volume-plugins"),
                # Only who is in the namespaces gets here, and the API server asks for logs.
                "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
                "authorization": {"mode": "AlwaysAllow"},
                # The machine's disk may be as full as it is.
                "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
                "imageGCHighThresholdPercent": 100,
                "failSwapOn": False,
            },
        )
        self._kubernetes(
            "kubelet",
            f"--config={config}",
            f"--kubeconfig={self.folder / 'kubelet.json'}",
            f"--hostname-override={NAME}",
            f"--node-ip={ADDRESS}",
            f"--node-labels=topology.kubernetes.io/zone={NAME}",
        )
        self._kubernetes(
            "kube-proxy",
            f"--kubeconfig={self.folder / 'kube-proxy.json'}",
            "--proxy-mode=iptables",
            f"--cluster-cidr={PODS}",
            f"--hostname-override={NAME}",
            f"--bind-address={ADDRESS}",
            # Those are the machine's.
            *("--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0"),
            "--conntrack-tcp-timeout-close-wait=0",
        )
        self.wait("node is ready", lambda: _is_true(self.get("node", NAME), "Ready"))

    def _containerd(self) -> str:
        """Start containerd; its address. Every image comes from our own registry, whatever registry it names."""
        registry = f"http://127.0.0.1:{REGISTRY_PORT}"
        hosts = f'server = "{registry}"\n[host."{registry}"]\n  capabilities = ["pull", "resolve"]\n'
        (self.folder / "certs.d" / "_default" / "hosts.toml").write_text(hosts, "utf-8")
        for folder in PLUGINS:
            if folder.is_dir():
                shutil.copytree(folder, self.folder / "plugins", dirs_exist_ok=True)
        network = {
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": "cni0",
                    "isGateway": True,
                    "hairpinMode": True,
                    "ipMasq": True,
                    "ipam": {
                        "type": "host-local",
                        "dataDir": str(self.folder / "addresses"),
                        "ranges": [[{"subnet": str(next(PODS.subnets(new_prefix=24)))}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }
        self._written("cni/10-pods.conflist", network)
        configuration = f"""version = 2
root = "{self.folder}/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{self.folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  disable_apparmor = true
  # As k3s has it: an app may have a port below 1024.
  enable_unprivileged_ports = true
  # Without CAP_SYS_RESOURCE nobody may lower it.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{self.folder}/certs.d"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{self.folder}/plugins"
    conf_dir = "{self.folder}/cni"
"""
        (self.folder / "containerd.toml").write_text(configuration, "utf-8")
        self.start("containerd", "containerd", "--config", self.folder / "containerd.toml")
        self.wait("containerd answers", Path("/run/containerd.sock").exists)
        return "unix:///run/containerd.sock"

    def _kubernetes(self, name: str, *arguments: str) -> None:
        self.start(name, self.kubernetes, name, *arguments)

    def _written(self, name: str, content: Mapping[str, Any]) -> Path:
        file = self.folder / name
        file.write_text(json.dumps(content), "utf-8")
        return file

    def _end(self) -> None:
        """Let the parts end; the pods' processes end with the namespaces."""
        for part in reversed(self._parts.values()):
            part.send_signal(signal.SIGKILL)
        with ExitStack() as all_of_them:
            for part in self._parts.values():
                all_of_them.enter_context(part)


def causes(pods: Iterable[Document]) -> Iterator[str]:
    """Why pods are not ready: what a container waits for or ended with, or that no node takes it."""
    for pod in pods:
        title = f"pod {pod['metadata']['namespace']}/{pod['metadata']['name']}"
        status = pod.get("status", {})
        for condition in status.get("conditions", ()):
            if condition["type"] == "PodScheduled" and condition["status"] != "True":
                yield f"{title}: {condition.get('message', 'no node takes it')}"
        for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
            for state in ("waiting", "terminated"):
                if (found := container.get("state", {}).get(state)) and found.get("reason") not in (
                    "Completed",
                    "PodInitializing",
                ):
                    words = ": ".join(filter(None, (found.get("reason"), found.get("message"))))
                    yield f"{title}: container {container['name']} is {state}: {words}"


def unready(kustomizations: Iterable[Document]) -> Iterator[str]:
    """What Flux says of Kustomizations that are not ready."""
    for item in kustomizations:
        for condition in item.get("status", {}).get("conditions", ()):
            if condition["type"] == "Ready" and condition["status"] != "True":
                yield f"Kustomization {item['metadata']['name']}: {condition['message']}"


def _is_true(document: Document, condition: str) -> bool:
    conditions = document.get("status", {}).get("conditions", ())
    return any(item["type"] == condition and item["status"] == "True" for item in conditions)


def _command(*command: str | Path) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ToolError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout
