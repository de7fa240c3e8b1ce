"""Made-up calls against every documented operation: no answer is a fault, none is undocumented."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from onebox.services import SERVICES
from tests.contracts.running import RunningSet
from tests.contracts.world import Known

EXAMPLES = int(os.environ.get("LOCKSTOCK_FUZZ_EXAMPLES", "3"))
"""Per operation and kind of data. `LOCKSTOCK_FUZZ_EXAMPLES=1000` for a night."""
CALL_SECONDS_MAX = 15
PROBLEM = "application/problem+json"
NAMES = [service.name for service in SERVICES]
PARTS = 4
"""A service's operations are dealt out, so that no test is long."""


@pytest.mark.timeout(300 + 60 * EXAMPLES)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: str(mode.value))
@pytest.mark.parametrize("name", NAMES)
def test_no_made_up_call_finds_a_fault(
    name: str, mode: GenerationMode, part: int, running: RunningSet, known: Known
):
    operations = _operations(running.documents[name])[part::PARTS]
    with requests.Session() as session:
        session.headers.update(running.headers)
        fuzz = Fuzz(running.urls[name], session, known[name], mode)
        found = [failure for operation in operations for failure in fuzz.failures_of(operation)]

    assert found == []
    # What is wrong on purpose may well be refused each time.
    succeeded = any(status < 300 for status in fuzz.statuses)
    assert succeeded or mode is GenerationMode.NEGATIVE, f"nothing succeeded: {fuzz.statuses}"


def _operations(document: Any) -> list[Any]:
    """Raises for an operation whose description is wrong."""
    schema: Any = schemathesis.openapi.from_dict(document)
    return [result.ok() for result in schema.get_all_operations()]


class Fuzz:
    """Calls of one service; half of them name things that exist."""

    def __init__(
        self, url: str, session: requests.Session, known: Any, mode: GenerationMode
    ) -> None:
        self._url = url
        self._mode = mode
        self._session = session
        self._known = known
        self.statuses: Counter[int] = Counter()

    @property
    def _calls(self) -> int:
        return self.statuses.total()

    def failures_of(self, operation: Any) -> Iterator[str]:
        try:
            self._examine(operation)
        except Unsatisfiable:
            return  # nothing is wrong enough for this operation
        except Exception as error:  # whatever it is, the other operations are tried too
            yield f"{operation.label} ({self._mode.value}): {error}"

    def _examine(self, operation: Any) -> None:
        given_ids = {
            parameter.name: self._known[parameter.name]
            for parameter in operation.path_parameters
            if parameter.name in self._known
        }
        cases = operation.as_strategy(generation_mode=self._mode)
        if given_ids:
            cases = st.one_of(
                operation.as_strategy(generation_mode=self._mode, path_parameters=given_ids), cases
            )

        @given(case=cases)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def examine(case: Case[Any]) -> None:
            if self._mode is GenerationMode.POSITIVE and self._calls % 2:
                case.body = planted(case.body, self._known)
            self._call(case)

        examine()

    def _call(self, case: Case[Any]) -> None:
        answer = case.call(base_url=self._url, session=self._session, timeout=CALL_SECONDS_MAX)
        self.statuses[answer.status_code] += 1
        if answer.status_code == 503:
            assert "retry-after" in answer.headers, case.as_curl_command()
        else:
            assert answer.status_code < 500, f"{answer.status_code}: {case.as_curl_command()}"
        if answer.status_code >= 400:
            _assert_problem(case, answer)
        checks = [status_code_conformance, content_type_conformance, response_schema_conformance]
        case.validate_response(answer, checks=checks)


def planted(body: Any, known: Mapping[str, str]) -> Any:
    """The body with names of things that exist in the places of made-up ones."""
    if isinstance(body, list):
        return [planted(item, known) for item in body]
    if not isinstance(body, dict):
        return body
    return {
        name: known[name] if name in known and isinstance(value, str) else planted(value, known)
        for name, value in body.items()
    }


def _assert_problem(case: Case[Any], answer: Any) -> None:
    """Errors are problem documents; those of the buyer's page are pages."""
    content_type = answer.headers["content-type"][0]
    if content_type.startswith("text/html"):
        return
    assert content_type == PROBLEM, f"{content_type}: {case.as_curl_command()}"
    document = answer.json()
    assert document["status"] == answer.status_code
    assert document["code"]
    if document["code"] == "validation_failed":
        assert all(item["pointer"] and item["detail"] for item in document["errors"])
