"""Tables of this slice. The trigger `claim_stays_decided` refuses changes of what is closed."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from fulfillment.claims.domain import ClaimReason, ClaimState, Decision, Work
from kit.db import clock_time


def _one_of(column: str, words: type[ClaimReason | ClaimState | Decision | Work]) -> str:
    return f"{column} IN (" + ", ".join(f"'{word.value}'" for word in words) + ")"


def claim_tables(metadata: MetaData) -> None:
    """Adds this slice's table to the service's metadata."""
    Table(
        "claim",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        Column("order_id", Uuid, nullable=False),
        Column("delivery_id", Uuid, ForeignKey("delivery.id"), nullable=False),
        Column("unit_id", Uuid, ForeignKey("delivered_unit.unit_id"), nullable=False),
        Column("lot_id", Uuid, nullable=False),
        # The shop's customer; of an order without one, the order.
        Column("claimant", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("note", Text, nullable=False, server_default=""),
        Column("opened_by", Text, nullable=False),
        Column("state", Text, nullable=False, server_default=ClaimState.OPENED.value),
        # Set once by whoever decides; taken back only by the worker, when the vault said no.
        Column("decision", Text),
        Column("decided_by", Text),
        Column("decided_at", DateTime(timezone=True)),
        Column("decision_reason", Text, nullable=False, server_default=""),
        # Why a person must look; empty while nobody must.
        Column("waits", Text, nullable=False, server_default=""),
        # What a worker is still to do, when, and who is at it.
        Column("work", Text, nullable=False, server_default=Work.EVIDENCE.value),
        clock_time("due_at"),
        Column("lease_id", Uuid),
        Column("attempts", Integer, nullable=False, server_default="0"),
        # References of the replacement that are used up for good.
        Column("generation", SmallInteger, nullable=False, server_default="0"),
        Column("revoked_at", DateTime(timezone=True)),
        # Evidence; null until the vault has answered.
        Column("supplier", Text),
        Column("cost_minor", BigInteger),
        Column("currency", Text),
        Column("sold_at", DateTime(timezone=True)),
        Column("views", Integer),
        Column("first_viewed_at", DateTime(timezone=True)),
        Column("last_viewed_at", DateTime(timezone=True)),
        Column("handed_out_at", DateTime(timezone=True)),
        Column("lot_sold", Integer),
        Column("lot_claims", Integer),
        Column("buyer_claims", Integer),
        Column("replacement_unit_id", Uuid),
        Column("replacement_lot_id", Uuid),
        Column("replacement_mask", Text),
        Column("replacement_cost_minor", BigInteger),
        Column("replacement_currency", Text),
        Column("closed_at", DateTime(timezone=True)),
        clock_time("created_at"),
        # A unit replaces one other at most.
        UniqueConstraint("replacement_unit_id"),
        CheckConstraint(_one_of("reason", ClaimReason), name="reason_known"),
        CheckConstraint(_one_of("state", ClaimState), name="state_known"),
        CheckConstraint(_one_of("decision", Decision), name="decision_known"),
        CheckConstraint(_one_of("work", Work), name="work_known"),
        CheckConstraint(
            "num_nulls(decision, decided_by, decided_at) IN (0, 3)", name="decision_whole"
        ),
        CheckConstraint("(state = 'opened') = (closed_at IS NULL)", name="closed_has_time"),
        CheckConstraint(
            "state = 'opened' OR state = CASE decision WHEN 'replace' THEN 'replaced' "
            "WHEN 'refund' THEN 'refunded' WHEN 'refuse' THEN 'refused' ELSE 'withdrawn' END",
            name="ends_as_decided",
        ),
        CheckConstraint(
            "(state = 'replaced') = (replacement_unit_id IS NOT NULL)", name="replaced_has_unit"
        ),
        # A unit has one claim that is open or was granted.
        Index(
            "uq_claim_unit_id_standing",
            "unit_id",
            unique=True,
            postgresql_where=text("state NOT IN ('refused', 'withdrawn')"),
        ),
        Index("ix_claim_unit_id", "unit_id"),
        Index("ix_claim_order_id", "order_id"),
        Index("ix_claim_lot_id", "lot_id"),
        Index("ix_claim_merchant_id_claimant", "merchant_id", "claimant", "created_at"),
        Index("ix_claim_merchant_id_id", "merchant_id", "id"),
        Index("ix_claim_due", "due_at", postgresql_where=text("work <> ''")),
    )
