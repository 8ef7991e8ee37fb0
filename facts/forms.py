"""The forms that a fact may have: each a type of text or number, with the sentence for what is not of that form."""

import re
from ipaddress import ip_address, ip_network
from typing import Annotated

from synth.forms import Form, matches, within
from synth.names import KEY, LABEL_VALUE, SUBDOMAIN

SCP_ADDRESS = re.compile(r"(\w+@[\w.-]+):(?!/)(.+)")


def _ssh_address(value: object) -> str | None:
    if scp := SCP_ADDRESS.fullmatch(str(value)):
        return f"is not an address that Flux knows: write it as ssh://{scp[1]}/{scp[2]}"
    right = re.fullmatch(r"ssh://[^/\s]+/\S+", str(value))
    return None if right else "is no SSH address: ssh://git@HOST/PATH.git is one"


def _ip_address(value: object) -> str | None:
    try:
        address = ip_address(str(value))
    except ValueError:
        return "is no IP address: 169.254.20.10 is one"
    return (
        "is on the Internet, where nobody knows the cluster's names: 169.254.20.10 is a node's own cache"
        if address.is_global
        else None
    )


def _proxy_network(value: object) -> str | None:
    try:
        network = ip_network(str(value), strict=False)
    except ValueError:
        return "is no network: 10.20.0.0/16 is one, 192.0.2.10/32 a single address"
    if network.prefixlen == 0:
        return "is everybody: name the networks of the proxies alone"
    return None if str(network) == value else f"is not how a network is written: write {network}"


def _age_recipient(value: str) -> str | None:
    """A public key as `age-keygen` prints it: https://github.com/C2SP/C2SP/blob/main/age.md."""
    if value.startswith("AGE-SECRET-KEY-"):
        return "is a private key, which decrypts: write the public one, and take another pair if this was committed"
    return None if re.fullmatch(r"age1[02-9ac-hj-np-z]{58}", value) else "is no public key of age: it begins with age1"


def _branch(value: str) -> str | None:
    """As git takes it: https://git-scm.com/docs/git-check-ref-format."""
    if value.startswith(("refs/", "origin/")):
        return "says where the branch is kept as well: write its name alone, as in main"
    parts = value.split("/")
    right = (
        re.fullmatch(r"[^\x00-\x20\x7f~^:?*\[\\]+", value)
        and not re.search(r"\.\.|@\{", value)
        and all(part and not part.startswith(".") and not part.endswith((".", ".lock")) for part in parts)
        and not value.startswith("-")
        and value not in ("@", "HEAD")
    )
    return None if right else "is no branch: write its name, as in main or release/1.x"


def _percentage(value: float) -> str | None:
    return None if 0 <= value <= 100 else "is no percentage: 0 to 100 is one"  # noqa: PLR2004


Name = Annotated[str, matches(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", "is no name: write lower case letters, digits and -")]
Domain = Annotated[str, matches(SUBDOMAIN.pattern, "is no domain: wiki.example.com is one, without a scheme or a port")]
SshAddress = Annotated[str, Form(_ssh_address)]
Context = Annotated[str, matches(r"[^\s/]\S*", "is no name of a context: write the cluster's name in your kubeconfig")]
Branch = Annotated[str, Form(_branch)]
Registry = Annotated[
    str, matches(rf"{SUBDOMAIN.pattern}(:\d+)?", "is no host of a registry: registry.example.com is one")
]
Folder = Annotated[str, matches(r"deploy(/[a-z0-9-]+)?", "is no tree: it is deploy, or a folder just below it")]
Minor = Annotated[str, matches(r"1\.\d+", "is no minor version of Kubernetes: 1.35 is one")]
StorageClass = Annotated[str, matches(SUBDOMAIN.pattern, "is no storage class: leave it out for the default one")]
RegistryPath = Annotated[
    str,
    matches(
        # A host with a dot or a port, as an image's name has it: without one it would be an account of Docker Hub.
        rf"(?=[^/]*[.:]){SUBDOMAIN.pattern}(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*",
        "is no place in a registry: docker.io/istio is one, and registry.example.com/mirror/istio",
    ),
]
ProxyNetwork = Annotated[str, Form(_proxy_network)]
IpAddress = Annotated[str, Form(_ip_address)]
NodeLabel = Annotated[
    str,
    matches(rf"{KEY.pattern}={LABEL_VALUE.pattern}", "is no label of nodes: write its key and value, as in disk=fast"),
]
Percentage = Annotated[float, Form(_percentage)]
Line = Annotated[int, within(range(1000), "is no first number of a tag: 0 to 999 are")]
Hours = Annotated[int, within(range(24 * 31), "is no number of hours to wait: 0 to 743 are")]
AcmeDirectory = Annotated[
    str, matches(r"https://[^/\s]+/\S+", "is no directory of an ACME server: https://HOST/directory is one")
]
AgeRecipient = Annotated[str, Form(_age_recipient)]
EmailAddress = Annotated[str, matches(r"[^@\s]+@[^@\s]+\.[^@\s]+", "is no address: platform@example.com is one")]
