from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from kit.statements import Read
from risk.assessments.domain import ids_within
from risk.labels.domain import BAD, LABELS_MAX, Buyer, Label

_BAD = ", ".join(f"'{kind}'" for kind in BAD)
_FIND_BUYERS = text("""
    SELECT id, merchant_id, customer_id, contact_hash FROM purchase
    WHERE id = ANY(CAST(:orders AS uuid[]))
""")
_ADD = text("""
    INSERT INTO order_label (order_id, kind, source, merchant_id, at, amount_minor, currency,
        customer_key, contact_key)
    SELECT * FROM unnest(CAST(:orders AS uuid[]), CAST(:kinds AS text[]), CAST(:sources AS text[]),
        CAST(:merchants AS uuid[]), CAST(:ats AS timestamptz[]), CAST(:amounts AS bigint[]),
        CAST(:currencies AS text[]), CAST(:customers AS uuid[]), CAST(:contacts AS uuid[]))
    ON CONFLICT (order_id, kind, source) DO NOTHING
""")
_GIVE_BUYERS = text("""
    UPDATE order_label SET customer_key = given.customer_key, contact_key = given.contact_key
    FROM unnest(CAST(:orders AS uuid[]), CAST(:customers AS uuid[]), CAST(:contacts AS uuid[]))
        AS given(id, customer_key, contact_key)
    WHERE order_id = given.id AND order_label.customer_key IS NULL
        AND order_label.contact_key IS NULL
""")
_OF = ("customer", "contact")
# A name that many buyers share ("guest") has ever more labels, and a purchase waits for them: so
# many are looked at, by kind, which is chargebacks first.
_COUNT = text(
    " UNION ALL ".join(
        f"""
        SELECT '{of}' AS of, given.key, bad.kind, count(DISTINCT bad.order_id) AS orders
        FROM unnest(CAST(:{of}s AS uuid[])) AS given(key)
        CROSS JOIN LATERAL (
            SELECT kind, order_id FROM order_label
            WHERE {of}_key = given.key AND kind IN ({_BAD}) ORDER BY kind LIMIT :labels_max
        ) AS bad
        GROUP BY given.key, bad.kind
        """  # noqa: S608 - made of constants of the domain
        for of in _OF
    )
)
# Ids grow with time: they find the rows that the times then choose from.
_WORTH = text(f"""
    WITH fired AS MATERIALIZED (
        SELECT CAST(said ->> 'rule_id' AS uuid) AS rule_id,
            CAST(said ->> 'version' AS int) AS version, said ->> 'name' AS name, a.order_id,
            p.amount_minor, p.currency
        FROM assessment a CROSS JOIN jsonb_array_elements(a.outcomes) AS said
        JOIN purchase p ON p.id = a.purchase_id
        WHERE a.merchant_id = :merchant_id AND a.order_id IS NOT NULL
            AND a.id BETWEEN :first_id AND :last_id
            AND a.assessed_at >= :since AND a.assessed_at < :until
            AND said ->> 'failure' IS NULL
    ), labelled AS (
        SELECT order_id, bool_or(kind IN ({_BAD})) AS is_bad,
            bool_or(kind = 'completed') AS is_completed, bool_or(kind = 'refund') AS refund,
            bool_or(kind = 'claim') AS claim, bool_or(kind = 'chargeback') AS chargeback
        FROM order_label WHERE order_id IN (SELECT order_id FROM fired) GROUP BY order_id
    ), judged AS (
        SELECT fired.*, labelled.refund, labelled.claim, labelled.chargeback,
            review.order_id IS NOT NULL AS is_declined,
            coalesce(labelled.is_bad, false) OR review.order_id IS NOT NULL AS is_bad,
            coalesce(labelled.is_completed, false) AS is_completed
        FROM fired LEFT JOIN labelled USING (order_id)
        LEFT JOIN (
            SELECT DISTINCT order_id FROM review
            WHERE order_id IN (SELECT order_id FROM fired)
                AND status = 'declined' AND decided_by <> :time_limit
        ) AS review USING (order_id)
    )
    SELECT rule_id, currency, max(version) AS version,
        (array_agg(name ORDER BY version DESC))[1] AS name, count(*) AS fired,
        count(*) FILTER (WHERE is_bad) AS bad,
        count(*) FILTER (WHERE is_completed AND NOT is_bad) AS good,
        count(*) FILTER (WHERE is_declined) AS declined,
        count(*) FILTER (WHERE refund) AS refund, count(*) FILTER (WHERE claim) AS claim,
        count(*) FILTER (WHERE chargeback) AS chargeback,
        CAST(sum(amount_minor) FILTER (WHERE is_bad) AS bigint) AS bad_sum,
        CAST(sum(amount_minor) FILTER (WHERE is_completed AND NOT is_bad) AS bigint) AS good_sum
    FROM judged GROUP BY rule_id, currency
""")  # noqa: S608 - made of constants of the domain


class LabelRepository:
    async def find_buyers(self, tx: Transaction, orders: Collection[UUID]) -> dict[UUID, Buyer]:
        """Order -> whose it is, of those that are recorded here."""
        rows = await tx.execute(_FIND_BUYERS, {"orders": list(orders)})
        return {
            row.id: Buyer.of(row.merchant_id, row.customer_id, row.contact_hash) for row in rows
        }

    def add(self, tx: Transaction, labels: Sequence[tuple[Label, Buyer]]) -> None:
        """What is known already stays as it is. Written with what else is left for the end of the
        transaction.
        """
        tx.later(
            _ADD,
            {
                "orders": [it.order_id for it, _ in labels],
                "kinds": [it.kind.value for it, _ in labels],
                "sources": [it.source for it, _ in labels],
                "merchants": [it.merchant_id for it, _ in labels],
                "ats": [it.at for it, _ in labels],
                "amounts": [it.amount_minor for it, _ in labels],
                "currencies": [it.currency for it, _ in labels],
                "customers": [buyer.customer_key for _, buyer in labels],
                "contacts": [buyer.contact_key for _, buyer in labels],
            },
        )

    def give_buyers(self, tx: Transaction, buyers: Mapping[UUID, Buyer]) -> None:
        """To the labels of these orders that have none. Written as `add` is."""
        tx.later(
            _GIVE_BUYERS,
            {
                "orders": list(buyers),
                "customers": [it.customer_key for it in buyers.values()],
                "contacts": [it.contact_key for it in buyers.values()],
            },
        )

    def count(self, customers: Sequence[UUID], contacts: Sequence[UUID]) -> Read:
        """(`customer` or `contact`, its key, kind, number of orders with such a label)."""
        values = {"customers": list(customers), "contacts": list(contacts)}
        return Read(_COUNT, values | {"labels_max": LABELS_MAX})

    async def worth(
        self,
        tx: Transaction,
        merchant_id: UUID,
        since: datetime,
        until: datetime,
        *,
        time_limit: str,
    ) -> list[Mapping[str, Any]]:
        """Per rule and currency. What the time limit declined nobody looked at."""
        first_id, last_id = ids_within(since, until)
        rows = await tx.execute(
            _WORTH,
            {
                "merchant_id": merchant_id,
                "since": since,
                "until": until,
                "first_id": first_id,
                "last_id": last_id,
                "time_limit": time_limit,
            },
        )
        return [dict(row) for row in rows.mappings()]
