"""Flux: where it finds this repository, and in which order it applies the folders of deploy/."""

from collections.abc import Collection, Sequence
from typing import ClassVar

from cdk8s import ApiObjectMetadata, Chart
from cdk8s_plus_27 import k8s
from constructs import Construct

from facts.environments import Environment
from facts.layout import CERTIFICATES, COMPONENTS_FILE, PLATFORM, SYNC_FILE, SYNC_NAME
from facts.provided import AGE_KEY, FLUX_KEY, FLUX_SYSTEM, KEEP, KUSTOMIZE_CONTROLLER
from facts.versions import pinned
from imports.io.fluxcd.toolkit.kustomize import (
    Kustomization,
    KustomizationSpec,
    KustomizationSpecDecryption,
    KustomizationSpecDecryptionProvider,
    KustomizationSpecDecryptionSecretRef,
    KustomizationSpecDependsOn,
    KustomizationSpecHealthCheckExprs,
    KustomizationSpecSourceRef,
    KustomizationSpecSourceRefKind,
)
from imports.io.fluxcd.toolkit.source import (
    GitRepository,
    GitRepositorySpec,
    GitRepositorySpecRef,
    GitRepositorySpecSecretRef,
)
from synth.manifest import dump
from synth.tree import Versioned

FLAGS = {
    "(kustomize|helm|notification)-controller": ("--no-cross-namespace-refs=true",),
    "(kustomize|helm)-controller": ("--default-service-account=default", "--requeue-dependency=5s"),
    "kustomize-controller": ("--no-remote-bases=true",),
}
"""What Flux's controllers are told beside what they are installed with, by a pattern of their names.

They are locked: nothing is taken from another namespace, who names no account works as one that has no rights, and no
file comes from elsewhere than the source, https://fluxcd.io/flux/installation/configuration/multitenancy/. And what
waits for another is looked at again after 5 s, not 30.
"""


class FluxSystem(Chart):
    """GitRepository and Kustomization `flux-system`, `platform`, and after it one for each app and for certificates.

    Those of the apps in `encrypted` decrypt what SOPS has encrypted there, with the cluster's key. An app's applies as
    an account of its own, which may do in the app's namespace what `Reconciler` says and nothing
    elsewhere. The file names are those that Flux's own bootstrap expects (facts/layout.py). The patches keep Flux's
    namespace and its CRDs, with which every Kustomization would go, from a mistaken prune, and give its
    controllers the `FLAGS`.
    """

    patches: ClassVar = [
        *(
            {
                "target": {"kind": kind},
                "patch": dump([{"kind": kind, "metadata": {"name": "any", "annotations": KEEP}}]),
            }
            for kind in ("Namespace", "CustomResourceDefinition")
        ),
        *(
            {
                "target": {"kind": "Deployment", "name": names},
                "patch": dump(
                    [
                        [
                            {"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": flag}
                            for flag in flags
                        ]
                    ]
                ),
            }
            for names, flags in FLAGS.items()
        ),
    ]

    def __init__(
        self, scope: Construct, environment: Environment, apps: Sequence[str], encrypted: Collection[str] = ()
    ) -> None:
        super().__init__(scope, "flux-system")
        self._root = environment.path
        self._encrypted = encrypted
        self.file_names = {
            f"GitRepository/{SYNC_NAME}": SYNC_FILE,
            f"Kustomization/{SYNC_NAME}": SYNC_FILE,
            **{f"Kustomization/{unit}": f"{unit}.yaml" for unit in (PLATFORM, CERTIFICATES)},
            **{f"{kind}/{app}": f"{app}.yaml" for app in apps for kind in ("ServiceAccount", "Kustomization")},
        }
        GitRepository(
            self,
            "source",
            metadata=ApiObjectMetadata(name=SYNC_NAME, namespace=FLUX_SYSTEM.name),
            spec=GitRepositorySpec(
                interval="1m",
                url=environment.git_url,
                ref=_followed(environment),
                secret_ref=GitRepositorySpecSecretRef(name=FLUX_KEY.name),
            ),
        )
        # It applies the others and itself: waiting for them would hold back the commit that repairs them.
        self._kustomization(SYNC_NAME, "flux", KUSTOMIZE_CONTROLLER.name, wait=False)
        self._kustomization(PLATFORM, PLATFORM, KUSTOMIZE_CONTROLLER.name, wait=True)
        for app in apps:
            k8s.KubeServiceAccount(
                self,
                f"account-{app}",
                metadata=k8s.ObjectMeta(name=app, namespace=FLUX_SYSTEM.name, annotations=KEEP),
                automount_service_account_token=False,
            )
            self._kustomization(app, f"apps/{app}", app, wait=True, after=PLATFORM)
        if environment.tls:
            # No app waits for it: what cannot be issued yet is told by this one, and holds nothing back.
            account = KUSTOMIZE_CONTROLLER.name
            self._kustomization(CERTIFICATES, CERTIFICATES, account, wait=True, after=PLATFORM, health=_issued())

    @staticmethod
    def external_files() -> dict[str, Versioned]:
        """The file that charts do not make, with the line by which the pinned version is known."""
        return {COMPONENTS_FILE: Versioned(f"# Flux Version: v{pinned('flux')}", "./gw refresh flux")}

    def _kustomization(
        self,
        name: str,
        path: str,
        account: str,
        *,
        wait: bool,
        after: str | None = None,
        health: list[KustomizationSpecHealthCheckExprs] | None = None,
    ) -> None:
        Kustomization(
            self,
            name,
            metadata=ApiObjectMetadata(name=name, namespace=FLUX_SYSTEM.name),
            spec=KustomizationSpec(
                depends_on=[KustomizationSpecDependsOn(name=after)] if after else None,
                decryption=_with_the_clusters_key() if name in self._encrypted else None,
                interval="10m",
                retry_interval="1m",
                timeout="5m",
                path=f"./{self._root}/{path}",
                prune=True,
                wait=wait,
                health_check_exprs=health,
                service_account_name=account,
                source_ref=KustomizationSpecSourceRef(
                    kind=KustomizationSpecSourceRefKind.GIT_REPOSITORY, name=SYNC_NAME
                ),
            ),
        )


def _followed(environment: Environment) -> GitRepositorySpecRef:
    """What of the repository a cluster has: https://fluxcd.io/flux/components/source/gitrepositories/#reference."""
    if environment.tags:
        return GitRepositorySpecRef(semver=f"{environment.tags.line}.x")
    return GitRepositorySpecRef(branch=environment.git_branch)


def _issued() -> list[KustomizationSpecHealthCheckExprs]:
    """A certificate is healthy when it is ready, and not by itself as long as cert-manager has said nothing of it.

    https://fluxcd.io/flux/components/kustomize/kustomizations/#health-check-expressions
    """
    ready = "status.conditions.exists(e, e.type == 'Ready' && e.status == 'True')"
    return [
        KustomizationSpecHealthCheckExprs(api_version="cert-manager.io/v1", kind=kind, current=ready)
        for kind in ("Certificate", "ClusterIssuer")
    ]


def _with_the_clusters_key() -> KustomizationSpecDecryption:
    """What SOPS needs here: https://fluxcd.io/flux/components/kustomize/kustomizations/#decryption."""
    return KustomizationSpecDecryption(
        provider=KustomizationSpecDecryptionProvider.SOPS,
        secret_ref=KustomizationSpecDecryptionSecretRef(name=AGE_KEY.name),
    )
