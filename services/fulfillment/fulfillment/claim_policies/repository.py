"""SQL of the policies."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from fulfillment.claim_policies.domain import ClaimPolicy, WhenShort
from kit.db import Transaction

_FIELDS = tuple(field.name for field in fields(ClaimPolicy))
_COLUMNS = ", ".join(_FIELDS)


async def put(tx: Transaction, policy: ClaimPolicy) -> None:
    await tx.execute(_PUT, {name: getattr(policy, name) for name in _FIELDS})


async def list_of(
    tx: Transaction, merchant_id: UUID, *, after: str | None, limit: int
) -> list[ClaimPolicy]:
    """By SKU, the one for every product first."""
    values = {"merchant_id": merchant_id, "after": after, "limit": limit}
    return [_policy(row) for row in await tx.execute(_LIST, values)]


async def find_many(tx: Transaction, keys: Sequence[tuple[UUID, str]]) -> list[ClaimPolicy]:
    """Those that are set of these (merchant, SKU) and of their merchants' for every product."""
    values = {"merchants": [key[0] for key in keys], "skus": [key[1] for key in keys]}
    return [_policy(row) for row in await tx.execute(_FIND, values)]


def _policy(row: Row[Any]) -> ClaimPolicy:
    values = {name: getattr(row, name) for name in _FIELDS}
    return ClaimPolicy(**{**values, "when_short": WhenShort(row.when_short)})


_PUT = text(
    f"""
    INSERT INTO claim_policy ({_COLUMNS})
    VALUES ({", ".join(f":{name}" for name in _FIELDS)})
    ON CONFLICT (merchant_id, sku) DO UPDATE SET
      ({", ".join(_FIELDS[2:])}) = ROW({", ".join(f"excluded.{name}" for name in _FIELDS[2:])}),
      updated_at = clock_timestamp()
    """  # noqa: S608 - column names of this file
)
_LIST = text(
    f"""
    SELECT {_COLUMNS} FROM claim_policy
    WHERE merchant_id = :merchant_id AND (CAST(:after AS text) IS NULL OR sku > :after)
    ORDER BY sku LIMIT :limit
    """  # noqa: S608 - column names of this file
)
_FIND = text(
    f"""
    SELECT {_COLUMNS} FROM claim_policy
    WHERE (merchant_id, sku) IN (
      SELECT * FROM unnest(CAST(:merchants AS uuid[]), CAST(:skus AS text[]))
      UNION SELECT w.merchant_id, '' FROM unnest(CAST(:merchants AS uuid[])) AS w(merchant_id))
    """  # noqa: S608 - column names of this file
)
