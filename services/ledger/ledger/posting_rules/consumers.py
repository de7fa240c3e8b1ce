"""Posts each event by the rule for it; a batch of events is posted together."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from importlib import import_module
from pkgutil import walk_packages
from typing import Any
from uuid import UUID

from kit.db import Transaction
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from ledger.posting_rules import kinds
from ledger.posting_rules.domain import PostingRule
from ledger.transactions.service import TransactionService

# Any: rules of different events are kept together; `handlers` gives each its own.
Rule = PostingRule[Any]


def load_rules() -> list[Rule]:
    """Every rule of the modules under `kinds`: those of events and those that services call."""
    found: list[Rule] = []
    for module in walk_packages(kinds.__path__, f"{kinds.__name__}."):
        if not module.ispkg:
            parts = vars(import_module(module.name)).values()
            found += [part for part in parts if isinstance(part, PostingRule)]
    return found


def handlers(transactions: TransactionService) -> list[Handler]:
    """One for each rule of an event. A second rule for one event is a second transaction of it."""
    return [
        handles(rule.cause, _poster(transactions, rule))
        for rule in load_rules()
        if isinstance(rule.cause, type)
    ]


def locked(handlers: Iterable[Handler], transactions: TransactionService) -> list[Handler]:
    """The same handlers, each batch of whose events first locks the books they are about."""

    async def lock(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        merchants = {UUID(event.merchant_id) for event in events if event.merchant_id}
        await transactions.lock_books(tx, merchants)

    return [replace(handler, first=lock) for handler in handlers]


def _poster(
    transactions: TransactionService, rule: Rule
) -> Callable[[Transaction, Sequence[Event[Any]]], Awaitable[None]]:
    async def post(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        await transactions.post(tx, [rule(event) for event in events])

    return post
