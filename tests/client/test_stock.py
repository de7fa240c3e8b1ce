"""What the calls about stock send, to the letter, and how they read what comes back."""

import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lockstock_client import Conflict, Lockstock, OutOfStock, Recipient, Upload
from tests.client.scripted import Seen, ok, problem, serving

Call = Callable[[Lockstock], Awaitable[Any]]


def body_of(request: Seen) -> Any:
    return json.loads(request.body)


ACTS: list[tuple[Call, str, str, Any]] = [
    (
        lambda shop: shop.pools.create("Keys", "code"),
        "POST",
        "/v1/pools",
        {"name": "Keys", "unit_kind": "code"},
    ),
    (
        lambda shop: shop.pools.create(
            "Keys",
            "code",
            low_stock_threshold=0,
            low_cover_days=3,
            hold_budget={"ip": {"share_percent": 5}},
        ),
        "POST",
        "/v1/pools",
        {
            "name": "Keys",
            "unit_kind": "code",
            "low_stock_threshold": 0,
            "low_cover_days": 3,
            "hold_budget": {"ip": {"share_percent": 5}},
        },
    ),
    (
        lambda shop: shop.pools.change("p", {"low_cover_days": 3, "hold_budget": None}),
        "PATCH",
        "/v1/pools/p",
        {"low_cover_days": 3, "hold_budget": None},
    ),
    (lambda shop: shop.lots.undo("l", "why"), "POST", "/v1/lots/l/undo", {"reason": "why"}),
    (lambda shop: shop.lots.activate("l", "why"), "POST", "/v1/lots/l/activate", {"reason": "why"}),
    (
        lambda shop: shop.lots.quarantine("l", "why"),
        "POST",
        "/v1/lots/l/quarantine",
        {"reason": "why"},
    ),
    (lambda shop: shop.lots.restore("l", "why"), "POST", "/v1/lots/l/restore", {"reason": "why"}),
    (lambda shop: shop.lots.void("l", "why"), "POST", "/v1/lots/l/void", {"reason": "why"}),
    (
        lambda shop: shop.units.activate("u", "why"),
        "POST",
        "/v1/units/u/activate",
        {"reason": "why"},
    ),
    (
        lambda shop: shop.units.quarantine("u", "why"),
        "POST",
        "/v1/units/u/quarantine",
        {"reason": "why"},
    ),
    (lambda shop: shop.units.restore("u", "why"), "POST", "/v1/units/u/restore", {"reason": "why"}),
    (lambda shop: shop.units.void("u", "why"), "POST", "/v1/units/u/void", {"reason": "why"}),
    (
        lambda shop: shop.stock_actions.act("void", {"pool_id": "p", "supplier": "ACME"}, "why"),
        "POST",
        "/v1/stock-actions",
        {
            "action": "void",
            "filter": {"pool_id": "p", "supplier": "ACME"},
            "reason": "why",
            "dry_run": False,
        },
    ),
    (
        lambda shop: shop.alarms.close("a", "restored"),
        "POST",
        "/v1/alarms/a/close",
        {"resolution": "restored"},
    ),
    (
        lambda shop: shop.reservations.extend("r", 600),
        "POST",
        "/v1/reservations/r/extend",
        {"hold_seconds": 600},
    ),
    (lambda shop: shop.reservations.release("r"), "POST", "/v1/reservations/r/release", {}),
    (
        lambda shop: shop.reservations.release("r", "cancelled"),
        "POST",
        "/v1/reservations/r/release",
        {"reason": "cancelled"},
    ),
]


@pytest.mark.parametrize(("call", "method", "target", "body"), ACTS)
async def test_an_act_says_what_was_asked_under_one_key_for_all_attempts(
    call: Call, method: str, target: str, body: Any, shop_at
):
    busy, done = problem(503, "unavailable"), ok({"id": "x"})
    async with serving(busy, done) as server, shop_at(server) as shop:
        await call(shop)

    assert {(each.method, each.target) for each in server.seen} == {(method, target)}
    assert [body_of(each) for each in server.seen] == [body, body]
    assert len({each.headers["idempotency-key"] for each in server.seen}) == 1


async def test_a_hold_and_a_claim_need_no_key_because_their_repeats_are_the_same_call(shop_at):
    recipient = Recipient.new()
    async with serving(ok({"id": "r"}, 201)) as server, shop_at(server) as shop:
        await shop.reservations.reserve(
            "ref-1",
            [{"pool_id": "p", "quantity": 2, "min_valid_seconds": 60}],
            hold_seconds=30,
            holder={"ip": "203.0.113.7"},
        )
        await shop.reservations.reserve("ref-2", [{"pool_id": "p", "quantity": 1}])
        await shop.reservations.claim("r")
        await shop.reservations.claim("r", recipient=recipient, quantities={1: 2, 3: 1})

    assert not any("idempotency-key" in each.headers for each in server.seen)
    assert [body_of(each) for each in server.seen] == [
        {
            "reference": "ref-1",
            "lines": [{"pool_id": "p", "quantity": 2, "min_valid_seconds": 60}],
            "hold_seconds": 30,
            "holder": {"ip": "203.0.113.7"},
        },
        {"reference": "ref-2", "lines": [{"pool_id": "p", "quantity": 1}]},
        {},
        {
            "recipient_public_key": recipient.public_key,
            "lines": [{"line_no": 1, "quantity": 2}, {"line_no": 3, "quantity": 1}],
        },
    ]


async def test_what_a_hold_is_refused_for_is_told_apart(shop_at):
    short = problem(409, "out_of_stock", lines=[{"line_no": 1, "available": 0}])
    over = problem(409, "hold_budget_exceeded")
    async with serving(short, over) as server, shop_at(server) as shop:
        with pytest.raises(OutOfStock) as nothing_left:
            await shop.reservations.reserve("ref", [{"pool_id": "p", "quantity": 1}])
        with pytest.raises(Conflict) as over_budget:
            await shop.reservations.reserve("ref", [{"pool_id": "p", "quantity": 1}])

    assert nothing_left.value.short_lines == [{"line_no": 1, "available": 0}]
    assert over_budget.value.code == "hold_budget_exceeded"


async def test_lists_are_asked_by_what_is_given_only(shop_at):
    page = ok({"items": [{"id": "1"}], "next_cursor": None})
    async with serving(page) as server, shop_at(server) as shop:
        found = [
            [each["id"] async for each in shop.imports.all(pool_id="p", status="interrupted")],
            [each["id"] async for each in shop.units.all(lot_id="l", state="inactive")],
            [each["id"] async for each in shop.stock_actions.all()],
            [each["id"] async for each in shop.alarms.all()],
            [each["id"] async for each in shop.alarms.all(is_open=True)],
            [each["id"] async for each in shop.alarms.all(is_open=False)],
        ]

    assert found == [["1"]] * 6
    assert [each.target for each in server.seen] == [
        "/v1/imports?limit=100&pool_id=p&status=interrupted",
        "/v1/units?limit=100&lot_id=l&state=inactive",
        "/v1/stock-actions?limit=100",
        "/v1/alarms?limit=100",
        "/v1/alarms?limit=100&open=true",
        "/v1/alarms?limit=100&open=false",
    ]


async def test_an_interrupted_import_goes_on_with_its_file_and_is_waited_for(shop_at):
    accepted = ok({"import_id": "i"}, 202)
    running, done = ok({"status": "running"}), ok({"status": "completed"})
    async with serving(accepted, running, done) as server, shop_at(server) as shop:
        receipt = await shop.imports.resume("i", Upload("keys.txt", io.BytesIO(b"AAAA")))

    assert receipt["status"] == "completed"
    assert [each.target for each in server.seen] == [
        "/v1/imports/i/resume",
        "/v1/imports/i",
        "/v1/imports/i",
    ]
    assert b"AAAA" in server.seen[0].body


async def test_a_file_can_come_in_inactive(shop_at):
    done = ok({"status": "completed"})
    async with serving(ok({"import_id": "i"}, 202), done) as server, shop_at(server) as shop:
        upload = Upload("keys.txt", io.BytesIO(b"AAAA"))
        await shop.imports.send("p", upload, supplier="S", unit_cost=1, needs_activation=True)

    assert b'name="needs_activation"\r\n\r\ntrue' in server.seen[0].body
