"""Environments made for tests, so that a rule is tested whatever the real ones are."""

from dataclasses import replace

from facts.environments import Acme, Environment, Tier

PLAIN = Environment(
    name="plain",
    path="deploy",
    context="k3d-plain",
    domain="plain.test",
    git_url="ssh://git@git.plain.test/platform.git",
    git_branch="main",
    tier=Tier.SMALL,
    trace_sampling=100,
)

MANAGED = Environment(
    name="managed",
    path="deploy/managed",
    context="managed",
    domain="managed.test",
    git_url="ssh://git@git.managed.test/platform.git",
    git_branch="main",
    tier=Tier.FULL,
    trace_sampling=1,
    registry="registry.test",
    digests=True,
    tls=Acme("https://acme.test/directory", "platform@managed.test"),
    storage_class="fast",
    shared_storage_class="shared",
    prometheus=True,
    gateway_ports=(5432,),
)

EXAMPLE = replace(
    MANAGED,
    domain="wiki.example.com",
    git_url="ssh://git@git.example.com/platform.git",
    registry="registry.example.com",
    tls=Acme("https://acme.test/directory", "platform@example.com"),
    storage_class="storage.example.com",
)
"""The managed one with every value that is a person's own still to be set."""
