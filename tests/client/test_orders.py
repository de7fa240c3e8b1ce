"""What the calls about orders send, to the letter."""

import json

import pytest

from lockstock_client import (
    AlreadyPaid,
    AmountMismatch,
    KeyReused,
    NoAnswer,
    NotNow,
    OrderNotCancellable,
    OrderNotPayable,
    ReferenceTaken,
)
from tests.client.scripted import HANG_UP, ok, problem, serving

MONEY = {"amount": 1990, "currency": "CNY"}


async def test_a_contact_to_look_for_is_in_the_body_only(shop_at):
    first = ok({"items": [{"id": "1"}], "next_cursor": "more"})
    last = ok({"items": [{"id": "2"}], "next_cursor": None})
    async with serving(first, last) as server, shop_at(server) as shop:
        found = [
            order["id"]
            async for order in shop.orders.search(email="a@example.com", status=["paid"])
        ]

    assert found == ["1", "2"]
    assert {seen.target for seen in server.seen} == {"/v1/orders/search"}
    assert [json.loads(seen.body)["cursor"] for seen in server.seen] == [None, "more"]
    assert json.loads(server.seen[0].body)["email"] == "a@example.com"


async def test_an_export_comes_in_pieces(shop_at):
    busy = problem(503, "unavailable")
    async with serving(busy, HANG_UP, ok(b"order_id\r\n1\r\n")) as server, shop_at(server) as shop:
        pieces = [piece async for piece in shop.orders.export(sku="A")]

    assert b"".join(pieces) == b"order_id\r\n1\r\n"
    assert len(server.seen) == 3
    assert json.loads(server.seen[2].body) == {"sku": "A"}


async def test_an_export_that_is_cut_off_is_never_taken_for_whole(shop_at):
    cut = 200, b"order_id\r\n", {"Content_Length": "1000"}
    async with serving(cut) as server, shop_at(server) as shop:
        with pytest.raises(NoAnswer):
            [piece async for piece in shop.orders.export()]

    assert len(server.seen) == 1, "what has begun is not begun again"


async def test_an_export_that_is_refused_is_a_problem(shop_at):
    refused = problem(429, "limited", {"Retry-After": "99"})
    async with serving(refused) as server, shop_at(server) as shop:
        with pytest.raises(NotNow) as caught:
            [piece async for piece in shop.orders.export()]

    assert caught.value.retry_after == 99


@pytest.mark.parametrize(
    ("call", "target", "body"),
    [
        (lambda shop: shop.orders.cancel("o", "why"), "/v1/orders/o/cancel", {"reason": "why"}),
        (
            lambda shop: shop.orders.refund("o", "why"),
            "/v1/orders/o/refunds",
            {"reason": "why", "whole": True},
        ),
        (
            lambda shop: shop.orders.refund("o", "why", lines=[{"line_id": "l", "quantity": 1}]),
            "/v1/orders/o/refunds",
            {"reason": "why", "lines": [{"line_id": "l", "quantity": 1}]},
        ),
        (
            lambda shop: shop.quotes.ask("c", [{"sku": "A", "quantity": 2}], customer={"id": "b"}),
            "/v1/quotes",
            {"channel_id": "c", "lines": [{"sku": "A", "quantity": 2}], "customer": {"id": "b"}},
        ),
        (
            lambda shop: shop.products.create(
                "A", "Card", price=MONEY, fulfillment={"kind": "manual", "queue": "q"}
            ),
            "/v1/products",
            {
                "sku": "A",
                "name": "Card",
                "price": MONEY,
                "fulfillment": {"kind": "manual", "queue": "q"},
                "instructions": "",
            },
        ),
        (
            lambda shop: shop.promotions.create({"name": "10 % off"}),
            "/v1/promotions",
            {"name": "10 % off"},
        ),
        (
            lambda shop: shop.coupons.make_codes("c", 100, prefix="SPRING"),
            "/v1/coupons/c/codes",
            {"quantity": 100, "prefix": "SPRING"},
        ),
        (
            lambda shop: shop.restock_requests.add("A", "b-1", email="b@example.com"),
            "/v1/restock-requests",
            {"sku": "A", "customer": {"id": "b-1", "email": "b@example.com"}},
        ),
        (
            lambda shop: shop.orders.place(
                "c",
                "r",
                {"id": "b"},
                [{"sku": "A", "quantity": 1}],
                expected_total=MONEY,
                coupon_codes=["X"],
            ),
            "/v1/orders",
            {
                "channel_id": "c",
                "reference": "r",
                "customer": {"id": "b"},
                "lines": [{"sku": "A", "quantity": 1}],
                "expected_total": MONEY,
                "coupon_codes": ["X"],
            },
        ),
        (
            lambda shop: shop.channels.create("C", "partner", trusted=True, region="CN"),
            "/v1/channels",
            {"name": "C", "kind": "partner", "trusted": True, "region": "CN"},
        ),
        (
            lambda shop: shop.payments.tell(
                "o", provider="demo", provider_reference="p", amount=MONEY
            ),
            "/v1/orders/o/payments",
            {"provider": "demo", "provider_reference": "p", "amount": MONEY},
        ),
    ],
)
async def test_a_call_that_acts_keeps_its_key_over_repeats(call, target, body, shop_at):
    busy, done = problem(503, "unavailable"), ok({"id": "x"})
    async with serving(busy, HANG_UP, done) as server, shop_at(server) as shop:
        await call(shop)

    assert {(seen.method, seen.target) for seen in server.seen} == {("POST", target)}
    assert [json.loads(seen.body) for seen in server.seen] == [body] * 3
    assert len({seen.headers["idempotency-key"] for seen in server.seen}) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (409, "reference_taken", ReferenceTaken),
        (409, "already_paid", AlreadyPaid),
        (409, "order_not_payable", OrderNotPayable),
        (409, "order_not_cancellable", OrderNotCancellable),
        (422, "amount_mismatch", AmountMismatch),
        (422, "idempotency_key_reused", KeyReused),
    ],
)
async def test_a_refusal_is_an_exception_by_its_code(status, code, kind, shop_at):
    refused = problem(status, code, order_id="o-9")
    async with serving(refused) as server, shop_at(server) as shop:
        with pytest.raises(kind) as caught:
            await shop.orders.cancel("o", "why")

    if kind is ReferenceTaken:
        assert caught.value.order_id == "o-9"


async def test_the_story_is_read_entry_by_entry(shop_at):
    first = ok({"items": [{"kind": "priced"}], "next_cursor": "more"})
    last = ok({"items": [{"kind": "placed"}], "next_cursor": None})
    async with serving(first, last) as server, shop_at(server) as shop:
        kinds = [entry["kind"] async for entry in shop.orders.entries("o")]

    assert kinds == ["priced", "placed"]
