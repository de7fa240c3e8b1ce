"""Reads what prices depend on, for any number of questions in a constant number of statements."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from kit.db import Transaction
from kit.errors import DomainError
from order.coupons import service as coupons
from order.coupons.domain import CodeKeeper, Guess, Limit, Shown
from order.price_rules import service as price_rules
from order.price_rules.domain import Ladder, Rule
from order.price_rules.service import RuleShelf, Shelves
from order.prices.domain import PriceBasis, Question, ShownCode
from order.unit_prices.domain import Facts

_Codes = dict[int, "list[Shown | None] | DomainError"]


class PriceReader:
    """Built in app.py; keeps the rules of merchants that sold lately."""

    def __init__(self, keeper: CodeKeeper) -> None:
        self._keeper = keeper
        self._shelf = RuleShelf()

    async def ask_many(
        self, tx: Transaction, questions: Sequence[Question]
    ) -> list[PriceBasis | DomainError]:
        """Answers TooManyMisses to who guesses codes.

        One statement for merchants without rules. Each of these costs one more, however many
        questions: rules that changed, price lists, budgets; three when codes were shown.
        """
        if not questions:
            return []
        shelves = await self._shelf.read(tx, {it.merchant_id for it in questions})
        entries = await _entries(tx, questions, shelves)
        shown = await self._shown(tx, questions)
        known = await self._coupons(tx, shown)
        limits = await _limits(tx, shelves, known)
        answers: list[PriceBasis | DomainError] = []
        for place, question in enumerate(questions):
            codes = shown.get(place, [])
            if isinstance(codes, DomainError):
                answers.append(codes)
                continue
            told = _told(codes, known, limits)
            facts = _facts(question, shelves, entries, told, limits)
            floors = shelves.of(question.merchant_id).floors
            answers.append(PriceBasis(facts, told, _guess(question) if told else None, floors))
        return answers

    async def _shown(self, tx: Transaction, questions: Sequence[Question]) -> _Codes:
        asking = [(place, it) for place, it in enumerate(questions) if it.codes]
        if not asking:
            return {}
        found = await coupons.find_shown(tx, self._keeper, [_guess(it) for _, it in asking])
        return {place: codes for (place, _), codes in zip(asking, found, strict=True)}

    async def _coupons(self, tx: Transaction, shown: _Codes) -> Mapping[UUID, Rule]:
        ids = {
            code.rule_id
            for codes in shown.values()
            if not isinstance(codes, DomainError)
            for code in codes
            if code is not None
        }
        return await price_rules.find_many(tx, ids) if ids else {}


def _guess(question: Question) -> Guess:
    return Guess(question.merchant_id, question.codes, question.sources)


async def _entries(
    tx: Transaction, questions: Sequence[Question], shelves: Shelves
) -> Mapping[tuple[UUID, str], Ladder]:
    lists = [rule.id for shelf in shelves.found.values() for rule in shelf.book.lists]
    if not lists:
        return {}
    return await price_rules.entries_of(tx, lists, {sku for it in questions for sku in it.products})


async def _limits(
    tx: Transaction, shelves: Shelves, known: Mapping[UUID, Rule]
) -> Mapping[UUID, Limit]:
    limited = {*known}.union(*(shelf.budgets for shelf in shelves.found.values()))
    return await coupons.find_limits(tx, limited) if limited else {}


def _told(
    codes: Sequence[Shown | None], known: Mapping[UUID, Rule], limits: Mapping[UUID, Limit]
) -> tuple[ShownCode, ...]:
    """What does not exist and what is over look alike: strangers learn nothing by trying."""
    told: list[ShownCode] = []
    seen: set[UUID] = set()
    for position, code in enumerate(codes):
        rule = known.get(code.rule_id) if code else None
        if code is None or rule is None:
            told.append(ShownCode(position, None, None, "not_valid"))
            continue
        limit, reason = limits.get(rule.id), ""
        if code.is_spent or limit is None:
            reason = "not_valid"
        elif rule.id in seen:
            reason = "not_combinable"
        elif limit.is_used_up:
            reason = "used_up"
        seen.add(rule.id)
        single = code.code_hash if code.is_single_use else None
        told.append(ShownCode(position, rule, single, reason))
    return tuple(told)


def _facts(
    question: Question,
    shelves: Shelves,
    entries: Mapping[tuple[UUID, str], Ladder],
    told: Sequence[ShownCode],
    limits: Mapping[UUID, Limit],
) -> Facts:
    shelf = shelves.of(question.merchant_id)
    shown = tuple(code.rule for code in told if code.rule is not None and not code.reason)
    limited = shelf.budgets.union(rule.id for rule in shown)
    return Facts(
        products=question.products,
        channel_id=question.channel_id,
        groups=question.groups,
        now=shelves.now,
        book=shelf.book,
        own_list=question.own_list,
        entries=entries,
        rounding=shelf.rounding,
        left={
            rule_id: limit.left
            for rule_id in limited
            if (limit := limits.get(rule_id)) is not None and limit.left is not None
        },
        coupons=shown,
    )
