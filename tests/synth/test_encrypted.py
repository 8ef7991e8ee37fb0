"""What is found wrong with the file of an encrypted Secret, and that no value is ever said."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from synth.encrypted import rules, stood_in
from synth.manifest import Document, dump, load
from tests.encrypted import CIPHERTEXT, CLUSTER, KEYS, SAFE, document, text

SET = "`./gw secrets set shop shop-keys --env staging` encrypts its values"
PLAIN = "in-plain-text"


def test_a_file_as_the_charts_name_it_is_right() -> None:
    assert KEYS.problem(text(KEYS)) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: it["stringData"].update(token=PLAIN), "has token in plain text, for everyone"),
        (lambda it: it.update(data={"old": PLAIN}), "has old in plain text"),
        (lambda it: it.update(stringData=dict.fromkeys(("mail", "token"), PLAIN)), "has mail, token in plain text"),
        (lambda it: it["stringData"].update(token=f"{CIPHERTEXT} {PLAIN}"), "has token in plain text"),
        (lambda it: it.pop("sops"), "is not encrypted with SOPS"),
        (lambda it: it["sops"].pop("mac"), "is not encrypted with SOPS"),
        (lambda it: it["metadata"].update(name="other"), "its metadata is another"),
        (lambda it: it["metadata"].update(namespace="blog"), "its metadata is another"),
        (lambda it: it.update(type="kubernetes.io/tls"), "its type is another"),
        (lambda it: it.update(kind="ConfigMap"), "its kind is another"),
        (lambda it: it["stringData"].pop("token"), "has mail, where the charts name mail, token"),
        (lambda it: it["stringData"].update(more=CIPHERTEXT), "has mail, more, token, where"),
        (lambda it: it.pop("stringData"), "has nothing, where the charts name mail, token"),
        (lambda it: it["sops"]["age"].pop(), f"is encrypted for {CLUSTER}, where age_recipients of staging"),
        (lambda it: it["sops"].pop("age"), "is encrypted for nothing, where"),
        (lambda it: it["sops"].update(pgp=[{"fp": "1"}]), "is encrypted for pgp as well"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do_and_without_a_value(
    change: Callable[[Document], object], said: str
) -> None:
    found = document(KEYS)
    change(found)
    problem = KEYS.problem(dump([found]))
    assert said in problem
    assert "`./gw secrets " in problem
    assert PLAIN not in problem


@pytest.mark.parametrize("found", ["", "- a\n", "a: [\n", text(KEYS) * 2])
def test_what_is_not_one_document_is_no_secret(found: str) -> None:
    joined = found.replace("apiVersion: v1\nkind: Secret", "---\napiVersion: v1\nkind: Secret")
    assert KEYS.problem(joined) == f"is not one YAML document: {SET}"


def test_a_file_that_is_missing_is_told_with_what_makes_it() -> None:
    assert KEYS.problem(None) == f"is missing, and the charts name it: {SET}"


def test_other_recipients_are_told_with_what_encrypts_for_them() -> None:
    other = replace(KEYS, recipients=(CLUSTER,))
    assert "`./gw secrets rotate --env staging` encrypts it for them" in other.problem(text(KEYS))


def test_judges_get_what_a_cluster_would_but_for_the_values() -> None:
    found = document(KEYS)
    (judged,) = load(dump([stood_in(found)]))
    assert judged == KEYS.manifest({"mail": "{}", "token": "{}"})
    assert found == document(KEYS)
    plain = {"kind": "Secret", "metadata": {"name": "a"}, "type": "Opaque"}
    assert stood_in(plain) == plain


def test_sops_itself_is_told_the_same_recipients() -> None:
    (rule,) = rules((CLUSTER, SAFE))["creation_rules"]
    assert rule["age"].split(",") == [CLUSTER, SAFE]
