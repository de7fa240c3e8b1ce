from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from kit.ids import LAST_ID, new_id
from kit.money import Money
from ledger.reconciliation_cases.domain import Case, CaseState, Difference, Kind, PaidHere

_ADD_CASES = text("""
    INSERT INTO reconciliation_case (id, merchant_id, source, reconciliation_id, kind, reference,
        currency, there_minor, here_minor, happened_at)
    SELECT given.id, :merchant_id, :source, CAST(:reconciliation_id AS uuid), given.kind,
        given.reference, given.currency, given.there_minor, given.here_minor, given.happened_at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:references AS text[]),
        CAST(:currencies AS text[]), CAST(:theres AS bigint[]), CAST(:heres AS bigint[]),
        CAST(:times AS timestamptz[])) AS given(id, kind, reference, currency, there_minor,
        here_minor, happened_at)
    ON CONFLICT (merchant_id, source, reference, kind) DO NOTHING
""")
_CASES = """
    SELECT id, source, reconciliation_id, kind, reference, currency, there_minor, here_minor,
        happened_at, state, opened_at, closed_at, closed_by, reason, transaction_id
    FROM reconciliation_case WHERE merchant_id = :merchant_id
"""
_LIST_CASES = text(
    _CASES
    + """
    AND (CAST(:state AS text) IS NULL OR state = :state)
    AND (CAST(:reconciliation_id AS uuid) IS NULL OR reconciliation_id = :reconciliation_id)
    AND id < :before
    ORDER BY id DESC LIMIT :limit
    """
)
_GET_CASE = text(_CASES + " AND id = :id")
_CLOSE = text("""
    UPDATE reconciliation_case SET state = 'closed', closed_at = clock_timestamp(),
        closed_by = :closed_by, reason = :reason, transaction_id = CAST(:transaction_id AS uuid)
    WHERE merchant_id = :merchant_id AND id = :id AND state = 'open'
""")
# As the comparison that found the case looked them up.
_PAID_HERE = text("""
    SELECT payment.channel_id, min(payment.order_id::text)::uuid AS order_id, payment.currency,
        sum(payment.amount_minor)::bigint AS minor
    FROM reconciliation_case AS case_
    JOIN reconciliation AS one ON one.id = case_.reconciliation_id
    JOIN payment_fact AS payment ON payment.merchant_id = one.merchant_id
        AND CASE WHEN one.channel_id IS NULL THEN payment.provider = one.provider
            ELSE payment.channel_id = one.channel_id END
    LEFT JOIN order_reference AS named ON named.order_id = payment.order_id
    WHERE case_.id = :id AND case_.reference = CASE WHEN one.match_by = 'order'
        THEN named.reference ELSE payment.reference END
    GROUP BY payment.channel_id, payment.currency LIMIT 2
""")
_NOW = text("SELECT clock_timestamp()")


class ReconciliationCaseRepository:
    async def add(
        self,
        tx: Transaction,
        merchant_id: UUID,
        source: str,
        reconciliation_id: UUID | None,
        differences: Sequence[Difference],
    ) -> None:
        """Those that are not known yet."""
        await tx.execute(
            _ADD_CASES,
            {
                "merchant_id": merchant_id,
                "source": source,
                "reconciliation_id": reconciliation_id,
                "ids": [new_id() for _ in differences],
                "kinds": [it.kind.value for it in differences],
                "references": [it.reference for it in differences],
                "currencies": [it.currency for it in differences],
                "theres": [it.there_minor for it in differences],
                "heres": [it.here_minor for it in differences],
                "times": [it.happened_at for it in differences],
            },
        )

    async def list_cases(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        state: CaseState | None,
        reconciliation_id: UUID | None,
        before: UUID | None,
        limit: int,
    ) -> list[Case]:
        values = {
            "merchant_id": merchant_id,
            "state": state.value if state else None,
            "reconciliation_id": reconciliation_id,
            "before": before or LAST_ID,
            "limit": limit,
        }
        return [_case(row) for row in await tx.execute(_LIST_CASES, values)]

    async def find_case(self, tx: Transaction, merchant_id: UUID, case_id: UUID) -> Case | None:
        values = {"merchant_id": merchant_id, "id": case_id}
        row = (await tx.execute(_GET_CASE, values)).one_or_none()
        return None if row is None else _case(row)

    async def paid_here(self, tx: Transaction, case_id: UUID) -> list[PaidHere]:
        """Two at most: then it is clear that there is not one alone."""
        rows = await tx.execute(_PAID_HERE, {"id": case_id})
        return [
            PaidHere(row.channel_id, row.order_id, Money(row.minor, row.currency)) for row in rows
        ]

    async def now(self, tx: Transaction) -> datetime:
        moment: datetime = (await tx.execute(_NOW)).scalar_one()
        return moment

    async def close(
        self,
        tx: Transaction,
        merchant_id: UUID,
        case_id: UUID,
        *,
        by: str,
        reason: str,
        transaction_id: UUID | None,
    ) -> bool:
        """False when it was closed before."""
        values = {
            "merchant_id": merchant_id,
            "id": case_id,
            "closed_by": by,
            "reason": reason,
            "transaction_id": transaction_id,
        }
        return (await tx.execute(_CLOSE, values)).rowcount == 1


def _case(row: Any) -> Case:
    return Case(
        id=row.id,
        source=row.source,
        reconciliation_id=row.reconciliation_id,
        difference=_difference(row),
        state=CaseState(row.state),
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        reason=row.reason,
        transaction_id=row.transaction_id,
    )


def _difference(row: Any) -> Difference:
    happened_at: datetime | None = row.happened_at
    return Difference(
        Kind(row.kind), row.reference, row.currency, row.there_minor, row.here_minor, happened_at
    )
