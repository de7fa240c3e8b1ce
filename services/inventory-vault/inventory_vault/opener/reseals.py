"""The opener's SQL of a rotation: which seals are worn, and their units."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from sealing import Seal


class Moved(Protocol):
    """A unit with its new box."""

    @property
    def seq(self) -> int: ...
    @property
    def nonce(self) -> bytes: ...
    @property
    def box(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class WornSeal:
    """A seal under a key that goes."""

    seal: Seal
    proof: bytes | None


@dataclass(frozen=True, slots=True)
class StoredUnit:
    seq: int
    unit_id: UUID
    nonce: bytes
    box: bytes


@dataclass(frozen=True, slots=True)
class Wish:
    """A rotation that was asked for."""

    id: UUID
    old_key_id: UUID
    reason: str
    requested_by: str


async def wish(tx: Transaction) -> UUID | None:
    """The id of a rotation that has no key yet."""
    row = (await tx.execute(_WISH)).one_or_none()
    return None if row is None else row.id


async def begin(
    tx: Transaction, key_id: UUID, public_key: bytes, wrapped_private_key: bytes
) -> Wish | None:
    """active -> open_only, and a new active key; None when another opener was faster."""
    found = (await tx.execute(_LOCK_WISH)).one_or_none()
    if found is None:
        return None
    old = (await tx.execute(_STEP_BACK)).one()
    values = {"key": key_id, "public": public_key, "wrapped": wrapped_private_key}
    await tx.execute(_ADD_ACTIVE, values)
    await tx.execute(_GIVE_KEY, {"id": found.id, "old": old.key_id, "key": key_id})
    return Wish(found.id, old.key_id, found.reason, found.requested_by)


async def next_seal(
    tx: Transaction, key_id: UUID, skipped: Sequence[tuple[UUID, int]]
) -> WornSeal | None:
    """A seal under this key, none of the skipped ones, whose lot is imported whole."""
    values = {
        "key": key_id,
        "lots": [lot_id for lot_id, _ in skipped],
        "numbers": [seal_no for _, seal_no in skipped],
    }
    row = (await tx.execute(_NEXT_SEAL, values)).one_or_none()
    if row is None:
        return None
    seal = Seal(row.merchant_id, row.lot_id, row.seal_no, key_id, bytes(row.sender_public_key))
    return WornSeal(seal, None if row.proof is None else bytes(row.proof))


async def next_seal_no(tx: Transaction, lot_id: UUID) -> int:
    return int((await tx.execute(_NEXT_SEAL_NO, {"lot": lot_id})).one().seal_no)


async def add_seal(tx: Transaction, seal: Seal, proof: bytes) -> bool:
    """An empty seal that units move to; False when another opener took its number."""
    values = {
        "lot": seal.lot_id,
        "no": seal.seal_no,
        "merchant": seal.merchant_id,
        "key": seal.key_id,
        "sender": seal.sender_public_key,
        "proof": proof,
    }
    return (await tx.execute(_ADD_SEAL, values)).rowcount == 1


async def count_units(tx: Transaction, seal: Seal) -> None:
    """Notes how many units name the seal, where nobody has counted them yet."""
    await tx.execute(_COUNT_UNITS, {"lot": seal.lot_id, "no": seal.seal_no})


async def units_under(tx: Transaction, seal: Seal, after: int, limit: int) -> list[StoredUnit]:
    """In the order of the lot."""
    rows = await tx.execute(
        _UNITS, {"lot": seal.lot_id, "no": seal.seal_no, "after": after, "limit": limit}
    )
    return [StoredUnit(row.seq, row.unit_id, bytes(row.nonce), bytes(row.box)) for row in rows]


async def move(tx: Transaction, old: Seal, seal_no: int, units: Sequence[Moved]) -> int:
    """The units under their new seal, those that somebody else moved meanwhile left alone."""
    if not units:
        return 0
    row = (
        await tx.execute(
            _MOVE,
            {
                "lot": old.lot_id,
                "old": old.seal_no,
                "new": seal_no,
                "seqs": [unit.seq for unit in units],
                "nonces": [unit.nonce for unit in units],
                "boxes": [unit.box for unit in units],
            },
        )
    ).one()
    return int(row.moved)


async def drop_if_bare(tx: Transaction, seal: Seal) -> bool:
    """Deletes a seal that no unit names any more; False when one still does."""
    values = {"lot": seal.lot_id, "no": seal.seal_no}
    if (await tx.execute(_DROP_IF_BARE, values)).rowcount == 1:
        return True
    # Another opener may have dropped it meanwhile: a statement of its own sees that.
    return (await tx.execute(_SEAL, values)).one_or_none() is None


async def is_needed(tx: Transaction, key_id: UUID, grace_seconds: float) -> bool:
    """Whether a seal names the key, or shops may still come with boxes sealed to it."""
    row = (await tx.execute(_IS_NEEDED, {"key": key_id, "grace": grace_seconds})).one()
    return bool(row.is_needed)


async def retire(tx: Transaction, key_id: UUID) -> bool:
    """open_only -> retired with the private key destroyed; False when a seal names it after all."""
    await tx.execute(_LOCK_KEY, {"key": key_id})
    if (await tx.execute(_RETIRE, {"key": key_id})).rowcount == 0:
        return False
    await tx.execute(_FINISH, {"key": key_id})
    return True


_WISH = text("SELECT id FROM key_rotation WHERE key_id IS NULL LIMIT 1")

_LOCK_WISH = text(
    "SELECT id, reason, requested_by FROM key_rotation WHERE key_id IS NULL "
    "ORDER BY id LIMIT 1 FOR UPDATE"
)

_STEP_BACK = text(
    "UPDATE sealing_key SET state = 'open_only', rotated_at = clock_timestamp() "
    "WHERE state = 'active' RETURNING key_id"
)

_ADD_ACTIVE = text(
    "INSERT INTO sealing_key (key_id, public_key, wrapped_private_key, state) "
    "VALUES (:key, :public, :wrapped, 'active')"
)

_GIVE_KEY = text("UPDATE key_rotation SET key_id = :key, old_key_id = :old WHERE id = :id")

_NEXT_SEAL = text(
    """
    SELECT s.lot_id, s.seal_no, s.merchant_id, s.sender_public_key, s.proof
    FROM lot_seal s JOIN lot l ON l.id = s.lot_id AND l.state <> 'importing'
    WHERE s.key_id = :key AND NOT EXISTS (
      SELECT 1 FROM unnest(CAST(:lots AS uuid[]), CAST(:numbers AS smallint[]))
        AS skipped(lot_id, seal_no)
      WHERE skipped.lot_id = s.lot_id AND skipped.seal_no = s.seal_no)
    ORDER BY s.lot_id, s.seal_no LIMIT 1
    """
)

_NEXT_SEAL_NO = text(
    "SELECT coalesce(max(seal_no), 0) + 1 AS seal_no FROM lot_seal WHERE lot_id = :lot"
)

_ADD_SEAL = text(
    """
    INSERT INTO lot_seal (lot_id, seal_no, merchant_id, key_id, sender_public_key, proof, units)
    VALUES (:lot, :no, :merchant, :key, :sender, :proof, 0)
    ON CONFLICT (lot_id, seal_no) DO NOTHING
    """
)

_COUNT_UNITS = text(
    """
    UPDATE lot_seal s SET units = (
      SELECT count(*) FROM unit u WHERE u.lot_id = s.lot_id AND u.seal_no = s.seal_no
        AND u.shredding_id IS NULL)
    WHERE s.lot_id = :lot AND s.seal_no = CAST(:no AS smallint) AND s.units IS NULL
    """
)

_UNITS = text(
    """
    SELECT seq, unit_id, nonce, box FROM unit
    WHERE lot_id = :lot AND seq > :after AND seal_no = :no AND shredding_id IS NULL
    ORDER BY seq LIMIT :limit
    """
)

# What was shredded since it was read stays shredded.
_MOVE = text(
    """
    WITH moved AS (
      UPDATE unit u SET seal_no = CAST(:new AS smallint), nonce = n.nonce, box = n.box
      FROM unnest(CAST(:seqs AS int[]), CAST(:nonces AS bytea[]), CAST(:boxes AS bytea[]))
        AS n(seq, nonce, box)
      WHERE u.lot_id = :lot AND u.seq = n.seq AND u.seal_no = CAST(:old AS smallint)
        AND u.shredding_id IS NULL
      RETURNING u.seq
    ), counted AS (SELECT count(*)::int AS units FROM moved
    ), left_over AS (
      UPDATE lot_seal s SET units = s.units - c.units FROM counted c
      WHERE s.lot_id = :lot AND s.seal_no = CAST(:old AS smallint)
    ), arrived AS (
      UPDATE lot_seal s SET units = s.units + c.units FROM counted c
      WHERE s.lot_id = :lot AND s.seal_no = CAST(:new AS smallint)
    )
    SELECT units AS moved FROM counted
    """
)

_DROP_IF_BARE = text(
    """
    DELETE FROM lot_seal s USING lot l
    WHERE s.lot_id = :lot AND s.seal_no = :no AND l.id = s.lot_id AND l.state <> 'importing'
      AND NOT EXISTS (SELECT 1 FROM unit u WHERE u.lot_id = s.lot_id AND u.seal_no = s.seal_no
        AND u.shredding_id IS NULL)
    """
)

_SEAL = text("SELECT 1 FROM lot_seal WHERE lot_id = :lot AND seal_no = :no")

_IS_NEEDED = text(
    """
    SELECT EXISTS (SELECT 1 FROM lot_seal WHERE key_id = :key) OR EXISTS (
      SELECT 1 FROM sealing_key WHERE key_id = :key
        AND rotated_at > clock_timestamp() - make_interval(secs => CAST(:grace AS float8))
    ) AS is_needed
    """
)

# Locked by a statement of its own: the next one sees the seals of imports that this one waited for.
_LOCK_KEY = text("SELECT 1 FROM sealing_key WHERE key_id = :key FOR UPDATE")

_RETIRE = text(
    """
    UPDATE sealing_key SET state = 'retired', wrapped_private_key = '',
      retired_at = clock_timestamp()
    WHERE key_id = :key AND state = 'open_only'
      AND NOT EXISTS (SELECT 1 FROM lot_seal WHERE key_id = :key)
    """
)

_FINISH = text(
    "UPDATE key_rotation SET state = 'finished', finished_at = clock_timestamp() "
    "WHERE old_key_id = :key AND finished_at IS NULL"
)
