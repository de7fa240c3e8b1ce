from collections.abc import Iterable, Sequence
from uuid import UUID

from kit.db import Transaction
from ledger.channels.domain import ChannelName
from ledger.channels.repository import ChannelRepository


class ChannelService:
    """Names of channels, as orders told them last; a channel without orders has none."""

    def __init__(self, repository: ChannelRepository) -> None:
        self._repository = repository

    async def tell(self, tx: Transaction, names: Sequence[ChannelName]) -> None:
        """Each channel once; of what was told before and now the newest stays."""
        if names:
            await self._repository.add(tx, names)

    async def names(
        self, tx: Transaction, merchant_id: UUID, channels: Iterable[str | None]
    ) -> dict[str, str]:
        """By the channels' ids, as reports have them; those of the merchant that are known."""
        ids = {UUID(each) for each in channels if each}
        if not ids:
            return {}
        found = await self._repository.names(tx, merchant_id, ids)
        return {str(channel_id): name for channel_id, name in found.items()}
