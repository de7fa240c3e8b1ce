"""The first purchase of an account needs a code: shown, guessed at, late, unsent, or unsendable."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.ids import new_id
from kit.service import Service
from lockstock.order.v1.order_events_pb2 import OrderCancelled, OrderExpired, OrderHeld
from lockstock.risk.v1.assessment_events_pb2 import (
    DECISION_ALLOW,
    DECISION_CHALLENGE,
    DECISION_DECLINE,
    DECISION_HOLD,
    OrderAssessed,
)
from risk.challenges.jobs import expire_challenges
from tests.risk.challenges.conftest import Buying, Line, hear, place
from tests.risk.factories import MERCHANT, OTHER_MERCHANT
from tests.stack.api import ApiClient

WRONG = "x" * 6


async def published(buying: Buying) -> list[OrderAssessed]:
    async with buying.service.db.read() as tx:
        rows = await tx.execute(
            text("SELECT payload FROM event_log WHERE key = :key ORDER BY version"),
            {"key": buying.order_id},
        )
        return [OrderAssessed.FromString(row.payload) for row in rows]


async def verify(client: httpx.AsyncClient, buying: Buying, code: str) -> httpx.Response:
    return await client.post(f"{buying.url}/verify", json={"code": code})


async def read(client: httpx.AsyncClient, buying: Buying) -> Any:
    return (await client.get(buying.url)).json()


async def make_due(service: Service) -> None:
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE challenge SET expires_at = clock_timestamp()"))
    job = expire_challenges(service.db, service.state["challenges"], every_seconds=1)
    while await job._run():
        pass


async def test_the_right_code_lets_the_order_go_on_and_once_only(
    client: httpx.AsyncClient, buying: Buying
) -> None:
    assert buying.assessed.decision == DECISION_CHALLENGE
    shown = await read(client, buying)
    assert (shown["status"], shown["channel"], shown["target"]) == (
        "open",
        "mail",
        "b***@shop.example",
    )
    code = await buying.code()

    answers = await asyncio.gather(*(verify(client, buying, code) for _ in range(5)))

    assert {(it.status_code, it.json()["status"]) for it in answers} == {(200, "passed")}
    told = await published(buying)
    assert [it.decision for it in told] == [DECISION_CHALLENGE, DECISION_ALLOW]
    assert told[1].assessment_id == told[0].assessment_id


async def test_too_many_wrong_codes_leave_the_order_to_a_person(
    client: httpx.AsyncClient, buying: Buying
) -> None:
    code = await buying.code()
    answers = [await verify(client, buying, WRONG) for _ in range(4)]
    await client.post(f"{buying.url}/resend")
    code = await buying.code()
    answers += [await verify(client, buying, WRONG) for _ in range(2)]

    late = await verify(client, buying, code)

    assert {it.json()["code"] for it in [*answers, late]} == {"challenge_code_wrong"}
    assert (await read(client, buying))["status"] == "failed"
    assert [it.decision for it in await published(buying)] == [DECISION_CHALLENGE, DECISION_HOLD]
    [review] = (await client.get("/v1/reviews")).json()["items"]
    assert review["reason"].startswith("too many wrong codes; First purchase")
    await client.post(f"/v1/reviews/{review['id']}/approve", json={})
    assert (await published(buying))[-1].decision == DECISION_ALLOW


async def test_forty_guesses_at_once_are_counted_exactly(
    client: httpx.AsyncClient, buying: Buying
) -> None:
    answers = await asyncio.gather(*(verify(client, buying, WRONG) for _ in range(40)))

    assert {it.status_code for it in answers} == {403}
    async with buying.service.db.read() as tx:
        tries = (await tx.execute(text("SELECT tries FROM challenge"))).scalar_one()
    assert tries == 6
    assert [it.decision for it in await published(buying)] == [DECISION_CHALLENGE, DECISION_HOLD]


async def test_a_code_nobody_shows_in_time_falls_back_as_the_merchant_wants(
    client: httpx.AsyncClient, buying: Buying
) -> None:
    policy = {"challenge_fall_back": "decline"}
    assert (await client.put("/v1/review-policy", json=policy)).status_code == 200
    code = await buying.code()

    await make_due(buying.service)

    assert (await verify(client, buying, code)).status_code == 403
    told = (await published(buying))[-1]
    assert (told.decision, told.note) == (
        DECISION_DECLINE,
        "the buyer did not show the code in time",
    )
    assert (await client.get("/v1/reviews")).json()["items"] == []


async def test_who_cannot_be_sent_a_code_waits_for_a_person(
    client: httpx.AsyncClient, service: Service, fulfillment: Service, buying: Buying
) -> None:
    [assessed] = await place(service, contact_hash="d" * 64)
    unreachable = Buying(service, fulfillment, buying.box, assessed.order_id, assessed)

    await unreachable.send_code(email="")

    assert (await read(client, unreachable))["status"] == "unsent"
    assert (await published(unreachable))[-1].decision == DECISION_HOLD


async def test_without_any_contact_the_order_is_held_at_once(
    client: httpx.AsyncClient, service: Service
) -> None:
    [assessed] = await place(service)

    assert (assessed.decision, assessed.challenge_id) == (DECISION_HOLD, "")
    [review] = (await client.get("/v1/reviews")).json()["items"]
    assert review["reason"].startswith("a code is due and the buyer gave no contact")


@pytest.mark.parametrize("message_class", [OrderCancelled, OrderExpired])
async def test_an_order_that_ends_takes_its_challenge_along_and_a_late_price_brings_it_back(
    client: httpx.AsyncClient,
    buying: Buying,
    message_class: type[OrderCancelled] | type[OrderExpired],
) -> None:
    await hear(buying.service, message_class(order_id=buying.order_id), buying.order_id)
    assert (await read(client, buying))["status"] == "lapsed"
    assert (await verify(client, buying, await buying.code())).status_code == 403

    await hear(buying.service, OrderHeld(order_id=buying.order_id), buying.order_id)
    await buying.send_code()

    assert (await verify(client, buying, await buying.code())).json()["status"] == "passed"
    assert [it.decision for it in await published(buying)] == [DECISION_CHALLENGE, DECISION_ALLOW]


async def test_a_challenge_that_never_was_is_answered_like_a_wrong_code_and_asks_as_long(
    api: ApiClient, client: httpx.AsyncClient, buying: Buying, line: Line
) -> None:
    stranger = await api("orders:write", merchant_id=OTHER_MERCHANT)
    known = await verify(client, buying, WRONG)
    asked = line.calls

    unknown = await client.post(f"/v1/challenges/{new_id()}/verify", json={"code": WRONG})
    foreign = await verify(stranger, buying, await buying.code())

    def said(answer: httpx.Response) -> dict[str, Any]:
        return {
            name: value
            for name, value in answer.json().items()
            if name not in ("request_id", "instance")
        }

    assert said(unknown) == said(foreign) == said(known)
    assert line.calls == asked + 2


async def test_a_resend_is_answered_alike_whatever_came_of_it(
    client: httpx.AsyncClient, buying: Buying, line: Line
) -> None:
    known = [await client.post(f"{buying.url}/resend") for _ in range(3)]
    before = line.calls
    unknown = await client.post(f"/v1/challenges/{new_id()}/resend")
    await buying.code()

    assert {(it.status_code, it.text) for it in [*known, unknown]} == {
        (202, '{"valid_seconds":600}')
    }
    assert line.calls == before + 1
    # The first code and two more: the third resend was one too many.
    assert len(buying.box.mails) == 3


async def test_while_nobody_knows_what_a_code_is_worth_no_try_is_lost(
    client: httpx.AsyncClient, buying: Buying, line: Line
) -> None:
    code = await buying.code()
    line.is_cut = True

    silent = [await verify(client, buying, code) for _ in range(8)]
    line.is_cut = False

    assert {it.status_code for it in silent} == {503}
    assert (await read(client, buying))["tries_left"] == 6
    assert (await verify(client, buying, code)).json()["status"] == "passed"


async def test_while_nobody_knows_whether_a_code_was_sent_no_resend_is_lost(
    client: httpx.AsyncClient, buying: Buying, line: Line
) -> None:
    await buying.code()
    line.is_cut = True

    silent = [await client.post(f"{buying.url}/resend") for _ in range(4)]
    line.is_cut = False
    await client.post(f"{buying.url}/resend")

    assert {it.status_code for it in silent} == {503}
    assert (await verify(client, buying, await buying.code())).json()["status"] == "passed"
    assert len(buying.box.mails) == 2


async def test_an_answer_that_was_lost_can_be_asked_for_again(
    client: httpx.AsyncClient, buying: Buying
) -> None:
    code = await buying.code()
    # As if this service had died between the answer and writing it down.
    await buying.service.state["challenges"].check(
        buying.service.db, MERCHANT, (await _id(buying)), code
    )

    assert (await verify(client, buying, code)).json()["status"] == "passed"


async def _id(buying: Buying) -> Any:
    async with buying.service.db.read() as tx:
        return (await tx.execute(text("SELECT id FROM challenge"))).scalar_one()


async def test_reading_a_challenge_needs_to_be_its_merchant(api: ApiClient, buying: Buying) -> None:
    stranger = await api("orders:read", merchant_id=OTHER_MERCHANT)

    assert (await stranger.get(buying.url)).json()["code"] == "challenge_not_found"
