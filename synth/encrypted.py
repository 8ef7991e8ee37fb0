"""A Secret in Git, encrypted with SOPS for age: what its file must be, as far as can be told without a key.

https://getsops.io/docs/
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml

from synth.manifest import Document

CIPHERTEXT = re.compile(r"ENC\[AES256_GCM,data:[^,\]]*,iv:[^,\]]+,tag:[^,\]]+,type:\w+\]")
ENCRYPTED_FIELD = "stringData"
"""Where the values are: they are text, and Flux decrypts them here as it does in `data`."""
STAND_INS = {"data": "e30=", ENCRYPTED_FIELD: "{}"}
ENCRYPTED_FIELDS = "^(data|stringData)$"
"""What SOPS encrypts of a manifest; the rest stays for a reviewer, and for Flux, to read."""


@dataclass(frozen=True)
class EncryptedFile:
    """The manifest of a Secret whose values are encrypted; charts say all of it but the values.

    `keys` are the names of its values, `recipients` the public keys of age whose owners can decrypt it. `environment`
    is the name of what it is for, as commands take it.
    """

    app: str
    name: str
    keys: Sequence[str]
    recipients: Sequence[str]
    environment: str
    kind: str = "Opaque"
    labels: Mapping[str, str] | None = None

    def manifest(self, values: Mapping[str, str]) -> Document:
        """What is encrypted: the Secret, with its values in plain text."""
        metadata: Document = {"name": self.name, "namespace": self.app}
        if self.labels:
            metadata["labels"] = dict(self.labels)
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": self.kind,
            ENCRYPTED_FIELD: {key: values[key] for key in self.keys},
        }

    def problem(self, text: str | None) -> str:
        """What is wrong with its file, and what to do, as the end of a sentence; no value is ever part of it."""
        put = f"`./gw secrets set {self.app} {self.name} --env {self.environment}` encrypts its values"
        if text is None:
            return f"is missing, and the charts name it: {put}"
        try:
            documents = list(yaml.load_all(text, yaml.CSafeLoader))
        except yaml.YAMLError:
            documents = []
        if len(documents) != 1 or not isinstance(documents[0], dict):
            return f"is not one YAML document: {put}"
        return next(self._problems(documents[0], put), "")

    def _problems(self, document: Document, put: str) -> Iterator[str]:
        values = {
            key: value for field in ("data", ENCRYPTED_FIELD) for key, value in _mapping(document.get(field)).items()
        }
        if plain := [str(key) for key, value in values.items() if not CIPHERTEXT.fullmatch(str(value))]:
            yield (
                f"has {_listed(plain)} in plain text, for everyone with the repository to read: change what was "
                f"there wherever it is valid, then {put}"
            )
        encryption = document.get("sops")
        if not isinstance(encryption, dict) or not encryption.get("mac"):
            yield f"is not encrypted with SOPS: {put}"
            return
        wanted = self.manifest(dict.fromkeys(self.keys, ""))
        for part in ("apiVersion", "kind", "metadata", "type"):
            if document.get(part) != wanted[part]:
                yield f"is not the Secret that the charts name, its {part} is another: {put}"
        if sorted(map(str, values)) != sorted(self.keys):
            yield f"has {_listed(sorted(map(str, values)))}, where the charts name {_listed(self.keys)}: {put}"
        known = {str(entry.get("recipient")) for entry in encryption.get("age") or [] if isinstance(entry, dict)}
        if known != {*self.recipients}:
            yield (
                f"is encrypted for {_listed(sorted(known))}, where age_recipients of {self.environment} in "
                f"facts/environments.py are {_listed(self.recipients)}: `./gw secrets rotate --env {self.environment}` "
                "encrypts it for them"
            )
        if others := sorted(kind for kind in ("kms", "gcp_kms", "azure_kv", "hc_vault", "pgp") if encryption.get(kind)):
            yield f"is encrypted for {_listed(others)} as well, by which it can be read too: {put}"


def stood_in(document: Document) -> Document:
    """An object as a cluster gets it that decrypts, for judges: with JSON in place of each value, as some types want.

    What is not encrypted is as it was.
    """
    if document.get("kind") != "Secret" or "sops" not in document:
        return document
    fields = {field: dict.fromkeys(_mapping(document.get(field)), value) for field, value in STAND_INS.items()}
    rest = {key: value for key, value in document.items() if key not in ("sops", *fields)}
    return rest | {field: values for field, values in fields.items() if values}


def rules(recipients: Sequence[str]) -> Document:
    """The settings by which SOPS itself encrypts what is in an environment's folder: its `.sops.yaml`."""
    return {"creation_rules": [{"encrypted_regex": ENCRYPTED_FIELDS, "age": ",".join(recipients)}]}


def _mapping(value: object) -> Mapping[object, object]:
    return value if isinstance(value, dict) else {}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"
