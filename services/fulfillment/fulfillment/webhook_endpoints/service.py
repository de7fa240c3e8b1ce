"""Setting up webhook endpoints and their keys."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from fulfillment.webhook_endpoints.domain import (
    Disabled,
    EndpointKey,
    UnknownEventType,
    WebhookEndpoint,
    WebhookEndpointNotFound,
    WebhookUrlNotAllowed,
    unknown_types,
)
from fulfillment.webhook_endpoints.repository import WebhookEndpointRepository
from fulfillment.webhook_signatures import Scheme, new_key
from kit.db import Transaction
from kit.ids import new_id
from kit.outward import NotAllowed, Rules, target_of


class WebhookEndpointService:
    """`types`: what can be told. `rules`: which URLs may be called at all."""

    def __init__(
        self, repository: WebhookEndpointRepository, types: Sequence[str], rules: Rules
    ) -> None:
        self._repository = repository
        self._types = types
        self._rules = rules

    async def create(
        self, tx: Transaction, endpoint: WebhookEndpoint, schemes: Sequence[Scheme]
    ) -> WebhookEndpoint:
        """With a new key for each scheme. Raises WebhookUrlNotAllowed, UnknownEventType,
        TooManyWebhookEndpoints.
        """
        self._check(endpoint)
        keys = tuple(EndpointKey(new_id(), new_key(scheme)) for scheme in sorted(set(schemes)))
        return await self._repository.add(tx, replace(endpoint, keys=keys))

    async def change(
        self, tx: Transaction, merchant_id: UUID, endpoint_id: UUID, values: Mapping[str, Any]
    ) -> WebhookEndpoint:
        """With these values, as the border took them, replaced. Raises WebhookEndpointNotFound and
        as `create`.
        """
        found = await self._repository.lock(tx, merchant_id, endpoint_id)
        if found is None:
            raise WebhookEndpointNotFound
        own = {name: value for name, value in values.items() if name != "is_enabled"}
        changed = replace(found, **own)
        if "is_enabled" in values:
            off = changed.disabled or Disabled.BY_REQUEST
            changed = replace(changed, disabled=None if values["is_enabled"] else off)
        self._check(changed)
        return await self._repository.change(tx, changed)

    async def rotate(
        self,
        tx: Transaction,
        merchant_id: UUID,
        endpoint_id: UUID,
        scheme: Scheme,
        overlap: timedelta,
    ) -> tuple[WebhookEndpoint, EndpointKey]:
        """A new key; the one before signs too until `overlap` is over. Raises
        WebhookEndpointNotFound.
        """
        if await self._repository.lock(tx, merchant_id, endpoint_id) is None:
            raise WebhookEndpointNotFound
        made = EndpointKey(new_id(), new_key(scheme))
        await self._repository.retire_keys(tx, endpoint_id, scheme, overlap)
        await self._repository.add_keys(tx, endpoint_id, [made])
        return await self.get(tx, merchant_id, endpoint_id), made

    async def delete(self, tx: Transaction, merchant_id: UUID, endpoint_id: UUID) -> None:
        """Nothing is sent there any more. Raises WebhookEndpointNotFound."""
        if not await self._repository.delete(tx, merchant_id, endpoint_id):
            raise WebhookEndpointNotFound

    async def get(self, tx: Transaction, merchant_id: UUID, endpoint_id: UUID) -> WebhookEndpoint:
        """Raises WebhookEndpointNotFound."""
        found = await self._repository.find(tx, merchant_id, endpoint_id)
        if found is None:
            raise WebhookEndpointNotFound
        return found

    async def list_endpoints(
        self, tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
    ) -> Sequence[WebhookEndpoint]:
        """The merchant's endpoints, newest first."""
        return await self._repository.list_endpoints(tx, merchant_id, after=after, limit=limit)

    async def find_keys(
        self, tx: Transaction, endpoint_ids: Sequence[UUID]
    ) -> Mapping[UUID, tuple[EndpointKey, ...]]:
        """By endpoint, the keys that sign at present."""
        return await self._repository.find_keys(tx, endpoint_ids)

    def _check(self, endpoint: WebhookEndpoint) -> None:
        try:
            target_of(endpoint.url, self._rules)
        except NotAllowed as error:
            raise WebhookUrlNotAllowed(reason=str(error)) from error
        unknown = unknown_types(endpoint.event_types, self._types)
        if unknown:
            raise UnknownEventType(unknown=unknown)
