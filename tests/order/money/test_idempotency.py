"""Many keys, each sent 1 to 20 times at once to two API processes that are killed in the middle:
one effect each, identical answers, altered bodies refused.

RACE_KEYS=5000 is the size that the suite must show; a run of `make test` has 120.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from onebox.ports import free_ports
from order.api_keys.domain import MERCHANT_SCOPES
from tests.order.conftest import a_key
from tests.order.factories import MERCHANT, SHOP, delivered, fulfilling
from tests.order.money.api import ApiProcess, api_processes
from tests.order.money.test_race import sell
from tests.order.money.wire import Answer, Line

KEYS = int(os.environ.get("RACE_KEYS", "120"))
SENDS_MAX = 20
ALTERED = min(600, KEYS)
PARTS = 3  # sent one after the other: in the midst of each a process is killed
SENDERS = 8  # keys that are under way at once
REFUNDED_ORDERS = 50
SEED = 20261127
TRIES_MAX = 200
SECONDS_MAX = 1_500  # for a machine that does other things as well

pytestmark = pytest.mark.timeout(SECONDS_MAX)

# Not yet, or unknown: the caller sends the same again.
_AGAIN = {409: {"idempotency_key_in_progress"}, 503: {"unavailable"}}


@dataclass(frozen=True, slots=True)
class Intent:
    """One effect somebody wants, and another body that is not it."""

    key: str
    path: str
    body: bytes
    altered: bytes
    sends: int


def _placing(number: int, sends: int) -> Intent:
    body: dict[str, Any] = {
        "channel_id": str(SHOP),
        "reference": f"idem-{number}",
        "customer": {"id": "b"},
        "lines": [{"sku": "RACE", "quantity": 1}],
    }
    altered = {**body, "lines": [{"sku": "RACE", "quantity": 2}]}
    dump = orjson.dumps
    return Intent(f"place-{number}", "/v1/orders", dump(body), dump(altered), sends)


def _refunding(number: int, sends: int, order_id: UUID, line_id: UUID) -> Intent:
    def body(amount: int) -> bytes:
        part = {"line_id": str(line_id), "amount": {"amount": amount, "currency": "CNY"}}
        return orjson.dumps({"reason": f"no. {number}", "lines": [part]})

    path = f"/v1/orders/{order_id}/refunds"
    return Intent(f"refund-{number}", path, body(1), body(2), sends)


async def _surely(lines: list[Line], path: str, body: bytes, key: str) -> Answer:
    """Repeats the call, at one process or the other, until its outcome is definite."""
    for attempt in range(TRIES_MAX):
        try:
            answer = await lines[attempt % len(lines)].post(path, body, key)
        except ConnectionError:
            await asyncio.sleep(0.05)
            continue
        if answer.code not in _AGAIN.get(answer.status, set()):
            return answer
        await asyncio.sleep(0.02)
    raise AssertionError(f"{key}: no definite answer")


async def _send(
    intents: list[Intent], ports: list[int], token: str, answers: dict[str, list[Answer]]
) -> None:
    """Each key's copies at once, half of them to either process; the answers by key."""
    waiting = iter(intents)

    async def sender() -> None:
        pairs = [
            [Line(ports[(n + shift) % 2], token) for shift in range(2)] for n in range(SENDS_MAX)
        ]
        for intent in waiting:
            copies = (
                _surely(pair, intent.path, intent.body, intent.key)
                for pair in pairs[: intent.sends]
            )
            answers[intent.key] = await asyncio.gather(*copies)
        for pair in pairs:
            for line in pair:
                line.close()

    await asyncio.gather(*(sender() for _ in range(SENDERS)))


async def _kill_in_turn(
    processes: list[ApiProcess], sending: "asyncio.Task[None]", answers: Collection[str]
) -> int:
    """kill -9 of one process after the other, from the first answers on until the last."""
    while not answers and not sending.done():  # noqa: ASYNC110 - they come from elsewhere
        await asyncio.sleep(0.005)
    kills = 0
    while not sending.done():
        process = processes[kills % len(processes)]
        await process.kill()
        kills += 1
        await process.start()
        await asyncio.wait([sending], timeout=2.0)
    return kills


async def _altered(intents: list[Intent], port: int, token: str) -> Counter[tuple[int, str]]:
    seen: Counter[tuple[int, str]] = Counter()
    line = Line(port, token)
    for intent in intents:
        answer = await _surely([line], intent.path, intent.altered, intent.key)
        seen[answer.status, answer.code] += 1
    line.close()
    return seen


async def _intents(db: Database, consume: Any) -> list[Intent]:
    """Half of them place an order; half give back one cent of an order that was delivered."""
    refunded = [await fulfilling(db) for _ in range(REFUNDED_ORDERS)]
    await consume(*(delivered(order, order.lines[0]) for order in refunded))
    chance = random.Random(SEED)
    intents: list[Intent] = []
    for number in range(KEYS):
        sends = chance.randint(1, SENDS_MAX)
        if number % 2:
            intents.append(_placing(number, sends))
        else:
            order = refunded[number // 2 % REFUNDED_ORDERS]
            intents.append(_refunding(number, sends, order.id, order.lines[0].id))
    return intents


async def _effects(db: Database) -> Counter[str]:
    """How often each intent took effect."""
    query = text(
        "SELECT reference AS what FROM orders WHERE reference LIKE 'idem-%' "
        "UNION ALL SELECT reason FROM order_refund"
    )
    async with db.read() as tx:
        return Counter((await tx.execute(query)).scalars())


async def test_each_of_many_keys_has_one_effect_and_one_answer_whatever_is_killed(
    service: Service, api: Any, consume: Any
) -> None:
    await sell(api)
    token = await a_key(service.db, sorted(MERCHANT_SCOPES), MERCHANT)
    intents = await _intents(service.db, consume)
    ports = free_ports(2)
    url = service.settings.database_url.get_secret_value()
    kills = 0
    answers: dict[str, list[Answer]] = {}
    async with api_processes(url, *ports) as processes:
        for part in range(PARTS):
            got: dict[str, list[Answer]] = {}
            sending = asyncio.create_task(_send(intents[part::PARTS], ports, token, got))
            in_turn = processes[part % 2 :] + processes[: part % 2]
            kills += await _kill_in_turn(in_turn, sending, got)
            await sending
            answers |= got
        refused = await _altered(intents[:ALTERED], ports[0], token)

    assert kills >= PARTS
    assert sum(map(len, answers.values())) == sum(intent.sends for intent in intents)
    assert {answer.status for copies in answers.values() for answer in copies} == {201}
    assert [key for key, copies in answers.items() if len({it.body for it in copies}) > 1] == []
    assert refused == {(422, "idempotency_key_reused"): ALTERED}
    effects = await _effects(service.db)
    assert len(effects) == KEYS
    assert set(effects.values()) == {1}


async def test_another_callers_key_is_its_own(service: Service, api: Any, open_api: Any) -> None:
    await sell(api)
    headers = {"Idempotency-Key": str(new_id())}
    one = orjson.loads(_placing(1, 1).body)
    other = orjson.loads(_placing(3, 1).body)

    first = await api.post("/v1/orders", json=one, headers=headers)
    second = await (await open_api()).post("/v1/orders", json=other, headers=headers)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]
