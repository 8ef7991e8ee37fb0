"""No file names a place on the network that its project has given up, so that nothing here ends with it."""

import subprocess

import pytest

from synth import ROOT

# In parts, so that this file names none of them itself. A redirect that still answers is no reason to stay.
RETIRED = {
    # December 2026: https://istio.io/latest/news/releases/1.31.x/announcing-1.31/upgrade-notes/
    ("istio-release", ".storage", ".googleapis.com"): "https://blob.istio.io/istio-release/charts",
    ("gcr.io", "/istio-release"): "docker.io/istio, and oci://ghcr.io/istio/release/charts",
    ("registry", ".istio.io"): "docker.io/istio",
    # 3 April 2023: https://kubernetes.io/blog/2023/02/06/k8s-gcr-io-freeze-announcement/
    ("k8s", ".gcr.io"): "registry.k8s.io",
    # 4 March 2024: https://kubernetes.io/blog/2023/08/31/legacy-package-repository-deprecation/
    ("apt", ".kubernetes.io"): "pkgs.k8s.io",
    ("yum", ".kubernetes.io"): "pkgs.k8s.io",
    # 13 November 2020: https://helm.sh/blog/new-location-stable-incubator-charts/
    ("kubernetes-charts", ".storage", ".googleapis.com"): "the chart's own project",
    ("kubernetes-charts-incubator", ".storage", ".googleapis.com"): "the chart's own project",
}


def retired_in(content: bytes) -> list[str]:
    """What a file names that is gone, each with the place to name instead."""
    names = {"".join(parts): instead for parts, instead in RETIRED.items()}
    return [f"{name} is retired: name {instead}" for name, instead in names.items() if name.encode() in content]


def test_no_file_names_a_retired_host() -> None:
    # What is not added yet counts, what Git ignores does not.
    listed = subprocess.run(
        ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"),  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    found = [
        f"{file.relative_to(ROOT)}: {sentence}"
        for file in files
        if file.is_file()
        for sentence in retired_in(file.read_bytes())
    ]
    assert len(files) > len(RETIRED)
    assert found == []


@pytest.mark.parametrize("parts", RETIRED, ids="".join)
def test_a_retired_host_is_found_wherever_it_stands(parts: tuple[str, ...]) -> None:
    name = "".join(parts)
    for text in (f'repository = "https://{name}/charts"', f"image: {name}/pilot:1.30.4", f"# see {name}"):
        (sentence,) = retired_in(text.encode())
        assert sentence == f"{name} is retired: name {RETIRED[parts]}"


@pytest.mark.parametrize("place", sorted({place for value in RETIRED.values() for place in value.split(", and ")}))
def test_what_to_name_instead_is_not_retired_itself(place: str) -> None:
    assert retired_in(place.encode()) == []
