"""What a container can mount: volumes that stay, files of configuration, and files of Secrets."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from cdk8s_plus_27 import k8s

from charts.shapes.typed import quantities
from facts.forms import StorageClass, StorageSize, check_forms
from facts.provided import KEEP
from synth.cluster import Provided

if TYPE_CHECKING:
    from charts.shapes.app import App


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

    def __post_init__(self) -> None:
        check_forms(self, of=f"volume {self.name}: ")

    @property
    def access_mode(self) -> str:
        return "ReadWriteMany" if self.shared else "ReadWriteOnce"

    def spec(self) -> k8s.PersistentVolumeClaimSpec:
        return k8s.PersistentVolumeClaimSpec(
            access_modes=[self.access_mode],
            storage_class_name=self.storage_class,
            resources=k8s.ResourceRequirements(requests=quantities({"storage": self.size})),
        )


class Volume:
    """A place to write that stays when the app goes, a PersistentVolumeClaim of an app.

    Of the environment's storage class, unless `storage_class` names another one. Pods on one node alone can mount it,
    unless it is `shared`: then it is of the environment's class for that.

    Raises:
        ValueError: the size or the class cannot be one, or it is shared and the cluster has no class for that.
    """

    def __init__(
        self, app: "App", name: str, size: str, *, shared: bool = False, storage_class: str | None = None
    ) -> None:
        environment = app.environment
        if shared and not (storage_class or environment.shared_storage_class):
            raise ValueError(
                f"volume {name} cannot be shared: {environment.name} has no shared_storage_class, one whose volumes "
                "several nodes can mount"
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


class OwnVolume:
    """A place to write for each pod of a StatefulSet, as Volume is for an app; its PersistentVolumeClaims stay."""

    def __init__(self, app: "App", name: str, size: str, *, storage_class: str | None = None) -> None:
        self.name = name
        self.claim = Claim(name, size, storage_class or app.environment.storage_class)

    def template(self) -> k8s.KubePersistentVolumeClaimProps:
        return k8s.KubePersistentVolumeClaimProps(metadata=k8s.ObjectMeta(name=self.name), spec=self.claim.spec())


class ConfigFiles:
    """Files of configuration, by name: their text, or the path of a file beside the chart that has it.

    The ConfigMap has a hash of the files in its name, so that pods are replaced when a file changes.
    """

    def __init__(self, app: "App", name: str, files: Mapping[str, str | Path]) -> None:
        texts = {key: text.read_text("utf-8") if isinstance(text, Path) else text for key, text in files.items()}
        digest = sha256("\0".join(part for item in sorted(texts.items()) for part in item).encode()).hexdigest()
        self.name = name
        self.config_map = k8s.KubeConfigMap(
            app, f"config-{name}", metadata=app.metadata(f"{name}-{digest[:10]}"), data=texts, immutable=True
        )
        self._config_map_name = f"{name}-{digest[:10]}"

    def source(self) -> k8s.Volume:
        return k8s.Volume(name=self.name, config_map=k8s.ConfigMapVolumeSource(name=self._config_map_name))


class Secret:
    """A Secret of the app's namespace that is not in Git; `by` says who puts it there.

    A container gets it as variables (`secret.key("token")`) or as files, mounted as it is for all of its keys, or with
    `secret.files("tls.crt")` for some. As a Pod's `pull_secret` it opens a private registry.
    """

    def __init__(self, app: "App", name: str, *, by: str) -> None:
        self.name = name
        app.provided.append(Provided("Secret", name, by=by, namespace=app.name))

    def key(self, key: str) -> "SecretKey":
        return SecretKey(self.name, key)

    def files(self, *keys: str) -> "SecretFiles":
        return SecretFiles(self.name, keys)

    def source(self) -> k8s.Volume:
        return self.files().source()


@dataclass(frozen=True)
class SecretKey:
    """One value of a Secret, for a variable."""

    secret: str
    key: str


@dataclass(frozen=True)
class SecretFiles:
    """Some keys of a Secret, or all where none is named, each as a file."""

    name: str
    keys: tuple[str, ...] = ()

    def source(self) -> k8s.Volume:
        items = [k8s.KeyToPath(key=key, path=key) for key in self.keys]
        secret = k8s.SecretVolumeSource(secret_name=self.name, items=items or None)
        return k8s.Volume(name=self.name, secret=secret)


Mount = Volume | OwnVolume | ConfigFiles | Secret | SecretFiles
