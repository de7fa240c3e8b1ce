"""Asking merchants' own systems: each call is committed as sent before it is made.

A crash in between leaves `sent`, and the next turn makes the same call again under the same
reference. A slow one goes on by itself, so that it holds up no neighbour. What is not decided in
time waits for people, and a late word still counts until they have decided.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from fulfillment.fulfiller import HttpFulfiller
from fulfillment.fulfiller_calls.domain import (
    SETTLED,
    Answer,
    CallState,
    Done,
    Failed,
    Form,
    FulfillerCall,
    FulfillerCallDecided,
    FulfillerCallNotFound,
    Unknown,
    Word,
    pause_of,
    state_after,
)
from fulfillment.fulfiller_calls.repository import FulfillerCallRepository
from fulfillment.fulfillers.domain import Station
from fulfillment.fulfillers.service import FulfillerService
from fulfillment.manual_tasks.domain import ManualState, id_of
from fulfillment.manual_tasks.service import ManualTaskService
from fulfillment.tasks.service import wake_tasks
from kit.db import Database, Transaction
from kit.logging import get_logger

log = get_logger(__name__)

_DECIDED = (ManualState.COMPLETED, ManualState.FAILED)


@dataclass(frozen=True, slots=True)
class Asked:
    """Where a call stands after this turn, when it is asked again, and the queue people find it in
    if they must; no call where no such fulfiller is set up."""

    call: FulfillerCall | None
    pause: timedelta
    queue: str


@dataclass(frozen=True, slots=True)
class _Turn:
    station: Station
    call: FulfillerCall
    form: Form


class FulfillerCallService:
    """`patience`: how long a turn waits for slow systems before it goes on without them."""

    def __init__(
        self,
        repository: FulfillerCallRepository,
        fulfillers: FulfillerService,
        manual_tasks: ManualTaskService,
        http: HttpFulfiller,
        *,
        patience: timedelta,
        pause_max: timedelta,
    ) -> None:
        self._repository = repository
        self._fulfillers = fulfillers
        self._manual_tasks = manual_tasks
        self._http = http
        self._patience = patience
        self._pause_max = pause_max
        self._late: set[asyncio.Task[None]] = set()

    async def ask(self, db: Database, wanted: Sequence[tuple[FulfillerCall, Form]]) -> list[Asked]:
        """One turn for each, in order. May be called again for the same after any crash."""
        async with db.transaction() as tx:
            stations = await self._fulfillers.find_stations(
                tx, [(call.merchant_id, call.fulfiller) for call, _ in wanted]
            )
            turns = await self._begin(tx, wanted, stations)
        calls = {asyncio.create_task(self._call(turn)): turn for turn in turns}
        if calls:
            await asyncio.wait(calls, timeout=self._patience.total_seconds())
        answered = [(turn.call, call.result()) for call, turn in calls.items() if call.done()]
        for call, turn in calls.items():
            if not call.done():
                self._go_on(db, turn, call)
        async with db.transaction() as tx:
            if answered:
                await self._record(tx, answered)
            return await self._standing(tx, [call for call, _ in wanted], stations)

    async def hear(
        self, tx: Transaction, merchant_id: UUID, reference: UUID, word: Word
    ) -> FulfillerCall:
        """What a system says of itself, later; the same again changes nothing. Raises
        FulfillerCallNotFound, FulfillerCallDecided.
        """
        call = await self._repository.lock(tx, merchant_id, reference)
        if call is None:
            raise FulfillerCallNotFound
        if call.state in SETTLED:
            if _says(call, word):
                return call
            raise FulfillerCallDecided(state=call.state)
        await self._withdraw(tx, call)
        await self._repository.save(tx, [(call.id, word)])
        await wake_tasks(tx, [call.task_id])
        log.info("fulfiller_heard", reference=str(call.id), state=state_after(word))
        found = await self._repository.lock(tx, merchant_id, reference)
        assert found is not None
        return found

    async def close(self) -> None:
        """Calls that are still under way end with the process: they are made again."""
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)

    async def _begin(
        self,
        tx: Transaction,
        wanted: Sequence[tuple[FulfillerCall, Form]],
        stations: Mapping[tuple[UUID, str], Station],
    ) -> list[_Turn]:
        known = [
            (call, form, stations[call.merchant_id, call.fulfiller])
            for call, form in wanted
            if (call.merchant_id, call.fulfiller) in stations
        ]
        deadlines = [
            (call, timedelta(seconds=station.fulfiller.deadline_seconds))
            for call, _, station in known
        ]
        if deadlines:
            await self._repository.add(tx, deadlines)
        # Also of a system that is switched off meanwhile: the time of its calls ends all the same.
        found = await self._repository.lock_many(tx, [call.id for call, _ in wanted])
        turns = [
            _Turn(station, found[call.id], form)
            for call, form, station in known
            if found[call.id].may_be_sent(timedelta(seconds=station.fulfiller.timeout_seconds))
        ]
        if turns:
            await self._repository.mark_sent(tx, [turn.call.id for turn in turns])
        over = [it.id for it in found.values() if it.is_over and it.state not in SETTLED]
        if over:
            await self._repository.hand_over(tx, over)
        return turns

    async def _call(self, turn: _Turn) -> Answer:
        try:
            return await self._http.ask(turn.station, turn.call, turn.form)
        except Exception:
            # Whatever it was, it may have come after the other side acted.
            log.exception("fulfiller_call_failed", reference=str(turn.call.id))
            return Unknown("call_failed")

    def _go_on(self, db: Database, turn: _Turn, call: asyncio.Task[Answer]) -> None:
        """The slow call's answer is written down when it comes, and its task woken."""
        task = asyncio.create_task(self._finish(db, turn, call))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _finish(self, db: Database, turn: _Turn, call: asyncio.Task[Answer]) -> None:
        answer = await call
        try:
            async with db.transaction() as tx:
                await self._record(tx, [(turn.call, answer)])
                if isinstance(answer, Done | Failed):
                    await wake_tasks(tx, [turn.call.task_id])
        except Exception:
            # The call stays `sent`: the next turn makes it again.
            log.exception("answer_not_recorded", reference=str(turn.call.id))

    async def _record(
        self, tx: Transaction, answered: Sequence[tuple[FulfillerCall, Answer]]
    ) -> None:
        """Writes down what calls came to. A word takes its line from people who were asked
        meanwhile; what they have decided by then stands.
        """
        await self._repository.lock_many(tx, [call.id for call, _ in answered])
        words = [call for call, answer in answered if isinstance(answer, Done | Failed)]
        decided = await self._take_from_people(tx, words) if words else {}
        left = [(call.id, answer) for call, answer in answered if call.id not in decided]
        await self._repository.save(tx, left)

    async def _standing(
        self,
        tx: Transaction,
        calls: Sequence[FulfillerCall],
        stations: Mapping[tuple[UUID, str], Station],
    ) -> list[Asked]:
        found = await self._repository.lock_many(tx, [call.id for call in calls])
        asked = []
        for call in calls:
            station = stations.get((call.merchant_id, call.fulfiller))
            queue = station.fulfiller.queue if station else ""
            now = found.get(call.id)
            pause = pause_of(now, self._pause_max) if now else self._pause_max
            asked.append(Asked(now, pause, queue))
        return asked

    async def _withdraw(self, tx: Transaction, call: FulfillerCall) -> None:
        """Nobody needs to look any more; raises FulfillerCallDecided if somebody has decided."""
        for state in (await self._take_from_people(tx, [call])).values():
            raise FulfillerCallDecided(state=state)

    async def _take_from_people(
        self, tx: Transaction, calls: Sequence[FulfillerCall]
    ) -> dict[UUID, ManualState]:
        """Nobody needs to look at these any more; by call, what people have decided already."""
        tasks = {id_of(call.delivery_id): call.id for call in calls}
        await self._manual_tasks.withdraw_many(tx, list(tasks))
        found = await self._manual_tasks.find_many(tx, list(tasks))
        return {tasks[task.id]: task.state for task in found if task.state in _DECIDED}


def _says(call: FulfillerCall, word: Word) -> bool:
    if isinstance(word, Done):
        return (call.state, call.result, call.cost) == (CallState.DONE, word.result, word.cost)
    return (call.state, call.reason) == (CallState.FAILED, word.reason)
