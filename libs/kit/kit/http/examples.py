"""Examples in the OpenAPI document as they are written: FastAPI leaves out of them what is null."""

from collections.abc import Mapping
from typing import Any

Schemas = Mapping[str, Any]
"""Of the document's components, by name."""

_REF = "#/components/schemas/"


def complete_examples(schemas: Schemas) -> None:
    """Puts back, in every example of these schemas, each null that is always there."""
    for schema in schemas.values():
        for example in schema.get("examples", ()):
            _complete(example, schema, schemas)


def _complete(value: Any, schema: Mapping[str, Any], schemas: Schemas) -> None:
    meant = _meant(schema, schemas)
    if isinstance(value, list):
        for item in value:
            _complete(item, meant.get("items", {}), schemas)
    elif isinstance(value, dict):
        properties = meant.get("properties", {})
        for name in meant.get("required", ()):
            if name not in value and _may_be_null(properties.get(name, {})):
                value[name] = None
        for name, inner in properties.items():
            _complete(value.get(name), inner, schemas)


def _meant(schema: Mapping[str, Any], schemas: Schemas) -> Mapping[str, Any]:
    """What it refers to; of what may be null, what it is else."""
    if "$ref" in schema:
        return _meant(schemas.get(schema["$ref"].removeprefix(_REF), {}), schemas)
    others = [it for it in schema.get("anyOf", ()) if it.get("type") != "null"]
    return _meant(others[0], schemas) if len(others) == 1 else schema


def _may_be_null(schema: Mapping[str, Any]) -> bool:
    return any(it.get("type") == "null" for it in schema.get("anyOf", ()))
