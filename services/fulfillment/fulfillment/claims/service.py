"""Claims: opened by a buyer or a shop, judged by evidence and policy, decided once."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from fulfillment.claim_evidence import service as claim_evidence
from fulfillment.claim_policies.domain import ClaimPolicy, WhenShort
from fulfillment.claim_policies.service import ClaimPolicyService
from fulfillment.claims import events, repository
from fulfillment.claims.domain import (
    BUYER,
    POLICY,
    Claim,
    ClaimDecidedAlready,
    ClaimNotFound,
    ClaimReason,
    ClaimRefusedBefore,
    ClaimState,
    ClaimUnitRevoked,
    Decision,
    Evidence,
    PageClaim,
    Replacement,
    Subject,
    UnitNotClaimable,
    Verdict,
    Waits,
    Work,
    judge,
    scrubbed,
)
from fulfillment.claw_backs.domain import ClawBack
from fulfillment.claw_backs.service import ClawBackService
from fulfillment.deliveries.domain import pause_after
from fulfillment.lot_quarantines.domain import LotFigures
from fulfillment.lot_quarantines.service import LotQuarantineService
from fulfillment.messages.domain import Wanted
from fulfillment.messages.service import MessageService
from kit.db import Transaction
from kit.ids import new_id
from kit.logging import get_logger
from kit.messaging import outbox

log = get_logger(__name__)


class ClaimService:
    """`wake` tells the worker that there is something to do."""

    def __init__(
        self,
        policies: ClaimPolicyService,
        lots: LotQuarantineService,
        claw_backs: ClawBackService,
        messages: MessageService,
        *,
        lease: timedelta,
        pause_max: timedelta,
    ) -> None:
        self._policies = policies
        self._lots = lots
        self._claw_backs = claw_backs
        self._messages = messages
        self._lease = lease
        self._pause_max = pause_max
        self.wake: Callable[[], None] = _nobody

    async def open(
        self,
        tx: Transaction,
        merchant_id: UUID,
        unit_id: UUID,
        reason: ClaimReason,
        note: str,
        *,
        who: str,
    ) -> Claim:
        """A shop's claim; or the open or granted one of the unit. Raises UnitNotClaimable."""
        subject = await repository.find_subject(tx, unit_id, merchant_id=merchant_id, page_id=None)
        if subject is None:
            raise UnitNotClaimable
        return await self._open(tx, subject, reason, note, who)

    async def open_on_page(
        self, tx: Transaction, page_id: UUID, unit_id: UUID, reason: ClaimReason, note: str
    ) -> Claim:
        """The buyer's own claim; answers as `open`. Raises UnitNotClaimable, and ClaimRefusedBefore
        once the seller has said no.
        """
        subject = await repository.find_subject(tx, unit_id, merchant_id=None, page_id=page_id)
        if subject is None:
            raise UnitNotClaimable
        known = await repository.find_of_unit(tx, unit_id)
        if known is not None and known.state is ClaimState.REFUSED:
            raise ClaimRefusedBefore
        return await self._open(tx, subject, reason, note, BUYER)

    async def _open(
        self, tx: Transaction, subject: Subject, reason: ClaimReason, note: str, who: str
    ) -> Claim:
        text = scrubbed(note, subject.mask)
        is_new = await repository.add(tx, new_id(), subject, reason, text, who)
        claim = await repository.find_of_unit(tx, subject.unit_id)
        if claim is None:
            raise UnitNotClaimable
        if is_new:
            _publish(tx, claim, events.claim_opened(claim))
            await self._messages.send(tx, _told(claim, "claim_opened"))
            tx.on_commit(self.wake)
        return claim

    async def get(self, tx: Transaction, merchant_id: UUID, claim_id: UUID) -> Claim:
        """Raises ClaimNotFound."""
        found = await repository.find(tx, merchant_id, claim_id)
        if found is None:
            raise ClaimNotFound
        return found

    async def list_claims(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        state: str | None,
        lot_id: UUID | None,
        order_id: UUID | None,
        waits: bool | None,
        after: UUID | None,
        limit: int,
    ) -> Sequence[Claim]:
        """A merchant's claims, newest first."""
        return await repository.list_of(
            tx,
            merchant_id,
            state=state,
            lot_id=lot_id,
            order_id=order_id,
            waits=waits,
            after=after,
            limit=limit,
        )

    async def list_of_order(self, tx: Transaction, order_id: UUID) -> Sequence[PageClaim]:
        """What the order's page shows of claims."""
        return await repository.list_of_order(tx, order_id)

    async def decide(
        self,
        tx: Transaction,
        merchant_id: UUID,
        claim_id: UUID,
        decision: Decision,
        *,
        reason: str,
        who: str,
    ) -> Claim:
        """Once, whoever comes first; the same decision again changes nothing. Raises ClaimNotFound,
        ClaimDecidedAlready, ClaimUnitRevoked.
        """
        before = await self.get(tx, merchant_id, claim_id)
        if before.revoked_at is not None and not decision.needs_steps and before.decision is None:
            raise ClaimUnitRevoked
        is_new = await repository.decide(tx, merchant_id, claim_id, decision, reason, who)
        claim = await self.get(tx, merchant_id, claim_id)
        if claim.decision is not decision:
            raise ClaimDecidedAlready(
                state=claim.state.value,
                decision=claim.decision.value if claim.decision else None,
            )
        if is_new:
            log.info("claim_decided", claim_id=str(claim_id), decision=decision.value, by=who)
            if claim.state is not ClaimState.OPENED:
                await self._tell_end(tx, claim)
            tx.on_commit(self.wake)
        return claim

    # What the worker needs, who speaks with the vault.

    async def take(self, tx: Transaction, limit: int) -> Sequence[Claim]:
        """Claims that something is to be done about, this caller's alone until the lease ends."""
        return await repository.take_due(tx, new_id(), self._lease, limit)

    async def assess(
        self, tx: Transaction, known: Sequence[tuple[Claim, Evidence]]
    ) -> Sequence[Claim]:
        """Writes evidence down, decides what policies decide, stops lots that are out of line.
        Answers the claims with their evidence.
        """
        products = [(claim.merchant_id, claim.subject.sku) for claim, _ in known]
        policies = await self._policies.of_products(tx, products)
        rules = [policies[product] for product in products]
        counts = await claim_evidence.count(
            tx, [claim for claim, _ in known], [rule.buyer_days for rule in rules]
        )
        judged: list[Claim] = []
        figures: list[tuple[LotFigures, ClaimPolicy]] = []
        for (claim, facts), rule in zip(known, rules, strict=True):
            lot_claims, fresh, buyers, buyer_claims, now = counts[claim.id]
            evidence = replace(facts, lot_claims=lot_claims, buyer_claims=buyer_claims)
            judged.append(replace(claim, evidence=evidence))
            figures.append((_figures(claim, fresh, buyers, evidence.lot_sold), rule))
            if claim.decision is None:
                verdict = judge(rule, evidence, now, is_refunded=claim.subject.is_refunded)
                await self._apply(tx, claim, verdict)
        await claim_evidence.note(
            tx, [(claim, claim.evidence) for claim in judged if claim.evidence]
        )
        await self._lots.consider(tx, figures)
        return judged

    async def _apply(self, tx: Transaction, claim: Claim, verdict: Verdict) -> None:
        await repository.move_on(
            tx,
            claim,
            work=Work.CARRY_OUT if verdict.decision else Work.NOTHING,
            decision=verdict.decision,
            who=POLICY,
            reason=verdict.why,
            waits=verdict.waits,
        )

    async def lots_before(self, tx: Transaction, claim: Claim) -> Sequence[UUID]:
        """The lots that gave bad units in this place already."""
        return await claim_evidence.lots_before(tx, claim)

    async def note_revoked(self, tx: Transaction, claim: Claim) -> bool:
        """The vault has taken the unit out of use; False when the claim is another worker's."""
        return await repository.note_revoked(tx, claim)

    async def finish(
        self, tx: Transaction, claim: Claim, replacement: Replacement | None = None
    ) -> bool:
        """The claim has come to its end as decided: the new unit belongs to the buyer, what the
        supplier owes is noted, the others are told. False when it is another worker's by now.
        """
        if not await repository.close(tx, claim, replacement):
            return False
        closed = await self.get(tx, claim.merchant_id, claim.id)
        owed = closed.owed_by_supplier
        if owed is not None:
            await self._claw_backs.note(tx, [_claw_back(closed, owed)])
        await self._tell_end(tx, replace(closed, replacement=replacement))
        return True

    async def _tell_end(self, tx: Transaction, claim: Claim) -> None:
        """The others, and the buyer."""
        _publish(tx, claim, events.claim_decided(claim))
        if claim.state is ClaimState.REPLACED:
            await self._messages.send(tx, _told(claim, "replaced"))
        elif claim.state in (ClaimState.REFUNDED, ClaimState.REFUSED):
            await self._messages.send(tx, _told(claim, "claim_decided"))

    async def find_no_stock(self, tx: Transaction, claim: Claim) -> None:
        """No other lot has a unit: the policy says whether money goes back or a person looks."""
        product = (claim.merchant_id, claim.subject.sku)
        policy = (await self._policies.of_products(tx, [product]))[product]
        if policy.when_short is WhenShort.REFUND:
            await repository.move_on(
                tx,
                claim,
                work=Work.CARRY_OUT,
                decision=Decision.REFUND,
                who=POLICY,
                reason="no unit of another lot is left",
            )
            tx.on_commit(self.wake)
            return
        await self.hand_over(tx, claim, Waits.OUT_OF_STOCK)

    async def hand_over(self, tx: Transaction, claim: Claim, waits: Waits) -> bool:
        """The vault's no: the decision is taken back and a person looks. False when the claim is
        another worker's by now.
        """
        log.warning("claim_waits", claim_id=str(claim.id), why=waits.value)
        return await repository.move_on(
            tx, claim, work=Work.NOTHING, decision=None, who="", reason="", waits=waits
        )

    async def postpone(self, tx: Transaction, claim: Claim, *, generation: int) -> None:
        """Nothing definite came: tried again after a growing pause."""
        pause = pause_after(claim.attempts, self._pause_max)
        await repository.postpone(tx, claim, pause, generation)


def _nobody() -> None:
    """Nobody is to be woken."""


def _figures(claim: Claim, claims: int, buyers: int, sold: int) -> LotFigures:
    about = claim.subject
    return LotFigures(
        about.merchant_id, about.lot_id, about.sku, about.order_id, claims, buyers, sold
    )


def _claw_back(claim: Claim, owed: Evidence) -> ClawBack:
    about = claim.subject
    return ClawBack(
        claim_id=claim.id,
        merchant_id=about.merchant_id,
        channel_id=about.channel_id,
        order_id=about.order_id,
        lot_id=about.lot_id,
        unit_id=about.unit_id,
        supplier=owed.supplier,
        sku=about.sku,
        amount=owed.unit_cost,
    )


def _told(claim: Claim, purpose: str) -> Wanted:
    """What the buyer is told; not the reason, which is the shop's own note."""
    about = claim.subject
    values: dict[str, str | int] = {"product": about.name}
    if purpose == "claim_decided":
        values |= {"decision": claim.state.value, "amount": "", "note": ""}
    return Wanted(
        about.merchant_id, about.order_id, purpose, values, about.delivery_id, key=str(claim.id)
    )


def _publish(tx: Transaction, claim: Claim, message: events.ClaimEvent) -> None:
    outbox.add(tx, message, key=claim.subject.order_id, merchant_id=claim.merchant_id)
