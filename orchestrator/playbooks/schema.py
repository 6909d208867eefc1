"""The JSON Schema of a playbook, for editors: they complete members and mark mistakes while one types. Pure.

Made from the models; what members mean stands in `orchestrator.playbooks.descriptions`. Draft 7: every editor knows it.
An editor checks less than `triarch playbook validate`: what expressions refer to, and whether names fit together, no
schema can say.
"""

import json
from collections.abc import Mapping
from typing import Any

from orchestrator.playbooks.actions import SELECTORS
from orchestrator.playbooks.descriptions import description_of
from orchestrator.playbooks.models import Playbook

_UNIONS = {"log_event": "Action", "manual": "Trigger"}
"""A union is known by one of its types."""
_SELECTING = ("SendCommand", "WaitForState", "SetGroupState")
_NULL = {"type": "null"}


def playbook_schema() -> dict[str, Any]:
    """As JSON data."""
    raw = Playbook.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = {}
    for name, model in sorted(raw.pop("$defs").items()):
        definitions[name] = _model(name, model, definitions)
    whole = _model("Playbook", raw, definitions)
    for name in _SELECTING:
        definitions[name]["oneOf"] = [{"required": [selector]} for selector in SELECTORS]
    trigger = whole["properties"]["trigger"]
    whole["properties"]["trigger"] = {
        "description": trigger.pop("description", ""),
        "anyOf": [{"$ref": "#/definitions/Trigger"}, trigger],
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Triarch playbook",
        **{key: value for key, value in whole.items() if key != "title"},
        "definitions": dict(sorted(definitions.items())),
    }


def schema_text() -> str:
    """As it stands in playbooks/playbook.schema.json."""
    return json.dumps(playbook_schema(), indent=2, ensure_ascii=False) + "\n"


def _model(name: str, model: Mapping[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """One model's schema with descriptions of its members; unions go into `definitions`."""
    tidy: dict[str, Any] = _tidy(model, definitions)
    if "description" in tidy:
        tidy["description"] = " ".join(tidy["description"].replace("`", "").split())
    for member, schema in tidy.get("properties", {}).items():
        described = description_of(name, member)
        if described:
            schema["description"] = described
    return tidy


def _tidy(schema: Any, definitions: dict[str, Any]) -> Any:
    """Without titles, nulls and what only pydantic needs; each union once, under its name."""
    if isinstance(schema, list):
        return [_tidy(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    mapping = schema.get("discriminator", {}).get("mapping", {})
    union = next((_UNIONS[known] for known in _UNIONS if known in mapping), None)
    if union is not None:
        definitions.setdefault(
            union, {"oneOf": [{"$ref": f"#/definitions/{ref.rpartition('/')[2]}"} for ref in mapping.values()]}
        )
        return {"$ref": f"#/definitions/{union}"}
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("title", "discriminator"):
            continue
        if key == "default" and value in (None, [], {}, ""):
            continue
        if key == "$ref":
            found[key] = value.replace("#/$defs/", "#/definitions/")
        elif key == "properties":
            found[key] = {name: _tidy(inner, definitions) for name, inner in value.items()}
        elif key == "anyOf" and _NULL in value and len(value) == 2:
            found |= _tidy(next(inner for inner in value if inner != _NULL), definitions)
        elif key == "anyOf":
            found[key] = _tidy([inner for inner in value if inner != _NULL], definitions)
        else:
            found[key] = _tidy(value, definitions)
    if "patternProperties" in found:
        found["additionalProperties"] = False
    return found
