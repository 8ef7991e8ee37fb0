"""The facts of the test app."""

from tests.deployed import the

FOLDER = "apps/test-app"


def test_it_is_an_unprivileged_nginx() -> None:
    deployment = the(FOLDER, "Deployment", "hello-world")
    assert deployment["metadata"]["namespace"] == "test-app"
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "nginxinc/nginx-unprivileged:1.29.4-alpine"
    assert container["ports"][0]["containerPort"] > 1024
    assert container["resources"]["requests"] | {"ephemeral-storage": "64Mi"} == {
        "cpu": "10m",
        "memory": "32Mi",
        "ephemeral-storage": "64Mi",
    }
    assert (container["resources"]["limits"]["cpu"], container["resources"]["limits"]["memory"]) == ("100m", "64Mi")


def test_a_rollout_leaves_no_gap() -> None:
    strategy = the(FOLDER, "Deployment")["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def test_its_host() -> None:
    assert the(FOLDER, "VirtualService")["spec"]["hosts"] == ["test.localhost"]
