"""The worker: asks the vault for evidence, revokes bad units, reserves and sells new ones.

Each turn: take (the lease and "sent" are committed), call the vault, write down what it said. A
crash anywhere, or silence, leads to the same calls again under the same reference, and to the same
unit: a claim is never replaced twice.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from fulfillment.claims.domain import Claim, Decision, Evidence, Replacement, Waits
from fulfillment.claims.service import ClaimService
from fulfillment.vault import Claim as Sale
from fulfillment.vault import ClaimedUnit, Hold, Refused, Vault, is_for_page
from kit.db import Database
from kit.errors import Unavailable
from kit.logging import get_logger

log = get_logger(__name__)

TAKE_MAX = 20
_GONE = frozenset({"reservation_expired", "reservation_released", "reservation_not_found"})
_OUT_OF_STOCK = "out_of_stock"
_REDEEMED = "unit_redeemed"


class Revoked(StrEnum):
    """What became of taking a unit out of use."""

    DONE = "done"
    REFUSED = "refused"
    # The claim is another worker's by now, and so is what is held for it: it has one reference.
    LEFT = "left"


class ClaimWorker:
    def __init__(self, db: Database, claims: ClaimService, vault: Vault) -> None:
        self._db = db
        self._claims = claims
        self._vault = vault

    async def run(self) -> bool:
        """One round; True when something was done, so that more may be due."""
        async with self._db.transaction() as tx:
            taken = await self._claims.take(tx, TAKE_MAX)
        for claim in taken:
            await self._turn(claim)
        return bool(taken)

    async def _turn(self, claim: Claim) -> None:
        """One claim; what goes wrong with it holds up no other."""
        try:
            await self._work_on(claim)
        except Unavailable as error:
            log.warning("claim_turn_waits", claim_id=str(claim.id), why=error.code)
            await self._postpone(claim, claim.generation)
        except Exception:
            # A bug, or an answer nobody can read: its lease ends and it is tried again, seen here.
            log.exception("claim_turn_failed", claim_id=str(claim.id))

    async def _work_on(self, claim: Claim) -> None:
        if claim.evidence is None:
            found = await self._vault.evidence(claim.merchant_id, claim.subject.unit_id)
            if isinstance(found, Refused):
                await self._hand_over(claim, Waits.REFUSED_BY_VAULT)
                return
            facts = Evidence(
                supplier=found.supplier,
                unit_cost=found.unit_cost,
                sold_at=found.sold_at,
                views=found.views,
                first_viewed_at=found.first_viewed_at,
                last_viewed_at=found.last_viewed_at,
                handed_out_at=found.handed_out_at,
                lot_sold=found.lot_sold,
            )
            async with self._db.transaction() as tx:
                [claim] = await self._claims.assess(tx, [(claim, facts)])
        if claim.decision is Decision.REPLACE:
            await self._replace(claim)
        elif claim.decision is Decision.REFUND:
            await self._refund(claim)

    async def _refund(self, claim: Claim) -> None:
        if await self._revoke(claim) is Revoked.DONE:
            async with self._db.transaction() as tx:
                await self._claims.finish(tx, claim)

    async def _replace(self, claim: Claim) -> None:
        """A unit is held before the old one is revoked: a buyer is not left without either."""
        if claim.is_paid_back:
            await self._hand_over(claim, Waits.LINE_REFUNDED)
            return
        async with self._db.read() as tx:
            lots = await self._claims.lots_before(tx, claim)
        about = claim.subject
        hold = Hold(claim.merchant_id, claim.reference, ((1, about.pool_id, 1),), tuple(lots))
        [held] = await self._vault.reserve([hold])
        if isinstance(held, Refused):
            await self._not_held(claim, held)
            return
        revoked = await self._revoke(claim)
        if revoked is Revoked.REFUSED:
            await self._vault.release(claim.merchant_id, held, "the claim is not granted")
        if revoked is not Revoked.DONE:
            return
        key = about.recipient_public_key
        sale = Sale(claim.merchant_id, held, key)
        [sold] = await self._vault.claim([sale])
        if key and isinstance(sold, Refused) and is_for_page(sold, claim.attempts):
            [sold] = await self._vault.claim([replace(sale, recipient_public_key=None)])
        if isinstance(sold, Refused):
            # Gone for certain: nothing can be sold under this reference any more.
            is_spent = sold.code in _GONE
            log.warning("replacement_not_sold", claim_id=str(claim.id), code=sold.code)
            await self._postpone(claim, claim.generation + is_spent)
            return
        async with self._db.transaction() as tx:
            await self._claims.finish(tx, claim, _replacement(sold))

    async def _not_held(self, claim: Claim, no: Refused) -> None:
        if no.code != _OUT_OF_STOCK:
            await self._hand_over(claim, Waits.REFUSED_BY_VAULT)
            return
        async with self._db.transaction() as tx:
            await self._claims.find_no_stock(tx, claim)

    async def _revoke(self, claim: Claim) -> Revoked:
        """Takes the unit out of use; refused, nothing is given for it."""
        reason = f"claim {claim.id}"
        no = await self._vault.revoke(claim.merchant_id, claim.subject.unit_id, reason)
        if no is not None:
            is_used = no.code == _REDEEMED
            waits = Waits.REDEEMED if is_used else Waits.REFUSED_BY_VAULT
            is_ours = await self._hand_over(claim, waits)
            return Revoked.REFUSED if is_ours else Revoked.LEFT
        async with self._db.transaction() as tx:
            is_ours = await self._claims.note_revoked(tx, claim)
        return Revoked.DONE if is_ours else Revoked.LEFT

    async def _hand_over(self, claim: Claim, waits: Waits) -> bool:
        async with self._db.transaction() as tx:
            return await self._claims.hand_over(tx, claim, waits)

    async def _postpone(self, claim: Claim, generation: int) -> None:
        async with self._db.transaction() as tx:
            await self._claims.postpone(tx, claim, generation=generation)


def _replacement(sold: Sequence[ClaimedUnit]) -> Replacement:
    [unit] = sold
    return Replacement(
        unit_id=unit.unit_id,
        lot_id=unit.lot_id,
        mask=unit.mask,
        cost=unit.unit_cost,
        box=unit.box,
        expires_at=unit.expires_at,
        is_redeemable=unit.is_redeemable,
        face_value=unit.face_value,
    )
