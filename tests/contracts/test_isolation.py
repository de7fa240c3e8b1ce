"""Every documented operation, tried without a key, without its scope, and with another merchant's
key and another merchant's ids: nothing is told, nothing changes.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from kit.ids import new_id
from onebox.services import SERVICES
from tests.contracts.operations import Operation, operations_of
from tests.contracts.running import MERCHANT, STRANGER, RunningSet
from tests.contracts.test_openapi_fuzz import planted
from tests.contracts.world import Known

NAMES = [service.name for service in SERVICES]
CALL_SECONDS_MAX = 30
NAMED_MIN = 60
NOBODY = "0193a3f0-0000-7000-8000-00000000dead"
"""The id of nothing."""
# Open on purpose, each for its own reason: who calls is proven by a signature or a token in the
# path, or what is told is no secret.
OPEN = {
    "POST /v1/payment-callbacks/{provider}",
    "POST /v1/payment-callbacks/{provider}/{account_id}",
    "POST /v1/supplier-callbacks/{supplier}",
    "POST /v1/sender-callbacks/{sender_id}",
    "GET /d/{token}",
    "GET /d/{token}/progress",
    "GET /d/{token}/recommendations",
    "GET /d/{token}/units",
    "POST /d/{token}/step-up",
    "POST /d/{token}/step-up/confirm",
    "GET /h/{token}",
    "POST /d/{token}/claims",
    "POST /d/{token}/reveal",
    "POST /d/{token}/units/{unit_id}/reveal",
    "GET /v1/sealing-key",
}
# Named by the caller's own word, which others may use for theirs.
OWN_WORDS = {
    "GET /v1/prepaid/{partner}",
    "PUT /v1/prepaid/{partner}",
    "POST /v1/prepaid/{partner}/top-ups",
    "POST /v1/prepaid/{partner}/holds",
}
# Answered alike whether there is such a thing or not.
ALIKE = {"POST /v1/challenges/{challenge_id}/resend"}
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
# Whose answers concern nobody's things: the vault's public keys.
# A batch of the ledger's chain is a digest of everybody's.
NOBODYS = {
    "GET /v1/sealing-key",
    "GET /v1/sealing-keys",
    "GET /v1/ledger-proof/batches/{batch_no}",
}
# What differs each time the owner looks: the head of the one log for all merchants, and the record
# that taking out the orders leaves.
RESTLESS = (
    "/v1/audit/checkpoint",
    "/v1/audit/proofs",
    "/v1/audit/consistency",
    "/v1/order-exports",
    "/v1/ledger-proof",
)
# When the owner looks, this moves by itself.
_MOVING = {"last_used_at", "request_id", "as_of", "age_seconds", "cover_days", "sold_per_day"}


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=CALL_SECONDS_MAX) as client:
        yield client


@dataclass(slots=True)
class Caller:
    """Calls operations of one service with one key; ids of things that exist go into path and
    body.
    """

    http: httpx.Client
    url: str
    key: str | None
    known: Mapping[str, str] = field(default_factory=dict)

    def call(self, operation: Operation) -> tuple[httpx.Response, str]:
        """The answer, and everything that was sent."""
        path = operation.path_for(self.known, NOBODY)
        request: dict[str, Any] = {}
        if operation.body is not None:
            examples = operation.examples()
            request["json"] = planted(examples[0], self.known) if examples else {}
        headers = {"Idempotency-Key": str(new_id())}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        answer = self.http.request(operation.method, self.url + path, headers=headers, **request)
        return answer, f"{path} {request}"


def _operations(running: RunningSet, name: str) -> list[Operation]:
    return list(operations_of(running.documents[name]))


def _is_open(operation: Operation) -> bool:
    return not operation.content.get("security")


@pytest.mark.parametrize("name", NAMES)
def test_what_needs_no_key_is_open_on_purpose(name: str, running: RunningSet):
    found = {it.name for it in _operations(running, name) if _is_open(it)}

    assert found - OPEN == set()


@pytest.mark.parametrize("name", NAMES)
def test_without_a_key_nothing_is_answered(name: str, running: RunningSet, http: httpx.Client):
    caller = Caller(http, running.urls[name], None)

    statuses = {
        operation.name: caller.call(operation)[0].status_code
        for operation in _operations(running, name)
        if not _is_open(operation)
    }

    assert {name: status for name, status in statuses.items() if status != 401} == {}
    assert len(statuses) > 3


@pytest.mark.parametrize("name", NAMES)
def test_a_key_without_the_scope_is_told_which_one_it_needs(
    name: str, running: RunningSet, http: httpx.Client
):
    caller = Caller(http, running.urls[name], running.bare_key)
    wrong: dict[str, Any] = {}

    for operation in _operations(running, name):
        if _is_open(operation):
            continue
        answer, _ = caller.call(operation)
        if answer.status_code != 403 or ":" not in answer.json().get("scope", ""):
            wrong[operation.name] = (answer.status_code, answer.text[:200])

    assert wrong == {}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", NAMES)
def test_another_merchants_things_are_neither_told_nor_changed(
    name: str, running: RunningSet, known: Known, http: httpx.Client
):
    things = {**known[name], "merchant_id": str(MERCHANT)}
    owner = Caller(http, running.urls[name], running.api_key, things)
    stranger = Caller(http, running.urls[name], running.stranger_key, things)
    before = _seen_by(owner, _operations(running, name))
    ids = _ids_in(before) - _ids_in([before[call] for call in NOBODYS if call in before])
    told: dict[str, str] = {}
    let_in: dict[str, str] = {}
    statuses: Counter[int] = Counter()

    for operation in _operations(running, name):
        if _is_open(operation):
            continue
        answer, sent = stranger.call(operation)
        statuses[answer.status_code] += 1
        if foreign := (_ids_in(answer.text) & ids) - _ids_in(sent):
            told[operation.name] = f"{answer.status_code} {sorted(foreign)}"
        if operation.name in OWN_WORDS and _seen_in(answer) == before.get(operation.name):
            told[operation.name] = f"what the owner is told: {answer.text[:300]}"
        is_free = operation.name in OWN_WORDS | ALIKE
        if not is_free and _names_things(operation, things) and not _is_nothing(answer):
            let_in[operation.name] = f"{answer.status_code} {answer.text[:300]}"

    assert told == {}
    assert let_in == {}
    assert _seen_by(owner, _operations(running, name)) == before
    assert not [status for status in statuses if status >= 500]


def _is_nothing(answer: httpx.Response) -> bool:
    """Not found, not allowed, or an empty list."""
    return answer.status_code in (403, 404) or (
        answer.status_code == 200 and answer.json().get("items") == []
    )


def _ids_in(found: object) -> set[str]:
    return set(_ID.findall(str(found))) - {str(STRANGER), NOBODY}


def _names_things(operation: Operation, known: Mapping[str, str]) -> bool:
    """Whether its path has the id of something of the owner's, and its body can be made up here."""
    is_upload = operation.body is None and "requestBody" in operation.content
    names = (
        []
        if is_upload
        else [it["name"] for it in operation.content.get("parameters", ()) if it["in"] == "path"]
    )
    return bool(names) and all(name in known for name in names)


def _seen_by(caller: Caller, operations: list[Operation]) -> dict[str, Any]:
    """What every operation that only reads answers."""
    found: dict[str, Any] = {}
    for operation in operations:
        is_restless = operation.path.startswith(RESTLESS)
        if operation.method != "get" or is_restless or _is_open(operation):
            continue
        answer, _ = caller.call(operation)
        found[operation.name] = _seen_in(answer)
    return found


def _seen_in(answer: httpx.Response) -> tuple[int, Any]:
    """Status and body, but for what moves by itself."""
    kind = answer.headers.get("content-type", "")
    body = _still(answer.json()) if kind.startswith("application/json") else None
    return answer.status_code, body


def _still(document: Any) -> Any:
    """Without what moves by itself."""
    if isinstance(document, list):
        return [_still(item) for item in document]
    if isinstance(document, dict):
        return {key: _still(value) for key, value in document.items() if key not in _MOVING}
    return document


def test_the_things_that_exist_are_named_by_many_operations(running: RunningSet, known: Known):
    """Otherwise the test above would only show that nobody knows what does not exist."""
    named = [
        operation.name
        for name in NAMES
        for operation in _operations(running, name)
        if _names_things(operation, {**known[name], "merchant_id": str(MERCHANT)})
    ]

    assert len(named) >= NAMED_MIN, named
