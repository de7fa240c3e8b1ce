"""SQL of challenges: each change asks for the state it changes, so callers at once are one."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from risk.challenges.domain import Challenge, ChallengeOpening, ChallengeStatus

_COLUMNS = """id, merchant_id, order_id, reference, status, reason, tries, resends, channel, target,
    opened_at, expires_at, ended_at"""

_INSERT = text("""
    INSERT INTO challenge (id, merchant_id, order_id, reference, reason, expires_at)
    SELECT id, merchant_id, order_id, reference, reason,
        clock_timestamp() + CAST(:life AS interval)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]), CAST(:orders AS uuid[]),
        CAST(:references AS text[]), CAST(:reasons AS text[]))
        AS given(id, merchant_id, order_id, reference, reason)
    ON CONFLICT (id) DO NOTHING
""")
_TRY = text("""
    UPDATE challenge SET tries = tries + 1
    WHERE merchant_id = :merchant_id AND id = :id AND status = 'open'
        AND expires_at > clock_timestamp() AND tries < :tries_max
    RETURNING tries
""")
_UNTRY = text("""
    UPDATE challenge SET tries = tries - 1 WHERE id = :id AND status = 'open' AND tries > 0
""")
_RESEND = text(f"""
    UPDATE challenge SET resends = resends + 1
    WHERE merchant_id = :merchant_id AND id = :id AND status = 'open'
        AND expires_at > clock_timestamp() AND resends < :resends_max
    RETURNING {_COLUMNS}
""")  # noqa: S608 - made of constants above
_UNRESEND = text("""
    UPDATE challenge SET resends = resends - 1 WHERE id = :id AND status = 'open' AND resends > 0
""")
_END = text(f"""
    UPDATE challenge SET status = :status, ended_at = clock_timestamp()
    WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'open' AND tries >= :tries_min
    RETURNING {_COLUMNS}
""")  # noqa: S608 - made of constants above
_EXPIRE = text(f"""
    WITH pick AS MATERIALIZED (
        SELECT id FROM challenge WHERE status = 'open' AND expires_at <= clock_timestamp()
        ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), ended AS (
        UPDATE challenge SET status = 'expired', ended_at = clock_timestamp()
        FROM pick WHERE challenge.id = pick.id
        RETURNING challenge.*
    )
    SELECT {_COLUMNS} FROM ended
""")  # noqa: S608 - made of constants above
_SENT = text("""
    UPDATE challenge SET channel = given.channel, target = given.target
    FROM unnest(CAST(:ids AS uuid[]), CAST(:channels AS text[]), CAST(:targets AS text[]))
        AS given(id, channel, target)
    WHERE challenge.id = given.id
""")
_LAPSE = text("""
    UPDATE challenge SET status = 'lapsed', ended_at = clock_timestamp()
    WHERE order_id = ANY(CAST(:orders AS uuid[])) AND status = 'open'
""")
_REOPEN = text("""
    UPDATE challenge SET status = 'open', ended_at = NULL, tries = 0, resends = 0,
        expires_at = clock_timestamp() + CAST(:life AS interval)
    WHERE order_id = ANY(CAST(:orders AS uuid[])) AND status = 'lapsed'
""")
_GET = text(f"""
    SELECT {_COLUMNS} FROM challenge WHERE merchant_id = :merchant_id AND id = :id
""")  # noqa: S608 - made of constants above


class ChallengeRepository:
    async def add(
        self, tx: Transaction, openings: Sequence[ChallengeOpening], life: timedelta
    ) -> None:
        await tx.execute(
            _INSERT,
            {
                "ids": [it.id for it in openings],
                "merchants": [it.merchant_id for it in openings],
                "orders": [it.order_id for it in openings],
                "references": [it.reference for it in openings],
                "reasons": [it.reason for it in openings],
                "life": life,
            },
        )

    async def count_try(
        self, tx: Transaction, merchant_id: UUID, challenge_id: UUID, tries_max: int
    ) -> int | None:
        """How many tries that makes; None when it may not be tried."""
        values = {"merchant_id": merchant_id, "id": challenge_id, "tries_max": tries_max}
        tries: int | None = (await tx.execute(_TRY, values)).scalar_one_or_none()
        return tries

    async def give_back_try(self, tx: Transaction, challenge_id: UUID) -> None:
        await tx.execute(_UNTRY, {"id": challenge_id})

    async def count_resend(
        self, tx: Transaction, merchant_id: UUID, challenge_id: UUID, resends_max: int
    ) -> Challenge | None:
        """The challenge; None when nothing may be sent (again) for it."""
        values = {"merchant_id": merchant_id, "id": challenge_id, "resends_max": resends_max}
        row = (await tx.execute(_RESEND, values)).one_or_none()
        return None if row is None else _to_domain(row)

    async def give_back_resend(self, tx: Transaction, challenge_id: UUID) -> None:
        await tx.execute(_UNRESEND, {"id": challenge_id})

    async def end(
        self,
        tx: Transaction,
        challenges: Sequence[UUID],
        status: ChallengeStatus,
        *,
        tries_min: int = 0,
    ) -> list[Challenge]:
        """Those of them that end now: were open, and tried so often."""
        values = {"ids": list(challenges), "status": status.value, "tries_min": tries_min}
        return [_to_domain(row) for row in await tx.execute(_END, values)]

    async def expire(self, tx: Transaction, limit: int) -> list[Challenge]:
        """Ends at most `limit` whose time is over."""
        return [_to_domain(row) for row in await tx.execute(_EXPIRE, {"limit": limit})]

    async def note_sent(self, tx: Transaction, sent: Sequence[tuple[UUID, str, str]]) -> None:
        """Challenge, channel, masked target of codes that are on their way."""
        last = {each[0]: each for each in sent}.values()
        await tx.execute(
            _SENT,
            {
                "ids": [each[0] for each in last],
                "channels": [each[1] for each in last],
                "targets": [each[2] for each in last],
            },
        )

    async def lapse(self, tx: Transaction, orders: Sequence[UUID]) -> None:
        """Ends what is open for these orders."""
        await tx.execute(_LAPSE, {"orders": list(orders)})

    async def reopen(self, tx: Transaction, orders: Sequence[UUID], life: timedelta) -> None:
        """Begins anew what lapsed for these orders."""
        await tx.execute(_REOPEN, {"orders": list(orders), "life": life})

    async def find(
        self, tx: Transaction, merchant_id: UUID, challenge_id: UUID
    ) -> Challenge | None:
        rows = await tx.execute(_GET, {"merchant_id": merchant_id, "id": challenge_id})
        row = rows.one_or_none()
        return None if row is None else _to_domain(row)


def _to_domain(row: Any) -> Challenge:  # a row has no static type
    return Challenge(
        row.id,
        row.merchant_id,
        row.order_id,
        row.reference,
        ChallengeStatus(row.status),
        row.reason,
        row.tries,
        row.resends,
        row.channel,
        row.target,
        row.opened_at,
        row.expires_at,
        row.ended_at,
    )
