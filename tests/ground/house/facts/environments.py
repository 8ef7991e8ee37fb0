"""The clusters of the house that the corpora change; what an environment is stands in the project's own module."""

from facts.what_an_environment_is import (
    EXAMPLE,
    K3D,
    Acme,
    Environment,
    Tags,
    Tier,
)

__all__ = ["ENVIRONMENTS", "EXAMPLE", "K3D", "LOCAL", "PRODUCTION", "STAGING", "Acme", "Environment", "Tags", "Tier"]

DOMAIN = "graphwiki.example.com"
GIT_URL = "ssh://git@git.example.com/graphwiki/platform.git"
REGISTRY = "registry.example.com"
ACME_EMAIL = "platform@example.com"
STORAGE_CLASS = "storage.example.com"
CLUSTERS_KEY = "age1pcsy38p8s6x80c5rp2w9dqjmwv683jl8p4slk44hz6h7d72hs5nqjm9952"
KEY_IN_THE_SAFE = "age1rvrzz22nvwzyew204pg937vn85m9ysk7kewewx7c6kz3xjprw45qq4cl3p"

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
LETS_ENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"

LOCAL = Environment(
    name="local",
    path="deploy",
    context="k3d-graphwiki",
    domain="localhost",
    git_url=GIT_URL,
    git_branch="main",
    tier=Tier.SMALL,
    trace_sampling=100,
    rancher=True,
)

STAGING = Environment(
    name="staging",
    path="deploy/staging",
    context="graphwiki-staging",
    domain=f"staging.{DOMAIN}",
    git_url=GIT_URL,
    git_branch="main",
    tier=Tier.MEDIUM,
    registry=REGISTRY,
    tls=Acme(LETS_ENCRYPT_STAGING, ACME_EMAIL),
    trace_sampling=100,
    prometheus=True,
    age_recipients=(CLUSTERS_KEY, KEY_IN_THE_SAFE),
)

PRODUCTION = Environment(
    name="production",
    path="deploy/production",
    context="graphwiki-production",
    domain=DOMAIN,
    git_url=GIT_URL,
    git_branch="main",
    tags=Tags(line=1, soak_hours=24),
    tier=Tier.FULL,
    registry=REGISTRY,
    digests=True,
    tls=Acme(LETS_ENCRYPT, ACME_EMAIL),
    storage_class=STORAGE_CLASS,
    trace_sampling=1,
    prometheus=True,
    age_recipients=(KEY_IN_THE_SAFE, CLUSTERS_KEY),
)

ENVIRONMENTS = (LOCAL, STAGING, PRODUCTION)
