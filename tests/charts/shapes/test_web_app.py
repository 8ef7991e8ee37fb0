"""WebApp's shape: its defaults as a snapshot, and what each of its options changes."""

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from charts.shapes import App, Metrics, Pod, Port, Replicas, Volume, WebApp, proxies
from facts.environments import Environment
from facts.images import Image
from synth.manifest import Document, dump
from tests.charts.shapes.app import IMAGE, compiled, container, pod, template
from tests.environments import MANAGED, PLAIN


def web(environment: Environment = PLAIN, **options: Any) -> dict[str, Document]:
    return compiled(lambda app: WebApp(app, **{"host": "blog", "pod": pod(), **options}), environment)


def first(found: dict[str, Document], workload: str = "Deployment/blog") -> Document:
    container: Document = template(found[workload])["spec"]["containers"][0]
    return container


def test_an_app_with_nothing_but_what_it_must_say(snapshot: SnapshotAssertion) -> None:
    assert dump(web().values()) == snapshot


def test_an_app_with_a_range_of_replicas_behind_tls(snapshot: SnapshotAssertion) -> None:
    found = web(MANAGED, replicas=Replicas(2, 6), pod=pod(metrics=Metrics(9100)))
    kinds = ("HorizontalPodAutoscaler", "Deployment", "VirtualService")
    assert dump(document for name, document in found.items() if name.startswith(kinds)) == snapshot


def test_one_port_is_the_containers_the_policys_and_by_name_the_probes_and_the_services() -> None:
    found = web(pod=pod(port=9000))
    assert first(found)["ports"][0]["containerPort"] == 9000
    policy = found["NetworkPolicy/allow-ingress-gateway"]["spec"]
    assert policy["ingress"][0]["ports"] == [{"port": 9000, "protocol": "TCP"}]
    assert "9000" not in dump([found["Service/blog"], found["VirtualService/blog"]])


class TestHosts:
    """The names by which a gateway leads to the app."""

    def claims(self, **options: Any) -> list[str]:
        claims: list[str] = []

        def fill(app: App) -> None:
            WebApp(app, **{"pod": pod(), **options})
            claims.extend(f"{claim.name} {claim}" for claim in app.claims)

        compiled(fill)
        return claims

    def test_several_are_one_route_with_a_claim_each(self) -> None:
        assert self.claims(host=("blog", "", "a.b")) == [
            "blog blog/blog.plain.test",
            "blog-domain blog/plain.test",
            "blog-a-b blog/a.b.plain.test",
        ]
        hosts = web(host=("blog", "", "a.b"))["VirtualService/blog"]["spec"]["hosts"]
        assert hosts == ["blog.plain.test", "plain.test", "a.b.plain.test"]

    def test_without_one_nothing_leads_to_it_and_nobody_may_call_it(self) -> None:
        assert self.claims(host=None) == []
        found = web(host=None)
        assert not any(name.startswith("VirtualService") for name in found)
        assert "NetworkPolicy/allow-ingress-gateway" not in found
        assert "rules" not in found["AuthorizationPolicy/blog"]["spec"]

    def test_a_second_port_has_a_host_of_its_own(self) -> None:
        found = web(pod=pod(ports=[Port(9000, "grpc", host="api")]))
        route = found["VirtualService/blog-grpc"]["spec"]
        assert route["hosts"] == ["api.plain.test"]
        assert [entry["route"][0]["destination"]["port"] for entry in route["http"]] == [{"number": 9000}] * 2
        assert {"name": "grpc", "port": 9000, "protocol": "TCP", "targetPort": "grpc"} in found["Service/blog"]["spec"][
            "ports"
        ]

    def test_the_paths_of_another_apps_host_come_before_its_catch_all(self) -> None:
        search = {"search": lambda app: WebApp(app, pod=pod(), host="blog", paths=("/search", "/find"))}
        found = compiled(lambda app: WebApp(app, pod=pod(), host="blog"), MANAGED, beside=search)
        routes = found["VirtualService/blog"]["spec"]["http"]
        assert [route["name"] for route in routes] == ["to-https", "search-safe", "search-other", "safe", "other"]
        uris = [match["uri"] for match in routes[2]["match"]]
        assert uris == [{"exact": "/search"}, {"prefix": "/search/"}, {"exact": "/find"}, {"prefix": "/find/"}]
        assert {match["port"] for route in routes[1:] for match in route["match"]} == {443}
        assert routes[1]["route"][0]["destination"]["host"] == "search.search.svc.cluster.local"

    def test_paths_of_a_host_that_nobody_has_are_refused(self) -> None:
        search = {"search": lambda app: WebApp(app, pod=pod(), host="wiki", paths=("/search",))}
        with pytest.raises(
            Exception, match=r"search serves /search of wiki\.plain\.test, a host that no app has: ther"
        ):
            compiled(lambda app: WebApp(app, pod=pod(), host="blog"), beside=search)

    @pytest.mark.parametrize("path", ["/", "search"])
    def test_a_path_is_below_the_root(self, path: str) -> None:
        with pytest.raises(ValueError, match=f"blog has the path '{path}' of another app's host: a path begins with /"):
            web(paths=(path,))


class TestTcp:
    """Ports of the gateway for plain TCP."""

    def test_a_port_of_the_gateway_leads_to_the_services(self) -> None:
        found = web(MANAGED, host=None, pod=Pod(container(ports=[Port(5433, "tcp-db", gateway=5432)])))
        route = found["VirtualService/blog-tcp-db"]["spec"]
        assert route["tcp"] == [
            {
                "match": [{"port": 5432}],
                "route": [{"destination": {"host": "blog.blog.svc.cluster.local", "port": {"number": 5433}}}],
            }
        ]
        assert first(found)["readinessProbe"]["tcpSocket"] == {"port": "tcp-db"}
        assert found["AuthorizationPolicy/blog"]["spec"]["rules"]

    def test_a_port_that_the_gateway_does_not_have_is_refused(self) -> None:
        with pytest.raises(
            ValueError, match="blog offers port 5433 at port 6000 of the gateway, which has no such port"
        ):
            web(MANAGED, host=None, pod=Pod(container(ports=[Port(5433, "tcp-db", gateway=6000)])))

    def test_a_host_cannot_lead_to_it(self) -> None:
        with pytest.raises(ValueError, match="blog has tcp-db as its first port, which no host can lead to"):
            web(pod=Pod(container(ports=[Port(5433, "tcp-db")])))


def test_headers_and_a_timeout_are_on_every_way_to_the_app() -> None:
    for environment, more in ((PLAIN, {}), (MANAGED, {"strict-transport-security": "max-age=31536000"})):
        routes = web(environment, headers={"x-frame-options": "DENY"}, timeout="30s")["VirtualService/blog"]["spec"]
        ways = [route for route in routes["http"] if "route" in route]
        assert len(ways) == 2
        for way in ways:
            assert way["headers"]["response"] == {"set": {**more, "x-frame-options": "DENY"}}
            assert way["timeout"] == "30s"
    assert "timeout" not in dump(web()["VirtualService/blog"]["spec"]["http"])


def test_an_app_is_told_whom_to_believe_about_the_visitor() -> None:
    from dataclasses import replace

    assert proxies(PLAIN) == ("127.0.0.6",)
    assert proxies(replace(PLAIN, http_proxies=("10.20.0.0/16",))) == ("127.0.0.6", "10.20.0.0/16")


def test_it_needs_a_port_and_the_mesh() -> None:
    with pytest.raises(ValueError, match="blog has no port that its host could lead to: give its container one"):
        web(pod=pod(port=None))
    with pytest.raises(ValueError, match="blog is called through the mesh, which it is no part of without its proxy"):
        web(pod=Pod(container(port=8000), proxy=False))


class TestImages:
    """What an environment takes, and when it is pulled again."""

    @pytest.mark.parametrize(
        ("image", "sentence"),
        [
            (
                Image("blog", "latest"),
                "blog has the image registry.test/blog:latest, whose tag says nothing about what",
            ),
            (
                Image("blog", "1.0"),
                "blog has the image registry.test/blog:1.0 without a digest, which deploy/managed w",
            ),
        ],
    )
    def test_one_that_an_environment_does_not_take_is_refused(self, image: Image, sentence: str) -> None:
        with pytest.raises(ValueError, match=sentence):
            web(MANAGED, pod=pod(image=image))

    def test_it_is_pulled_again_where_it_may_have_changed(self) -> None:
        from dataclasses import replace

        by_tag = replace(MANAGED, digests=False)
        policies = [
            first(web(environment, pod=pod(image=image)))["imagePullPolicy"]
            for environment, image in ((PLAIN, Image("blog", "1.0")), (by_tag, Image("blog", "1.0")), (MANAGED, IMAGE))
        ]
        assert policies == ["IfNotPresent", "Always", "IfNotPresent"]


class TestReplicas:
    """One pod, several, and what keeps there from being several."""

    def test_state_in_a_process_ends_before_the_next_one_starts(self) -> None:
        assert web(local_state=True)["Deployment/blog"]["spec"]["strategy"] == {"type": "Recreate"}

    def test_several_cannot_share_what_one_keeps_to_itself(self) -> None:
        with pytest.raises(
            ValueError, match="blog cannot have 3 replicas: it keeps state in its process, which the ot"
        ):
            web(local_state=True, replicas=Replicas(3))

    def with_volume(self, *, shared: bool, replicas: Replicas) -> dict[str, Document]:
        def fill(app: App) -> None:
            data = Volume(app, "data", "2Gi", shared=shared)
            WebApp(app, host="blog", pod=pod(mounts={"/data": data}), replicas=replicas)

        return compiled(fill, MANAGED)

    def test_a_volume_makes_one_pod_at_a_time(self) -> None:
        found = self.with_volume(shared=False, replicas=Replicas())
        assert found["Deployment/blog"]["spec"]["strategy"] == {"type": "Recreate"}
        assert {"name": "data", "mountPath": "/data"} in first(found)["volumeMounts"]

    def test_several_cannot_share_a_volume_that_one_node_mounts(self) -> None:
        with pytest.raises(
            ValueError, match="blog cannot have 2 to 4 replicas: its volume data is ReadWriteOnce, which"
        ):
            self.with_volume(shared=False, replicas=Replicas(2, 4))

    def test_several_on_a_shared_volume_roll_out_without_a_gap(self) -> None:
        found = self.with_volume(shared=True, replicas=Replicas(3))
        assert found["Deployment/blog"]["spec"]["replicas"] == 3
        assert found["Deployment/blog"]["spec"]["strategy"]["type"] == "RollingUpdate"
        claim = found["PersistentVolumeClaim/data"]["spec"]
        assert (claim["accessModes"], claim["storageClassName"]) == (["ReadWriteMany"], "shared")
        assert "HorizontalPodAutoscaler/blog" not in found

    @pytest.mark.parametrize(("minimum", "maximum"), [(0, 0), (3, 2), (0, 2)])
    def test_a_number_that_cannot_be_is_refused(self, minimum: int, maximum: int) -> None:
        with pytest.raises(ValueError, match=rf"{minimum} to {maximum} replicas cannot be: write Replicas\(2, 4\)"):
            Replicas(minimum, maximum)


def test_what_linters_would_say_is_answered_on_the_object_with_the_reason() -> None:
    found = web(pod=pod(image=Image("blog", "latest")), local_state=True)
    annotations = found["Deployment/blog"]["metadata"]["annotations"]
    assert {key.partition("/")[0] for key in annotations} == {"checkov.io", "kube-score"}
    for rule in ("CKV_K8S_43", "CKV_K8S_15", "CKV_K8S_14"):
        assert sum(text.startswith(f"{rule}=") for text in annotations.values()) == 1
    assert "deployment-strategy, two pods at once would write to the same files" in annotations["kube-score/ignore"]


def test_nothing_comes_from_the_silent_defaults_of_cdk8s_plus() -> None:
    text = dump(web().values())
    assert "cdk8s.io/metadata.addr" not in text
    assert "1000m" not in text


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="replica"):
        web(replica=1)
