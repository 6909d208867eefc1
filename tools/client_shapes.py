"""The shapes of answers in orchestrator/client/shapes, generated from the OpenAPI document of the API.

    client_shapes.py --write     write them anew
    client_shapes.py --check     exit with 1 when they do not fit the API any more

A shape is a frozen msgspec struct: members of a newer node are passed over, values of an enumeration are text.
"""

import argparse
import json
import keyword
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO))
DIRECTORY = REPO / "orchestrator" / "client" / "shapes"
SEVERAL = "several"
WIDTH = 112
Schemas = Mapping[str, Mapping[str, Any]]
PLAIN = {"string": "str", "boolean": "bool", "number": "float", "integer": "int", "null": "None"}


def document() -> dict[str, Any]:
    """The OpenAPI document of a node, which is not started."""
    from orchestrator.api.app import build_app
    from orchestrator.config import load_config
    from orchestrator.node import Node

    member = {"id": "n1", "raft": "127.0.0.1:7101", "api": "http://127.0.0.1:8101"}
    with tempfile.TemporaryDirectory() as directory:
        tree = {
            "node": {"id": "n1", "data_dir": f"{directory}/n1"},
            "cluster": {"members": [member]},
            "redis": {"mode": "url", "url": "redis://127.0.0.1:6379/0"},
            "api": {"token": "t" * 40},
        }
        path = Path(directory) / "n1.yaml"
        path.write_text(yaml.safe_dump(tree))
        found: dict[str, Any] = build_app(Node(load_config(path, {}))).openapi()
        return found


SCHEMAS = "#/components/schemas/"


def refs(schema: Any) -> set[str]:
    """Names of the schemas that this one refers to itself."""
    if isinstance(schema, Mapping):
        named = schema.get("$ref")
        own = {named.removeprefix(SCHEMAS)} if isinstance(named, str) and named.startswith(SCHEMAS) else set()
        return own.union(*(refs(value) for value in schema.values()))
    return set().union(*(refs(value) for value in schema)) if isinstance(schema, list) else set()


def reached(names: Iterable[str], schemas: Schemas) -> set[str]:
    """These and all that they are made of."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += refs(schemas[name])
    return found


def places(paths: Mapping[str, Any], schemas: Schemas) -> dict[str, str]:
    """Each schema that a successful answer holds, and the tag of who answers so; `SEVERAL` for more than one."""
    found: dict[str, set[str]] = {}
    for operations in paths.values():
        for operation in operations.values():
            good = [answer for code, answer in operation["responses"].items() if code.startswith("2")]
            for name in reached(refs(good), schemas):
                found.setdefault(name, set()).add((operation.get("tags") or [SEVERAL])[0].replace("-", "_"))
    return {name: tags.copy().pop() if len(tags) == 1 else SEVERAL for name, tags in found.items()}


def type_of(schema: Mapping[str, Any], schemas: Schemas) -> str:
    """The annotation of a schema."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        target = schemas[name]
        return name if target.get("properties") else type_of(target, schemas)
    if "anyOf" in schema or "oneOf" in schema:
        kinds = list(dict.fromkeys(type_of(one, schemas) for one in schema.get("anyOf", schema.get("oneOf"))))
        objects = [kind for kind in kinds if kind not in PLAIN.values()]
        if "Any" in kinds or len(objects) > 1:  # msgspec could not tell them apart
            return "Any"
        return " | ".join(sorted(kinds, key=lambda kind: kind == "None"))
    match schema.get("type"):
        case str(kind) if kind in PLAIN:
            return PLAIN[kind]
        case "array" if "prefixItems" in schema:
            kinds = list(dict.fromkeys(type_of(one, schemas) for one in schema["prefixItems"]))
            return f"list[{kinds[0] if len(kinds) == 1 else 'Any'}]"
        case "array":
            return f"list[{type_of(schema.get('items', {}), schemas)}]"
        case "object":
            values = schema.get("additionalProperties")
            return f"dict[str, {type_of(values, schemas) if isinstance(values, Mapping) else 'Any'}]"
    return "Any"


def struct(name: str, schema: Mapping[str, Any], schemas: Schemas) -> str:
    lines = [f"class {name}(msgspec.Struct, frozen=True, kw_only=True):"]
    if text := schema.get("description"):
        lines += doc(text)
    required = set(schema.get("required", ()))
    for member, described in schema["properties"].items():
        kind = type_of(described, schemas)
        own = f"{member}_" if keyword.iskeyword(member) or not member.isidentifier() else member
        own = own if own.isidentifier() else "".join(c if c.isalnum() else "_" for c in own)
        if member in required:
            value = "" if own == member else f" = msgspec.field(name={member!r})"
        else:
            kind = kind if kind == "Any" or "None" in kind.split(" | ") else f"{kind} | None"
            value = " = None" if own == member else f" = msgspec.field(default=None, name={member!r})"
        lines.append(f"    {own}: {kind}{value}")
        if text := described.get("description"):
            lines += doc(text)
    return "\n".join(lines)


def doc(text: str) -> list[str]:
    """A string under what it describes."""
    words = " ".join(text.replace("\\", "\\\\").replace('"""', "'''").split())
    lines = textwrap.wrap(words, WIDTH - 6)
    quoted = lines[-1].endswith('"')
    if len(lines) == 1:
        return [f'    """{lines[0]}{" " if quoted else ""}"""']
    return [f'    """{lines[0]}', *(f"    {line}" for line in lines[1:]), '    """']


def ordered(names: set[str], schemas: Schemas) -> list[str]:
    """Each behind those that it is made of."""
    found: list[str] = []

    def place(name: str) -> None:
        if name in names and name not in found:
            for other in sorted(refs(schemas[name]) - {name}):
                place(other)
            found.append(name)

    for name in sorted(names):
        place(name)
    return found


def modules() -> dict[str, str]:
    """The text of each module by its name."""
    api = document()
    schemas: Schemas = api["components"]["schemas"]
    tags = places(api["paths"], schemas)
    structs = {name: tag for name, tag in tags.items() if schemas[name].get("properties")}
    made: dict[str, str] = {}
    for tag in sorted(set(structs.values())):
        own = ordered({name for name, at in structs.items() if at == tag}, schemas)
        body = "\n\n\n".join(struct(name, schemas[name], schemas) for name in own)
        others = sorted(
            {other for name in own for other in refs(schemas[name]) if structs.get(other, tag) != tag and other in body}
        )
        head = [f'"""Shapes of answers: {tag}. Generated from the API by `make docs`; not edited by hand."""\n']
        if "Any" in body:
            head.append("from typing import Any\n")
        head.append("import msgspec\n")
        for module in sorted({structs[other] for other in others}):
            listed = ", ".join(other for other in others if structs[other] == module)
            head.append(f"from orchestrator.client.shapes.{module} import {listed}\n")
        made[tag] = formatted("\n".join(head) + "\n\n" + body + "\n")
    lines = ['"""Shapes of what nodes answer. Generated from the API by `make docs`; not edited by hand."""\n']
    for tag in made:
        listed = ", ".join(sorted(name for name, at in structs.items() if at == tag))
        lines.append(f"from orchestrator.client.shapes.{tag} import {listed}")
    lines.append(f"\n__all__ = {json.dumps(sorted(structs))}\n")
    made["__init__"] = formatted("\n".join(lines))
    return made


def formatted(text: str) -> str:
    ruff = Path(sys.executable).parent / "ruff"
    for arguments in (["check", "--quiet", "--fix", "--exit-zero"], ["format", "--quiet"]):
        command = [str(ruff), *arguments, "--stdin-filename", str(DIRECTORY / "x.py"), "-"]
        text = subprocess.run(command, cwd=REPO, input=text, capture_output=True, text=True, check=True).stdout
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--write", action="store_true")
    how.add_argument("--check", action="store_true")
    write = parser.parse_args().write
    wanted = {DIRECTORY / f"{name}.py": text for name, text in modules().items()}
    present = {path: path.read_text() for path in DIRECTORY.glob("*.py")} if DIRECTORY.is_dir() else {}
    if present == wanted:
        return 0
    if not write:
        stale = sorted(path.name for path in {*wanted, *present} if wanted.get(path) != present.get(path))
        print(f"{DIRECTORY.relative_to(REPO)}: does not fit the API any more ({', '.join(stale)}); run: make docs")
        return 1
    DIRECTORY.mkdir(exist_ok=True)
    for path in present.keys() - wanted.keys():
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
