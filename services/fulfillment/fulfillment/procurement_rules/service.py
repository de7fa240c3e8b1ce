"""Rules by which pools are bought for: set up by people, looked at when they are due."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from fulfillment.procurement_rules.domain import Rule, RuleNotFound, check
from fulfillment.procurement_rules.repository import RuleRepository
from kit.db import Transaction
from kit.ids import new_id


class RuleService:
    """Rules by which procurements are planned; `every`: how often each is looked at."""

    def __init__(self, repository: RuleRepository, every: timedelta, lease: timedelta) -> None:
        self._repository = repository
        self._every = every
        self._lease = lease

    async def create(self, tx: Transaction, rule: Rule) -> Rule:
        """Raises RuleTaken, RuleUnsound."""
        check(rule)
        return await self._repository.add(tx, rule)

    async def change(
        self, tx: Transaction, merchant_id: UUID, rule_id: UUID, values: Mapping[str, Any]
    ) -> Rule:
        """Raises RuleNotFound, RuleUnsound."""
        found = await self._repository.find(tx, merchant_id, rule_id, lock=True)
        if found is None:
            raise RuleNotFound
        changed = replace(found, **values)
        check(changed)
        return await self._repository.change(tx, changed)

    async def drop(self, tx: Transaction, merchant_id: UUID, rule_id: UUID) -> None:
        """What it had planned goes on. Raises RuleNotFound."""
        if not await self._repository.drop(tx, merchant_id, rule_id):
            raise RuleNotFound

    async def get(self, tx: Transaction, merchant_id: UUID, rule_id: UUID) -> Rule:
        """Raises RuleNotFound."""
        found = await self._repository.find(tx, merchant_id, rule_id)
        if found is None:
            raise RuleNotFound
        return found

    async def find_of_pool(self, tx: Transaction, merchant_id: UUID, pool_id: UUID) -> Rule | None:
        """The pool's rule, if it has one."""
        return await self._repository.find_of_pool(tx, merchant_id, pool_id)

    async def list_rules(
        self, tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
    ) -> Sequence[Rule]:
        """The merchant's rules, newest first."""
        return await self._repository.list_rules(tx, merchant_id, after=after, limit=limit)

    async def hurry(self, tx: Transaction, pool_ids: Sequence[UUID]) -> None:
        """The vault says that these run short."""
        await self._repository.hurry(tx, pool_ids)

    async def take(self, tx: Transaction, limit: int) -> list[Rule]:
        """Rules that are due, this caller's alone until the lease ends."""
        return await self._repository.take(tx, new_id(), self._lease, limit)

    async def note_look(self, tx: Transaction, rule: Rule, reason: str) -> None:
        """What was made of it; it is looked at again later."""
        await self._repository.note_look(tx, rule, reason, self._every)
