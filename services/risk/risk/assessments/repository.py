import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from kit.ids import LAST_ID
from kit.messaging.events import topic_of
from kit.statements import ForRows
from lockstock.risk.v1.assessment_events_pb2 import OrderAssessed
from risk.assessments.domain import (
    Assessment,
    ShadowReport,
    ShadowRule,
    StoredAssessment,
    ids_within,
)
from risk.rules.domain import Action, Limits
from risk.velocity.domain import PurchaseSource

_INSERT = ForRows(
    """
    INSERT INTO assessment (id, merchant_id, purchase_id, order_id, reference, decision, asked,
        facts, outcomes, duration_us, quantity_max, hold_seconds, shadow_asked, rule_set_id)
    SELECT id, merchant_id, purchase_id, order_id, reference, decision, asked, facts::jsonb,
        outcomes::jsonb, duration_us, quantity_max, hold_seconds, shadow_asked, rule_set_id
    FROM {given}
    """,
    id="uuid",
    merchant_id="uuid",
    purchase_id="uuid",
    order_id="uuid",
    reference="text",
    decision="text",
    asked="text",
    facts="text",
    outcomes="text",
    duration_us="bigint",
    quantity_max="int",
    hold_seconds="int",
    shadow_asked="text",
    rule_set_id="uuid",
)
_COLUMNS = """id, merchant_id, purchase_id, order_id, reference, decision, asked, facts, outcomes,
    duration_us, assessed_at, quantity_max, hold_seconds, shadow_asked, rule_set_id"""
_GET = text(f"""
    SELECT {_COLUMNS} FROM assessment WHERE merchant_id = :merchant_id AND id = :id
""")  # noqa: S608 - made of constants above
# Ids grow with time: they find the rows that the times then choose from.
_JUDGED = """
    merchant_id = :merchant_id AND id BETWEEN :first_id AND :last_id
        AND assessed_at >= :since AND assessed_at < :until
"""
_SHADOW_TOTALS = text(f"""
    SELECT count(*) AS judged, count(shadow_asked) AS fired,
        count(*) FILTER (WHERE shadow_asked <> asked) AS differed
    FROM assessment WHERE {_JUDGED}
""")  # noqa: S608 - made of constants above
_SHADOW_RULES = text(f"""
    SELECT rule_id, version, name, action, sum(fired)::int AS fired, sum(failed)::int AS failed,
        jsonb_object_agg(asked, fired + failed) AS live
    FROM (
        SELECT said ->> 'rule_id' AS rule_id, (said ->> 'version')::int AS version,
            min(said ->> 'name') AS name, min(said ->> 'action') AS action, asked,
            count(*) FILTER (WHERE said ->> 'failure' IS NULL) AS fired,
            count(said ->> 'failure') AS failed
        FROM assessment CROSS JOIN jsonb_array_elements(outcomes) AS said
        WHERE {_JUDGED} AND shadow_asked IS NOT NULL AND said ->> 'mode' = 'shadow'
        GROUP BY 1, 2, asked
    ) AS one
    GROUP BY rule_id, version, name, action ORDER BY sum(fired) DESC, rule_id, version LIMIT :limit
""")  # noqa: S608 - made of constants above
_FIND_UNTOLD = text(f"""
    SELECT {_COLUMNS} FROM assessment
    WHERE order_id = ANY(CAST(:orders AS uuid[])) AND decision = 'allow' AND quantity_max IS NULL
      AND hold_seconds IS NULL
      AND NOT EXISTS (SELECT FROM outbox_key WHERE topic = :topic AND key = order_id::text)
""")  # noqa: S608 - made of constants above
# Two: plans are generic, and a filter that may be absent finds no index.
_LIST, _LIST_OF_ORDER = (
    text(f"""
        SELECT {_COLUMNS} FROM assessment
        WHERE merchant_id = :merchant_id AND {wanted}
            AND id < :before
        ORDER BY id DESC LIMIT :limit
    """)  # noqa: S608 - made of constants
    for wanted in ("true", "order_id = :order_id")
)
SHADOW_RULES_MAX = 200
"""Rules (each version by itself) in a report."""


class AssessmentRepository:
    def add_assessments(self, tx: Transaction, assessments: Sequence[Assessment]) -> None:
        """Written with what else is left for the end of the transaction."""
        tx.later(*_INSERT.of([_row(it) for it in assessments]))

    async def find_assessment(
        self, tx: Transaction, merchant_id: UUID, assessment_id: UUID
    ) -> StoredAssessment | None:
        row = await tx.execute(_GET, {"merchant_id": merchant_id, "id": assessment_id})
        found = row.one_or_none()
        return None if found is None else _to_domain(found)

    async def shadow_report(
        self, tx: Transaction, merchant_id: UUID, since: datetime, until: datetime
    ) -> ShadowReport:
        """The rules that fired most come first."""
        first_id, last_id = ids_within(since, until)
        window = {
            "merchant_id": merchant_id,
            "since": since,
            "until": until,
            "first_id": first_id,
            "last_id": last_id,
        }
        totals = (await tx.execute(_SHADOW_TOTALS, window)).one()
        rules = await tx.execute(_SHADOW_RULES, window | {"limit": SHADOW_RULES_MAX})
        return ShadowReport(
            totals.judged,
            totals.fired,
            totals.differed,
            [
                ShadowRule(
                    UUID(row.rule_id),
                    row.version,
                    row.name,
                    row.action,
                    row.fired,
                    row.failed,
                    row.live,
                )
                for row in rules
            ],
        )

    async def find_untold(
        self, tx: Transaction, order_ids: Sequence[UUID]
    ) -> list[StoredAssessment]:
        """Those of these orders that were allowed, and nothing was published about them."""
        values = {"orders": list(order_ids), "topic": topic_of(OrderAssessed)}
        rows = await tx.execute(_FIND_UNTOLD, values)
        return [_to_domain(row) for row in rows]

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
        values = {"merchant_id": merchant_id, "before": before or LAST_ID, "limit": limit}
        if order_id is None:
            rows = await tx.execute(_LIST, values)
        else:
            rows = await tx.execute(_LIST_OF_ORDER, values | {"order_id": order_id})
        return [_to_domain(row) for row in rows]


def _row(made: Assessment) -> tuple[Any, ...]:
    return (
        made.id,
        made.purchase.merchant_id,
        made.purchase.id,
        _order_id(made),
        made.purchase.reference,
        made.decision.value,
        made.asked.value,
        json.dumps(made.facts.record()),
        json.dumps(made.recorded_outcomes()),
        made.duration_us,
        made.limits.quantity_max,
        made.limits.hold_seconds,
        made.shadow_asked and made.shadow_asked.value,
        made.rule_set_id,
    )


def _order_id(assessment: Assessment) -> UUID | None:
    is_order = assessment.purchase.source is PurchaseSource.ORDER
    return assessment.purchase.id if is_order else None


def _to_domain(row: Any) -> StoredAssessment:
    return StoredAssessment(
        row.id,
        row.merchant_id,
        row.purchase_id,
        row.order_id,
        row.reference,
        Action(row.decision),
        Action(row.asked),
        row.facts,
        row.outcomes,
        row.duration_us,
        row.assessed_at,
        Limits(row.quantity_max, row.hold_seconds),
        Action(row.shadow_asked) if row.shadow_asked else None,
        row.rule_set_id,
    )
