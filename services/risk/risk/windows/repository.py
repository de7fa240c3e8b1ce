"""Reads and builds what windows of keys hold, set-based. Statements are made of one part per kind
of key that is meant; their texts are as many as the sets of kinds in use, which is a handful."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from kit.db import Transaction
from kit.statements import Read
from risk.counts import DISTINCT_MAX, KeyKind
from risk.windows.domain import (
    Entry,
    Question,
    Shape,
    Sighting,
    VelocityKey,
    moment,
)

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


class WindowRepository:
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

    def ask(self, questions: Sequence[Question], shape: Shape) -> Read:
        """(Number of the question, its six figures): to be added up for each."""
        parts = _parts_of(shape)
        rows_of: dict[str, list[tuple[Any, ...]]] = {part: [] for part in parts}
        for number, question in enumerate(questions):
            for part, row in _rows(number, question):
                rows_of[part].append(row)
        parameters: dict[str, Any] = {"distinct_max": DISTINCT_MAX} if shape.values else {}
        for part, rows in rows_of.items():
            names = _FIELDS[part.partition("_")[0]]
            columns = zip(*rows, strict=True) if rows else ((),) * len(names)
            for name, column in zip(names, columns, strict=True):
                parameters[f"{part}_{name}"] = list(column)
        return Read(_answering(parts), parameters)


_DISTINCT_FIELDS = ("n", "key", "first", "last", "of", "candidates")
_FIELDS = {
    "raw": ("n", "key", "first", "last", "currency"),
    "bucket": ("n", "key", "first", "last", "currency", "level"),
    "values": _DISTINCT_FIELDS,
    "pairs": _DISTINCT_FIELDS,
}


def _parts_of(shape: Shape) -> tuple[str, ...]:
    """The parts of the answering statement. All that keys of these kinds may need are there, with
    rows or without: a statement is planned for each set of parts, which takes longer than running
    it, and almost every purchase would have a set of its own.
    """
    sums = [f"raw_{kind}" for kind in sorted(shape.sums)]
    values = [f"{what}_{kind}" for kind in sorted(shape.values) for what in ("values", "pairs")]
    return (*sums, *(["bucket"] if sums else []), *values)


def _by_kind(keys: Iterable[VelocityKey]) -> dict[KeyKind, list[UUID]]:
    by_kind: dict[KeyKind, list[UUID]] = defaultdict(list)
    for key in sorted(keys, key=lambda it: (it.kind, it.digest)):
        by_kind[key.kind].append(key.digest)
    return by_kind


def _keys_of(by_kind: Mapping[KeyKind, list[UUID]]) -> dict[str, Any]:
    return {f"{kind}_keys": digests for kind, digests in by_kind.items()}


def _rows(number: int, question: Question) -> Iterable[tuple[str, tuple[Any, ...]]]:
    """The parts of the answering statement that a question needs, with its row for each."""
    key, of = question.key, question.of
    if of is not None:
        values = "{" + ",".join(str(it) for it in question.candidates) + "}"
        first, last = moment(question.first_us), moment(question.end_us)
        part = "pairs" if question.is_rolled else "values"
        yield f"{part}_{key.kind}", (number, key.digest, first, last, of.value, values)
        return
    for it in question.parts():
        row = (number, key.digest, moment(it.first), moment(it.end), question.currency)
        if it.level is None:
            yield f"raw_{key.kind}", row
        else:
            yield "bucket", (*row, it.level.value)


_LENGTHS = """
    (VALUES ('m', interval '60 s'), ('h', interval '3600 s'), ('d', interval '86400 s'))
        AS lengths(level, length)
"""
_VALUES_OF = (
    "CASE {of} "
    + " ".join(
        f"WHEN '{kind}' THEN it.product_keys"
        if kind is KeyKind.PRODUCT
        else f"WHEN '{kind}' THEN ARRAY[it.{kind}_key]"
        for kind in KeyKind
    )
    + " END"
)


def _past(kind: KeyKind) -> tuple[str, str]:
    """Purchases of the key `given.key`, as `it`; and whose columns say what counts for the key."""
    if kind is KeyKind.PRODUCT:
        source = """purchase_product AS share JOIN purchase AS it ON it.id = share.purchase_id
            WHERE share.key = given.key"""
        return source, "share"
    return f"purchase AS it WHERE it.{kind}_key = given.key", "it"


def _within(share: str) -> str:
    return f"{share}.at >= given.first AND {share}.at < given.last"


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
        values = _VALUES_OF.format(of=f"'{of}'")
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


@lru_cache
def _answering(parts: tuple[str, ...]) -> TextClause:
    return text(" UNION ALL ".join(_answering_part(*part.partition("_")[::2]) for part in parts))


def _answering_part(what: str, kind: str) -> str:
    if what == "bucket":
        return _from_buckets()
    parts = {"raw": _from_purchases, "values": _from_values, "pairs": _from_pairs}
    return parts[what](KeyKind(kind))


_SUMS = """
    coalesce(sum({share}.quantity), 0)::bigint AS quantity,
    coalesce(sum({share}.amount_minor) FILTER (WHERE it.currency = given.currency), 0)::bigint
        AS amount_minor,
    coalesce(sum(it.unpaid), 0)::bigint AS unpaid,
    coalesce(sum(it.failed), 0)::bigint AS failed,
    coalesce(sum(it.refunded), 0)::bigint AS refunded
"""


def _from_buckets() -> str:
    return f"""
        SELECT given.n, held.*
        FROM unnest(CAST(:bucket_n AS int[]), CAST(:bucket_key AS uuid[]),
            CAST(:bucket_first AS timestamptz[]), CAST(:bucket_last AS timestamptz[]),
            CAST(:bucket_currency AS text[]), CAST(:bucket_level AS text[]))
            AS given(n, key, first, last, currency, level)
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(it.purchases), 0)::bigint AS purchases, {_SUMS.format(share="it")}
            FROM velocity_bucket AS it
            WHERE it.key = given.key AND it.level = given.level
                AND it.start_at >= given.first AND it.start_at < given.last
        ) AS held
    """  # noqa: S608 - made of constants


def _from_purchases(kind: KeyKind) -> str:
    source, share = _past(kind)
    given = f":raw_{kind}"
    return f"""
        SELECT given.n, held.*
        FROM unnest(CAST({given}_n AS int[]), CAST({given}_key AS uuid[]),
            CAST({given}_first AS timestamptz[]), CAST({given}_last AS timestamptz[]),
            CAST({given}_currency AS text[])) AS given(n, key, first, last, currency)
        CROSS JOIN LATERAL (
            SELECT count(*) AS purchases, {_SUMS.format(share=share)}
            FROM {source} AND {_within(share)}
        ) AS held
    """  # noqa: S608 - made of the kinds of keys


def _from_values(kind: KeyKind) -> str:
    source, share = _past(kind)
    return _distinct(
        f"values_{kind}",
        f"""SELECT seen.value FROM (SELECT it.* FROM {source} AND {_within(share)}) AS it
            CROSS JOIN LATERAL unnest({_VALUES_OF.format(of="given.of")}) AS seen(value)
            WHERE seen.value IS NOT NULL""",  # noqa: S608 - made of the kinds of keys
    )


def _from_pairs(kind: KeyKind) -> str:
    """A value counts when its first or last time lies in the window; when they lie on either side
    of it, the purchases tell. The newest purchases never need that.
    """
    source, share = _past(kind)
    return _distinct(
        f"pairs_{kind}",
        f"""(SELECT pair.value FROM velocity_pair AS pair
            WHERE pair.key = given.key AND pair.kind = given.of AND pair.last_at >= given.first
                AND (pair.last_at < given.last
                    OR (pair.first_at >= given.first AND pair.first_at < given.last)
                    OR (pair.first_at < given.first AND EXISTS (
                        SELECT FROM {source} AND {_within(share)}
                            AND pair.value = ANY({_VALUES_OF.format(of="given.of")}))))
            LIMIT :distinct_max)""",  # noqa: S608 - made of the kinds of keys
    )


def _distinct(part: str, values: str) -> str:
    return f"""
        SELECT given.n, least(:distinct_max, (
            SELECT count(*) FROM ({values} UNION SELECT unnest(CAST(given.candidates AS uuid[])))
                AS one)), 0, 0, 0, 0, 0
        FROM unnest(CAST(:{part}_n AS int[]), CAST(:{part}_key AS uuid[]),
            CAST(:{part}_first AS timestamptz[]), CAST(:{part}_last AS timestamptz[]),
            CAST(:{part}_of AS text[]), CAST(:{part}_candidates AS text[]))
            AS given(n, key, first, last, of, candidates)
    """  # noqa: S608 - made of the kinds of keys
