from collections.abc import Iterable, Sequence
from uuid import UUID

from kit.db import Transaction
from kit.ids import new_id
from order.merchants import repository
from order.merchants.domain import Channel, Merchant, MerchantNotFound


async def create_merchant(tx: Transaction, name: str) -> Merchant:
    return await repository.add_merchant(tx, new_id(), name)


async def ensure_merchant(tx: Transaction, merchant_id: UUID, name: str) -> None:
    """A merchant with this id exists afterwards."""
    await repository.ensure_merchant(tx, merchant_id, name)


async def ensure_channel(
    tx: Transaction, channel_id: UUID, merchant_id: UUID, name: str, kind: str, *, is_trusted: bool
) -> None:
    """A channel with this id exists afterwards."""
    await repository.ensure_channel(tx, channel_id, merchant_id, name, kind, is_trusted=is_trusted)


async def get_merchant(tx: Transaction, merchant_id: UUID) -> Merchant:
    """Raises MerchantNotFound."""
    merchant = await repository.find_merchant(tx, merchant_id)
    if merchant is None:
        raise MerchantNotFound(merchant_id=str(merchant_id))
    return merchant


async def list_merchants(tx: Transaction, *, after: UUID | None, limit: int) -> Sequence[Merchant]:
    return await repository.list_merchants(tx, after=after, limit=limit)


async def create_channel(
    tx: Transaction, merchant_id: UUID, name: str, kind: str, *, is_trusted: bool
) -> Channel:
    """Raises MerchantNotFound."""
    await get_merchant(tx, merchant_id)
    return await repository.add_channel(
        tx, new_id(), merchant_id, name, kind, is_trusted=is_trusted
    )


async def list_channels(
    tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[Channel]:
    return await repository.list_channels(tx, merchant_id, after=after, limit=limit)


async def find_channels(tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, Channel]:
    return await repository.find_channels(tx, ids)
