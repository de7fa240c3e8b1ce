"""Builds and extends the roll-ups of keys, set-based. Statements that build them have one part per
kind of key that is meant; their texts are as many as the sets of kinds in use, which is a handful.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from kit.db import Transaction
from risk.counts import KeyKind
from risk.windows.domain import Entry, Sighting, VelocityKey

_ADD_BUCKETS = text("""
    INSERT INTO velocity_bucket AS held (key, level, start_at, currency, merchant_id, purchases,
        quantity, amount_minor, unpaid, failed, refunded)
    SELECT key, level, start_at, currency, merchant_id, sum(purchases), sum(quantity),
        sum(amount_minor), sum(unpaid), sum(failed), sum(refunded)
    FROM unnest(CAST(:keys AS uuid[]), CAST(:merchants AS uuid[]), CAST(:ats AS timestamptz[]),
            CAST(:currencies AS text[]), CAST(:purchases AS int[]), CAST(:quantities AS bigint[]),
            CAST(:amounts AS bigint[]), CAST(:unpaid AS int[]), CAST(:failed AS int[]),
            CAST(:refunded AS int[]))
        AS given(key, merchant_id, at, currency, purchases, quantity, amount_minor, unpaid, failed,
            refunded)
    CROSS JOIN (VALUES ('m', interval '60 s'), ('h', interval '3600 s'), ('d', interval '86400 s'))
        AS lengths(level, length)
    CROSS JOIN LATERAL (SELECT date_bin(length, at, 'epoch'::timestamptz)) AS bucket(start_at)
    GROUP BY key, level, start_at, currency, merchant_id ORDER BY key, level, start_at, currency
    ON CONFLICT (key, level, start_at, currency) DO UPDATE SET
        purchases = held.purchases + excluded.purchases,
        quantity = held.quantity + excluded.quantity,
        amount_minor = held.amount_minor + excluded.amount_minor,
        unpaid = held.unpaid + excluded.unpaid,
        failed = held.failed + excluded.failed,
        refunded = held.refunded + excluded.refunded
""")
_ADD_PAIRS = text("""
    INSERT INTO velocity_pair AS held (key, kind, value, merchant_id, first_at, last_at)
    SELECT key, kind, value, merchant_id, min(at), max(at)
    FROM unnest(CAST(:keys AS uuid[]), CAST(:kinds AS text[]), CAST(:values AS uuid[]),
        CAST(:merchants AS uuid[]), CAST(:ats AS timestamptz[]))
        AS given(key, kind, value, merchant_id, at)
    GROUP BY key, kind, value, merchant_id ORDER BY key, kind, value
    ON CONFLICT (key, kind, value) DO UPDATE SET
        first_at = least(held.first_at, excluded.first_at),
        last_at = greatest(held.last_at, excluded.last_at)
""")
_DROP_BUCKETS = text("""
    DELETE FROM velocity_bucket USING (
        SELECT key, level, start_at, currency FROM velocity_bucket
        WHERE start_at < clock_timestamp() - CAST(:kept AS interval) - interval '1 day'
        ORDER BY start_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ) AS old
    WHERE velocity_bucket.key = old.key AND velocity_bucket.level = old.level
        AND velocity_bucket.start_at = old.start_at AND velocity_bucket.currency = old.currency
""")
_DROP_PAIRS = text("""
    DELETE FROM velocity_pair
    WHERE key = ANY(CAST(:keys AS uuid[]))
        AND last_at < clock_timestamp() - CAST(:kept AS interval)
""")
DROPPED_MAX = 5_000  # buckets in one transaction


class RollupRepository:
    async def roll(self, tx: Transaction, keys: Collection[VelocityKey]) -> None:
        """Builds the buckets of keys that were counted one by one so far."""
        by_kind = _by_kind(keys)
        await tx.execute(_rolling(tuple(by_kind)), _keys_of(by_kind))

    async def pair(
        self, tx: Transaction, wanted: Mapping[VelocityKey, Collection[KeyKind]]
    ) -> None:
        """Builds the pairs of keys with values of these kinds."""
        pairs: dict[tuple[KeyKind, KeyKind], list[UUID]] = defaultdict(list)
        for key, kinds in wanted.items():
            for of in kinds:
                pairs[key.kind, of].append(key.digest)
        if pairs:
            parameters = {f"{kind}_{of}_keys": keys for (kind, of), keys in pairs.items()}
            await tx.execute(_pairing(tuple(sorted(pairs))), parameters)

    def add_entries(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        """Adds to the buckets of rolled keys."""
        figures = [it.figures for it in entries]
        tx.later(
            _ADD_BUCKETS,
            {
                "keys": [it.key.digest for it in entries],
                "merchants": [it.merchant_id for it in entries],
                "ats": [it.at for it in entries],
                "currencies": [it.currency for it in entries],
                "purchases": [it.purchases for it in figures],
                "quantities": [it.quantity for it in figures],
                "amounts": [it.amount_minor for it in figures],
                "unpaid": [it.unpaid for it in figures],
                "failed": [it.failed for it in figures],
                "refunded": [it.refunded for it in figures],
            },
        )

    def add_sightings(self, tx: Transaction, sightings: Sequence[Sighting]) -> None:
        """Adds to the pairs of rolled keys."""
        tx.later(
            _ADD_PAIRS,
            {
                "keys": [it.key.digest for it in sightings],
                "kinds": [it.of.value for it in sightings],
                "values": [it.value for it in sightings],
                "merchants": [it.merchant_id for it in sightings],
                "ats": [it.at for it in sightings],
            },
        )

    async def drop_old(self, tx: Transaction, kept: timedelta, keys: Collection[UUID]) -> None:
        """Buckets that ended so long ago, and pairs of these keys seen last so long ago."""
        await tx.execute(_DROP_BUCKETS, {"kept": kept, "limit": DROPPED_MAX})
        if keys:
            await tx.execute(_DROP_PAIRS, {"kept": kept, "keys": list(keys)})


def _by_kind(keys: Iterable[VelocityKey]) -> dict[KeyKind, list[UUID]]:
    by_kind: dict[KeyKind, list[UUID]] = defaultdict(list)
    for key in sorted(keys, key=lambda it: (it.kind, it.digest)):
        by_kind[key.kind].append(key.digest)
    return by_kind


def _keys_of(by_kind: Mapping[KeyKind, list[UUID]]) -> dict[str, Any]:
    return {f"{kind}_keys": digests for kind, digests in by_kind.items()}


_LENGTHS = """
    (VALUES ('m', interval '60 s'), ('h', interval '3600 s'), ('d', interval '86400 s'))
        AS lengths(level, length)
"""


def _past(kind: KeyKind) -> tuple[str, str]:
    """Purchases of the key `given.key`, as `it`; and whose columns say what counts for the key."""
    if kind is KeyKind.PRODUCT:
        source = """purchase_product AS share JOIN purchase AS it ON it.id = share.purchase_id
            WHERE share.key = given.key"""
        return source, "share"
    return f"purchase AS it WHERE it.{kind}_key = given.key", "it"


@lru_cache
def _rolling(kinds: tuple[KeyKind, ...]) -> TextClause:
    parts = []
    for kind in kinds:
        source, share = _past(kind)
        parts.append(f"""
            SELECT given.key, it.merchant_id, it.at, it.currency, {share}.quantity,
                {share}.amount_minor, it.unpaid, it.failed, it.refunded
            FROM unnest(CAST(:{kind}_keys AS uuid[])) AS given(key), {source}
        """)  # noqa: S608 - made of the kinds of keys
    # What an earlier life of the key left behind is replaced. By minutes first: a hot key has many
    # purchases in each, and they are looked at while its batch waits.
    return text(f"""
        WITH minutes AS MATERIALIZED (
            SELECT key, date_bin(interval '60 s', at, 'epoch'::timestamptz) AS start_at, currency,
                merchant_id, count(*) AS purchases, sum(quantity) AS quantity,
                sum(amount_minor) AS amount_minor, sum(unpaid) AS unpaid, sum(failed) AS failed,
                sum(refunded) AS refunded
            FROM ({" UNION ALL ".join(parts)}) AS past
            GROUP BY key, 2, currency, merchant_id
        )
        INSERT INTO velocity_bucket (key, level, start_at, currency, merchant_id, purchases,
            quantity, amount_minor, unpaid, failed, refunded)
        SELECT key, level, bucket.start_at, currency, merchant_id, sum(purchases), sum(quantity),
            sum(amount_minor), sum(unpaid), sum(failed), sum(refunded)
        FROM minutes CROSS JOIN {_LENGTHS}
        CROSS JOIN LATERAL (SELECT date_bin(length, minutes.start_at, 'epoch'::timestamptz))
            AS bucket(start_at)
        GROUP BY key, level, bucket.start_at, currency, merchant_id
        ON CONFLICT (key, level, start_at, currency) DO UPDATE SET
            purchases = excluded.purchases, quantity = excluded.quantity,
            amount_minor = excluded.amount_minor, unpaid = excluded.unpaid,
            failed = excluded.failed, refunded = excluded.refunded
    """)  # noqa: S608 - made of the kinds of keys


@lru_cache
def _pairing(pairs: tuple[tuple[KeyKind, KeyKind], ...]) -> TextClause:
    parts = []
    for kind, of in pairs:
        source, _ = _past(kind)
        values = "it.product_keys" if of is KeyKind.PRODUCT else f"ARRAY[it.{of}_key]"
        parts.append(f"""
            SELECT given.key, '{of}' AS kind, seen.value, it.merchant_id, it.at
            FROM unnest(CAST(:{kind}_{of}_keys AS uuid[])) AS given(key)
            CROSS JOIN LATERAL (SELECT it.* FROM {source}) AS it
            CROSS JOIN LATERAL unnest({values}) AS seen(value)
            WHERE seen.value IS NOT NULL
        """)  # noqa: S608 - made of the kinds of keys
    return text(f"""
        INSERT INTO velocity_pair (key, kind, value, merchant_id, first_at, last_at)
        SELECT key, kind, value, merchant_id, min(at), max(at)
        FROM ({" UNION ALL ".join(parts)}) AS past
        GROUP BY key, kind, value, merchant_id
        ON CONFLICT (key, kind, value) DO UPDATE SET
            first_at = excluded.first_at, last_at = excluded.last_at
    """)  # noqa: S608 - made of the kinds of keys
