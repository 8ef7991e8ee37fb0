"""Strict validation of Kubernetes objects: built-in kinds by the cluster's version, custom ones by their CRD."""

from functools import cache

import kubernetes_validate
from jsonschema import Draft202012Validator
from kubernetes_validate import utils

from scripts.gate.schemas import custom_schemas, kubernetes_version
from synth.manifest import Document

# Both are read anew for each object, of which there are thousands: the definitions alone have 2 MB.
utils.all_versions = cache(utils.all_versions)
utils.schema_contents = cache(utils.schema_contents)


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


def has_schema(document: Document) -> bool:
    """Whether the schema of an object's kind is here: of custom ones, of those that imports/crds has."""
    group, _, version = document["apiVersion"].rpartition("/")
    return "." not in group or group.endswith(".k8s.io") or (group, version, document["kind"]) in _custom_validators()


@cache
def _custom_validators() -> dict[tuple[str, str, str], Draft202012Validator]:
    return {key: Draft202012Validator(schema) for key, schema in custom_schemas().items()}
