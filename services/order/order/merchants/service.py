from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from kit.db import Transaction
from kit.ids import new_id
from order.merchants import repository
from order.merchants.domain import (
    Channel,
    ChannelNotFound,
    Merchant,
    MerchantNotFound,
)


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
    return _found(await repository.find_merchant(tx, merchant_id), merchant_id)


async def lock_merchant(tx: Transaction, merchant_id: UUID) -> Merchant:
    """Neither suspended nor resumed by others until `tx` ends. Raises MerchantNotFound."""
    return _found(await repository.lock_merchant(tx, merchant_id), merchant_id)


async def list_merchants(tx: Transaction, *, after: UUID | None, limit: int) -> Sequence[Merchant]:
    return await repository.list_merchants(tx, after=after, limit=limit)


async def rename_merchant(tx: Transaction, merchant_id: UUID, name: str | None) -> Merchant:
    """None leaves the name as it is. Raises MerchantNotFound."""
    return _found(await repository.rename_merchant(tx, merchant_id, name), merchant_id)


async def suspend_merchant(tx: Transaction, merchant_id: UUID, reason: str) -> Merchant:
    """Takes no orders from now on; a repeat changes nothing. Its keys are the business of
    `api_keys`, whose `suspend` calls this. Raises MerchantNotFound.
    """
    return _found(await repository.suspend_merchant(tx, merchant_id, reason), merchant_id)


async def resume_merchant(tx: Transaction, merchant_id: UUID) -> Merchant:
    """Raises MerchantNotFound."""
    return _found(await repository.resume_merchant(tx, merchant_id), merchant_id)


async def set_shortage(
    tx: Transaction, merchant_id: UUID, shortage: Mapping[str, Any] | None
) -> None:
    """What is tried for short lines where neither product nor channel says; orders placed before
    keep what they were placed with. Raises MerchantNotFound.
    """
    await get_merchant(tx, merchant_id)
    await repository.set_shortage(tx, merchant_id, shortage)


async def find_shortage(tx: Transaction, merchant_id: UUID) -> Mapping[str, Any] | None:
    return await repository.find_shortage(tx, merchant_id)


async def create_channel(
    tx: Transaction,
    merchant_id: UUID,
    name: str,
    kind: str,
    *,
    is_trusted: bool,
    rules: Mapping[str, Any] | None = None,
) -> Channel:
    """`rules` are further fields of Channel. Raises MerchantNotFound."""
    await get_merchant(tx, merchant_id)
    channel = await repository.add_channel(
        tx, new_id(), merchant_id, name, kind, is_trusted=is_trusted
    )
    return await _write(tx, channel, rules or {})


async def edit_channel(
    tx: Transaction, merchant_id: UUID, channel_id: UUID, changes: Mapping[str, Any]
) -> Channel:
    """Sets the fields of Channel that `changes` names; orders placed before are not touched.

    Raises ChannelNotFound, also for another merchant's channel.
    """
    channel = await repository.lock_channel(tx, merchant_id, channel_id)
    if channel is None:
        raise ChannelNotFound(channel_id=str(channel_id))
    return await _write(tx, channel, changes)


async def get_channel(tx: Transaction, merchant_id: UUID, channel_id: UUID) -> Channel:
    """Raises ChannelNotFound, also for another merchant's channel."""
    channel = (await repository.find_channels(tx, [channel_id])).get(channel_id)
    if channel is None or channel.merchant_id != merchant_id:
        raise ChannelNotFound(channel_id=str(channel_id))
    return channel


async def list_channels(
    tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[Channel]:
    return await repository.list_channels(tx, merchant_id, after=after, limit=limit)


async def find_channels(tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, Channel]:
    return await repository.find_channels(tx, ids)


async def _write(tx: Transaction, channel: Channel, changes: Mapping[str, Any]) -> Channel:
    changed = replace(channel, **changes)
    if changed != channel:
        await repository.update_channel(tx, changed)
    return changed


def _found(merchant: Merchant | None, merchant_id: UUID) -> Merchant:
    if merchant is None:
        raise MerchantNotFound(merchant_id=str(merchant_id))
    return merchant
