"""What must not be in Git: passwords, tokens and keys, which everyone with the repository could read.

A sentence says where a secret is, and never what it is: it ends up in logs.
"""

import re
from collections.abc import Iterator

from synth.manifest import Document
from synth.pods import containers

NAMES = re.compile(
    r".*(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|(SECRET|PRIVATE|API|ACCESS|ENCRYPTION|SIGNING|MASTER)_?KEY)"
)
# A switch, or a value that Kubernetes takes from another variable, is not a secret, whatever its name.
HARMLESS = re.compile(r"|true|false|yes|no|on|off|\$\([-._A-Za-z0-9]+\)", re.IGNORECASE)

VALUES = {
    "a private key": re.compile(r"-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----"),
    "a password in an address": re.compile(r"\w://[^\s/:@]*:(?!\$\()[^\s/@]+@"),
    "an access key of AWS": re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a token of GitHub": re.compile(r"\b(gh[opsru]_[A-Za-z0-9]{36}|github_pat_\w{22,})"),
    "a token of GitLab": re.compile(r"\bglpat-[\w-]{20}"),
    "a token of Slack": re.compile(r"\bxox[abprs]-[\w-]{10,}"),
}

FROM_A_SECRET = "take it from a Secret of the cluster, with valueFrom.secretKeyRef"  # noqa: S105, no secret

BY_HAND = "make it in the cluster with `kubectl create secret`, and name it in the app with Secret (docs/operations.md)"


def check_secrets(document: Document) -> Iterator[str]:
    """Where secrets stand in one object, each as the end of a sentence that names the object."""
    if document["kind"] == "Secret" and "sops" in document:
        yield f"is encrypted with SOPS, and Flux has no key here to decrypt it with: {BY_HAND}"
    elif document["kind"] == "Secret" and (document.get("data") or document.get("stringData")):
        yield f"has its values in Git, for everyone to read: {BY_HAND}"
    if document["kind"] == "ConfigMap":
        for key, text in (document.get("data") or {}).items():
            for what in _kinds_of_secret(str(text)):
                yield f"has {what} in data[{key}], for everyone to read: keep it in a Secret of the cluster"
    for container in containers(document):
        yield from _check_container(container)


def _check_container(container: Document) -> Iterator[str]:
    for variable in container.get("env", []):
        name, value = str(variable["name"]), str(variable.get("value", ""))
        found = _kinds_of_secret(value)
        if not found and NAMES.fullmatch(re.sub("[-.]", "_", name.upper())) and not HARMLESS.fullmatch(value):
            found = ["a secret"]
        for what in found:
            yield (
                f"has container {container['name']} with {what} in the environment variable {name}, for everyone to "
                f"read: {FROM_A_SECRET}"
            )
    for what in _kinds_of_secret(" ".join(map(str, [*container.get("command", []), *container.get("args", [])]))):
        yield f"has container {container['name']} with {what} in its command, for everyone to read: {FROM_A_SECRET}"


def _kinds_of_secret(text: str) -> list[str]:
    return [what for what, pattern in VALUES.items() if pattern.search(text)]
