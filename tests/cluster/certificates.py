"""Certificates, where an environment has them: asked for through the gateway, issued, renewed, and refused."""

import json
import ssl
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from facts.layout import CERTIFICATES, FLUX_FOLDER
from scripts.gate.node.certificates import REFUSED
from scripts.gate.node.cluster import Cluster
from synth.manifest import Document
from synth.overview.model import Address
from tests.cluster.conftest import COMMIT_SECONDS, ask, connected
from tests.cluster.delivery import BROKEN_TIMEOUT, documents_of, is_applied, live, of_apps, rewritten, said

RENEWAL_SECONDS = 120
"""How long an order may take, from its challenges to a gateway that has the certificate."""
WORDS = {"never": "propagation", REFUSED: "rejectedIdentifier"}
"""What the certificate of a host that leads nowhere, and of one that is refused, comes to."""


def certificates(cluster: Cluster) -> list[Document]:
    found = [item for item in cluster.objects if item["kind"] == "Certificate"]
    assert bool(found) == bool(cluster.environment.tls)
    return found


def test_each_is_issued_as_it_is_asked_for(cluster: Cluster, addresses: list[Address]) -> None:
    asked = certificates(cluster)
    for item in asked:
        status = live(cluster, item)["status"]
        assert {one["type"]: one["status"] for one in status["conditions"]}["Ready"] == "True"
        assert (
            datetime.now(UTC)
            < datetime.fromisoformat(status["renewalTime"])
            < datetime.fromisoformat(status["notAfter"])
        )
    for one in addresses:
        if one.protocol == "HTTPS":
            served = given(one)
            (spec,) = (item["spec"] for item in asked if one.host in item["spec"]["dnsNames"])
            names = served.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            assert names.get_values_for_type(x509.DNSName) == spec["dnsNames"]
            key = served.public_key()
            assert isinstance(key, EllipticCurvePublicKey)
            assert key.key_size == spec["privateKey"]["size"]


def test_one_is_renewed_while_visitors_come_and_http_leads_to_https(cluster: Cluster, addresses: list[Address]) -> None:
    for one in addresses:
        if one.protocol != "HTTPS":
            continue
        before = given(one).serial_number
        (item,) = (item for item in certificates(cluster) if one.host in item["spec"]["dnsNames"])
        renew(cluster, item)
        start, asked = time.monotonic(), 0
        while given(one).serial_number == before:
            assert ask(one.host, one.path, one.port, one.protocol).status == 200, f"{one} after {asked} requests"
            assert ask(one.host, f"{one.path}/", 80).status == 308, str(one)
            asked += 1
            assert time.monotonic() - start < RENEWAL_SECONDS, str(one)
        print(f"  {one.host}: renewed in {time.monotonic() - start:.1f} s, {asked} requests answered meanwhile")


@pytest.mark.usefixtures("put_back")
@pytest.mark.parametrize("name", WORDS)
def test_one_that_never_comes_is_said_and_holds_nothing_back(cluster: Cluster, name: str) -> None:
    folder = cluster.tree / CERTIFICATES
    if not certificates(cluster):
        return
    file, like = next((file, item) for file, item in documents_of(folder) if item["kind"] == "Certificate")
    metadata = like["metadata"] | {"name": name}
    spec = like["spec"] | {"dnsNames": [f"{name}.{cluster.environment.domain}"], "secretName": name}
    one = like | {"metadata": metadata, "spec": spec}
    file.with_name(f"{name}.yaml").write_text(yaml.safe_dump(one), "utf-8")
    rewritten(folder / "kustomization.yaml", lambda content: content["resources"].append(f"{name}.yaml"))
    flux = cluster.tree / FLUX_FOLDER / f"{CERTIFICATES}.yaml"
    rewritten(flux, lambda content: content["spec"].update(timeout=BROKEN_TIMEOUT))
    revision = cluster.publish(f"A certificate for {name}.{cluster.environment.domain}")
    assert name in said(cluster, CERTIFICATES)
    for app in of_apps(cluster):
        cluster.node.wait(f"{app} goes on", partial(is_applied, cluster, app, revision), COMMIT_SECONDS)
    cluster.node.wait(f"why {name} does not come", lambda: WORDS[name] in reasons(cluster, one), COMMIT_SECONDS)


def given(address: Address) -> x509.Certificate:
    """The certificate that a visitor is given, whose chain is verified."""
    with connected(address.host, address.port, address.protocol) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        content = connection.getpeercert(binary_form=True)
    assert content
    return x509.load_der_x509_certificate(content)


def renew(cluster: Cluster, certificate: Document) -> None:
    """What `cmctl renew` does: https://cert-manager.io/docs/reference/cmctl/#renew."""
    now = (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {
        "type": "Issuing",
        "status": "True",
        "reason": "ManuallyTriggered",
        "message": "Renewed by the tests",
        "lastTransitionTime": now,
    }
    change = json.dumps([{"op": "add", "path": "/status/conditions/-", "value": condition}])
    metadata = certificate["metadata"]
    name = (f"certificate/{metadata['name']}", f"--namespace={metadata['namespace']}")
    cluster.node.kubectl("patch", *name, "--subresource=status", "--type=json", f"--patch={change}")


def reasons(cluster: Cluster, certificate: Document) -> str:
    """What cert-manager says of a certificate, its orders and challenges."""
    kinds = "certificates.cert-manager.io,certificaterequests.cert-manager.io,orders.acme.cert-manager.io"
    kinds += ",challenges.acme.cert-manager.io"
    metadata = certificate["metadata"]
    found = cluster.node.get(kinds, f"--namespace={metadata['namespace']}")["items"]
    return json.dumps([item["status"] for item in found if item["metadata"]["name"].startswith(metadata["name"])])
