"""SQL of statistics and circuits: sets of rows, in one order, so that writers do not lock each
other out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from fulfillment.routing.domain import STATISTIC_DAYS, OfferKey, Record, Seen, p95_of
from kit.db import Transaction

Account = tuple[UUID, str]


class RoutingRepository:
    async def count(self, tx: Transaction, seen: Sequence[Seen]) -> None:
        """Adds outcomes to this hour's rows."""
        counted = Counter(
            (each.merchant_id, each.supplier, each.supplier_sku, each.outcome.value, each.bucket)
            for each in seen
            if each.outcome is not None
        )
        if not counted:
            return
        keys = sorted(counted, key=str)
        names = ("merchant_id", "supplier", "supplier_sku", "outcome", "bucket")
        columns = {name: [key[at] for key in keys] for at, name in enumerate(names)}
        await tx.execute(_COUNT, {**columns, "number": [counted[key] for key in keys]})

    async def find_records(
        self, tx: Transaction, offers: Sequence[OfferKey]
    ) -> Mapping[OfferKey, Record]:
        """What was seen of each in the last days."""
        values = {
            **_accounts([(merchant_id, supplier) for merchant_id, supplier, _ in offers]),
            "supplier_sku": [sku for _, _, sku in offers],
            "kept": timedelta(days=STATISTIC_DAYS),
        }
        numbers: dict[OfferKey, Counter[str]] = {}
        buckets: dict[OfferKey, list[tuple[int, int]]] = {}
        for row in await tx.execute(_RECORDS, values):
            key = (row.merchant_id, row.supplier, row.supplier_sku)
            numbers.setdefault(key, Counter())[row.outcome] += row.number
            if row.outcome == "done":
                buckets.setdefault(key, []).append((row.bucket, row.number))
        return {
            key: Record(
                found["done"], found["failed"], found["unknown"], p95_of(buckets.get(key, []))
            )
            for key, found in numbers.items()
        }

    async def prune(self, tx: Transaction, limit: int) -> int:
        """Drops rows that nobody reads any more; how many."""
        kept = timedelta(days=STATISTIC_DAYS + 1)
        rows = await tx.execute(_PRUNE, {"kept": kept, "limit": limit})
        return len(rows.all())

    async def find_open(
        self, tx: Transaction, accounts: Sequence[Account]
    ) -> Mapping[Account, bool]:
        """Circuits that are not closed; whether one call may try."""
        rows = await tx.execute(_OPEN, _accounts(accounts))
        return {(row.merchant_id, row.supplier): row.may_probe for row in rows}

    async def take_probes(
        self, tx: Transaction, accounts: Sequence[Account], probe: timedelta
    ) -> set[Account]:
        """The right to make the one call that tries, for as long as `probe`."""
        rows = await tx.execute(_PROBE, {**_accounts(accounts), "probe": probe})
        return {(row.merchant_id, row.supplier) for row in rows}

    async def close(self, tx: Transaction, accounts: Sequence[Account]) -> set[Account]:
        """They work. Answers those whose circuit had been open."""
        rows = await tx.execute(_CLOSE, _accounts(accounts))
        return {(row.merchant_id, row.supplier) for row in rows if row.openings}

    async def trouble(
        self,
        tx: Transaction,
        troubles: Mapping[Account, int],
        *,
        failures_min: int,
        pause: timedelta,
        pause_max: timedelta,
    ) -> Mapping[Account, int]:
        """Counts failures in a row; answers the circuits that are opened by them, with how often
        each has been since it was last closed.
        """
        accounts = sorted(troubles, key=str)
        rows = await tx.execute(
            _TROUBLE,
            {
                **_accounts(accounts),
                "number": [troubles[account] for account in accounts],
                "failures_min": failures_min,
                "pause": pause,
                "pause_max": pause_max,
            },
        )
        return {(row.merchant_id, row.supplier): row.openings for row in rows if row.is_opened}


def _accounts(accounts: Sequence[Account]) -> dict[str, list[object]]:
    return {
        "merchant_id": [merchant_id for merchant_id, _ in accounts],
        "supplier": [supplier for _, supplier in accounts],
    }


_COUNT = text(
    """
    INSERT INTO purchase_statistic AS s (merchant_id, supplier, supplier_sku, hour, outcome,
                                         bucket, number)
    SELECT own.merchant_id, own.supplier, own.supplier_sku,
           date_trunc('hour', clock_timestamp(), 'UTC'), own.outcome, own.bucket, own.number
    FROM unnest(CAST(:merchant_id AS uuid[]), CAST(:supplier AS text[]),
        CAST(:supplier_sku AS text[]), CAST(:outcome AS text[]), CAST(:bucket AS smallint[]),
        CAST(:number AS bigint[]))
        AS own (merchant_id, supplier, supplier_sku, outcome, bucket, number)
    ON CONFLICT (merchant_id, supplier, supplier_sku, hour, outcome, bucket)
    DO UPDATE SET number = s.number + excluded.number
    """
)
_RECORDS = text(
    """
    SELECT merchant_id, supplier, supplier_sku, outcome, bucket,
           CAST(sum(number) AS bigint) AS number
    FROM purchase_statistic
    WHERE hour > clock_timestamp() - CAST(:kept AS interval)
      AND (merchant_id, supplier, supplier_sku) IN (
        SELECT * FROM unnest(CAST(:merchant_id AS uuid[]), CAST(:supplier AS text[]),
            CAST(:supplier_sku AS text[])))
    GROUP BY 1, 2, 3, 4, 5
    """
)
_PRUNE = text(
    """
    DELETE FROM purchase_statistic WHERE ctid IN (
        SELECT ctid FROM purchase_statistic
        WHERE hour < clock_timestamp() - CAST(:kept AS interval) LIMIT :limit
    ) RETURNING 1
    """
)
_THESE = """(merchant_id, supplier) IN (
        SELECT * FROM unnest(CAST(:merchant_id AS uuid[]), CAST(:supplier AS text[])))"""
_OPEN = text(
    f"""
    SELECT merchant_id, supplier, open_until <= clock_timestamp()
           AND (probe_until IS NULL OR probe_until <= clock_timestamp()) AS may_probe
    FROM supplier_circuit WHERE open_until IS NOT NULL AND {_THESE}
    """  # noqa: S608 - words of this file
)
# Who asks holds purchases, so it waits for nobody: a row that is locked is somebody else's to try.
_PROBE = text(
    f"""
    WITH pick AS MATERIALIZED (
        SELECT merchant_id, supplier FROM supplier_circuit
        WHERE open_until <= clock_timestamp()
          AND (probe_until IS NULL OR probe_until <= clock_timestamp()) AND {_THESE}
        FOR UPDATE SKIP LOCKED
    )
    UPDATE supplier_circuit c SET probe_until = clock_timestamp() + CAST(:probe AS interval)
    FROM pick WHERE c.merchant_id = pick.merchant_id AND c.supplier = pick.supplier
    RETURNING c.merchant_id, c.supplier
    """  # noqa: S608 - words of this file
)
_CLOSE = text(
    f"""
    UPDATE supplier_circuit c SET failures = 0, openings = 0, open_until = NULL,
           probe_until = NULL
    FROM (SELECT merchant_id, supplier, openings FROM supplier_circuit
          WHERE (failures > 0 OR open_until IS NOT NULL) AND {_THESE}
          ORDER BY merchant_id, supplier FOR UPDATE) was
    WHERE c.merchant_id = was.merchant_id AND c.supplier = was.supplier
    RETURNING c.merchant_id, c.supplier, was.openings
    """  # noqa: S608 - words of this file
)
# Failures that come back after it opened, of calls made before, open nothing again.
_TROUBLE = text(
    """
    INSERT INTO supplier_circuit AS c (merchant_id, supplier, failures, openings, open_until)
    SELECT own.merchant_id, own.supplier,
           CASE WHEN own.number >= :failures_min THEN 0 ELSE own.number END,
           CASE WHEN own.number >= :failures_min THEN 1 ELSE 0 END,
           CASE WHEN own.number >= :failures_min
                THEN clock_timestamp() + CAST(:pause AS interval) END
    FROM unnest(CAST(:merchant_id AS uuid[]), CAST(:supplier AS text[]), CAST(:number AS int[]))
        AS own (merchant_id, supplier, number)
    ORDER BY own.merchant_id, own.supplier
    ON CONFLICT (merchant_id, supplier) DO UPDATE SET
        failures = CASE WHEN c.open_until IS NOT NULL
                          OR c.failures + excluded.failures >= :failures_min
                          OR excluded.openings > 0
                        THEN 0 ELSE c.failures + excluded.failures END,
        openings = CASE WHEN c.open_until IS NOT NULL OR excluded.openings > 0
                          OR c.failures + excluded.failures >= :failures_min
                        THEN least(c.openings + 1, 20) ELSE c.openings END,
        probe_until = NULL,
        open_until = CASE WHEN c.open_until IS NOT NULL OR excluded.openings > 0
                            OR c.failures + excluded.failures >= :failures_min
                          THEN clock_timestamp() + least(
                            CAST(:pause AS interval) * power(2, least(c.openings, 10)),
                            CAST(:pause_max AS interval)) END
        WHERE c.open_until IS NULL OR c.open_until <= clock_timestamp()
    RETURNING merchant_id, supplier, openings, open_until IS NOT NULL AS is_opened
    """
)
