"""Merchants own goods and orders; a channel is one way a merchant sells."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kit.errors import Conflict, Denied, NotFound


@dataclass(frozen=True, slots=True)
class Merchant:
    id: UUID
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Channel:
    """`kind` is `shop`, `partner` or a channel adapter's name. The word of a trusted channel that
    money came is believed: it placed the buyer's payment itself."""

    id: UUID
    merchant_id: UUID
    name: str
    kind: str
    is_trusted: bool
    is_active: bool
    created_at: datetime


class MerchantNotFound(NotFound):
    """There is no such merchant."""

    code = "merchant_not_found"


class ChannelNotFound(NotFound):
    """There is no such channel, or it is not yours."""

    code = "channel_not_found"


class ChannelClosed(Conflict):
    """The channel takes no new orders."""

    code = "channel_closed"


class ChannelNotTrusted(Denied):
    """Only a trusted channel's word on payment is believed; others pay through a provider."""

    code = "channel_not_trusted"
