from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from kit.db import Transaction
from ledger.settlement_rules.domain import (
    NoSettlementRule,
    Parts,
    Rule,
    Scope,
    SettlementRuleNotFound,
    SoldLine,
    Terms,
    divide,
    in_force,
    rule_for,
)
from ledger.settlement_rules.repository import SettlementRuleRepository


class SettlementRuleService:
    def __init__(self, repository: SettlementRuleRepository) -> None:
        self._repository = repository

    async def add(self, tx: Transaction, rule: Rule) -> Rule:
        """A new version of the rule of its scope. Sales before `valid_from` keep the old one."""
        return await self._repository.add(tx, rule)

    async def get_rule(self, tx: Transaction, merchant_id: UUID | None, rule_id: UUID) -> Rule:
        """Raises SettlementRuleNotFound; a merchant sees its own and those for every merchant."""
        rule = await self._repository.find(tx, rule_id)
        if rule is None or (merchant_id and rule.scope.merchant_id not in (None, merchant_id)):
            raise SettlementRuleNotFound(rule_id=str(rule_id))
        return rule

    async def list_rules(
        self, tx: Transaction, merchant_id: UUID | None, *, before: UUID | None, limit: int
    ) -> list[Rule]:
        """Newest first; with no merchant those of all."""
        return await self._repository.list_rules(tx, merchant_id, before=before, limit=limit)

    async def rules_of(self, tx: Transaction, merchants: Sequence[UUID]) -> list[Rule]:
        """Every version that may concern these merchants; give a line's to `rule_for`."""
        return await self._repository.rules_of(tx, merchants)

    async def general_terms(
        self, tx: Transaction, accounts: Sequence[tuple[UUID, str]], at: datetime
    ) -> dict[tuple[UUID, str], Terms]:
        """(merchant, currency) -> the terms that say when it is paid out: of the merchant's own
        rule in force then, else of the one for every merchant, else the default ones.
        """
        rules = await self._repository.rules_of(tx, list({merchant for merchant, _ in accounts}))
        found = in_force(rules, at)
        terms: dict[tuple[UUID, str], Terms] = {}
        for merchant_id, currency in accounts:
            own = found.get(Scope(merchant_id=merchant_id, currency=currency))
            rule = own or found.get(Scope(merchant_id=None, currency=currency))
            terms[merchant_id, currency] = rule.terms if rule else Terms()
        return terms

    async def try_out(
        self, tx: Transaction, line: SoldLine, volume_minor: int
    ) -> tuple[Rule, Parts]:
        """What a sale would be shared out into now. Raises NoSettlementRule."""
        rule = rule_for(await self._repository.rules_of(tx, [line.merchant_id]), line)
        if rule is None:
            raise NoSettlementRule
        return rule, divide(rule.terms, line, volume_minor)
