"""SQL of sendings: a constant number of statements, whatever the batch."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from fulfillment.messages.domain import AttemptState, MessageState
from fulfillment.safe import Safe
from fulfillment.sender import Doubt, Heard
from fulfillment.sendings.domain import Plan, Step, Taken
from kit.db import Transaction


class SendingRepository:
    """What messages are about is opened by `safe`."""

    def __init__(self, safe: Safe) -> None:
        self._safe = safe

    async def take(
        self, tx: Transaction, lease_id: UUID, lease: timedelta, limit: int
    ) -> list[Taken]:
        """Claims up to `limit` due messages until the lease ends; others skip them. Attempts that
        an earlier worker began and did not end are unclear now.
        """
        rows = (
            await tx.execute(_TAKE, {"lease_id": lease_id, "lease": lease, "limit": limit})
        ).all()
        if not rows:
            return []
        unclear = await tx.execute(_CLOSE_INTERRUPTED, {"id": [row.id for row in rows]})
        doubts = {row.message_id: Doubt(row.first, row.last) for row in unclear}
        return [self._taken(row, doubts) for row in rows]

    async def begin(self, tx: Transaction, plans: Sequence[Plan]) -> None:
        """Writes down what is about to be sent, and which channels were passed over."""
        skips = [
            (plan, plan.taken.attempts + position, skip)
            for plan in plans
            for position, skip in enumerate(plan.skipped, start=1)
        ]
        sends = [plan for plan in plans if plan.letter is not None]
        await tx.execute(
            _BEGIN,
            {
                "message_id": [
                    *(plan.taken.id for plan, _, _ in skips),
                    *(plan.taken.id for plan in sends),
                ],
                "attempt_no": [
                    *(number for _, number, _ in skips),
                    *(plan.attempt_no for plan in sends),
                ],
                "channel": [
                    *(skip.channel.value for _, _, skip in skips),
                    *(plan.channel for plan in sends),
                ],
                "sender": [
                    *("" for _ in skips),
                    *(plan.account.sender if plan.account else "" for plan in sends),
                ],
                "state": [
                    *(AttemptState.SKIPPED.value for _ in skips),
                    *(AttemptState.SENDING.value for _ in sends),
                ],
                "reason": [*(skip.reason for _, _, skip in skips), *("" for _ in sends)],
                "to_mask": [*("" for _ in skips), *(plan.to_mask for plan in sends)],
                "template": [*("" for _ in skips), *(plan.template for plan in sends)],
                "m_id": [plan.taken.id for plan in plans],
                "m_lease_id": [plan.taken.lease_id for plan in plans],
                "m_attempts": [_attempts(plan) for plan in plans],
                "m_rung": [plan.rung for plan in plans],
                "m_is_first": [plan.is_first_of_rung for plan in plans],
                "m_channel": [plan.channel for plan in plans],
                "m_to_mask": [plan.to_mask for plan in plans],
            },
        )

    async def record(self, tx: Transaction, steps: Sequence[Step], secret: set[str]) -> None:
        """Ends attempts and moves their messages, those whose lease still holds. Values of purposes
        that are `secret` are forgotten with the end.
        """
        await tx.execute(
            _RECORD,
            {
                "id": [step.plan.taken.id for step in steps],
                "lease_id": [step.plan.taken.lease_id for step in steps],
                "attempt_no": [step.plan.attempt_no for step in steps],
                "attempt": [step.attempt.value for step in steps],
                "attempt_reason": [step.attempt_reason for step in steps],
                "reference": [step.reference for step in steps],
                "state": [step.state.value for step in steps],
                "rung": [step.rung for step in steps],
                "reason": [step.reason for step in steps],
                "pause": [step.pause for step in steps],
                "forget": [
                    step.state is not MessageState.QUEUED and step.plan.taken.purpose in secret
                    for step in steps
                ],
            },
        )

    async def give_back(
        self, tx: Transaction, merchant_id: UUID, sender: str, heard: Heard, secret: set[str]
    ) -> bool:
        """What a sender took is lost: the next channel's turn, but for purposes that are `secret`.
        True when there was such a message.
        """
        rows = await tx.execute(
            _GIVE_BACK,
            {
                "merchant_id": merchant_id,
                "sender": sender,
                "reference": heard.reference,
                "reason": heard.reason,
                "secret": list(secret),
            },
        )
        return bool(rows.all())

    def _taken(self, row: Any, doubts: Mapping[UUID, Doubt]) -> Taken:  # untyped row
        sealed = row.message_values
        values = orjson.loads(self._safe.open(sealed, row.id)) if sealed else {}
        return Taken(
            id=row.id,
            merchant_id=row.merchant_id,
            order_id=row.order_id,
            delivery_id=row.delivery_id,
            purpose=row.purpose,
            values=values,
            lease_id=row.lease_id,
            rung=row.rung,
            tries=row.tries,
            rung_age=row.rung_age or timedelta(0),
            attempts=row.attempts,
            created_at=row.created_at,
            reason=row.reason,
            doubt=doubts.get(row.id),
        )


def _attempts(plan: Plan) -> int:
    return plan.attempt_no if plan.letter is not None else plan.attempt_no - 1


# MATERIALIZED: the planner must not run the locking part twice and take more than :limit.
_TAKE = text(
    """
    WITH pick AS MATERIALIZED (
        SELECT id FROM message WHERE state = 'queued' AND due_at <= clock_timestamp()
        ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    UPDATE message m SET lease_id = :lease_id, due_at = clock_timestamp() + CAST(:lease AS interval)
    FROM pick WHERE m.id = pick.id
    RETURNING m.id, m.merchant_id, m.order_id, m.delivery_id, m.purpose, m.message_values,
              m.lease_id, m.rung, m.tries, m.attempts, m.reason, m.created_at,
              clock_timestamp() - m.rung_since AS rung_age
    """
)
# The attempts of this channel since the last one that came to a definite end. A question is an
# attempt, too: so the day of the first one counts, and not that of the last question.
_CLOSE_INTERRUPTED = text(
    """
    WITH closed AS (
        UPDATE message_attempt SET state = 'unclear', reason = 'interrupted',
               ended_at = clock_timestamp()
        WHERE message_id = ANY(CAST(:id AS uuid[])) AND state = 'sending'
    )
    SELECT a.message_id, min(a.started_at) AS first, max(a.started_at) AS last
    FROM message m JOIN message_attempt a ON a.message_id = m.id
    WHERE m.id = ANY(CAST(:id AS uuid[])) AND a.message_id = ANY(CAST(:id AS uuid[]))
      AND a.started_at >= m.rung_since
      AND a.attempt_no > coalesce((
        SELECT max(d.attempt_no) FROM message_attempt d
        WHERE d.message_id = m.id AND d.state NOT IN ('unclear', 'sending')), 0)
    GROUP BY a.message_id
    """
)
_BEGIN = text(
    """
    WITH moved AS (
        UPDATE message m SET attempts = own.attempts, rung = own.rung,
            tries = CASE WHEN own.is_first THEN 1 ELSE m.tries + 1 END,
            rung_since = CASE WHEN own.is_first THEN clock_timestamp() ELSE m.rung_since END,
            channel = coalesce(own.channel, m.channel),
            to_mask = CASE WHEN own.channel IS NULL THEN m.to_mask ELSE own.to_mask END
        FROM unnest(CAST(:m_id AS uuid[]), CAST(:m_lease_id AS uuid[]), CAST(:m_attempts AS int[]),
            CAST(:m_rung AS int[]), CAST(:m_is_first AS boolean[]), CAST(:m_channel AS text[]),
            CAST(:m_to_mask AS text[]))
            AS own (id, lease_id, attempts, rung, is_first, channel, to_mask)
        WHERE m.id = own.id AND m.lease_id = own.lease_id
        RETURNING m.id
    )
    INSERT INTO message_attempt (message_id, attempt_no, channel, sender, state, reason, to_mask,
                                 template, ended_at)
    SELECT own.*, CASE WHEN own.state = 'sending' THEN NULL ELSE clock_timestamp() END
    FROM unnest(CAST(:message_id AS uuid[]), CAST(:attempt_no AS int[]), CAST(:channel AS text[]),
        CAST(:sender AS text[]), CAST(:state AS text[]), CAST(:reason AS text[]),
        CAST(:to_mask AS text[]), CAST(:template AS text[]))
        AS own (message_id, attempt_no, channel, sender, state, reason, to_mask, template)
    JOIN moved ON moved.id = own.message_id
    """
)
_GIVE_BACK = text(
    """
    WITH hit AS (
        UPDATE message m SET reason = :reason, tries = 0, rung = m.rung + 1,
            state = CASE WHEN m.purpose = ANY(CAST(:secret AS text[])) THEN 'bounced'
                         ELSE 'queued' END,
            settled_at = CASE WHEN m.purpose = ANY(CAST(:secret AS text[]))
                              THEN clock_timestamp() END,
            due_at = clock_timestamp()
        FROM message_attempt a
        WHERE a.reference = :reference AND a.reference <> '' AND a.sender = :sender
          AND a.state = 'sent' AND m.id = a.message_id AND m.attempts = a.attempt_no
          AND m.merchant_id = :merchant_id AND m.state = 'sent'
        RETURNING m.id, m.attempts
    )
    UPDATE message_attempt a SET state = 'bounced', reason = :reason, ended_at = clock_timestamp()
    FROM hit WHERE a.message_id = hit.id AND a.attempt_no = hit.attempts
    RETURNING a.message_id
    """
)
_RECORD = text(
    """
    WITH own AS (
        SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:lease_id AS uuid[]),
            CAST(:attempt_no AS int[]), CAST(:attempt AS text[]), CAST(:attempt_reason AS text[]),
            CAST(:reference AS text[]), CAST(:state AS text[]), CAST(:rung AS int[]),
            CAST(:reason AS text[]), CAST(:pause AS interval[]), CAST(:forget AS boolean[]))
            AS own (id, lease_id, attempt_no, attempt, attempt_reason, reference, state, rung,
                    reason, pause, forget)
    ), moved AS (
        UPDATE message m SET state = own.state, rung = own.rung, reason = own.reason,
            tries = CASE WHEN own.rung = m.rung THEN m.tries ELSE 0 END,
            lease_id = NULL, due_at = clock_timestamp() + own.pause,
            settled_at = CASE WHEN own.state = 'queued' THEN NULL ELSE clock_timestamp() END,
            message_values = CASE WHEN own.forget THEN NULL ELSE m.message_values END
        FROM own WHERE m.id = own.id AND m.lease_id = own.lease_id AND m.state = 'queued'
        RETURNING m.id
    )
    UPDATE message_attempt a SET state = own.attempt, reason = own.attempt_reason,
           reference = own.reference, ended_at = clock_timestamp()
    FROM own JOIN moved ON moved.id = own.id
    WHERE a.message_id = own.id AND a.attempt_no = own.attempt_no AND a.state = 'sending'
    """
)
