"""A shop, which has of every shape what the wiki and the test app do not have."""

from constructs import Construct

from charts.shapes import (
    App,
    ConfigFiles,
    Container,
    CronJob,
    Health,
    Metrics,
    Outside,
    OwnVolume,
    Permission,
    Pod,
    Port,
    Range,
    Replicas,
    Secret,
    StatefulSet,
    Volume,
    WebApp,
    Worker,
)
from facts.environments import Environment
from facts.images import UNKNOWN_DIGEST, Image

SHOP = Image.parse(f"registry.example.com/shop:2.3.0@{UNKNOWN_DIGEST}")
STORE = Image.parse(f"registry.example.com/store:7.1@{UNKNOWN_DIGEST}")


class Shop(App):
    """Pages and gRPC, a nightly job on the volume of the pages, a worker, and a store of its own."""

    def __init__(self, scope: Construct, environment: Environment) -> None:
        super().__init__(scope, "shop", environment)
        goods = Volume(self, "goods", "2Gi")
        settings = ConfigFiles(self, "settings", {"shop.ini": "currency = EUR\n"})
        keys = Secret(self, "shop-keys", by="the shop's owner")
        pages = Container(
            "shop",
            SHOP,
            port=8000,
            ports=[Port(9000, "grpc", host="orders")],
            cpu=Range("50m", "500m"),
            memory=Range("64Mi", "256Mi"),
            variables={"SHOP_PAYMENT": keys.key("payment")},
            mounts={"/data/goods": goods, "/etc/shop": settings},
            health=Health("/healthz", start_seconds=120),
            metrics=Metrics(9100),
        )
        migrate = Container(
            "migrate", SHOP, command=["shop", "migrate"], cpu=Range("50m", "500m"), memory=Range("64Mi", "512Mi")
        )
        WebApp(
            self,
            host=("shop", "store"),
            pod=Pod(
                pages,
                init=[migrate],
                calls=["goods-store"],
                outside=[
                    Outside("payment.example.org"),
                    Outside(addresses=["203.0.113.7/32"], port=5432, protocol="TCP"),
                ],
                permissions=[Permission(resources=["configmaps"], verbs=["get", "list"])],
                pull_secret=keys,
            ),
            headers={"x-frame-options": "DENY"},
            timeout="30s",
        )
        count = Container(
            "count",
            SHOP,
            command=["shop", "count"],
            cpu=Range("10m", "500m"),
            memory=Range("64Mi", "256Mi"),
            mounts={"/data/goods": goods},
        )
        CronJob(self, "count", schedule="0 3 * * *", pod=Pod(count), deadline_seconds=1800)
        send = Container(
            "send",
            SHOP,
            command=["shop", "send"],
            cpu=Range("10m", "200m"),
            memory=Range("64Mi", "128Mi"),
            health=Health(command=["shop", "alive"]),
        )
        Worker(self, "send", pod=Pod(send, calls=("goods-store",)), replicas=Replicas(2))
        store = Container(
            "store",
            STORE,
            ports=[Port(5432, "tcp-store")],
            cpu=Range("50m", "500m"),
            memory=Range("128Mi", "512Mi"),
            mounts={"/var/lib/store": OwnVolume(self, "store-data", "5Gi")},
        )
        StatefulSet(self, "goods-store", pod=Pod(store), replicas=2)
