"""What every kind of workload does with its pod: an account, policies, a place in the quota, and the pod's template."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from cdk8s import JsonPatch
from cdk8s_plus_27 import k8s

from charts.shapes import exemptions, network
from charts.shapes.app import NAME_LABEL, App
from charts.shapes.container import Container
from charts.shapes.exemptions import Exemption
from charts.shapes.pod import GRACE_SECONDS, Pod, restricted, token_mount
from charts.shapes.storage import Volume
from charts.shapes.typed import int_or_string
from facts.provided import INGRESS_GATEWAY, INGRESS_GATEWAY_ACCOUNT, MERGED_METRICS_PORT, PROMETHEUS
from imports.io.istio.networking import (
    ServiceEntry,
    ServiceEntrySpec,
    ServiceEntrySpecLocation,
    ServiceEntrySpecPorts,
    ServiceEntrySpecResolution,
)
from imports.io.istio.security import (
    AuthorizationPolicy,
    AuthorizationPolicySpec,
    AuthorizationPolicySpecAction,
    AuthorizationPolicySpecRules,
    AuthorizationPolicySpecRulesFrom,
    AuthorizationPolicySpecRulesFromSource,
    AuthorizationPolicySpecSelector,
)
from synth import DefinitionError
from synth.cluster import Provided
from synth.images import LATEST
from synth.patches import write
from synth.tree import module_of

API_PORTS = (443, 6443)
"""Where an API server is, behind the Service `kubernetes` and on its own nodes."""


def principal(namespace: str, account: str) -> str:
    """A pod's identity in the mesh.

    https://istio.io/latest/docs/concepts/security/#istio-identity
    """
    return f"cluster.local/ns/{namespace}/sa/{account}"


class Workload:
    """A pod as it runs in an app: `count` of them at full scale, all the time or, if not `lasting`, now and then.

    Its account, its policies and its Role come into being with it, its place in the app's quota too. Nobody may call
    it but the ingress gateway, where it is `behind_gateway`, and the workloads that say that they call it. The kinds of
    workload derive from it.

    Raises:
        ValueError: another workload of the app has its name, an image is not as the environment wants it, a container
            cannot be asked, or a volume is another node's.
    """

    serves: ClassVar[bool] = True
    """Whether a kind of workload runs until it is replaced, so that it must be asked whether it still can."""
    revision_label: ClassVar[str] = "pod-template-hash"
    """What Kubernetes puts on pods to tell those of one template from those of the next."""

    def __init__(self, app: App, name: str, pod: Pod, *, count: int, behind_gateway: bool = False) -> None:
        self.app = app
        self.name = name
        self.pod = pod
        self.labels = {NAME_LABEL: name}
        self.authorization: AuthorizationPolicy | None = None
        self._has_callers = behind_gateway
        if any(isinstance(other, Workload) and other.name == name for other in app.parts):
            raise ValueError(f"{app.name} has two workloads called {name}: give one of them another name")
        for container in pod.all_containers:
            container.check_image(app.environment)
        for container in pod.containers if self.serves else ():
            if not container.can_be_asked:
                raise ValueError(
                    f"{container.name} has neither a port nor a command to ask it by: write "
                    "health=Health(command=[...]), a command that ends with 0 as long as it works"
                )
        app.pods.append((count, pod.room))
        app.parts.append(self)
        self._beside = self._mount()
        self.service_account = k8s.KubeServiceAccount(
            app, f"account-{name}", metadata=self.metadata(), automount_service_account_token=False
        )
        if behind_gateway:
            self._allow("ingress-gateway", [network.peer(INGRESS_GATEWAY)], [port.number for port in pod.ports])
        if pod.ports:
            self._authorize([INGRESS_GATEWAY_ACCOUNT] if behind_gateway else [])
        if app.environment.prometheus and pod.proxy and self.serves:
            self._allow("prometheus", [network.peer(PROMETHEUS)], [MERGED_METRICS_PORT])
        for outside in pod.outside:
            self._reach(outside)
        if pod.permissions:
            self._permit()

    def metadata(self, annotations: Mapping[str, str] | None = None) -> k8s.ObjectMeta:
        return self.app.metadata(self.name, labels=self.labels, annotations=annotations)

    @property
    def alone(self) -> bool:
        """Whether a volume is free only when the old pod is gone."""
        return any(not volume.shared for volume in self.pod.claims)

    @property
    def host(self) -> str:
        """The full name of its Service."""
        return f"{self.name}.{self.app.name}.svc.cluster.local"

    def call(self, target: "Workload") -> None:
        """Let this workload's pods call another's: the policies of both, for the network and for the mesh.

        Raises:
            DefinitionError: the other one offers nothing to call.
        """
        if target.authorization is None:
            raise DefinitionError(
                f"{self.name} calls {target.name}, which has no port: leave it out of calls ({module_of(self.app)})"
            )
        ports = [port.number for port in target.pod.ports]
        self.app.network_policy(
            self._policy_name(f"allow-to-{target.name}"),
            network.to_peers(
                self.labels, [network.pods_of(target.app.name, target.labels)], [network.port(port) for port in ports]
            ),
            self.labels,
        )
        target._allow(f"from-{self.name}", [network.pods_of(self.app.name, self.labels)], ports)
        account = principal(self.app.name, self.name)
        if target._has_callers:
            patch = JsonPatch.add("/spec/rules/0/from/0/source/principals/-", account)
        else:
            patch = JsonPatch.add("/spec/rules", [{"from": [{"source": {"principals": [account]}}]}])
        target._has_callers = True
        target.authorization.add_json_patch(patch)

    def template(self, *, spread: bool = False, restart_policy: str | None = None) -> k8s.PodTemplateSpec:
        """The pods of the workload; `spread` puts several over zones and nodes."""
        pod = self.pod
        environment = self.app.environment

        def typed(container: Container, *, main: bool) -> k8s.Container:
            return container.typed(
                environment,
                tmp=pod.tmp(container),
                probes=main and self.serves,
                more_mounts=[token_mount()] if pod.permissions else [],
            )

        spec = k8s.PodSpec(
            service_account_name=self.name,
            automount_service_account_token=False,
            enable_service_links=False,
            priority_class_name=pod.priority.value,
            restart_policy=restart_policy,
            termination_grace_period_seconds=pod.grace_seconds if pod.grace_seconds != GRACE_SECONDS else None,
            security_context=restricted(),
            image_pull_secrets=[k8s.LocalObjectReference(name=pod.pull_secret.name)] if pod.pull_secret else None,
            node_selector=dict(pod.node_labels) if pod.node_labels else None,
            affinity=self._beside,
            init_containers=[typed(container, main=False) for container in pod.init] or None,
            containers=[typed(container, main=True) for container in pod.containers],
            topology_spread_constraints=self._spread() if spread else None,
            volumes=list(pod.volumes()),
        )
        # https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/#controlling-the-injection-policy
        labels = self.labels if pod.proxy else {**self.labels, "sidecar.istio.io/inject": "false"}
        metadata = k8s.ObjectMeta(labels=labels, annotations=pod.annotations() or None)
        return k8s.PodTemplateSpec(metadata=metadata, spec=spec)

    def drain(self, kind: str) -> None:
        """Let a pod serve for a while when it is told to end: so long it is asked by who has not heard of its end.

        Kubernetes sleeps itself, so that the image needs no `sleep`; the typed classes do not know of that.
        https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/
        """
        target = ("apps/v1", kind, self.name)
        hook = {"preStop": {"sleep": {"seconds": self.pod.drain_seconds}}}
        for index, _ in enumerate(self.pod.containers if self.pod.drain_seconds else ()):
            write(self.app, target, f"/spec/template/spec/containers/{index}/lifecycle", hook)

    def service_ports(self) -> list[k8s.ServicePort]:
        return [
            k8s.ServicePort(name=port.name, port=port.service, target_port=int_or_string(port.name), protocol="TCP")
            for port in self.pod.ports
        ]

    def exemptions(self) -> Iterator[Exemption]:
        """Rules of the linters that the pods break on purpose."""
        environment = self.app.environment
        images = [container.image.taken_by(environment) for container in self.pod.all_containers]
        by_tag = [image for image in images if not image.digest]
        if self.serves and any(container.is_asked_alike for container in self.pod.containers):
            yield exemptions.ASKED_ALIKE
        if any(image.digest for image in images):
            yield exemptions.UNMOVING
        if by_tag:
            yield exemptions.NO_DIGEST
            if environment.registry is None:
                yield exemptions.IMPORTED
        if any(image.tag == LATEST for image in by_tag):
            yield exemptions.LATEST
        if any(container.has_secret_variables for container in self.pod.all_containers):
            yield exemptions.VARIABLE

    def _authorize(self, accounts: list[Provided]) -> None:
        """Let these accounts call the pod, and no other; with none it refuses everybody, until somebody calls it."""
        principals = [principal(account.namespace, account.name) for account in accounts]
        source = AuthorizationPolicySpecRulesFromSource(principals=principals)
        rule = AuthorizationPolicySpecRules(from_=[AuthorizationPolicySpecRulesFrom(source=source)])
        self.authorization = AuthorizationPolicy(
            self.app,
            f"authorization-{self.name}",
            metadata=self.app.custom_metadata(self.name, self.labels),
            spec=AuthorizationPolicySpec(
                selector=AuthorizationPolicySpecSelector(match_labels=self.labels),
                action=AuthorizationPolicySpecAction.ALLOW,
                rules=[rule] if principals else None,
            ),
        )

    def _mount(self) -> k8s.Affinity | None:
        """Say of each volume who uses it; where a pod that is always there has it, this one goes to the same node."""
        beside = [volume.user for volume in self.pod.claims if not volume.shared and volume.user]
        for volume in self.pod.claims:
            self._take(volume)
        if not beside:
            return None
        terms = [
            k8s.PodAffinityTerm(
                topology_key="kubernetes.io/hostname", label_selector=k8s.LabelSelector(match_labels=dict(labels))
            )
            for labels in beside
        ]
        return k8s.Affinity(pod_affinity=k8s.PodAffinity(required_during_scheduling_ignored_during_execution=terms))

    def _take(self, volume: Volume) -> None:
        if volume.shared or volume.user:
            return
        if self.serves and volume.visited:
            raise ValueError(
                f"{self.name} has volume {volume.name}, which a job defined before it mounts too: define {self.name} "
                "first, so that the job's pods go to its node"
            )
        if self.serves:
            volume.user = self.labels
        else:
            volume.visited = True

    def _policy_name(self, name: str) -> str:
        return name if self.name == self.app.name else f"{name}-{self.name}"

    def _allow(self, who: str, peers: list[k8s.NetworkPolicyPeer], ports: list[int]) -> None:
        spec = network.from_peers(self.labels, peers, ports)
        self.app.network_policy(self._policy_name(f"allow-{who}"), spec, self.labels)

    def _reach(self, outside: network.Outside) -> None:
        name = f"{self.name}-to-{outside.name}"
        spec = network.to_peers(self.labels, outside.peers(), [network.port(outside.port)])
        self.app.network_policy(self._policy_name(f"allow-to-{outside.name}-{outside.port}"), spec, self.labels)
        by_name = bool(outside.host) and not outside.host.startswith("*.")
        resolution = ServiceEntrySpecResolution.DNS if by_name else ServiceEntrySpecResolution.NONE
        ServiceEntry(
            self.app,
            f"service-entry-{name}-{outside.port}",
            metadata=self.app.custom_metadata(f"{name}-{outside.port}", self.labels),
            spec=ServiceEntrySpec(
                hosts=[outside.host or f"{outside.name}.outside.internal"],
                addresses=list(outside.addresses) or None,
                location=ServiceEntrySpecLocation.MESH_UNDERSCORE_EXTERNAL,
                resolution=resolution,
                export_to=["."],
                ports=[
                    ServiceEntrySpecPorts(
                        number=outside.port,
                        name=f"{outside.protocol.lower()}-{outside.port}",
                        protocol=outside.protocol,
                    )
                ],
            ),
        )

    def _permit(self) -> None:
        rules = [
            k8s.PolicyRule(
                api_groups=list(permission.groups),
                resources=list(permission.resources),
                resource_names=list(permission.names) or None,
                verbs=list(permission.verbs),
            )
            for permission in self.pod.permissions
        ]
        k8s.KubeRole(self.app, f"role-{self.name}", metadata=self.metadata(), rules=rules)
        k8s.KubeRoleBinding(
            self.app,
            f"role-binding-{self.name}",
            metadata=self.metadata(),
            role_ref=k8s.RoleRef(api_group="rbac.authorization.k8s.io", kind="Role", name=self.name),
            subjects=[k8s.Subject(kind="ServiceAccount", name=self.name, namespace=self.app.name)],
        )
        peers = [network.address(cidr) for cidr in network.PRIVATE_ADDRESSES]
        spec = network.to_peers(self.labels, peers, [network.port(port) for port in API_PORTS])
        self.app.network_policy(self._policy_name("allow-api-server"), spec, self.labels)

    def _spread(self) -> list[k8s.TopologySpreadConstraint]:
        """Over zones and nodes as evenly as can be, but better together than not at all."""
        return [
            k8s.TopologySpreadConstraint(
                topology_key=topology_key,
                max_skew=1,
                when_unsatisfiable="ScheduleAnyway",
                label_selector=k8s.LabelSelector(match_labels=self.labels),
                # During a rollout the new pods are spread among themselves.
                match_label_keys=[self.revision_label],
            )
            for topology_key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ]
