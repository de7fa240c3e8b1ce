"""What all provider peers have in common, as the conformance tests use it."""

from dataclasses import dataclass
from typing import Any, Protocol

from tests.order.providers.peers.serving import Mood


@dataclass(frozen=True, slots=True)
class Pushed:
    """A callback as the provider would send it."""

    body: bytes
    headers: dict[str, str]


class ProviderPeer(Protocol):
    """A local stand-in for a provider. `reference` is our checkout's id in hex."""

    name: str
    method: str
    currency: str
    moods: list[Mood | None]
    asked: list[str]

    @property
    def account(self) -> dict[str, Any]:
        """Settings and secrets of an account with it."""
        ...

    def forget(self) -> None: ...

    def pay(self, reference: str, *, amount: int | None = None) -> Pushed:
        """The buyer pays over there; the callback that tells it."""
        ...

    def fail(self, reference: str) -> Pushed:
        """Nobody paid in time; the callback that tells it."""
        ...

    def refuse(self, reference: str) -> Pushed | None:
        """The buyer's bank says no for good; None where the protocol never tells that."""
        ...

    finds_refusals: bool
    """Whether it also tells so when it is asked."""

    def lie(self, reference: str, *, amount: int) -> Pushed:
        """A genuine callback that its own books contradict."""
        ...

    def stray(self) -> Pushed:
        """Genuine, and about nothing that was begun here."""
        ...

    def unsigned(self, pushed: Pushed) -> Pushed: ...

    def visit(self, reference: str) -> None:
        """The buyer opens the page to pay, and does not."""
        ...

    def is_closed(self, reference: str) -> bool:
        """Nobody can pay it any more."""
        ...

    def foreign(self, reference: str) -> Pushed:
        """Genuine, and meant for another merchant."""
        ...

    def forged(self, pushed: Pushed) -> Pushed: ...

    def old(self, pushed: Pushed) -> Pushed | None:
        """As signed long ago; None where the protocol has no time in its signature."""
        ...

    def refunded(self, refund_id: str) -> Pushed | None:
        """The refund is done over there; the callback that tells it, if there is one."""
        ...

    @property
    def refunds(self) -> dict[str, dict[str, Any]]:
        """What it gave back, by its own number."""
        ...

    refund_state: str
    refund_pending: str
    free_text: frozenset[str]
    """Members of an account in which any text may be right."""
