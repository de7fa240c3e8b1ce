"""Once, for many calls at a time: calls that wait while a transaction runs share the next one.

Every call keeps its own Idempotency-Key, answer and error; a lone call is served at once. Under
load the statements and the commit are paid for once per batch.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel
from sqlalchemy import text

from kit.auth import Principal
from kit.combine import Combiner
from kit.db import Database, Transaction
from kit.errors import DomainError, Unavailable
from kit.http.once import (
    IdempotencyKeyReused,
    Once,
    StillRunning,
    Ticket,
    answer,
    is_lock_timeout,
    model_bytes,
    replay_of,
)
from kit.standby import Standby

Item = TypeVar("Item")
FIND_BATCH_MAX = 200


@dataclass(frozen=True, slots=True)
class _Call(Generic[Item]):
    ticket: Ticket | None
    item: Item
    merchant_id: UUID | None


def _itself(result: Any) -> BaseModel:
    model: BaseModel = result
    return model


class Together(Generic[Item]):
    """`await together(run, who, item)` answers as `run(who, work)` would for this item alone.

    `work` answers one model (or what `read` makes one of) or DomainError per item, in order, and
    leaves no trace of an item it answers an error for. What it raises undoes the batch, whose calls
    are then served one by one.
    With `standby` the transactions are begun before they are needed.
    """

    def __init__(
        self,
        db: Database,
        work: Callable[[Transaction, Sequence[Item]], Awaitable[Sequence[Any]]],
        *,
        read: Callable[[Any], BaseModel] = _itself,
        status: int = 201,
        location: Callable[[Any], str] | None = None,
        batch_max: int = 64,
        lanes: int = 2,
        standby: Standby | None = None,
    ) -> None:
        self._db = db
        self._read = read
        self._standby = standby
        self._work = work
        self._status = status
        self._location = location
        self._combined: Combiner[_Call[Item], Response | None] = Combiner(
            self._serve, batch_max=batch_max, lanes=lanes
        )
        self._found: Combiner[Ticket, Response | None] = Combiner(
            self._find, batch_max=FIND_BATCH_MAX
        )

    async def replay(self, run: Once, who: Principal) -> Response | None:
        """As `run.replay(who)`, looked up together with other calls'."""
        ticket = await run.ticket(who)
        return await self._found(ticket) if ticket else None

    async def __call__(self, run: Once, who: Principal, item: Item) -> Response:
        """Committed before it returns. Raises what `work` answers for the item, or Once raises."""
        response = await self._combined(_Call(await run.ticket(who), item, who.merchant_id))
        if response is None:
            response = await self.replay(run, who)
        if response is None:
            raise StillRunning
        return response

    async def _find(
        self, tickets: Sequence[Ticket]
    ) -> Sequence[Response | IdempotencyKeyReused | None]:
        async with self._db.read_unguarded() as tx:
            rows = await tx.execute(_FIND, _names(tickets))
            stored = {(row.principal, row.key): row for row in rows}
        return [replay_of(ticket, stored.get((ticket.principal, ticket.key))) for ticket in tickets]

    async def _serve(
        self, calls: Sequence[_Call[Item]]
    ) -> Sequence[Response | BaseException | None]:
        try:
            return await self._transact(calls)
        except Unavailable as error:
            # A commit that was cut off may have happened: nothing is tried again but lost waits.
            if not is_lock_timeout(error):
                return [error] * len(calls)
            if len(calls) == 1:
                return [StillRunning() if calls[0].ticket else error]
        except Exception as error:
            if len(calls) == 1:
                return [error]
        return [result for call in calls for result in await self._serve([call])]

    async def _transact(
        self, calls: Sequence[_Call[Item]]
    ) -> Sequence[Response | BaseException | None]:
        """None stands for a call whose key another call has."""
        answers: list[Response | BaseException | None] = [None] * len(calls)
        async with self._transaction(calls) as tx:
            claimed = await _claim(tx, [call.ticket for call in calls if call.ticket])
            chosen = [place for place, call in enumerate(calls) if _takes(call.ticket, claimed)]
            if not chosen:
                return answers
            results = await self._work(tx, [calls[place].item for place in chosen])

            def answer_all() -> None:
                for place, result in zip(chosen, results, strict=True):
                    answers[place] = self._answer(result)

            if any(calls[place].ticket for place in chosen):
                answer_all()
                await _settle(tx, calls, answers, chosen)
            else:
                tx.while_writing(answer_all)
        return answers

    def _transaction(
        self, calls: Sequence[_Call[Item]]
    ) -> AbstractAsyncContextManager[Transaction]:
        if self._standby is not None:
            return self._standby.transaction()
        return self._db.transaction({call.merchant_id for call in calls})

    def _answer(self, result: Any) -> Response | DomainError:
        if isinstance(result, DomainError):
            return result
        model = self._read(result)
        location = self._location(model) if self._location else None
        return answer(model_bytes(model), self._status, location)


def _takes(ticket: Ticket | None, claimed: set[tuple[str, str]]) -> bool:
    """Whether the call goes on; of two calls with one key in a batch only the first does."""
    if ticket is None:
        return True
    if (ticket.principal, ticket.key) not in claimed:
        return False
    claimed.discard((ticket.principal, ticket.key))
    return True


async def _claim(tx: Transaction, tickets: Sequence[Ticket]) -> set[tuple[str, str]]:
    """(principal, key) of those that nobody used before."""
    if not tickets:
        return set()
    rows = await tx.execute(
        _CLAIM,
        {
            **_names(tickets),
            "request_hashes": [ticket.request_hash for ticket in tickets],
        },
    )
    return {(row.principal, row.key) for row in rows}


async def _settle(
    tx: Transaction,
    calls: Sequence[_Call[Item]],
    answers: Sequence[Response | BaseException | None],
    chosen: Sequence[int],
) -> None:
    """Keeps the answers of calls that took effect; forgets the keys of those that did not."""
    done: list[tuple[Ticket, Response]] = []
    undone: list[Ticket] = []
    for place in chosen:
        ticket, response = calls[place].ticket, answers[place]
        if ticket is None:
            continue
        if isinstance(response, Response):
            done.append((ticket, response))
        else:
            undone.append(ticket)
    if done:
        await tx.execute(_SAVE, _columns(done))
    if undone:
        await tx.execute(_FORGET, _names(undone))


def _names(tickets: Sequence[Ticket]) -> dict[str, list[Any]]:
    return {
        "principals": [ticket.principal for ticket in tickets],
        "keys": [ticket.key for ticket in tickets],
    }


def _columns(done: Sequence[tuple[Ticket, Response]]) -> dict[str, list[Any]]:
    return {
        "principals": [ticket.principal for ticket, _ in done],
        "keys": [ticket.key for ticket, _ in done],
        "statuses": [response.status_code for _, response in done],
        "bodies": [bytes(response.body) for _, response in done],
        "locations": [response.headers.get("location") for _, response in done],
    }


# Keys are claimed in sorted order, so two batches with several keys cannot deadlock here.
_CLAIM = text(
    "INSERT INTO idempotency (principal, key, request_hash, status, body) "
    "SELECT principal, key, request_hash, 0, '' FROM unnest(CAST(:principals AS text[]), "
    "CAST(:keys AS text[]), CAST(:request_hashes AS bytea[])) "
    "WITH ORDINALITY AS t(principal, key, request_hash, place) ORDER BY principal, key, place "
    "ON CONFLICT DO NOTHING RETURNING principal, key"
)
_FIND = text(
    "SELECT i.* FROM idempotency i JOIN unnest(CAST(:principals AS text[]), "
    "CAST(:keys AS text[])) AS t(principal, key) ON i.principal = t.principal AND i.key = t.key "
    "WHERE i.status > 0"
)
_SAVE = text(
    "UPDATE idempotency AS i SET status = t.status, body = t.body, location = t.location "
    "FROM unnest(CAST(:principals AS text[]), CAST(:keys AS text[]), "
    "CAST(:statuses AS smallint[]), CAST(:bodies AS bytea[]), CAST(:locations AS text[])) "
    "AS t(principal, key, status, body, location) "
    "WHERE i.principal = t.principal AND i.key = t.key"
)
_FORGET = text(
    "DELETE FROM idempotency AS i USING unnest(CAST(:principals AS text[]), CAST(:keys AS text[])) "
    "AS t(principal, key) WHERE i.principal = t.principal AND i.key = t.key AND i.status = 0"
)
