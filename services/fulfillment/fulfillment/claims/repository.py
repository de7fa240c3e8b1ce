"""SQL of claims: a constant number of statements, whatever the batch."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from fulfillment.claim_rows import COLUMNS, SUBJECT_COLUMNS, claim_of, subject_of
from fulfillment.claims.domain import (
    Claim,
    ClaimReason,
    ClaimState,
    Decision,
    PageClaim,
    Replacement,
    Subject,
    Waits,
    Work,
)
from kit.db import Transaction

_LAST_ID = UUID(int=2**128 - 1)


async def find_subject(
    tx: Transaction, unit_id: UUID, *, merchant_id: UUID | None, page_id: UUID | None
) -> Subject | None:
    """A delivered unit of the merchant, or of the page."""
    values = {"unit_id": unit_id, "merchant_id": merchant_id, "page_id": page_id}
    row = (await tx.execute(_SUBJECT, values)).one_or_none()
    return subject_of(row) if row else None


async def add(
    tx: Transaction, claim_id: UUID, subject: Subject, reason: ClaimReason, note: str, who: str
) -> bool:
    """False when the unit has a claim that is open or was granted."""
    values = {
        "id": claim_id,
        "merchant_id": subject.merchant_id,
        "order_id": subject.order_id,
        "delivery_id": subject.delivery_id,
        "unit_id": subject.unit_id,
        "lot_id": subject.lot_id,
        "claimant": subject.claimant,
        "reason": reason.value,
        "note": note,
        "opened_by": who,
    }
    return (await tx.execute(_ADD, values)).rowcount == 1


async def find_of_unit(tx: Transaction, unit_id: UUID) -> Claim | None:
    """The unit's last claim, one that stands first."""
    row = (await tx.execute(_OF_UNIT, {"unit_id": unit_id})).one_or_none()
    return claim_of(row) if row else None


async def find(tx: Transaction, merchant_id: UUID, claim_id: UUID) -> Claim | None:
    row = (await tx.execute(_FIND, {"merchant_id": merchant_id, "id": claim_id})).one_or_none()
    return claim_of(row) if row else None


async def list_of(
    tx: Transaction,
    merchant_id: UUID,
    *,
    state: str | None,
    lot_id: UUID | None,
    order_id: UUID | None,
    waits: bool | None,
    after: UUID | None,
    limit: int,
) -> list[Claim]:
    """Newest first."""
    values = {
        "merchant_id": merchant_id,
        "state": state,
        "lot_id": lot_id,
        "order_id": order_id,
        "waits": waits,
        "after": after or _LAST_ID,
        "limit": limit,
    }
    return [claim_of(row) for row in await tx.execute(_LIST, values)]


async def list_of_order(tx: Transaction, order_id: UUID) -> list[PageClaim]:
    """The last claim of each of the order's units, one that stands first."""
    return [
        PageClaim(row.unit_id, ClaimState(row.state), row.replacement_unit_id)
        for row in await tx.execute(_OF_ORDER, {"order_id": order_id})
    ]


async def decide(
    tx: Transaction, merchant_id: UUID, claim_id: UUID, decision: Decision, reason: str, who: str
) -> bool:
    """Only where nobody has decided; of those who race, one does."""
    values = {
        "merchant_id": merchant_id,
        "id": claim_id,
        "decision": decision.value,
        "state": ClaimState.OPENED if decision.needs_steps else decision.outcome,
        "work": Work.CARRY_OUT if decision.needs_steps else Work.NOTHING,
        "reason": reason,
        "who": who,
    }
    return (await tx.execute(_DECIDE, values)).rowcount == 1


async def take_due(tx: Transaction, lease_id: UUID, lease: timedelta, limit: int) -> list[Claim]:
    """Claims a worker is to do something about, this caller's alone until the lease ends."""
    values = {"lease_id": lease_id, "lease": lease, "limit": limit}
    return [claim_of(row) for row in await tx.execute(_TAKE, values)]


async def move_on(
    tx: Transaction,
    claim: Claim,
    *,
    work: Work,
    decision: Decision | None,
    who: str,
    reason: str,
    waits: Waits | str = "",
) -> bool:
    """What the worker that holds the claim found out: a decision, another one, or none. False when
    it does not hold it any more, or somebody has decided meanwhile.
    """
    values = {
        "id": claim.id,
        "lease_id": claim.lease_id,
        "before": claim.decision.value if claim.decision else None,
        "work": work.value,
        "decision": decision.value if decision else None,
        "who": who,
        "reason": reason,
        "waits": str(waits),
    }
    return (await tx.execute(_MOVE_ON, values)).rowcount == 1


async def postpone(tx: Transaction, claim: Claim, pause: timedelta, generation: int) -> bool:
    values = {
        "id": claim.id,
        "lease_id": claim.lease_id,
        "pause": pause,
        "generation": generation,
    }
    return (await tx.execute(_POSTPONE, values)).rowcount == 1


async def note_revoked(tx: Transaction, claim: Claim) -> bool:
    """The old unit is out of use; False when the claim is not this worker's any more."""
    values = {"id": claim.id, "lease_id": claim.lease_id}
    return (await tx.execute(_NOTE_REVOKED, values)).rowcount == 1


async def close(tx: Transaction, claim: Claim, replacement: Replacement | None) -> bool:
    """As decided, by the worker that holds it: the state, the old unit, the new one, in one
    statement. False when it does not hold it any more.
    """
    new, box = replacement, replacement.box if replacement else None
    values = {
        "id": claim.id,
        "lease_id": claim.lease_id,
        "decision": claim.decision.value if claim.decision else None,
        "state": claim.decision.outcome.value if claim.decision else None,
        "unit_id": new.unit_id if new else None,
        "lot_id": new.lot_id if new else None,
        "mask": new.mask if new else None,
        "cost_minor": new.cost.amount_minor if new else None,
        "currency": new.cost.currency if new else None,
        "expires_at": new.expires_at if new else None,
        "is_redeemable": bool(new and new.is_redeemable),
        "box_public_key": box.public_key if box else None,
        "box_nonce": box.nonce if box else None,
        "box_ciphertext": box.ciphertext if box else None,
    }
    return bool((await tx.execute(_CLOSE, values)).one().is_closed)


_SUBJECT = text(
    f"""
    SELECT {SUBJECT_COLUMNS}
    FROM delivered_unit u JOIN delivery d ON d.id = u.delivery_id
    JOIN request r ON r.order_id = d.order_id
    WHERE u.unit_id = :unit_id AND d.pool_id IS NOT NULL
      AND (CAST(:merchant_id AS uuid) IS NULL OR d.merchant_id = :merchant_id)
      AND (CAST(:page_id AS uuid) IS NULL OR r.page_id = :page_id)
    """  # noqa: S608 - column names of rows.py
)
_ADD = text(
    """
    INSERT INTO claim (id, merchant_id, order_id, delivery_id, unit_id, lot_id, claimant, reason,
      note, opened_by)
    VALUES (:id, :merchant_id, :order_id, :delivery_id, :unit_id, :lot_id, :claimant, :reason,
      :note, :opened_by)
    ON CONFLICT (unit_id) WHERE state NOT IN ('refused', 'withdrawn') DO NOTHING
    """
)
_READ = f"""
    SELECT {COLUMNS}
    FROM claim c JOIN delivered_unit u ON u.unit_id = c.unit_id
    JOIN delivery d ON d.id = c.delivery_id JOIN request r ON r.order_id = c.order_id
"""  # noqa: S608 - column names of rows.py
_OF_UNIT = text(
    _READ
    + """
    WHERE c.unit_id = :unit_id
    ORDER BY c.state IN ('refused', 'withdrawn'), c.id DESC LIMIT 1
    """
)
_FIND = text(_READ + " WHERE c.id = :id AND c.merchant_id = :merchant_id")
_LIST = text(
    _READ
    + """
    WHERE c.merchant_id = :merchant_id AND c.id < :after
      AND (CAST(:state AS text) IS NULL OR c.state = :state)
      AND (CAST(:lot_id AS uuid) IS NULL OR c.lot_id = :lot_id)
      AND (CAST(:order_id AS uuid) IS NULL OR c.order_id = :order_id)
      AND (CAST(:waits AS boolean) IS NULL
           OR CAST(:waits AS boolean) = (c.state = 'opened' AND c.waits <> ''))
    ORDER BY c.id DESC LIMIT :limit
    """
)
_OF_ORDER = text(
    """
    SELECT DISTINCT ON (unit_id) unit_id, state, replacement_unit_id
    FROM claim WHERE order_id = :order_id
    ORDER BY unit_id, state IN ('refused', 'withdrawn'), id DESC
    """
)
_DECIDE = text(
    """
    UPDATE claim SET decision = :decision, decided_by = :who, decided_at = clock_timestamp(),
      decision_reason = :reason, waits = '', work = :work, state = :state, lease_id = NULL,
      due_at = clock_timestamp(), attempts = 0,
      closed_at = CASE WHEN :state = 'opened' THEN NULL ELSE clock_timestamp() END
    WHERE id = :id AND merchant_id = :merchant_id AND state = 'opened' AND decision IS NULL
    """
)
# MATERIALIZED: the planner must not run the locking part twice and take more than :limit.
_TAKE = text(
    f"""
    WITH pick AS MATERIALIZED (
      SELECT id FROM claim WHERE work <> '' AND due_at <= clock_timestamp()
      ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), c AS (
      UPDATE claim t SET lease_id = :lease_id, attempts = t.attempts + 1,
        due_at = clock_timestamp() + CAST(:lease AS interval)
      FROM pick WHERE t.id = pick.id RETURNING t.*
    )
    SELECT {COLUMNS}
    FROM c JOIN delivered_unit u ON u.unit_id = c.unit_id
    JOIN delivery d ON d.id = c.delivery_id JOIN request r ON r.order_id = c.order_id
    ORDER BY c.id
    """  # noqa: S608 - column names of rows.py
)
_MOVE_ON = text(
    """
    UPDATE claim SET work = :work, decision = :decision, decision_reason = :reason,
      decided_by = CASE WHEN CAST(:decision AS text) IS NULL THEN NULL ELSE :who END,
      decided_at = CASE WHEN CAST(:decision AS text) IS NULL THEN NULL ELSE clock_timestamp() END,
      waits = :waits, lease_id = NULL, due_at = clock_timestamp(), attempts = 0
    WHERE id = :id AND lease_id = :lease_id AND state = 'opened'
      AND decision IS NOT DISTINCT FROM CAST(:before AS text)
    """
)
_POSTPONE = text(
    """
    UPDATE claim SET lease_id = NULL, due_at = clock_timestamp() + CAST(:pause AS interval),
      generation = :generation
    WHERE id = :id AND lease_id = :lease_id AND state = 'opened'
    """
)
_NOTE_REVOKED = text(
    """
    UPDATE claim SET revoked_at = coalesce(revoked_at, clock_timestamp())
    WHERE id = :id AND lease_id = :lease_id AND state = 'opened'
    """
)
_CLOSE = text(
    """
    WITH closed AS (
      UPDATE claim SET state = :state, closed_at = clock_timestamp(), work = '', waits = '',
        lease_id = NULL, replacement_unit_id = :unit_id, replacement_lot_id = :lot_id,
        replacement_mask = :mask, replacement_cost_minor = :cost_minor,
        replacement_currency = :currency
      WHERE id = :id AND lease_id = :lease_id AND state = 'opened' AND decision = :decision
      RETURNING unit_id
    ), gone AS (
      UPDATE delivered_unit u SET out_of_use_at = clock_timestamp()
      FROM closed WHERE u.unit_id = closed.unit_id
      RETURNING u.unit_id, u.delivery_id, u.position, u.copy_no
    ), handed AS (
      INSERT INTO delivered_unit (unit_id, delivery_id, position, copy_no, replaces, lot_id, mask,
        expires_at, is_redeemable, box_public_key, box_nonce, box_ciphertext)
      SELECT CAST(:unit_id AS uuid), gone.delivery_id, gone.position, gone.copy_no + 1,
        gone.unit_id, CAST(:lot_id AS uuid), CAST(:mask AS text), CAST(:expires_at AS timestamptz),
        CAST(:is_redeemable AS boolean), CAST(:box_public_key AS bytea),
        CAST(:box_nonce AS bytea), CAST(:box_ciphertext AS bytea)
      FROM gone WHERE CAST(:unit_id AS uuid) IS NOT NULL
    )
    SELECT count(*) = 1 AS is_closed FROM closed
    """
)
