from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from kit.db import Transaction
from ledger.platform_books import PlatformBooks
from ledger.settlement_rules.domain import Rule, Scope, Terms, divide, rule_for
from ledger.settlement_rules.service import SettlementRuleService
from ledger.splits.domain import (
    DeliveredLine,
    LineFee,
    OpenClaim,
    Refund,
    Split,
    can_be_refunded,
    fee_kept,
    refunded,
    released,
    reserve_freed,
    shared_out,
    split_of,
)
from ledger.splits.repository import SplitRepository, VolumeKey
from ledger.transactions.domain import Draft

RELEASES_MAX = 500
"""Lines per transaction of the jobs."""


class SplitService:
    """Called with the merchants' books locked: so of two events of a line the later one sees what
    the other has written, and shares out both.
    """

    def __init__(
        self,
        repository: SplitRepository,
        rules: SettlementRuleService,
        books: PlatformBooks,
    ) -> None:
        self._repository = repository
        self._rules = rules
        self._books = books

    async def share_out(self, tx: Transaction, lines: Sequence[DeliveredLine]) -> None:
        """Shares out those lines that are new and that a rule covers; then their refunds that were
        told earlier.
        """
        rules = await self._rules_of(tx, [line.sold.merchant_id for line in lines])
        found = {line.line_id: (line, rule_for(rules, line.sold)) for line in lines}
        covered = {key: (line, rule) for key, (line, rule) in found.items() if rule is not None}
        splits = {
            key: split_of(line, rule, divide(rule.terms, line.sold))
            for key, (line, rule) in covered.items()
        }
        if not splits:
            return
        fresh = await self._repository.add(tx, list(splits.values()))
        tiered = [covered[key] for key in covered if key in fresh and covered[key][1].terms.tiers]
        if tiered:
            splits |= await self._reprice(tx, tiered)
        await self._books.post(tx, [shared_out(splits[key]) for key in splits if key in fresh])
        await self._catch_up(tx, list(fresh))

    async def refund(self, tx: Transaction, refunds: Sequence[Refund]) -> None:
        """Each once. Those of lines that nobody told of yet wait for them."""
        known = await self._with_rules(tx, refunds)
        if known:
            await self._repository.add_refunds(tx, known)
            await self._catch_up(tx, list({refund.line_id for refund in known}))

    async def keep_fees(self, tx: Transaction, fees: Sequence[LineFee]) -> None:
        """What channels kept, each line once. It is shared out with its line, or after it.

        Also of merchants without a rule: one may be in force when the line is delivered.
        """
        await self._repository.add_fees(tx, fees)
        await self._catch_up(tx, [fee.line_id for fee in fees])

    async def open_claims(self, tx: Transaction, claims: Sequence[OpenClaim]) -> None:
        """Their lines stay pending until every claim is decided."""
        await self._repository.open_claims(tx, claims)

    async def decide_claims(self, tx: Transaction, claims: Sequence[OpenClaim]) -> None:
        """Also of claims nobody told of yet: told later, they hold nothing."""
        await self._repository.decide_claims(tx, claims)

    async def release(self, tx: Transaction) -> int:
        """What was pending becomes available where the warranty is over; how many lines."""
        merchants = await self._repository.merchants_due(tx, RELEASES_MAX)
        await self._books.lock(tx, merchants)
        due = await self._repository.take_due(tx, merchants, RELEASES_MAX)
        ended = [released(split, now, _held_back(split)) for split, now in due]
        return await self._save(tx, ended)

    async def release_reserves(self, tx: Transaction) -> int:
        """What was held back becomes available in its time; how many lines."""
        merchants = await self._repository.merchants_reserved(tx, RELEASES_MAX)
        await self._books.lock(tx, merchants)
        due = await self._repository.take_reserved(tx, merchants, RELEASES_MAX)
        return await self._save(tx, [reserve_freed(split, now) for split, now in due])

    async def _with_rules(self, tx: Transaction, told: Sequence[Refund]) -> list[Refund]:
        """Those of merchants whose sales are shared out at all."""
        rules = await self._rules_of(tx, [it.merchant_id for it in told])
        merchants = {rule.scope.merchant_id for rule in rules}
        return [it for it in told if None in merchants or it.merchant_id in merchants]

    async def _rules_of(self, tx: Transaction, merchants: Sequence[UUID]) -> list[Rule]:
        return await self._rules.rules_of(tx, list(set(merchants)))

    async def _reprice(
        self, tx: Transaction, tiered: Sequence[tuple[DeliveredLine, Rule]]
    ) -> dict[UUID, Split]:
        """The splits of new lines whose share depends on what was sold in the month before them."""
        volumes: dict[VolumeKey, int] = defaultdict(int)
        for line, rule in tiered:
            volumes[_volume_key(line, rule)] += line.sold.gross_minor
        before = await self._repository.add_volumes(tx, volumes)
        splits: dict[UUID, Split] = {}
        for line, rule in sorted(tiered, key=lambda it: it[0].line_id):
            key = _volume_key(line, rule)
            parts = divide(rule.terms, line.sold, before[key])
            before[key] += line.sold.gross_minor
            splits[line.line_id] = split_of(line, rule, parts)
        await self._repository.reprice(tx, list(splits.values()))
        return splits

    async def _catch_up(self, tx: Transaction, lines: Sequence[UUID]) -> None:
        """What was told of these lines and is not shared out yet: first fees, then refunds."""
        splits = {split.line_id: split for split in await self._repository.lock(tx, lines)}
        if not splits:
            return
        drafts: list[Draft] = []
        fees = await self._repository.take_fees(tx, list(splits))
        for fee in fees:
            splits[fee.line_id], draft = fee_kept(splits[fee.line_id], fee)
            drafts.append(draft)
        waiting = await self._repository.list_waiting(tx, list(splits))
        refunds = [it for it in waiting if can_be_refunded(splits[it.line_id], it)]
        for refund in refunds:
            splits[refund.line_id], draft = refunded(splits[refund.line_id], refund)
            drafts.append(draft)
        if drafts:
            changed = {it.line_id for it in fees} | {it.line_id for it in refunds}
            await self._repository.save(tx, [splits[line_id] for line_id in sorted(changed)])
            await self._repository.mark_applied(tx, refunds)
            await self._books.post(tx, drafts)

    async def _save(self, tx: Transaction, ended: Sequence[tuple[Split, Draft]]) -> int:
        if ended:
            await self._repository.save(tx, [split for split, _ in ended])
            await self._books.post(tx, [draft for _, draft in ended])
        return len(ended)


def _held_back(split: Split) -> int:
    if not split.reserve_days:
        return 0
    return Terms(reserve_basis_points=split.reserve_basis_points).reserve_of(split.pending_minor)


def _volume_key(line: DeliveredLine, rule: Rule) -> VolumeKey:
    sold = line.sold
    return VolumeKey(
        sold.merchant_id, _named(rule.scope), sold.currency, rule.terms.month_of(sold.at)
    )


def _named(scope: Scope) -> str:
    """Of a rule for every merchant each merchant has a volume of its own."""
    parts = (scope.merchant_id, scope.channel_id, scope.product_id)
    return ":".join(str(part or "*") for part in parts)
