"""The operations of an OpenAPI document, as far as the contract tests look at them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_METHODS = ("get", "put", "post", "patch", "delete")
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path; `document` is the whole document it is in."""

    method: str
    path: str
    content: Mapping[str, Any]
    document: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def responses(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.content.get("responses", {})
        return found

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The JSON body's media type object; None when it takes no JSON."""
        found: Mapping[str, Any] | None = (
            self.content.get("requestBody", {}).get("content", {}).get(JSON)
        )
        return found

    @property
    def is_body_required(self) -> bool:
        return bool(self.content.get("requestBody", {}).get("required"))

    def schema(self) -> dict[str, Any]:
        """The body's schema, able to stand alone."""
        assert self.body is not None
        return {**self.body["schema"], "components": self.document["components"]}

    def examples(self) -> list[Any]:
        """Those of the body's media type, else those of its schema: what Swagger UI offers."""
        assert self.body is not None
        if "examples" in self.body:
            return [each["value"] for each in self.body["examples"].values()]
        found: list[Any] = self.resolved(self.body["schema"]).get("examples", [])
        return found

    def resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """The schema itself instead of a reference; of `X | null` the X."""
        for alternative in schema.get("anyOf", ()):
            if "$ref" in alternative:
                return self.resolved(alternative)
        if "$ref" not in schema:
            return schema
        found: Any = self.document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return self.resolved(found)

    def path_for(self, known: Mapping[str, str], unknown: str) -> str:
        """The path with ids that exist, or `unknown` where none is known."""
        path = self.path
        for parameter in self.content.get("parameters", ()):
            if parameter["in"] == "path":
                value = known.get(parameter["name"], unknown)
                path = path.replace("{" + parameter["name"] + "}", value)
        return path


def operations_of(document: Mapping[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield Operation(method, path, methods[method], document)
