import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from risk.assessments.domain import Assessment, StoredAssessment
from risk.rules.domain import Action
from risk.velocity.domain import PurchaseSource

_INSERT = text("""
    INSERT INTO assessment (id, merchant_id, purchase_id, order_id, reference, decision, asked,
        facts, outcomes, duration_us)
    SELECT id, merchant_id, purchase_id, order_id, reference, decision, asked, facts::jsonb,
        outcomes::jsonb, duration_us
    FROM unnest(CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]), CAST(:purchases AS uuid[]),
        CAST(:orders AS uuid[]), CAST(:references AS text[]), CAST(:decisions AS text[]),
        CAST(:asked AS text[]), CAST(:facts AS text[]), CAST(:outcomes AS text[]),
        CAST(:durations AS bigint[]))
        AS given(id, merchant_id, purchase_id, order_id, reference, decision, asked, facts,
            outcomes, duration_us)
""")
_LIST = text("""
    SELECT id, purchase_id, order_id, reference, decision, asked, facts, outcomes, duration_us,
        assessed_at
    FROM assessment
    WHERE merchant_id = :merchant_id
        AND (CAST(:order_id AS uuid) IS NULL OR order_id = :order_id)
        AND (CAST(:before AS uuid) IS NULL OR id < :before)
    ORDER BY id DESC LIMIT :limit
""")


class AssessmentRepository:
    async def add_assessments(self, tx: Transaction, assessments: Sequence[Assessment]) -> None:
        await tx.execute(
            _INSERT,
            {
                "ids": [it.id for it in assessments],
                "merchants": [it.purchase.merchant_id for it in assessments],
                "purchases": [it.purchase.id for it in assessments],
                "orders": [_order_id(it) for it in assessments],
                "references": [it.purchase.reference for it in assessments],
                "decisions": [it.decision.value for it in assessments],
                "asked": [it.asked.value for it in assessments],
                "facts": [json.dumps(it.facts.record()) for it in assessments],
                "outcomes": [
                    json.dumps([asdict(outcome) for outcome in it.outcomes], default=str)
                    for it in assessments
                ],
                "durations": [it.duration_us for it in assessments],
            },
        )

    async def list_assessments(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        order_id: UUID | None,
        before: UUID | None,
        limit: int,
    ) -> list[StoredAssessment]:
        """Newest first."""
        rows = await tx.execute(
            _LIST,
            {
                "merchant_id": merchant_id,
                "order_id": order_id,
                "before": before,
                "limit": limit,
            },
        )
        return [_to_domain(row) for row in rows]


def _order_id(assessment: Assessment) -> UUID | None:
    is_order = assessment.purchase.source is PurchaseSource.ORDER
    return assessment.purchase.id if is_order else None


def _to_domain(row: Any) -> StoredAssessment:
    return StoredAssessment(
        row.id,
        row.purchase_id,
        row.order_id,
        row.reference,
        Action(row.decision),
        Action(row.asked),
        row.facts,
        row.outcomes,
        row.duration_us,
        row.assessed_at,
    )
