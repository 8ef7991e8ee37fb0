"""An app: a chart with a namespace of its own, which what is put into it makes as large as it has to be."""

from collections.abc import Mapping
from typing import Annotated

from cdk8s import ApiObjectMetadata, Chart
from cdk8s_plus_27 import k8s
from constructs import Construct

from charts.shapes import network, reconciler
from charts.shapes.claim import Claim
from charts.shapes.resources import PROXY, Room, largest, total
from charts.shapes.typed import quantities
from facts.environments import Environment
from facts.images import Image, image
from facts.layout import NOT_OF_APPS
from facts.provided import KEEP
from synth.cluster import Provided
from synth.encrypted import EncryptedFile
from synth.forms import Form, LetterFirst, formed
from synth.quantity import as_quantity, quantity

NAME_LABEL = "app.kubernetes.io/name"

# https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/#working-with-namespaces
OF_KUBERNETES = "kube-"
AppName = Annotated[
    LetterFirst,
    Form(
        lambda name: (
            f"is for Kubernetes' own namespaces: begin with something else than {OF_KUBERNETES}"
            if name.startswith(OF_KUBERNETES)
            else None
        )
    ),
    Form(
        lambda name: (
            "is what the Kustomization of an app cannot be called, since one that comes before the apps is: choose "
            "another name"
            if name in NOT_OF_APPS
            else None
        )
    ),
]

ROLLOUT_FACTOR = 3
"""The quota is for so many times the pods at full scale: pods that end still count, those that a rollout replaces, and
those that the one before it has replaced where it is followed at once."""


@formed
class App(Chart):
    """A chart with a namespace of its own, of the app's name; an app's module derives from it and adds shapes.

    Pods must meet the "restricted" Pod Security Standard
    (https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted). They reach DNS and istiod and
    nothing else, and nothing reaches them, but for what the shapes and further policies allow. The quota and the
    LimitRange are the sum of what runs here, jobs, rollouts and volumes included; `finish` defines them.
    """

    def __init__(self, scope: Construct, name: AppName, environment: Environment) -> None:
        if isinstance(scope, Chart):
            raise TypeError(
                f"app {name} is made within another app and would not be compiled: give it a class of its own in APPS"
            )
        super().__init__(scope, name)
        self.name = name
        self.environment = environment
        self.app_labels = {NAME_LABEL: name}
        self.images: set[str] = set()
        """The images of images.yaml that it uses, by their names there."""
        self.provided: list[Provided] = []
        """What somebody else puts into its namespace."""
        self.encrypted: dict[str, EncryptedFile] = {}
        """Its Secrets that are in Git, by their files."""
        self.claims: list[Claim] = []
        """The hosts that its workloads ask for."""
        self.parts: list[object] = []
        """The workloads and routes that are put into it."""
        self.pods: list[tuple[int, Room]] = []
        """How many pods run here at full scale, and what each of these needs."""
        self.storage: list[tuple[int, str]] = []
        """How many volumes of which size are here."""
        modes = ("enforce", "audit", "warn")
        k8s.KubeNamespace(
            self,
            "namespace",
            metadata=k8s.ObjectMeta(
                name=name,
                labels={
                    "istio-injection": "enabled",
                    **{f"pod-security.kubernetes.io/{mode}": "restricted" for mode in modes},
                },
                annotations=KEEP,
            ),
        )
        reconciler.allow(self, name, self.app_labels)
        for policy, spec in network.of_every_app(environment.dns_addresses).items():
            self.network_policy(policy, spec)

    def image(self, name: str | None = None) -> Image:
        """An image of images.yaml: of the app's own name, unless it has several.

        Raises:
            DefinitionError: images.yaml has none of that name for the environment.
        """
        name = name or self.name
        self.images.add(name)
        return image(self.environment, name)

    def metadata(
        self, name: str, *, labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None
    ) -> k8s.ObjectMeta:
        """Metadata of an object in the app's namespace, with the app's labels unless it has its own."""
        return k8s.ObjectMeta(
            name=name,
            namespace=self.name,
            labels=dict(labels or self.app_labels),
            annotations=dict(annotations) if annotations else None,
        )

    def custom_metadata(self, name: str, labels: Mapping[str, str] | None = None) -> ApiObjectMetadata:
        """The same for the kinds of a CRD."""
        return ApiObjectMetadata(name=name, namespace=self.name, labels=dict(labels or self.app_labels))

    def network_policy(
        self, name: str, spec: k8s.NetworkPolicySpec, labels: Mapping[str, str] | None = None
    ) -> k8s.KubeNetworkPolicy:
        """One more NetworkPolicy in the namespace."""
        metadata = self.metadata(name, labels=labels)
        return k8s.KubeNetworkPolicy(self, f"network-policy-{name}", metadata=metadata, spec=spec)

    def finish(self) -> None:
        """Define what depends on all that runs here."""
        pods = [(count * ROLLOUT_FACTOR, room) for count, room in self.pods]
        requests = total((count, room.requests) for count, room in pods)
        limits = total((count, room.limits) for count, room in pods)
        storage = sum(count * quantity(size) for count, size in self.storage)
        hard = {
            **{f"requests.{name}": amount for name, amount in requests.items()},
            **{f"limits.{name}": amount for name, amount in limits.items()},
            "pods": str(sum(count for count, _ in pods)),
            "persistentvolumeclaims": str(sum(count for count, _ in self.storage)),
            "requests.storage": as_quantity(storage, binary=True),
            # The ingress gateway is the one way in.
            "services.loadbalancers": "0",
            "services.nodeports": "0",
        }
        k8s.KubeResourceQuota(
            self, "quota", metadata=self.metadata(self.name), spec=k8s.ResourceQuotaSpec(hard=quantities(hard))
        )
        most = largest([PROXY.limits, *(room.largest for _, room in pods)])
        each = k8s.LimitRangeItem(
            type="Container",
            default_request=quantities(PROXY.requests),
            default=quantities(PROXY.limits),
            max=quantities(most),
        )
        k8s.KubeLimitRange(self, "limits", metadata=self.metadata(self.name), spec=k8s.LimitRangeSpec(limits=[each]))
