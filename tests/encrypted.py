"""The file of an encrypted Secret as SOPS writes it, for tests that decrypt nothing: its ciphertext is of no key."""

from synth.encrypted import EncryptedFile
from synth.manifest import Document, dump

CLUSTER = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
SAFE = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg"
CIPHERTEXT = "ENC[AES256_GCM,data:Zm9v,iv:YmFy,tag:YmF6,type:str]"
KEYS = EncryptedFile(
    "shop", "shop-keys", ("mail", "token"), (CLUSTER, SAFE), "staging", labels={"app.kubernetes.io/name": "shop"}
)


def document(file: EncryptedFile) -> Document:
    """What a file has that is as the charts name it."""
    manifest = file.manifest(dict.fromkeys(file.keys, CIPHERTEXT))
    age = [{"recipient": recipient, "enc": "-----BEGIN AGE ENCRYPTED FILE-----\n"} for recipient in file.recipients]
    return manifest | {"sops": {"age": age, "mac": CIPHERTEXT, "encrypted_regex": "^(data|stringData)$"}}


def text(file: EncryptedFile) -> str:
    return dump([document(file)])
