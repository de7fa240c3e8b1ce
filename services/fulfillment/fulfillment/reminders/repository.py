"""SQL of reminders."""

from uuid import UUID

from sqlalchemy import text

from fulfillment.reminders.domain import DAYS_DEFAULT, ExpiringUnit, ReminderSetting
from kit.db import Transaction


async def put(tx: Transaction, setting: ReminderSetting) -> None:
    await tx.execute(_PUT, {"merchant_id": setting.merchant_id, "days": list(setting.days)})


async def find(tx: Transaction, merchant_id: UUID) -> ReminderSetting | None:
    row = (await tx.execute(_FIND, {"merchant_id": merchant_id})).one_or_none()
    return ReminderSetting(merchant_id, tuple(row.days)) if row else None


async def take_due(tx: Transaction, limit: int) -> list[ExpiringUnit]:
    """Units that are to be reminded of now, noted as reminded: of those who ask at once, each unit
    and step goes to one. One statement, whatever the number.
    """
    rows = await tx.execute(_TAKE_DUE, {"default": list(DAYS_DEFAULT), "limit": limit})
    return [ExpiringUnit(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public API


_PUT = text(
    """
    INSERT INTO reminder_setting (merchant_id, days)
    VALUES (:merchant_id, CAST(:days AS int[]))
    ON CONFLICT (merchant_id) DO UPDATE SET days = excluded.days
    """
)
_FIND = text("SELECT days FROM reminder_setting WHERE merchant_id = :merchant_id")

# Those who look at once skip each other's units; the key refuses what slips through between a look
# and a lock. The step is the smallest that has begun, of those that began after the delivery. Of a
# code that nobody redeems here, opened is used; a voucher is used once nothing of it is left.
_TAKE_DUE = text(
    """
    WITH span AS MATERIALIZED (
      SELECT clock_timestamp() AS now, clock_timestamp() + make_interval(days => greatest(
        (SELECT max(n) FROM reminder_setting, unnest(days) AS n),
        (SELECT max(n) FROM unnest(CAST(:default AS int[])) AS n))) AS until
    ), due AS MATERIALIZED (
      SELECT u.unit_id, d.order_id, d.merchant_id, u.delivery_id, d.line_id, d.sku, d.name,
        u.expires_at, step.days, u.opened_at IS NOT NULL OR u.views > 0 AS is_opened
      FROM span CROSS JOIN delivered_unit u JOIN delivery d ON d.id = u.delivery_id
      LEFT JOIN reminder_setting w ON w.merchant_id = d.merchant_id
      CROSS JOIN LATERAL (
        SELECT min(n) AS days FROM unnest(coalesce(w.days, CAST(:default AS int[]))) AS n
        WHERE u.expires_at <= span.now + make_interval(days => n)
          AND d.settled_at < u.expires_at - make_interval(days => n)) step
      WHERE u.expires_at > span.now AND u.expires_at <= span.until
        AND u.out_of_use_at IS NULL AND u.redeemed_at IS NULL
        AND (u.is_redeemable OR (u.opened_at IS NULL AND u.views = 0))
        AND step.days IS NOT NULL
        AND NOT EXISTS (SELECT FROM reminder m WHERE m.unit_id = u.unit_id AND m.days <= step.days)
      ORDER BY u.expires_at, u.unit_id LIMIT :limit
      FOR NO KEY UPDATE OF u SKIP LOCKED
    ), noted AS (
      INSERT INTO reminder (unit_id, days, merchant_id)
      SELECT unit_id, days, merchant_id FROM due ORDER BY unit_id
      ON CONFLICT (unit_id, days) DO NOTHING
      RETURNING unit_id, days
    )
    SELECT due.* FROM due JOIN noted USING (unit_id, days) ORDER BY due.order_id, due.unit_id
    """
)
