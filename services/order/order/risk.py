"""Risk as this service asks it: whether an order that arrives paid may go on at once.

Calls that wait while one is under way travel together in the next one. An answer is a shortcut and
nothing more: without one the order is placed all the same, and risk decides by its event.
"""

import time
from base64 import b64encode
from collections.abc import Sequence

from google.protobuf.message import Message

from kit.combine import Combiner
from kit.errors import Unavailable
from kit.logging import get_logger
from kit.peers import Peer, PeerProblem

BATCH_ITEMS_MAX = 200
REST_SECONDS = 5.0
"""So long nobody is kept waiting for a risk service that did not answer."""

log = get_logger(__name__)


class Risk:
    """Built in app.py around risk's peer; None: it is not asked."""

    def __init__(self, peer: Peer | None) -> None:
        self._peer = peer
        self._combined = Combiner(self._ask_many, batch_max=BATCH_ITEMS_MAX)
        self._rests_until = 0.0

    async def allow(self, placed: Message) -> str:
        """The id of the assessment that allows the order `placed` tells of; empty when there is
        none (yet). Ask once for each order, and name the answer when it is placed. Never raises.
        """
        if self._peer is None or self._rests:
            return ""
        return await self._combined(placed)

    @property
    def _rests(self) -> bool:
        return time.monotonic() < self._rests_until

    async def _ask_many(self, placed: Sequence[Message]) -> Sequence[str]:
        assert self._peer is not None, "who is not there is not asked"
        if self._rests:
            # These waited for the call that failed: they have waited enough.
            return [""] * len(placed)
        items = [b64encode(message.SerializeToString()).decode() for message in placed]
        try:
            answer = await self._peer.post("/v1/order-assessments", {"items": items})
        except (Unavailable, PeerProblem) as error:
            log.warning("risk_does_not_answer", reason=str(error))
            self._rests_until = time.monotonic() + REST_SECONDS
            return [""] * len(placed)
        return [assessment_id or "" for assessment_id in answer["items"]]
