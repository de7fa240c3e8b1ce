"""Which rule decides about a claim."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from fulfillment.claim_policies import repository
from fulfillment.claim_policies.domain import EVERY_PRODUCT, ClaimPolicy
from kit.db import Transaction


class ClaimPolicyService:
    async def put(self, tx: Transaction, policy: ClaimPolicy) -> None:
        """From now on; claims that were decided stay so."""
        await repository.put(tx, policy)

    async def list_policies(
        self, tx: Transaction, merchant_id: UUID, *, after: str | None, limit: int
    ) -> Sequence[ClaimPolicy]:
        """What is set, by SKU."""
        return await repository.list_of(tx, merchant_id, after=after, limit=limit)

    async def of_products(
        self, tx: Transaction, keys: Sequence[tuple[UUID, str]]
    ) -> Mapping[tuple[UUID, str], ClaimPolicy]:
        """For each (merchant, SKU): the product's own, else the merchant's, else the defaults."""
        if not keys:
            return {}
        found = {(it.merchant_id, it.sku): it for it in await repository.find_many(tx, keys)}
        return {
            key: found.get(key) or found.get((key[0], EVERY_PRODUCT)) or ClaimPolicy(key[0])
            for key in keys
        }
