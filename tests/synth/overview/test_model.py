"""What an overview says of an environment."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from synth import ROOT as PROJECT
from synth import DefinitionError
from synth.overview import overview, read
from synth.overview.model import Call, Party
from synth.tree import File, Page
from tests.synth.overview.shop import ROOT, objects, shop, the, without

SHOP = Party("Deployment", "shop", "shop")
DATA = Party("StatefulSet", "data", "data")
MAIN = Party("Gateway", "istio-system", "main")


def test_an_app_is_a_folder_below_apps() -> None:
    assert [(app.name, app.namespace) for app in shop().apps] == [("data", "data"), ("shop", "shop")]
    assert shop().platform == ()
    with pytest.raises(DefinitionError, match=r"there is no app shoe in deploy/test/apps; there are data, shop"):
        shop().app("shoe")


def test_what_runs_elsewhere_in_the_tree_is_of_the_platform() -> None:
    moved = [item for item in objects() if item.kind == "CronJob"]
    found = overview([type(item)(item.document, "", f"{ROOT}/platform/dumps/job.yaml") for item in moved], ROOT)
    assert [part.folder for part in found.platform] == ["platform/dumps"]
    assert found.apps == ()


def test_an_address_is_a_host_with_a_path_at_a_port_of_the_gateway() -> None:
    app = shop().app("shop")
    assert [(str(a), a.port, a.protocol) for a in app.addresses] == [
        ("shop.example.com", 443, "HTTPS"),
        ("www.example.com", 443, "HTTPS"),
    ]
    assert [str(address) for address in shop().app("data").addresses] == [
        ":5432",
        "shop.example.com/report",
        "www.example.com/report",
    ]
    assert app.addresses_of(app.workloads[0]) == app.addresses


def test_a_route_without_a_port_is_for_every_server_of_its_host() -> None:
    found = objects()
    the("VirtualService", "shop", found)["spec"]["http"] = [{"route": [{"destination": {"host": "shop"}}]}]
    app = overview(found, ROOT).app("shop")
    assert {address.url() for address in app.addresses} == {
        f"{scheme}://{host}.example.com" for scheme in ("http", "https") for host in ("shop", "www")
    }


def test_a_url_has_the_port_of_this_machine_where_one_is_given() -> None:
    address = shop().app("shop").addresses[0]
    assert address.url({443: 8443}) == "https://shop.example.com:8443"
    assert address.url({443: 443}) == address.url() == "https://shop.example.com"


def test_a_route_to_a_service_of_others_passes_tls_through() -> None:
    (route,) = shop().elsewhere
    assert (route.name, route.folder, route.gateway) == ("console", "platform/console", MAIN)
    assert (route.address.protocol, str(route.service), route.port) == ("TLS", "console/console", 443)
    assert route.address.url() == "https://console.example.com"


def test_a_workload_takes_what_all_its_pods_take_at_full_scale_with_their_proxies() -> None:
    (workload,) = shop().app("shop").workloads
    assert (workload.least, workload.most) == (2, 5)
    assert workload.requests == {"cpu": "500m", "memory": "640Mi"}
    assert workload.limits == {"cpu": "5", "memory": "1920Mi"}
    assert [(container.name, container.first) for container in workload.containers] == [
        ("migrate", True),
        ("shop", False),
    ]


def test_without_a_sidecar_it_takes_what_its_containers_take() -> None:
    data, dump = shop().app("data").workloads
    assert (data.kind, data.least, data.most, data.requests) == ("StatefulSet", 3, 3, {"cpu": "300m", "memory": "3Gi"})
    assert (dump.kind, dump.name, dump.schedule) == ("CronJob", "dump", "*/5 3 * * *")


def test_volumes_are_claims_and_what_a_stateful_set_makes_for_each_pod() -> None:
    volumes = {volume.name: volume for volume in shop().app("data").volumes}
    assert {(v.name, v.size, v.count, v.modes, v.kept) for v in volumes.values()} == {
        ("dumps", "2Gi", 1, ("ReadWriteOnce",), True),
        ("spare", "1Gi", 1, ("ReadWriteMany",), False),
        ("rows-data", "10Gi", 3, ("ReadWriteOnce",), True),
    }
    data, dump = shop().app("data").workloads
    assert (data.volumes, dump.volumes) == ((volumes["rows-data"],), (volumes["dumps"],))


def test_a_claim_of_a_stateful_set_that_it_deletes_is_not_kept() -> None:
    found = objects()
    the("StatefulSet", "data", found)["spec"]["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": "Delete"}
    volumes = overview(found, ROOT).app("data").volumes
    assert [volume.kept for volume in volumes if volume.count > 1] == [False]


def test_a_service_leads_to_the_ports_of_its_pods() -> None:
    (service,) = shop().app("shop").services
    assert service.ports == ((80, 8000),)
    assert service.workloads == (SHOP,)
    assert shop().app("data").services[0].ports == ((5432, 5432),)


def test_who_goes_outside_is_who_a_network_policy_lets_out() -> None:
    (place,) = shop().app("shop").outside
    assert (place.host, place.port, place.protocol, place.workloads) == ("pay.example.net", 443, "TLS", (SHOP,))
    found = objects()
    the("NetworkPolicy", "allow-to-data", found)["spec"]["egress"][1]["ports"] = [{"port": 80}]
    assert overview(found, ROOT).app("shop").outside[0].workloads == ()


@pytest.mark.parametrize(("block", "goes"), [("203.0.113.0/24", True), ("203.0.113.7/32", True), ("10.0.0.0/8", False)])
def test_who_goes_to_an_address_is_who_is_let_out_to_it(block: str, goes: bool) -> None:
    found = objects()
    the("ServiceEntry", "pay", found)["spec"]["addresses"] = ["203.0.113.7/32"]
    the("NetworkPolicy", "allow-to-data", found)["spec"]["egress"][1]["to"] = [{"ipBlock": {"cidr": block}}]
    (place,) = overview(found, ROOT).app("shop").outside
    assert (place.host, place.workloads) == ("203.0.113.7/32", (SHOP,) if goes else ())


class TestCalls:
    """Who may call whom: what both NetworkPolicies and the AuthorizationPolicy let through."""

    def test_gateways_workloads_pods_of_others_and_addresses_call(self) -> None:
        assert shop().calls == (
            Call(DATA, Party("", "", "192.0.2.0/24"), (5432,)),
            Call(DATA, Party("CronJob", "data", "dump"), (5432,)),
            Call(DATA, SHOP, (5432,)),
            Call(DATA, DATA, (5432,)),
            Call(SHOP, Party("", "monitoring", "prometheus"), (15020,)),
            Call(SHOP, MAIN, (8000,)),
        )

    def test_a_caller_that_may_not_go_there_does_not_call(self) -> None:
        found = objects()
        del the("NetworkPolicy", "allow-to-data", found)["spec"]["egress"][0]
        assert SHOP not in [call.caller for call in overview(found, ROOT).calls]

    def test_a_caller_that_the_policy_of_the_network_does_not_name_does_not_call(self) -> None:
        assert SHOP not in [call.caller for call in overview(without("NetworkPolicy/allow-from-shop"), ROOT).calls]

    @pytest.mark.parametrize(
        ("principals", "calls"),
        [
            (["cluster.local/ns/istio-system/sa/ingress"], True),
            (["cluster.local/ns/istio-system/*"], True),
            (["*"], True),
            (["cluster.local/ns/other/sa/ingress"], False),
        ],
    )
    def test_a_caller_that_the_policy_of_the_mesh_does_not_name_does_not_call(
        self, principals: list[str], calls: bool
    ) -> None:
        found = objects()
        rules = the("AuthorizationPolicy", "shop", found)["spec"]["rules"]
        rules[0]["from"][0]["source"]["principals"] = principals
        called = [call for call in overview(found, ROOT).calls if call.target == SHOP]
        assert (MAIN in [call.caller for call in called]) is calls
        # The proxy answers Prometheus itself, whatever the policy says of the ports behind it.
        assert Call(SHOP, Party("", "monitoring", "prometheus"), (15020,)) in called

    @pytest.mark.parametrize(
        ("principal", "calls"),
        [
            ("cluster.local/ns/shop/sa/shop", True),
            ("cluster.local/ns/shop/sa/other", False),
            ("*/sa/shop", True),
            ("cluster.local/ns/data/sa/shop", False),
        ],
    )
    def test_a_workload_is_known_to_the_mesh_by_its_account(self, principal: str, calls: bool) -> None:
        found = objects()
        the("Namespace", "data", found)["metadata"]["labels"] = {"istio-injection": "enabled"}
        policy = the("AuthorizationPolicy", "shop", found)
        policy["metadata"] = {"name": "data", "namespace": "data"}
        policy["spec"]["selector"] = {"matchLabels": {"app": "data"}}
        policy["spec"]["rules"] = [{"from": [{"source": {"principals": [principal]}}]}]
        assert (Call(DATA, SHOP, (5432,)) in overview(found, ROOT).calls) is calls

    def test_a_policy_of_the_mesh_without_rules_lets_nobody_in(self) -> None:
        found = objects()
        del the("AuthorizationPolicy", "shop", found)["spec"]["rules"]
        assert MAIN not in [call.caller for call in overview(found, ROOT).calls]

    def test_pods_that_no_policy_closes_are_called_by_every_pod(self) -> None:
        found = overview(without("NetworkPolicy/default-deny", "NetworkPolicy/allow-from-shop"), ROOT)
        assert Call(DATA, Party("", "*", "*"), (5432,)) in found.calls


class TestRead:
    """The same from files."""

    def put(self, base: Path) -> None:
        for item in objects():
            place = base / item.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(File((item.document,), item.source).text(), "utf-8")
            listing = base / ROOT / Path(item.path).relative_to(ROOT).parts[0] / "kustomization.yaml"
            listing.write_text("kind: Kustomization\n", "utf-8")

    def test_the_files_say_what_the_objects_say(self, tmp_path: Path) -> None:
        self.put(tmp_path)
        assert read(tmp_path, ROOT) == shop()

    def test_what_is_not_generated_or_not_applied_is_left_out(self, tmp_path: Path) -> None:
        self.put(tmp_path)
        (tmp_path / ROOT / "apps/notes.yaml").write_text("- not an object\n", "utf-8")
        (tmp_path / ROOT / "README.md").write_text(Page("# Test\n", "charts/shop.py").text(), "utf-8")
        # Another environment's tree, of the same shape, below this one.
        shutil.copytree(tmp_path / ROOT, tmp_path / "other")
        shutil.move(tmp_path / "other", tmp_path / ROOT / "staging")
        assert read(tmp_path, ROOT) == shop()

    @pytest.mark.slow
    def test_it_needs_no_cdk8s(self) -> None:
        asked = "import sys, synth.overview.page; print(*(name for name in ('cdk8s', 'jsii') if name in sys.modules))"
        done = subprocess.run([sys.executable, "-c", asked], cwd=PROJECT, capture_output=True, text=True, check=True)
        assert done.stdout == "\n"
