"""What comes after a sale: refunds, claims, late purchases, and the use of own vouchers."""

from typing import Any

from kit.ids import new_id
from lockstock.common.v1.money_pb2 import Money
from lockstock.fulfillment.v1.claim_events_pb2 import ClaimDecided, ClawBackSettled
from lockstock.fulfillment.v1.delivery_events_pb2 import DeliveredUnit
from lockstock.fulfillment.v1.purchase_events_pb2 import CaseOpened
from lockstock.inventory_vault.v1.redemption_events_pb2 import (
    RedemptionRolledBack,
    VoucherExpired,
    VoucherRedeemed,
)
from lockstock.order.v1.order_events_pb2 import RefundMade
from tests.ledger.random_telling import SUPPLIERS, Teller
from tests.ledger.stories import LineStory, Lot, OrderStory, buyer, clearing, ids


class AfterSales(Teller):
    """Of orders that were delivered. `lots`: what units come from."""

    lots: list[Lot]

    def _after_sales(self, story: OrderStory) -> None:
        rng = self.random
        for line in story.lines:
            if line.is_delivered and line.total and rng.random() < 0.15:
                self._refund_line(story, line)
            if line.is_delivered and rng.random() < 0.08:
                self._claim(story, line)
            if not line.is_delivered and rng.random() < 0.2:
                self._late_success(story)
            if line.is_delivered and line.face:
                for _ in range(line.quantity):
                    self._use_voucher(story, line.face)

    def _refund_line(self, story: OrderStory, line: LineStory) -> None:
        """In one or several parts; the fee comes back in proportion."""
        rng, left = self.random, line.total
        while left and rng.random() < 0.8:
            amount = rng.choice((left, rng.randint(1, left)))
            before = line.total - left
            left -= amount
            fee = 0
            if story.gives_fee_back:
                fee = line.fee * (line.total - left) // line.total - line.fee * before // line.total
            self._tell(
                story,
                RefundMade(
                    refund_id=str(new_id()),
                    amount=self._money(amount, story),
                    kind=RefundMade.Kind.KIND_DELIVERED_LINE,
                    line_id=str(line.id),
                    product_id=str(line.product_id),
                    sku=line.sku,
                    fee_returned=self._money(fee, story) if fee else None,
                    fee_bearer=story.bearer,
                    **buyer(story),
                    **ids(story, self.merchant_id),
                ),
            )
            self._book(story, "refunds", amount)
            self._book(story, clearing(story), -amount)
            line.margin[story.currency] -= amount
            self._fee(story, line, -fee)

    def _claim(self, story: OrderStory, line: LineStory) -> None:
        rng = self.random
        bad, good = rng.choice(self.lots), rng.choice(self.lots)
        claim_id, is_replaced = str(new_id()), rng.random() < 0.6
        owed = Money(amount_minor=bad.unit_cost, currency=bad.currency)
        about: dict[str, Any] = {
            "claim_id": claim_id,
            "lot_id": str(bad.id),
            "sku": line.sku,
            "supplier": bad.supplier,
            **ids(story, self.merchant_id),
        }
        message = ClaimDecided(
            line_id=str(line.id),
            outcome=ClaimDecided.Outcome.OUTCOME_REFUNDED,
            claw_back=owed,
            **about,
        )
        if is_replaced:
            message.outcome = ClaimDecided.Outcome.OUTCOME_REPLACED
            message.replacement.CopyFrom(DeliveredUnit(unit_id=claim_id, lot_id=str(good.id)))
            cost = Money(amount_minor=good.unit_cost, currency=good.currency)
            message.replacement_cost.CopyFrom(cost)
            self._add(story.balances, "cost-of-goods", good.currency, good.unit_cost)
            self._add(story.balances, "inventory", good.currency, -good.unit_cost)
            line.margin[good.currency] -= good.unit_cost
        self._tell(story, message)
        self._claw_back(story, bad, about, owed)

    def _claw_back(self, story: OrderStory, bad: Lot, about: dict[str, Any], owed: Money) -> None:
        answer = self.random.random()
        if answer < 0.3:  # the supplier has not answered
            code = f"supplier-claw-back:{bad.supplier}"
            self._add(story.balances, code, bad.currency, bad.unit_cost)
            self._add(story.balances, "claw-backs-pending", bad.currency, -bad.unit_cost)
            return
        accepted = answer < 0.7
        self._tell(story, ClawBackSettled(amount=owed, accepted=accepted, **about))
        if accepted:
            code = f"supplier-payable:{bad.supplier}"
            self._add(story.balances, code, bad.currency, bad.unit_cost)
            self._add(story.balances, "cost-of-goods", bad.currency, -bad.unit_cost)

    def _late_success(self, story: OrderStory) -> None:
        supplier, cost = self.random.choice(SUPPLIERS), self.random.randint(1, 5_000)
        self._tell(
            story,
            CaseOpened(
                case_id=str(new_id()),
                merchant_id=str(self.merchant_id),
                kind="late_success",
                supplier=supplier,
                purchase_id=str(new_id()),
                order_id=str(story.id),
                amount=self._money(cost, story),
            ),
        )
        self._book(story, "lost-purchases", cost)
        self._book(story, f"supplier-payable:{supplier}", -cost)

    def _use_voucher(self, story: OrderStory, face: int) -> None:
        """It is redeemed in parts, some taken back, and the rest expires; what is taken back after
        that is kept.
        """
        rng, left = self.random, face
        about: dict[str, Any] = {
            "lot_id": str(new_id()),
            "unit_id": str(new_id()),
            "merchant_id": str(self.merchant_id),
        }
        kept: list[dict[str, Any]] = []
        while left and rng.random() < 0.6:
            part = rng.randint(1, left)
            used = {"redemption_id": str(new_id()), "amount": self._money(part, story), **about}
            self._tell(story, VoucherRedeemed(balance=self._money(left - part, story), **used))
            if rng.random() < 0.3:
                self._tell(story, RedemptionRolledBack(**used))
                continue
            left -= part
            kept.append(used)
            self._book_elsewhere(story, "deferred-revenue", part)
            self._book_elsewhere(story, "revenue", -part)
        if rng.random() < 0.5:
            self._expire_voucher(story, left, about, kept)

    def _expire_voucher(
        self, story: OrderStory, left: int, about: dict[str, Any], kept: list[dict[str, Any]]
    ) -> None:
        if left:
            self._tell(story, VoucherExpired(balance=self._money(left, story), **about))
            self._book_elsewhere(story, "deferred-revenue", left)
            self._book_elsewhere(story, "breakage", -left)
        for used in kept:
            if self.random.random() < 0.3:
                self._tell(story, RedemptionRolledBack(is_over=True, **used))
                amount = used["amount"].amount_minor
                self._book_elsewhere(story, "revenue", amount)
                self._book_elsewhere(story, "breakage", -amount)
