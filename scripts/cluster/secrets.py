"""Secrets in Git: pairs of keys, values that are encrypted for them, and the cluster's key in the cluster."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import yaml

from facts.environments import Environment
from facts.layout import COMPONENTS_FILE, FLUX_FOLDER
from facts.provided import AGE_KEY, AGE_KEY_FILE
from scripts import options
from scripts.cluster.apps import kubectl
from scripts.programs import ROOT, Programs
from synth import DefinitionError, ToolError
from synth.encrypted import ENCRYPTED_FIELD, ENCRYPTED_FIELDS, EncryptedFile
from synth.manifest import dump, load
from synth.node import start
from synth.publish import write_file

PRIVATE_KEY = "does SOPS_AGE_KEY_FILE name the file of one of its private keys?"
key_file = click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=options.from_root,
    required=True,
    help="The file of the cluster's private key, as keygen makes it.",
)


@click.group()
def secrets() -> None:
    """Keep Secrets in Git, encrypted with SOPS for age."""


@secrets.command()
@click.argument("file", type=click.Path(path_type=Path), callback=options.from_root)
@options.dry_run
def keygen(file: Path, dry_run: bool) -> None:
    """Make a pair of keys: the private one in FILE, outside this repository, for you alone to read.

    An environment needs two: the cluster's, and one whose FILE goes to a safe and nowhere else.

    Example: ./gw secrets keygen ~/keys/staging.agekey
    """
    if (ROOT / file).resolve().is_relative_to(ROOT):
        raise DefinitionError(
            f"{file} is in this repository, where a private key would be committed one day: choose a folder outside"
        )
    if (ROOT / file).exists():
        raise DefinitionError(f"{file} is there already, and may be the only copy of a key: choose another name")
    programs = Programs(dry_run)
    programs.run("age-keygen", "-o", file, hint="is its folder there?")
    recipient = programs.output("age-keygen", "-y", file).strip()
    if not dry_run:
        click.echo(f"{recipient} is its public key: write it into age_recipients in facts/environments.py")


@secrets.command("list")
@options.environment
def list_(environment: Environment) -> None:
    """Say which Secrets of an environment are in Git, with their keys, and what is wrong with their files.

    Exit code 1 when something is.

    Example: ./gw secrets list --env staging
    """
    wrong = 0
    for path, file in _wanted(environment).items():
        problem = file.problem(_text(path))
        wrong += bool(problem)
        click.echo(f"{file.app} {file.name}: {', '.join(file.keys)}" + (f"; {path} {problem}" if problem else ""))
    if wrong:
        raise DefinitionError(f"{wrong} of the files above are not what the charts name")


@secrets.command("set")
@click.argument("app")
@click.argument("name")
@click.argument("key", required=False)
@options.environment
@options.dry_run
def set_(app: str, name: str, key: str | None, environment: Environment, dry_run: bool) -> None:
    """Encrypt the values of Secret NAME of an APP, all of them or that of one KEY, for the environment's recipients.

    The values come from standard input, where there is one, else from your editor. That of one KEY is taken as it is,
    without the end of its last line; all of them are lines of YAML, `KEY: value`. To change one of several, a private
    key is needed: SOPS_AGE_KEY_FILE names its file.

    Example: ./gw secrets set shop shop-keys token --env staging < token.txt
    """
    path, file = _one(environment, app, name)
    if key is not None and key not in file.keys:
        raise DefinitionError(f"Secret {name} of {app} has no key {key}: it has {', '.join(file.keys)}")
    programs = Programs(dry_run)
    keys = file.keys if key is None else (key,)
    values = {} if dry_run else _values(keys, single=key is not None)
    if set(keys) == {*file.keys}:
        _encrypt(programs, path, file, values or dict.fromkeys(keys, ""))
    else:
        _replace(programs, path, file, str(key), values.get(str(key), ""))


@secrets.command()
@options.environment
@options.dry_run
def rotate(environment: Environment, dry_run: bool) -> None:
    """Encrypt every Secret anew, with a new data key, for the recipients that facts/environments.py has now.

    It needs a private key: SOPS_AGE_KEY_FILE names its file. Whoever had a key that is gone knows the values that were
    encrypted for it until they are changed where they are valid.

    Example: ./gw secrets rotate --env staging
    """
    programs = Programs(dry_run)
    there = {path: file for path, file in _wanted(environment).items() if _text(path) is not None}
    for path, file in there.items():
        values = _decrypted(programs, path)
        if not dry_run and sorted(values) != sorted(file.keys):
            raise DefinitionError(
                f"{path} has {', '.join(sorted(values))}, where the charts name {', '.join(file.keys)}: "
                f"`./gw secrets set {file.app} {file.name} --env {environment.name}` encrypts those"
            )
        _encrypt(programs, path, file, values or dict.fromkeys(file.keys, ""))
    click.echo(f"{len(there)} of {environment.name} are encrypted anew: commit them")


@secrets.command()
@key_file
@options.environment
@options.dry_run
def install(environment: Environment, key_file: Path, dry_run: bool) -> None:
    """Give a cluster its private key, by which Flux decrypts what is in Git.

    Before `flux bootstrap`, or again after the key was replaced.

    Example: ./gw secrets install --key-file ~/keys/staging.agekey --env staging
    """
    programs = Programs(dry_run)
    public = programs.output("age-keygen", "-y", key_file, hint=f"{key_file} has to be what keygen made").strip()
    if not dry_run and public not in environment.age_recipients:
        known = ", ".join(environment.age_recipients) or "empty"
        raise DefinitionError(
            f"{key_file} is the key of {public}, which age_recipients of {environment.name} do not have, they are "
            f"{known}: nothing of {environment.name} is encrypted for it"
        )
    if not programs.answers(*kubectl(environment), "get", "namespace", AGE_KEY.namespace):
        programs.run(*kubectl(environment), "create", "namespace", AGE_KEY.namespace)
    made = kubectl(environment, AGE_KEY.namespace)
    programs.run(
        *(*made, "apply", "--server-side", "--force-conflicts", "--filename", "-"),
        given=_key_secret("" if dry_run else (ROOT / key_file).read_text("utf-8")),
        hint=f"does `{' '.join(kubectl(environment))} get nodes` answer?",
    )


def need_key(programs: Programs, environment: Environment) -> None:
    """See that a cluster whose tree has encrypted Secrets can decrypt them.

    Raises:
        ToolError: it has no key.
    """
    folder = ROOT / environment.path / FLUX_FOLDER
    texts = (file.read_text("utf-8") for file in folder.glob("*.yaml") if file.name != COMPONENTS_FILE)
    if not any("decryption" in (item.get("spec") or {}) for text in texts for item in load(text)):
        return
    key = (*kubectl(environment, AGE_KEY.namespace), "get", "secret", AGE_KEY.name)
    found = programs.output(*key, "--ignore-not-found", "--output", "name")
    if not found.strip() and not programs.dry_run:
        raise ToolError(
            f"{environment.name} has Secrets in Git and no key to decrypt them: `./gw secrets install --key-file FILE "
            f"--env {environment.name}` gives it its own"
        )


def _key_secret(key: str) -> str:
    metadata = {"name": AGE_KEY.name, "namespace": AGE_KEY.namespace}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {AGE_KEY_FILE: key}}
    return dump([secret])


def _wanted(environment: Environment) -> dict[str, EncryptedFile]:
    """The encrypted Secrets that the charts name, by the paths of their files.

    Raises:
        DefinitionError: there are none, with what would make one.
    """
    start()
    from charts.compose import encrypted_files

    found = encrypted_files(environment)
    if not found:
        needed = "" if environment.age_recipients else "age_recipients in facts/environments.py, and in an app "
        raise DefinitionError(
            f"{environment.name} has no Secret in Git: it needs {needed}an EncryptedSecret (docs/recipes.md)"
        )
    return found


def _one(environment: Environment, app: str, name: str) -> tuple[str, EncryptedFile]:
    found = _wanted(environment)
    for path, file in found.items():
        if (file.app, file.name) == (app, name):
            return path, file
    known = ", ".join(f"{file.app} {file.name}" for file in found.values())
    raise DefinitionError(f"{app} has no encrypted Secret {name} in {environment.name}: there are {known}")


def _text(path: str) -> str | None:
    file = ROOT / path
    return file.read_text("utf-8") if file.exists() else None


def _values(keys: Sequence[str], *, single: bool) -> dict[str, str]:
    """What a person, or another program, gives for the keys.

    Raises:
        DefinitionError: it is not what was asked for; what was given is not said.
        click.Abort: the editor was left without saving.
    """
    if sys.stdin.isatty():
        begun = "" if single else "".join(f"{key}: \n" for key in keys)
        given = click.edit(begun, extension=".txt" if single else ".yaml", require_save=True)
        if given is None:
            raise click.Abort
    else:
        given = sys.stdin.read()
    if single:
        values = {keys[0]: given.removesuffix("\n").removesuffix("\r")}
    else:
        try:
            loaded = yaml.load(given, yaml.CBaseLoader)  # noqa: S506, it makes text alone
        except yaml.YAMLError:
            loaded = None
        if not isinstance(loaded, dict) or not all(isinstance(value, str) for value in loaded.values()):
            raise DefinitionError(f"what was given is no YAML of {', '.join(f'{key}: value' for key in keys)}")
        values = loaded
    if {*values} != {*keys}:
        raise DefinitionError(f"what was given has {', '.join(values) or 'nothing'}: give {', '.join(keys)}")
    if empty := [key for key, value in values.items() if not value]:
        raise DefinitionError(f"{', '.join(empty)} would be empty: give a value")
    return values


def _encrypt(programs: Programs, path: str, file: EncryptedFile, values: Mapping[str, str]) -> None:
    """Write the file of a Secret, all of it, encrypted."""
    encrypted = programs.output(
        *("sops", "--indent", "2", "encrypt", "--input-type", "yaml", "--output-type", "yaml"),
        *("--age", ",".join(file.recipients), "--encrypted-regex", ENCRYPTED_FIELDS, "--filename-override", path),
        given=dump([file.manifest(values)]),
        hint="is SOPS 3.10 or newer?",
    )
    if not programs.dry_run:
        _write(path, encrypted, file)


def _replace(programs: Programs, path: str, file: EncryptedFile, key: str, value: str) -> None:
    """Encrypt the file of a Secret anew, with the value of one key changed."""
    if _text(path) is None:
        raise DefinitionError(
            f"{path} is not there yet: give all of {', '.join(file.keys)} with `./gw secrets set {file.app} "
            f"{file.name} --env {file.environment}`"
        )
    values = dict.fromkeys(file.keys, "") | _decrypted(programs, path) | {key: value}
    if not programs.dry_run and (unknown := [known for known in file.keys if not values[known]]):
        raise DefinitionError(
            f"{path} has no value of {', '.join(unknown)} yet: give all of {', '.join(file.keys)} with `./gw secrets "
            f"set {file.app} {file.name} --env {file.environment}`"
        )
    _encrypt(programs, path, file, values)


def _decrypted(programs: Programs, path: str) -> dict[str, str]:
    """The values of a file; none in a dry run."""
    text = programs.output("sops", "decrypt", path, cwd=ROOT, hint=PRIVATE_KEY)
    return yaml.load(text, yaml.CBaseLoader)[ENCRYPTED_FIELD] if text else {}  # noqa: S506, it makes text alone


def _write(path: str, text: str, file: EncryptedFile) -> None:
    if problem := file.problem(text):
        raise ToolError(f"what sops made {problem}")
    target = ROOT / path
    target.parent.mkdir(parents=True, exist_ok=True)
    write_file(target, text)
    click.echo(
        f"{path} has {', '.join(file.keys)}, encrypted for {len(file.recipients)} keys: `make synth`, then commit"
    )
