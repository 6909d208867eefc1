"""The OpenAPI document is whole: nothing that a client needs to know of an operation is left out of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from orchestrator.api.app import build_app
from orchestrator.api.openapi import TAGS, UNSAFE, operations
from orchestrator.api.problems import KINDS, RETRYABLE
from orchestrator.api.synthesis import Synthesis
from orchestrator.looks import in_words
from orchestrator.node import Node
from tests.orchestrator.api_nodes import TOKEN, configured, settings

Json = dict[str, Any]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Json:
    directory: Path = tmp_path_factory.mktemp("openapi")
    tree = settings(0, [(7101, 8101), (7102, 8102), (7103, 8103)], directory, 6390, api={"token": TOKEN})
    found: Json = build_app(Node(configured(tree, directory))).openapi()
    return found


def _faults(method: str, path: str, operation: Json) -> list[str]:
    faults = [
        name for name in ("summary", "description", "tags", "operationId", "responses") if not operation.get(name)
    ]
    for parameter in operation["parameters"]:
        if not parameter.get("description"):
            faults.append(f"parameter {parameter['name']} has no description")
        if "schema" not in parameter:
            faults.append(f"parameter {parameter['name']} has no schema")
    named = {part[1:-1].partition(":")[0] for part in path.split("/") if part.startswith("{")}
    if named != {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}:
        faults.append("the path's parameters are not those that are described")
    if "requestBody" in operation:
        faults += [
            f"the body as {media} has no example"
            for media, content in operation["requestBody"]["content"].items()
            if "example" not in content and not content.get("examples")
        ]
    if operation.get("security") != [] and not operation.get("x-triarch-roles"):
        faults.append("nothing says who may")
    if not any(status[0] == "2" for status in operation["responses"]):
        faults.append("no answer that is well")
    for status, response in operation["responses"].items():
        faults += [f"{status}: {fault}" for fault in _faults_of_response(status, response)]
    keyed = any(parameter["name"] == "Idempotency-Key" for parameter in operation["parameters"])
    if keyed is not (method in UNSAFE):
        faults.append("Idempotency-Key is for changes, and for each of them")
    return faults


def _faults_of_response(status: str, response: Json) -> list[str]:
    faults = [] if response.get("description") else ["no description"]
    headers = response.get("headers", {})
    wanted = {"X-Triarch-Node", "X-Triarch-Epoch", "X-Triarch-Index"}
    wanted |= {"503": {"Retry-After"}, "401": {"WWW-Authenticate"}, "202": {"Location"}}.get(status, set())
    faults += [f"no header {name}" for name in sorted(wanted - set(headers))]
    for media, content in response.get("content", {}).items():
        if media == "application/json" and ("schema" not in content or "example" not in content):
            faults.append("no schema, or no example")
        elif media == "application/json" and content["example"] in ({}, [], [{}], None):
            faults.append("an example that says nothing")
        if media == "application/problem+json":
            examples = content["examples"]
            faults += [f"{code} is no code of ours" for code in examples if code not in KINDS]
            others = {code for code, said in examples.items() if str(said["value"]["status"]) != status}
            faults += [f"{code} has another status" for code in others]
            if not examples:
                faults.append("no code")
    return faults


def test_every_operation_says_all_that_a_client_needs(document: Json) -> None:
    found = {
        f"{method.upper()} {path}": faults
        for method, path, operation in operations(document)
        if (faults := _faults(method, path, operation))
    }
    assert found == {}


def test_operations_have_names_of_their_own_and_known_tags(document: Json) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    tags = {tag["name"] for tag in document["tags"]}
    assert all(tag["description"] for tag in document["tags"])
    assert tags == set(TAGS)
    assert {tag for _, _, operation in operations(document) for tag in operation["tags"]} == tags


def test_it_says_where_the_nodes_are_and_how_to_show_who_asks(document: Json) -> None:
    assert [server["url"] for server in document["servers"]] == ["/", *(f"http://127.0.0.1:810{n}" for n in (1, 2, 3))]
    assert document["security"] == [{"bearer": []}]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_what_a_text_has_to_look_like_can_be_said_in_words(document: Json) -> None:
    patterns = set(_patterns(document))
    assert len(patterns) > 10
    for pattern in patterns:
        said = in_words(f"String should match pattern '{pattern}'")
        assert said.startswith("must be "), f"orchestrator/looks.py has no words for {pattern}"
        assert pattern not in said


def _patterns(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        if isinstance(part.get("pattern"), str):
            yield part["pattern"]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from _patterns(each)


def test_what_may_be_tried_again_is_documented_with_when(document: Json) -> None:
    for method, path, operation in operations(document):
        for status, response in operation["responses"].items():
            codes = response.get("content", {}).get("application/problem+json", {}).get("examples", {})
            if RETRYABLE & set(codes):
                assert "Retry-After" in response["headers"], (method, path, status)


def test_each_example_is_what_its_schema_allows(document: Json) -> None:
    schemas = _absolute(document["components"]["schemas"])

    def check(where: str, content: Mapping[str, Any]) -> None:
        given = [said["value"] for said in content.get("examples", {}).values()]
        for example in [*given, *([content["example"]] if "example" in content else [])]:
            schema = {**_absolute(content["schema"]), "$defs": schemas}
            try:
                jsonschema.Draft202012Validator(schema).validate(example)
            except jsonschema.ValidationError as error:
                wrong.append(f"{where}: {error.json_path}: {error.message[:200]}")

    wrong: list[str] = []
    for method, path, operation in operations(document):
        for media, content in operation.get("requestBody", {}).get("content", {}).items():
            if "json" in media and "schema" in content:
                check(f"{method} {path}", content)
        for status, response in operation["responses"].items():
            for media, content in response.get("content", {}).items():
                if "json" in media and "schema" in content:
                    check(f"{method} {path} {status}", content)
    assert not wrong, "\n".join(wrong)


def _absolute(schema: Any) -> Any:
    """With references that lead into `$defs`, where a validator finds them."""
    if isinstance(schema, dict):
        return {
            name: value.replace("#/components/schemas/", "#/$defs/") if name == "$ref" else _absolute(value)
            for name, value in schema.items()
        }
    return [_absolute(one) for one in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "number", "exclusiveMinimum": 0}, 1.0),
        ({"type": "string", "minLength": 6, "maxLength": 7}, "texttex"),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, True),
        ({"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2}, ["a", "a"]),
        ({"type": "object", "properties": {"a": {"const": 1}, "b": {"default": 2}}}, {"a": 1, "b": 2}),
        ({"$ref": "#/components/schemas/Known"}, "as told"),
        ({"allOf": [{"$ref": "#/components/schemas/Known"}]}, "as told"),
        ({}, None),
    ],
)
def test_an_example_is_made_of_what_a_schema_says(schema: Json, example: Any) -> None:
    found = Synthesis({"Known": {"type": "string", "examples": ["as told"]}}).example(schema)
    assert found == example


def test_an_example_of_what_holds_itself_ends() -> None:
    tree = {"type": "object", "properties": {"under": {"type": "array", "items": {"$ref": "#/x/Tree"}}}}
    found = Synthesis({"Tree": tree}).example({"$ref": "#/x/Tree"})
    jsonschema.Draft202012Validator({"$ref": "#/$defs/T", "$defs": {"T": {"type": "object"}}}).validate(found)
