"""Set-based: a constant number of statements for a batch of purchases."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from risk.velocity.domain import COUNT_MAX, WINDOWS, KeyKind, Purchase, VelocityKey

_INSERT_PURCHASES = text("""
    INSERT INTO purchase (id, merchant_id, source, at, channel_id, reference, customer_id, ip,
        device_id, contact_hash, registered_at, amount_minor, currency, skus, quantities)
    SELECT id, merchant_id, source, at, channel_id, reference, customer_id, ip, device_id,
        contact_hash, registered_at, amount_minor, currency,
        ARRAY(SELECT jsonb_array_elements_text(lines::jsonb -> 0)),
        ARRAY(SELECT jsonb_array_elements_text(lines::jsonb -> 1)::int)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]), CAST(:sources AS text[]),
        CAST(:ats AS timestamptz[]), CAST(:channels AS text[]), CAST(:references AS text[]),
        CAST(:customers AS text[]), CAST(:ips AS text[]), CAST(:devices AS text[]),
        CAST(:contacts AS text[]), CAST(:registered AS timestamptz[]), CAST(:amounts AS bigint[]),
        CAST(:currencies AS text[]), CAST(:lines AS text[]))
        AS given(id, merchant_id, source, at, channel_id, reference, customer_id, ip, device_id,
            contact_hash, registered_at, amount_minor, currency, lines)
    ORDER BY id
    ON CONFLICT (id) DO NOTHING
    RETURNING id
""")

# Locks the keys in one order, so that batches wait for each other and never deadlock.
_LOCK_KEYS = text("""
    INSERT INTO velocity_key (key, merchant_id, kind, purchases_total)
    SELECT key, merchant_id, kind, purchases
    FROM unnest(CAST(:keys AS uuid[]), CAST(:merchants AS uuid[]), CAST(:kinds AS text[]),
        CAST(:purchases AS bigint[])) AS given(key, merchant_id, kind, purchases)
    ORDER BY key
    ON CONFLICT (key) DO UPDATE
        SET purchases_total = velocity_key.purchases_total + excluded.purchases_total
    RETURNING key, purchases_total
""")

_INSERT_EVENTS = text("""
    INSERT INTO velocity_event (purchase_id, kind, merchant_id, key, at)
    SELECT purchase_id, kind, merchant_id, key, at
    FROM unnest(CAST(:purchases AS uuid[]), CAST(:kinds AS text[]), CAST(:merchants AS uuid[]),
        CAST(:keys AS uuid[]), CAST(:ats AS timestamptz[]))
        WITH ORDINALITY AS given(purchase_id, kind, merchant_id, key, at, position)
    ORDER BY position
    RETURNING purchase_id, kind, seq
""")


def _window_count(window: str, length: timedelta) -> str:
    """One index range, cut at COUNT_MAX, whatever the key's past."""
    interval = f"interval '{length.total_seconds():.0f} seconds'"
    return f"""
        (SELECT count(*) FROM (
            SELECT FROM velocity_event AS event
            WHERE event.key = given.key AND event.seq <= given.seq
                AND event.at > given.at - {interval} AND event.at < given.at + {interval}
            LIMIT :count_max
        ) AS near) AS "{window}"
    """  # noqa: S608 - made of the windows of the domain


_COUNT = text(f"""
    SELECT given.position, {", ".join(_window_count(*window) for window in WINDOWS.items())}
    FROM unnest(CAST(:keys AS uuid[]), CAST(:ats AS timestamptz[]), CAST(:seqs AS bigint[]))
        WITH ORDINALITY AS given(key, at, seq, position)
""")  # noqa: S608 - as above

_TOTALS = text("""
    SELECT key, purchases_total FROM velocity_key WHERE key = ANY(CAST(:keys AS uuid[]))
""")

_SEQ_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Counted:
    """A key as of one purchase: purchases per window, in the order of WINDOWS."""

    purchase: Purchase
    key: VelocityKey
    seq: int = _SEQ_MAX


class VelocityRepository:
    async def add_purchases(self, tx: Transaction, purchases: Sequence[Purchase]) -> set[UUID]:
        """The ids that were not known before."""
        rows = await tx.execute(
            _INSERT_PURCHASES,
            {
                "ids": [it.id for it in purchases],
                "merchants": [it.merchant_id for it in purchases],
                "sources": [it.source.value for it in purchases],
                "ats": [it.at for it in purchases],
                "channels": [it.channel_id for it in purchases],
                "references": [it.reference for it in purchases],
                "customers": [it.customer_id for it in purchases],
                "ips": [it.ip for it in purchases],
                "devices": [it.device_id for it in purchases],
                "contacts": [it.contact_hash for it in purchases],
                "registered": [it.registered_at for it in purchases],
                "amounts": [it.amount_minor for it in purchases],
                "currencies": [it.currency for it in purchases],
                "lines": [_lines(it) for it in purchases],
            },
        )
        return set(rows.scalars())

    async def lock_keys(
        self, tx: Transaction, purchases: Sequence[Purchase]
    ) -> dict[VelocityKey, int]:
        """Locks each key until commit and adds the purchases to its total, which is answered."""
        added = Counter((key, it.merchant_id) for it in purchases for key in it.velocity_keys())
        if not added:
            return {}
        rows = await tx.execute(
            _LOCK_KEYS,
            {
                "keys": [key.digest for key, _ in added],
                "merchants": [merchant_id for _, merchant_id in added],
                "kinds": [key.kind.value for key, _ in added],
                "purchases": list(added.values()),
            },
        )
        totals = {row.key: row.purchases_total for row in rows}
        return {key: totals[key.digest] for key, _ in added}

    async def add_events(self, tx: Transaction, purchases: Sequence[Purchase]) -> list[Counted]:
        """Records each purchase under each of its keys, in the order given."""
        pairs = [(it, key) for it in purchases for key in it.velocity_keys()]
        if not pairs:
            return []
        rows = await tx.execute(
            _INSERT_EVENTS,
            {
                "purchases": [it.id for it, _ in pairs],
                "kinds": [key.kind.value for _, key in pairs],
                "merchants": [it.merchant_id for it, _ in pairs],
                "keys": [key.digest for _, key in pairs],
                "ats": [it.at for it, _ in pairs],
            },
        )
        seqs = {(row.purchase_id, row.kind): row.seq for row in rows}
        return [Counted(it, key, seqs[it.id, key.kind.value]) for it, key in pairs]

    async def count(
        self, tx: Transaction, counted: Sequence[Counted]
    ) -> dict[tuple[UUID, KeyKind, str], int]:
        """(purchase, kind, window) -> purchases recorded up to it, less than the window away."""
        if not counted:
            return {}
        rows = await tx.execute(
            _COUNT,
            {
                "keys": [it.key.digest for it in counted],
                "ats": [it.purchase.at for it in counted],
                "seqs": [it.seq for it in counted],
                "count_max": COUNT_MAX,
            },
        )
        counts: dict[tuple[UUID, KeyKind, str], int] = {}
        for row in rows.mappings():
            it = counted[row["position"] - 1]
            for window in WINDOWS:
                counts[it.purchase.id, it.key.kind, window] = row[window]
        return counts

    async def find_totals(
        self, tx: Transaction, keys: Sequence[VelocityKey]
    ) -> dict[VelocityKey, int]:
        """Purchases ever recorded per key."""
        rows = await tx.execute(_TOTALS, {"keys": [key.digest for key in keys]})
        totals = {row.key: row.purchases_total for row in rows}
        return {key: totals.get(key.digest, 0) for key in keys}


def _lines(purchase: Purchase) -> str:
    """Arrays of arrays must be rectangular in PostgreSQL, lines are not: they travel as JSON."""
    skus = [line.sku for line in purchase.lines]
    quantities = [line.quantity for line in purchase.lines]
    return json.dumps([skus, quantities])
