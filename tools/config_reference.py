"""Writes docs/configuration.md from the models in orchestrator/config.py, so that the page cannot drift from the code.

python tools/config_reference.py --write    writes the page
python tools/config_reference.py --check    exits 1 when the page is not what would be written
"""

import difflib
import sys
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
PAGE = ROOT / "docs" / "configuration.md"

INTRODUCTION = """# Configuration

<!-- Written by tools/config_reference.py from orchestrator/config.py; `make docs` writes it anew. Do not edit. -->

A node reads one YAML file (`triarch node --config FILE`). An environment variable wins over the file, a flag over both.
The variable of a setting is `TRIARCH_`, the section, two underscores, the setting: `TRIARCH_REDIS__URL`.
Unknown settings are errors. What contradicts itself is refused at the start;
the message names the file, the line, the field, and gives a hint.

Secrets have no defaults. Each can be given as a value or as a file (`…_file`), whose content is taken without the last
line end. As soon as an address a node listens on is not loopback, it starts only with `cluster.secret`, `api.token`
(both of 32 characters or more) and `redis.password`.

All durations are seconds. [A whole example](../README.md#configuration) stands in the README.
"""


def type_name(annotation: Any) -> str:
    """A type the way a person who writes YAML says it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{argument}`" for argument in arguments)
    if origin in (Union, UnionType):
        return " or ".join(type_name(argument) for argument in arguments if argument is not NoneType)
    if origin in (tuple, list, set, frozenset):
        return f"list of {type_name(arguments[0])}"
    if origin is dict:
        return "mapping"
    if hasattr(annotation, "__metadata__"):
        return type_name(arguments[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "{" + ", ".join(annotation.model_fields) + "}"
    names = {
        str: "text",
        int: "integer",
        float: "number",
        bool: "true or false",
        Path: "path",
        SecretStr: "secret text",
    }
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def bounds(field: FieldInfo) -> str:
    """The limits a number or a text must keep, such as "≥ 1, ≤ 100"; empty when there are none."""
    signs = {
        "ge": "≥ {}",
        "gt": "> {}",
        "le": "≤ {}",
        "lt": "< {}",
        "min_length": "at least {} long",
        "max_length": "at most {} long",
    }
    found = []
    for constraint in field.metadata:
        for name, sign in signs.items():
            value = getattr(constraint, name, None)
            if value is not None:
                found.append(sign.format(value))
    return ", ".join(found)


def default_of(field: FieldInfo) -> str:
    """The default as YAML would show it; "required" when there is none."""
    if field.is_required():
        return "required"
    value = field.default if field.default is not PydanticUndefined else field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, dict):
        return ", ".join(f"`{key}`: `{element.kind}`" for key, element in value.items())
    if isinstance(value, (tuple, list)):
        return "`[]`" if not value else f"`{list(value)}`"
    return f"`{value}`"


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The annotation itself, or one of its arguments, where that is a model: a section, or the element of a list."""
    candidates: list[type[BaseModel]] = [
        candidate
        for candidate in (annotation, *get_args(annotation))
        if isinstance(candidate, type) and get_origin(candidate) is None and issubclass(candidate, BaseModel)
    ]
    return candidates[0] if candidates else None


def table(model: type[BaseModel], prefix: str) -> list[str]:
    """The Markdown table of one section's settings."""
    rows = ["| setting | type | default | meaning |", "| --- | --- | --- | --- |"]
    for name, field in model.model_fields.items():
        limits = bounds(field)
        kind = type_name(field.annotation) + (f", {limits}" if limits else "")
        meaning = " ".join((field.description or "").split())
        rows.append(
            "| "
            + " | ".join(cell.replace("|", "\\|") for cell in (f"`{prefix}{name}`", kind, default_of(field), meaning))
            + " |"
        )
    return rows


def page() -> str:
    """The whole page."""
    from orchestrator.config import NodeConfig

    parts = [INTRODUCTION]
    for name, field in NodeConfig.model_fields.items():
        section = model_of(field.annotation)
        if section is None:
            continue
        summary = (section.__doc__ or "").strip().split("\n\n")[0]
        parts.append(f"## {name}\n\n{' '.join(summary.split())}\n\n" + "\n".join(table(section, f"{name}.")) + "\n")
        for inner, inner_field in section.model_fields.items():
            element = model_of(inner_field.annotation)
            if element is not None:
                parts.append(f"Each entry of `{name}.{inner}`:\n\n" + "\n".join(table(element, "")) + "\n")
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    if arguments == ["--write"]:
        PAGE.write_text(page())
        return 0
    if arguments == ["--check"]:
        there = PAGE.read_text() if PAGE.exists() else ""
        changes = list(
            difflib.unified_diff(there.splitlines(), page().splitlines(), PAGE.name, "generated", lineterm="", n=0)
        )
        if changes:
            print(*changes[:40], "docs/configuration.md is not up to date: make docs", sep="\n", file=sys.stderr)
        return 1 if changes else 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
