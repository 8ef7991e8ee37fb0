"""Rules for images: a digest copied from another image, and one that is missing, give their sentence."""

import pytest

from synth.cluster import Cluster, ImagesWanted
from synth.rules import images
from tests.synth.objects import PROVIDED, environment, find, other, put, said, tree

ONE, TWO, ZEROS = (f"sha256:{digit * 64}" for digit in "120")


def told(wiki: str, second: str) -> list[str]:
    documents = environment()
    put(find(documents, "Deployment"), "spec/template/spec/containers/0/image", wiki)
    job = other("Job")
    container = job["spec"]["template"]["spec"]["containers"][0]
    job["spec"]["template"]["spec"]["containers"] = [{**container, "image": second}]
    return said(images.RULES, [*documents, job])


@pytest.mark.parametrize("tag", ["", ":1.0"])
def test_one_digest_for_two_images_gives_its_sentence(tag: str) -> None:
    assert told(f"host:5000/wiki{tag}@{ONE}", f"host:5000/search@{ONE}") == [
        "Job other has image host:5000/search with the digest of host:5000/wiki in Deployment wiki: a digest is of one "
        "image, copy the right one"
    ]


@pytest.mark.parametrize(
    ("wiki", "second"),
    [
        (f"wiki@{ONE}", f"search@{TWO}"),
        (f"wiki:1.0@{ONE}", f"wiki@{ONE}"),
        (f"wiki@{ZEROS}", f"search@{ZEROS}"),
        ("wiki:1.0", "search:1.0"),
        (f"wiki@{ONE}", "search:1.0"),
    ],
)
def test_each_image_has_its_own_digest(wiki: str, second: str) -> None:
    assert told(wiki, second) == []


def test_one_tag_is_one_image() -> None:
    assert told(f"host:5000/wiki:1.0@{ONE}", f"host:5000/wiki:1.0@{TWO}") == [
        "Job other has image host:5000/wiki:1.0 with another digest than Deployment wiki: a release is one image, use "
        "one digest for both"
    ]
    assert told(f"host:5000/wiki:1.0@{ONE}", f"host:5000/wiki:1.0@{ZEROS}") == []
    assert told(f"host:5000/wiki@{ONE}", f"host:5000/wiki@{TWO}") == []


@pytest.mark.parametrize("tag", ["latest", "main", "stable"])
def test_a_tag_that_moves_gives_its_sentence(tag: str) -> None:
    (sentence,) = told("wiki:1.0", f"registry.example.com/wiki:{tag}")
    assert f"Job other has container wiki with the tag {tag}, which is another image after the next build" in sentence
    assert told("wiki:1.0", f"wiki:{tag}") == told(f"wiki@{TWO}", f"registry.example.com/wiki:{tag}@{ONE}") == []


def test_what_a_registry_has_is_pulled() -> None:
    documents = environment()
    container = find(documents, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    container["imagePullPolicy"] = "Never"
    assert said(images.RULES, documents) == []
    container["image"] = "registry.example.com/wiki:1.0"
    (sentence,) = said(images.RULES, documents)
    assert "container wiki with imagePullPolicy Never, so that no node gets registry.example.com/wiki" in sentence


def test_a_container_without_a_digest_beside_one_with_it_gives_its_sentence() -> None:
    documents = environment()
    containers = find(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    containers[0]["image"] = f"wiki@{ONE}"
    containers.append({**containers[0], "name": "cache", "image": "cache:1.0"})
    (sentence,) = said(images.RULES, documents)
    assert sentence.startswith(
        "Deployment wiki has container cache with image cache:1.0 without a digest, beside wiki@"
    )
    containers[1]["image"] = f"cache:1.0@{TWO}"
    assert said(images.RULES, documents) == []


@pytest.mark.parametrize(
    ("image", "wanted", "told"),
    [
        ("wiki:1.0", ImagesWanted(), []),
        (
            "wiki:1.0",
            ImagesWanted(registry=True),
            ["image wiki:1.0, which names no registry: write where it is pulled"],
        ),
        ("team/wiki:1.0", ImagesWanted(registry=True), ["image team/wiki:1.0, which names no registry"]),
        ("host:5000/wiki:1.0", ImagesWanted(registry=True), []),
        (
            "host:5000/wiki:1.0",
            ImagesWanted(registry=True, digests=True),
            ["image host:5000/wiki:1.0 without a digest, which this cluster wants: write @sha256: and 64"],
        ),
        (f"host:5000/wiki:1.0@{ONE}", ImagesWanted(registry=True, digests=True), []),
    ],
)
def test_an_image_is_named_as_its_cluster_wants(image: str, wanted: ImagesWanted, told: list[str]) -> None:
    documents = environment()
    put(find(documents, "Deployment"), "spec/template/spec/containers/0/image", image)
    cluster = Cluster(tree(documents), PROVIDED, wanted)
    found = [str(violation) for rule in images.RULES for violation in rule(cluster)]
    assert len(found) == len(told)
    assert all(fragment in sentence for fragment, sentence in zip(told, found, strict=True))
