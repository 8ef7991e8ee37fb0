"""The commands that keep Secrets in Git: what they run, what they write, and that no value is on a command line."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from facts.provided import AGE_KEY
from scripts.cluster import secrets
from scripts.gate.tools import prepare, tool
from synth.encrypted import EncryptedFile
from tests.encrypted import CLUSTER, KEYS, SAFE, text
from tests.environments import MANAGED
from tests.scripts.desk import Desk
from tests.stand_ins import fails, says

VALUE = "correct-horse-battery"
ONE = replace(KEYS, name="shop-token", keys=("token",))
ENVIRONMENT = "staging"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands write, for an environment whose charts name two Secrets."""
    found = {f"deploy/staging/apps/shop/secret-{file.name}.yaml": file for file in (KEYS, ONE)}
    monkeypatch.setattr(secrets, "ROOT", tmp_path)
    monkeypatch.setattr(secrets, "_wanted", lambda _: found)
    return tmp_path / "deploy/staging/apps/shop"


def sops(desk: Desk, file: EncryptedFile, decrypted: str = "") -> Path:
    """A stand-in for SOPS that encrypts to a file's text, and where it leaves what it read."""
    read = desk.tools.folder / "read"
    desk.tools.put(
        "sops",
        f"if [ $1 = --indent ]; then cat >{read}; cat <<'END'\n{text(file)}END\nelse cat <<'END'\n{decrypted}END\nfi\n",
    )
    return read


def test_all_values_are_encrypted_from_standard_input(desk: Desk, folder: Path) -> None:
    read = sops(desk, KEYS)
    ended = desk.run("secrets", "set", "shop", "shop-keys", "--env", ENVIRONMENT, answer=f"token: {VALUE}\nmail: 007\n")
    assert ended.code == 0, ended.err
    assert (folder / "secret-shop-keys.yaml").read_text("utf-8") == text(KEYS)
    assert f'stringData:\n  mail: "007"\n  token: {VALUE}\n' in read.read_text("utf-8")
    (call,) = desk.calls()
    assert f"--age {CLUSTER},{SAFE}" in call
    assert "--filename-override deploy/staging/apps/shop/secret-shop-keys.yaml" in call
    assert VALUE not in call + ended.out + ended.err


def test_the_value_of_the_only_key_is_taken_as_it_is(desk: Desk, folder: Path) -> None:
    read = sops(desk, ONE)
    ended = desk.run("secrets", "set", "shop", "shop-token", "token", "--env", ENVIRONMENT, answer="a: [b\nc\n\n")
    assert ended.code == 0, ended.err
    assert "  token: |\n    a: [b\n    c\n" in read.read_text("utf-8")
    assert (folder / "secret-shop-token.yaml").is_file()


def test_one_of_several_values_is_changed_and_the_others_stay(desk: Desk, folder: Path) -> None:
    read = sops(desk, KEYS, "stringData:\n  mail: as-before\n  token: old\n")
    folder.mkdir(parents=True)
    (folder / "secret-shop-keys.yaml").write_text(text(KEYS))
    ended = desk.run("secrets", "set", "shop", "shop-keys", "token", "--env", ENVIRONMENT, answer=f"{VALUE}\n")
    assert ended.code == 0, ended.err
    assert f"  mail: as-before\n  token: {VALUE}\n" in read.read_text("utf-8")
    assert "old" not in read.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "given", "said"),
    [
        (
            ["blog", "shop-keys"],
            "",
            "blog has no encrypted Secret shop-keys in staging: there are shop shop-keys, shop",
        ),
        (["shop", "shop-keys", "pin"], "", "has no key pin: it has mail, token"),
        (["shop", "shop-keys", "token"], VALUE, "is not there yet: give all of mail, token"),
        (["shop", "shop-keys"], f"token: {VALUE}", "what was given has token: give mail, token"),
        (["shop", "shop-keys"], VALUE, "what was given is no YAML of mail: value, token: value"),
        (["shop", "shop-keys"], f"mail: [{VALUE}", "is no YAML"),
        (["shop", "shop-keys"], f"mail: [{VALUE}]\ntoken: a", "is no YAML"),
        (["shop", "shop-keys"], f"mail:\ntoken: {VALUE}", "mail would be empty: give a value"),
        (["shop", "shop-token", "token"], "", "token would be empty: give a value"),
    ],
)
def test_what_cannot_be_set_is_told_without_the_value_and_nothing_is_written(
    desk: Desk, folder: Path, arguments: list[str], given: str, said: str
) -> None:
    sops(desk, KEYS)
    ended = desk.run("secrets", "set", *arguments, "--env", ENVIRONMENT, answer=given)
    assert ended.code == 1
    assert said in ended.err
    assert VALUE not in ended.err + ended.out
    assert not folder.exists()


def test_what_sops_made_wrong_is_not_written(desk: Desk, folder: Path) -> None:
    sops(desk, replace(KEYS, recipients=(SAFE,)))
    ended = desk.run("secrets", "set", "shop", "shop-keys", "--env", ENVIRONMENT, answer="token: a\nmail: b\n")
    assert ended.code == 3
    assert f"what sops made is encrypted for {SAFE}" in ended.err
    assert not (folder / "secret-shop-keys.yaml").exists()


def test_a_sops_that_fails_leaves_the_file_as_it_was(desk: Desk, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "secret-shop-keys.yaml").write_text("as it was")
    desk.tools.put("sops", fails("no such recipient"))
    ended = desk.run("secrets", "set", "shop", "shop-keys", "--env", ENVIRONMENT, answer="token: a\nmail: b\n")
    assert ended.code == 3
    assert "$ sops " in ended.err
    assert (folder / "secret-shop-keys.yaml").read_text() == "as it was"


def test_all_that_are_there_are_encrypted_for_the_recipients_of_now(desk: Desk, folder: Path) -> None:
    sops(desk, KEYS, "stringData:\n  mail: a\n  token: b\n")
    folder.mkdir(parents=True)
    (folder / "secret-shop-keys.yaml").write_text(text(replace(KEYS, recipients=(SAFE,))))
    ended = desk.run("secrets", "rotate", "--env", ENVIRONMENT)
    assert ended.code == 0, ended.err
    assert (folder / "secret-shop-keys.yaml").read_text("utf-8") == text(KEYS)
    assert "1 of staging are encrypted anew" in ended.out


def test_what_there_is_and_what_is_wrong_with_it_is_listed(desk: Desk, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "secret-shop-keys.yaml").write_text(text(KEYS))
    ended = desk.run("secrets", "list", "--env", ENVIRONMENT)
    assert ended.code == 1
    first, second = ended.out.splitlines()
    assert first == "shop shop-keys: mail, token"
    assert second.startswith("shop shop-token: token; deploy/staging/apps/shop/secret-shop-token.yaml is missing")
    (folder / "secret-shop-token.yaml").write_text(text(ONE))
    assert desk.run("secrets", "list", "--env", ENVIRONMENT).code == 0


def test_a_pair_of_keys_is_made_outside_the_repository_and_never_over_another(desk: Desk, tmp_path: Path) -> None:
    desk.tools.put("age-keygen", says(CLUSTER, when="-y"))
    ended = desk.run("secrets", "keygen", str(tmp_path / "a.agekey"))
    assert ended.code == 0, ended.err
    assert ended.out.startswith(f"{CLUSTER} is its public key")
    assert [call.split()[1] for call in desk.calls()] == ["-o", "-y"]
    (tmp_path / "b.agekey").touch()
    for path, said in ((tmp_path / "b.agekey", "is there already"), ("infra/a.agekey", "is in this repository")):
        ended = desk.run("secrets", "keygen", str(path))
        assert ended.code == 1
        assert said in ended.err
    assert desk.calls() == []


@pytest.fixture
def managed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Staging, as an environment with recipients."""
    known = replace(MANAGED, name=ENVIRONMENT, age_recipients=(CLUSTER, SAFE))
    monkeypatch.setattr("scripts.options.ENVIRONMENTS", (known,))


@pytest.mark.usefixtures("managed")
def test_the_cluster_gets_its_key_by_standard_input(desk: Desk, tmp_path: Path) -> None:
    key = tmp_path / "staging.agekey"
    key.write_text("AGE-SECRET-KEY-OF-NOBODY\n")
    applied = tmp_path / "applied"
    desk.tools.put("age-keygen", says(CLUSTER))
    desk.tools.put("kubectl", f'case "$*" in *apply*) cat >{applied};; *"get namespace"*) exit 1;; esac\n')
    ended = desk.run("secrets", "install", "--key-file", str(key), "--env", ENVIRONMENT)
    assert ended.code == 0, ended.err
    assert "name: sops-age" in applied.read_text("utf-8")
    assert "age.agekey: |\n    AGE-SECRET-KEY-OF-NOBODY" in applied.read_text("utf-8")
    verbs = [call.partition("--context ")[2].split()[1] for call in desk.calls() if call.startswith("kubectl")]
    assert verbs == ["get", "create", "--namespace"]
    assert "AGE-SECRET" not in ended.out + ended.err


@pytest.mark.usefixtures("managed")
def test_a_key_for_which_nothing_is_encrypted_does_not_get_into_the_cluster(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "other.agekey").touch()
    other = CLUSTER.replace("ql3z", "zzzz")
    desk.tools.put("age-keygen", says(other))
    ended = desk.run("secrets", "install", "--key-file", str(tmp_path / "other.agekey"), "--env", ENVIRONMENT)
    assert ended.code == 1
    assert f"is the key of {other}, which age_recipients of staging do not have" in ended.err
    assert not [call for call in desk.calls() if call.startswith("kubectl")]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("encrypted", [True, False])
def test_bootstrap_wants_the_key_where_the_tree_has_encrypted_secrets(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, known: bool, encrypted: bool
) -> None:
    flux = tmp_path / "deploy/flux/flux-system"
    flux.mkdir(parents=True)
    decryption = "  decryption:\n    provider: sops\n" if encrypted else ""
    (flux / "shop.yaml").write_text(f"kind: Kustomization\nspec:\n  prune: true\n{decryption}")
    monkeypatch.setattr(secrets, "ROOT", tmp_path)
    desk.tools.put("kubectl", says(f"secret/{AGE_KEY.name}" if known else "", when=AGE_KEY.name))
    monkeypatch.setattr("scripts.cluster.flux.unset_values", lambda _: [])
    ended = desk.run("flux", "bootstrap", "--yes")
    calls = desk.calls()
    if encrypted and not known:
        assert ended.code == 3
        assert "`./gw secrets install --key-file FILE --env local` gives it its own" in ended.err
        assert len(calls) == 1
    else:
        assert ended.code == 0, ended.err
        assert any("apply" in call for call in calls)


def test_an_environment_without_any_says_what_makes_one(desk: Desk) -> None:
    ended = desk.run("secrets", "list")
    assert ended.code == 1
    assert "local has no Secret in Git: it needs age_recipients in facts/environments.py" in ended.err


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("go"), reason="SOPS and age are built with Go")
class TestRealOnes:
    """SOPS and age themselves."""

    @pytest.fixture
    def real(self, desk: Desk) -> Desk:
        names = ["sops", "age-keygen"]
        prepare(names)
        for name in names:
            (desk.tools.folder / name).symlink_to(tool(name))
        return desk

    def test_what_is_set_is_decrypted_with_either_key_changed_and_rotated(
        self, real: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys = [tmp_path / f"{name}.agekey" for name in ("cluster", "safe", "next")]
        public = [real.run("secrets", "keygen", str(key)).out.split()[0] for key in keys]
        assert [key.stat().st_mode & 0o077 for key in keys] == [0, 0, 0]
        path = "deploy/staging/apps/shop/secret-shop-keys.yaml"
        monkeypatch.setattr(secrets, "ROOT", tmp_path)

        def named(*recipients: str) -> None:
            monkeypatch.setattr(secrets, "_wanted", lambda _: {path: replace(KEYS, recipients=recipients)})

        def decrypted(key: Path) -> object:
            """The values, or None for who cannot read them."""
            variables = {"SOPS_AGE_KEY_FILE": str(key), "HOME": str(tmp_path)}
            done = subprocess.run(
                [tool("sops"), "decrypt", tmp_path / path], env=variables, capture_output=True, check=False
            )
            return yaml.safe_load(done.stdout)["stringData"] if done.returncode == 0 else None

        named(*public[:2])
        arguments = ("set", "shop", "shop-keys", "--env", ENVIRONMENT)
        ended = real.run("secrets", *arguments, answer=f'token: {VALUE}\nmail: "a: b # c\\nd"\n')
        assert ended.code == 0, ended.err
        first = (tmp_path / path).read_text("utf-8")
        assert VALUE not in first
        ended = real.run(
            "secrets", *arguments[:3], "token", *arguments[3:], answer="007\n", SOPS_AGE_KEY_FILE=str(keys[1])
        )
        assert ended.code == 0, ended.err
        wanted = {"mail": "a: b # c\nd", "token": "007"}
        assert [decrypted(key) for key in keys[:2]] == [wanted, wanted]
        named(public[2], public[1])
        ended = real.run("secrets", "rotate", "--env", ENVIRONMENT, SOPS_AGE_KEY_FILE=str(keys[1]))
        assert ended.code == 0, ended.err
        assert decrypted(keys[2]) == wanted
        assert decrypted(keys[0]) is None
