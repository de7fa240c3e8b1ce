"""Claims as rows: which column is which field. `c` is the claim, `u` its unit, `d` and `r` the
unit's delivery and request."""

from typing import Any

from sqlalchemy import Row

from fulfillment.claims.domain import (
    Claim,
    ClaimReason,
    ClaimState,
    Decision,
    Evidence,
    Replacement,
    Subject,
    Work,
)
from kit.money import Money

_SUBJECT_FIELDS = (
    "unit_id",
    "lot_id",
    "mask",
    "position",
    "delivery_id",
    "line_id",
    "order_id",
    "merchant_id",
    "channel_id",
    "claimant",
    "sku",
    "name",
    "pool_id",
    "quantity",
    "recipient_public_key",
    "locale",
    "is_refunded",
)
SUBJECT_COLUMNS = """
    u.unit_id, u.lot_id, u.mask, u.position, u.delivery_id, d.line_id, d.order_id, d.merchant_id,
    r.channel_id, coalesce(nullif(r.customer_id, ''), CAST(r.order_id AS text)) AS claimant,
    d.sku, d.name, d.pool_id, d.quantity, r.recipient_public_key, r.locale,
    d.refunded_at IS NOT NULL AS is_refunded
"""
_PLAIN = (
    "id",
    "note",
    "opened_by",
    "created_at",
    "decided_by",
    "decided_at",
    "decision_reason",
    "waits",
    "revoked_at",
    "closed_at",
    "generation",
    "attempts",
    "lease_id",
)
_EVIDENCE = (
    "supplier",
    "sold_at",
    "views",
    "first_viewed_at",
    "last_viewed_at",
    "handed_out_at",
    "lot_sold",
    "lot_claims",
    "buyer_claims",
)
_OTHERS = (
    "reason",
    "state",
    "decision",
    "work",
    "cost_minor",
    "currency",
    "replacement_unit_id",
    "replacement_lot_id",
    "replacement_mask",
    "replacement_cost_minor",
    "replacement_currency",
)
COLUMNS = ", ".join(f"c.{name}" for name in (*_PLAIN, *_EVIDENCE, *_OTHERS)) + "," + SUBJECT_COLUMNS


def subject_of(row: Row[Any]) -> Subject:
    """Of a row with SUBJECT_COLUMNS."""
    return Subject(**{name: getattr(row, name) for name in _SUBJECT_FIELDS})


def claim_of(row: Row[Any]) -> Claim:
    """Of a row with COLUMNS."""
    return Claim(
        **{name: getattr(row, name) for name in _PLAIN},
        subject=subject_of(row),
        reason=ClaimReason(row.reason),
        state=ClaimState(row.state),
        decision=Decision(row.decision) if row.decision else None,
        work=Work(row.work),
        evidence=_evidence(row),
        replacement=_replacement(row),
    )


def _evidence(row: Row[Any]) -> Evidence | None:
    if row.sold_at is None:
        return None
    values = {name: getattr(row, name) for name in _EVIDENCE}
    return Evidence(**values, unit_cost=Money(row.cost_minor, row.currency))


def _replacement(row: Row[Any]) -> Replacement | None:
    if row.replacement_unit_id is None:
        return None
    return Replacement(
        unit_id=row.replacement_unit_id,
        lot_id=row.replacement_lot_id,
        mask=row.replacement_mask,
        cost=Money(row.replacement_cost_minor, row.replacement_currency),
    )
