"""NetworkPolicies in the words of this platform: who may reach which pods, and what pods may reach."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_network
from typing import Annotated

from cdk8s_plus_27 import k8s

from charts.shapes.typed import int_or_string
from facts.provided import CLUSTER_DNS, DNS_PORT, ISTIOD, ISTIOD_PORT
from synth.cluster import NAMESPACE_LABEL, Provided
from synth.forms import Form, PortNumber, formed
from synth.mesh import CLUSTER_DOMAIN, SPOKEN
from synth.names import SUBDOMAIN

EVERY_ADDRESS = "0.0.0.0/0"
PRIVATE_ADDRESSES = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""Where a cluster's own pods, Services and nodes are: https://www.rfc-editor.org/rfc/rfc1918#section-3"""

NARROW = 8
"""How many bits of a network are given at least: nobody was ever given more addresses than these."""

PRIVATE = (".corp", ".home", ".home.arpa", ".internal", ".intranet", ".lan", ".local", ".private")
"""How names end that have no public address: https://www.rfc-editor.org/rfc/rfc6762#appendix-G, .internal by ICANN."""
OF_THE_NODE = ("metadata.google.internal",)
"""Names that end so and have an address of the node itself, to which the policy lets out."""


def _protocol(value: str) -> str | None:
    # The NetworkPolicy opens a port of TCP.
    known = [name for name in SPOKEN if name != "UDP"]
    return None if value.upper() in known else f"is none that Istio knows: TCP is for any other than {', '.join(known)}"


Protocol = Annotated[str, Form(_protocol)]


@formed
@dataclass(frozen=True)
class Outside:
    """A place outside the cluster that a pod may reach, by its `host` name or by its `addresses` (`203.0.113.7/32`).

    `protocol` is Istio's name for what is spoken there: TLS, HTTP, TCP, ... A host's addresses may change, so the
    NetworkPolicy lets its port out to every public address.
    https://istio.io/latest/docs/reference/config/networking/service-entry/

    Raises:
        ValueError: it has both or neither, one of them cannot be one, or a host is of a private network.
    """

    host: str = ""
    addresses: Sequence[str] = ()
    port: PortNumber = 443
    protocol: Protocol = "TLS"

    def __post_init__(self) -> None:
        if bool(self.host) == bool(self.addresses):
            raise ValueError(
                'what a pod reaches outside is a host or addresses: Outside("api.example.com") or '
                'Outside(addresses=["203.0.113.7/32"], port=5432, protocol="TCP")'
            )
        if self.host and not SUBDOMAIN.fullmatch(self.host.removeprefix("*.")):
            raise ValueError(f"host {self.host!r} outside is no host name: api.example.com is one, without a scheme")
        if self.host.startswith("*.") and "." not in self.host.removeprefix("*."):
            raise ValueError(
                f"host {self.host!r} outside is everybody's: name the hosts, or those of one owner, as in *.example.com"
            )
        elsewhere = self.host in OF_THE_NODE or self.host.endswith(CLUSTER_DOMAIN)
        if self.host.endswith(PRIVATE) and not elsewhere:
            raise ValueError(
                f"host {self.host!r} outside is of a private network, and pods are let out to public addresses of a "
                'host alone: write its own, as in Outside(addresses=["10.20.0.7/32"], port=5432, protocol="TCP")'
            )
        for address in self.addresses:
            try:
                network = ip_network(address)
            except ValueError:
                raise ValueError(f"address {address!r} outside is none: 203.0.113.0/24 is one") from None
            if network.is_loopback or network.is_multicast:
                raise ValueError(f"address {address!r} outside is no server's elsewhere: 203.0.113.0/24 is one")
            if network.prefixlen < NARROW:
                raise ValueError(
                    f"address {address!r} outside is nearly everybody: name the networks that are meant, as in "
                    'Outside(addresses=["203.0.113.0/24"], port=5432, protocol="TCP"), or a host'
                )

    @property
    def name(self) -> str:
        place = self.host.removeprefix("*.") or self.addresses[0]
        return "".join(letter if letter.isalnum() else "-" for letter in place.lower())

    def peers(self) -> list[k8s.NetworkPolicyPeer]:
        return [address(item) for item in self.addresses] or [everywhere_outside()]


def from_peers(
    labels: Mapping[str, str], peers: Iterable[k8s.NetworkPolicyPeer], ports: Iterable[int]
) -> k8s.NetworkPolicySpec:
    """Let peers reach ports of the pods with these labels."""
    rule = k8s.NetworkPolicyIngressRule(from_=list(peers), ports=[port(number) for number in ports])
    return k8s.NetworkPolicySpec(
        pod_selector=k8s.LabelSelector(match_labels=dict(labels)), policy_types=["Ingress"], ingress=[rule]
    )


def to_peers(
    labels: Mapping[str, str] | None, peers: Iterable[k8s.NetworkPolicyPeer], ports: Iterable[k8s.NetworkPolicyPort]
) -> k8s.NetworkPolicySpec:
    """Let the pods with these labels, or all of a namespace, reach ports of peers."""
    rule = k8s.NetworkPolicyEgressRule(to=list(peers), ports=list(ports))
    selector = k8s.LabelSelector(match_labels=dict(labels) if labels else None)
    return k8s.NetworkPolicySpec(pod_selector=selector, policy_types=["Egress"], egress=[rule])


def peer(pods: Provided) -> k8s.NetworkPolicyPeer:
    """Pods that something else puts into the cluster."""
    return pods_of(pods.namespace, pods.labels)


def pods_of(namespace: str, labels: Mapping[str, str]) -> k8s.NetworkPolicyPeer:
    return k8s.NetworkPolicyPeer(
        namespace_selector=k8s.LabelSelector(match_labels={NAMESPACE_LABEL: namespace}),
        pod_selector=k8s.LabelSelector(match_labels=dict(labels)),
    )


def address(text: str) -> k8s.NetworkPolicyPeer:
    return k8s.NetworkPolicyPeer(ip_block=k8s.IpBlock(cidr=str(ip_network(text))))


@cache
def everywhere_outside() -> k8s.NetworkPolicyPeer:
    return k8s.NetworkPolicyPeer(ip_block=k8s.IpBlock(cidr=EVERY_ADDRESS, except_=list(PRIVATE_ADDRESSES)))


@cache
def port(number: int, protocol: str = "TCP") -> k8s.NetworkPolicyPort:
    return k8s.NetworkPolicyPort(port=int_or_string(number), protocol=protocol)


@cache
def of_every_app(dns_addresses: tuple[str, ...]) -> dict[str, k8s.NetworkPolicySpec]:
    """What is the same for every app, made once: typed objects are checked field by field, which takes its time."""
    dns = [port(DNS_PORT, protocol) for protocol in ("UDP", "TCP")]
    return {
        "default-deny": k8s.NetworkPolicySpec(pod_selector=k8s.LabelSelector(), policy_types=["Ingress", "Egress"]),
        "allow-dns": to_peers(None, [peer(CLUSTER_DNS), *map(address, dns_addresses)], dns),
        "allow-istiod": to_peers(None, [peer(ISTIOD)], [port(ISTIOD_PORT)]),
    }
