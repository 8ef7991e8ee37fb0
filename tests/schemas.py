"""Strict validation of Kubernetes objects: built-in kinds by the cluster's version, custom ones by their CRD."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
from jsonschema import Draft202012Validator

from synth.manifest import Document, load
from synth.versions import pinned

CRDS = Path(__file__).parent.parent / "imports" / "crds"


def kubernetes_version() -> str:
    """The `major.minor.patch` of the pinned k3s: v1.35.5-k3s1 is Kubernetes 1.35.5."""
    match = re.fullmatch(r"v(\d+\.\d+\.\d+)[-+]k3s\d+", pinned("k3s"))
    assert match, f"versions.yaml: k3s {pinned('k3s')} is no k3s image tag"
    return match[1]


def errors(document: Document) -> list[str]:
    """What the schema of the object's kind has against it; an unknown field is an error."""
    group, _, version = document["apiVersion"].rpartition("/")
    if validator := _custom_validators().get((group, version, document["kind"])):
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
    try:
        validated = kubernetes_validate.validate(document, kubernetes_version(), strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message}"]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [str(error.message)]
    assert kubernetes_version().startswith(validated), f"validated against Kubernetes {validated} instead"
    return []


@cache
def _custom_validators() -> dict[tuple[str, str, str], Draft202012Validator]:
    validators = {}
    for file in sorted(CRDS.glob("*.yaml")):
        for crd in load(file.read_text("utf-8")):
            spec = crd["spec"]
            for version in spec["versions"]:
                schema = _strict(version["schema"]["openAPIV3Schema"])
                schema["properties"] |= {
                    "apiVersion": {"const": f"{spec['group']}/{version['name']}"},
                    "kind": {"const": spec["names"]["kind"]},
                    "metadata": {"type": "object", "required": ["name", "namespace"][: _levels(spec["scope"])]},
                }
                schema["required"] = ["apiVersion", "kind", "metadata", "spec"]
                validators[spec["group"], version["name"], spec["names"]["kind"]] = Draft202012Validator(schema)
    return validators


def _levels(scope: str) -> int:
    return 2 if scope == "Namespaced" else 1


def _strict(schema: Any) -> Any:
    """A structural schema as the API server applies it with strict field validation."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value) for key, value in schema.items()}
    if strict.pop("x-kubernetes-int-or-string", False):
        strict["type"] = ["integer", "string"]
    if strict.pop("nullable", False):
        strict["type"] = [strict["type"], "null"]
    closed = isinstance(strict.get("properties"), dict) and strict.get("type") == "object"
    if closed and not strict.get("x-kubernetes-preserve-unknown-fields"):
        strict.setdefault("additionalProperties", False)
    return strict
