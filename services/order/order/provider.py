"""Payment providers: one folder each under `order/providers`, found by name; no list of them.

A folder's `provider.py` exports PROVIDER. Loading fails at start, not at the first payment.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from importlib import import_module
from typing import Protocol, cast

from order.refunds.domain import Refund

CHANNEL = "channel"
"""The provider behind a trusted channel's word; always there."""


class RefundOutcome(StrEnum):
    DONE = "done"
    UNKNOWN = "unknown"  # no definite answer: ask again by the same refund id, never by a new one
    REFUSED = "refused"  # a definite no: the provider wants something changed before it pays back


class Provider(Protocol):
    """How money comes and goes back."""

    name: str
    takes_word: bool
    """Whether a caller's word that money came is believed, whatever the channel's trust."""

    async def refund(self, refund: Refund) -> RefundOutcome:
        """Gives money back, or asks what became of it: idempotent by `refund.id`.

        May call the outside world; raises nothing for an unclear outcome, it answers UNKNOWN.
        """
        ...


def load_providers(names: Iterable[str]) -> Mapping[str, Provider]:
    """The named providers and the channel's. Raises ModuleNotFoundError for an unknown name."""
    wanted = {CHANNEL, *names}
    return {
        name: cast(Provider, import_module(f"order.providers.{name}.provider").PROVIDER)
        for name in sorted(wanted)
    }
