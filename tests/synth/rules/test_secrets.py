"""Rules for secrets: what is one is told without being said, and what only sounds like one is left alone."""

from typing import Any

import pytest

from synth.manifest import Document
from synth.rules.secrets import check_secrets
from tests.synth.objects import environment, find

READ = "for everyone to read: take it from a Secret of the cluster, with valueFrom.secretKeyRef"
# Put together here, so that no scanner of this repository takes them for real ones.
PRIVATE_KEY = f"-----BEGIN RSA {'PRIVATE'} KEY-----\nMIIE"
AWS = f"{'AKIA'}IOSFODNN7EXAMPLE"
GITHUB = f"{'ghp'}_{'a1' * 18}"
GITLAB = f"{'glpat'}-{'a' * 20}"
SLACK = f"{'xoxb'}-1234567890-abc"


def with_variable(**variable: Any) -> Document:
    deployment = find(environment(), "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["env"] = [variable]
    return deployment


@pytest.mark.parametrize(
    "name",
    [
        "PASSWORD",
        "DB_PASSWORD",
        "PGPASSWORD",
        "db.password",
        "Smtp-Passwd",
        "SECRET",
        "SECRET_KEY",
        "API_KEY",
        "APIKEY",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "CREDENTIALS",
        "ENCRYPTION_KEY",
    ],
)
def test_a_value_under_a_secrets_name_is_told_and_not_said(name: str) -> None:
    assert list(check_secrets(with_variable(name=name, value="hunter2"))) == [
        f"has container wiki with a secret in the environment variable {name}, {READ}"
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PASSWORD_FILE", "/run/secrets/password"),
        ("SECRET_NAME", "wiki"),
        ("TOKEN_TTL", "3600"),
        ("TOKENIZERS_PARALLELISM", "4"),
        ("PARTITION_KEY", "page"),
        ("PUBLIC_KEY", "ssh-ed25519 AAAA"),
        ("AWS_ACCESS_KEY_ID_FILE", "/run/id"),
        ("REQUIRE_PASSWORD", "true"),
        ("ALLOW_EMPTY_PASSWORD", "No"),
        ("DB_PASSWORD", ""),
        ("DB_PASSWORD", "$(OTHER)"),
        ("DATABASE", "postgres://db.example.com:5432/wiki"),
        ("DATABASE", "postgres://wiki@db.example.com/wiki"),
        ("DATABASE", "postgres://wiki:$(PASSWORD)@db.example.com/wiki"),
        ("TIME", "12:30@noon"),
    ],
)
def test_what_only_sounds_like_a_secret_is_left_alone(name: str, value: str) -> None:
    assert list(check_secrets(with_variable(name=name, value=value))) == []


def test_a_variable_from_a_secret_is_the_way() -> None:
    source = {"secretKeyRef": {"name": "keys", "key": "password"}}
    assert list(check_secrets(with_variable(name="PASSWORD", valueFrom=source))) == []


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (PRIVATE_KEY, "a private key"),
        ("postgres://wiki:hunter2@db.example.com/wiki", "a password in an address"),
        ("redis://:hunter2@cache", "a password in an address"),
        (AWS, "an access key of AWS"),
        (f"token {GITHUB}", "a token of GitHub"),
        (GITLAB, "a token of GitLab"),
        (SLACK, "a token of Slack"),
    ],
)
def test_what_looks_like_a_secret_is_one_under_any_name(value: str, what: str) -> None:
    assert list(check_secrets(with_variable(name="SETTING", value=value))) == [
        f"has container wiki with {what} in the environment variable SETTING, {READ}"
    ]
    config = {"kind": "ConfigMap", "data": {"setting": value}}
    assert list(check_secrets(config)) == [
        f"has {what} in data[setting], for everyone to read: keep it in a Secret of the cluster"
    ]
    deployment = find(environment(), "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["args"] = ["--setting", value]
    assert list(check_secrets(deployment)) == [f"has container wiki with {what} in its command, {READ}"]


def test_a_secret_has_no_values_in_git() -> None:
    secret = {"kind": "Secret", "data": {"password": "aHVudGVyMg=="}}
    refused = [
        "has its values in Git, for everyone to read: name it in the app with EncryptedSecret (docs/recipes.md), or "
        "make it in the cluster with `kubectl create secret`, and name it in the app with Secret (docs/operations.md)"
    ]
    assert list(check_secrets(secret)) == refused
    assert list(check_secrets({"kind": "Secret", "stringData": {"password": "hunter2"}})) == refused
    assert list(check_secrets({"kind": "Secret", "type": "kubernetes.io/service-account-token"})) == []


@pytest.mark.parametrize("values", [{"data": {"password": "ENC[AES256_GCM,data:Zm9v]"}}, {}])
def test_an_encrypted_secret_is_no_charts_to_write(values: Document) -> None:
    encrypted = {"kind": "Secret", **values, "sops": {"version": "3.9"}}
    (said,) = check_secrets(encrypted)
    assert said == (
        "is encrypted with SOPS by a chart, which knows its values then: name it in the app with EncryptedSecret "
        "(docs/recipes.md)"
    )


def configured(name: str, text: str) -> list[str]:
    document: Document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "wiki"}, "data": {name: text}}
    return list(check_secrets(document))


@pytest.mark.parametrize(
    ("name", "text", "setting"),
    [
        ("wiki.ini", "[smtp]\nuser = wiki\npassword = hunter2\n", "password"),
        ("wiki.yaml", "smtp:\n  smtpPassword: 'hunter2'\n", "smtpPassword"),
        ("wiki.json", '{"a": 1,\n "api_key": "a1b2c3d4",\n "b": 2}', "api_key"),
        ("wiki.toml", 'client-secret = "a1b2c3d4"', "client-secret"),
        (".env", "DB_PASSWORD=hunter2", "DB_PASSWORD"),
        ("app.properties", "auth.token=a1b2c3d4", "auth.token"),
    ],
)
def test_a_secret_in_a_file_of_configuration_is_told_and_not_said(name: str, text: str, setting: str) -> None:
    assert configured(name, text) == [
        f"has a secret in data[{name}], at {setting}, for everyone to read: keep the file, or that line of it, in a "
        "Secret of the cluster"
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("wiki.ini", "password_file = /run/secrets/password1\npassword = /run/secrets/password1\n"),
        ("wiki.ini", "password = ${PASSWORD1}\npassword =\nsecret_key = %(key1)s\n"),
        ("wiki.ini", "# password = hunter2\nmax_access_token = 4096\n"),
        ("wiki.yaml", "password: {minimum: 8}\nsecretName: wiki-1\ntoken_ttl: 1h\n"),
        ("de.json", '{"password": "Passwort", "new-password": "Dein neues Passwort 2"}'),
        ("wiki.yaml", "password: '{{ env.PASSWORD1 }}'\n"),
        ("start.sh", "PASSWORD=hunter2\n"),
    ],
)
def test_what_is_no_secret_in_a_file_of_configuration_is_left_alone(name: str, text: str) -> None:
    assert configured(name, text) == []


def routed(where: str, action: str, name: str, value: str) -> list[str]:
    headers = {"headers": {"request": {action: {name: value}}}}
    http = headers if where == "route" else {"route": [headers]}
    return list(check_secrets({"kind": "VirtualService", "metadata": {"name": "wiki"}, "spec": {"http": [http]}}))


@pytest.mark.parametrize("where", ["route", "destination"])
@pytest.mark.parametrize("action", ["add", "set"])
@pytest.mark.parametrize("name", ["authorization", "Cookie", "x-api-key", "x-auth-token"])
def test_a_secret_that_a_route_sets_is_told(where: str, action: str, name: str) -> None:
    assert routed(where, action, name, "Bearer hunter2") == [
        f"has a secret in the request header {name} that a route sets, for everyone to read: have the app take it "
        "from a Secret of the cluster"
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [("x-api-version", "2"), ("authorization", '%REQ("x-authorization")%'), ("x-auth-token", "")],
)
def test_a_header_that_is_no_secret_is_left_alone(name: str, value: str) -> None:
    assert routed("route", "set", name, value) == []
