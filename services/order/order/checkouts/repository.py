from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from kit.db import Transaction
from kit.money import Money
from order.checkouts.domain import Checkout, CheckoutState, Due

_INSERT = text(
    "INSERT INTO payment_checkout (id, order_id, merchant_id, account_id, provider, method, "
    "return_url, payer, amount_minor, currency, state, expires_at, next_at) VALUES (:id, "
    ":order_id, :merchant_id, :account_id, :provider, :method, :return_url, :payer, "
    ":amount_minor, :currency, 'opening', :expires_at, "
    "clock_timestamp() + make_interval(secs => :ask_seconds)) "
    "ON CONFLICT (order_id, account_id, method) WHERE state IN ('opening', 'open') DO NOTHING "
    "RETURNING *"
)
_FIND_LIVE = text(
    "SELECT * FROM payment_checkout WHERE order_id = :order_id AND account_id = :account_id "
    "AND method = :method AND state IN ('opening', 'open')"
)
_COUNT = text("SELECT count(*) FROM payment_checkout WHERE order_id = :order_id")
_FIND = text("SELECT * FROM payment_checkout WHERE id = :id")
_FIND_OF_PAYMENT = text(
    "SELECT * FROM payment_checkout WHERE order_id = :order_id AND provider = :provider "
    "AND provider_reference = :provider_reference ORDER BY id LIMIT 1"
)
_OPENED = text(
    "UPDATE payment_checkout SET state = 'open', session = :session, "
    "handover = CAST(:handover AS jsonb), updated_at = clock_timestamp() "
    "WHERE id = :id AND state IN ('opening', 'open') RETURNING *"
)
_ENDED = text(
    "UPDATE payment_checkout SET state = :state, last_error = :why, updated_at = clock_timestamp() "
    "WHERE id = :id AND state IN ('opening', 'open', 'manual')"
)
_REVIVE = text(
    "UPDATE payment_checkout SET state = 'open', asked = 0, next_at = clock_timestamp(), "
    "updated_at = clock_timestamp() WHERE id = :id AND state = 'manual'"
)
_PAID = text(
    "UPDATE payment_checkout SET state = 'paid', provider_reference = :provider_reference, "
    "last_error = NULL, updated_at = clock_timestamp() WHERE id = :id AND state <> 'paid'"
)
# Taking is leasing: who dies with one in hand leaves it to be asked for again. MATERIALIZED: the
# planner must not run the locking part twice and take more than :limit.
_TAKE_DUE = text(
    "WITH due AS MATERIALIZED (SELECT id FROM payment_checkout "
    "WHERE state IN ('opening', 'open') AND next_at <= clock_timestamp() "
    "ORDER BY next_at LIMIT :limit FOR UPDATE SKIP LOCKED) "
    "UPDATE payment_checkout c SET asked = c.asked + 1, "
    "next_at = clock_timestamp() + make_interval(secs => :lease_seconds) "
    "FROM due WHERE c.id = due.id RETURNING c.*, clock_timestamp() AS taken_at"
)
_LATER = text(
    "UPDATE payment_checkout SET next_at = clock_timestamp() + make_interval(secs => :seconds), "
    "last_error = :why WHERE id = :id AND state IN ('opening', 'open')"
)
_NOW = text("SELECT clock_timestamp()")


async def now(tx: Transaction) -> datetime:
    """The database's time."""
    found: datetime = (await tx.execute(_NOW)).scalar_one()
    return found


async def add_or_find(
    tx: Transaction, checkout: Checkout, *, ask_seconds: float
) -> Checkout | None:
    """The live checkout of this order, account and method: this one, or the one there is; None
    when that one ended in between.
    """
    values = {
        "id": checkout.id,
        "order_id": checkout.order_id,
        "merchant_id": checkout.merchant_id,
        "account_id": checkout.account_id,
        "provider": checkout.provider,
        "method": checkout.method,
        "return_url": checkout.return_url,
        "payer": checkout.payer,
        "amount_minor": checkout.amount.amount_minor,
        "currency": checkout.amount.currency,
        "expires_at": checkout.expires_at,
        "ask_seconds": ask_seconds,
    }
    row = (await tx.execute(_INSERT, values)).one_or_none()
    if row is None:
        named = {name: values[name] for name in ("order_id", "account_id", "method")}
        row = (await tx.execute(_FIND_LIVE, named)).one_or_none()
    return _checkout(row) if row else None


async def count_of_order(tx: Transaction, order_id: UUID) -> int:
    return int((await tx.execute(_COUNT, {"order_id": order_id})).scalar_one())


async def find(tx: Transaction, checkout_id: UUID) -> Checkout | None:
    row = (await tx.execute(_FIND, {"id": checkout_id})).one_or_none()
    return _checkout(row) if row else None


async def find_of_payment(
    tx: Transaction, order_id: UUID, provider: str, provider_reference: str
) -> Checkout | None:
    values = {
        "order_id": order_id,
        "provider": provider,
        "provider_reference": provider_reference,
    }
    row = (await tx.execute(_FIND_OF_PAYMENT, values)).one_or_none()
    return _checkout(row) if row else None


async def opened(
    tx: Transaction, checkout_id: UUID, session: str, handover: Mapping[str, object]
) -> Checkout | None:
    """None when it has ended meanwhile."""
    values = {
        "id": checkout_id,
        "session": session,
        "handover": orjson.dumps(dict(handover)).decode(),
    }
    row = (await tx.execute(_OPENED, values)).one_or_none()
    return _checkout(row) if row else None


async def ended(tx: Transaction, checkout_id: UUID, state: CheckoutState, why: str | None) -> None:
    """A live one ends, and one that waits for somebody; what has ended stays as it is."""
    await tx.execute(_ENDED, {"id": checkout_id, "state": state.value, "why": why})


async def revive(tx: Transaction, checkout_id: UUID) -> None:
    """Of one that waits for somebody the provider is asked again, from now on."""
    await tx.execute(_REVIVE, {"id": checkout_id})


async def paid(tx: Transaction, checkout_id: UUID, provider_reference: str) -> None:
    """Also one that had ended otherwise: money came all the same."""
    await tx.execute(_PAID, {"id": checkout_id, "provider_reference": provider_reference})


async def take_due(tx: Transaction, *, limit: int, lease_seconds: float) -> Sequence[Due]:
    rows = await tx.execute(_TAKE_DUE, {"limit": limit, "lease_seconds": lease_seconds})
    return [Due(_checkout(row), row.taken_at) for row in rows]


async def later(tx: Transaction, checkout_id: UUID, seconds: float, why: str | None) -> None:
    await tx.execute(_LATER, {"id": checkout_id, "seconds": seconds, "why": why})


def _checkout(row: Any) -> Checkout:  # a row has no static type
    return Checkout(
        id=row.id,
        order_id=row.order_id,
        merchant_id=row.merchant_id,
        account_id=row.account_id,
        provider=row.provider,
        method=row.method,
        return_url=row.return_url,
        payer=row.payer,
        amount=Money(row.amount_minor, row.currency),
        state=CheckoutState(row.state),
        expires_at=row.expires_at,
        session=row.session,
        handover=row.handover,
        asked=row.asked,
    )
