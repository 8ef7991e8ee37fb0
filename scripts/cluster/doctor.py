"""Is this machine ready? Tools, Docker, ports, names, and values that are still to be set."""

import os
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import date

import click

from facts.environments import LOCAL, Environment
from facts.images import UNKNOWN_DIGEST, images, unknown_digests
from facts.versions import kubernetes_minor, pinned
from scripts import options
from scripts.cluster.deployed import deployed, hosts
from scripts.cluster.findings import Finding
from scripts.cluster.host import INFO, host
from scripts.cluster.local import PORTS, k3d_cluster, terraform
from scripts.cluster.support import support
from scripts.programs import Programs, wanted
from synth import ToolError

HOSTS_FILE = "/etc/hosts"


VERSION_ARGUMENTS = {
    "tofu": ["version"],
    "k3d": ["version"],
    "kubectl": ["version", "--client"],
    "docker": ["version", "--format", "{{.Server.Version}}"],
    "flux": ["--version"],
}
BUILDX = ["docker", "buildx", "version"]


@click.command()
@options.environment
@click.option("--support", "only_support", is_flag=True, help="Look only at which versions are still supported.")
@options.dry_run
def doctor(environment: Environment, only_support: bool, dry_run: bool) -> None:
    """Look at tools, Docker's machine, ports, names, versions and unset values; say for each what to do.

    Changes nothing. For another environment than local it looks at the tools that reach its cluster, at the versions
    and at its values. Exit code 3 when the local cluster cannot be made, when a tool for the other is missing, or when
    the support of a version has ended; what ends within 60 days is named, for later.

    Example: ./gw doctor --env production
    """
    here = [] if only_support else _commands(environment)
    if dry_run:
        for command in here:
            click.echo(f"$ {shlex.join(command)}", err=True)
        return
    findings = [*support(today())] if only_support else [*_findings(environment)]
    for finding in findings:
        click.echo(f"{finding.mark:8}{finding.subject}: {finding.state}")
        if finding.advice:
            click.echo(f"        {finding.advice}")
    missing = [finding.subject for finding in findings if finding.advice and not finding.later]
    if missing:
        raise ToolError(f"not ready: {', '.join(missing)}; what to do is said above")


def today() -> date:
    """The day, as this machine has it."""
    return date.today()


def _commands(environment: Environment) -> list[list[str]]:
    """What it runs to look at the tools."""
    if environment is not LOCAL:
        return [_version_command("kubectl"), _version_command("flux")]
    return [*map(_version_command, VERSION_ARGUMENTS), BUILDX, INFO]


def _findings(environment: Environment) -> Iterator[Finding]:
    if environment is LOCAL:
        yield from _tools()
        yield from host()
        yield from _ports()
        yield from _names()
    else:
        yield _kubectl()
        yield _tool("flux", pinned("flux"))
    yield from support(today())
    yield from _values(environment)


def _tools() -> Iterator[Finding]:
    yield _tool("tofu", "1.6")
    yield _tool("k3d", pinned("k3d"))
    yield _kubectl()
    yield _docker()
    yield _tool("flux", pinned("flux"), later=True)


def _tool(name: str, least: str, *, later: bool = False) -> Finding:
    version = _version(_version_command(name))
    if version is None:
        return Finding(name, "not found", f"install {wanted(name)}", later)
    if _numbers(version) < _numbers(least):
        return Finding(name, version, f"too old, install {wanted(name)}", later)
    return Finding(name, version)


def _kubectl() -> Finding:
    version = _version(_version_command("kubectl"))
    if version is None:
        return Finding("kubectl", "not found", f"install {wanted('kubectl')}")
    # One minor version on either side of the server's: https://kubernetes.io/releases/version-skew-policy/#kubectl
    if abs(_numbers(version)[1] - _numbers(kubernetes_minor())[1]) > 1:
        return Finding("kubectl", version, f"too far from the cluster's version, install {wanted('kubectl')}")
    return Finding("kubectl", version)


def _docker() -> Finding:
    if shutil.which("docker") is None:
        return Finding("docker", "not found", f"install {wanted('docker')}")
    version = _version(_version_command("docker"))
    if version is None:
        return Finding("docker", "does not answer", "start Docker, and see that `docker info` works for you")
    if _version(BUILDX) is None:
        return Finding("docker", "without buildx", "install Docker's buildx plugin, which builds the image")
    return Finding("docker", version)


def _version_command(name: str) -> list[str]:
    """How to ask a tool for its version; Terraform where it takes OpenTofu's place."""
    return [terraform()[0] if name == "tofu" else name, *VERSION_ARGUMENTS[name]]


def _version(command: list[str]) -> str | None:
    """The first version number that a command prints; None where it is missing or fails."""
    click.echo(f"$ {shlex.join(command)}", err=True)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"\d+\.\d+(?:\.\d+)?", done.stdout)
    return match[0] if match and done.returncode == 0 else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def _ports() -> Iterator[Finding]:
    ours = Programs().answers("k3d", "cluster", "list", k3d_cluster())
    for variable, default in PORTS.items():
        given = os.environ.get(f"TF_VAR_{variable}", "")
        port = int(given) if given.isdecimal() else default
        if not _listens(port):
            yield Finding(f"port {port}", "free")
        elif ours:
            yield Finding(f"port {port}", f"taken, by the cluster {k3d_cluster()}")
        else:
            yield Finding(f"port {port}", "taken", f"stop what listens there, or set TF_VAR_{variable} to another port")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _names() -> Iterator[Finding]:
    known = hosts(LOCAL)
    missing = [host for host in known if not _is_here(host)]
    if missing:
        yield Finding(
            "names",
            f"{', '.join(missing)} do not lead to this machine",
            f"add to {HOSTS_FILE}: 127.0.0.1 {' '.join(missing)}",
            later=True,
        )
    else:
        yield Finding("names", f"{', '.join(known)} lead to this machine")


def _is_here(host: str) -> bool:
    try:
        addresses = {str(address[4][0]) for address in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return bool(addresses) and all(address == "::1" or address.startswith("127.") for address in addresses)


def unset_values(environment: Environment) -> list[Finding]:
    """What a person must still set before a roll-out to an environment."""
    examples = [
        Finding(
            name,
            f"still the example {value}",
            f"set it in facts/environments.py before {environment.name} is rolled out",
            later=True,
        )
        for name, value in environment.examples.items()
    ]
    digests = [
        Finding(
            f"digest of {app}",
            "not known yet",
            f"`./gw release {app} TAG@DIGEST --env {environment.name}` sets it in images.yaml",
            later=True,
        )
        for app in unknown_digests(environment)
    ]
    elsewhere = [
        Finding(f"digest of {app}", "not known yet", f"its module in charts/ names the image of {app}", later=True)
        for app in _rendered_without_digest(environment)
        if app not in images()[environment.name]
    ]
    return [*examples, *digests, *elsewhere]


def _rendered_without_digest(environment: Environment) -> list[str]:
    """The apps in deploy/ of which an image has the digest that no image has."""
    return [
        app.name
        for app in deployed(environment).apps
        if any(UNKNOWN_DIGEST in container.image for item in app.workloads for container in item.containers)
    ]


def _values(environment: Environment) -> Iterator[Finding]:
    unset = unset_values(environment)
    yield from unset or [Finding("values", f"all of {environment.name} are set")]
    if environment is not LOCAL:
        return
    source = os.environ.get("GRAPHWIKI_SRC")
    if source:
        yield Finding("GRAPHWIKI_SRC", source)
    else:
        yield Finding(
            "GRAPHWIKI_SRC", "not set", "set it to a checkout of GraphWiki, or give --context each time", later=True
        )
