"""Random orders with all that may happen to them, as events, and what the books must come to.

What is expected is reckoned here from the story of each order, never from the posting rules.
`generate(seed, count)` is the same for the same seed.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from kit.ids import new_id
from kit.messaging.events import Event
from lockstock.common.v1.money_pb2 import Money
from lockstock.inventory_vault.v1.stock_events_pb2 import StockImported, StockWrittenOff
from lockstock.order.v1.order_events_pb2 import (
    LotCost,
    OrderCompleted,
    OrderPaid,
    OrderPartiallyCompleted,
    OrderRefunded,
    PaidLine,
    PaymentReceived,
    SettledLine,
)
from tests.ledger.factories import NOON
from tests.ledger.random_aftersales import AfterSales
from tests.ledger.random_telling import SUPPLIERS
from tests.ledger.stories import Key, LineStory, Lot, OrderStory, buyer, clearing, ids

GROUPS = ("", "vip", "reseller")
PRODUCTS_MAX = 12
DAYS = 40
"""How many days the orders are spread over."""


class RandomOrders(AfterSales):
    """A merchant with channels, products and lots, and orders for them."""

    def __init__(self, seed: int, merchant_id: UUID, *, channels: int = 3, lots: int = 30) -> None:
        super().__init__(seed, merchant_id)
        self.channels = [new_id() for _ in range(channels)]
        self.products = [new_id() for _ in range(PRODUCTS_MAX)]
        self.balances: Counter[Key] = Counter()
        self.lots = [self._lot() for _ in range(lots)]

    def stock(self) -> list[Event[Any]]:
        """The imports of all lots, and some losses; adds to `balances`."""
        events = []
        for lot in self.lots:
            quantity = self.random.randint(1, 10_000)
            cost = quantity * lot.unit_cost
            events.append(self._event(self._imported(lot, quantity), lot.id, NOON))
            self._add(self.balances, "inventory", lot.currency, cost)
            self._add(self.balances, f"supplier-payable:{lot.supplier}", lot.currency, -cost)
            if self.random.random() < 0.3:
                events.append(self._event(self._lost(lot), lot.id, NOON))
        return events

    def orders(self, count: int) -> Iterator[OrderStory]:
        for _ in range(count):
            yield self._order()

    # One order

    def _order(self) -> OrderStory:
        rng = self.random
        currency = rng.choice(("CNY", "CNY", "USD", "JPY"))
        story = OrderStory(
            id=new_id(),
            channel_id=rng.choice(self.channels),
            currency=currency,
            at=NOON - timedelta(seconds=rng.randrange(DAYS * 86_400)),
            bearer=rng.choice(("merchant", "merchant", "platform")),
            gives_fee_back=rng.random() < 0.5,
            buyer=f"buyer-{rng.randrange(500)}",
            buyer_group=rng.choice(GROUPS),
            lines=[self._line(currency) for _ in range(rng.randint(1, 3))],
        )
        self._pay(story)
        end = rng.random()
        if end < 0.05:
            return story  # still under way
        if end < 0.12:
            self._refund_all(story)
        else:
            self._settle(story)
            self._after_sales(story)
        return story

    def _line(self, currency: str) -> LineStory:
        rng = self.random
        place = rng.randrange(PRODUCTS_MAX)
        quantity = rng.randint(1, 4)
        total = rng.choice((0, 1, rng.randint(1, 100_000)))
        face = rng.choice((1, rng.randint(1, 20_000))) if rng.random() < 0.12 else 0
        costs = [self._cost() for _ in range(rng.randint(0, 2))]
        return LineStory(
            id=new_id(),
            sku=f"SKU-{place}",
            product_id=self.products[place],
            quantity=quantity,
            total=total,
            coupon=rng.choice((0, 0, rng.randint(1, 500))),
            promotion=rng.choice((0, 0, rng.randint(1, 500))),
            fee=rng.randint(0, total // 20) if total else 0,
            is_delivered=rng.random() < 0.9,
            costs=_vouchers(face, quantity, currency) if face else costs,
            face=face,
        )

    def _cost(self) -> LotCost:
        rng = self.random
        lot = rng.choice(self.lots)
        unit_cost = Money(amount_minor=lot.unit_cost, currency=lot.currency)
        quantity = rng.randint(1, 3)
        if rng.random() < 0.2:
            return LotCost(
                quantity=1, unit_cost=unit_cost, supplier=lot.supplier, purchase_id=str(new_id())
            )
        return LotCost(lot_id=str(lot.id), quantity=quantity, unit_cost=unit_cost)

    def _pay(self, story: OrderStory) -> None:
        total = sum(line.total for line in story.lines)
        earlier = 0
        if total > 1 and self.random.random() < 0.15:
            earlier = self.random.randint(1, total - 1)
            self._tell(
                story,
                PaymentReceived(
                    payment_id=str(new_id()),
                    amount=self._money(earlier, story),
                    kind=PaymentReceived.Kind.KIND_PART,
                    **ids(story, self.merchant_id),
                ),
            )
        paid = [
            PaidLine(
                line_id=str(line.id),
                product_id=str(line.product_id),
                sku=line.sku,
                quantity=line.quantity,
                total=self._money(line.total, story),
                fee=self._money(line.fee, story) if line.fee else None,
            )
            for line in story.lines
        ]
        self._tell(
            story,
            OrderPaid(
                amount=self._money(total, story),
                earlier=self._money(earlier, story),
                lines=paid,
                fee_bearer=story.bearer,
                **buyer(story),
                **ids(story, self.merchant_id),
            ),
        )
        self._book(story, clearing(story), total)
        self._book(story, "customer-deposits", -total)
        for line in story.lines:
            self._fee(story, line, line.fee)

    def _refund_all(self, story: OrderStory) -> None:
        for line in story.lines:
            line.is_delivered = False
        total = sum(line.total for line in story.lines)
        self._tell(
            story,
            OrderRefunded(
                amount=self._money(total, story),
                lines=self._settled_lines(story),
                fee_bearer=story.bearer,
                **buyer(story),
                **ids(story, self.merchant_id),
            ),
        )
        self._back(story, total)

    def _back(self, story: OrderStory, amount: int) -> None:
        self._book(story, "customer-deposits", amount)
        self._book(story, clearing(story), -amount)
        if story.gives_fee_back:
            for line in story.lines:
                if not line.is_delivered:
                    self._fee(story, line, -line.fee)

    def _settle(self, story: OrderStory) -> None:
        refunded = sum(line.total for line in story.lines if not line.is_delivered)
        common: dict[str, Any] = {
            "lines": self._settled_lines(story),
            **buyer(story),
            **ids(story, self.merchant_id),
        }
        if all(line.is_delivered for line in story.lines):
            self._tell(story, OrderCompleted(**common))
        else:
            back = self._money(refunded, story)
            self._tell(
                story, OrderPartiallyCompleted(refunded=back, fee_bearer=story.bearer, **common)
            )
            self._back(story, refunded)
        for line in story.lines:
            if line.is_delivered:
                self._sold(story, line)

    def _settled_lines(self, story: OrderStory) -> list[SettledLine]:
        settled = []
        for line in story.lines:
            back = 0 if line.is_delivered or not story.gives_fee_back else line.fee
            settled.append(
                SettledLine(
                    line_id=str(line.id),
                    product_id=str(line.product_id),
                    sku=line.sku,
                    quantity=line.quantity,
                    total=self._money(line.total, story),
                    delivered=line.is_delivered,
                    costs=line.costs if line.is_delivered else (),
                    coupon_discount=self._money(line.coupon, story) if line.coupon else None,
                    promotion_discount=(
                        self._money(line.promotion, story) if line.promotion else None
                    ),
                    fee_returned=self._money(back, story) if back else None,
                )
            )
        return settled

    def _sold(self, story: OrderStory, line: LineStory) -> None:
        self._book(story, "customer-deposits", line.total)
        self._book(story, "discounts:coupon", line.coupon)
        self._book(story, "discounts:promotion", line.promotion)
        self._book(story, "revenue", -line.total - line.coupon - line.promotion)
        line.margin[story.currency] += line.total
        if line.face:
            # Earned when it is used; what it was sold below its worth is a discount.
            worth = line.face * line.quantity
            self._book(story, "revenue", line.total)
            self._book(story, "discounts:voucher", worth - line.total)
            self._book(story, "deferred-revenue", -worth)
            line.margin[story.currency] -= worth
        for cost in line.costs:
            amount, currency = cost.unit_cost.amount_minor * cost.quantity, cost.unit_cost.currency
            source = "inventory" if cost.lot_id else f"supplier-payable:{cost.supplier}"
            self._add(story.balances, "cost-of-goods", currency, amount)
            self._add(story.balances, source, currency, -amount)
            line.margin[currency] -= amount

    def _lot(self) -> Lot:
        rng = self.random
        return Lot(
            new_id(), rng.choice(SUPPLIERS), rng.randint(1, 5_000), rng.choice(("CNY", "USD"))
        )

    def _imported(self, lot: Lot, quantity: int) -> StockImported:
        return StockImported(
            lot_id=str(lot.id),
            pool_id=str(new_id()),
            merchant_id=str(self.merchant_id),
            supplier=lot.supplier,
            quantity=quantity,
            unit_cost=Money(amount_minor=lot.unit_cost, currency=lot.currency),
            total_cost=Money(amount_minor=lot.unit_cost * quantity, currency=lot.currency),
        )

    def _lost(self, lot: Lot) -> StockWrittenOff:
        quantity = self.random.randint(1, 20)
        is_expired = self.random.random() < 0.5
        reason = StockWrittenOff.Reason
        cost = quantity * lot.unit_cost
        account = "stock-losses:expired" if is_expired else "stock-losses:voided"
        self._add(self.balances, account, lot.currency, cost)
        self._add(self.balances, "inventory", lot.currency, -cost)
        return StockWrittenOff(
            write_off_id=str(new_id()),
            lot_id=str(lot.id),
            merchant_id=str(self.merchant_id),
            supplier=lot.supplier,
            reason=reason.REASON_EXPIRED if is_expired else reason.REASON_VOIDED,
            quantity=quantity,
            cost=Money(amount_minor=cost, currency=lot.currency),
        )


def _vouchers(face: int, quantity: int, currency: str) -> list[LotCost]:
    """Own ones, made here for nothing, of one lot or two."""
    first = (quantity + 1) // 2
    return [
        LotCost(
            lot_id=str(new_id()),
            quantity=part,
            unit_cost=Money(amount_minor=0, currency=currency),
            face_value=Money(amount_minor=face, currency=currency),
            supplier="own",
        )
        for part in (first, quantity - first)
        if part
    ]
