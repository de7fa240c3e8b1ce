"""The documents people try things out from: each call is explained, each example works."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from jsonschema_rs import Draft202012Validator

from onebox.services import SERVICES
from tests.contracts.operations import Operation, operations_of
from tests.contracts.running import RunningSet
from tests.contracts.world import Known

NAMES = [service.name for service in SERVICES]
NOBODY = "0193a3f0-0000-7000-8000-0000000000ff"
# What is no UUID.
NOBODYS = {"key_id": "0" * 16}
PROBLEM = "application/problem+json"
HTML = "text/html"


@pytest.fixture
def operations(name: str, running: RunningSet) -> list[Operation]:
    found = list(operations_of(running.documents[name]))
    assert found
    return found


@pytest.fixture
def with_body(operations: list[Operation]) -> list[Operation]:
    return [operation for operation in operations if operation.body is not None]


@pytest.mark.parametrize("name", NAMES)
def test_every_operation_says_what_it_does(operations: list[Operation]):
    without = [op.name for op in operations if not op.content.get("summary")]

    assert without == []


@pytest.mark.parametrize("name", NAMES)
def test_every_operation_has_a_name_of_its_own(operations: list[Operation]):
    ids = [operation.content["operationId"] for operation in operations]

    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", NAMES)
def test_every_refusal_is_documented_as_a_problem(operations: list[Operation]):
    wrong = [
        f"{operation.name} {status}: {sorted(response.get('content', {}))}"
        for operation in operations
        for status, response in operation.responses.items()
        if int(status) >= 400 and not {PROBLEM, HTML} & set(response.get("content", {}))
    ]
    without = [
        f"{operation.name} {status}"
        for operation in operations
        for status in ("401", "403", "422", "503")
        if operation.content.get("security") and status not in operation.responses
    ]

    assert (wrong, without) == ([], [])


@pytest.mark.parametrize("name", NAMES)
def test_every_body_has_an_example_that_its_own_schema_accepts(with_body: list[Operation]):
    wrong: list[str] = []
    for operation in with_body:
        validator = Draft202012Validator(operation.schema())
        examples = operation.examples()
        if not examples:
            wrong.append(f"{operation.name}: no example")
        wrong += [
            f"{operation.name}: {list(error.instance_path)} {error.message}"
            for example in examples
            for error in validator.iter_errors(example)
        ]

    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_every_example_of_a_schema_is_one(name: str, running: RunningSet):
    """Those of answers too: nothing that is always there is left out of them."""
    components = running.documents[name]["components"]
    wrong = [
        f"{schema}: {list(error.instance_path)} {error.message}"
        for schema, content in components["schemas"].items()
        for example in content.get("examples", ())
        for error in Draft202012Validator(
            {"$ref": f"#/components/schemas/{schema}", "components": components}
        ).iter_errors(example)
    ]

    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_understood_when_it_is_tried(
    name: str, with_body: list[Operation], running: RunningSet
):
    """What it names need not exist; that it cannot be read is what must not happen."""
    wrong: list[str] = []
    with httpx.Client(base_url=running.urls[name], headers=running.headers, timeout=30) as http:
        for operation in with_body:
            for example in operation.examples():
                answer = http.request(
                    operation.method, operation.path_for(NOBODYS, NOBODY), json=example
                )
                code = answer.json().get("code") if answer.is_error else ""
                if answer.status_code >= 500 or code in {"validation_failed", "malformed_json"}:
                    wrong.append(f"{operation.name}: {answer.status_code} {answer.text}")

    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_bad_input_is_refused_with_the_field_named(
    name: str, with_body: list[Operation], running: RunningSet, known: Known
):
    wrong: list[str] = []
    with httpx.Client(base_url=running.urls[name], headers=running.headers, timeout=30) as http:
        for operation in with_body:
            path = operation.path_for(known[name], NOBODY)
            for pointer, body in _spoiled(operation):
                answer = http.request(operation.method, path, json=body)
                named = _pointers(answer)
                if answer.status_code != 422 or not any(it.startswith(pointer) for it in named):
                    wrong.append(f"{operation.name} {pointer}: {answer.status_code} {named}")

    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_json_is_refused_with_400(
    name: str, with_body: list[Operation], running: RunningSet, known: Known
):
    wrong: list[str] = []
    headers = {**running.headers, "Content-Type": "application/json"}
    with httpx.Client(base_url=running.urls[name], headers=headers, timeout=30) as http:
        for operation in with_body:
            path = operation.path_for(known[name], NOBODY)
            answer = http.request(operation.method, path, content=b'{"half": ')
            if answer.status_code != 400 or answer.json()["code"] != "malformed_json":
                wrong.append(f"{operation.name}: {answer.status_code} {answer.text}")

    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_a_call_without_a_key_is_refused_before_anything_else(
    name: str, operations: list[Operation], running: RunningSet, known: Known
):
    wrong: list[str] = []
    with httpx.Client(base_url=running.urls[name], timeout=30) as http:
        for operation in operations:
            if not operation.content.get("security"):
                continue
            answer = http.request(operation.method, operation.path_for(known[name], NOBODY))
            if answer.status_code != 401 or answer.headers["content-type"] != PROBLEM:
                wrong.append(f"{operation.name}: {answer.status_code} {answer.text}")

    assert wrong == []


def _spoiled(operation: Operation) -> list[tuple[str, Any]]:
    """(pointer that must be named, body): each field missing, of a wrong type; one unknown."""
    assert operation.body is not None
    schema = operation.resolved(operation.body["schema"])
    example: Mapping[str, Any] = operation.examples()[0]
    spoiled: list[tuple[str, Any]] = [("/no_such_field", {**example, "no_such_field": 1})]
    for field in schema.get("required", ()):
        rest = {name: value for name, value in example.items() if name != field}
        spoiled.append((f"/{field}", rest))
    for field in schema.get("properties", {}):
        # A list of an object fits no field: neither text, number, list of texts nor object.
        spoiled.append((f"/{field}", {**example, field: [{"no_such_field": []}]}))
    return spoiled


def _pointers(answer: httpx.Response) -> list[str]:
    if not answer.is_error:
        return []
    return [item["pointer"] for item in answer.json().get("errors") or ()]
