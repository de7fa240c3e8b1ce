"""What happens to an order's money: every order of pay, cancel and expire, in many ways to pay."""

from dataclasses import dataclass
from itertools import permutations

PRICE = 1990
COPIES = 5


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment, told COPIES times at once; a word is told by the shop, else by a provider."""

    suffix: str
    amount: int
    currency: str = "CNY"
    is_word: bool = False


EXACT = (Payment("a", PRICE),)
WAYS_TO_PAY = (
    EXACT,
    EXACT,
    (Payment("a", PRICE, is_word=True),),
    (Payment("a", PRICE + 510),),
    (Payment("a", 990), Payment("b", 1000)),
    (Payment("a", 990),),
    (Payment("a", PRICE, "USD"),),
    (Payment("a", PRICE), Payment("b", PRICE)),
    (Payment("a", PRICE, is_word=True), Payment("b", PRICE)),
    (Payment("a", 990), Payment("b", PRICE)),
)
DEEDS = tuple(
    order for size in (1, 2, 3) for order in permutations(("pay", "cancel", "expire"), size)
)


@dataclass(frozen=True, slots=True)
class Plot:
    """The deeds in their order, or all `at_once`."""

    deeds: tuple[str, ...]
    payments: tuple[Payment, ...]
    at_once: bool


PLOTS = tuple(
    Plot(deeds, payments, at_once)
    for at_once in (True, False)
    for deeds in DEEDS
    for payments in WAYS_TO_PAY
)
