"""SQL of webhook endpoints. Keys go in sealed and come out for signing only."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from fulfillment.safe import Safe
from fulfillment.webhook_endpoints.domain import (
    ENDPOINTS_MAX,
    LANES,
    Disabled,
    EndpointKey,
    TooManyWebhookEndpoints,
    WebhookEndpoint,
)
from fulfillment.webhook_signatures import Scheme, SigningKey
from kit.db import Transaction

_LAST_ID = UUID(int=2**128 - 1)


class WebhookEndpointRepository:
    def __init__(self, safe: Safe) -> None:
        self._safe = safe

    async def add(self, tx: Transaction, endpoint: WebhookEndpoint) -> WebhookEndpoint:
        """With its keys and lanes. Raises TooManyWebhookEndpoints."""
        # Two that are added at once must both be counted.
        await tx.execute(_ONE_AT_A_TIME, {"merchant_id": endpoint.merchant_id})
        rows = await tx.execute(_ADD, {**_values(endpoint), "most": ENDPOINTS_MAX})
        row = rows.one_or_none()
        if row is None:
            raise TooManyWebhookEndpoints(most=ENDPOINTS_MAX)
        await self.add_keys(tx, endpoint.id, endpoint.keys)
        await tx.execute(_ADD_LANES, {"id": endpoint.id, "lanes": LANES})
        return replace(_endpoint(row), keys=endpoint.keys)

    async def add_keys(
        self, tx: Transaction, endpoint_id: UUID, keys: Sequence[EndpointKey]
    ) -> None:
        await tx.execute(
            _ADD_KEYS,
            {
                "endpoint_id": endpoint_id,
                "id": [each.id for each in keys],
                "scheme": [each.key.scheme.value for each in keys],
                "secret": [self._safe.seal(each.key.raw, each.id) for each in keys],
            },
        )

    async def retire_keys(
        self, tx: Transaction, endpoint_id: UUID, scheme: Scheme, overlap: timedelta
    ) -> None:
        """The key of this scheme that lasts ends after `overlap`; those that were ending are
        gone."""
        values = {"endpoint_id": endpoint_id, "scheme": scheme.value}
        await tx.execute(_DROP_KEYS, values)
        await tx.execute(_END_KEYS, {**values, "overlap": overlap})

    async def change(self, tx: Transaction, endpoint: WebhookEndpoint) -> WebhookEndpoint:
        """Writes what its owner sets; switched on again, it starts with a clean record."""
        rows = await tx.execute(_CHANGE, _values(endpoint))
        return replace(_endpoint(rows.one()), keys=endpoint.keys)

    async def delete(self, tx: Transaction, merchant_id: UUID, endpoint_id: UUID) -> bool:
        """False when there was none."""
        rows = await tx.execute(_DELETE, {"merchant_id": merchant_id, "id": endpoint_id})
        return rows.one_or_none() is not None

    async def lock(
        self, tx: Transaction, merchant_id: UUID, endpoint_id: UUID
    ) -> WebhookEndpoint | None:
        return await self._one(tx, _LOCK, merchant_id, endpoint_id)

    async def find(
        self, tx: Transaction, merchant_id: UUID, endpoint_id: UUID
    ) -> WebhookEndpoint | None:
        return await self._one(tx, _GET, merchant_id, endpoint_id)

    async def list_endpoints(
        self, tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
    ) -> list[WebhookEndpoint]:
        """The newest first."""
        values = {"merchant_id": merchant_id, "after": after or _LAST_ID, "limit": limit}
        found = [_endpoint(row) for row in await tx.execute(_LIST, values)]
        keys = await self.find_keys(tx, [each.id for each in found])
        return [replace(each, keys=keys.get(each.id, ())) for each in found]

    async def find_keys(
        self, tx: Transaction, endpoint_ids: Sequence[UUID]
    ) -> Mapping[UUID, tuple[EndpointKey, ...]]:
        """By endpoint, the keys that sign at present, the oldest first."""
        found: dict[UUID, tuple[EndpointKey, ...]] = {}
        for row in await tx.execute(_KEYS, {"id": list(endpoint_ids)}):
            raw = self._safe.open(row.secret, row.id)
            key = EndpointKey(row.id, SigningKey(Scheme(row.scheme), raw), row.ends_at)
            found[row.endpoint_id] = (*found.get(row.endpoint_id, ()), key)
        return found

    async def _one(
        self, tx: Transaction, statement: Any, merchant_id: UUID, endpoint_id: UUID
    ) -> WebhookEndpoint | None:
        rows = await tx.execute(statement, {"merchant_id": merchant_id, "id": endpoint_id})
        row = rows.one_or_none()
        if row is None:
            return None
        keys = await self.find_keys(tx, [row.id])
        return replace(_endpoint(row), keys=keys.get(row.id, ()))


def _values(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "merchant_id": endpoint.merchant_id,
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": list(endpoint.event_types),
        "disabled_because": endpoint.disabled.value if endpoint.disabled else None,
    }


def _endpoint(row: Any) -> WebhookEndpoint:  # a row has no static type
    return WebhookEndpoint(
        id=row.id,
        merchant_id=row.merchant_id,
        url=row.url,
        description=row.description,
        event_types=tuple(row.event_types),
        disabled=Disabled(row.disabled_because) if row.disabled_because else None,
        disabled_at=row.disabled_at,
        failures=row.failures,
        failing_since=row.failing_since,
        last_success_at=row.last_success_at,
        opens_at=row.opens_at,
        created_at=row.created_at,
    )


_ONE_AT_A_TIME = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('webhook_endpoint:' || "
    "CAST(CAST(:merchant_id AS uuid) AS text), 0))"
)
_ADD = text(
    """
    INSERT INTO webhook_endpoint (id, merchant_id, url, description, event_types, is_enabled,
                                  disabled_because, disabled_at)
    SELECT CAST(:id AS uuid), CAST(:merchant_id AS uuid), CAST(:url AS text),
           CAST(:description AS text), CAST(:event_types AS text[]),
           CAST(:disabled_because AS text) IS NULL, CAST(:disabled_because AS text),
           CASE WHEN CAST(:disabled_because AS text) IS NOT NULL THEN clock_timestamp() END
    WHERE (SELECT count(*) FROM webhook_endpoint
           WHERE merchant_id = CAST(:merchant_id AS uuid) AND deleted_at IS NULL) < :most
    RETURNING *
    """
)
_ADD_LANES = text(
    """
    INSERT INTO webhook_lane (endpoint_id, lane_no)
    SELECT CAST(:id AS uuid), n FROM generate_series(1, CAST(:lanes AS int)) AS n
    """
)
_ADD_KEYS = text(
    """
    INSERT INTO webhook_key (id, endpoint_id, scheme, secret)
    SELECT k.id, CAST(:endpoint_id AS uuid), k.scheme, k.secret
    FROM unnest(CAST(:id AS uuid[]), CAST(:scheme AS text[]), CAST(:secret AS bytea[]))
        AS k (id, scheme, secret)
    """
)
_DROP_KEYS = text(
    """
    DELETE FROM webhook_key
    WHERE endpoint_id = :endpoint_id AND scheme = :scheme AND ends_at IS NOT NULL
    """
)
_END_KEYS = text(
    """
    UPDATE webhook_key SET ends_at = clock_timestamp() + CAST(:overlap AS interval)
    WHERE endpoint_id = :endpoint_id AND scheme = :scheme
    """
)
_CHANGE = text(
    """
    UPDATE webhook_endpoint w
    SET url = :url, description = :description, event_types = CAST(:event_types AS text[]),
        is_enabled = CAST(:disabled_because AS text) IS NULL,
        disabled_because = CAST(:disabled_because AS text),
        disabled_at = CASE WHEN CAST(:disabled_because AS text) IS NOT NULL
                           THEN coalesce(w.disabled_at, clock_timestamp()) END,
        failures = CASE WHEN is_on_again THEN 0 ELSE failures END,
        failing_since = CASE WHEN is_on_again THEN NULL ELSE failing_since END,
        opens_at = CASE WHEN is_on_again THEN clock_timestamp() ELSE opens_at END
    FROM (SELECT NOT is_enabled AND CAST(:disabled_because AS text) IS NULL AS is_on_again
          FROM webhook_endpoint WHERE id = :id) AS was
    WHERE w.id = :id RETURNING w.*
    """
)
_DELETE = text(
    """
    UPDATE webhook_endpoint SET deleted_at = clock_timestamp(), is_enabled = false,
        disabled_because = coalesce(disabled_because, 'by_request'),
        disabled_at = coalesce(disabled_at, clock_timestamp())
    WHERE merchant_id = :merchant_id AND id = :id AND deleted_at IS NULL RETURNING id
    """
)
_READ = "SELECT * FROM webhook_endpoint WHERE merchant_id = :merchant_id AND deleted_at IS NULL"
_GET = text(_READ + " AND id = :id")
_LOCK = text(_READ + " AND id = :id FOR UPDATE")
_LIST = text(_READ + " AND id < :after ORDER BY id DESC LIMIT :limit")
_KEYS = text(
    """
    SELECT id, endpoint_id, scheme, secret, ends_at FROM webhook_key
    WHERE endpoint_id = ANY(CAST(:id AS uuid[]))
      AND (ends_at IS NULL OR ends_at > clock_timestamp())
    ORDER BY endpoint_id, created_at, id
    """
)
