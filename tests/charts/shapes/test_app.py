"""An app's namespace: its quota is the sum of what runs there, and who may call whom."""

from dataclasses import replace
from typing import Any

import pytest
from cdk8s import JsonPatch

from charts.shapes import (
    App,
    CronJob,
    Health,
    Job,
    Outside,
    OwnVolume,
    Pod,
    Range,
    Replicas,
    StatefulSet,
    Volume,
    WebApp,
    Worker,
)
from charts.shapes.app import ROLLOUT_FACTOR
from charts.shapes.workload import Workload
from synth import DefinitionError
from synth.manifest import Document
from synth.quantity import quantity
from tests.charts.shapes.app import Filled, compiled, container, pod, template
from tests.environments import MANAGED, PLAIN

ASKED = Health(command=["alive"])


def hard(fill: Filled) -> dict[str, Any]:
    found: dict[str, Any] = compiled(fill)["ResourceQuota/blog"]["spec"]["hard"]
    return found


def job(app: App, name: str = "check", **options: Any) -> CronJob:
    return CronJob(app, name, **{"schedule": "0 3 * * *", "pod": Pod(container(name)), **options})


class TestQuota:
    """Twice the pods at full scale, each with its proxy."""

    def test_it_is_the_sum_of_all_that_runs(self) -> None:
        def web(app: App) -> None:
            WebApp(app, host="blog", pod=pod(), replicas=Replicas(2, 6))

        def more(app: App) -> None:
            web(app)
            job(app)
            Worker(app, "worker", pod=Pod(container("worker", health=ASKED)), replicas=Replicas(2))
            StatefulSet(app, "db", pod=Pod(container("db", port=8001)), replicas=3)

        alone, all_of_it = hard(web), hard(more)
        assert alone["pods"] == str(ROLLOUT_FACTOR * 6)
        assert all_of_it["pods"] == str(ROLLOUT_FACTOR * (6 + 1 + 2 + 3))
        for name in ("requests.cpu", "limits.memory", "requests.ephemeral-storage"):
            assert quantity(all_of_it[name]) == quantity(alone[name]) * 2

    def test_it_counts_every_container_of_a_pod_and_the_largest_of_those_that_run_first(self) -> None:
        def cpu(*containers: str, init: tuple[str, ...] = (), proxy: bool = True) -> int:
            made = [container(f"c{n}", cpu=Range(cpu, "1"), health=ASKED) for n, cpu in enumerate(containers)]
            first = [container(f"i{n}", cpu=Range(cpu, "1")) for n, cpu in enumerate(init)]
            found = hard(lambda app: Worker(app, "worker", pod=Pod(*made, init=first, proxy=proxy)))
            return int(quantity(found["requests.cpu"]) * 1000)

        proxy = cpu("10m") - cpu("10m", proxy=False)
        assert proxy > 0
        assert cpu("10m", "20m") == ROLLOUT_FACTOR * 30 + proxy
        assert cpu("10m", "20m", init=("25m", "5m")) == ROLLOUT_FACTOR * 30 + proxy
        assert cpu("10m", "20m", init=("40m",)) == ROLLOUT_FACTOR * 40 + proxy

    def test_it_counts_volumes_and_those_of_each_pod(self) -> None:
        def fill(app: App) -> None:
            data, own = Volume(app, "data", "1Gi"), OwnVolume(app, "own", "3Gi")
            WebApp(app, host="blog", pod=pod(mounts={"/data": data}))
            StatefulSet(app, "db", pod=Pod(container("db", port=8001, mounts={"/own": own})), replicas=2)

        found = hard(fill)
        assert (found["persistentvolumeclaims"], found["requests.storage"]) == ("3", "7Gi")

    def test_the_limit_range_lets_the_largest_container_in(self) -> None:
        large = container("import", memory=Range("1Gi", "4Gi"))

        def fill(app: App) -> None:
            WebApp(app, host="blog", pod=pod())
            job(app, pod=Pod(large))

        (limits,) = compiled(fill)["LimitRange/blog"]["spec"]["limits"]
        assert limits["max"]["memory"] == "4Gi"


class TestJobs:
    """Jobs by the clock, alone and beside an app."""

    def test_one_runs_at_a_time_and_never_for_ever(self) -> None:
        spec = compiled(job)["CronJob/check"]["spec"]
        assert spec["concurrencyPolicy"] == "Forbid"
        of_job = spec["jobTemplate"]["spec"]
        assert of_job["activeDeadlineSeconds"] > 0
        assert of_job["template"]["spec"]["restartPolicy"] == "Never"
        assert not any(key.endswith("Probe") for key in of_job["template"]["spec"]["containers"][0])

    def test_one_that_runs_once_is_made_anew_when_it_changes_and_only_then(self) -> None:
        job = compiled(lambda app: Job(app, "index", pod=Pod(container("index"))))["Job/index"]
        assert job["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/force"] == "enabled"
        assert "ttlSecondsAfterFinished" not in job["spec"]

    def with_volume(self, *, shared: bool = False, first: bool = True) -> dict[str, Document]:
        def fill(app: App) -> None:
            data = Volume(app, "data", "1Gi", shared=shared)
            check = Pod(container("check", mounts={"/data": data}))
            if not first:
                job(app, pod=check)
            WebApp(app, host="blog", pod=pod(mounts={"/data": data}))
            if first:
                job(app, pod=check)

        return compiled(fill, MANAGED)

    def test_with_the_apps_volume_it_goes_to_the_apps_node(self) -> None:
        found = self.with_volume()
        (term,) = template(found["CronJob/check"])["spec"]["affinity"]["podAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"
        ]
        assert term["topologyKey"] == "kubernetes.io/hostname"
        assert term["labelSelector"]["matchLabels"] == template(found["Deployment/blog"])["metadata"]["labels"]
        assert "affinity" not in template(found["Deployment/blog"])["spec"]

    def test_with_a_shared_volume_it_may_go_anywhere(self) -> None:
        assert "affinity" not in template(self.with_volume(shared=True)["CronJob/check"])["spec"]

    def test_it_comes_after_the_app_whose_node_it_needs(self) -> None:
        with pytest.raises(
            ValueError, match="blog has volume data, which a job defined before it mounts too: define b"
        ):
            self.with_volume(first=False)


def test_what_runs_all_the_time_must_say_how_it_is_asked() -> None:
    with pytest.raises(ValueError, match="worker has neither a port nor a command to ask it by"):
        compiled(lambda app: Worker(app, "worker", pod=Pod(container("worker"))))


class TestStatefulSet:
    """Pods with names and volumes of their own."""

    def test_each_pod_has_a_name_and_a_volume(self) -> None:
        def fill(app: App) -> None:
            own = OwnVolume(app, "data", "1Gi")
            StatefulSet(app, "db", pod=Pod(container("db", port=8001, mounts={"/data": own})), replicas=2)

        found = compiled(fill, MANAGED)
        spec = found["StatefulSet/db"]["spec"]
        assert found[f"Service/{spec['serviceName']}"]["spec"]["clusterIP"] == "None"
        (claim,) = spec["volumeClaimTemplates"]
        assert (claim["metadata"]["name"], claim["spec"]["storageClassName"]) == ("data", "fast")
        assert {"name": "data", "mountPath": "/data"} in template(found["StatefulSet/db"])["spec"]["containers"][0][
            "volumeMounts"
        ]
        assert "data" not in {volume["name"] for volume in template(found["StatefulSet/db"])["spec"]["volumes"]}

    def test_several_cannot_mount_what_one_node_can(self) -> None:
        def fill(app: App) -> None:
            data = Volume(app, "data", "1Gi")
            StatefulSet(app, "db", pod=Pod(container("db", port=8001, mounts={"/data": data})), replicas=2)

        with pytest.raises(
            ValueError, match="db cannot have 2 replicas: one node alone can mount volume data: use OwnV"
        ):
            compiled(fill)

    def test_it_needs_a_port(self) -> None:
        with pytest.raises(ValueError, match="db has no port, which its headless Service must have"):
            compiled(lambda app: StatefulSet(app, "db", pod=Pod(container("db", health=ASKED))))


class TestCalls:
    """One workload that calls another: the network and the mesh of both sides."""

    @pytest.mark.parametrize(("host", "gateway"), [("blog", 1), (None, 0)])
    def test_the_callee_lets_each_caller_in_by_its_pods_and_its_account(self, host: str | None, gateway: int) -> None:
        def callers(app: App) -> None:
            Worker(app, "reader", pod=Pod(container("reader", health=ASKED), calls=["blog"]))
            job(app, pod=Pod(container("check"), calls=["blog"]))

        found = compiled(lambda app: WebApp(app, host=host, pod=pod()), beside={"news": callers})
        (rule,) = found["AuthorizationPolicy/blog"]["spec"]["rules"]
        principals = rule["from"][0]["source"]["principals"]
        assert principals[gateway:] == ["cluster.local/ns/news/sa/reader", "cluster.local/ns/news/sa/check"]
        assert len(principals) == gateway + 2
        (entry,) = found["NetworkPolicy/allow-from-reader"]["spec"]["ingress"]
        assert entry["ports"] == [{"port": 8000, "protocol": "TCP"}]
        assert entry["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "news"}
        assert entry["from"][0]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "reader"}

    def test_the_caller_lets_its_pods_out_to_the_callee_alone(self) -> None:
        def caller(app: App) -> None:
            Worker(app, "reader", pod=Pod(container("reader", health=ASKED), calls=["news"]))

        found = compiled(caller, beside={"news": lambda app: WebApp(app, host="news", pod=pod())})
        policy = found["NetworkPolicy/allow-to-news-reader"]["spec"]
        assert policy["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "reader"}
        (rule,) = policy["egress"]
        assert rule["to"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "news"}

    def test_a_callee_that_is_not_there_is_told_with_those_that_are(self) -> None:
        with pytest.raises(DefinitionError, match="blog calls wiki, but there is no such workload: there are blog"):
            compiled(lambda app: WebApp(app, host="blog", pod=Pod(container(port=8000), calls=["wiki"])))

    def test_of_two_with_one_name_the_app_is_asked_for(self) -> None:
        def cache(app: App) -> Workload:
            return WebApp(app, name="cache", host=None, pod=pod())

        def caller(name: str) -> Filled:
            return lambda app: Worker(app, "reader", pod=Pod(container("reader", health=ASKED), calls=[name]))

        others = {"a": cache, "b": cache}
        with pytest.raises(DefinitionError, match="reader calls cache, of which there are several: write a/cache or b"):
            compiled(caller("cache"), beside=others)
        assert "NetworkPolicy/allow-to-cache-reader" in compiled(caller("b/cache"), beside=others)

    def test_what_has_no_port_cannot_be_called(self) -> None:
        def caller(app: App) -> None:
            Worker(app, "a", pod=Pod(container("a", health=ASKED), calls=["b"]))
            Worker(app, "b", pod=Pod(container("b", health=ASKED)))

        with pytest.raises(DefinitionError, match="a calls b, which has no port: leave it out of calls"):
            compiled(caller)

    def test_one_that_is_named_twice_is_told(self) -> None:
        def caller(*calls: str) -> Filled:
            return lambda app: Worker(app, "reader", pod=Pod(container("reader", health=ASKED), calls=calls))

        news: dict[str, Filled] = {"news": lambda app: WebApp(app, host="news", pod=pod())}
        for name in ("news", "news/news"):
            with pytest.raises(DefinitionError, match=f"reader calls {name}, and names it twice: leave one out"):
                compiled(caller("news", name), beside=news)


def test_two_workloads_of_one_name_are_told() -> None:
    def two(app: App) -> None:
        WebApp(app, host="blog", pod=pod())
        Worker(app, "blog", pod=pod())

    with pytest.raises(ValueError, match="blog has two workloads called blog: give one of them another name"):
        compiled(two)


def test_a_place_outside_that_is_named_twice_is_told() -> None:
    twice = [Outside("api.example.com"), Outside("api.example.com", protocol="TCP")]
    with pytest.raises(ValueError, match=r"the pod of blog names outside api\.example\.com, port 443, twice"):
        Pod(container(), outside=twice)


def test_the_namespace_is_closed_and_restricted() -> None:
    found = compiled(lambda app: WebApp(app, host="blog", pod=pod()))
    assert found["NetworkPolicy/default-deny"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    labels = found["Namespace/blog"]["metadata"]["labels"]
    assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")} == {"restricted"}


def test_a_nodes_own_dns_cache_may_be_asked() -> None:
    environment = replace(PLAIN, dns_addresses=("169.254.20.10", "fd00::10"))
    found = compiled(lambda app: WebApp(app, host="blog", pod=pod()), environment)
    (rule,) = found["NetworkPolicy/allow-dns"]["spec"]["egress"]
    assert [peer["ipBlock"]["cidr"] for peer in rule["to"] if "ipBlock" in peer] == ["169.254.20.10/32", "fd00::10/128"]


def test_what_no_shape_offers_is_patched_into_its_object() -> None:
    def fill(app: App) -> None:
        web = WebApp(app, host="blog", pod=pod())
        web.deployment.add_json_patch(JsonPatch.add("/spec/minReadySeconds", 10))

    assert compiled(fill)["Deployment/blog"]["spec"]["minReadySeconds"] == 10
