"""The opener's own reading of the books: what it may open, and for whom."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text

from kit.db import Transaction
from sealing import Seal

PAST_SECONDS = 3_900
"""An hour, and what the clocks of two machines may differ by."""
NO_KEY = UUID(int=0)


class Opening(NamedTuple):
    """A unit that its log row entitles somebody to; units of one lot share its `seal` object."""

    log_id: UUID
    merchant_id: UUID
    lot_id: UUID
    unit_id: UUID
    seal: Seal
    proof: bytes | None
    nonce: bytes
    ciphertext: bytes
    recipient_public_key: bytes
    is_free: bool
    """Freshly sold, and not opened often: such an opening draws on no allowance."""


@dataclass(frozen=True, slots=True)
class PastOpenings:
    """Units of a merchant that were asked for when they were not freshly sold any more."""

    merchant_id: UUID
    minutes_ago: int
    units: int


@dataclass(frozen=True, slots=True)
class StoredKey:
    key_id: UUID
    public_key: bytes
    wrapped_private_key: bytes
    state: str


@dataclass(frozen=True, slots=True)
class UnprovenSeal:
    """A seal without a proof, with what an operator knows its lot by."""

    seal: Seal
    supplier: str
    size: int
    created_at: datetime

    def line(self) -> str:
        seal = self.seal
        return (
            f"lot {seal.lot_id} seal {seal.seal_no} merchant {seal.merchant_id}: "
            f"{self.size} units of {self.supplier!r}, imported {self.created_at:%Y-%m-%d %H:%M}"
        )


async def handouts(tx: Transaction, ids: Sequence[UUID]) -> list[Opening]:
    """The sold units of the reservations these hand-out rows name."""
    return _openings(await tx.execute(_HANDOUTS, {"ids": list(ids)}))


async def views(tx: Transaction, ids: Sequence[UUID]) -> list[Opening]:
    """The units these view rows name, if they are sold to the reservation named there."""
    return _openings(await tx.execute(_VIEWS, {"ids": list(ids)}))


async def shredded(tx: Transaction, unit_ids: Sequence[UUID]) -> set[UUID]:
    """Those without a box whose retention time was over by the books when it was overwritten, and
    whose shredding the audit log tells of. Every other empty box was emptied by hand.
    """
    return {row.unit_id for row in await tx.execute(_SHREDDED, {"units": list(unit_ids)})}


async def past_openings(tx: Transaction) -> list[PastOpenings]:
    """Of the last hour by the logs, the oldest first."""
    # Ids are ordered by time, so this reads the end of the logs only.
    floor = UUID(int=(int((time.time() - PAST_SECONDS) * 1_000)) << 80)
    return [
        PastOpenings(row.merchant_id, row.minutes_ago, row.units)
        for row in await tx.execute(_PAST_OPENINGS, {"floor": floor})
    ]


async def keys(tx: Transaction) -> list[StoredKey]:
    """All keys that may still open."""
    return [
        StoredKey(row.key_id, bytes(row.public_key), bytes(row.wrapped_private_key), row.state)
        for row in await tx.execute(_KEYS)
    ]


async def add_active_key(
    tx: Transaction, key_id: UUID, public_key: bytes, wrapped_private_key: bytes
) -> None:
    """Registers the first key; when another opener was faster, its key stays."""
    await tx.execute(
        _ADD_KEY, {"key_id": key_id, "public": public_key, "wrapped": wrapped_private_key}
    )


async def secret(tx: Transaction, name: str) -> bytes | None:
    """What is wrapped under this name."""
    row = (await tx.execute(_SECRET, {"name": name})).one_or_none()
    return None if row is None else bytes(row.wrapped)


async def add_secret(tx: Transaction, name: str, wrapped: bytes) -> None:
    """When another opener was faster, its secret stays."""
    await tx.execute(_ADD_SECRET, {"name": name, "wrapped": wrapped})


async def unproven_seals(tx: Transaction, limit: int) -> list[UnprovenSeal]:
    """The oldest lots first."""
    return [
        UnprovenSeal(_seal(row), row.supplier, row.size, row.created_at)
        for row in await tx.execute(_UNPROVEN, {"limit": limit})
    ]


async def add_proofs(tx: Transaction, proofs: Sequence[tuple[Seal, bytes]]) -> None:
    await tx.execute(
        _ADD_PROOFS,
        {
            "lots": [seal.lot_id for seal, _ in proofs],
            "numbers": [seal.seal_no for seal, _ in proofs],
            "proofs": [proof for _, proof in proofs],
        },
    )


async def store_wrapped(
    tx: Transaction, keys: Mapping[UUID, bytes], secrets: Mapping[str, bytes]
) -> None:
    """Every key that still opens must be among them: what is not would be lost with its master
    key. Raises ValueError when one was made meanwhile.
    """
    values = {"keys": list(keys), "wrapped": list(keys.values())}
    left = (await tx.execute(_STORE_KEYS, values)).one().left
    if left:
        raise ValueError(f"{left} keys were made meanwhile; run it again")
    await tx.execute(_STORE_SECRETS, {"names": list(secrets), "wrapped": list(secrets.values())})


def _seal(row: Row[Any]) -> Seal:
    return Seal(row.merchant_id, row.lot_id, row.seal_no, row.key_id, bytes(row.sender_public_key))


def _seal_or_none(row: Row[Any]) -> Seal:
    """A seal that nothing is under any more is gone; what was shredded still names it."""
    if row.key_id is None:
        return Seal(row.merchant_id, row.lot_id, row.seal_no, NO_KEY, b"")
    return _seal(row)


def _openings(rows: Iterable[Row[Any]]) -> list[Opening]:
    found: list[Opening] = []
    for row in rows:
        seal = _seal_or_none(row)
        found += [
            Opening(
                row.log_id,
                row.merchant_id,
                row.lot_id,
                unit_id,
                seal,
                row.proof,
                nonce,
                box,
                row.recipient_public_key,
                row.is_free,
            )
            for unit_id, nonce, box in zip(row.unit_ids, row.nonces, row.boxes, strict=True)
        ]
    return found


# A row per log row and seal with its units in arrays: the driver reads them seven times faster
# than a row per unit.
_GROUPED = """
    SELECT log_id, recipient_public_key, merchant_id, lot_id, seal_no, key_id, sender_public_key,
      proof, is_free, array_agg(unit_id) AS unit_ids, array_agg(nonce) AS nonces,
      array_agg(box) AS boxes
    FROM found GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
"""

# Three witnesses must agree: the log row, the append-only sale, and the allocation's state. A log
# row is good for five minutes, so an old one cannot be used to open again. `is_free` as the caps
# say: sold within the hour, and the first three times.
_HANDOUTS = text(
    f"""
    WITH asked AS MATERIALIZED (
      SELECT h.id, h.merchant_id, h.reservation_id, h.recipient_public_key,
        (SELECT count(*) FROM (
           SELECT 1 FROM handout o WHERE o.reservation_id = h.reservation_id AND o.id <= h.id
           LIMIT 4) f) AS times
      FROM handout h
      WHERE h.id = ANY(CAST(:ids AS uuid[]))
        AND h.requested_at > clock_timestamp() - interval '5 minutes'
    ), found AS (
      SELECT h.id AS log_id, h.recipient_public_key, u.merchant_id, u.lot_id, u.unit_id, u.nonce,
             u.box, u.seal_no, s.key_id, s.sender_public_key, s.proof,
             h.times <= 3 AND us.sold_at > clock_timestamp() - interval '1 hour' AS is_free
      FROM asked h
      JOIN reservation r ON r.id = h.reservation_id AND r.merchant_id = h.merchant_id
        AND r.status = 'sold'
      JOIN allocation a ON a.reservation_id = r.id AND a.state IN ('sold', 'opened', 'redeemed')
      JOIN unit u ON u.lot_id = a.lot_id AND u.seq = a.seq AND u.merchant_id = h.merchant_id
      JOIN unit_sale us ON us.unit_id = u.unit_id AND us.reservation_id = r.id
      LEFT JOIN lot_seal s ON s.lot_id = u.lot_id AND s.seal_no = u.seal_no
      WHERE s.lot_id IS NOT NULL OR u.shredding_id IS NOT NULL
    )
    {_GROUPED}
    """  # noqa: S608 - constant parts
)

_VIEWS = text(
    f"""
    WITH found AS (
      SELECT v.id AS log_id, v.recipient_public_key, u.merchant_id, u.lot_id, u.unit_id, u.nonce,
             u.box, u.seal_no, s.key_id, s.sender_public_key, s.proof,
             us.sold_at > clock_timestamp() - interval '1 hour' AND (
               SELECT count(*) FROM (
                 SELECT 1 FROM unit_view o WHERE o.unit_id = v.unit_id AND o.id <= v.id LIMIT 4) f
             ) + (
               SELECT count(*) FROM (
                 SELECT 1 FROM handout o WHERE o.reservation_id = v.reservation_id AND o.id <= v.id
                 LIMIT 4) f
             ) <= 3 AS is_free
      FROM unit_view v
      JOIN unit u ON u.unit_id = v.unit_id AND u.merchant_id = v.merchant_id
      JOIN unit_sale us ON us.unit_id = u.unit_id AND us.reservation_id = v.reservation_id
      JOIN allocation a ON a.lot_id = u.lot_id AND a.seq = u.seq
        AND a.reservation_id = v.reservation_id AND a.state IN ('opened', 'redeemed')
      LEFT JOIN lot_seal s ON s.lot_id = u.lot_id AND s.seal_no = u.seal_no
      WHERE v.id = ANY(CAST(:ids AS uuid[]))
        AND (s.lot_id IS NOT NULL OR u.shredding_id IS NOT NULL)
        AND v.seen_at > clock_timestamp() - interval '5 minutes'
    )
    {_GROUPED}
    """  # noqa: S608 - constant parts
)

_SHREDDED = text(
    """
    SELECT u.unit_id FROM unit u
    JOIN unit_sale s ON s.unit_id = u.unit_id
    JOIN shredding d ON d.id = u.shredding_id AND d.lot_id = u.lot_id
    WHERE u.unit_id = ANY(CAST(:units AS uuid[]))
      AND s.sold_at <= d.shredded_at - make_interval(hours => 24 * d.retention_days)
      AND d.shredded_at <= clock_timestamp()
      AND (EXISTS (SELECT 1 FROM audit_entry e
          WHERE e.object_id = d.id AND e.action = 'units.shredded')
        OR EXISTS (SELECT 1 FROM audit_pending p
          WHERE p.object_id = d.id AND p.action = 'units.shredded'))
    """
)

_PAST_OPENINGS = text(
    """
    WITH asked AS (
      SELECT v.merchant_id, v.seen_at AS asked_at, 1 AS units
      FROM unit_view v JOIN unit_sale s ON s.unit_id = v.unit_id
      WHERE v.id >= :floor AND s.sold_at <= v.seen_at - interval '1 hour'
      UNION ALL
      SELECT h.merchant_id, h.requested_at, r.quantity
      FROM handout h JOIN reservation r ON r.id = h.reservation_id
      WHERE h.id >= :floor AND r.settled_at <= h.requested_at - interval '1 hour'
    )
    SELECT merchant_id, sum(units)::bigint AS units,
      greatest(0, floor(extract(epoch FROM clock_timestamp() - asked_at) / 60))::int AS minutes_ago
    FROM asked WHERE asked_at > clock_timestamp() - interval '1 hour'
    GROUP BY 1, 3 ORDER BY 3 DESC, 1
    """
)

_KEYS = text(
    "SELECT key_id, public_key, wrapped_private_key, state FROM sealing_key "
    "WHERE state IN ('active', 'open_only')"
)

_ADD_KEY = text(
    "INSERT INTO sealing_key (key_id, public_key, wrapped_private_key, state) "
    "VALUES (:key_id, :public, :wrapped, 'active') ON CONFLICT DO NOTHING"
)

_SECRET = text("SELECT wrapped FROM opener_secret WHERE name = :name")

_ADD_SECRET = text(
    "INSERT INTO opener_secret (name, wrapped) VALUES (:name, :wrapped) ON CONFLICT DO NOTHING"
)

_UNPROVEN = text(
    """
    SELECT s.merchant_id, s.lot_id, s.seal_no, s.key_id, s.sender_public_key, l.supplier, l.size,
      l.created_at
    FROM lot_seal s JOIN lot l ON l.id = s.lot_id
    WHERE s.proof IS NULL ORDER BY s.lot_id, s.seal_no LIMIT :limit
    """
)

_ADD_PROOFS = text(
    """
    UPDATE lot_seal s SET proof = p.proof
    FROM unnest(CAST(:lots AS uuid[]), CAST(:numbers AS smallint[]), CAST(:proofs AS bytea[]))
      AS p(lot_id, seal_no, proof)
    WHERE s.lot_id = p.lot_id AND s.seal_no = p.seal_no AND s.proof IS NULL
    """
)

_STORE_KEYS = text(
    """
    WITH stored AS (
      UPDATE sealing_key k SET wrapped_private_key = n.wrapped
      FROM unnest(CAST(:keys AS uuid[]), CAST(:wrapped AS bytea[])) AS n(key_id, wrapped)
      WHERE k.key_id = n.key_id AND k.state IN ('active', 'open_only')
      RETURNING k.key_id
    )
    SELECT count(*) AS left FROM sealing_key
    WHERE state IN ('active', 'open_only') AND key_id NOT IN (SELECT key_id FROM stored)
    """
)

_STORE_SECRETS = text(
    """
    UPDATE opener_secret s SET wrapped = n.wrapped
    FROM unnest(CAST(:names AS text[]), CAST(:wrapped AS bytea[])) AS n(name, wrapped)
    WHERE s.name = n.name
    """
)
