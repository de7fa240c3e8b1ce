"""How much of a product one buyer, address or device may buy within a time."""

from dataclasses import dataclass
from enum import StrEnum


class Per(StrEnum):
    """Whose purchases are counted together."""

    BUYER = "buyer"
    IP = "ip"
    DEVICE = "device"
    EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `quantity` within any `window_hours`."""

    per: Per
    quantity: int
    window_hours: int
