import asyncio
from datetime import UTC, datetime
from typing import Any

from kit.auth import mint_api_key
from kit.ids import new_id
from kit.keys import on_api_key_changed
from kit.messaging.events import Event, topic_of, type_of
from lockstock.order.v1.api_key_events_pb2 import ApiKeyChanged
from tests.kit.http.conftest import Bench


async def post(bench: Bench, body: dict[str, Any], key: str | None = None, **headers: str):
    given = {**bench.bearer(), **headers}
    if key is not None:
        given["Idempotency-Key"] = key
    return await bench.http.post("/notes", json=body, headers=given)


async def test_the_same_key_and_body_answers_the_first_answer_again(bench: Bench):
    first = await post(bench, {"title": "a"}, "key-1")
    second = await post(bench, {"title": "a"}, "key-1")

    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert await bench.count() == 1


async def test_a_key_and_its_successor_act_once_and_a_strangers_key_by_itself(bench: Bench):
    successor = await bench.add_key(scopes=["notes:write"], family=bench.key.key_id)
    stranger = await bench.add_key(scopes=["notes:write"])

    first = await post(bench, {"title": "a"}, "key-1")
    answers = [
        await post(bench, {"title": "a"}, "key-1", **bench.bearer(key))
        for key in (successor, stranger)
    ]

    assert answers[0].content == first.content
    assert answers[0].headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in answers[1].headers
    assert await bench.count() == 2


async def test_a_service_hears_whose_successor_a_key_is(bench: Bench):
    successor = mint_api_key()
    told = ApiKeyChanged(
        key_id=successor.key_id,
        merchant_id=str(bench.merchant_id),
        secret_hash=successor.secret_hash,
        scopes=["notes:write"],
        family=bench.key.key_id,
    )
    event = Event(
        id=new_id(),
        type=type_of(ApiKeyChanged),
        topic=topic_of(ApiKeyChanged),
        key=successor.key_id,
        version=1,
        time=datetime.now(UTC),
        merchant_id=str(bench.merchant_id),
        traceparent=None,
        request_id=None,
        message=told,
    )
    async with bench.db.transaction() as tx:
        await on_api_key_changed(tx, [event])

    await post(bench, {"title": "a"}, "key-1")
    again = await post(bench, {"title": "a"}, "key-1", **bench.bearer(successor))

    assert again.headers["Idempotent-Replayed"] == "true"
    assert await bench.count() == 1


async def test_the_same_json_in_other_order_and_spacing_is_the_same_request(bench: Bench):
    headers = {**bench.bearer(), "Idempotency-Key": "k", "Content-Type": "application/json"}
    await bench.http.post("/notes", content=b'{"title":"a","stars":1}', headers=headers)
    again = await bench.http.post(
        "/notes", content=b'{ "stars": 1, "title": "a" }', headers=headers
    )

    assert again.headers["Idempotent-Replayed"] == "true"


async def test_the_same_key_with_another_body_is_refused(bench: Bench):
    await post(bench, {"title": "a"}, "key-1")
    other = await post(bench, {"title": "b"}, "key-1")

    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_key_reused"
    assert await bench.count() == 1


async def test_twenty_calls_at_once_have_one_effect_and_one_answer(bench: Bench):
    answers = await asyncio.gather(*(post(bench, {"title": "slow"}, "race") for _ in range(20)))

    finished = [answer for answer in answers if answer.status_code == 201]
    assert await bench.count() == 1
    assert len({answer.content for answer in finished}) == 1
    assert {answer.status_code for answer in answers} <= {201, 409, 503}


async def test_an_error_saves_nothing_and_may_be_tried_again(bench: Bench):
    first = await post(bench, {"title": "taken"}, "key-1")
    second = await post(bench, {"title": "taken"}, "key-1")

    assert first.status_code == second.status_code == 409
    assert "Idempotent-Replayed" not in second.headers
    assert await bench.count() == 0


async def test_another_callers_key_does_not_replay_my_answer(bench: Bench):
    await post(bench, {"title": "mine"}, "shared")
    stranger = await bench.add_key(scopes=["notes:write"])
    theirs = await post(bench, {"title": "mine"}, "shared", **bench.bearer(stranger))

    assert "Idempotent-Replayed" not in theirs.headers
    assert await bench.count() == 2


async def test_without_the_header_each_call_acts(bench: Bench):
    await post(bench, {"title": "a"})
    await post(bench, {"title": "a"})

    assert await bench.count() == 2


async def test_a_key_with_spaces_or_no_character_is_refused(bench: Bench):
    answer = await post(bench, {"title": "a"}, "two words")

    assert answer.status_code == 422
    assert answer.json()["code"] == "bad_idempotency_key"


async def test_the_commit_comes_before_the_first_byte_of_the_answer(bench: Bench):
    """A client that sees 201 must find the row, even if the process dies at that very byte."""
    seen_at_first_byte: list[int] = []
    body = b'{"title":"durable"}'
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/notes",
        "raw_path": b"/notes",
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"authorization", bench.bearer()["Authorization"].encode()),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("kit", 80),
    }

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        if message["type"] == "http.response.start":
            seen_at_first_byte.append(await bench.count())

    await bench.app(scope, receive, send)

    assert seen_at_first_byte == [1]
