"""SQL of one-time codes: one statement each, so callers at the same time are counted exactly."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from fulfillment.one_time_codes.domain import CodeRules
from fulfillment.safe import Safe
from kit.db import Transaction


@dataclass(frozen=True, slots=True)
class Tried:
    is_right: bool
    tries: int


class OneTimeCodeRepository:
    """Codes are kept as keyed hashes made by `safe`."""

    def __init__(self, safe: Safe) -> None:
        self._safe = safe

    async def put(
        self,
        tx: Transaction,
        subject: str,
        code: str,
        rules: CodeRules,
        *,
        code_id: UUID,
        order_id: UUID,
    ) -> datetime | None:
        """The code counts from now on, until the moment answered; None when it is too soon."""
        rows = await tx.execute(
            _PUT,
            {
                "subject": subject,
                "id": code_id,
                "order_id": order_id,
                "code_hash": self._hash(subject, code),
                "life": rules.life,
                "again_after": rules.again_after,
                "sends_max": rules.sends_max,
                "window": rules.window,
            },
        )
        row = rows.one_or_none()
        return row.expires_at if row else None

    async def wait_of(self, tx: Transaction, subject: str, rules: CodeRules) -> timedelta:
        """How long until another may be sent."""
        rows = await tx.execute(
            _WAIT,
            {
                "subject": subject,
                "again_after": rules.again_after,
                "sends_max": rules.sends_max,
                "window": rules.window,
            },
        )
        wait: timedelta | None = rows.scalar_one_or_none()
        return wait or timedelta(seconds=1)

    async def try_code(
        self, tx: Transaction, subject: str, code: str, tries_max: int, *, repeats: bool
    ) -> Tried | None:
        """Counts the try; None when there is nothing (any more) to be tried. Right once only,
        unless it `repeats`.
        """
        values = {
            "repeats": repeats,
            "subject": subject,
            "code_hash": self._hash(subject, code),
            "tries_max": tries_max,
        }
        row = (await tx.execute(_TRY, values)).one_or_none()
        return Tried(row.is_right, row.tries) if row else None

    async def is_good(self, tx: Transaction, subject: str, tries_max: int) -> bool:
        """Whether there is a code that can (still) be shown."""
        rows = await tx.execute(_IS_GOOD, {"subject": subject, "tries_max": tries_max})
        return rows.one_or_none() is not None

    async def forget(self, tx: Transaction, window: timedelta, limit: int) -> int:
        """Deletes up to `limit` that are long over; answers how many."""
        rows = await tx.execute(_FORGET, {"window": window, "limit": limit})
        return int(rows.scalar_one())

    def _hash(self, subject: str, code: str) -> bytes:
        return self._safe.fingerprint(f"one-time-code:{subject}:{code}")


_PUT = text(
    """
    INSERT INTO one_time_code AS o (subject, id, order_id, code_hash, expires_at)
    VALUES (:subject, :id, :order_id, :code_hash, clock_timestamp() + CAST(:life AS interval))
    ON CONFLICT (subject) DO UPDATE SET
        id = EXCLUDED.id, order_id = EXCLUDED.order_id, code_hash = EXCLUDED.code_hash, tries = 0,
        sent_at = EXCLUDED.sent_at, expires_at = EXCLUDED.expires_at, used_at = NULL,
        sends = CASE WHEN o.window_from + CAST(:window AS interval) < clock_timestamp()
                     THEN 1 ELSE o.sends + 1 END,
        window_from = CASE WHEN o.window_from + CAST(:window AS interval) < clock_timestamp()
                           THEN clock_timestamp() ELSE o.window_from END
    WHERE o.sent_at + CAST(:again_after AS interval) < clock_timestamp()
      AND (o.sends < :sends_max
           OR o.window_from + CAST(:window AS interval) < clock_timestamp())
    RETURNING expires_at
    """
)
_WAIT = text(
    """
    SELECT greatest(
        sent_at + CAST(:again_after AS interval),
        CASE WHEN sends < :sends_max THEN sent_at ELSE window_from + CAST(:window AS interval) END
    ) - clock_timestamp()
    FROM one_time_code WHERE subject = :subject
    """
)
_TRY = text(
    """
    UPDATE one_time_code SET tries = tries + 1,
        used_at = CASE WHEN code_hash = :code_hash THEN clock_timestamp() END
    WHERE subject = :subject AND expires_at > clock_timestamp() AND tries < :tries_max
      AND (used_at IS NULL OR (:repeats AND code_hash = :code_hash))
    RETURNING code_hash = :code_hash AS is_right, tries
    """
)
_IS_GOOD = text(
    """
    SELECT subject FROM one_time_code WHERE subject = :subject AND used_at IS NULL
      AND expires_at > clock_timestamp() AND tries < :tries_max
    """
)
_FORGET = text(
    """
    WITH old AS (
        SELECT subject FROM one_time_code
        WHERE expires_at < clock_timestamp() - CAST(:window AS interval)
        ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM one_time_code o USING old WHERE o.subject = old.subject RETURNING o.subject
    )
    SELECT count(*) FROM gone
    """
)
