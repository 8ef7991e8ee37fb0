"""The forms that a fact may have: each a type of text or number, with the sentence for what is not of that form.

A field is annotated with its form, `domain: Domain`, and given as plain text; `check_forms` looks at every field of a
frozen dataclass when it is made.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from synth.names import SUBDOMAIN
from synth.quantity import quantity

SCP_ADDRESS = re.compile(r"(\w+@[\w.-]+):(?!/)(.+)")


@dataclass(frozen=True)
class Form:
    """What a value must look like: `problem` gives what is wrong with one as the end of a sentence, or nothing."""

    problem: Callable[[Any], str | None]


def _matches(pattern: str, sentence: str) -> Form:
    return Form(lambda value: None if isinstance(value, str) and re.fullmatch(pattern, value) else sentence)


def _ssh_address(value: object) -> str | None:
    if scp := SCP_ADDRESS.fullmatch(str(value)):
        return f"is not an address that Flux knows: write it as ssh://{scp[1]}/{scp[2]}"
    right = re.fullmatch(r"ssh://[^/\s]+/\S+", str(value))
    return None if right else "is no SSH address: ssh://git@HOST/PATH.git is one"


def _ip_address(value: object) -> str | None:
    try:
        ip_address(str(value))
    except ValueError:
        return "is no IP address: 169.254.20.10 is one"
    return None


def _proxy_network(value: object) -> str | None:
    try:
        network = ip_network(str(value), strict=False)
    except ValueError:
        return "is no network: 10.20.0.0/16 is one, 192.0.2.10/32 a single address"
    if network.prefixlen == 0:
        return "is everybody: name the networks of the proxies alone"
    return None if str(network) == value else f"is not how a network is written: write {network}"


def _percentage(value: object) -> str | None:
    is_one = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100  # noqa: PLR2004
    return None if is_one else "is no percentage: 0 to 100 is one"


def _storage_size(value: object) -> str | None:
    try:
        size = quantity(value)
    except ValueError:
        size = quantity("0")
    return None if size >= 1 and size == int(size) else "is no number of bytes: 5Gi is one"


Name = Annotated[str, _matches(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", "is no name: write lower case letters, digits and -")]
Domain = Annotated[
    str, _matches(SUBDOMAIN.pattern, "is no domain: wiki.example.com is one, without a scheme or a port")
]
SshAddress = Annotated[str, Form(_ssh_address)]
Branch = Annotated[str, _matches(r"\w[\w./-]*", "is no branch: write its name, as in main")]
Registry = Annotated[
    str, _matches(rf"{SUBDOMAIN.pattern}(:\d+)?", "is no host of a registry: registry.example.com is one")
]
Folder = Annotated[str, _matches(r"deploy(/[a-z0-9-]+)?", "is no tree: it is deploy, or a folder just below it")]
StorageClass = Annotated[str, _matches(SUBDOMAIN.pattern, "is no storage class: leave it out for the default one")]
StorageSize = Annotated[str, Form(_storage_size)]
RegistryPath = Annotated[
    str,
    _matches(
        # A host with a dot or a port, as an image's name has it: without one it would be an account of Docker Hub.
        rf"(?=[^/]*[.:]){SUBDOMAIN.pattern}(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*",
        "is no place in a registry: docker.io/istio is one, and registry.example.com/mirror/istio",
    ),
]
ProxyNetwork = Annotated[str, Form(_proxy_network)]
IpAddress = Annotated[str, Form(_ip_address)]
Percentage = Annotated[float, Form(_percentage)]
AcmeDirectory = Annotated[
    str, _matches(r"https://[^/\s]+/\S+", "is no directory of an ACME server: https://HOST/directory is one")
]
EmailAddress = Annotated[str, _matches(r"[^@\s]+@[^@\s]+\.[^@\s]+", "is no address: platform@example.com is one")]


def check_forms(instance: Any, of: str) -> None:
    """Compare every field of a dataclass with its form; `of` begins the sentence, as in `staging: domain 'x' is ...`.

    Raises:
        ValueError: a field is not of its form.
    """
    forms = _forms(type(instance))  # type: ignore[arg-type]
    for field in fields(instance):
        value = getattr(instance, field.name)
        for form in forms[field.name] if value is not None else ():
            for item in value if isinstance(value, tuple) else (value,):
                if problem := form.problem(item):
                    raise ValueError(f"{of}{field.name} {item!r} {problem}")


@cache
def _forms(kind: Any) -> dict[str, tuple[Form, ...]]:
    return {name: tuple(_within(hint)) for name, hint in get_type_hints(kind, include_extras=True).items()}


def _within(hint: Any) -> Iterator[Form]:
    """The forms that a type names, also behind `| None` and inside a tuple."""
    if get_origin(hint) is Annotated:
        yield from (item for item in hint.__metadata__ if isinstance(item, Form))
    else:
        for argument in get_args(hint):
            yield from _within(argument)
