"""Steps in SQL: a constant number of statements, whatever the batch. The database's clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from kit.db import Transaction
from order.steps.domain import Step, StepState

# A step that is planned already stays as it is: its reference is its name.
_INSERT = text(
    "INSERT INTO saga_step (id, merchant_id, order_id, line_id, kind, ext_ref, args, next_at, "
    "deadline_at) SELECT id, merchant_id, order_id, line_id, kind, ext_ref, args, "
    "clock_timestamp(), clock_timestamp() + make_interval(secs => deadline) "
    "FROM jsonb_to_recordset(CAST(:steps AS jsonb)) AS s(id uuid, merchant_id uuid, "
    "order_id uuid, line_id uuid, kind text, ext_ref uuid, args jsonb, "
    "deadline float) ORDER BY ext_ref ON CONFLICT (ext_ref) DO NOTHING"
)
# The lease: whoever dies with a step in hand leaves it to be asked about again. MATERIALIZED: the
# planner must not run the locking part twice and take more than :limit.
_TAKE = text(
    "WITH due AS MATERIALIZED (SELECT id FROM saga_step "
    "WHERE state IN ('intent', 'sent', 'unknown') AND next_at <= clock_timestamp() "
    "AND kind = ANY(CAST(:kinds AS text[])) "
    "ORDER BY next_at LIMIT :limit FOR UPDATE SKIP LOCKED) "
    "UPDATE saga_step s SET state = 'sent', attempt = s.attempt + 1, version = s.version + 1, "
    "next_at = clock_timestamp() + make_interval(secs => :lease_seconds), "
    "updated_at = clock_timestamp() FROM due WHERE s.id = due.id RETURNING s.*"
)
_LOCK_OWN = text(
    "SELECT s.*, s.deadline_at <= clock_timestamp() AS is_late FROM saga_step s "
    "JOIN unnest(CAST(:ids AS uuid[]), CAST(:versions AS int[])) AS own(id, version) "
    "ON s.id = own.id AND s.version = own.version AND s.state = 'sent' "
    "ORDER BY s.id FOR UPDATE OF s"
)
_END = text(
    "UPDATE saga_step s SET state = e.state, result = e.result, last_error = e.error, "
    "next_at = clock_timestamp() + make_interval(secs => e.pause), version = s.version + 1, "
    "updated_at = clock_timestamp() FROM jsonb_to_recordset(CAST(:ends AS jsonb)) "
    "AS e(id uuid, state text, result jsonb, error text, pause float) WHERE s.id = e.id"
)
_COMPENSATE = text(
    "UPDATE saga_step SET state = 'compensated', updated_at = clock_timestamp() "
    "WHERE ext_ref = ANY(CAST(:refs AS uuid[])) AND state = 'ok'"
)
# As many as the units that came suffice for, whoever has waited longest first: the others would ask
# in vain. Steps that somebody holds are passed over, so nobody waits in a circle.
_WAKE = text(
    """
    WITH waiting AS (
      SELECT s.id, b.units, sum(CAST(s.args->>'quantity' AS bigint)) OVER (
          PARTITION BY s.args->>'pool_id' ORDER BY s.created_at, s.id)
        - CAST(s.args->>'quantity' AS bigint) AS before
      FROM saga_step s JOIN unnest(CAST(:pools AS text[]), CAST(:units AS bigint[]))
        AS b(pool_id, units) ON b.pool_id = s.args->>'pool_id'
      WHERE s.state = 'intent' AND s.kind = :kind
    ), due AS MATERIALIZED (
      SELECT s.id FROM saga_step s JOIN waiting w ON w.id = s.id
      WHERE w.before < w.units AND s.state = 'intent' FOR UPDATE OF s SKIP LOCKED
    )
    UPDATE saga_step s SET next_at = least(s.next_at, clock_timestamp()) FROM due
    WHERE s.id = due.id
    """
)
_FIND = text("SELECT * FROM saga_step WHERE order_id = ANY(CAST(:ids AS uuid[])) ORDER BY id")
_LOCK = text("SELECT * FROM saga_step WHERE id = :id FOR UPDATE")
# A new deadline as long as the first one was: a person wants it tried again.
_REVIVE = text(
    "UPDATE saga_step SET state = CASE state WHEN 'manual' THEN 'unknown' ELSE state END, "
    "next_at = clock_timestamp(), attempt = 0, version = version + 1, "
    "deadline_at = clock_timestamp() + (deadline_at - created_at), "
    "updated_at = clock_timestamp() "
    "WHERE id = :id AND state IN ('intent', 'unknown', 'manual') RETURNING id"
)


async def add_many(tx: Transaction, steps: Sequence[Step]) -> None:
    await tx.execute(_INSERT, {"steps": _json([_values(step) for step in steps])})


async def take_due(
    tx: Transaction, kinds: Sequence[str], *, limit: int, lease: timedelta
) -> list[Step]:
    """Steps that are due and nobody else works on, marked as sent until the lease ends."""
    values = {"kinds": list(kinds), "limit": limit, "lease_seconds": lease.total_seconds()}
    return [_step(row) for row in await tx.execute(_TAKE, values)]


@dataclass(frozen=True, slots=True)
class Held:
    """A locked step, and whether its deadline has passed."""

    step: Step
    is_late: bool


async def lock_own(tx: Transaction, steps: Sequence[Step]) -> dict[UUID, Held]:
    """Those that nobody else took since, locked."""
    values = {"ids": [step.id for step in steps], "versions": [step.version for step in steps]}
    return {row.id: Held(_step(row), row.is_late) for row in await tx.execute(_LOCK_OWN, values)}


async def end_many(tx: Transaction, ended: Sequence[tuple[Step, timedelta]]) -> None:
    """Writes state, result and error of locked steps; due again after their pause."""
    ends = [
        {
            "id": step.id,
            "state": step.state,
            "result": dict(step.result),
            "error": step.last_error,
            "pause": pause.total_seconds(),
        }
        for step, pause in ended
    ]
    await tx.execute(_END, {"ends": _json(ends)})


async def compensate(tx: Transaction, refs: Sequence[UUID]) -> None:
    """What these steps did is undone."""
    await tx.execute(_COMPENSATE, {"refs": list(refs)})


async def wake(tx: Transaction, kind: str, units: Mapping[UUID, int]) -> None:
    """Makes steps of the kind that wait for units of these pools due now."""
    values = {"kind": kind, "pools": [str(it) for it in units], "units": list(units.values())}
    await tx.execute(_WAKE, values)


async def find_of_orders(tx: Transaction, order_ids: Sequence[UUID]) -> list[Step]:
    return [_step(row) for row in await tx.execute(_FIND, {"ids": list(order_ids)})]


async def lock(tx: Transaction, step_id: UUID) -> Step | None:
    row = (await tx.execute(_LOCK, {"id": step_id})).one_or_none()
    return _step(row) if row else None


async def revive(tx: Transaction, step_id: UUID) -> bool:
    """Makes a waiting step due now, with a deadline of its own; False when it does not wait."""
    return (await tx.execute(_REVIVE, {"id": step_id})).one_or_none() is not None


def _json(values: Any) -> str:  # any JSON
    # The driver's UUIDs are a subclass, which orjson leaves to `default`.
    return orjson.dumps(values, default=str).decode()


def _values(step: Step) -> dict[str, object]:
    return {
        "id": step.id,
        "merchant_id": step.merchant_id,
        "order_id": step.order_id,
        "line_id": step.line_id,
        "kind": step.kind,
        "ext_ref": step.ext_ref,
        "args": dict(step.args),
        "deadline": step.deadline.total_seconds(),
    }


def _step(row: Any) -> Step:  # a row has no static type
    return Step(
        id=row.id,
        merchant_id=row.merchant_id,
        order_id=row.order_id,
        line_id=row.line_id,
        kind=row.kind,
        ext_ref=row.ext_ref,
        args=row.args,
        state=StepState(row.state),
        attempt=row.attempt,
        version=row.version,
        result=row.result,
        last_error=row.last_error,
        next_at=row.next_at,
        deadline_at=row.deadline_at,
        created_at=row.created_at,
    )
