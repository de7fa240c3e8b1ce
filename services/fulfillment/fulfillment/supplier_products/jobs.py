"""Looks at suppliers' accounts: what they have left, what is for sale, at what price."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from fulfillment.connector import (
    NOT_OFFERED,
    Article,
    ListsArticles,
    NotSent,
    TellsBalance,
    Unknown,
)
from fulfillment.supplier_products.domain import Sync
from fulfillment.supplier_products.service import SupplierProductService
from fulfillment.suppliers.domain import Account
from fulfillment.suppliers.service import SupplierService
from kit.db import Database
from kit.logging import get_logger
from kit.money import Money

log = get_logger(__name__)

TOGETHER_MAX = 5
LEASE = timedelta(minutes=10)
PAGES_MAX = 2_000
LOOK_SECONDS_MAX = 480.0


class Looker:
    def __init__(
        self, db: Database, offers: SupplierProductService, suppliers: SupplierService
    ) -> None:
        self._db = db
        self._offers = offers
        self._suppliers = suppliers

    async def run(self) -> bool:
        """One round; True when more accounts may be due."""
        names = self._suppliers.connectors_that(_can_be_looked_at)
        async with self._db.transaction() as tx:
            taken = await self._offers.take_syncs(tx, names, LEASE, TOGETHER_MAX)
            keys = [(sync.merchant_id, sync.supplier) for sync in taken]
            accounts = await self._suppliers.find_accounts(tx, keys) if keys else {}
        looks = [
            self._look(sync, accounts[sync.merchant_id, sync.supplier])
            for sync in taken
            if (sync.merchant_id, sync.supplier) in accounts
        ]
        await asyncio.gather(*looks)
        return len(taken) == TOGETHER_MAX

    async def _look(self, sync: Sync, account: Account) -> None:
        balance, articles, reason = None, None, ""
        try:
            async with asyncio.timeout(LOOK_SECONDS_MAX):
                balance = await _balance_of(account)
                articles, reason = await _articles_of(account)
        except TimeoutError:
            articles, reason = None, "list_too_slow"
        except Exception:
            # A connector that breaks at one account must not keep the others from being seen.
            log.exception("account_not_seen", supplier=sync.supplier)
            articles, reason = None, "connector_failed"
        async with self._db.transaction() as tx:
            await self._offers.note_look(
                tx, sync, balance=balance, articles=articles, reason=reason
            )


def _can_be_looked_at(connector: object) -> bool:
    return isinstance(connector, ListsArticles | TellsBalance)


async def _balance_of(account: Account) -> Money | None:
    if not isinstance(account.connector, TellsBalance):
        return None
    told = await account.connector.balance(account.access)
    return told if isinstance(told, Money) else None


async def _articles_of(account: Account) -> tuple[Mapping[str, Article] | None, str]:
    """The whole list, or why there is none."""
    if not isinstance(account.connector, ListsArticles):
        return None, ""
    found: dict[str, Article] = {}
    cursor: str | None = None
    for _ in range(PAGES_MAX):
        page = await account.connector.articles(account.access, cursor)
        if isinstance(page, Unknown | NotSent):
            return None, "" if page.reason == NOT_OFFERED else page.reason
        found |= {article.sku: article for article in page.articles}
        if page.next_cursor is None:
            return found, ""
        if page.next_cursor == cursor:
            return None, "list_without_end"
        cursor = page.next_cursor
    return None, "list_without_end"
