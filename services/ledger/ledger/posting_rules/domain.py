"""What posting rules are made of. Each rule says in words what it posts; README.md's table is made
of these words, and a test holds the postings to them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, ParamSpec

from kit.money import Money
from ledger.accounts.domain import AccountRef
from ledger.transactions.domain import Dimensions, Draft, Posting

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the table. `when` narrows the cause down; parts of an account's code that differ
    from case to case stand in angle brackets.
    """

    debit: str
    credit: str
    about: str
    when: str = ""


@dataclass(frozen=True, slots=True)
class PostingRule(Generic[P]):
    """`cause`: the class of the event that is posted, or words for what a service posts."""

    cause: type | str
    entries: tuple[Entry, ...]
    make: Callable[P, Draft]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Draft:
        return self.make(*args, **kwargs)

    @property
    def name(self) -> str:
        return self.make.__name__


def posts(cause: type | str, *entries: Entry) -> Callable[[Callable[P, Draft]], PostingRule[P]]:
    """Makes a function a posting rule: found by being in a module under `kinds`."""

    def decorate(make: Callable[P, Draft]) -> PostingRule[P]:
        return PostingRule(cause, entries, make)

    return decorate


def move(
    debit: AccountRef,
    credit: AccountRef,
    money: Money,
    about: Dimensions,
    quantity: int | None = None,
) -> Iterator[Posting]:
    """Both sides in the money's own currency; nothing moves when it is nothing, and a negative
    amount moves the other way.
    """
    if money.amount_minor < 0:
        debit, credit, money = credit, debit, Money(-money.amount_minor, money.currency)
    if money.amount_minor:
        yield Posting(debit, money.currency, money.amount_minor, about, quantity)
        yield Posting(credit, money.currency, -money.amount_minor, about, quantity)
