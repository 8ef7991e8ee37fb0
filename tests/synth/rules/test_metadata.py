"""Rules for labels and annotations: their keys, and the values that others read."""

import pytest

from synth.rules.metadata import check_metadata

NO_KEY = (
    "which is not a key: use letters, digits, -, _ and ., with a letter or digit at both ends, as in app or "
    "example.com/app"
)


@pytest.mark.parametrize("field", ["labels", "matchLabels", "annotations"])
@pytest.mark.parametrize("key", ["app", "App_1.x-y", "example.com/app", "a/b", "example.com/" + "a" * 63])
def test_a_key_may_have_a_prefix(field: str, key: str) -> None:
    assert list(check_metadata({field: {key: "it"}}, "metadata")) == []


@pytest.mark.parametrize("field", ["labels", "matchLabels", "annotations"])
@pytest.mark.parametrize("key", ["", "an app", "app-", "/app", "a/b/c", "Example.com/app", "a" * 64, "app:wiki"])
def test_what_is_no_key_gives_its_sentence(field: str, key: str) -> None:
    assert list(check_metadata({field: {key: "it"}}, "metadata")) == [f"has metadata.{field}[{key}], {NO_KEY}"]


def test_an_annotation_is_text_of_any_form() -> None:
    assert list(check_metadata({"annotations": {"note": "a b: c" * 100}}, "metadata")) == []
    assert list(check_metadata({"annotations": {"scrape": True}}, "metadata")) == [
        "has metadata.annotations[scrape] True: an annotation is text, put it in quotes"
    ]


@pytest.mark.parametrize(
    ("field", "key", "right", "wrong", "known"),
    [
        ("labels", "istio-injection", "disabled", "true", "enabled, disabled"),
        ("labels", "sidecar.istio.io/inject", "false", "disabled", "true, false"),
        ("labels", "pod-security.kubernetes.io/enforce", "baseline", "strict", "privileged, baseline, restricted"),
        ("annotations", "kustomize.toolkit.fluxcd.io/prune", "disabled", "false", "enabled, disabled"),
        ("annotations", "kustomize.toolkit.fluxcd.io/ssa", "Merge", "merge", "Override, Merge, IfNotPresent, Ignore"),
    ],
)
def test_a_value_that_nothing_knows_gives_its_sentence(
    field: str, key: str, right: str, wrong: str, known: str
) -> None:
    assert list(check_metadata({field: {key: right}}, "")) == []
    assert list(check_metadata({field: {key: wrong}}, "")) == [
        f"has {field}[{key}] '{wrong}', which has no effect: there are {known}"
    ]


@pytest.mark.parametrize("value", [None, ["app"], "app"])
def test_a_field_of_another_shape_is_left_alone(value: object) -> None:
    assert list(check_metadata({"labels": value}, "spec.values")) == []


@pytest.mark.parametrize(("key", "value"), [("reconcile", "disabled"), ("ssa", "Ignore")])
def test_what_flux_passes_over_gives_its_sentence(key: str, value: str) -> None:
    (told,) = check_metadata({"annotations": {f"kustomize.toolkit.fluxcd.io/{key}": value}}, "metadata")
    assert f"{value!r}, so that Flux never applies it, and Git says what no cluster has" in told


def test_a_key_of_istios_that_it_does_not_know_gives_its_sentence() -> None:
    known = {"annotations": {"sidecar.istio.io/proxyMemoryLimit": "256Mi"}}
    assert list(check_metadata(known, "metadata")) == []
    (sentence,) = check_metadata({"annotations": {"sidecar.istio.io/proxyMemoryLimits": "256Mi"}}, "metadata")
    assert sentence.startswith(
        "has metadata.annotations[sidecar.istio.io/proxyMemoryLimits], which Istio does not know: there are agent"
    )
