"""What must not be in Git: passwords, tokens and keys, which everyone with the repository could read.

A sentence says where a secret is, and never what it is: it ends up in logs.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import PurePosixPath

from synth.manifest import Document
from synth.pods import containers

NAMES = re.compile(
    r".*(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|(SECRET|PRIVATE|API|ACCESS|ENCRYPTION|SIGNING|MASTER)_?KEY)"
)
# A switch, or a value that Kubernetes takes from another variable, is not a secret, whatever its name.
HARMLESS = re.compile(r"|true|false|yes|no|on|off|\$\([-._A-Za-z0-9]+\)", re.IGNORECASE)

# What files of configuration call a secret, in snake_case, kebab-case or camelCase. A name of a Secret is none.
SETTINGS = re.compile(
    r"(?m)^[ \t{,]*[\"']?([\w.-]*?(?:password|passwd|passphrase|client[._-]?secret"
    r"|(?:access|api|auth|bearer)[._-]?token"
    r"|(?:secret|private|api|access|encryption|signing|master)[._-]?key))[\"']?[ \t]*[=:][ \t]*"
    # With a digit, as words may be a translation, and nothing that somebody fills in.
    r"[\"']?(?=[^\s\"']*\d)(?!/|\d+[\"',;]?$)[^\s\"'${}<>%()\[\]]{4,}[\"']?[,;]?[ \t]*$",
    re.IGNORECASE,
)
CONFIGURATION = (".cfg", ".cnf", ".conf", ".env", ".ini", ".json", ".properties", ".toml", ".yaml", ".yml")
HEADER = re.compile(r"request\.headers\[([^\]]+)\]")
OF_WHO_CALLS = re.compile(r"AUTHORIZATION|PROXY_AUTHORIZATION|COOKIE")
"""Headers of a request that say who it is from."""

VALUES = {
    "a private key": re.compile(r"-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----"),
    "a private key of age": re.compile(r"\bAGE-SECRET-KEY-1[0-9A-Z]{20}", re.IGNORECASE),
    "a password in an address": re.compile(r"\w://[^\s/:@]*:(?!\$\()[^\s/@]+@"),
    "an access key of AWS": re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a token of GitHub": re.compile(r"\b(gh[opsru]_[A-Za-z0-9]{36}|github_pat_\w{22,})"),
    "a token of GitLab": re.compile(r"\bglpat-[\w-]{20}"),
    "a token of Slack": re.compile(r"\bxox[abprs]-[\w-]{10,}"),
    "a key of Stripe": re.compile(r"\b[rs]k_(live|test)_[0-9A-Za-z]{16,}"),
    "a key of SendGrid": re.compile(r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    "a token of npm": re.compile(r"\bnpm_[0-9A-Za-z]{36}"),
    "a token of PyPI": re.compile(r"\bpypi-[\w-]{32,}"),
    "a token of Docker Hub": re.compile(r"\bdckr_pat_[\w-]{20,}"),
    "a token of Hugging Face": re.compile(r"\bhf_[0-9A-Za-z]{30,}"),
    "a token of Vault": re.compile(r"\bhv[sbr]\.[\w-]{20,}"),
    "a key of Anthropic or OpenAI": re.compile(r"\bsk-(ant|proj|svcacct)-[\w-]{20,}"),
    "a signed token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
}
PUBLIC = re.compile(r".*(PUBLIC|PUBLISHABLE|SITE_?KEY|CLIENT_?ID|DIGEST|SHA\d+|VERSION|COMMIT)")
"""What the name of a variable says of a value that only looks like a key."""
ALPHABET = re.compile(r"(?!/)[-\w+/=]{20,}", re.ASCII)
CLASSES = ("[a-z]", "[A-Z]", "[0-9]")
LEAST_OF_EACH, LEAST_TURNS = 3, 0.45
"""Of small letters, capitals and digits each, and how often one of these follows another: in random text 0.6."""

FROM_A_SECRET = "take it from a Secret of the cluster, with valueFrom.secretKeyRef"  # noqa: S105, no secret

IN_GIT = "name it in the app with EncryptedSecret (docs/recipes.md)"
BY_HAND = "make it in the cluster with `kubectl create secret`, and name it in the app with Secret (docs/operations.md)"


def check_secrets(document: Document) -> Iterator[str]:
    """Where secrets stand in one object, each as the end of a sentence that names the object."""
    if document["kind"] == "Secret" and "sops" in document:
        yield f"is encrypted with SOPS by a chart, which knows its values then: {IN_GIT}"
    elif document["kind"] == "Secret" and (document.get("data") or document.get("stringData")):
        yield f"has its values in Git, for everyone to read: {IN_GIT}, or {BY_HAND}"
    if document["kind"] == "ConfigMap":
        for key, text in (document.get("data") or {}).items():
            for what in _kinds_of_secret(str(text)):
                yield f"has {what} in data[{key}], for everyone to read: keep it in a Secret of the cluster"
            for setting in _settings(str(key), str(text)):
                yield (
                    f"has a secret in data[{key}], at {setting}, for everyone to read: keep the file, or that line of "
                    "it, in a Secret of the cluster"
                )
    if document["kind"] == "VirtualService":
        yield from _check_headers(document)
    if document["kind"] == "AuthorizationPolicy":
        yield from _check_conditions(document)
    for container in containers(document):
        yield from _check_container(container)


def _settings(name: str, text: str) -> list[str]:
    """What a file of configuration calls the secrets that it has."""
    if PurePosixPath(f"x{name}").suffix not in CONFIGURATION:
        return []
    return list(dict.fromkeys(match[1] for match in SETTINGS.finditer(text)))


def _check_headers(document: Document) -> Iterator[str]:
    for route in document["spec"].get("http") or []:
        for part in (route, *(route.get("route") or [])):
            request = (part.get("headers") or {}).get("request") or {}
            for name, value in {**(request.get("add") or {}), **(request.get("set") or {})}.items():
                plain = re.sub("[-.]", "_", str(name).upper())
                is_one = OF_WHO_CALLS.fullmatch(plain) or NAMES.fullmatch(plain)
                # What stands between two % the proxy fills in.
                if is_one and "%" not in str(value) and not HARMLESS.fullmatch(str(value)):
                    yield (
                        f"has a secret in the request header {name} that a route sets, for everyone to read: have the "
                        "app take it from a Secret of the cluster"
                    )


def _check_conditions(document: Document) -> Iterator[str]:
    for rule in (document.get("spec") or {}).get("rules") or []:
        for condition in rule.get("when") or []:
            header = HEADER.fullmatch(str(condition.get("key", "")))
            name = re.sub("[-.]", "_", header[1].upper()) if header else ""
            values = [str(value) for value in condition.get("values") or []]
            if (OF_WHO_CALLS.fullmatch(name) or NAMES.fullmatch(name)) and any("*" not in value for value in values):
                yield (
                    f"knows who calls by a secret in the request header {header and header[1]}, for everyone to read: "
                    "have the app compare it with a Secret of the cluster"
                )


def _check_container(container: Document) -> Iterator[str]:
    for variable in container.get("env", []):
        name, value = str(variable["name"]), str(variable.get("value", ""))
        found = _kinds_of_secret(value)
        if not found and NAMES.fullmatch(re.sub("[-.]", "_", name.upper())) and not HARMLESS.fullmatch(value):
            found = ["a secret"]
        if not found and _is_random(value) and not PUBLIC.fullmatch(name.upper()):
            yield (
                f"has container {container['name']} with what looks like a key in the environment variable {name}, for "
                f"everyone to read: {FROM_A_SECRET}, or let its name say that it is PUBLIC"
            )
        for what in found:
            yield (
                f"has container {container['name']} with {what} in the environment variable {name}, for everyone to "
                f"read: {FROM_A_SECRET}"
            )
    for what in _kinds_of_secret(" ".join(map(str, [*container.get("command", []), *container.get("args", [])]))):
        yield f"has container {container['name']} with {what} in its command, for everyone to read: {FROM_A_SECRET}"


def _is_random(text: str) -> bool:
    """Whether a text looks made by a machine: capitals, small letters and digits all through each other."""
    if not ALPHABET.fullmatch(text) or any(len(re.findall(each, text)) < LEAST_OF_EACH for each in CLASSES):
        return False
    kinds = [next((each for each in CLASSES if re.match(each, letter)), "") for letter in text]
    return sum(one != other for one, other in pairwise(kinds)) >= LEAST_TURNS * (len(text) - 1)


def _kinds_of_secret(text: str) -> list[str]:
    return [what for what, pattern in VALUES.items() if pattern.search(text)]
