"""Reads what windows of keys hold, set-based. Statements are made of one part per kind of key that
is meant; their texts are as many as the sets of kinds in use, which is a handful."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import TextClause, text

from kit.db import Transaction
from kit.statements import Answer, Read
from risk.counts import DISTINCT_MAX, KeyKind
from risk.pasts import PAST_MAX, Figures, Past, PastPurchase, moment
from risk.windows.domain import LookUp, Question, Shape, Stretch


class WindowRepository:
    def ask(self, wanted: LookUp) -> list[Read]:
        """For `found`. The same texts for all questions of one shape."""
        shape = wanted.shape
        reads = [self._ask_past(wanted.stretches, shape)]
        if shape.sums:
            rows = [
                (
                    number,
                    asked.key.digest,
                    moment(it.first),
                    moment(it.end),
                    asked.currency,
                    it.level,
                )
                for number, asked, it in wanted.sums
            ]
            reads.append(Read(_BUCKETS, _columns("", _BUCKET_FIELDS, rows)))
        if shape.values:
            rows = [_values_row(number, question) for number, question in wanted.pairs]
            values = _columns("", _DISTINCT_FIELDS, rows) | {"distinct_max": DISTINCT_MAX}
            reads.append(Read(_PAIRS, values))
        return reads

    def _ask_past(self, stretches: Sequence[Stretch], shape: Shape) -> Read:
        rows = [
            (place, it.key.kind.value, it.key.digest, moment(it.first), moment(it.end))
            for place, it in enumerate(stretches)
        ]
        kinds = tuple(sorted(shape.sums | shape.values))
        values = _columns("past_", _PAST_FIELDS, rows) | {"past_max": PAST_MAX}
        return Read(_past_of(kinds, shape.told_apart), values, _STRETCHES)

    def found(
        self, wanted: LookUp, answers: Sequence[Answer]
    ) -> tuple[dict[int, Past], Answer, Answer]:
        """By stretch its purchases; (question, six sums); (question, values, whether unsure)."""
        pasts: dict[int, list[PastPurchase]] = defaultdict(list)
        for row in answers[0]:
            pasts[row[0]].append(row[1:])
        sums = answers[1] if wanted.shape.sums else ()
        pairs = answers[-1] if wanted.shape.values else ()
        return {place: Past(rows) for place, rows in pasts.items()}, sums, pairs

    async def count(
        self, tx: Transaction, questions: Mapping[int, Question], shape: Shape
    ) -> list[tuple[int, Figures]]:
        """Counted by the database, by the number of the question: values within its window, or what
        no bucket holds of it.
        """
        parts = _parts_of(shape)
        rows_of: dict[str, list[tuple[Any, ...]]] = {part: [] for part in parts}
        for number, question in questions.items():
            kind = question.key.kind
            if question.of is not None:
                rows_of[f"values_{kind}"].append(_values_row(number, question))
                continue
            rows_of[f"raw_{kind}"] += [
                (number, question.key.digest, moment(it.first), moment(it.end), question.currency)
                for it in question.parts()
                if it.level is None
            ]
        values: dict[str, Any] = {"distinct_max": DISTINCT_MAX} if shape.values else {}
        for part, some in rows_of.items():
            fields = _RAW_FIELDS if part.startswith("raw") else _DISTINCT_FIELDS
            values |= _columns(f"{part}_", fields, some)
        counted = await tx.execute(_counting(parts), values)
        return [(row[0], Figures(*row[1:])) for row in counted]


_DISTINCT_FIELDS = ("n", "key", "first", "last", "of", "candidates")
_RAW_FIELDS = ("n", "key", "first", "last", "currency")
_BUCKET_FIELDS = ("n", "key", "first", "last", "currency", "level")
_PAST_FIELDS = ("n", "kind", "key", "first", "last")


def _columns(
    prefix: str, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> dict[str, list[Any]]:
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return {f"{prefix}{name}": list(column) for name, column in zip(names, columns, strict=True)}


def _values_row(number: int, question: Question) -> tuple[Any, ...]:
    assert question.of is not None, "figures have no values"
    candidates = "{" + ",".join(str(it) for it in question.candidates) + "}"
    first, last = moment(question.first_us), moment(question.end_us)
    return (number, question.key.digest, first, last, question.of.value, candidates)


def _parts_of(shape: Shape) -> tuple[str, ...]:
    """The parts of the counting statement. All that keys of these kinds may need are there, with
    rows or without: a statement is planned for each set of parts, which takes longer than running
    it.
    """
    sums = [f"raw_{kind}" for kind in sorted(shape.sums)]
    return (*sums, *(f"values_{kind}" for kind in sorted(shape.values)))


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


# Given once for all kinds: each array costs the driver and the server some microseconds.
_STRETCHES = text("""
    stretch AS (
        SELECT * FROM unnest(CAST(:past_n AS int[]), CAST(:past_kind AS text[]),
            CAST(:past_key AS uuid[]), CAST(:past_first AS timestamptz[]),
            CAST(:past_last AS timestamptz[])) AS given(n, kind, key, first, last)
    )
""")


@lru_cache
def _past_of(kinds: tuple[KeyKind, ...], told_apart: tuple[KeyKind, ...]) -> TextClause:
    """(Number of the stretch, a purchase), in the order of time within a stretch.

    The limit is also what makes it a look-up by index for each stretch, however small the table was
    when the statement was planned.
    """
    values = "".join(
        ", it.product_keys" if of is KeyKind.PRODUCT else f", it.{of}_key" for of in told_apart
    )
    parts = []
    for kind in kinds:
        source, share = _past(kind)
        parts.append(f"""
            SELECT given.n, it.* FROM stretch AS given CROSS JOIN LATERAL (
                SELECT {share}.at, it.currency, {share}.quantity, {share}.amount_minor, it.unpaid,
                    it.failed, it.refunded{values}
                FROM {source} AND {_within(share)} ORDER BY {share}.at LIMIT :past_max
            ) AS it WHERE given.kind = '{kind}'
        """)  # noqa: S608 - made of the kinds of keys
    return text(" UNION ALL ".join(parts))


@lru_cache
def _counting(parts: tuple[str, ...]) -> TextClause:
    """(Number of the question, its six figures): to be added up for each."""
    return text(" UNION ALL ".join(_counting_part(*part.partition("_")[::2]) for part in parts))


def _counting_part(what: str, kind: str) -> str:
    return {"raw": _from_purchases, "values": _from_values}[what](KeyKind(kind))


_SUMS = """
    coalesce(sum({share}.quantity), 0)::bigint AS quantity,
    coalesce(sum({share}.amount_minor) FILTER (WHERE it.currency = given.currency), 0)::bigint
        AS amount_minor,
    coalesce(sum(it.unpaid), 0)::bigint AS unpaid,
    coalesce(sum(it.failed), 0)::bigint AS failed,
    coalesce(sum(it.refunded), 0)::bigint AS refunded
"""
_BUCKETS = text(f"""
    SELECT given.n, held.*
    FROM unnest(CAST(:n AS int[]), CAST(:key AS uuid[]), CAST(:first AS timestamptz[]),
        CAST(:last AS timestamptz[]), CAST(:currency AS text[]), CAST(:level AS text[]))
        AS given(n, key, first, last, currency, level)
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(it.purchases), 0)::bigint AS purchases, {_SUMS.format(share="it")}
        FROM velocity_bucket AS it
        WHERE it.key = given.key AND it.level = given.level
            AND it.start_at >= given.first AND it.start_at < given.last
    ) AS held
""")  # noqa: S608 - made of constants
# A value counts when its first or last time lies in the window. When they lie on either side of it
# only its purchases tell whether it counts; the newest purchases never need that.
_PAIRS = text("""
    SELECT given.n, least(:distinct_max, (
        SELECT count(*) FROM (
            (SELECT pair.value FROM velocity_pair AS pair
            WHERE pair.key = given.key AND pair.kind = given.of AND pair.last_at >= given.first
                AND (pair.last_at < given.last
                    OR (pair.first_at >= given.first AND pair.first_at < given.last))
            LIMIT :distinct_max)
            UNION SELECT unnest(CAST(given.candidates AS uuid[]))) AS one)) AS number,
        EXISTS (SELECT FROM velocity_pair AS pair
            WHERE pair.key = given.key AND pair.kind = given.of AND pair.last_at >= given.last
                AND pair.first_at < given.first) AS is_unsure
    FROM unnest(CAST(:n AS int[]), CAST(:key AS uuid[]), CAST(:first AS timestamptz[]),
        CAST(:last AS timestamptz[]), CAST(:of AS text[]), CAST(:candidates AS text[]))
        AS given(n, key, first, last, of, candidates)
""")


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
