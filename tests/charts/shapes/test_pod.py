"""Pods and containers: what their options give, and what cannot be."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charts.shapes import (
    App,
    ConfigFiles,
    Health,
    Metrics,
    Outside,
    OwnVolume,
    Permission,
    Pod,
    Port,
    Priority,
    Range,
    Secret,
    Volume,
    WebApp,
)
from charts.shapes.storage import SecretFiles
from synth.manifest import Document, dump
from tests.charts.shapes.app import compiled, container, pod, template
from tests.environments import MANAGED, PLAIN


def of(pod: Pod, environment: Any = PLAIN) -> Document:
    """The specification of a web app's pods."""
    found: Document = template(compiled(lambda app: WebApp(app, host="blog", pod=pod), environment)["Deployment/blog"])
    return found


def with_app(make: Callable[[App], Pod]) -> dict[str, Document]:
    return compiled(lambda app: WebApp(app, host="blog", pod=make(app)))


def test_variables_keep_their_order_and_secret_ones_come_from_a_secret() -> None:
    def make(app: App) -> Pod:
        secret = Secret(app, "vault", by="somebody")
        assert [str(given.name) for given in app.provided] == ["vault"]
        return pod(variables={"B": "1", "TOKEN": secret.key("token"), "A": "2"})

    variables = template(with_app(make)["Deployment/blog"])["spec"]["containers"][0]["env"]
    assert variables == [
        {"name": "B", "value": "1"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "vault", "key": "token"}}},
        {"name": "A", "value": "2"},
    ]


@pytest.mark.parametrize("value", [False, 1, 0.5])
def test_a_variable_that_is_no_text_is_told_to_be_quoted(value: Any) -> None:
    sentence = rf"^Container blog: variables\['X'\] {value!r} is no text or SecretKey: put it in quotes$"
    with pytest.raises(TypeError, match=sentence):
        pod(variables={"X": value})


def test_a_second_container_has_ports_probes_and_a_tmp_of_its_own() -> None:
    second = container("cache", ports=[Port(6379, "redis")])
    spec = of(Pod(container(port=8000), second))["spec"]
    names = [item["name"] for item in spec["volumes"]]
    assert [item["volumeMounts"][0]["name"] for item in spec["containers"]] == names == ["tmp", "tmp-cache"]
    assert spec["containers"][1]["readinessProbe"]["tcpSocket"] == {"port": "redis"}


def test_an_init_container_runs_without_probes_before_the_others() -> None:
    first = container("migrate", port=None, command=("migrate", "up"), arguments=("--all",))
    spec = of(Pod(container(port=8000), init=[first]))["spec"]
    (migrate,) = spec["initContainers"]
    assert (migrate["command"], migrate["args"]) == (["migrate", "up"], ["--all"])
    assert not any(key.endswith("Probe") for key in migrate)


@pytest.mark.parametrize(
    ("options", "asks"),
    [
        ({"port": 8000, "health": Health(path="/healthz")}, {"httpGet": {"path": "/healthz", "port": "http"}}),
        ({"ports": [Port(9000, "grpc")]}, {"grpc": {"port": 9000}}),
        ({"port": 8000, "health": Health(command=["check"])}, {"exec": {"command": ["check"]}}),
    ],
)
def test_every_probe_asks_in_the_same_way(options: dict[str, Any], asks: Document) -> None:
    (found,) = of(Pod(container(**options)))["spec"]["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert asks.items() <= found[probe].items()


def test_a_start_may_take_as_long_as_it_says() -> None:
    (found,) = of(pod(health=Health(start_seconds=300)))["spec"]["containers"]
    probe = found["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == 300


def test_metrics_are_offered_to_the_sidecar_which_offers_them_to_prometheus() -> None:
    made = compiled(lambda app: WebApp(app, host="blog", pod=pod(metrics=Metrics(9100, "/stats"))), MANAGED)
    (found,) = template(made["Deployment/blog"])["spec"]["containers"]
    assert {"name": "http-metrics", "containerPort": 9100, "protocol": "TCP"} in found["ports"]
    annotations = template(made["Deployment/blog"])["metadata"]["annotations"]
    assert {key: value for key, value in annotations.items() if key.startswith("prometheus.io/")} == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9100",
        "prometheus.io/path": "/stats",
    }
    policy = made["NetworkPolicy/allow-prometheus"]["spec"]
    assert policy["ingress"][0]["ports"] == [{"port": 15020, "protocol": "TCP"}]
    assert "prometheus.io" not in dump(of(pod(), MANAGED).values())
    same = of(pod(metrics=Metrics(8000)), MANAGED)
    assert [port["containerPort"] for port in same["spec"]["containers"][0]["ports"]] == [8000]


@pytest.mark.parametrize("port", [80, 15020])
def test_a_port_that_it_cannot_have_is_refused(port: int) -> None:
    makes: list[Callable[[], object]] = [
        lambda: container(port=port),
        lambda: Port(port, "tcp"),
        lambda: Metrics(port),
    ]
    for make in makes:
        with pytest.raises(ValueError, match=f" {port} is none that a pod can listen on: take one from 1025 on"):
            make()


def test_a_port_is_named_by_its_protocol() -> None:
    with pytest.raises(ValueError, match="port 8000 has the name web, which does not begin with a protocol that Istio"):
        Port(8000, "web")
    assert (Port(8000).service, Port(9000, "grpc").service, Port(8000, service=81).service) == (80, 9000, 81)


@pytest.mark.parametrize(
    "make",
    [lambda: Health("a"), lambda: Metrics(9100, "a"), lambda: container(mounts={"a": SecretFiles("keys")})],
)
def test_a_path_begins_with_a_slash(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="'a' is no path: a path begins with /, as in /healthz"):
        make()


@pytest.mark.parametrize(
    ("amounts", "problem"),
    [
        ({"memory": Range("32", "64")}, r"memory .* has 32, which is 32 bytes: write Mi for mebibytes, as in Range"),
        ({"memory": Range("64m", "64Mi")}, r"memory .* has 64m, which is 0.064 bytes"),
        ({"memory": Range("64Gi", "2Ti")}, r"memory .* has 2Ti, more than the 512Gi of a large node"),
        ({"ephemeral_storage": Range("1Ki", "1Gi")}, r"ephemeral_storage .* has 1Ki, which is 1024 bytes"),
        ({"cpu": Range("50", "500")}, r"cpu .* has 50, 50 cores: write m for thousandths of a core"),
        ({"cpu": Range("1", "1Ki")}, r"cpu .* has 1Ki, 1024 cores: write m for thousandths"),
        ({"cpu": Range("0", "1")}, r"cpu .* has 0, with which nothing runs"),
        ({"cpu": Range("0.5m", "1")}, r"cpu .* has 0.5m, finer than Kubernetes counts"),
    ],
)
def test_an_amount_that_cannot_be_meant_is_refused(amounts: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=f"^Container blog: {problem}"):
        container(**amounts)


@pytest.mark.parametrize(
    "amounts",
    [
        {"memory": Range("512Mi", "16Gi")},
        {"memory": Range("100M", "1e9")},
        {"cpu": Range("0.25", "1.5")},
        {"cpu": Range("1m", "32")},
        {"ephemeral_storage": Range("1Gi", "100Gi")},
    ],
)
def test_an_amount_that_can_be_is_taken(amounts: dict[str, Any]) -> None:
    (name,) = amounts
    assert getattr(container(**amounts), name) == amounts[name]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (Pod, "a pod has no container: give it one"),
        (lambda: Pod(container(), container()), "the pod of blog has two containers blog: give each its own"),
        (
            lambda: Pod(container(port=8000), container("b", ports=[Port(8000, "http-b")])),
            "the pod of blog has two ports 8000: give each its own",
        ),
        (
            lambda: Pod(container(port=8000), container("b", port=8001)),
            "the pod of blog has two ports http: give each its own",
        ),
        (
            lambda: Pod(container(), drain_seconds=30, grace_seconds=30),
            "the pod of blog drains for 30 seconds, but has 30 to end in: give it a longer grace_seconds",
        ),
    ],
)
def test_a_pod_that_cannot_be_is_refused(make: Callable[[], Pod], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make()


def test_a_pod_has_the_times_the_priority_and_the_nodes_that_it_says() -> None:
    made = of(Pod(container(port=8000), grace_seconds=60, priority=Priority.ESSENTIAL, node_labels={"disk": "ssd"}))
    spec = made["spec"]
    assert spec["terminationGracePeriodSeconds"] == 60
    assert (spec["priorityClassName"], spec["nodeSelector"]) == ("essential", {"disk": "ssd"})


class TestMounts:
    """Files and volumes in a container."""

    def test_files_of_configuration_have_a_name_that_changes_with_them(self, tmp_path: Path) -> None:
        (tmp_path / "a.ini").write_text("from a file\n")

        def named(text: str) -> str:
            def make(app: App) -> Pod:
                return pod(mounts={"/etc/blog": ConfigFiles(app, "settings", {"b": text, "a": tmp_path / "a.ini"})})

            found = with_app(make)
            (name,) = [key.partition("/")[2] for key in found if key.startswith("ConfigMap/")]
            config = found[f"ConfigMap/{name}"]
            assert config["data"] == {"b": text, "a": "from a file\n"}
            assert config["immutable"] is True
            volumes = template(found["Deployment/blog"])["spec"]["volumes"]
            assert {"name": "settings", "configMap": {"name": name}} in volumes
            return name

        assert named("1") == named("1") != named("2")

    def test_a_secret_is_mounted_whole_or_some_of_its_keys(self) -> None:
        def make(app: App) -> Pod:
            keys, whole = Secret(app, "keys", by="somebody"), Secret(app, "whole", by="somebody")
            return pod(mounts={"/keys": keys.files("a"), "/whole": whole})

        volumes = template(with_app(make)["Deployment/blog"])["spec"]["volumes"]
        assert {"name": "keys", "secret": {"secretName": "keys", "items": [{"key": "a", "path": "a"}]}} in volumes
        assert {"name": "whole", "secret": {"secretName": "whole"}} in volumes

    @pytest.mark.parametrize("name", ["keys.example.com", f"a{'.b' * 70}"])
    def test_a_secret_may_have_a_name_that_no_volume_can_have(self, name: str) -> None:
        def make(app: App) -> Pod:
            secret = Secret(app, name, by="somebody")
            return pod(mounts={"/whole": secret})

        spec = template(with_app(make)["Deployment/blog"])["spec"]
        (mounted,) = (item["name"] for item in spec["containers"][0]["volumeMounts"] if item["mountPath"] == "/whole")
        assert {"name": mounted, "secret": {"secretName": name}} in spec["volumes"]
        assert re.fullmatch(r"[a-z]([-a-z0-9]{,61}[a-z0-9])?", mounted)

    def test_a_volume_stays_when_the_app_goes(self) -> None:
        claim = with_app(lambda app: pod(mounts={"/data": Volume(app, "data", "2Gi")}))["PersistentVolumeClaim/data"]
        assert claim["metadata"]["annotations"] == {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
        assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}

    @pytest.mark.parametrize("size", ["0", "500m", "5GB"])
    def test_a_size_that_is_none_is_refused(self, size: str) -> None:
        with pytest.raises(ValueError, match=f"Volume data: size '{size}' is no number of bytes: 5Gi is one"):
            compiled(lambda app: Volume(app, "data", size))

    def test_a_shared_volume_needs_a_class_that_can(self) -> None:
        with pytest.raises(ValueError, match="volume data cannot be shared: plain has no shared_storage_class"):
            compiled(lambda app: Volume(app, "data", "1Gi", shared=True))

    def test_a_volume_of_each_pods_own_is_for_a_stateful_set(self) -> None:
        with pytest.raises(ValueError, match="blog mounts data, a volume of each pod's own, which only a StatefulSet"):
            with_app(lambda app: pod(mounts={"/data": OwnVolume(app, "data", "1Gi")}))

    def test_two_things_of_one_name_are_refused(self) -> None:
        with pytest.raises(ValueError, match="the pod of blog mounts two things called data: rename one"):
            with_app(lambda app: pod(mounts={"/a": Volume(app, "data", "1Gi"), "/b": Secret(app, "data", by="x")}))


class TestOutside:
    """What a pod reaches outside the cluster: the mesh and the network are told together."""

    def test_a_host(self) -> None:
        found = with_app(lambda _: Pod(container(port=8000), outside=[Outside("api.example.com")]))
        entry = found["ServiceEntry/blog-to-api-example-com-443"]["spec"]
        assert (entry["hosts"], entry["resolution"], entry["exportTo"]) == (["api.example.com"], "DNS", ["."])
        (rule,) = found["NetworkPolicy/allow-to-api-example-com-443"]["spec"]["egress"]
        assert rule["ports"] == [{"port": 443, "protocol": "TCP"}]
        (peer,) = rule["to"]
        assert peer["ipBlock"]["cidr"] == "0.0.0.0/0"
        assert "10.0.0.0/8" in peer["ipBlock"]["except"]

    def test_addresses(self) -> None:
        place = Outside(addresses=["203.0.113.7/32"], port=5432, protocol="TCP")
        found = with_app(lambda _: Pod(container(port=8000), outside=[place]))
        (rule,) = found["NetworkPolicy/allow-to-203-0-113-7-32-5432"]["spec"]["egress"]
        assert rule["to"] == [{"ipBlock": {"cidr": "203.0.113.7/32"}}]
        assert found["ServiceEntry/blog-to-203-0-113-7-32-5432"]["spec"]["addresses"] == ["203.0.113.7/32"]

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({}, "what a pod reaches outside is a host or addresses"),
            ({"host": "a.example", "addresses": ["203.0.113.7/32"]}, "what a pod reaches outside is a host or addres"),
            ({"host": "https://a.example"}, "host 'https://a.example' outside is no host name"),
            ({"host": "a.example", "port": 0}, "Outside: port 0 is no port"),
            ({"addresses": ["somewhere"]}, "address 'somewhere' outside is none"),
            ({"addresses": ["0.0.0.0/0"]}, "address '0.0.0.0/0' outside is nearly everybody: name the networks"),
            ({"addresses": ["::/0"]}, "address '::/0' outside is nearly everybody: name the networks"),
            ({"addresses": ["203.0.113.7", "127.0.0.1"]}, "address '127.0.0.1' outside is no server's elsewhere"),
            ({"addresses": ["224.0.0.1/32"]}, "address '224.0.0.1/32' outside is no server's elsewhere"),
            ({"host": "a.example", "protocol": "POSTGRES"}, "protocol 'POSTGRES' is none that Istio knows: TCP is for"),
            ({"host": "a.example", "protocol": "UDP"}, "protocol 'UDP' is none that Istio knows"),
            ({"host": "db.internal"}, "host 'db.internal' outside is of a private network"),
            ({"host": "nas.lan"}, "host 'nas.lan' outside is of a private network"),
        ],
    )
    def test_a_place_that_is_none_is_refused(self, options: dict[str, Any], sentence: str) -> None:
        with pytest.raises(ValueError, match=sentence):
            Outside(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"host": "a.example", "protocol": "tcp", "port": 5432},
        {"host": "metadata.google.internal", "protocol": "HTTP", "port": 80},
        {"host": "internal.example"},
    ],
)
def test_a_place_outside_may_be(options: dict[str, Any]) -> None:
    Outside(**options)


def test_permissions_are_a_role_a_token_and_a_way_to_the_api_server() -> None:
    allowed = Permission(["configmaps"], ["get"], names=["settings"])
    found = with_app(lambda _: Pod(container(port=8000), permissions=[allowed]))
    assert found["Role/blog"]["rules"] == [
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["settings"], "verbs": ["get"]}
    ]
    assert found["RoleBinding/blog"]["subjects"] == [{"kind": "ServiceAccount", "name": "blog", "namespace": "blog"}]
    spec = template(found["Deployment/blog"])["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert "/var/run/secrets/kubernetes.io/serviceaccount" in {
        mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]
    }
    assert "NetworkPolicy/allow-api-server" in found
    assert "token" not in dump(of(pod())["spec"]["volumes"])


def test_a_private_registry_is_opened_by_a_secret() -> None:
    found = with_app(lambda app: Pod(container(port=8000), pull_secret=Secret(app, "registry", by="somebody")))
    assert template(found["Deployment/blog"])["spec"]["imagePullSecrets"] == [{"name": "registry"}]
