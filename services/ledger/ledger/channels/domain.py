"""What channels are called: told with each order, for people who read reports."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelName:
    channel_id: UUID
    merchant_id: UUID
    name: str
    told_at: datetime
