"""Money changed into another currency: each currency balances by itself over its position."""

from datetime import datetime
from fractions import Fraction
from uuid import UUID

from kit.money import Money
from ledger.accounts.domain import FX_GAINS, FX_POSITION, ROUNDING, AccountRef
from ledger.posting_rules.domain import Entry, move, posts
from ledger.transactions.domain import NO_DIMENSIONS, Draft


@posts(
    "money is changed",
    Entry("fx-position", "<account of the given currency>", "", "what is given"),
    Entry("<account of the other currency>", "fx-position", "", "what comes, at the book rate"),
    Entry(
        "<account of the other currency>",
        "fx-gains",
        "",
        "what comes beyond the book rate; the other way round when it is less",
    ),
    Entry(
        "<account of the other currency>",
        "rounding",
        "",
        "the same, when it is no whole minor unit: how the bank rounded",
    ),
)
def exchanged(
    *,
    merchant_id: UUID,
    source: str,
    at: datetime,
    description: str,
    given: tuple[AccountRef, Money],
    received: tuple[AccountRef, Money],
    book_rate: Fraction | None,
) -> Draft:
    """`book_rate`: minor units of what comes for one minor unit of what is given, as it stands in
    the books; the difference to what really came is gained or lost. None: the rate of the exchange.
    """
    (payer, paid), (payee, got) = given, received
    worth = got if book_rate is None else at_rate(paid, book_rate, got.currency)
    is_rounding = book_rate is not None and abs(got.amount_minor - exact(paid, book_rate)) < 1
    return Draft(
        merchant_id=merchant_id,
        source=source,
        at=at,
        description=description,
        postings=[
            *move(FX_POSITION, payer, paid, NO_DIMENSIONS),
            *move(payee, FX_POSITION, worth, NO_DIMENSIONS),
            *move(payee, ROUNDING if is_rounding else FX_GAINS, got - worth, NO_DIMENSIONS),
        ],
    )


def at_rate(money: Money, rate: Fraction, currency: str) -> Money:
    """Rounded to the nearest minor unit, a half to the even one."""
    return Money(round(exact(money, rate)), currency)


def exact(money: Money, rate: Fraction) -> Fraction:
    """Minor units, and what is left of one."""
    return money.amount_minor * rate
