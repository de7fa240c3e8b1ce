from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from ledger.accounts.domain import PREPAID_PREFIX
from ledger.prepaid.domain import Hold, HoldState, Partner

_HOLD = """
    id, merchant_id, partner, currency, channel_id, order_id, reference, amount_minor,
    captured_minor, state, created_at, expires_at, ended_at
"""
_PUT = text("""
    INSERT INTO prepaid_partner (merchant_id, partner, currency, credit_limit_minor)
    VALUES (:merchant_id, :partner, :currency, :credit_limit)
    ON CONFLICT (merchant_id, partner, currency) DO UPDATE SET
        credit_limit_minor = excluded.credit_limit_minor, updated_at = clock_timestamp()
""")
# A statement of its own after the lock: it sees what those before us have posted.
_LOCK = text("""
    SELECT clock_timestamp() AS now FROM prepaid_partner
    WHERE merchant_id = :merchant_id AND partner = :partner AND currency = :currency
    FOR UPDATE
""")
_SELECT = f"""
    SELECT partner.merchant_id, partner.partner, partner.currency, partner.credit_limit_minor,
        partner.held_minor,
        coalesce(balance.credit_minor - balance.debit_minor, 0) AS balance_minor
    FROM prepaid_partner AS partner
    LEFT JOIN account ON account.merchant_id = partner.merchant_id
        AND account.code = '{PREPAID_PREFIX}' || partner.partner
        AND account.currency = partner.currency
    LEFT JOIN account_balance AS balance ON balance.account_id = account.id
"""  # noqa: S608 - made of constants
_GET = text(f"""
    {_SELECT}
    WHERE partner.merchant_id = :merchant_id AND partner.partner = :partner
        AND partner.currency = :currency
""")
_LIST = text(f"""
    {_SELECT}
    WHERE partner.merchant_id = :merchant_id AND (partner.partner, partner.currency)
        > (CAST(:after_partner AS text), CAST(:after_currency AS text))
    ORDER BY partner.partner, partner.currency LIMIT :limit
""")
_KEEP = text("""
    UPDATE prepaid_partner SET held_minor = held_minor + :held, updated_at = clock_timestamp()
    WHERE merchant_id = :merchant_id AND partner = :partner AND currency = :currency
""")
_ADD_HOLD = text(f"""
    INSERT INTO prepaid_hold (id, merchant_id, partner, currency, channel_id, order_id, reference,
        amount_minor, state, expires_at)
    VALUES (:id, :merchant_id, :partner, :currency, :channel_id, :order_id, :reference,
        :amount_minor, :state, :expires_at)
    ON CONFLICT (merchant_id, partner, reference) DO NOTHING
    RETURNING {_HOLD}
""")  # noqa: S608 - made of constants above
_BY_REFERENCE = text(f"""
    SELECT {_HOLD} FROM prepaid_hold
    WHERE merchant_id = :merchant_id AND partner = :partner AND reference = :reference
""")  # noqa: S608 - as above
_GET_HOLD = text(f"""
    SELECT {_HOLD} FROM prepaid_hold WHERE merchant_id = :merchant_id AND partner = :partner
        AND id = :id
""")  # noqa: S608 - as above
_END_HOLD = text(f"""
    UPDATE prepaid_hold SET state = :state, captured_minor = :captured_minor,
        ended_at = clock_timestamp()
    WHERE id = :id RETURNING {_HOLD}
""")  # noqa: S608 - as above

_TOO_OLD = text("""
    SELECT id FROM prepaid_hold WHERE state = 'held' AND expires_at <= clock_timestamp()
    ORDER BY expires_at, id LIMIT :limit
""")
# Partners first and in one order, as everybody else who ends a hold.
_LOCK_PARTNERS = text("""
    SELECT FROM prepaid_partner WHERE (merchant_id, partner, currency) IN (
        SELECT merchant_id, partner, currency FROM prepaid_hold
        WHERE id = ANY(CAST(:ids AS uuid[])))
    ORDER BY merchant_id, partner, currency FOR UPDATE
""")
_EXPIRE = text("""
    WITH ended AS (
        UPDATE prepaid_hold SET state = 'expired', ended_at = clock_timestamp()
        WHERE id = ANY(CAST(:ids AS uuid[])) AND state = 'held'
        RETURNING merchant_id, partner, currency, amount_minor
    )
    UPDATE prepaid_partner AS known SET held_minor = known.held_minor - freed.amount_minor,
        updated_at = clock_timestamp()
    FROM (SELECT merchant_id, partner, currency, sum(amount_minor) AS amount_minor FROM ended
          GROUP BY 1, 2, 3) AS freed
    WHERE known.merchant_id = freed.merchant_id AND known.partner = freed.partner
        AND known.currency = freed.currency
""")


class PrepaidRepository:
    async def put(
        self, tx: Transaction, merchant_id: UUID, partner: str, currency: str, limit_minor: int
    ) -> None:
        values = {**_key(merchant_id, partner, currency), "credit_limit": limit_minor}
        await tx.execute(_PUT, values)

    async def lock(
        self, tx: Transaction, merchant_id: UUID, partner: str, currency: str
    ) -> tuple[Partner, datetime] | None:
        """The partner, whose money nobody else touches until `tx` ends, and the time."""
        values = _key(merchant_id, partner, currency)
        now = (await tx.execute(_LOCK, values)).scalar_one_or_none()
        if now is None:
            return None
        return _to_partner((await tx.execute(_GET, values)).one()), now

    async def find(
        self, tx: Transaction, merchant_id: UUID, partner: str, currency: str
    ) -> Partner | None:
        row = (await tx.execute(_GET, _key(merchant_id, partner, currency))).one_or_none()
        return None if row is None else _to_partner(row)

    async def list_partners(
        self, tx: Transaction, merchant_id: UUID, *, after: tuple[str, str], limit: int
    ) -> list[Partner]:
        values = {
            "merchant_id": merchant_id,
            "after_partner": after[0],
            "after_currency": after[1],
            "limit": limit,
        }
        return [_to_partner(row) for row in await tx.execute(_LIST, values)]

    async def keep(self, tx: Transaction, partner: Partner, held_minor: int) -> None:
        """So much more is held; less when negative."""
        values = _key(partner.merchant_id, partner.code, partner.currency)
        await tx.execute(_KEEP, {**values, "held": held_minor})

    async def add_hold(self, tx: Transaction, hold: Hold) -> Hold | None:
        """None when another one, of another currency, has its reference."""
        values = {
            **_key(hold.merchant_id, hold.partner, hold.currency),
            "id": hold.id,
            "channel_id": hold.channel_id,
            "order_id": hold.order_id,
            "reference": hold.reference,
            "amount_minor": hold.amount_minor,
            "state": hold.state.value,
            "expires_at": hold.expires_at,
        }
        row = (await tx.execute(_ADD_HOLD, values)).one_or_none()
        return None if row is None else _to_hold(row)

    async def find_by_reference(
        self, tx: Transaction, merchant_id: UUID, partner: str, reference: str
    ) -> Hold | None:
        values = {"merchant_id": merchant_id, "partner": partner, "reference": reference}
        row = (await tx.execute(_BY_REFERENCE, values)).one_or_none()
        return None if row is None else _to_hold(row)

    async def find_hold(
        self, tx: Transaction, merchant_id: UUID, partner: str, hold_id: UUID
    ) -> Hold | None:
        values = {"merchant_id": merchant_id, "partner": partner, "id": hold_id}
        row = (await tx.execute(_GET_HOLD, values)).one_or_none()
        return None if row is None else _to_hold(row)

    async def end_hold(self, tx: Transaction, hold: Hold) -> Hold:
        values = {
            "id": hold.id,
            "state": hold.state.value,
            "captured_minor": hold.captured_minor,
        }
        return _to_hold((await tx.execute(_END_HOLD, values)).one())

    async def expire(self, tx: Transaction, limit: int) -> int:
        """Ends holds that are too old, oldest first; how many were found."""
        ids = list((await tx.execute(_TOO_OLD, {"limit": limit})).scalars())
        if ids:
            await tx.execute(_LOCK_PARTNERS, {"ids": ids})
            await tx.execute(_EXPIRE, {"ids": ids})
        return len(ids)


def _key(merchant_id: UUID, partner: str, currency: str) -> dict[str, Any]:
    return {"merchant_id": merchant_id, "partner": partner, "currency": currency}


def _to_partner(row: Any) -> Partner:
    return Partner(
        merchant_id=row.merchant_id,
        code=row.partner,
        currency=row.currency,
        credit_limit_minor=row.credit_limit_minor,
        held_minor=row.held_minor,
        balance_minor=int(row.balance_minor),
    )


def _to_hold(row: Any) -> Hold:
    return Hold(
        id=row.id,
        merchant_id=row.merchant_id,
        partner=row.partner,
        currency=row.currency,
        channel_id=row.channel_id,
        order_id=row.order_id,
        reference=row.reference,
        amount_minor=row.amount_minor,
        captured_minor=row.captured_minor,
        state=HoldState(row.state),
        created_at=row.created_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
    )
