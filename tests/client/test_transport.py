import io
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from traceback import format_exception

import pytest

from lockstock_client import (
    Conflict,
    Lockstock,
    LockstockError,
    NoAnswer,
    NotAllowed,
    NotFound,
    NotNow,
    NotValid,
    OutOfStock,
    Problem,
    Recipient,
    ServerFault,
    Upload,
)
from lockstock_client.config import DEFAULT_BASE_URLS
from onebox.ports import free_ports
from tests.client.conftest import QUICK
from tests.client.scripted import HANG_UP, ok, problem, serving

ORDER = {"id": "o-1", "status": "pending_payment"}


async def place(shop: Lockstock, **more):
    return await shop.orders.place(
        "c-1", "ref-1", {"id": "b"}, [{"sku": "A", "quantity": 1}], **more
    )


async def test_all_attempts_of_one_call_carry_the_same_idempotency_key(shop_at):
    busy = problem(503, "unavailable")
    async with serving(busy, HANG_UP, ok(ORDER, 201)) as server, shop_at(server) as shop:
        order = await place(shop)

    assert order["id"] == "o-1"
    assert len(server.seen) == 3
    assert len({request.headers["idempotency-key"] for request in server.seen}) == 1
    assert len({request.body for request in server.seen}) == 1


async def test_two_calls_carry_two_idempotency_keys(shop_at):
    async with serving(ok(ORDER, 201)) as server, shop_at(server) as shop:
        await place(shop)
        await place(shop)

    assert len({request.headers["idempotency-key"] for request in server.seen}) == 2


async def test_the_callers_own_idempotency_key_is_sent(shop_at):
    async with serving(ok(ORDER, 201)) as server, shop_at(server) as shop:
        await place(shop, key="mine-1")

    assert server.seen[0].headers["idempotency-key"] == "mine-1"
    assert server.seen[0].headers["authorization"] == "Bearer lsk_live_sample"


async def test_reads_carry_no_idempotency_key(shop_at):
    async with serving(ok(ORDER)) as server, shop_at(server) as shop:
        await shop.orders.get("o-1")

    assert "idempotency-key" not in server.seen[0].headers


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_busy_service_is_asked_again_a_bounded_number_of_times(status: int, shop_at):
    async with serving(problem(status, "busy")) as server, shop_at(server) as shop:
        with pytest.raises(Problem, match="busy!"):
            await shop.orders.get("o-1")

    assert len(server.seen) == QUICK.attempts_max


async def test_a_bug_of_the_service_is_not_asked_again(shop_at):
    fault = problem(500, "internal_error", request_id="r-7")
    async with serving(fault) as server, shop_at(server) as shop:
        with pytest.raises(ServerFault) as caught:
            await place(shop)

    assert caught.value.request_id == "r-7"
    assert len(server.seen) == 1


async def test_retry_after_in_seconds_is_waited_for(shop_at):
    busy = problem(429, "limited", {"Retry-After": "1"})
    async with serving(busy, ok(ORDER)) as server, shop_at(server) as shop:
        started = time.monotonic()
        await shop.orders.get("o-1")

    assert time.monotonic() - started >= 1


async def test_retry_after_as_a_date_is_waited_for(shop_at):
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    busy = problem(503, "unavailable", {"Retry-After": format_datetime(moment, usegmt=True)})
    async with serving(busy, ok(ORDER)) as server, shop_at(server) as shop:
        await shop.orders.get("o-1")

    assert datetime.now(UTC) >= moment
    assert len(server.seen) == 2


async def test_a_wait_longer_than_allowed_is_not_begun(shop_at):
    busy = problem(429, "limited", {"Retry-After": "3600"})
    async with serving(busy) as server, shop_at(server) as shop:
        with pytest.raises(NotNow):
            await shop.orders.get("o-1")

    assert len(server.seen) == 1


@pytest.mark.parametrize("value", ["soon", "\u00b2", "-1", "1.5"])
async def test_an_unreadable_retry_after_is_no_obstacle(shop_at, value: str):
    busy = problem(503, "unavailable", {"Retry-After": value})
    async with serving(busy, ok(ORDER)) as server, shop_at(server) as shop:
        assert (await shop.orders.get("o-1"))["id"] == "o-1"

    assert len(server.seen) == 2


async def test_a_first_attempt_that_still_runs_is_waited_for(shop_at):
    running = problem(409, "idempotency_key_in_progress")
    async with serving(running, ok(ORDER, 201)) as server, shop_at(server) as shop:
        assert (await place(shop))["id"] == "o-1"

    assert len(server.seen) == 2


async def test_nobody_listening_is_no_answer(shop_at):
    async with shop_at(f"http://127.0.0.1:{free_ports(1)[0]}") as shop:
        with pytest.raises(NoAnswer, match="POST"):
            await place(shop)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "malformed_json", NotValid),
        (401, "unauthenticated", NotAllowed),
        (403, "denied", NotAllowed),
        (404, "order_not_found", NotFound),
        (409, "reference_taken", Conflict),
        (409, "out_of_stock", OutOfStock),
        (413, "body_too_large", NotValid),
        (422, "validation_failed", NotValid),
    ],
)
async def test_each_problem_is_an_exception_of_its_kind(status, code, kind, shop_at):
    async with serving(problem(status, code)) as server, shop_at(server) as shop:
        with pytest.raises(kind) as caught:
            await place(shop)

    assert (caught.value.status, caught.value.code) == (status, code)
    assert len(server.seen) == 1


async def test_out_of_stock_names_the_short_lines(shop_at):
    short = [{"line_no": 1, "requested": 3, "available": 2}]
    refused = problem(409, "out_of_stock", lines=short)
    async with serving(refused) as server, shop_at(server) as shop:
        with pytest.raises(OutOfStock) as caught:
            await place(shop)

    assert caught.value.short_lines == short


async def test_wrong_fields_are_named_by_pointer(shop_at):
    errors = [{"pointer": "/lines/0/sku", "code": "missing", "detail": "Field required"}]
    refused = problem(422, "validation_failed", errors=errors)
    async with serving(refused) as server, shop_at(server) as shop:
        with pytest.raises(NotValid) as caught:
            await place(shop)

    assert caught.value.fields == {"/lines/0/sku": "Field required"}


async def test_an_error_page_of_a_proxy_is_a_problem_too(shop_at):
    async with serving(ok(b"<html>no</html>", 404)) as server, shop_at(server) as shop:
        with pytest.raises(NotFound) as caught:
            await shop.orders.get("o-1")

    assert caught.value.code == "http_404"


async def test_lists_are_read_page_after_page(shop_at):
    first = ok({"items": [{"id": "1"}, {"id": "2"}], "next_cursor": "more"})
    last = ok({"items": [{"id": "3"}], "next_cursor": None})
    async with serving(first, last) as server, shop_at(server) as shop:
        ids = [order["id"] async for order in shop.orders.all(status="paid")]

    assert ids == ["1", "2", "3"]
    assert [request.target for request in server.seen] == [
        "/v1/orders?limit=100&status=paid",
        "/v1/orders?limit=100&status=paid&cursor=more",
    ]


async def test_every_attempt_of_an_upload_sends_the_whole_file(shop_at):
    content = b"AAAA-BBBB\n" * 50_000
    told: list[int] = []
    busy, accepted = problem(503, "unavailable"), ok({"import_id": "i-1"}, 202)
    receipt = ok({"id": "i-1", "status": "completed"})
    async with serving(busy, accepted, receipt) as server, shop_at(server) as shop:
        upload = Upload("keys.txt", io.BytesIO(content), told.append)
        done = await shop.imports.send("p-1", upload, supplier="S", unit_cost=100)

    assert done["status"] == "completed"
    first, second, _ = server.seen
    assert content in first.body
    assert content in second.body
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert told[-1] == len(content)
    assert b'name="unit_cost"\r\n\r\n100' in second.body


async def test_an_import_is_waited_for(shop_at):
    accepted = ok({"import_id": "i-1"}, 202)
    running, done = ok({"status": "running"}), ok({"status": "completed"})
    async with serving(accepted, running, running, done) as server, shop_at(server) as shop:
        upload = Upload("keys.txt", io.BytesIO(b"A"))
        receipt = await shop.imports.send("p-1", upload, supplier="S", unit_cost=1)

    assert receipt["status"] == "completed"
    assert len(server.seen) == 4


async def test_a_buyers_page_is_read_without_the_shops_key(shop_at):
    async with serving(ok({"box": {}})) as server, shop_at(server) as shop:
        from_page = shop.buyer_page(f"{server.url}/d/token")
        await shop.orders.get("o-1")
        await from_page.reveal("u-1", Recipient.new())

    assert "authorization" in server.seen[0].headers
    assert "authorization" not in server.seen[1].headers
    assert server.seen[1].target == "/d/token/units/u-1/reveal"


async def test_an_order_that_does_not_move_is_no_answer(shop_at):
    async with serving(ok({"status": "paid"})) as server, shop_at(server) as shop:
        with pytest.raises(NoAnswer, match="still paid"):
            await shop.orders.until("o-1", {"completed"}, seconds_max=0.3)


@pytest.mark.parametrize("damage", ["\r", "\n", "\x00", "\u00e9", "\uff21"])
async def test_a_damaged_key_is_refused_and_shown_to_nobody(shop_at, damage: str):
    async with serving(ok(ORDER)) as server:
        with pytest.raises(LockstockError) as refused:
            Lockstock(f"lsk_live_secret{damage}more", dict.fromkeys(DEFAULT_BASE_URLS, server.url))
    assert "secret" not in repr(refused.value)
    assert server.seen == []


@pytest.mark.parametrize("status", [200, 302])
async def test_an_answer_that_is_no_services_is_told_as_such(shop_at, status: int):
    answer = (status, b"<html>log in</html>", {"Location": "http://elsewhere/"})
    async with serving(answer) as server, shop_at(server) as shop:
        with pytest.raises(NoAnswer, match=f"status {status}.*is the address right"):
            await shop.orders.get("o-1")
    assert len(server.seen) == 1


@pytest.mark.parametrize("body", [[], ["o-1"], "o-1", None, 3, True, b"", b"[" * 100_000])
async def test_json_of_another_shape_is_no_answer(shop_at, body: object):
    async with serving(ok(body)) as server, shop_at(server) as shop:
        with pytest.raises(NoAnswer, match="is the address right"):
            await shop.orders.get("o-1")
        with pytest.raises(NoAnswer, match="is the address right"):
            await place(shop)


@pytest.mark.parametrize("items", [None, "x", {"id": "1"}, [None], ["x"], [[]]])
async def test_a_page_of_another_shape_is_no_answer(shop_at, items: object):
    async with serving(ok({"items": items})) as server, shop_at(server) as shop:
        with pytest.raises(NoAnswer, match="is the address right"):
            [order async for order in shop.orders.all()]


@pytest.mark.parametrize("errors", ["x", 3, {"a": "b"}, [None, "x"], [{"message": "no"}]])
async def test_errors_of_another_shape_are_no_obstacle(shop_at, errors: object):
    async with serving(problem(422, "no", errors=errors)) as server, shop_at(server) as shop:
        with pytest.raises(NotValid, match="no!"):
            await shop.orders.get("o-1")


async def test_an_unreadable_encoding_is_no_answer(shop_at):
    answer = (200, b"no gzip", {"Content-Encoding": "gzip"})
    async with serving(answer) as server, shop_at(server) as shop:
        with pytest.raises(NoAnswer):
            await shop.orders.get("o-1")


@pytest.mark.parametrize("answer", [HANG_UP, ok([]), ok(b"<html>")])
async def test_no_error_shows_the_link_to_a_buyers_page(shop_at, answer: object):
    async with serving(answer) as server, shop_at(server) as shop:
        link = f"{server.url.replace('://', '://name:password@')}/d/token"
        with pytest.raises(NoAnswer) as refused:
            await shop.buyer_page(link).reveal("u-1", Recipient.new())

    assert "/units/u-1/reveal" in str(refused.value)
    assert server.url in str(refused.value)
    shown = "".join(format_exception(refused.value))
    assert "token" not in shown
    assert "password" not in shown
