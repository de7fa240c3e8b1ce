"""inventory-vault: units held for a reference, and sold by a claim."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from lockstock_client.boxes import Recipient
from lockstock_client.transport import Service
from lockstock_client.wire import ClaimJson, Holder, HoldLine, ReservationJson


class Reservations:
    """For shops that sell past the order service: hold, then claim or release."""

    def __init__(self, vault: Service) -> None:
        self._vault = vault

    async def reserve(
        self,
        reference: str,
        lines: Sequence[HoldLine],
        *,
        hold_seconds: int | None = None,
        holder: Holder | None = None,
    ) -> ReservationJson:
        """Holds every line or nothing, for 15 minutes if not told otherwise. The same reference
        with the same lines answers the same hold. Raises OutOfStock, Conflict
        (`hold_budget_exceeded`), NotValid (`reference_reused`: with other lines), NotFound.
        """
        body: dict[str, Any] = {"reference": reference, "lines": [dict(line) for line in lines]}
        if hold_seconds is not None:
            body["hold_seconds"] = hold_seconds
        if holder is not None:
            body["holder"] = dict(holder)
        return cast(ReservationJson, await self._vault.post_idempotent("/v1/reservations", body))

    async def get(self, reservation_id: str) -> ReservationJson:
        """As it is now."""
        path = f"/v1/reservations/{reservation_id}"
        return cast(ReservationJson, await self._vault.get(path))

    async def extend(
        self, reservation_id: str, hold_seconds: int, *, key: str | None = None
    ) -> ReservationJson:
        """Held for so long from now on, at most 24 hours from its beginning. Raises Conflict for
        what is not held any more, or too long (`hold_too_long`).
        """
        path = f"/v1/reservations/{reservation_id}/extend"
        answer = await self._vault.post(path, {"hold_seconds": hold_seconds}, key=key)
        return cast(ReservationJson, answer)

    async def claim(
        self,
        reservation_id: str,
        *,
        recipient: Recipient | None = None,
        quantities: Mapping[int, int] | None = None,
    ) -> ClaimJson:
        """Sells what is held; a repeat answers the same units. With `recipient` each comes in a box
        that it opens. `quantities`, by `line_no`, sells so much and gives the rest back.

        Raises Conflict (`reservation_expired`, `reservation_released`, `reservation_sold` in other
        quantities) and NotValid (`claim_exceeds_hold`).
        """
        body: dict[str, Any] = {}
        if recipient is not None:
            body["recipient_public_key"] = recipient.public_key
        if quantities is not None:
            body["lines"] = [
                {"line_no": line_no, "quantity": quantity}
                for line_no, quantity in quantities.items()
            ]
        path = f"/v1/reservations/{reservation_id}/claim"
        return cast(ClaimJson, await self._vault.post_idempotent(path, body))

    async def release(
        self, reservation_id: str, reason: str | None = None, *, key: str | None = None
    ) -> ReservationJson:
        """Gives the units back; again changes nothing. Raises Conflict (`reservation_sold`)."""
        body = {} if reason is None else {"reason": reason}
        path = f"/v1/reservations/{reservation_id}/release"
        return cast(ReservationJson, await self._vault.post(path, body, key=key))
