"""The facts of the running wiki."""

from tests.deployed import the

FOLDER = "apps/graphwiki"


def test_one_pod_at_a_time_on_its_volume() -> None:
    spec = the(FOLDER, "Deployment")["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}


def test_its_container() -> None:
    deployment = the(FOLDER, "Deployment")
    assert deployment["metadata"]["namespace"] == "graphwiki"
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "graphwiki:latest"
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert container["ports"] == [{"name": "http", "containerPort": 8000, "protocol": "TCP"}]
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    assert variables["GRAPHWIKI_DATA_DIR"] in [mount["mountPath"] for mount in container["volumeMounts"]]
    assert variables["GRAPHWIKI_DEBUG"] == "false"
    assert {name: container["resources"]["requests"][name] for name in ("cpu", "memory")} == {
        "cpu": "50m",
        "memory": "64Mi",
    }
    assert {name: container["resources"]["limits"][name] for name in ("cpu", "memory")} == {
        "cpu": "500m",
        "memory": "256Mi",
    }
    assert container["livenessProbe"]["httpGet"]["path"] == "/"


def test_its_pages_are_on_a_claim_where_the_app_looks_for_them() -> None:
    claim = the(FOLDER, "PersistentVolumeClaim")
    assert claim["metadata"]["name"] == "graphwiki-data"
    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    pod = the(FOLDER, "Deployment")["spec"]["template"]["spec"]
    (volume,) = [v["name"] for v in pod["volumes"] if v.get("persistentVolumeClaim") == {"claimName": "graphwiki-data"}]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts[volume] == "/data/pages"


def test_its_route() -> None:
    spec = the(FOLDER, "VirtualService", "graphwiki")["spec"]
    assert spec["hosts"] == ["wiki.localhost"]
    assert spec["gateways"] == ["istio-system/main-gateway"]
    (route,) = spec["http"][0]["route"]
    assert [entry["route"] for entry in spec["http"]] == [[route]] * 2
    assert route["destination"] == {"host": "graphwiki.graphwiki.svc.cluster.local", "port": {"number": 80}}
