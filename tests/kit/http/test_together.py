"""Calls that share a transaction keep their own key, answer and error."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest
from sqlalchemy import text

from kit.db import Transaction
from kit.errors import Conflict, DomainError
from kit.http import Caller, Once, Together, caller, once
from kit.ids import new_id
from tests.kit.http.conftest import Bench, NoteCreate, NoteRead

_INSERT = text("INSERT INTO note VALUES (:id, :title)")
CALLERS = 20


@pytest.fixture
def batches(bench: Bench) -> list[int]:
    """Adds POST /shared to the app; the sizes of the batches it has served."""
    sizes: list[int] = []

    async def work(tx: Transaction, bodies: Sequence[NoteCreate]) -> list[NoteRead | DomainError]:
        sizes.append(len(bodies))
        results: list[NoteRead | DomainError] = []
        for body in bodies:
            if body.title == "taken":
                results.append(Conflict("this title is taken"))
                continue
            note = NoteRead(id=new_id(), title=body.title)
            await tx.execute(_INSERT, {"id": note.id, "title": note.title})
            if body.title == "broken":
                raise RuntimeError("a bug")
            results.append(note)
        return results

    together = Together(bench.db, work, location=lambda note: f"/notes/{note.id}", lanes=1)

    @bench.app.post("/shared", response_model=NoteRead)
    async def create(body: NoteCreate, who: Caller = caller("notes:write"), run: Once = once()):
        replayed = await together.replay(run, who)
        return replayed or await together(run, who, body)

    return sizes


async def post(bench: Bench, title: str, key: str | None = None) -> httpx.Response:
    headers = bench.bearer() | ({"Idempotency-Key": key} if key else {})
    return await bench.http.post("/shared", json={"title": title}, headers=headers)


async def test_calls_at_the_same_time_share_transactions(bench: Bench, batches: list[int]):
    keys = [str(new_id()) if number % 2 else None for number in range(CALLERS)]
    answers = await asyncio.gather(*(post(bench, f"n{n}", key) for n, key in enumerate(keys)))

    assert {answer.status_code for answer in answers} == {201}
    assert [answer.json()["title"] for answer in answers] == [f"n{n}" for n in range(CALLERS)]
    assert all(answer.headers["location"].startswith("/notes/") for answer in answers)
    assert await bench.count() == sum(batches) == CALLERS
    assert len(batches) < CALLERS


async def test_one_key_has_one_effect_and_one_answer(bench: Bench, batches: list[int]):
    answers = await asyncio.gather(*(post(bench, "a", "race") for _ in range(CALLERS)))
    later = await post(bench, "a", "race")
    other = await post(bench, "b", "race")

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in [*answers, later]}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert later.headers["Idempotent-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await bench.count() == 1


async def test_an_error_is_its_own_callers_only_and_keeps_no_key(bench: Bench, batches: list[int]):
    titles = ["a", "taken", "b", "taken"]
    answers = await asyncio.gather(*(post(bench, title, f"k{n}") for n, title in enumerate(titles)))
    again = await post(bench, "taken", "k1")

    assert [answer.status_code for answer in answers] == [201, 409, 201, 409]
    assert "Idempotent-Replayed" not in again.headers
    assert await bench.count() == 2


async def test_a_bug_in_one_call_does_not_reach_the_others(bench: Bench, batches: list[int]):
    titles = [f"n{number}" for number in range(6)] + ["broken"]
    answers = await asyncio.gather(
        *(post(bench, title, title) for title in titles), return_exceptions=True
    )

    placed = [answer for answer in answers if isinstance(answer, httpx.Response)]
    assert sum(answer.status_code == 201 for answer in placed) == 6
    assert await bench.count() == 6
