"""The vault's stock as this service calls it: what codes are sealed to, lots that are brought, how
pools stand. The rest of the vault's wire is in `vault.py`."""

import base64
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from fulfillment.arrivals.domain import Arrival, SealedUnit, SealingKey, Stored
from fulfillment.vault import Refused
from kit.peers import Peer, PeerProblem


@dataclass(frozen=True, slots=True)
class PoolStand:
    """`sold_per_day` and `cover_days` are None while the vault has not seen enough sales."""

    pool_id: UUID
    unit_kind: str
    available: int
    sold_per_day: float | None
    cover_days: float | None


class VaultStock:
    """Every method raises Unavailable when the vault does not answer: then the same call may be
    made again."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def sealing_key(self) -> SealingKey:
        """What boxes for the vault are sealed to now."""
        found = _SealingKey.model_validate(await self._peer.get("/v1/sealing-key"))
        return SealingKey(found.key_id, base64.b64decode(found.public_key))

    async def store(self, arrival: Arrival) -> Stored | Refused:
        """Bought codes, sealed, as a lot. The same lot again is stored once."""
        merchant_id, lot = arrival.origin.merchant_id, arrival.lot
        try:
            begun = await self._peer.post(
                f"/v1/pools/{arrival.origin.pool_id}/lots",
                _lot_item(arrival),
                merchant_id=merchant_id,
                idempotency_key=f"arrival-{lot.lot_id}-{lot.key_id}-{arrival.origin.pool_id}",
            )
            import_id = _Begun.model_validate(begun).import_id
            receipt = await self._peer.get(f"/v1/imports/{import_id}", merchant_id=merchant_id)
        except PeerProblem as problem:
            if problem.code == "lot_id_taken":
                return await self._stored(arrival)
            return Refused(problem.code, problem.status)
        stored = _stored(_Receipt.model_validate(receipt))
        if 0 < stored.accepted < len(arrival.lot.units):
            held = await self._lot(arrival)
            return (
                held if isinstance(held, Refused) else replace(stored, cost_minor=held.cost_minor)
            )
        return stored

    async def pool(self, merchant_id: UUID, pool_id: UUID) -> PoolStand | Refused:
        """What a pool has and how fast it goes."""
        try:
            found = await self._peer.get(f"/v1/pools/{pool_id}", merchant_id=merchant_id)
        except PeerProblem as problem:
            return Refused(problem.code, problem.status)
        pool = _Pool.model_validate(found)
        return PoolStand(
            pool.id, pool.unit_kind, pool.levels.available, pool.sold_per_day, pool.cover_days
        )

    async def _stored(self, arrival: Arrival) -> Stored | Refused:
        """The lot is there, and the vault has forgotten that we asked for it."""
        lot = await self._lot(arrival)
        if isinstance(lot, Refused):
            return lot
        accepted = lot.levels.total
        return Stored(accepted, len(arrival.lot.units) - accepted, 0, cost_minor=lot.cost_minor)

    async def _lot(self, arrival: Arrival) -> "_Lot | Refused":
        path = f"/v1/lots/{arrival.lot.lot_id}"
        try:
            found = await self._peer.get(path, merchant_id=arrival.origin.merchant_id)
        except PeerProblem as problem:
            return Refused(problem.code, problem.status)
        return _Lot.model_validate(found)


def _lot_item(arrival: Arrival) -> dict[str, Any]:
    origin, lot, usual = arrival.origin, arrival.lot, arrival.unit_cost_minor
    return {
        "supplier": origin.supplier,
        "unit_cost": usual,
        "currency": origin.cost.currency,
        "note": arrival.note[:200],
        "file_name": f"purchase {origin.purchase_id}",
        "has_unit_expiry": arrival.has_expiry,
        "lot_id": str(lot.lot_id),
        "key_id": str(lot.key_id),
        "public_key": _text(lot.public_key),
        "boxes": [
            _unit_item(line, unit, usual, usual if arrival.is_booked else unit.cost_minor)
            for line, unit in enumerate(lot.units, 1)
        ],
    }


def _unit_item(line: int, unit: SealedUnit, usual: int, cost: int) -> dict[str, Any]:
    item: dict[str, Any] = {
        "line": line,
        "unit_id": str(unit.unit_id),
        "nonce": _text(unit.nonce),
        "ciphertext": _text(unit.ciphertext),
    }
    if cost != usual:
        item["unit_cost"] = cost
    if unit.expires_at is not None:
        item["expires_at"] = unit.expires_at.isoformat()
    return item


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


class _SealingKey(BaseModel):
    key_id: UUID
    public_key: str


class _Begun(BaseModel):
    import_id: UUID


class _ReceiptLine(BaseModel):
    code: str


class _Receipt(BaseModel):
    accepted: int
    rejected: int
    duplicates: int
    lines: list[_ReceiptLine] = Field(default_factory=list)


class _Levels(BaseModel):
    available: int
    total: int


class _Cost(BaseModel):
    amount: int


class _Lot(BaseModel):
    levels: _Levels
    total_cost: _Cost

    @property
    def cost_minor(self) -> int:
        return self.total_cost.amount


class _Pool(BaseModel):
    id: UUID
    unit_kind: str
    levels: _Levels
    sold_per_day: float | None = None
    cover_days: float | None = None


def _stored(receipt: _Receipt) -> Stored:
    reasons = Counter(line.code for line in receipt.lines)
    return Stored(
        receipt.accepted, receipt.rejected, receipt.duplicates, tuple(sorted(reasons.items()))
    )
