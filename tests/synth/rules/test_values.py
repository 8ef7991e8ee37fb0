"""Rules for single values of Kubernetes' own kinds: what the API server refuses gives its sentence."""

from typing import Any

import pytest

from synth.manifest import Document
from synth.rules.fields import check_fields
from synth.tree import Object
from tests.synth.objects import POD, environment, find, put

CONTAINER = f"{POD}/containers/0"


def told(document: Document) -> list[str]:
    return list(check_fields(Object(document, "charts/wiki.py", "deploy/apps/wiki/it.yaml")))


def changed(kind: str, path: str, value: Any) -> Document:
    document = find(environment(), kind)
    put(document, path, value)
    return document


def config_map(**fields: Any) -> Document:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "wiki", "namespace": "wiki"}, **fields}


def job(**pod: Any) -> Document:
    template = find(environment(), "Deployment")["spec"]["template"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        del template["spec"]["containers"][0][probe]
    template["spec"] |= {"restartPolicy": "Never", **pod}
    metadata = {"name": "wiki", "namespace": "wiki"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": template}}


def strategy(**update: Any) -> dict[str, Any]:
    return {"type": "RollingUpdate", "rollingUpdate": update}


def secret(**source: Any) -> dict[str, Any]:
    return {"name": "pages", "secret": {"secretName": "key", **source}}


IP_OF_A_VISITOR = {"ports": [{"port": 80}], "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}}}
EXTERNAL = {"type": "ExternalName"}
TWO_PORTS = [{"name": "http", "port": 80}, {"name": "more", "port": 81}]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (
            changed("Deployment", f"{CONTAINER}/imagePullPolicy", "Sometimes"),
            "imagePullPolicy 'Sometimes': there are Alw",
        ),
        (changed("Deployment", f"{POD}/dnsPolicy", "Cluster"), "dnsPolicy 'Cluster': there are ClusterFirst"),
        (changed("PersistentVolumeClaim", "spec/accessModes", ["RWO"]), "accessModes 'RWO': there are ReadWriteOnce"),
        (changed("NetworkPolicy", "spec/policyTypes", ["ingress"]), "policyTypes 'ingress': there are Ingress, Egress"),
        (changed("Deployment", "spec/replicas", -1), "spec.replicas -1: it is 0 at least"),
        (
            changed("Deployment", f"{CONTAINER}/livenessProbe/failureThreshold", 0),
            "failureThreshold 0: it is 1 at least",
        ),
        (changed("Deployment", f"{CONTAINER}/livenessProbe/periodSeconds", -1), "periodSeconds -1: it is 1 at least"),
        (changed("Deployment", f"{POD}/terminationGracePeriodSeconds", -1), "it is 0 at least"),
        (changed("Deployment", f"{POD}/restartPolicy", "Never"), "restartPolicy Never: a Deployment takes Always"),
        (job(restartPolicy="Always"), "restartPolicy Always: a Job takes Never or OnFailure"),
        (
            changed("Deployment", "spec/strategy", {"type": "Rolling"}),
            "strategy 'Rolling': there are RollingUpdate, Re",
        ),
        (
            changed("Deployment", "spec/strategy", {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
            "has strategy Recreate and rollingUpdate",
        ),
        (
            changed("Deployment", "spec/strategy", strategy(maxSurge=0, maxUnavailable="0%")),
            "maxSurge and maxUnavailable 0, which can never begin",
        ),
        (changed("Deployment", "spec/minReadySeconds", 600), "minReadySeconds 600, which no rollout lasts"),
        (changed("Deployment", "spec/selector", {"matchLabels": {}}), "has an empty selector"),
        (changed("Service", "spec/type", "NodePort"), "is of type NodePort, which opens a port of every node"),
        (changed("Service", "spec/type", "LoadBalancer"), "is of type LoadBalancer, which asks the cloud"),
        (changed("Service", "spec/type", "ExternalName"), "has no externalName"),
        (changed("Service", "spec/ports/0/nodePort", 30080), "has a nodePort, which a Service of type ClusterIP"),
        (changed("Service", "spec/ports", [{"port": 80}, {"name": "more", "port": 81}]), "one of them without a name"),
        (changed("Service", "spec/ports", [*TWO_PORTS, {"name": "b", "port": 80}]), "two ports with the port 80/TCP"),
        (changed("Service", "spec/ports", [*TWO_PORTS, {"name": "http", "port": 9}]), "two ports with the name http"),
        (
            changed("Service", "spec/externalTrafficPolicy", "Local"),
            "has externalTrafficPolicy, which is for a Service",
        ),
        (changed("Service", "spec/loadBalancerIP", "192.0.2.7"), "has loadBalancerIP, which is for a Service that is"),
        (changed("Service", "spec/healthCheckNodePort", 30080), "has healthCheckNodePort, which is for a Service that"),
        (changed("Service", "spec/externalIPs", ["192.0.2.7"]), "takes what is for 192.0.2.7 from every node"),
        (changed("Service", "spec/sessionAffinityConfig", {"clientIP": {}}), "sessionAffinity ClientIP alone has"),
        (changed("Service", "spec/trafficDistribution", "Close"), "trafficDistribution 'Close': there are PreferClose"),
        (changed("Deployment", f"{POD}/activeDeadlineSeconds", 60), "which those of a Job alone may have"),
        (job(volumes=[secret(defaultMode=644)]), "defaultMode 644, which is no mode of a file: write 0o644 for what"),
        (job(volumes=[secret(defaultMode=440)]), "defaultMode 440, which is 670 in octal: write 0o440 for what is 440"),
        (job(volumes=[secret(defaultMode=999)]), "which is no mode of a file: there are 0o000 to 0o777, as in 0o644"),
        (
            job(volumes=[secret(items=[{"key": "a", "path": "a", "mode": 600}])]),
            "secret.items[0].mode 600, which is no mode of a file: write 0o600",
        ),
        (config_map(data={"a": True}), "has data[a] True, which is no text: put it in quotes"),
        (config_map(data={"a": "b"}, binaryData={"a": "Yg=="}), "has a in data and in binaryData"),
        (config_map(data={"a": "x" * 1024 * 1024 + "x"}), "bytes of data, and the API server takes 1048576"),
        (
            job(volumes=[{"name": "pages", "emptyDir": {}, "secret": {}}]),
            "pages with emptyDir and secret: a volume has one",
        ),
        (job(dnsPolicy="None"), "dnsPolicy None and no nameservers"),
        (job(ephemeralContainers=[{"name": "debug"}]), "has ephemeralContainers, which are added to a running pod"),
        (job(tolerations=[{"key": "a", "operator": "In"}]), "by the operator 'In': there are Equal, Exists"),
        (job(tolerations=[{"key": "a", "operator": "Exists", "value": "b"}]), "and names the value b"),
        (
            changed("Service", "spec", EXTERNAL | {"externalName": "192.0.2.1"}),
            "stands for 192.0.2.1, which is an address",
        ),
        (changed("Service", "spec", EXTERNAL | {"externalName": "2001:db8::1"}), "2001:db8::1, which is an address"),
        (job(tolerations=[{"value": "b"}]), "tolerates a taint without its key"),
        (job(tolerations=[{"key": "a", "effect": "NoRun"}]), "effect 'NoRun': there are NoSchedule"),
        (job(tolerations=[{"key": "a", "tolerationSeconds": 5}]), "tolerates a for some seconds"),
        (
            changed("Deployment", f"{CONTAINER}/env/0/valueFrom", {"fieldRef": {"fieldPath": "metadata.name"}}),
            "with value and valueFrom for DEBUG",
        ),
        (changed("Deployment", f"{CONTAINER}/resources/limits/gpu", "1"), "ask for gpu, which no node has"),
        (changed("Deployment", f"{CONTAINER}/resources/requests/a.example~gpu", "1"), "that is not its limit"),
        (changed("Deployment", f"{CONTAINER}/resources/limits/a.example~gpu", "0.5"), "it comes whole"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_server_refuses_gives_its_sentence(document: Document, problem: str) -> None:
    resources = (
        document.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [{}])[0].get("resources", {})
    )
    for amounts in resources.values():
        for name in [name for name in amounts if "~" in name]:
            amounts[name.replace("~", "/")] = amounts.pop(name)
    found = told(document)
    assert len(found) == 1, found
    assert problem in found[0]


@pytest.mark.parametrize(
    "document",
    [
        changed("Deployment", f"{CONTAINER}/imagePullPolicy", "Always"),
        changed("Deployment", "spec/strategy", strategy(maxSurge=1, maxUnavailable=0)),
        changed("Deployment", "spec/strategy", strategy(maxUnavailable=1)),
        changed("Deployment", "spec/minReadySeconds", 20),
        changed("Deployment", "spec/replicas", 0),
        changed("Service", "spec/ports", TWO_PORTS),
        changed("Service", "spec", {**IP_OF_A_VISITOR, "sessionAffinity": "ClientIP"}),
        changed("Service", "spec/trafficDistribution", "PreferSameZone"),
        job(activeDeadlineSeconds=60),
        *[job(volumes=[secret(defaultMode=mode)]) for mode in (0o400, 0o440, 0o444, 0o600, 0o644, 0o755, 0o777)],
        changed("Service", "spec/ports", [*TWO_PORTS, {"name": "b", "port": 80, "protocol": "UDP"}]),
        changed("Service", "spec", {"type": "ExternalName", "externalName": "db.example.org"}),
        changed("Service", "spec", {"type": "ExternalName", "externalName": "1.db.example.org"}),
        config_map(data={"a": "true"}, binaryData={"b": "Yg=="}),
        config_map(data={"a": "x" * 1024 * 1024}),
        job(),
        job(restartPolicy="OnFailure"),
        job(dnsPolicy="None", dnsConfig={"nameservers": ["192.0.2.1"]}),
        job(tolerations=[{"operator": "Exists"}, {"key": "a", "value": "b", "effect": "NoSchedule"}]),
        job(tolerations=[{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}]),
    ],
)
def test_what_it_takes_is_left_alone(document: Document) -> None:
    assert told(document) == []


def test_the_kinds_of_others_have_their_own_words() -> None:
    release = {"apiVersion": "example.com/v1", "kind": "Store", "metadata": {"name": "a", "namespace": "wiki"}}
    assert told({**release, "spec": {"replicas": -1, "protocol": "postgres"}}) == []
