"""Calls that follow from each other: what one call makes, the next ones use.

The links between operations (the id that a creation answers, the path that takes it) are inferred
from the documents. No answer is a fault, whatever the order of the calls.
"""

import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import Case
from schemathesis.checks import not_a_server_error, status_code_conformance

from onebox.services import SERVICES
from tests.contracts.running import RunningSet

CHAINS = int(os.environ.get("LOCKSTOCK_FUZZ_CHAINS", "12"))
STEPS = int(os.environ.get("LOCKSTOCK_FUZZ_STEPS", "12"))
"""Chains of calls, and calls in each. `LOCKSTOCK_FUZZ_CHAINS=1000` for a night."""
CALL_SECONDS_MAX = 15
ENDS_CALLER = r"/suspend$|/v1/api-keys/"
"""What would end or bind the very key that calls; the other fuzzer tries it under made-up ids."""
NAMES = [service.name for service in SERVICES]


class _Calling(requests.Session):
    """Shows its key at every call: calls without one are the other fuzzer's."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__()
        self._own = headers

    def send(self, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        request.headers.update(self._own)
        return super().send(request, **more)


class Seen:
    """What the chains met."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.followed: Counter[str] = Counter()
        self.faults: list[str] = []

    def judge(self, case: Case[Any], answer: Any) -> None:
        self.statuses[answer.status_code] += 1
        if answer.status_code == 503 and "retry-after" in answer.headers:
            return
        try:
            case.validate_response(answer, checks=[not_a_server_error, status_code_conformance])
        except Exception as error:  # whatever it is, the chain goes on
            self.faults.append(f"{case.operation.label}: {error}")


@pytest.mark.timeout(3_600 if CHAINS > 100 else 180)
@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("name", NAMES)
def test_no_chain_of_calls_finds_a_fault(name: str, running: RunningSet):
    seen = Seen()
    machine = _machine(running, name, seen)

    for number in range(CHAINS):
        # One chain each: the services remember, so a chain that is run again ends otherwise.
        run_state_machine_as_test(
            hypothesis.seed(number)(machine),
            settings=settings(
                max_examples=1,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )

    assert seen.faults == []
    assert any(status < 300 for status in seen.statuses), f"nothing succeeded: {seen.statuses}"
    assert seen.followed, "no call used what another had made"


def _machine(running: RunningSet, name: str, seen: Seen) -> Any:
    schema = schemathesis.openapi.from_dict(running.documents[name]).exclude(path_regex=ENDS_CALLER)
    base: Any = schema.as_state_machine()

    class Chain(base):  # type: ignore[misc]  # made by the schema
        def step(self, input: Any) -> Any:
            if input.transition is not None and input.is_applied:
                seen.followed[input.case.operation.label] += 1
            return super().step(input)

        def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:
            return {
                "base_url": running.urls[name],
                "session": _Calling(running.headers),
                "timeout": CALL_SECONDS_MAX,
            }

        def validate_response(self, response: Any, case: Case[Any], **_: Any) -> None:
            seen.judge(case, response)

    return Chain
