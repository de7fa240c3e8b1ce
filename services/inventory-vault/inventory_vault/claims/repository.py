from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import text

from inventory_vault.claims.domain import Claim
from kit.db import Transaction
from kit.ids import new_id


async def note_sold_partly(tx: Transaction, sold: Mapping[UUID, Sequence[int]]) -> None:
    """How many of each line are sold, in the order of their numbers; of locked reservations."""
    lines = [(id_, units) for id_, quantities in sold.items() for units in quantities]
    await tx.execute(
        _NOTE_SOLD_PARTLY,
        {"ids": [id_ for id_, _ in lines], "units": [units for _, units in lines]},
    )


async def add_handouts(tx: Transaction, claims: Sequence[Claim]) -> list[UUID]:
    """The log of hand-outs: one row per claim with a recipient's key, in the order given."""
    ids = [new_id() for _ in claims]
    await tx.execute(
        _ADD_HANDOUTS,
        {
            "ids": ids,
            "merchants": [claim.merchant_id for claim in claims],
            "reservations": [claim.reservation_id for claim in claims],
            "keys": [claim.recipient_public_key for claim in claims],
            "callers": [claim.requested_by for claim in claims],
        },
    )
    return ids


_NOTE_SOLD_PARTLY = text(
    """
    UPDATE reservation r SET sold_quantities = s.sold
    FROM (
      SELECT id, array_agg(units ORDER BY place) AS sold
      FROM unnest(CAST(:ids AS uuid[]), CAST(:units AS int[])) WITH ORDINALITY
        AS n(id, units, place)
      GROUP BY id
    ) s
    WHERE r.id = s.id
    """
)

_ADD_HANDOUTS = text(
    """
    INSERT INTO handout (id, merchant_id, reservation_id, recipient_public_key, requested_by)
    SELECT * FROM unnest(
      CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]), CAST(:reservations AS uuid[]),
      CAST(:keys AS bytea[]), CAST(:callers AS text[]))
    """
)
