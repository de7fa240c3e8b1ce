"""A merchant's own account with a sender of messages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from fulfillment.templates.domain import Channel
from kit.errors import Conflict, Invalid, NotFound


@dataclass(frozen=True, slots=True)
class OwnSender:
    """Its secret is not in here. One of each channel may be enabled."""

    id: UUID
    merchant_id: UUID
    sender: str
    channel: Channel
    settings: Mapping[str, object] = field(repr=False)
    is_enabled: bool = True
    created_at: datetime | None = None


class SenderNotFound(NotFound):
    """There is no such sender, or it is not yours."""

    code = "sender_not_found"


class UnknownSender(Invalid):
    """No sender of this name can be set up by merchants; see `known`."""

    code = "unknown_sender"


class SenderSettingsRefused(Invalid):
    """These settings are not as this sender needs them; `problem` says which."""

    code = "sender_settings_refused"


class ChannelTaken(Conflict):
    """A sender of this channel is enabled already; switch that one off first."""

    code = "channel_taken"
