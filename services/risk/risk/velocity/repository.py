"""Set-based: a constant number of statements for a batch of purchases."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from kit.errors import Unavailable
from kit.statements import Answer, ForRows, Read
from risk.counts import KeyKind
from risk.pasts import Figures, microseconds
from risk.velocity.domain import Purchase, SettledPurchase
from risk.velocity.tables import SINGLE_KEYS
from risk.watches.domain import ALWAYS_COUNTED
from risk.windows.domain import ROLLED_FROM, UNKNOWN_KEY, KeyState, Outcome, VelocityKey

_SINGLE_KINDS = [KeyKind(kind) for kind in SINGLE_KEYS]
_KEY_COLUMNS = ", ".join(f"{kind}_key" for kind in SINGLE_KEYS)
_PURCHASE = {
    "id": "uuid",
    "merchant_id": "uuid",
    "source": "text",
    "at": "timestamptz",
    "channel_id": "text",
    "reference": "text",
    "customer_id": "text",
    "ip": "text",
    "device_id": "text",
    "contact_hash": "text",
    "payer_hash": "text",
    "registered_at": "timestamptz",
    "amount_minor": "bigint",
    "currency": "text",
    "quantity": "int",
    **{f"{kind}_key": "uuid" for kind in SINGLE_KEYS},
}
# Arrays of arrays must be rectangular in PostgreSQL, products and lines are not: they travel as
# text. In the order given: it is that of the recording.
_INSERT_PURCHASES = ForRows(
    f"""
    INSERT INTO purchase ({", ".join(_PURCHASE)}, product_keys, skus, quantities)
    SELECT {", ".join(_PURCHASE)}, CAST(product_keys AS uuid[]),
        ARRAY(SELECT jsonb_array_elements_text(lines::jsonb -> 0)),
        ARRAY(SELECT jsonb_array_elements_text(lines::jsonb -> 1)::int)
    FROM {{given}} ORDER BY place
    """,  # noqa: S608 - made of the kinds of keys
    **_PURCHASE,
    product_keys="text",
    lines="text",
    place="int",
)
_INSERT_SHARES = ForRows(
    """
    INSERT INTO purchase_product (purchase_id, key, merchant_id, at, quantity, amount_minor)
    SELECT * FROM {given}
    """,
    purchase_id="uuid",
    key="uuid",
    merchant_id="uuid",
    at="timestamptz",
    share_quantity="int",
    share_amount_minor="bigint",
)
_FIND_KNOWN = text("SELECT id FROM purchase WHERE id = ANY(CAST(:ids AS uuid[]))")

_FEW_OF_KIND = " ".join(
    f"""WHEN '{kind}' THEN (SELECT count(*) FROM (
            SELECT FROM {"purchase_product" if kind is KeyKind.PRODUCT else "purchase"} AS it
            WHERE it.{"key" if kind is KeyKind.PRODUCT else f"{kind}_key"} = held.key LIMIT :few
        ) AS few)"""  # noqa: S608 - made of the kinds of keys
    for kind in KeyKind
    if kind not in ALWAYS_COUNTED
)
# Locks what is watched, then the keys in one order, so that batches wait for each other and never
# deadlock. A key that is new here may have purchases that were recorded before its kind was
# watched: they are counted.
_LOCKS = text(f"""
    guarded AS MATERIALIZED (
        SELECT count(pg_advisory_xact_lock_shared(hashtextextended('velocity:' || merchant_id, 0)))
        FROM (SELECT DISTINCT unnest(CAST(:watching AS uuid[]))::text AS merchant_id ORDER BY 1)
            AS watching
    ), given AS (
        SELECT * FROM unnest(CAST(:keys AS uuid[]), CAST(:merchants AS uuid[]),
            CAST(:kinds AS text[]), CAST(:purchases AS bigint[]), CAST(:newest AS timestamptz[]))
            AS given(key, merchant_id, kind, purchases, newest_at)
    ), held AS (
        INSERT INTO velocity_key AS held (key, merchant_id, kind, purchases_total, newest_at)
        SELECT given.* FROM guarded CROSS JOIN given ORDER BY key
        ON CONFLICT (key) DO UPDATE SET
            purchases_total = held.purchases_total + excluded.purchases_total,
            newest_at = greatest(held.newest_at, excluded.newest_at)
        RETURNING key, kind, purchases_total, newest_at, is_rolled, paired, old.ctid AS was
    ), counted AS (
        SELECT held.*, CASE WHEN held.purchases_total > given.purchases THEN 0
            ELSE CASE held.kind {_FEW_OF_KIND} ELSE 0 END END AS earlier
        FROM held JOIN given ON given.key = held.key
    ), watched AS MATERIALIZED (
        SELECT risk_watched_words(CAST(:watching AS uuid[])) AS words FROM guarded
    )
""")  # noqa: S608 - made of the kinds of keys
_LOCKED = """counted.key, counted.purchases_total, counted.newest_at, counted.is_rolled,
    counted.paired, counted.earlier, watched.words"""
_LOCK_KEYS = text(f"""
    WITH {_LOCKS.text} SELECT {_LOCKED} FROM watched LEFT JOIN counted ON true
""")  # noqa: S608 - made of constants above
# What a statement reads beside is how things were before it waited for a lock. That is how they
# are, if each key was locked in the very version that could be read.
_LOCKS_AS_READ = text(f"""
    SELECT {_LOCKED}, counted.was IS NOT DISTINCT FROM velocity_key.ctid AS is_as_read
    FROM watched LEFT JOIN counted ON true
        LEFT JOIN velocity_key ON velocity_key.key = counted.key
""")  # noqa: S608 - made of constants above
_ADD_TOTALS = text("""
    UPDATE velocity_key SET purchases_total = purchases_total + added
    FROM unnest(CAST(:keys AS uuid[]), CAST(:added AS bigint[])) AS given(key_given, added)
    WHERE key = key_given
""")
_FIND_KEYS = text("""
    SELECT key, purchases_total, newest_at, is_rolled, paired
    FROM velocity_key WHERE key = ANY(CAST(:keys AS uuid[]))
""")
# A key that was not counted before may have newer purchases than the one that made it known.
_MARK_ROLLED = text("""
    UPDATE velocity_key SET is_rolled = true,
        paired = ARRAY(SELECT DISTINCT unnest(paired || CAST(kinds AS text[]))),
        newest_at = greatest(newest_at, (
            SELECT max(start_at) + interval '1 day' FROM velocity_bucket AS day
            WHERE day.key = key_given AND day.level = 'd'))
    FROM unnest(CAST(:keys AS uuid[]), CAST(:kinds AS text[])) AS given(key_given, kinds)
    WHERE velocity_key.key = key_given
    RETURNING velocity_key.key, purchases_total, newest_at, is_rolled, paired
""")

_FIND_SETTLED = text(f"""
    SELECT id, merchant_id, at, currency, {_KEY_COLUMNS}, product_keys FROM purchase
    WHERE id = ANY(CAST(:ids AS uuid[])) AND NOT is_forgotten
""")  # noqa: S608 - made of the kinds of keys
# The rows are locked in one order, and what they said before decides what changes. Failed payments
# of one order are counted up to what the column holds: an error would come back with the event.
_SETTLE = text("""
    UPDATE purchase SET unpaid = greatest(was.unpaid, now_unpaid),
        failed = least(was.failed + now_failed, 32767),
        refunded = greatest(was.refunded, now_refunded)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:unpaid AS smallint[]), CAST(:failed AS int[]),
            CAST(:refunded AS smallint[])) AS given(id_given, now_unpaid, now_failed, now_refunded)
        JOIN (SELECT id, unpaid, failed, refunded FROM purchase
            WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE) AS was ON was.id = id_given
    WHERE purchase.id = id_given
        AND (now_unpaid > was.unpaid OR now_failed > 0 OR now_refunded > was.refunded)
    RETURNING purchase.id, purchase.unpaid - was.unpaid AS unpaid,
        purchase.failed - was.failed AS failed, purchase.refunded - was.refunded AS refunded
""")

_FORGET = text(f"""
    WITH old AS (
        SELECT id, array_remove(ARRAY[{_KEY_COLUMNS}] || product_keys, NULL) AS keys FROM purchase
        WHERE NOT is_forgotten AND at < clock_timestamp() - CAST(:kept AS interval)
        ORDER BY at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), shares AS (
        DELETE FROM purchase_product WHERE purchase_id IN (SELECT id FROM old)
    ), forgotten AS (
        UPDATE purchase SET is_forgotten = true, product_keys = '{{}}',
            {", ".join(f"{kind}_key = NULL" for kind in SINGLE_KEYS)}
        FROM old WHERE purchase.id = old.id
    )
    SELECT DISTINCT unnest(keys) FROM old
""")  # noqa: S608 - made of the kinds of keys
# Who counts by a key right now holds it: it is not idle. A buyer's number of purchases is for ever.
_DROP_IDLE = text("""
    DELETE FROM velocity_key USING (
        SELECT key FROM velocity_key
        WHERE key = ANY(CAST(:keys AS uuid[])) AND kind <> 'customer'
            AND newest_at < clock_timestamp() - CAST(:kept AS interval)
        ORDER BY key FOR UPDATE SKIP LOCKED
    ) AS idle WHERE velocity_key.key = idle.key
""")


@dataclass(frozen=True, slots=True)
class LockedKeys:
    states: Mapping[VelocityKey, KeyState]
    earlier: Mapping[VelocityKey, int]
    """Purchases of keys that nobody counted by so far, where there are some; ROLLED_FROM at most.
    They are not in the totals."""
    words: int
    """As in Watched, of the merchants, from now on."""


class VelocityRepository:
    def find_known(self, purchases: Sequence[Purchase]) -> Read:
        """Ids of those that are recorded already."""
        return Read(_FIND_KNOWN, {"ids": [it.id for it in purchases]})

    def add_purchases(self, tx: Transaction, purchases: Sequence[Purchase]) -> None:
        """In this order, with what else is left for the end of the transaction; that raises
        Unavailable when somebody recorded one of them in the meantime.
        """
        rows = [_purchase_row(it, place) for place, it in enumerate(purchases)]
        tx.later(*_INSERT_PURCHASES.of(rows), violations={"pk_purchase": _recorded_meanwhile})
        tx.later(*_INSERT_SHARES.of([row for it in purchases for row in _share_rows(it)]))

    async def forget(self, tx: Transaction, kept: timedelta, *, limit: int) -> list[UUID]:
        """The oldest purchases count no more; answers the keys they had."""
        rows = await tx.execute(_FORGET, {"kept": kept, "limit": limit})
        return list(rows.scalars())

    async def drop_idle(self, tx: Transaction, keys: Collection[UUID], kept: timedelta) -> None:
        """Those of the keys that nothing counts for any more."""
        await tx.execute(_DROP_IDLE, {"keys": list(keys), "kept": kept})

    async def lock_keys(
        self,
        tx: Transaction,
        added: Mapping[VelocityKey, tuple[UUID, int, datetime]],
        merchants: Collection[UUID],
    ) -> LockedKeys:
        """Locks each key until commit and adds to its total. Values: merchant, number, newest.
        Until then nobody changes what is watched for the merchants either.
        """
        rows = await tx.execute(_LOCK_KEYS, _lock_values(added, merchants))
        return _locked(added, rows.all())

    def ask_locks(
        self, added: Mapping[VelocityKey, tuple[UUID, int, datetime]], merchants: Collection[UUID]
    ) -> Read:
        """As `lock_keys`, for `found_locks`: what is read with it may be older than the locks."""
        return Read(_LOCKS_AS_READ, _lock_values(added, merchants), _LOCKS)

    def found_locks(self, keys: Collection[VelocityKey], answer: Answer) -> tuple[LockedKeys, bool]:
        """The keys; whether what was read with them is how things are."""
        return _locked(keys, [row[:-1] for row in answer]), all(row[-1] for row in answer)

    def ask_keys(self, keys: Collection[VelocityKey]) -> Read:
        """For `found_keys`."""
        return Read(_FIND_KEYS, {"keys": [key.digest for key in keys]})

    def found_keys(
        self, keys: Collection[VelocityKey], answer: Answer
    ) -> dict[VelocityKey, KeyState]:
        """As they are, without being locked."""
        states = {digest: _state(cells) for digest, *cells in answer}
        return {key: states.get(key.digest, UNKNOWN_KEY) for key in keys}

    def add_totals(self, tx: Transaction, added: Mapping[VelocityKey, int]) -> None:
        tx.later(
            _ADD_TOTALS,
            {"keys": [key.digest for key in added], "added": list(added.values())},
        )

    async def find_settled(self, tx: Transaction, ids: Collection[UUID]) -> list[SettledPurchase]:
        """What of these purchases is recorded here, and counts still."""
        rows = await tx.execute(_FIND_SETTLED, {"ids": list(ids)})
        return [
            SettledPurchase(row.id, row.merchant_id, row.at, row.currency, _keys_in(row))
            for row in rows
        ]

    async def settle(
        self, tx: Transaction, outcomes: Mapping[UUID, Collection[Outcome]]
    ) -> dict[UUID, Figures]:
        """What each purchase adds to figures now that it ended so; a repeat adds nothing."""
        rows = await tx.execute(
            _SETTLE,
            {
                "ids": list(outcomes),
                "unpaid": [int(Outcome.UNPAID in some) for some in outcomes.values()],
                "failed": [sum(it is Outcome.FAILED for it in some) for some in outcomes.values()],
                "refunded": [int(Outcome.REFUNDED in some) for some in outcomes.values()],
            },
        )
        return {
            row.id: Figures(unpaid=row.unpaid, failed=row.failed, refunded=row.refunded)
            for row in rows
        }

    async def mark_rolled(
        self, tx: Transaction, paired: Mapping[VelocityKey, frozenset[KeyKind]]
    ) -> dict[VelocityKey, KeyState]:
        """The keys have roll-ups from here on, and pairs with values of these kinds."""
        rows = await tx.execute(
            _MARK_ROLLED,
            {
                "keys": [key.digest for key in paired],
                "kinds": ["{" + ",".join(kinds) + "}" for kinds in paired.values()],
            },
        )
        states = {row.key: _state(row[1:]) for row in rows}
        return {key: states[key.digest] for key in paired}


def _recorded_meanwhile() -> Unavailable:
    return Unavailable("the purchase is being recorded by another request; try again")


def _keys_in(row: Any) -> tuple[VelocityKey, ...]:
    single = ((KeyKind(kind), getattr(row, f"{kind}_key")) for kind in SINGLE_KEYS)
    return (
        *(VelocityKey(kind, digest) for kind, digest in single if digest is not None),
        *(VelocityKey(KeyKind.PRODUCT, digest) for digest in row.product_keys),
    )


def _lock_values(
    added: Mapping[VelocityKey, tuple[UUID, int, datetime]], merchants: Collection[UUID]
) -> dict[str, Any]:
    return {
        "keys": [key.digest for key in added],
        "kinds": [key.kind.value for key in added],
        "merchants": [merchant_id for merchant_id, _, _ in added.values()],
        "purchases": [number for _, number, _ in added.values()],
        "newest": [newest for _, _, newest in added.values()],
        "watching": list(merchants),
        "few": ROLLED_FROM,
    }


def _locked(keys: Collection[VelocityKey], rows: Sequence[Sequence[Any]]) -> LockedKeys:
    # Without keys there is one row that has the words only.
    found = {digest: (_state(cells), earlier) for digest, *cells, earlier, _ in rows if digest}
    return LockedKeys(
        {key: found[key.digest][0] for key in keys},
        {key: earlier for key in keys if (earlier := found[key.digest][1])},
        rows[0][-1],
    )


def _state(cells: Sequence[Any]) -> KeyState:
    total, newest_at, is_rolled, paired = cells
    kinds = frozenset(KeyKind(kind) for kind in paired)
    return KeyState(total, microseconds(newest_at), is_rolled, kinds)


def _purchase_row(purchase: Purchase, place: int) -> tuple[Any, ...]:
    products, lines = purchase.keys_of(KeyKind.PRODUCT), purchase.lines
    return (
        purchase.id,
        purchase.merchant_id,
        purchase.source.value,
        purchase.at,
        purchase.channel_id,
        purchase.reference,
        purchase.customer_id,
        purchase.ip,
        purchase.device_id,
        purchase.contact_hash,
        purchase.payer_hash,
        purchase.registered_at,
        purchase.amount_minor,
        purchase.currency,
        purchase.quantity,
        *[purchase.key_of(kind) for kind in _SINGLE_KINDS],
        "{" + ",".join(str(key.digest) for key in products) + "}",
        json.dumps([[it.sku for it in lines], [it.quantity for it in lines]]),
        place,
    )


def _share_rows(purchase: Purchase) -> Iterator[tuple[Any, ...]]:
    for key in purchase.keys_of(KeyKind.PRODUCT):
        own = purchase.figures_for(key)
        merchant_id, at = purchase.merchant_id, purchase.at
        yield (purchase.id, key.digest, merchant_id, at, own.quantity, own.amount_minor)
