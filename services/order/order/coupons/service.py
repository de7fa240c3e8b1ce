"""Coupons: made and shown by merchants, counted in the transaction that places an order."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from kit.db import Transaction
from kit.ids import new_id
from order.coupons import repository
from order.coupons.domain import (
    MISS_WINDOW_SECONDS,
    MISSES_MAX,
    Batch,
    BatchNotFound,
    CodeKeeper,
    CouponClaim,
    Guess,
    Limit,
    NotSingleUse,
    Refusals,
    Shown,
    TooManyMisses,
    decide,
)
from order.price_rules import service as price_rules
from order.price_rules.domain import CouponTerms, PromotionTerms, Rule, RuleKind

NOT_YET = datetime.min.replace(tzinfo=UTC)


async def create(tx: Transaction, keeper: CodeKeeper, rule: Rule) -> Rule:
    """A coupon, with its shared code when it has one. Raises what price rules raise, CodeTaken."""
    added = await price_rules.add(tx, rule)
    await limit(tx, added)
    terms = added.terms
    assert isinstance(terms, CouponTerms)
    if terms.code is not None:
        hashed = keeper.hash(added.merchant_id, terms.code)
        await repository.add_codes(tx, added.merchant_id, added.id, [hashed])
    return added


async def edit(
    tx: Transaction, merchant_id: UUID, rule_id: UUID, change: Callable[[Rule], Rule]
) -> Rule:
    """The coupon's next version. Raises what price rules raise, LimitBelowUse."""
    rule = await price_rules.edit(tx, merchant_id, RuleKind.COUPON, rule_id, change)
    await limit(tx, rule)
    return rule


async def limit(tx: Transaction, rule: Rule) -> None:
    """Counts the rule's uses from now on, if it is one that has limits. Raises LimitBelowUse."""
    terms = rule.terms
    if isinstance(terms, CouponTerms):
        await repository.put_limit(
            tx,
            rule.id,
            rule.merchant_id,
            uses_max=terms.uses_max,
            uses_per_buyer_max=terms.uses_per_buyer_max,
            budget=terms.budget,
        )
    elif isinstance(terms, PromotionTerms):
        # One without a budget has a row only when it had a budget before.
        await repository.put_budget(tx, rule.id, rule.merchant_id, terms.budget)


async def find_limits(tx: Transaction, rule_ids: Iterable[UUID]) -> Mapping[UUID, Limit]:
    """What was used and given away of those that have limits, in one statement."""
    return await repository.find_limits(tx, rule_ids)


def draft_codes(
    keeper: CodeKeeper, merchant_id: UUID, rule_id: UUID, quantity: int, prefix: str
) -> tuple[Batch, list[bytes]]:
    """A batch and its codes' hashes. Takes a while: run it in a thread, before the transaction."""
    batch = Batch(new_id(), merchant_id, rule_id, quantity, prefix, NOT_YET)
    return batch, [keeper.hash(merchant_id, keeper.code(batch, at)) for at in range(quantity)]


async def add_codes(tx: Transaction, draft: Batch, hashes: Sequence[bytes]) -> Batch:
    """Makes the single-use codes of a draft valid. Raises RuleNotFound, NotSingleUse."""
    rule = await price_rules.get(tx, draft.merchant_id, RuleKind.COUPON, draft.rule_id)
    assert isinstance(rule.terms, CouponTerms)
    if rule.terms.code is not None:
        raise NotSingleUse(rule_id=str(rule.id))
    batch = await repository.add_batch(tx, draft)
    await repository.add_codes(tx, batch.merchant_id, batch.rule_id, hashes, batch.id)
    return batch


async def get_batch(tx: Transaction, merchant_id: UUID, rule_id: UUID, batch_id: UUID) -> Batch:
    """Raises BatchNotFound, also for another merchant's batch."""
    batch = await repository.find_batch(tx, merchant_id, rule_id, batch_id)
    if batch is None:
        raise BatchNotFound(batch_id=str(batch_id))
    return batch


async def list_batches(
    tx: Transaction, merchant_id: UUID, rule_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[Batch]:
    return await repository.list_batches(tx, merchant_id, rule_id, after=after, limit=limit)


async def find_shown(
    tx: Transaction, keeper: CodeKeeper, guesses: Sequence[Guess]
) -> list[list[Shown | None] | TooManyMisses]:
    """Per guess and code what is known of it; None for a code that does not exist.

    Two statements for all. TooManyMisses for who guessed wrong too often lately.
    """
    misses = await repository.count_misses(tx, [(it.merchant_id, it.sources) for it in guesses])
    hashes = [[keeper.hash(it.merchant_id, code) for code in it.codes] for it in guesses]
    found = await repository.find_codes(tx, {each for those in hashes for each in those})
    # Those of one batch count among themselves: none of their misses is written yet.
    fresh: Counter[tuple[UUID, str]] = Counter()
    answers: list[list[Shown | None] | TooManyMisses] = []
    for guess, missed, those in zip(guesses, misses, hashes, strict=True):
        own = [(guess.merchant_id, source) for source in guess.sources]
        if missed + max((fresh[each] for each in own), default=0) >= MISSES_MAX:
            answers.append(TooManyMisses(retry_after_seconds=MISS_WINDOW_SECONDS))
            continue
        shown = [found.get(each) for each in those]
        fresh.update(dict.fromkeys(own, shown.count(None)))
        answers.append(shown)
    return answers


async def miss_many(tx: Transaction, missed: Iterable[tuple[Guess, int]]) -> None:
    """Counts codes that do not exist against whoever showed them."""
    misses: Counter[tuple[UUID, str]] = Counter()
    for guess, count in missed:
        misses.update(dict.fromkeys(((guess.merchant_id, it) for it in guess.sources), count))
    await repository.add_misses(tx, misses)


async def refuse_many(tx: Transaction, claims: Sequence[CouponClaim]) -> Mapping[UUID, Refusals]:
    """Why which orders cannot have what they want; the limits stay locked, so that the others can.

    Call it before the orders are written. Two statements for all; none without a claim.
    """
    if not claims:
        return {}
    rule_ids = {it.rule_id for claim in claims for it in claim.redemptions}
    limits = await repository.lock_limits(tx, rule_ids)
    return decide(claims, limits, await repository.buyer_uses(tx, claims))


async def use_many(tx: Transaction, claims: Sequence[CouponClaim]) -> None:
    """Writes what the placed ones of the orders use; in the transaction of `refuse_many`."""
    if claims:
        await repository.use(tx, claims)


async def give_back(tx: Transaction, *, unpaid: Sequence[UUID], refunded: Sequence[UUID]) -> None:
    """Frees what orders used that ended unpaid, and, where the coupon says so, refunded wholly.

    A repeat frees nothing twice. One statement when none of them used anything.
    """
    if not unpaid and not refunded:
        return
    rule_ids = await repository.rules_used_by(tx, [*unpaid, *refunded])
    if rule_ids:
        await repository.lock_limits(tx, rule_ids)
        await repository.give_back(tx, unpaid=unpaid, refunded=refunded)


async def use_again(tx: Transaction, order_ids: Sequence[UUID]) -> Mapping[UUID, Refusals]:
    """Counts again what orders had given back, of those that still can have it; why the others
    cannot. One statement when none of them used anything.
    """
    claims = await repository.find_returned(tx, order_ids)
    refused = await refuse_many(tx, claims)
    fitting = [claim.order_id for claim in claims if claim.order_id not in refused]
    if fitting:
        await repository.use_again(tx, fitting)
    return refused
