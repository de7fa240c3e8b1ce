"""The order service, which alone has the key of contacts' hashes."""

from collections.abc import Sequence

from kit.errors import Unavailable
from kit.peers import Peer, PeerProblem
from risk.lists.domain import Contact


class ContactHashing:
    """Built in app.py around order's peer. Never called inside a transaction."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def hash(self, contacts: Sequence[Contact]) -> list[str]:
        """The hash of each, as orders carry it. Raises Unavailable."""
        items = [{"email": it.value} if it.is_email else {"phone": it.value} for it in contacts]
        try:
            answer = await self._peer.post("/v1/contact-hashes", {"contacts": items})
        except PeerProblem as error:
            raise Unavailable(f"order refuses to hash contacts: {error.code}") from error
        return [str(it) for it in answer["hashes"]]
