"""Flux: where it finds this repository, and in which order it applies the folders of deploy/."""

from typing import ClassVar

from cdk8s import ApiObjectMetadata, Chart
from constructs import Construct

from facts.environments import Environment
from facts.layout import COMPONENTS_FILE, SYNC_FILE, SYNC_NAME
from facts.provided import FLUX_KEY, FLUX_SYSTEM, KEEP
from facts.versions import pinned
from imports.io.fluxcd.toolkit.kustomize import (
    Kustomization,
    KustomizationSpec,
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
from synth.tree import External


class FluxSystem(Chart):
    """GitRepository and Kustomization `flux-system`, and the Kustomizations `platform` and, after it, `apps`.

    The file names are those that Flux's own bootstrap expects (facts/layout.py). The patches keep Flux's
    namespace and its CRDs, with which every Kustomization would go, from a mistaken prune.
    """

    file_names: ClassVar = {
        f"GitRepository/{SYNC_NAME}": SYNC_FILE,
        f"Kustomization/{SYNC_NAME}": SYNC_FILE,
        "Kustomization/platform": "platform.yaml",
        "Kustomization/apps": "apps.yaml",
    }

    patches: ClassVar = [
        {
            "target": {"kind": kind},
            "patch": dump([{"kind": kind, "metadata": {"name": "any", "annotations": KEEP}}]),
        }
        for kind in ("Namespace", "CustomResourceDefinition")
    ]

    def __init__(self, scope: Construct, environment: Environment) -> None:
        super().__init__(scope, "flux-system")
        self._root = environment.path
        GitRepository(
            self,
            "source",
            metadata=ApiObjectMetadata(name=SYNC_NAME, namespace=FLUX_SYSTEM.name),
            spec=GitRepositorySpec(
                interval="1m",
                url=environment.git_url,
                ref=GitRepositorySpecRef(branch=environment.git_branch),
                secret_ref=GitRepositorySpecSecretRef(name=FLUX_KEY.name),
            ),
        )
        # It applies the two below and itself: waiting for them would hold back the commit that repairs them.
        self._kustomization(SYNC_NAME, "flux", wait=False)
        self._kustomization("platform", "platform", wait=True, health=_issued_or_not() if environment.tls else None)
        self._kustomization("apps", "apps", wait=True, after="platform")

    @staticmethod
    def external_files() -> dict[str, External]:
        """The file that charts do not make, with the line by which the pinned version is known."""
        return {COMPONENTS_FILE: External(f"# Flux Version: v{pinned('flux')}", "./gw refresh flux")}

    def _kustomization(
        self,
        name: str,
        path: str,
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
                interval="10m",
                retry_interval="1m",
                timeout="5m",
                path=f"./{self._root}/{path}",
                prune=True,
                wait=wait,
                health_check_exprs=health,
                source_ref=KustomizationSpecSourceRef(
                    kind=KustomizationSpecSourceRefKind.GIT_REPOSITORY, name=SYNC_NAME
                ),
            ),
        )


def _issued_or_not() -> list[KustomizationSpecHealthCheckExprs]:
    """Certificates and their issuer count as healthy at once: what cannot be issued does not hold back every app.

    https://fluxcd.io/flux/components/kustomize/kustomizations/#health-check-expressions
    """
    return [
        KustomizationSpecHealthCheckExprs(api_version="cert-manager.io/v1", kind=kind, current="true")
        for kind in ("Certificate", "ClusterIssuer")
    ]
