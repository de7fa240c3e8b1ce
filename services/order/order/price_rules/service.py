"""The book of price rules: changes by merchants, reads by orders."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from kit.db import Transaction
from order.merchants import service as merchants
from order.merchants.domain import ChannelNotFound
from order.price_rules import repository
from order.price_rules.domain import (
    ENTRIES_MAX,
    RULES_MAX,
    BadWindow,
    Ladder,
    PromotionTerms,
    Rounding,
    Rule,
    RuleKind,
    RuleNotFound,
    TooManyEntries,
    TooManyRules,
)
from order.unit_prices.domain import NO_RULES, Book, book_of

MERCHANTS_KEPT_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Shelf:
    """A merchant's active rules, as of one edition of its book. `budgets`: the ids of promotions
    with a budget.
    """

    book: Book = NO_RULES
    floors: tuple[Rule, ...] = ()
    budgets: frozenset[UUID] = frozenset()
    rounding: Rounding | None = None
    edition: UUID | None = None


NO_SHELF = Shelf()


@dataclass(frozen=True, slots=True)
class Shelves:
    """The rules of several merchants and the time; `of` answers an empty shelf for one without."""

    now: datetime
    found: Mapping[UUID, Shelf] = field(default_factory=dict)

    def of(self, merchant_id: UUID) -> Shelf:
        return self.found.get(merchant_id, NO_SHELF)


class RuleShelf:
    """Keeps the rules of merchants that sold lately; a change is felt by the next read.

    The read costs one statement by key for all merchants, and one more when rules changed.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[UUID, Shelf] = OrderedDict()

    async def read(self, tx: Transaction, merchant_ids: Iterable[UUID]) -> Shelves:
        """The rules in force and the database's time. At least one merchant."""
        books, now = await repository.find_books(tx, set(merchant_ids))
        found: dict[UUID, Shelf] = {}
        stale: list[UUID] = []
        for merchant_id, (edition, _) in books.items():
            kept = self._kept.get(merchant_id)
            if kept is not None and kept.edition == edition:
                self._kept.move_to_end(merchant_id)
                found[merchant_id] = kept
            else:
                stale.append(merchant_id)
        if stale:
            # Read after the edition: never older than what the edition stands for.
            rules = await repository.rules_of(tx, stale)
            for merchant_id in stale:
                edition, rounding = books[merchant_id]
                shelf = _shelf_of(rules.get(merchant_id, ()), rounding, edition)
                found[merchant_id] = shelf
                self._keep(merchant_id, shelf)
        return Shelves(now, found)

    def _keep(self, merchant_id: UUID, shelf: Shelf) -> None:
        self._kept[merchant_id] = shelf
        self._kept.move_to_end(merchant_id)
        if len(self._kept) > MERCHANTS_KEPT_MAX:
            self._kept.popitem(last=False)


def _shelf_of(rules: Sequence[Rule], rounding: Rounding | None, edition: UUID) -> Shelf:
    """Sorted out once for the many orders that are priced by it."""
    floors = tuple(rule for rule in rules if rule.kind is RuleKind.MARGIN_FLOOR)
    budgets = frozenset(rule.id for rule in rules if _has_budget(rule))
    return Shelf(book_of(rules), floors, budgets, rounding, edition)


def _has_budget(rule: Rule) -> bool:
    return isinstance(rule.terms, PromotionTerms) and rule.terms.budget is not None


async def add(tx: Transaction, rule: Rule) -> Rule:
    """Raises TooManyRules, BadWindow, ChannelNotFound."""
    await _touch(tx, rule.merchant_id, rule.kind)
    await _check(tx, rule)
    await _check_room(tx, rule)
    return await repository.add(tx, rule)


async def edit(
    tx: Transaction,
    merchant_id: UUID,
    kind: RuleKind,
    rule_id: UUID,
    change: Callable[[Rule], Rule],
) -> Rule:
    """The rule's next version; orders placed before keep what they were placed with.

    Raises RuleNotFound, also for another merchant's rule, and what `add` raises.
    """
    await _touch(tx, merchant_id, kind)
    known = await repository.lock(tx, merchant_id, kind, rule_id)
    if known is None:
        raise RuleNotFound(rule_id=str(rule_id))
    rule = change(known)
    await _check(tx, rule)
    if rule.is_active and not known.is_active:
        await _check_room(tx, rule)
    return await repository.update(tx, rule)


async def get(tx: Transaction, merchant_id: UUID, kind: RuleKind, rule_id: UUID) -> Rule:
    """Raises RuleNotFound, also for another merchant's rule."""
    rule = await repository.find(tx, merchant_id, kind, rule_id)
    if rule is None:
        raise RuleNotFound(rule_id=str(rule_id))
    return rule


async def list_rules(
    tx: Transaction, merchant_id: UUID, kind: RuleKind, *, after: UUID | None, limit: int
) -> Sequence[Rule]:
    return await repository.list_rules(tx, merchant_id, kind, after=after, limit=limit)


async def find_many(tx: Transaction, ids: Iterable[UUID]) -> Mapping[UUID, Rule]:
    return await repository.find_many(tx, ids)


async def set_rounding(tx: Transaction, merchant_id: UUID, rounding: Rounding | None) -> None:
    """How all prices that rules make are rounded; None for not at all."""
    await repository.touch_book(tx, merchant_id)
    await repository.set_rounding(tx, merchant_id, rounding)


async def find_rounding(tx: Transaction, merchant_id: UUID) -> Rounding | None:
    return await repository.find_rounding(tx, merchant_id)


async def put_entries(
    tx: Transaction, rule: Rule, entries: Mapping[str, Ladder], removed: Sequence[str] = ()
) -> None:
    """Adds and replaces entries of a price list. Raises TooManyEntries, BadTiers, TiersRise."""
    checked = {sku: ladder.checked() for sku, ladder in entries.items()}
    if removed:
        await repository.remove_entries(tx, rule.id, removed)
    if checked:
        await repository.put_entries(tx, rule, checked)
        if await repository.count_entries(tx, rule.id) > ENTRIES_MAX:
            raise TooManyEntries(entries_max=ENTRIES_MAX)


async def list_entries(
    tx: Transaction, rule: Rule, *, after: str | None, limit: int
) -> Sequence[tuple[str, Ladder]]:
    """By SKU."""
    return await repository.list_entries(tx, rule.id, after=after, limit=limit)


async def entries_of(
    tx: Transaction, list_ids: Iterable[UUID], skus: Iterable[str]
) -> Mapping[tuple[UUID, str], Ladder]:
    """What these price lists say about these SKUs, in one statement."""
    return await repository.entries_of(tx, list_ids, skus)


async def _touch(tx: Transaction, merchant_id: UUID, kind: RuleKind) -> None:
    """Coupons are in no book: orders read those whose code was shown."""
    if kind is not RuleKind.COUPON:
        await repository.touch_book(tx, merchant_id)


async def _check(tx: Transaction, rule: Rule) -> None:
    scope = rule.scope
    if scope.valid_from and scope.valid_to and scope.valid_to <= scope.valid_from:
        errors = [
            {"pointer": "/valid_to", "code": BadWindow.code, "detail": "not after valid_from"}
        ]
        raise BadWindow(errors=errors)
    if scope.channels:
        known = await merchants.find_channels(tx, scope.channels)
        for channel_id in sorted(scope.channels):
            channel = known.get(channel_id)
            if channel is None or channel.merchant_id != rule.merchant_id:
                raise ChannelNotFound(channel_id=str(channel_id))


async def _check_room(tx: Transaction, rule: Rule) -> None:
    if rule.kind is RuleKind.COUPON:
        return
    if await repository.count_active(tx, rule.merchant_id, rule.kind) >= RULES_MAX:
        raise TooManyRules(kind=rule.kind.value, rules_max=RULES_MAX)
