"""What a buyer is told an order would cost, and what must still hold when it is placed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kit.errors import Conflict
from kit.money import Money
from order.coupons.domain import CouponRefused
from order.margins.domain import Shortfall
from order.price_rules.domain import Rule
from order.prices.domain import CouponAnswer, PriceBasis, Priced, PricedLine, coupon_answers

QUOTE_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A line that cannot be bought now, and why."""

    line_no: int
    sku: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Quote:
    """`total` is None when nothing can be bought. It holds neither stock nor price."""

    lines: Sequence[PricedLine]
    unavailable: Sequence[Unavailable]
    coupons: Sequence[CouponAnswer]
    total: Money | None
    valid_until: datetime
    below_floor: Sequence[Shortfall] = ()

    @property
    def document(self) -> Mapping[str, object]:
        """For an answer that is an error: the lines with their totals, the coupons, the total."""
        return {
            "lines": [
                {
                    "line_no": line.line_no,
                    "sku": line.product.sku,
                    "quantity": line.quantity,
                    "unit_price": line.unit_price.amount_minor,
                    "total": line.total.amount_minor,
                }
                for line in self.lines
            ],
            "coupons": [answer.document for answer in self.coupons],
            "total": _document(self.total) if self.total else None,
            "valid_until": self.valid_until.isoformat(),
        }


def quote_of(asked: PriceBasis, priced: Priced) -> Quote:
    return Quote(
        priced.lines, (), coupon_answers(asked.codes, priced), priced.total, valid_until(asked)
    )


def valid_until(asked: PriceBasis) -> datetime:
    """Until a rule begins or ends, at most a quarter of an hour. Rules may be edited before."""
    facts = asked.facts
    rules: list[Rule] = [
        *facts.book.lists,
        *(promotion.rule for promotion in facts.book.promotions),
        *facts.coupons,
    ]
    changes = (rule.scope.next_change(facts.now) for rule in rules)
    at_most = facts.now + timedelta(seconds=QUOTE_SECONDS)
    return min([at_most, *(change for change in changes if change is not None)])


def check_quoted(expected: Money | None, asked: PriceBasis, priced: Priced) -> None:
    """Raises CouponRefused unless every coupon counts, PriceChanged unless the total is that."""
    if asked.codes:
        answers = coupon_answers(asked.codes, priced)
        refused = [answer.document for answer in answers if answer.reason]
        if refused:
            raise CouponRefused(coupons=refused)
    if expected is not None and expected != priced.total:
        raise PriceChanged(
            expected=_document(expected), quote=dict(quote_of(asked, priced).document)
        )


def _document(money: Money) -> dict[str, object]:
    return {"amount": money.amount_minor, "currency": money.currency}


class PriceChanged(Conflict):
    """The order does not cost what was expected; `quote` says what it costs now."""

    code = "price_changed"


class RanOut(Conflict):
    """The last of a coupon or a promotion's budget went to another order; ask for a new quote."""

    code = "price_ran_out"
