"""Strict JSON schemas of everything that is deployed, from what the project has: no network.

Built-in kinds come from the kubernetes-validate package, custom ones from imports/crds/.
"""

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from synth import ROOT
from synth.manifest import Document, load

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

CRDS = ROOT / "imports" / "crds"
Schema = dict[str, Any]
WORDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "nothing",
    "number": "a number",
    "object": "a mapping",
    "string": "text",
}


def errors(document: Document, minor: str) -> list[str]:
    """What the schema of an object's kind has against it, each as a sentence; an unknown field is an error.

    `minor` is the version of Kubernetes (`1.35`) whose own kinds there are. Of a kind without a schema here nothing is
    said.
    """
    validator = _validator(document["apiVersion"], document["kind"], minor)
    return [_sentence(error) for error in validator.iter_errors(document)] if validator else []


def has_schema(document: Document, minor: str) -> bool:
    """Whether the schema of an object's kind is here: of custom ones, of those that imports/crds/ has."""
    return _validator(document["apiVersion"], document["kind"], minor) is not None


@cache
def custom_schemas() -> dict[tuple[str, str, str], Schema]:
    """A schema for each group, version and kind of imports/crds/; an unknown field is an error."""
    schemas = {}
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
                schemas[spec["group"], version["name"], spec["names"]["kind"]] = schema
    return schemas


def write_schemas(folder: Path, minor: str) -> list[str]:
    """Write all schemas below a folder; the templates by which kubeconform finds them there.

    https://github.com/yannh/kubeconform#overriding-schemas-location
    """
    package = _package(minor)
    built_in, custom = folder / "built-in", folder / "custom"
    built_in.mkdir(parents=True)
    for file in package.glob("*.json"):
        schema = json.loads(file.read_text("utf-8"))
        # The identity is an address on the web, against which kubeconform would resolve the references.
        schema.pop("$id", None)
        text = json.dumps(schema).replace('"/api/_definitions.json#', '"_definitions.json#')
        (built_in / file.name).write_text(text, "utf-8")
    for (group, version, kind), schema in custom_schemas().items():
        (custom / group).mkdir(parents=True, exist_ok=True)
        (custom / group / f"{kind.lower()}_{version}.json").write_text(json.dumps(schema), "utf-8")
    return [
        f"{built_in}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json",
        f"{custom}/{{{{ .Group }}}}/{{{{ .ResourceKind }}}}_{{{{ .ResourceAPIVersion }}}}.json",
    ]


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


def _package(minor: str) -> Path:
    """The folder of the built-in kinds of one version of Kubernetes."""
    import kubernetes_validate

    return Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{minor}.0-local-strict"


@cache
def _validator(api_version: str, kind: str, minor: str) -> "Draft202012Validator | None":
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    group, _, version = api_version.rpartition("/")
    if schema := custom_schemas().get((group, version, kind)):
        return Draft202012Validator(schema)
    # rbac.authorization.k8s.io/v1 is in role-rbac-v1.json.
    name = "-".join(part for part in (kind.lower(), group.partition(".")[0], version) if part)
    file = _package(minor) / f"{name}.json"
    if not file.exists():
        return None
    definitions: Resource[Any] = _definitions(file.parent)
    schema = json.loads(file.read_text("utf-8"))
    registry: Registry[Any] = definitions @ (Resource.from_contents(schema) @ Registry())
    return Draft202012Validator(schema, registry=registry)


@cache
def _definitions(package: Path) -> Any:
    from referencing import Resource

    return Resource.from_contents(json.loads((package / "_definitions.json").read_text("utf-8")))


def _sentence(error: "ValidationError") -> str:
    path = ".".join(map(str, error.absolute_path)) or "the object"
    rule, value = error.validator, cast(Any, error.validator_value)
    given = cast(Any, error.instance)
    schema = error.schema if isinstance(error.schema, dict) else {}
    if rule == "additionalProperties":
        import difflib

        known = list(schema.get("properties", {}))
        unknown = [field for field in given if field not in known]
        near = difflib.get_close_matches(unknown[0], known, n=1)
        right = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}"
        return f"{path} has no field {', '.join(unknown)}: {right}"
    if rule == "type":
        wanted = [value] if isinstance(value, str) else value
        words = " or ".join(WORDS[word] for word in wanted if word != "null")
        return f"{path} must be {words}, and is {json.dumps(given)}"
    if rule == "enum":
        return f"{path} must be {' or '.join(map(str, value))}, and is {json.dumps(given)}"
    if rule == "required":
        missing = [field for field in value if field not in given]
        return f"{path} lacks {', '.join(missing)}"
    if rule in ("minimum", "maximum"):
        bound = "least" if rule == "minimum" else "most"
        return f"{path} must be at {bound} {value}, and is {given}"
    return f"{path}: {error.message}"
