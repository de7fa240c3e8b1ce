"""Lines that a merchant's own system delivers: asked under one id, decided once, people last."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy.exc import IntegrityError

from fulfillment.settings import Settings
from kit.service import Service
from lockstock.fulfillment.v1.delivery_events_pb2 import LineDelivered, LineFailed, LineUnknown
from lockstock.order.v1.order_events_pb2 import ManualTerms
from tests.fulfillment.conftest import Accept, ApiClient, dispatch, end_pauses, published
from tests.fulfillment.factories import OTHER_MERCHANT, a_line, a_request
from tests.fulfillment.receiver import Receiver, running_receiver
from tests.fulfillment.webhooks import execute, rows

PHONE = "13800138000"
SCOPES = ("suppliers:read", "suppliers:write", "deliveries:read", "deliveries:write")
LATER = "202 Accepted\r\nContent-Length: 0\r\n"
DONE = {
    "status": "delivered",
    "result": "Valid until May",
    "cost": {"amount": 300, "currency": "CNY"},
}


def said(document: Any, status: str = "200 OK") -> str:
    """An answer with a body; the line end that the receiver adds belongs to it."""
    body = document if isinstance(document, str) else orjson.dumps(document).decode()
    return f"{status}\r\nContent-Length: {len(body.encode()) + 2}\r\n\r\n{body}"


def answer_with(receiver: Receiver, *answers: str) -> None:
    """One after the other; the last one for ever."""
    receiver.answering = lambda _, nth: answers[min(nth, len(answers)) - 1]


@pytest.fixture
async def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={
            "supplier_private_addresses": True,
            "supplier_patience_seconds": 2.0,
            "supplier_pause_seconds_max": 0.05,
        }
    )


@pytest.fixture
async def shop(api: ApiClient) -> httpx.AsyncClient:
    return await api(*SCOPES)


async def set_up(shop: httpx.AsyncClient, receiver: Receiver, **given: Any) -> dict[str, Any]:
    body = {"name": "desk-system", "url": receiver.url, "timeout_seconds": 0.5, **given}
    answer = await shop.post("/v1/fulfillers", json=body)
    assert answer.status_code == 201, answer.text
    receiver.secrets = [answer.json()["secret"]]
    return dict(answer.json())


async def order(accept: Accept, service: Service, fulfiller: str = "desk-system") -> None:
    line = a_line(
        kind="manual",
        pool_id="",
        sku="DESK",
        inputs={"phone": PHONE},
        manual=ManualTerms(queue="desk", fulfiller=fulfiller),
    )
    await accept(a_request(lines=[line], reservation_id=""))
    await dispatch(service)


async def turn(service: Service) -> None:
    await end_pauses(service)
    await dispatch(service)


async def told(service: Service) -> list[Any]:
    return [it for it in await published(service) if not isinstance(it, LineUnknown)]


async def until_told(service: Service, ends: int) -> None:
    async with asyncio.timeout(30):
        while len(await told(service)) < ends:
            await dispatch(service)
            await asyncio.sleep(0.02)


async def test_an_answer_at_once_delivers_the_line_with_result_and_cost(
    service: Service, accept: Accept, shop: httpx.AsyncClient
):
    async with running_receiver() as receiver:
        await set_up(shop, receiver)
        answer_with(receiver, said(DONE))
        await order(accept, service)

    [delivered] = await published(service)
    assert isinstance(delivered, LineDelivered)
    assert delivered.receipt == "Valid until May"
    [cost] = delivered.costs
    assert (cost.supplier, cost.unit_cost.amount_minor) == ("fulfiller:desk-system", 300)
    # Signed, with the form in it, under our reference; and what the buyer entered is forgotten.
    assert receiver.forged == []
    [(reference, [body])] = receiver.bodies.items()
    data = orjson.loads(body)["data"]
    assert data["reference"] == reference
    assert (data["sku"], data["quantity"], data["inputs"]) == ("DESK", 1, {"phone": PHONE})
    assert (await shop.get("/v1/manual-tasks")).json()["items"] == []
    [delivery] = await rows(service, "delivery")
    assert delivery.inputs is None
    [call] = await rows(service, "fulfiller_call")
    assert PHONE not in str(call)


async def test_a_definite_no_fails_the_line_with_its_reason(
    service: Service, accept: Accept, shop: httpx.AsyncClient
):
    async with running_receiver() as receiver:
        await set_up(shop, receiver)
        answer_with(receiver, said({"status": "failed", "reason": "account_closed"}))
        await order(accept, service)
        await turn(service)

    [failed] = await published(service)
    assert isinstance(failed, LineFailed)
    assert failed.reason == "refused_by_fulfiller"
    assert [(it.supplier, it.code) for it in failed.refusals] == [("desk-system", "account_closed")]
    assert len(receiver.headers) == 1


async def test_a_word_that_comes_later_delivers_the_line_once(
    service: Service, accept: Accept, shop: httpx.AsyncClient, api: ApiClient
):
    async with running_receiver() as receiver:
        await set_up(shop, receiver)
        answer_with(receiver, LATER)
        await order(accept, service)
        assert await published(service) == []
        [reference] = receiver.bodies
        word = {"reference": reference, **DONE}

        stranger = await api(*SCOPES, merchant_id=OTHER_MERCHANT)
        refused = await stranger.post("/v1/fulfiller-results", json=word)
        assert (refused.status_code, refused.json()["code"]) == (404, "fulfiller_call_not_found")
        answers = await asyncio.gather(
            *(shop.post("/v1/fulfiller-results", json=word) for _ in range(8))
        )
        other = await shop.post("/v1/fulfiller-results", json=word | {"result": "Until June"})
        await dispatch(service)

    assert {(it.status_code, it.json()["state"]) for it in answers} == {(200, "done")}
    assert (other.status_code, other.json()["code"]) == (409, "fulfiller_call_decided")
    [delivered] = await published(service)
    assert delivered.receipt == "Valid until May"  # type: ignore[attr-defined] # of the one class


@pytest.mark.parametrize(
    "bad",
    [
        "500 X\r\nContent-Length: 0\r\n",
        "404 X\r\nContent-Length: 0\r\n",
        "401 X\r\nContent-Length: 0\r\n",
        "301 X\r\nLocation: /there\r\nContent-Length: 0\r\n",
        "204 No Content\r\n",
        "200 OK\r\nContent-Length: 99\r\n",
        "200 OK\r\nContent-Length: 0\r\n",
        said("<html>Sorry</html>"),
        said("{}"),
        said("[]"),
        said("null"),
        said({"status": "success"}),
        said({"status": "delivered", "result": 5}),
        said({"status": "delivered", "result": "x" * 501}),
        said({"status": "delivered", "result": "a\u0000b"}),
        said({"status": "delivered", "cost": {"amount": -1, "currency": "CNY"}}),
        said({"status": "delivered", "cost": 300}),
        said({"status": "failed", "reason": "No such <account>"}),
        said("x" * 100_000),
        "nonsense",
    ],
)
async def test_what_says_nothing_for_certain_is_unknown_and_asked_again_under_the_same_id(
    service: Service, accept: Accept, shop: httpx.AsyncClient, bad: str
):
    async with running_receiver() as receiver:
        await set_up(shop, receiver)
        answer_with(receiver, bad, bad, said(DONE))
        await order(accept, service)
        assert [type(it) for it in await published(service)] == [LineUnknown]
        await turn(service)
        await turn(service)
        await turn(service)

    [(_, bodies)] = receiver.bodies.items()
    assert len(bodies) >= 3  # an answer that is slower than our patience is asked for once more
    assert len(set(bodies)) == 1
    assert receiver.forged == []
    [delivered] = await told(service)
    assert isinstance(delivered, LineDelivered)


async def test_what_is_not_decided_in_time_waits_for_people_whose_word_counts(
    service: Service, accept: Accept, shop: httpx.AsyncClient
):
    async with running_receiver() as receiver:
        await set_up(shop, receiver, queue="night-desk")
        answer_with(receiver, LATER)
        await order(accept, service)
        await execute(service, "UPDATE fulfiller_call SET ends_at = clock_timestamp()")
        await turn(service)
        await turn(service)
        [task] = (await shop.get("/v1/manual-tasks?state=open")).json()["items"]
        assert task["queue"] == "night-desk"
        assert "did not decide in time" in task["why"]
        assert len(receiver.headers) == 1

        await shop.post(f"/v1/manual-tasks/{task['id']}/complete", json={"result": "By hand"})
        await dispatch(service)
        [reference] = receiver.bodies
        late = await shop.post("/v1/fulfiller-results", json={"reference": reference, **DONE})

    [delivered] = await told(service)
    assert delivered.receipt == "By hand"
    assert (late.status_code, late.json()["code"]) == (409, "fulfiller_call_decided")


async def test_a_late_word_counts_until_a_person_has_decided(
    service: Service, accept: Accept, shop: httpx.AsyncClient
):
    async with running_receiver() as receiver:
        await set_up(shop, receiver)
        answer_with(receiver, LATER)
        await order(accept, service)
        await execute(service, "UPDATE fulfiller_call SET ends_at = clock_timestamp()")
        await turn(service)
        [reference] = receiver.bodies
        word = {"reference": reference, "status": "failed", "reason": "account_closed"}
        assert (await shop.post("/v1/fulfiller-results", json=word)).status_code == 200
        await dispatch(service)

    [failed] = await told(service)
    assert failed.reason == "refused_by_fulfiller"
    [task] = (await shop.get("/v1/manual-tasks")).json()["items"]
    assert task["state"] == "withdrawn"


@pytest.mark.parametrize("is_known", [False, True])
async def test_a_fulfiller_that_is_not_there_or_switched_off_leaves_the_line_to_people(
    service: Service, accept: Accept, shop: httpx.AsyncClient, *, is_known: bool
):
    async with running_receiver() as receiver:
        if is_known:
            made = await set_up(shop, receiver)
            await shop.patch(f"/v1/fulfillers/{made['id']}", json={"is_enabled": False})
        await order(accept, service)

    [task] = (await shop.get("/v1/manual-tasks?state=open&queue=desk")).json()["items"]
    assert task["why"] == "DESK: no fulfiller desk-system is set up and switched on"
    assert receiver.headers == []


async def test_nobody_there_is_asked_again_and_is_not_called_unknown(
    service: Service, accept: Accept, shop: httpx.AsyncClient
):
    async with running_receiver() as receiver:
        await set_up(shop, receiver)
        await execute(service, "UPDATE fulfiller SET url = 'http://127.0.0.1:1/'")
        await order(accept, service)
        await turn(service)
        assert await published(service) == []
        await execute(service, "UPDATE fulfiller SET url = :url", url=receiver.url)
        answer_with(receiver, said(DONE))
        await turn(service)

    [delivered] = await published(service)
    assert isinstance(delivered, LineDelivered)


async def test_a_slow_system_holds_up_no_neighbour(
    service: Service, accept: Accept, shop: httpx.AsyncClient
):
    service.state["fulfiller_calls"]._patience = timedelta(seconds=0.05)
    async with running_receiver() as slow, running_receiver() as quick:
        await set_up(shop, slow, timeout_seconds=20)
        await set_up(shop, quick, name="quick")
        slow.opens = asyncio.Event()
        answer_with(slow, said(DONE))
        answer_with(quick, said(DONE))
        await order(accept, service)
        await order(accept, service, "quick")
        await until_told(service, 1)
        assert slow.accepted == set()
        slow.opens.set()
        await until_told(service, 2)
    # Nobody made the call a second time while it was under way.
    assert len(slow.headers) == 1


async def test_what_was_said_cannot_be_unsaid_in_the_database(
    service: Service, accept: Accept, shop: httpx.AsyncClient
):
    async with running_receiver() as receiver:
        await set_up(shop, receiver)
        answer_with(receiver, said(DONE))
        await order(accept, service)

    with pytest.raises(IntegrityError):
        await execute(
            service,
            "UPDATE fulfiller_call SET state = 'failed', reason = 'x'",
        )


async def test_set_up_is_checked_shown_once_and_rotated(shop: httpx.AsyncClient, api: ApiClient):
    async with running_receiver() as receiver:
        made = await set_up(shop, receiver)
        path = f"/v1/fulfillers/{made['id']}"
        again = await shop.post("/v1/fulfillers", json={"name": "desk-system", "url": receiver.url})
        bad = await shop.patch(path, json={"url": "http://169.254.169.254/"})
        rotated = (await shop.post(f"{path}/keys")).json()
        other = await api(*SCOPES, merchant_id=OTHER_MERCHANT)

    assert (again.status_code, again.json()["code"]) == (409, "fulfiller_name_taken")
    assert (bad.status_code, bad.json()["code"]) == (422, "fulfiller_url_not_allowed")
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != made["secret"]
    assert (await shop.get(path)).json()["secret"] is None
    assert [it["id"] for it in (await shop.get("/v1/fulfillers")).json()["items"]] == [made["id"]]
    assert (await other.get(path)).status_code == 404
    assert (await other.patch(path, json={"queue": "mine"})).status_code == 404
    assert (await other.post(f"{path}/keys")).status_code == 404
    assert (await other.get("/v1/fulfillers")).json()["items"] == []
