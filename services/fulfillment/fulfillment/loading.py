"""Kinds, connectors and senders are folders, types of webhooks files: found by name, not listed."""

import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast
from uuid import UUID

from fulfillment import kinds, senders, webhook_types
from fulfillment.connector import Connector
from fulfillment.deliveries.domain import Kind
from fulfillment.fulfiller_calls.service import FulfillerCallService
from fulfillment.inbox.service import InboxService
from fulfillment.manual_tasks.service import ManualTaskService
from fulfillment.outside import Outside
from fulfillment.purchases.service import PurchaseService
from fulfillment.sender import Sender
from fulfillment.supplier_products.service import SupplierProductService
from fulfillment.vault import Vault
from fulfillment.webhook_type import WebhookType
from kit.db import Database
from kit.settings import WrongSetting


@dataclass(frozen=True, slots=True)
class Parts:
    """What a kind may need."""

    db: Database
    vault: Vault
    purchases: PurchaseService
    manual_tasks: ManualTaskService
    fulfiller_calls: FulfillerCallService
    offers: SupplierProductService


def load_kinds(parts: Parts) -> Mapping[str, Kind]:
    """Every folder under `fulfillment/kinds`: its `service.py` has `create(parts)`."""
    names = sorted(found.name for found in pkgutil.iter_modules(kinds.__path__) if found.ispkg)
    made = [cast(Kind, _module(f"kinds.{name}.service").create(parts)) for name in names]
    return {kind.name: kind for kind in made}


def load_connectors(names: Iterable[str], outside: Outside) -> Mapping[str, Connector]:
    """The named folders under `fulfillment/connectors`: each `connector.py` has
    `create(outside)`. Raises WrongSetting at the start, not at the first purchase.
    """
    return {name: cast(Connector, _connector(name).create(outside)) for name in sorted(set(names))}


def _connector(name: str) -> "_Maker":
    try:
        return _module(f"connectors.{name}.connector")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("fulfillment.connectors."):
            raise
        raise WrongSetting(f"FULFILLMENT_CONNECTORS: there is no connector {name!r}") from None


@dataclass(frozen=True, slots=True)
class SenderParts:
    """What a sender may need."""

    db: Database
    outside: Outside
    inbox: InboxService
    public_url: str

    def callback_url(self, sender_id: UUID) -> str:
        """Where a sender's other side says what became of messages."""
        return f"{self.public_url.rstrip('/')}/v1/sender-callbacks/{sender_id}"


def load_senders(parts: SenderParts) -> Mapping[str, Sender]:
    """Every folder under `fulfillment/senders`: its `sender.py` has `create(parts)`."""
    names = sorted(found.name for found in pkgutil.iter_modules(senders.__path__) if found.ispkg)
    return {name: cast(Sender, _module(f"senders.{name}.sender").create(parts)) for name in names}


def load_webhook_types() -> list[WebhookType]:
    """Every file under `fulfillment/webhook_types`: each has a `WEBHOOK`. One type for an event."""
    names = sorted(found.name for found in pkgutil.iter_modules(webhook_types.__path__))
    found = [
        cast(WebhookType, import_module(f"fulfillment.webhook_types.{name}").WEBHOOK)
        for name in names
    ]
    if len({each.event for each in found}) < len(found):
        raise ValueError("two types of webhooks are about the same event")
    return found


class _Maker(Protocol):
    def create(self, given: Any) -> Any:  # what the folder is given and what it makes
        ...


def _module(name: str) -> _Maker:
    return cast(_Maker, import_module(f"fulfillment.{name}"))
