"""Setting up merchants' own systems, and handing them to whom calls."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from fulfillment.fulfillers.domain import (
    Fulfiller,
    FulfillerNotFound,
    FulfillerUrlNotAllowed,
    Station,
)
from fulfillment.fulfillers.repository import FulfillerRepository
from fulfillment.webhook_signatures import Scheme, SigningKey, new_key
from kit.db import Transaction
from kit.outward import NotAllowed, Rules, target_of


class FulfillerService:
    """`rules`: which URLs may be called at all."""

    def __init__(self, repository: FulfillerRepository, rules: Rules) -> None:
        self._repository = repository
        self._rules = rules

    async def create(self, tx: Transaction, fulfiller: Fulfiller) -> tuple[Fulfiller, SigningKey]:
        """With a new key. Raises FulfillerUrlNotAllowed, FulfillerNameTaken."""
        self._check(fulfiller)
        key = new_key(Scheme.HMAC)
        return await self._repository.add(tx, fulfiller, key), key

    async def change(
        self, tx: Transaction, merchant_id: UUID, fulfiller_id: UUID, values: Mapping[str, Any]
    ) -> Fulfiller:
        """With these values replaced. Raises FulfillerNotFound, FulfillerUrlNotAllowed."""
        found = await self._lock(tx, merchant_id, fulfiller_id)
        changed = replace(found, **values)
        self._check(changed)
        return await self._repository.change(tx, changed, None)

    async def rotate(
        self, tx: Transaction, merchant_id: UUID, fulfiller_id: UUID
    ) -> tuple[Fulfiller, SigningKey]:
        """A new key at once: a call that is refused meanwhile is made again. Raises
        FulfillerNotFound.
        """
        found = await self._lock(tx, merchant_id, fulfiller_id)
        key = new_key(Scheme.HMAC)
        return await self._repository.change(tx, found, key), key

    async def get(self, tx: Transaction, merchant_id: UUID, fulfiller_id: UUID) -> Fulfiller:
        """Raises FulfillerNotFound."""
        found = await self._repository.find(tx, merchant_id, fulfiller_id)
        if found is None:
            raise FulfillerNotFound
        return found

    async def list_fulfillers(
        self, tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
    ) -> Sequence[Fulfiller]:
        """The merchant's fulfillers, newest first."""
        return await self._repository.list_fulfillers(tx, merchant_id, after=after, limit=limit)

    async def find_stations(
        self, tx: Transaction, wanted: Sequence[tuple[UUID, str]]
    ) -> Mapping[tuple[UUID, str], Station]:
        """By merchant and name; one that does not exist or is switched off is not in it."""
        found = await self._repository.find_named(tx, wanted)
        return {key: each for key, each in found.items() if each.fulfiller.is_enabled}

    async def _lock(self, tx: Transaction, merchant_id: UUID, fulfiller_id: UUID) -> Fulfiller:
        found = await self._repository.lock(tx, merchant_id, fulfiller_id)
        if found is None:
            raise FulfillerNotFound
        return found

    def _check(self, fulfiller: Fulfiller) -> None:
        try:
            target_of(fulfiller.url, self._rules)
        except NotAllowed as error:
            raise FulfillerUrlNotAllowed(reason=str(error)) from error
