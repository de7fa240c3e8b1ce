from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from ledger.channels.domain import ChannelName

# As a rule nothing is new, and then nothing is written or locked.
_ADD = text("""
    INSERT INTO channel_name (channel_id, merchant_id, name, told_at)
    SELECT given.* FROM unnest(CAST(:channel_id AS uuid[]), CAST(:merchant_id AS uuid[]),
        CAST(:name AS text[]), CAST(:told_at AS timestamptz[]))
        AS given(channel_id, merchant_id, name, told_at)
    LEFT JOIN channel_name AS known ON known.channel_id = given.channel_id
    WHERE known.name IS DISTINCT FROM given.name
    ORDER BY given.channel_id
    ON CONFLICT (channel_id) DO UPDATE SET name = excluded.name, told_at = excluded.told_at
        WHERE channel_name.told_at < excluded.told_at
            AND channel_name.merchant_id = excluded.merchant_id
""")
_NAMES = text("""
    SELECT channel_id, name FROM channel_name
    WHERE merchant_id = :merchant_id AND channel_id = ANY(CAST(:ids AS uuid[]))
""")


class ChannelRepository:
    async def add(self, tx: Transaction, names: Sequence[ChannelName]) -> None:
        """Each channel once."""
        columns = ("channel_id", "merchant_id", "name", "told_at")
        await tx.execute(_ADD, {each: [getattr(it, each) for it in names] for each in columns})

    async def names(
        self, tx: Transaction, merchant_id: UUID, ids: Collection[UUID]
    ) -> dict[UUID, str]:
        rows = await tx.execute(_NAMES, {"merchant_id": merchant_id, "ids": list(ids)})
        return {row.channel_id: row.name for row in rows}
