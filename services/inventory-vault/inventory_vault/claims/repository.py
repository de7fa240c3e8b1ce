from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import text

from inventory_vault.claims.domain import Claim
from kit.db import Transaction
from kit.ids import new_id


async def note_sold_partly(tx: Transaction, sold: Mapping[UUID, Sequence[int]]) -> None:
    """How many of each line are sold, in the order of their numbers; of locked reservations."""
    for reservation_id, quantities in sold.items():
        await tx.execute(_NOTE_SOLD_PARTLY, {"id": reservation_id, "sold": list(quantities)})


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
    "UPDATE reservation SET sold_quantities = CAST(:sold AS int[]) WHERE id = :id"
)

_ADD_HANDOUTS = text(
    """
    INSERT INTO handout (id, merchant_id, reservation_id, recipient_public_key, requested_by)
    SELECT * FROM unnest(
      CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]), CAST(:reservations AS uuid[]),
      CAST(:keys AS bytea[]), CAST(:callers AS text[]))
    """
)
