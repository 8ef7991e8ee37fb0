"""What holds for every application: a new one is tested by being there."""

import pytest

from charts.environments import ENVIRONMENTS, Environment
from synth.quantity import quantity
from tests.deployed import APPS, DEPLOY, objects, root, the

RESTRICTED = "restricted"


@pytest.fixture(params=ENVIRONMENTS, ids=lambda environment: str(environment.name))
def environment(request: pytest.FixtureRequest) -> Environment:
    found: Environment = request.param
    return found


@pytest.fixture(params=APPS)
def app(request: pytest.FixtureRequest, environment: Environment) -> str:
    """The app's folder in an environment."""
    return f"{root(environment)}apps/{request.param}"


def test_there_are_apps() -> None:
    assert {"graphwiki", "test-app"} <= set(APPS)


def test_its_namespace_is_in_the_mesh_and_demands_the_restricted_standard(app: str) -> None:
    labels = the(app, "Namespace")["metadata"]["labels"]
    assert labels["istio-injection"] == "enabled"
    for mode in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == RESTRICTED


def test_its_pods_meet_the_restricted_standard(app: str) -> None:
    # https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
    pod = the(app, "Deployment")["spec"]["template"]["spec"]
    allowed_volumes = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected"}
    assert {key for volume in pod["volumes"] for key in volume if key not in ("name", "secret")} <= allowed_volumes
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    context = pod["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    for field in ("runAsUser", "runAsGroup", "fsGroup"):
        assert context[field] >= 10000
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert all("hostPort" not in port for port in container["ports"])


def test_its_pods_have_a_small_tmp_and_no_token(app: str) -> None:
    pod = the(app, "Deployment")["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for container in pod["containers"]:
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert quantity(volumes[mounts["/tmp"]]["emptyDir"]["sizeLimit"]) <= quantity("64Mi")
    account = the(app, "ServiceAccount")
    assert pod["serviceAccountName"] == account["metadata"]["name"] != "default"
    assert pod["automountServiceAccountToken"] is False
    assert account["automountServiceAccountToken"] is False


def test_its_containers_have_requests_and_limits(app: str) -> None:
    for container in the(app, "Deployment")["spec"]["template"]["spec"]["containers"]:
        for amounts in (container["resources"]["requests"], container["resources"]["limits"]):
            assert set(amounts) == {"cpu", "memory", "ephemeral-storage"}


def test_its_probes_ask_a_named_port_and_let_it_start_before_they_kill_it(app: str) -> None:
    for container in the(app, "Deployment")["spec"]["template"]["spec"]["containers"]:
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[kind]["httpGet"]["port"] == "http"
        startup, readiness, liveness = (container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness"))
        time = {id(p): p["periodSeconds"] * p["failureThreshold"] for p in (startup, readiness, liveness)}
        assert time[id(startup)] >= 60
        assert time[id(readiness)] < time[id(liveness)]


def test_its_selector_is_its_own_label_and_never_a_hash(app: str) -> None:
    deployment = the(app, "Deployment")
    wanted = {"app.kubernetes.io/name": deployment["metadata"]["name"]}
    assert deployment["spec"]["selector"]["matchLabels"] == wanted
    assert deployment["spec"]["template"]["metadata"]["labels"] == wanted
    assert the(app, "Service")["spec"]["selector"] == wanted


def test_its_service_has_one_named_port_80_to_the_named_port(app: str) -> None:
    assert the(app, "Service")["spec"]["ports"] == [
        {"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}
    ]


def test_no_timeout_cuts_its_long_connections(app: str) -> None:
    for route in the(app, "VirtualService")["spec"]["http"]:
        assert "timeout" not in route
    annotations = the(app, "Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert "proxy.istio.io/config" not in annotations


def test_its_network_is_closed_but_for_the_gateway_dns_istiod_and_prometheus(
    app: str, environment: Environment
) -> None:
    policies = {d["metadata"]["name"]: d["spec"] for d in objects(app) if d["kind"] == "NetworkPolicy"}
    assert policies.pop("default-deny") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    (container,) = the(app, "Deployment")["spec"]["template"]["spec"]["containers"]
    open_ways = {
        (direction, *peer["namespaceSelector"]["matchLabels"].values(), str(peer["podSelector"]["matchLabels"]), port)
        for spec in policies.values()
        for direction, key in (("ingress", "from"), ("egress", "to"))
        for rule in spec.get(direction, [])
        for peer in rule[key]
        for port in (f"{port['port']}/{port['protocol']}" for port in rule["ports"])
    }
    prometheus = ("ingress", "monitoring", "{'app.kubernetes.io/name': 'prometheus'}", "15020/TCP")
    assert open_ways == {
        *({prometheus} if environment.prometheus else ()),
        ("ingress", "istio-system", "{'istio': 'ingress'}", f"{container['ports'][0]['containerPort']}/TCP"),
        ("egress", "kube-system", "{'k8s-app': 'kube-dns'}", "53/UDP"),
        ("egress", "kube-system", "{'k8s-app': 'kube-dns'}", "53/TCP"),
        ("egress", "istio-system", "{'app': 'istiod'}", "15012/TCP"),
    }


def test_its_namespace_and_its_data_survive_a_mistaken_prune(app: str) -> None:
    kept = {d["kind"] for d in objects(app) if d["kind"] in ("Namespace", "PersistentVolumeClaim")}
    for document in objects(app):
        annotations = document["metadata"].get("annotations", {})
        disabled = annotations.get("kustomize.toolkit.fluxcd.io/prune") == "disabled"
        assert disabled == (document["kind"] in kept)


def test_every_folder_of_apps_is_listed(environment: Environment) -> None:
    listed = the_kustomization(f"{root(environment)}apps")
    assert sorted(listed) == APPS


def the_kustomization(folder: str) -> list[str]:
    text = (DEPLOY / folder / "kustomization.yaml").read_text("utf-8")
    return [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")]
