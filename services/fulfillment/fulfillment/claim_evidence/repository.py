"""SQL of evidence: a constant number of statements, whatever the batch."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from fulfillment.claims.domain import Claim, Evidence
from kit.db import Transaction


async def count(
    tx: Transaction, claims: Sequence[Claim], days: Sequence[int]
) -> dict[UUID, tuple[int, int, int, int, datetime]]:
    """Per claim: its lot's claims, those since the lot was put back, and their buyers, the claims
    of its buyer in so many days; and the time.
    """
    values = {
        "ids": [claim.id for claim in claims],
        "lots": [claim.subject.lot_id for claim in claims],
        "merchants": [claim.merchant_id for claim in claims],
        "claimants": [claim.subject.claimant for claim in claims],
        "days": list(days),
    }
    return {
        row.id: (row.lot_claims, row.fresh_claims, row.fresh_buyers, row.buyer_claims, row.now)
        for row in await tx.execute(_COUNT, values)
    }


async def note_evidence(tx: Transaction, known: Sequence[tuple[Claim, Evidence]]) -> None:
    facts = [evidence for _, evidence in known]
    names = (
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
    await tx.execute(
        _NOTE_EVIDENCE,
        {
            "ids": [claim.id for claim, _ in known],
            "cost_minor": [it.unit_cost.amount_minor for it in facts],
            "currency": [it.unit_cost.currency for it in facts],
            **{name: [getattr(it, name) for it in facts] for name in names},
        },
    )


async def lots_before(tx: Transaction, claim: Claim) -> list[UUID]:
    """The lots of every unit that was in the claimed unit's place."""
    values = {"delivery_id": claim.subject.delivery_id, "position": claim.subject.position}
    return list((await tx.execute(_LOTS_BEFORE, values)).scalars())


_COUNT = text(
    """
    SELECT w.id, lot.claims AS lot_claims, lot.fresh AS fresh_claims, lot.buyers AS fresh_buyers,
      buyer.claims AS buyer_claims, clock_timestamp() AS now
    FROM unnest(CAST(:ids AS uuid[]), CAST(:lots AS uuid[]), CAST(:merchants AS uuid[]),
      CAST(:claimants AS text[]), CAST(:days AS int[]))
      AS w(id, lot_id, merchant_id, claimant, days)
    CROSS JOIN LATERAL (
      SELECT count(*)::int AS claims, count(*) FILTER (WHERE is_fresh)::int AS fresh,
        count(DISTINCT claimant) FILTER (WHERE is_fresh)::int AS buyers
      FROM (
        SELECT c.claimant, c.created_at > coalesce(
          (SELECT q.restored_at FROM lot_quarantine q WHERE q.lot_id = w.lot_id),
          '-infinity') AS is_fresh
        FROM claim c WHERE c.lot_id = w.lot_id AND c.state NOT IN ('refused', 'withdrawn')) known
    ) lot
    CROSS JOIN LATERAL (
      SELECT count(*)::int AS claims FROM claim c
      WHERE c.merchant_id = w.merchant_id AND c.claimant = w.claimant
        AND c.state <> 'withdrawn'
        AND c.created_at > clock_timestamp() - make_interval(days => w.days)
    ) buyer
    """
)
_NOTE_EVIDENCE = text(
    """
    UPDATE claim c SET (supplier, cost_minor, currency, sold_at, views, first_viewed_at,
      last_viewed_at, handed_out_at, lot_sold, lot_claims, buyer_claims) = ROW(e.supplier,
      e.cost_minor, e.currency, e.sold_at, e.views, e.first_viewed_at, e.last_viewed_at,
      e.handed_out_at, e.lot_sold, e.lot_claims, e.buyer_claims)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:supplier AS text[]), CAST(:cost_minor AS bigint[]),
      CAST(:currency AS text[]), CAST(:sold_at AS timestamptz[]), CAST(:views AS int[]),
      CAST(:first_viewed_at AS timestamptz[]), CAST(:last_viewed_at AS timestamptz[]),
      CAST(:handed_out_at AS timestamptz[]), CAST(:lot_sold AS int[]), CAST(:lot_claims AS int[]),
      CAST(:buyer_claims AS int[]))
      AS e(id, supplier, cost_minor, currency, sold_at, views, first_viewed_at, last_viewed_at,
        handed_out_at, lot_sold, lot_claims, buyer_claims)
    WHERE c.id = e.id AND c.sold_at IS NULL
    """
)
_LOTS_BEFORE = text(
    """
    SELECT DISTINCT lot_id FROM delivered_unit
    WHERE delivery_id = :delivery_id AND position = :position
    """
)
