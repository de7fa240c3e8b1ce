"""What speaks for or against claims, as far as it lies here: counted, and written down once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from fulfillment.claim_evidence import repository
from fulfillment.claims.domain import Claim, Evidence
from kit.db import Transaction


async def count(
    tx: Transaction, claims: Sequence[Claim], days: Sequence[int]
) -> dict[UUID, tuple[int, int, int, int, datetime]]:
    """Per claim: its lot's claims, those since the lot was put back, and their buyers, the claims
    of its buyer in so many days; and the time.
    """
    return await repository.count(tx, claims, days)


async def note(tx: Transaction, known: Sequence[tuple[Claim, Evidence]]) -> None:
    """As it was when the claim was judged: what is there stays."""
    await repository.note_evidence(tx, known)


async def lots_before(tx: Transaction, claim: Claim) -> Sequence[UUID]:
    """The lots of every unit that was in the claimed unit's place."""
    return await repository.lots_before(tx, claim)
