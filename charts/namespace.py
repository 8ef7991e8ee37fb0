"""An app's namespace: what may run in it, how much of it, and that nothing reaches it unasked."""

from collections.abc import Iterable
from functools import cache
from ipaddress import ip_network

from cdk8s_plus_27 import k8s
from constructs import Construct

from charts.cluster import CLUSTER_DNS, DNS_PORT, ISTIOD, ISTIOD_PORT, KEEP
from charts.resources import SIDECAR, Resources, quantities
from synth.cluster import NAMESPACE_LABEL, Provided
from synth.pods import RESOURCES
from synth.quantity import as_quantity, quantity

ROLLOUT_FACTOR = 2
"""The quota is for twice the pods at full scale: while they end, pods that a rollout replaces count as well."""


class AppNamespace:
    """A namespace for one app of at most `pods` pods, each with a container of `resources` and Istio's proxy.

    Pods must meet the "restricted" Pod Security Standard
    (https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted). They reach DNS and istiod and
    nothing else, and nothing reaches them, but for what further policies allow. `storage` are the sizes of its volumes.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        labels: dict[str, str],
        pods: int,
        resources: Resources,
        storage: list[str],
        dns_addresses: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self._scope = scope
        self._labels = labels
        modes = ("enforce", "audit", "warn")
        k8s.KubeNamespace(
            self._scope,
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
        self._define_quota(pods * ROLLOUT_FACTOR, resources, storage)
        self._define_limits(resources)
        for policy, spec in _for_every_app(dns_addresses).items():
            self.network_policy(policy, spec)

    def metadata(self, name: str, annotations: dict[str, str] | None = None) -> k8s.ObjectMeta:
        """Metadata of an object in the namespace, with the app's labels."""
        return k8s.ObjectMeta(name=name, namespace=self.name, labels=self._labels, annotations=annotations)

    def network_policy(self, name: str, spec: k8s.NetworkPolicySpec) -> None:
        k8s.KubeNetworkPolicy(self._scope, name, metadata=self.metadata(name), spec=spec)

    def allow_from(self, name: str, pods: Provided, port: int) -> None:
        """Let pods of another namespace reach one port of the app."""
        self.network_policy(
            name,
            k8s.NetworkPolicySpec(
                pod_selector=k8s.LabelSelector(match_labels=self._labels),
                policy_types=["Ingress"],
                ingress=[k8s.NetworkPolicyIngressRule(from_=[_peer(pods)], ports=[_network_port(port, "TCP")])],
            ),
        )

    def _define_quota(self, pods: int, resources: Resources, storage: list[str]) -> None:
        requests = _sums((resources.requests, SIDECAR.requests), pods)
        limits = _sums((resources.limits, SIDECAR.limits), pods)
        hard = {
            **{f"requests.{name}": amount for name, amount in requests.items()},
            **{f"limits.{name}": amount for name, amount in limits.items()},
            "pods": str(pods),
            "persistentvolumeclaims": str(len(storage)),
            "requests.storage": as_quantity(sum(map(quantity, storage)), binary=True),
            # The ingress gateway is the one way in.
            "services.loadbalancers": "0",
            "services.nodeports": "0",
        }
        k8s.KubeResourceQuota(
            self._scope, "quota", metadata=self.metadata(self.name), spec=k8s.ResourceQuotaSpec(hard=quantities(hard))
        )

    def _define_limits(self, resources: Resources) -> None:
        most = {name: max(limit, SIDECAR.limits[name], key=quantity) for name, limit in resources.limits.items()}
        k8s.KubeLimitRange(
            self._scope,
            "limits",
            metadata=self.metadata(self.name),
            spec=k8s.LimitRangeSpec(
                limits=[
                    k8s.LimitRangeItem(
                        type="Container",
                        default_request=quantities(SIDECAR.requests),
                        default=quantities(SIDECAR.limits),
                        max=quantities(most),
                    )
                ]
            ),
        )


@cache
def _for_every_app(dns_addresses: tuple[str, ...]) -> dict[str, k8s.NetworkPolicySpec]:
    """What is the same for every app, made once: typed objects are checked field by field, which takes its time."""
    everything = k8s.LabelSelector()
    return {
        "default-deny": k8s.NetworkPolicySpec(pod_selector=everything, policy_types=["Ingress", "Egress"]),
        "allow-dns": _to([_peer(CLUSTER_DNS), *map(_address, dns_addresses)], DNS_PORT, ("UDP", "TCP")),
        "allow-istiod": _to([_peer(ISTIOD)], ISTIOD_PORT, ("TCP",)),
    }


def _to(peers: list[k8s.NetworkPolicyPeer], port: int, protocols: tuple[str, ...]) -> k8s.NetworkPolicySpec:
    rule = k8s.NetworkPolicyEgressRule(to=peers, ports=[_network_port(port, protocol) for protocol in protocols])
    return k8s.NetworkPolicySpec(pod_selector=k8s.LabelSelector(), policy_types=["Egress"], egress=[rule])


# A port lives in Node: one crossing for each that is different, not for each use.
@cache
def int_or_string(value: int | str) -> k8s.IntOrString:
    """A port by number or name, or a count of pods, as the typed classes take them."""
    return k8s.IntOrString.from_string(value) if isinstance(value, str) else k8s.IntOrString.from_number(value)


def _sums(containers: Iterable[dict[str, str]], pods: int) -> dict[str, str]:
    """What so many pods of these containers need of each resource."""
    amounts = list(containers)
    return {
        name: as_quantity(pods * sum(quantity(amount[name]) for amount in amounts), binary=name != "cpu")
        for name in RESOURCES
    }


def _peer(pods: Provided) -> k8s.NetworkPolicyPeer:
    return k8s.NetworkPolicyPeer(
        namespace_selector=k8s.LabelSelector(match_labels={NAMESPACE_LABEL: pods.namespace}),
        pod_selector=k8s.LabelSelector(match_labels=dict(pods.labels)),
    )


def _address(text: str) -> k8s.NetworkPolicyPeer:
    address = ip_network(text)
    return k8s.NetworkPolicyPeer(ip_block=k8s.IpBlock(cidr=str(address)))


def _network_port(port: int, protocol: str) -> k8s.NetworkPolicyPort:
    return k8s.NetworkPolicyPort(port=int_or_string(port), protocol=protocol)
