"""Buys what is planned, and looks whether more must be."""

from fulfillment.procurement.domain import Procurement
from fulfillment.procurement.service import ProcurementService
from fulfillment.procurement_rules.domain import Rule, Stand
from fulfillment.procurement_rules.service import RuleService
from fulfillment.vault import Refused
from fulfillment.vault_stock import VaultStock
from kit.db import Database
from kit.errors import Unavailable
from kit.logging import get_logger

log = get_logger(__name__)

TOGETHER_MAX = 20


class Buyer:
    def __init__(self, db: Database, procurements: ProcurementService) -> None:
        self._db = db
        self._procurements = procurements

    async def run(self) -> bool:
        """One round; True when more may be waiting."""
        async with self._db.transaction() as tx:
            taken = await self._procurements.take(tx, TOGETHER_MAX)
        if not taken:
            return False
        await self._attempt(taken)
        return True

    async def _attempt(self, taken: list[Procurement]) -> None:
        try:
            await self._procurements.attempt(self._db, taken)
        except Unavailable:
            raise
        except Exception:
            # Alone, each shows whether it is the cause; its lease ends by itself.
            if len(taken) == 1:
                log.exception("procurement_failed", procurement_id=str(taken[0].id))
                return
            for each in taken:
                await self._attempt([each])


class Watcher:
    def __init__(
        self, db: Database, rules: RuleService, procurements: ProcurementService, vault: VaultStock
    ) -> None:
        self._db = db
        self._rules = rules
        self._procurements = procurements
        self._vault = vault

    async def run(self) -> bool:
        """One round; True when more rules may be due."""
        async with self._db.transaction() as tx:
            taken = await self._rules.take(tx, TOGETHER_MAX)
        for rule in taken:
            await self._look(rule)
        return len(taken) == TOGETHER_MAX

    async def _look(self, rule: Rule) -> None:
        try:
            pool = await self._vault.pool(rule.merchant_id, rule.pool_id)
        except Unavailable:
            # Its lease ends by itself.
            log.warning("pool_not_seen", rule_id=str(rule.id))
            return
        async with self._db.transaction() as tx:
            if isinstance(pool, Refused):
                reason = pool.code
            else:
                stand = Stand(pool.available, pool.sold_per_day, pool.cover_days)
                reason = await self._procurements.plan_by(tx, rule, stand)
            await self._rules.note_look(tx, rule, reason)
