"""The gateway's certificates: who signs them, how the signer sees that a host is ours, and one for each host."""

from collections.abc import Iterable

from cdk8s import ApiObjectMetadata, Chart
from cdk8s_plus_27 import k8s
from constructs import Construct

from charts.shapes.claim import Claim
from facts.environments import Acme
from facts.provided import INGRESS_CONTROLLER, INGRESS_GATEWAY
from imports.io.cert_manager import (
    Certificate,
    CertificateSpec,
    CertificateSpecIssuerRef,
    CertificateSpecPrivateKey,
    CertificateSpecPrivateKeyAlgorithm,
    CertificateSpecPrivateKeyRotationPolicy,
    ClusterIssuer,
    ClusterIssuerSpec,
    ClusterIssuerSpecAcme,
    ClusterIssuerSpecAcmePrivateKeySecretRef,
    ClusterIssuerSpecAcmeSolvers,
    ClusterIssuerSpecAcmeSolversHttp01,
    ClusterIssuerSpecAcmeSolversHttp01Ingress,
)

ISSUER = "acme"
INGRESS_CLASS = "istio"


class Certificates(Chart):
    """ClusterIssuer `acme`, which answers HTTP-01 challenges through the ingress gateway, and a Certificate per host.

    The challenge is an Ingress that cert-manager makes for a minute. IngressClass `istio` hands it to istiod, which
    must know the gateway's pods for it: infra/managed/istiod.yaml has the setting.
    """

    def __init__(self, scope: Construct, acme: Acme, claims: Iterable[Claim]) -> None:
        super().__init__(scope, "certificates")
        k8s.KubeIngressClass(
            self,
            "ingress-class",
            metadata=k8s.ObjectMeta(name=INGRESS_CLASS),
            spec=k8s.IngressClassSpec(controller=INGRESS_CONTROLLER.name),
        )
        ClusterIssuer(
            self,
            "issuer",
            metadata=ApiObjectMetadata(name=ISSUER),
            spec=ClusterIssuerSpec(
                acme=ClusterIssuerSpecAcme(
                    server=acme.server,
                    email=acme.email,
                    private_key_secret_ref=ClusterIssuerSpecAcmePrivateKeySecretRef(name=f"{ISSUER}-account"),
                    solvers=[
                        ClusterIssuerSpecAcmeSolvers(
                            http01=ClusterIssuerSpecAcmeSolversHttp01(
                                ingress=ClusterIssuerSpecAcmeSolversHttp01Ingress(
                                    # By itself cert-manager opens a port of every node: its default is NodePort.
                                    ingress_class_name=INGRESS_CLASS,
                                    service_type="ClusterIP",
                                )
                            )
                        )
                    ],
                )
            ),
        )
        for claim in claims:
            if not (claim.passthrough or claim.tcp):
                self._certificate(claim)

    def _certificate(self, claim: Claim) -> None:
        Certificate(
            self,
            f"certificate-{claim.name}",
            metadata=ApiObjectMetadata(name=claim.name, namespace=INGRESS_GATEWAY.namespace),
            spec=CertificateSpec(
                dns_names=[claim.host],
                secret_name=claim.secret,
                issuer_ref=CertificateSpecIssuerRef(group="cert-manager.io", kind="ClusterIssuer", name=ISSUER),
                private_key=CertificateSpecPrivateKey(
                    algorithm=CertificateSpecPrivateKeyAlgorithm.ECDSA,
                    size=256,
                    rotation_policy=CertificateSpecPrivateKeyRotationPolicy.ALWAYS,
                ),
            ),
        )
