"""Examples of what a schema describes, made of the examples, defaults and bounds that stand in it. Pure."""

from collections.abc import Mapping
from typing import Any

DEPTH_MAX = 6
"""Of what is nested: deeper things are left empty."""


class Synthesis:
    """Over the schemas of one document, by name."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas

    def give(self, content: dict[str, Any]) -> None:
        """An example for a media type that has a schema and none."""
        if "schema" in content and "example" not in content and not content.get("examples"):
            content["example"] = self.example(content["schema"])

    def example(self, schema: Mapping[str, Any], depth: int = 0) -> Any:
        """A value that the schema allows."""
        schema = self._resolved(schema)
        if "example" in schema:
            return self.restored(schema["example"], schema)
        if schema.get("examples"):
            return self.restored(schema["examples"][0], schema)
        if "const" in schema:
            return schema["const"]
        if "default" in schema and schema["default"] is not None:
            return schema["default"]
        if schema.get("enum"):
            return schema["enum"][0]
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return self.example(next(one for one in schema[several] if one.get("type") != "null"), depth)
        if "allOf" in schema:
            return self.example(schema["allOf"][0], depth)
        return self._typed(schema, depth)

    def restored(self, example: Any, schema: Mapping[str, Any]) -> Any:
        """An example with the nulls that FastAPI drops: members that have to be there, and may be null."""
        schema = self._resolved(schema)
        kinds = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
        if example is not None and len(kinds) == 1:
            schema = self._resolved(kinds[0])
        if isinstance(example, list) and "items" in schema:
            return [self.restored(one, schema["items"]) for one in example]
        values = schema.get("additionalProperties")
        if isinstance(example, Mapping) and isinstance(values, Mapping) and "properties" not in schema:
            return {name: self.restored(value, values) for name, value in example.items()}
        if not isinstance(example, Mapping) or "properties" not in schema:
            return example
        properties = schema["properties"]
        whole = {name: self.restored(value, properties.get(name, {})) for name, value in example.items()}
        for name in schema.get("required", ()):
            if name not in whole and _may_be_null(properties[name]):
                whole[name] = None
        return whole

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" in schema:
            found: Mapping[str, Any] = self._schemas[schema["$ref"].rpartition("/")[2]]
            return found
        return schema

    def _typed(self, schema: Mapping[str, Any], depth: int) -> Any:
        match schema.get("type"):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "string":
                return ("text" * (1 + schema.get("minLength", 0) // 4))[: schema.get("maxLength", None)]
            case "integer":
                return int(schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1))
            case "number":
                return float(schema.get("minimum", schema.get("exclusiveMinimum", 0.5) + 1.0))
            case "boolean":
                return True
        return None

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        if depth >= DEPTH_MAX:
            return {name: self.example(properties[name], depth + 1) for name in schema.get("required", ())}
        return {name: self.example(said, depth + 1) for name, said in properties.items()}

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        if "prefixItems" in schema:
            return [self.example(said, depth + 1) for said in schema["prefixItems"]]
        if depth >= DEPTH_MAX or "items" not in schema:
            return []
        return [self.example(schema["items"], depth + 1)] * max(1, schema.get("minItems", 1))


def _may_be_null(schema: Mapping[str, Any]) -> bool:
    """Where nothing is said of the type, anything may be."""
    if "anyOf" in schema:
        return any(one.get("type") == "null" for one in schema["anyOf"])
    return not {"type", "$ref", "allOf", "enum", "const"} & set(schema)
