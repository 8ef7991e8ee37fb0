"""What a container can mount: volumes that stay, files of configuration, and files of Secrets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cdk8s_plus_27 import k8s

from charts.shapes.app import App
from charts.shapes.typed import quantities
from facts.forms import StorageClass
from facts.provided import KEEP
from synth.cluster import Provided
from synth.encrypted import EncryptedFile
from synth.forms import DataKey, Label, ObjectName, StorageSize, formed
from synth.names import LABEL_LENGTH


@formed
@dataclass(frozen=True)
class Claim:
    """What a cluster is asked for: `size` as a Kubernetes quantity, and whether pods on several nodes mount it.

    Raises:
        ValueError: the size or the class cannot be one, or the cluster has no class for a shared volume.
    """

    name: str
    size: StorageSize
    storage_class: StorageClass | None
    shared: bool = False

    @property
    def access_mode(self) -> str:
        return "ReadWriteMany" if self.shared else "ReadWriteOnce"

    def spec(self) -> k8s.PersistentVolumeClaimSpec:
        return k8s.PersistentVolumeClaimSpec(
            access_modes=[self.access_mode],
            storage_class_name=self.storage_class,
            resources=k8s.ResourceRequirements(requests=quantities({"storage": self.size})),
        )


@formed
class Volume:
    """A place to write that stays when the app goes, a PersistentVolumeClaim of an app.

    Of the environment's storage class, unless `storage_class` names another one. Pods on one node alone can mount it,
    unless it is `shared`: then it is of the environment's class for that.

    Raises:
        ValueError: the size or the class cannot be one, or it is shared and the cluster has no class for that.
    """

    def __init__(
        self,
        app: App,
        name: Label,
        size: StorageSize,
        *,
        shared: bool = False,
        storage_class: StorageClass | None = None,
    ) -> None:
        environment = app.environment
        if shared and not (storage_class or environment.shared_storage_class):
            raise ValueError(
                f"volume {name} cannot be shared: {environment.name} has no shared_storage_class, one whose volumes "
                "several nodes can mount: name it in facts/environments.py"
            )
        own = environment.shared_storage_class if shared else environment.storage_class
        self.claim = Claim(name, size, storage_class or own, shared)
        self.name = name
        self.shared = shared
        self.user: Mapping[str, str] | None = None
        """The labels of the pods that have it mounted all the time."""
        self.visited = False
        """Whether something mounts it from time to time."""
        app.storage.append((1, size))
        self.persistent_volume_claim = k8s.KubePersistentVolumeClaim(
            app, f"volume-{name}", metadata=app.metadata(name, annotations=KEEP), spec=self.claim.spec()
        )

    def source(self) -> k8s.Volume:
        claim = k8s.PersistentVolumeClaimVolumeSource(claim_name=self.name)
        return k8s.Volume(name=self.name, persistent_volume_claim=claim)


@formed
class OwnVolume:
    """A place to write for each pod of a StatefulSet, as Volume is for an app; its PersistentVolumeClaims stay."""

    def __init__(self, app: App, name: Label, size: StorageSize, *, storage_class: StorageClass | None = None) -> None:
        self.name = name
        self.claim = Claim(name, size, storage_class or app.environment.storage_class)

    def template(self) -> k8s.KubePersistentVolumeClaimProps:
        return k8s.KubePersistentVolumeClaimProps(metadata=k8s.ObjectMeta(name=self.name), spec=self.claim.spec())


MOST_CONFIGURATION = 1024 * 1024
"""Bytes: https://kubernetes.io/docs/concepts/configuration/configmap/#motivation"""


@formed
class ConfigFiles:
    """Files of configuration, by name: their text, or the path of a file beside the chart that has it.

    The ConfigMap has a hash of the files in its name, so that pods are replaced when a file changes.
    """

    def __init__(self, app: App, name: Label, files: Mapping[DataKey, str | Path]) -> None:
        texts = {key: _text(name, text) if isinstance(text, Path) else text for key, text in files.items()}
        if not texts:
            raise ValueError(f"{name} has no files: name one, as in ConfigFiles(self, {name!r}, {{'app.ini': ...}})")
        if (size := sum(len(text.encode()) for text in texts.values())) > MOST_CONFIGURATION:
            raise ValueError(
                f"the files of {name} have {size} bytes, and a ConfigMap at most {MOST_CONFIGURATION}: put what is "
                "large into the image or on a Volume"
            )
        digest = sha256("\0".join(part for item in sorted(texts.items()) for part in item).encode()).hexdigest()
        self.name = name
        self.config_map = k8s.KubeConfigMap(
            app, f"config-{name}", metadata=app.metadata(f"{name}-{digest[:10]}"), data=texts, immutable=True
        )
        self._config_map_name = f"{name}-{digest[:10]}"

    def source(self) -> k8s.Volume:
        return k8s.Volume(name=self.name, config_map=k8s.ConfigMapVolumeSource(name=self._config_map_name))


def _text(name: str, path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        beside = sorted(file.name for file in path.parent.glob("*") if file.suffix == path.suffix and file.is_file())
        raise ValueError(
            f"{name} has the file {path.name}, which is not there: of that sort there are {', '.join(beside) or 'none'}"
        ) from None
    except IsADirectoryError:
        raise ValueError(f"{name} has the file {path.name}, which is a folder: name each file in it") from None
    except UnicodeDecodeError:
        raise ValueError(f"{name} has the file {path.name}, which is no text: put it into the image") from None


@formed
class Secret:
    """A Secret of the app's namespace that is not in Git; `by` says who puts it there.

    A container gets it as variables (`secret.key("token")`) or as files, mounted as it is for all of its keys, or with
    `secret.files("tls.crt")` for some. As a Pod's `pull_secret` it opens a private registry.
    """

    def __init__(self, app: App, name: ObjectName, *, by: str) -> None:
        self.name = name
        app.provided.append(Provided("Secret", name, by=by, namespace=app.name))

    def key(self, key: str) -> "SecretKey":
        return SecretKey(self.name, key)

    def files(self, *keys: str) -> "SecretFiles":
        return SecretFiles(self.name, keys)

    def source(self) -> k8s.Volume:
        return self.files().source()


@formed
class EncryptedSecret(Secret):
    """A Secret of the app's namespace whose values are in Git, encrypted for the environment's `age_recipients`.

    `./gw secrets set` encrypts them. `keys` are their names, `kind` is the Secret's type:
    https://kubernetes.io/docs/concepts/configuration/secret/#secret-types. Where the environment has no recipients,
    somebody makes the Secret by hand.

    Raises:
        ValueError: it has no keys, or a container wants one that it does not have.
    """

    def __init__(self, app: App, name: ObjectName, keys: Sequence[DataKey], *, kind: str = "Opaque") -> None:
        recipients = app.environment.age_recipients
        super().__init__(app, name, by="Git, encrypted" if recipients else "its owner, by hand")
        if not keys:
            raise ValueError(f"{name} has no keys: name its values, as in EncryptedSecret(self, {name!r}, ['token'])")
        self._keys = tuple(keys)
        if recipients:
            file = EncryptedFile(app.name, name, self._keys, recipients, app.environment.name, kind, app.app_labels)
            if app.encrypted.setdefault(f"secret-{name}.yaml", file) is not file:
                raise ValueError(f"there are two EncryptedSecrets {name} in {app.name}: name all keys in one")

    def key(self, key: str) -> "SecretKey":
        return super().key(self._one_of_them(key))

    def files(self, *keys: str) -> "SecretFiles":
        return super().files(*map(self._one_of_them, keys))

    def _one_of_them(self, key: str) -> str:
        if key not in self._keys:
            raise ValueError(f"{self.name} has no key {key}: it has {', '.join(self._keys)}")
        return key


@formed
@dataclass(frozen=True)
class SecretKey:
    """One value of a Secret, for a variable."""

    secret: ObjectName
    key: DataKey


@formed
@dataclass(frozen=True)
class SecretFiles:
    """Some keys of a Secret, or all where none is named, each as a file."""

    name: ObjectName
    keys: tuple[DataKey, ...] = ()

    def source(self) -> k8s.Volume:
        items = [k8s.KeyToPath(key=key, path=key) for key in self.keys]
        secret = k8s.SecretVolumeSource(secret_name=self.name, items=items or None)
        return k8s.Volume(name=volume_name(self), secret=secret)


Mount = Volume | OwnVolume | ConfigFiles | Secret | SecretFiles


def volume_name(mount: Mount) -> str:
    """What a pod calls what it mounts: a Secret's own name may have dots and be longer."""
    return mount.name.replace(".", "-")[:LABEL_LENGTH].rstrip("-")
