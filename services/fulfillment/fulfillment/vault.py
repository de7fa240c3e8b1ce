"""The vault as this service calls it. The only file that knows the vault's wire."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from fulfillment.deliveries.domain import Box
from kit.money import Money
from kit.peers import Peer, PeerProblem

BATCH_MAX = 200
"""Claims or reservations in one call: the vault's own limit."""
HOLD_SECONDS = 900
OPENING_TRIES_MAX = 12
"""So often units that do not open are asked for with the shop's key, in about a minute: a drill of
a compromised key is over by then."""
_UNUSABLE_KEY = "bad_recipient_public_key"
_NOT_IN_BOXES = frozenset({"unit_revoked", "unit_shredded"})
_NOT_OPENED = "unit_unopenable"


@dataclass(frozen=True, slots=True)
class Claim:
    """Hand out what is held under `reservation_id`, re-sealed to the key when there is one; with
    `lines` (number, quantity) only that, and the rest goes back.
    """

    merchant_id: UUID
    reservation_id: UUID
    recipient_public_key: bytes | None
    lines: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """Reserve again: pool and quantity per line number; of no lot of `but_lots`. `channel_id` says
    whose guarantee the units may come of.
    """

    merchant_id: UUID
    reference: str
    lines: tuple[tuple[int, UUID, int], ...]
    but_lots: tuple[UUID, ...] = ()
    channel_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ClaimedUnit:
    unit_id: UUID
    line_no: int
    lot_id: UUID
    mask: str
    unit_cost: Money
    box: Box | None
    expires_at: datetime | None = None
    is_redeemable: bool = False
    # Of a voucher that is redeemed there.
    face_value: Money | None = None


@dataclass(frozen=True, slots=True)
class UnitEvidence:
    """What the vault knows of a sold unit that somebody complains about."""

    supplier: str
    unit_cost: Money
    sold_at: datetime
    views: int
    first_viewed_at: datetime | None
    last_viewed_at: datetime | None
    handed_out_at: datetime | None
    lot_sold: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The vault's definite no, by its code; `status` is the HTTP status of such an answer alone."""

    code: str
    status: int = 409


def is_for_page(no: Refused, tries: int) -> bool:
    """Whether what was claimed with a recipient's key is to be claimed without: nothing is sealed
    to that key, and the units are sold or about to be. What the page cannot open either, the buyer
    claims there; the vault has told its operators.
    """
    is_final = no.code == _UNUSABLE_KEY or no.code in _NOT_IN_BOXES
    return is_final or (no.code == _NOT_OPENED and tries >= OPENING_TRIES_MAX)


class Vault:
    """Every method raises Unavailable when the vault does not answer: then nothing is known, and
    the same call may be made again, because each carries a reference that makes it idempotent."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def claim(self, claims: Sequence[Claim]) -> list[tuple[ClaimedUnit, ...] | Refused]:
        """One answer per claim, in order. At most BATCH_MAX."""
        answer = await self._peer.post(
            "/v1/reservations/claims", {"items": [_claim_item(claim) for claim in claims]}
        )
        results = _Claims.model_validate(answer).items
        _same_number(len(results), len(claims))
        return [_claimed(result) for result in results]

    async def reserve(self, holds: Sequence[Hold]) -> list[UUID | Refused]:
        """One reservation id per hold, in order. At most BATCH_MAX. The same reference answers the
        same reservation."""
        answer = await self._peer.post(
            "/v1/reservations/batch", {"items": [_hold_item(hold) for hold in holds]}
        )
        results = _Reservations.model_validate(answer).items
        _same_number(len(results), len(holds))
        return [r.reservation.id if r.reservation else Refused(r.result) for r in results]

    async def release(self, merchant_id: UUID, reservation_id: UUID, reason: str) -> Refused | None:
        """Gives a hold back; None when it is given back."""
        return await self._act(merchant_id, f"/v1/reservations/{reservation_id}/release", reason)

    async def revoke(self, merchant_id: UUID, unit_id: UUID, reason: str) -> Refused | None:
        """Takes a sold unit out of use for good; None when it is. Repeats change nothing."""
        return await self._act(merchant_id, f"/v1/units/{unit_id}/revoke", reason)

    async def quarantine_lot(self, merchant_id: UUID, lot_id: UUID, reason: str) -> Refused | None:
        """Stops what is left of a lot; None when this call did."""
        return await self._act(merchant_id, f"/v1/lots/{lot_id}/quarantine", reason)

    async def restore_lot(self, merchant_id: UUID, lot_id: UUID, reason: str) -> Refused | None:
        """Puts a stopped lot back on the shelf; None when this call did."""
        return await self._act(merchant_id, f"/v1/lots/{lot_id}/restore", reason)

    async def _act(self, merchant_id: UUID, path: str, reason: str) -> Refused | None:
        try:
            await self._peer.post(path, {"reason": reason}, merchant_id=merchant_id)
        except PeerProblem as problem:
            return Refused(problem.code, problem.status)
        return None

    async def evidence(self, merchant_id: UUID, unit_id: UUID) -> UnitEvidence | Refused:
        """When the unit was sold and seen, what it had cost, how many of its lot were sold."""
        try:
            answer = await self._peer.get(f"/v1/units/{unit_id}/evidence", merchant_id=merchant_id)
        except PeerProblem as problem:
            return Refused(problem.code, problem.status)
        found = _Evidence.model_validate(answer)
        cost = Money(found.unit_cost.amount, found.unit_cost.currency)
        return UnitEvidence(**{**found.model_dump(), "unit_cost": cost})

    async def reveal(
        self,
        unit_id: UUID,
        *,
        merchant_id: UUID,
        recipient_public_key: bytes,
        viewer_id: str,
        ip: str | None,
        user_agent: str | None,
        viewer_kind: str = "buyer",
        reason: str = "buyer_page",
    ) -> Box | Refused:
        """The content re-sealed to the viewer's key. The view is logged before the answer."""
        body = {
            "recipient_public_key": base64.b64encode(recipient_public_key).decode(),
            "viewer": {"kind": viewer_kind, "id": viewer_id, "ip": ip, "user_agent": user_agent},
            "reason": reason,
        }
        try:
            answer = await self._peer.post(
                f"/v1/units/{unit_id}/reveal", body, merchant_id=merchant_id
            )
        except PeerProblem as problem:
            return Refused(problem.code, problem.status)
        return _box(_Reveal.model_validate(answer).box)


def _claim_item(claim: Claim) -> dict[str, Any]:
    item: dict[str, Any] = {
        "reservation_id": str(claim.reservation_id),
        "merchant_id": str(claim.merchant_id),
    }
    if claim.recipient_public_key is not None:
        item["recipient_public_key"] = base64.b64encode(claim.recipient_public_key).decode()
    if claim.lines:
        item["lines"] = [
            {"line_no": line_no, "quantity": quantity} for line_no, quantity in claim.lines
        ]
    return item


def _hold_item(hold: Hold) -> dict[str, object]:
    but = {"exclude_lots": [str(lot_id) for lot_id in hold.but_lots]} if hold.but_lots else {}
    channel = {"channel_id": str(hold.channel_id)} if hold.channel_id else {}
    return {
        "reference": hold.reference,
        "merchant_id": str(hold.merchant_id),
        "hold_seconds": HOLD_SECONDS,
        **channel,
        "lines": [
            {"line_no": line_no, "pool_id": str(pool_id), "quantity": quantity, **but}
            for line_no, pool_id, quantity in hold.lines
        ],
    }


class _Money(BaseModel):
    amount: int
    currency: str


class _Box(BaseModel):
    public_key: str
    nonce: str
    ciphertext: str


class _Unit(BaseModel):
    unit_id: UUID
    line_no: int
    lot_id: UUID
    mask: str
    unit_cost: _Money
    expires_at: datetime | None = None
    is_redeemable: bool = False
    face_value: _Money | None = None
    box: _Box | None = None


class _Evidence(BaseModel):
    supplier: str
    unit_cost: _Money
    sold_at: datetime
    views: int
    first_viewed_at: datetime | None
    last_viewed_at: datetime | None
    handed_out_at: datetime | None
    lot_sold: int


class _ClaimResult(BaseModel):
    result: str
    units: list[_Unit] | None = None


class _Claims(BaseModel):
    items: list[_ClaimResult]


class _Reservation(BaseModel):
    id: UUID


class _ReservationResult(BaseModel):
    result: str
    reservation: _Reservation | None = None


class _Reservations(BaseModel):
    items: list[_ReservationResult]


class _Reveal(BaseModel):
    box: _Box = Field(repr=False)


def _claimed(result: _ClaimResult) -> tuple[ClaimedUnit, ...] | Refused:
    if result.units is None:
        return Refused(result.result)
    return tuple(
        ClaimedUnit(
            unit_id=unit.unit_id,
            line_no=unit.line_no,
            lot_id=unit.lot_id,
            mask=unit.mask,
            unit_cost=Money(unit.unit_cost.amount, unit.unit_cost.currency),
            box=_box(unit.box) if unit.box else None,
            expires_at=unit.expires_at,
            is_redeemable=unit.is_redeemable,
            face_value=_face_value(unit),
        )
        for unit in result.units
    )


def _box(box: _Box) -> Box:
    return Box(
        base64.b64decode(box.public_key),
        base64.b64decode(box.nonce),
        base64.b64decode(box.ciphertext),
    )


def _same_number(answers: int, asked: int) -> None:
    if answers != asked:
        raise ValueError(f"the vault answered {answers} items of {asked}")


def _face_value(unit: _Unit) -> Money | None:
    face = unit.face_value
    return Money(face.amount, face.currency) if face else None
