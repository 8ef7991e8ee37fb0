"""Strict JSON schemas of everything that is deployed, from what the project has: no network.

Built-in kinds come from the kubernetes-validate package, custom ones from imports/crds/.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from facts.versions import pinned
from scripts.programs import CRDS
from synth import DefinitionError
from synth.manifest import load

Schema = dict[str, Any]


def kubernetes_version() -> str:
    """The `major.minor.patch` of the pinned k3s: v1.35.5-k3s1 is Kubernetes 1.35.5.

    Raises:
        DefinitionError: versions.yaml has something else than a k3s image tag.
    """
    match = re.fullmatch(r"v(\d+\.\d+\.\d+)[-+]k3s\d+", pinned("k3s"))
    if match is None:
        raise DefinitionError(f"versions.yaml: k3s {pinned('k3s')} is no k3s image tag: v1.35.5-k3s1 is one")
    return match[1]


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


def write_schemas(folder: Path) -> list[str]:
    """Write all schemas below a folder; the templates by which kubeconform finds them there.

    https://github.com/yannh/kubeconform#overriding-schemas-location
    """
    import kubernetes_validate

    minor = ".".join(kubernetes_version().split(".")[:2])
    package = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{minor}.0-local-strict"
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
