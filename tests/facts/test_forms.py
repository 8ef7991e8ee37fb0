"""The forms of facts: what is of one, and the sentence for what is not."""

from typing import Any

import pytest

from facts import forms
from synth.forms import Form


def refused(form: Any, value: object) -> str | None:
    """The end of the sentence about a value, or nothing where it is of the form."""
    (found,) = (item for item in form.__metadata__ if isinstance(item, Form))
    problem: str | None = found.problem(value)
    return problem


NO_BRANCHES = [
    "main..x",
    "a b",
    "a//b",
    "a/",
    "/a",
    ".a",
    "a/.b",
    "a.lock",
    "a.",
    "a~1",
    "a^",
    "a:b",
    "a?",
    "a*",
    "@",
    "HEAD",
]


@pytest.mark.parametrize(
    ("form", "right"),
    [
        (forms.Name, ["staging", "eu-1"]),
        (forms.Domain, ["localhost", "wiki.example.com"]),
        (forms.SshAddress, ["ssh://git@github.com/a/b.git", "ssh://git@git.example.com:2222/b.git"]),
        (forms.Branch, ["main", "release/1.x", "origin", "a@b", "feat/#12"]),
        (forms.Context, ["k3d-a", "arn:aws:eks:eu:1:cluster/a"]),
        (forms.Registry, ["ghcr.io", "registry.example.com:5000"]),
        (forms.RegistryPath, ["docker.io/istio", "registry.example.com:5000/mirror/istio"]),
        (forms.Folder, ["deploy", "deploy/staging"]),
        (forms.Minor, ["1.9", "1.35"]),
        (forms.StorageClass, ["fast", "fast.example.com"]),
        (forms.IpAddress, ["169.254.20.10", "fd00::10"]),
        (forms.ProxyNetwork, ["10.20.0.0/16", "192.0.2.10/32", "fd00::/64"]),
        (forms.Percentage, [0, 0.5, 100]),
        (forms.AcmeDirectory, ["https://acme.example.com/directory"]),
        (forms.EmailAddress, ["platform@example.com"]),
    ],
)
def test_what_is_of_a_form_is_taken(form: Any, right: list[object]) -> None:
    assert [value for value in right if refused(form, value)] == []


@pytest.mark.parametrize(
    ("form", "value", "sentence"),
    [
        (forms.Name, "Staging", "is no name: write lower case letters"),
        (forms.Domain, "https://wiki", "is no domain: wiki.example.com is one, without a scheme"),
        (forms.Domain, "wiki:8080", "is no domain"),
        (forms.SshAddress, "git@github.com:a/b.git", "write it as ssh://git@github.com/a/b.git"),
        (forms.SshAddress, "https://github.com/a/b", "is no SSH address: ssh://git@HOST/PATH.git is one"),
        (forms.Context, "", "is no name of a context"),
        (forms.Branch, "", "is no branch: write its name, as in main"),
        (forms.Branch, "-x", "is no branch"),
        *[(forms.Branch, name, "is no branch: write its name") for name in NO_BRANCHES],
        (forms.Branch, "refs/heads/main", "says where the branch is kept as well: write its name alone"),
        (forms.Branch, "origin/main", "says where the branch is kept as well"),
        (forms.Registry, "https://r.example.com", "is no host of a registry: registry.example.com is one"),
        (forms.RegistryPath, "istio", "is no place in a registry: docker.io/istio is one"),
        (forms.Folder, "charts", "is no tree: it is deploy, or a folder just below it"),
        (forms.Folder, "deploy/eu/staging", "is no tree"),
        (forms.Minor, "1.35.5", "is no minor version of Kubernetes: 1.35 is one"),
        (forms.StorageClass, "Fast SSD", "is no storage class: leave it out for the default"),
        (forms.IpAddress, "node-cache", "is no IP address: 169.254.20.10 is one"),
        (forms.ProxyNetwork, "0.0.0.0/0", "is everybody: name the networks of the proxies alone"),
        (forms.ProxyNetwork, "10.20.0.1/16", "is not how a network is written: write 10.20.0.0/16"),
        (forms.ProxyNetwork, "proxies", "is no network: 10.20.0.0/16 is one"),
        (forms.Percentage, 101, "is no percentage: 0 to 100 is one"),
        (forms.Percentage, float("nan"), "is no percentage"),
        (forms.AcmeDirectory, "http://acme.example.com/directory", "is no directory of an ACME server"),
        (forms.AcmeDirectory, "https://acme.example.com", "is no directory of an ACME server"),
        (forms.EmailAddress, "platform", "is no address: platform@example.com is one"),
    ],
)
def test_what_is_not_is_told_what_would_be(form: Any, value: object, sentence: str) -> None:
    assert sentence in (refused(form, value) or "")
