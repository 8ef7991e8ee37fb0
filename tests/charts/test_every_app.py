"""What holds for every application: a new one is tested by being there."""

import pytest

from facts.environments import ENVIRONMENTS, Environment
from synth.quantity import quantity
from tests.deployed import APPS, DEPLOY, objects, root, the

RESTRICTED = "restricted"
GATEWAYS_IDENTITY = "cluster.local/ns/istio-system/sa/istio-ingress"


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


def test_only_the_ingress_gateways_account_may_call_it(app: str) -> None:
    spec = the(app, "AuthorizationPolicy")["spec"]
    assert spec["action"] == "ALLOW"
    assert spec["selector"] == the(app, "Deployment")["spec"]["selector"]
    assert spec["rules"] == [{"from": [{"source": {"principals": [GATEWAYS_IDENTITY]}}]}]


def test_a_failing_pod_is_left_out_but_never_the_last_one(app: str) -> None:
    rule, service = the(app, "DestinationRule")["spec"], the(app, "Service")["metadata"]
    assert rule["host"] == f"{service['name']}.{service['namespace']}.svc.cluster.local"
    policy = rule["trafficPolicy"]
    assert set(policy) == {"connectionPool", "outlierDetection"}
    assert policy["outlierDetection"]["maxEjectionPercent"] < 100
    # Else a pod that is not ready would count among those of which a share may be left out.
    assert policy["outlierDetection"]["minHealthPercent"] > 0
    # An idle timeout would end a WebSocket on which nothing is said for a while.
    assert "idleTimeout" not in {key for pool in policy["connectionPool"].values() for key in pool}


def test_only_requests_that_change_nothing_are_tried_again(app: str) -> None:
    routes = {route["name"]: route for route in the(app, "VirtualService")["spec"]["http"]}
    safe, other = routes["safe"], routes["other"]
    assert list(routes)[-2:] == ["safe", "other"]
    assert [match["method"] for match in safe["match"]] == [{"regex": "GET|HEAD|OPTIONS"}]
    assert safe["retries"]["attempts"] == 2
    assert "perTryTimeout" not in safe["retries"]
    assert other["retries"] == {"attempts": 0}
    assert safe["route"] == other["route"]


def test_http_is_sent_to_https_where_there_is_tls(app: str, environment: Environment) -> None:
    routes = the(app, "VirtualService")["spec"]["http"]
    ports = {match["port"] for route in routes if "route" in route for match in route["match"]}
    redirects = [route for route in routes if "redirect" in route]
    answers = [route["headers"].get("response") for route in routes if "route" in route]
    if environment.tls:
        assert ports == {443}
        assert redirects == [routes[0]]
        assert redirects[0]["redirect"] == {"scheme": "https", "redirectCode": 308}
        # Nothing but the port: only then does Istio put it behind the route of the certificate authority's challenge.
        assert redirects[0]["match"] == [{"port": 80}]
        assert answers == [{"set": {"strict-transport-security": "max-age=31536000"}}] * 2
    else:
        assert (ports, redirects, answers) == ({80}, [], [None, None])


def test_no_visitor_can_tell_it_what_the_gateway_does_not_check(app: str) -> None:
    for route in the(app, "VirtualService")["spec"]["http"]:
        if "route" in route:
            removed = set(route["headers"]["request"]["remove"])
            assert {"forwarded", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-real-ip"} <= removed
            # These the gateway writes itself; without them no app would know its visitor or its own scheme.
            assert not {"x-forwarded-for", "x-forwarded-proto"} & removed


def test_its_pods_have_a_priority_that_there_is(app: str, environment: Environment) -> None:
    priority = the(app, "Deployment")["spec"]["template"]["spec"]["priorityClassName"]
    there = {d["metadata"]["name"]: d["value"] for d in objects(f"{root(environment)}platform/priorities")}
    assert there[priority] <= 0


def test_a_drain_can_always_take_one_of_its_pods_and_never_more(app: str) -> None:
    assert the(app, "PodDisruptionBudget")["spec"] == {
        "maxUnavailable": 1,
        "selector": the(app, "Deployment")["spec"]["selector"],
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }


def test_its_quota_is_for_twice_its_pods_with_their_sidecars(app: str) -> None:
    deployment = the(app, "Deployment")
    scaled = [d["spec"]["maxReplicas"] for d in objects(app) if d["kind"] == "HorizontalPodAutoscaler"]
    pods = 2 * (scaled[0] if scaled else deployment["spec"]["replicas"])
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    hard = the(app, "ResourceQuota")["spec"]["hard"]
    assert hard["pods"] == str(pods)
    for kind, suffix in (("requests", ""), ("limits", "Limit")):
        for resource, name in (("cpu", "CPU"), ("memory", "Memory")):
            sidecar = annotations[f"sidecar.istio.io/proxy{name}{suffix}"]
            one = quantity(container["resources"][kind][resource]) + quantity(sidecar)
            assert quantity(hard[f"{kind}.{resource}"]) == pods * one
    claims = [d for d in objects(app) if d["kind"] == "PersistentVolumeClaim"]
    assert hard["persistentvolumeclaims"] == str(len(claims))
    assert quantity(hard["requests.storage"]) == sum(
        quantity(claim["spec"]["resources"]["requests"]["storage"]) for claim in claims
    )
    assert hard["services.loadbalancers"] == hard["services.nodeports"] == "0"


def test_a_container_that_names_no_resources_gets_some_and_none_may_have_more_than_its_own(app: str) -> None:
    (limits,) = the(app, "LimitRange")["spec"]["limits"]
    (container,) = the(app, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert limits["type"] == "Container"
    for resource in ("cpu", "memory", "ephemeral-storage"):
        most = quantity(limits["max"][resource])
        assert quantity(limits["defaultRequest"][resource]) <= quantity(limits["default"][resource]) <= most
        assert quantity(container["resources"]["limits"][resource]) <= most


def test_an_autoscaled_app_leaves_its_replicas_to_the_autoscaler(app: str) -> None:
    deployment = the(app, "Deployment")
    for scaler in (d["spec"] for d in objects(app) if d["kind"] == "HorizontalPodAutoscaler"):
        assert "replicas" not in deployment["spec"]
        assert scaler["scaleTargetRef"] == {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": deployment["metadata"]["name"],
        }
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        metrics = [metric["containerResource"] for metric in scaler["metrics"]]
        assert [metric["name"] for metric in metrics] == ["cpu", "memory"]
        assert {metric["container"] for metric in metrics} == {container["name"]}
        assert scaler["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300


def test_several_pods_are_spread_and_end_slowly(app: str) -> None:
    deployment = the(app, "Deployment")["spec"]
    pod = deployment["template"]["spec"]
    several = deployment.get("replicas", 2) > 1
    keys = [constraint["topologyKey"] for constraint in pod.get("topologySpreadConstraints", [])]
    assert keys == (["topology.kubernetes.io/zone", "kubernetes.io/hostname"] if several else [])
    for constraint in pod.get("topologySpreadConstraints", []):
        assert constraint["labelSelector"] == deployment["selector"]
    assert [("lifecycle" in container) for container in pod["containers"]] == [several]


def test_every_folder_of_apps_is_listed(environment: Environment) -> None:
    listed = the_kustomization(f"{root(environment)}apps")
    assert sorted(listed) == APPS


def the_kustomization(folder: str) -> list[str]:
    text = (DEPLOY / folder / "kustomization.yaml").read_text("utf-8")
    return [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")]
