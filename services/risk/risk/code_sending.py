"""The fulfillment service, which alone knows buyers' contacts: it sends codes and checks them."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from kit.errors import Unavailable
from kit.peers import Peer, PeerProblem


class CodeVerdict(StrEnum):
    """`gone`: no code works any more; have a new one sent."""

    RIGHT = "right"
    WRONG = "wrong"
    GONE = "gone"


class CodeSending:
    """Built in app.py around fulfillment's peer. Never called inside a transaction."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def send(
        self, merchant_id: UUID, challenge_id: UUID, *, order_id: UUID, reference: str
    ) -> int:
        """Has another code sent, if there is a way; how many seconds a code works. Raises
        Unavailable.
        """
        body = {"order_id": str(order_id), "reference": reference}
        answer = await self._ask(merchant_id, challenge_id, "send", body)
        return int(answer["valid_seconds"])

    async def check(self, merchant_id: UUID, challenge_id: UUID, code: str) -> CodeVerdict:
        """What this code is worth; each try is counted there. Raises Unavailable."""
        answer = await self._ask(merchant_id, challenge_id, "check", {"code": code})
        return CodeVerdict(answer["verdict"])

    async def _ask(
        self, merchant_id: UUID, challenge_id: UUID, verb: str, body: dict[str, str]
    ) -> Any:  # JSON has no static type
        path = f"/v1/challenge-codes/{challenge_id}/{verb}"
        try:
            return await self._peer.post(path, body, merchant_id=merchant_id)
        except PeerProblem as error:
            raise Unavailable(f"fulfillment refuses to {verb} a code: {error.code}") from error
